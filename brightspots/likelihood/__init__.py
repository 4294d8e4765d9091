"""Likelihoods as functions of a linear predictor: families, truncated counts, overdispersed counts."""
