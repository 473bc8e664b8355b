"""Errors of jobs, in addition to the errors of the library."""

from xai_tf.errors import XaiTfError


class JobError(XaiTfError):
    """A request that failed for a reason other than its file or model."""


class CancelledJobError(Exception):
    """The result of a cancelled job was requested."""
