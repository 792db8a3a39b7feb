"""Backprop step by step: recorded passes, the stepper, and what explains a gradient."""
