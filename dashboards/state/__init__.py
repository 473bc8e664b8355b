"""A visitor's choices and the results they led to; no widgets and no HTML."""
