"""The error of a model file."""


class ModelFileError(Exception):
    """A model file is missing, damaged or changed, or would run code when loaded."""
