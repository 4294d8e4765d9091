"""`fit_hierarchy()` and the fit that it returns, with its spots, tables, text, figures and files."""
