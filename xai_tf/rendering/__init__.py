"""Attributions as images and figures, and the data of the interactive viewer."""
