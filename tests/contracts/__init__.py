"""One table of cases for each interface: a new word is one new row."""
