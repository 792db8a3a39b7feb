"""What is typed: the prompt over a stepper, and expressions from outside."""
