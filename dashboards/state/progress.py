"""Progress and durations as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xai_tf.datasets.listing import counted
from xai_tf.progress import duration

if TYPE_CHECKING:
    from dashboards.service.service import Job


def describe_progress(job: Job) -> str:
    """The progress of a job that is not finished."""
    retry = " A worker process crashed; the request is being retried." if job.retries else ""
    if job.state == "waiting":
        if job.visitor.starting:
            return "The worker processes are starting, which takes about half a minute." + retry
        ahead = counted(job.ahead, "request")
        return (f"{ahead} ahead." if job.ahead else "Waiting for a worker process.") + retry
    if not job.total:
        return "Preparing." + retry
    left = job.seconds_left()
    eta = f", about {duration(left)} left" if left is not None and left >= 1 else ""
    return f"{job.done} of {job.total} passes{eta}.{retry}"


def about(seconds: float) -> str:
    """An estimated duration, such as "about 12 s"."""
    return duration(seconds) if seconds < 1 else f"about {duration(seconds)}"
