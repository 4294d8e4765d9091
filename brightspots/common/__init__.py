"""What every other room may use: errors, arguments and settings that check themselves, vocabulary, files, wording."""
