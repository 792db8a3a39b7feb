"""The table read for other machines: as JavaScript for the page, over arrays for JAX and PyTorch."""
