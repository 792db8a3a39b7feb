"""A recorded graph replayed in compiled loops."""
