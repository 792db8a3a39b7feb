"""A graph as a picture, and backprop as a page to step through."""
