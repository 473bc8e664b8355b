"""Why a search failed."""

from __future__ import annotations

from pathlib import Path

from tuning.trials import COMPLETED, FAILED, last_line, read_search
from xai_tf.errors import ModelError


def raise_for_failures(folder: Path) -> None:
    """Raise an error with the reason of the last failed trial of a search.

    Raises:
        ModelError: always.
    """
    trials = read_search(folder).trials
    failed = [trial for trial in trials if trial.status == FAILED]
    reason = last_line([failed[-1].reason]) if failed else "no reason was stored."
    if any(trial.status == COMPLETED for trial in trials):
        next_step = "run the same command again to resume"
    else:
        next_step = "search under another name"
    raise ModelError(
        f"{len(failed)} trials of {folder} failed, the last ones in a row: {reason} Fix the cause, "
        f"then {next_step}."
    )
