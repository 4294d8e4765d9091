"""What was observed, as a function of a linear predictor: families, truncation, uncertain predictors."""
