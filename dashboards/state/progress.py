"""Progress and durations as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.language import language, library_text, mark, n, t
from dashboards.service.requests import LOADING
from xai_tf import progress
from xai_tf.trust.sentences import written

if TYPE_CHECKING:
    from dashboards.service.service import Job

UNKNOWN = mark("The computation failed for an unknown reason. Try again.")


def describe_progress(job: Job) -> str:
    """The progress of a job that is not finished."""
    crashed = t("A worker process crashed; the request is being retried.") if job.retries else ""
    return f"{_state(job)} {crashed}".strip()


def error_text(error: Exception | None) -> str:
    """Why a job failed; in the language of the page where it is one of the service's own errors."""
    return library_text(t(str(error))) if error else t(UNKNOWN)


def _state(job: Job) -> str:
    if job.state == "waiting":
        if job.visitor.starting:
            return t("The worker processes are starting, which takes about half a minute.")
        if job.ahead:
            return n("{count} request ahead.", "{count} requests ahead.", job.ahead)
        if job.visitor.preparing:
            return t("A worker process finishes one step of preparing another model first.")
        return t("Waiting for a worker process.")
    if not job.total:
        return t("Loading the model.") if job.step == LOADING else t("Preparing.")
    counts = {"done": job.done, "total": job.total}
    left = job.seconds_left()
    if left is None or left < 1:
        return t("{done} of {total} passes.", **counts)
    return t("{done} of {total} passes, about {time} left.", **counts, time=duration(left))


def about(seconds: float) -> str:
    """An estimated duration, such as "about 12 s"."""
    return duration(seconds) if seconds < 1 else t("about {time}", time=duration(seconds))


def passes(count: int) -> str:
    """A number of passes through the network."""
    return n("{count} pass", "{count} passes", count)


def duration(seconds: float) -> str:
    """A duration in the unit in which people would say it."""
    return t("under 1 s") if seconds < 1 else written(progress.duration(seconds), language())
