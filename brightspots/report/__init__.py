"""The board pack: facts, sentences, sections and documents, and the formats that they are written in."""
