"""Explanations on disk: written, read back, resumed."""
