"""Labeled data: find the files, split them, and read them into arrays."""
