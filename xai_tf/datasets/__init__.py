"""Labelled files: found, split and read."""
