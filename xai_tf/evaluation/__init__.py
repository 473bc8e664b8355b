"""A classifier on labeled files: figures, curves, mistakes."""
