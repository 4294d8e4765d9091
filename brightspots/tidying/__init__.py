"""A report on a table as it arrived, and the changes that are made when they are asked for."""
