"""From a table to `Cells`: which column is what, labels, counts, periods, covariates, and doubts about the data."""
