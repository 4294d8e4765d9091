"""A report on a table before it is fitted (`check_table`), and changes to it that are asked for (`tidy`)."""
