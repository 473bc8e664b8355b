"""How far a job is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboards.service.service import Job


def describe_progress(job: Job) -> str:
    """What a job that is not done is doing, in words."""
    again = " The computing process was lost, it is being done again." if job.retries else ""
    if job.state == "waiting":
        if job.visitor.starting:
            return "The computing processes are starting: half a minute, once." + again
        queue = f"{job.ahead} before you." if job.ahead else "Waiting for a computing process."
        return queue + again
    if not job.total:
        return "Preparing." + again
    left = job.seconds_left()
    eta = f", about {duration(left)} left" if left is not None and left >= 1 else ""
    return f"{job.done} of {job.total} passes{eta}.{again}"


def about(seconds: float) -> str:
    """What something will take, in words."""
    return duration(seconds) if seconds < 1 else f"about {duration(seconds)}"


def duration(seconds: float) -> str:
    """Seconds in words, as exact as a guess can be."""
    if seconds < 1:
        return "under 1 s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
