"""What can go wrong with a job, beside what the library itself tells."""

from xai_tf.errors import XaiTfError


class JobError(XaiTfError):
    """A request that could not be answered, through no fault of the file or the model."""


class CancelledJobError(Exception):
    """The answer of a job that was cancelled was asked for."""
