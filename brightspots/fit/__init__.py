"""What users hold: `fit_hierarchy()`, the fit, its spots, tables, text, figures and files."""
