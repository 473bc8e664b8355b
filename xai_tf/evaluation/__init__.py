"""A classifier on labelled files: figures, curves, mistakes."""
