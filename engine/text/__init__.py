"""A graph in words: names, formulas as text and as LaTeX."""
