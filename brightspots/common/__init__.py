"""Code that all other folders use: errors, checks of arguments, settings, vocabulary, files, wording."""
