# Shrunken means of trusts and departments with their conditional variances: Rscript decision_mixed_model.R in.csv out.csv
suppressPackageStartupMessages(library(lme4))
given <- commandArgs(TRUE)
cells <- read.csv(given[1], colClasses = c(trust = "character", department = "character"))
cells$cell <- factor(seq_len(nrow(cells)))
model <- suppressWarnings(suppressMessages(glmer(
  observed ~ 1 + (1 | trust) + (1 | cell) + (1 | department) + offset(log(expected)), cells, family = poisson
)))
effects <- ranef(model, condVar = TRUE)
variance <- function(level) as.numeric(attr(effects[[level]], "postVar"))
trust <- match(cells$trust, rownames(effects$trust)); cell <- match(cells$cell, rownames(effects$cell))
write.csv(data.frame(
  u = effects$trust[trust, 1], u_variance = variance("trust")[trust],
  v = effects$cell[cell, 1], v_variance = variance("cell")[cell]
), given[2], row.names = FALSE)
