"""Why a search failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning.trials import COMPLETED, FAILED, last_line, read_search
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    from tuning.settings import StudySettings


def tell_failures(study: StudySettings) -> None:
    """Raise with what the last trials failed of."""
    failed = [trial for trial in read_search(study.folder).trials if trial.status == FAILED]
    reason = last_line([failed[-1].reason]) if failed else "no reason was kept"
    over = not any(trial.status == COMPLETED for trial in read_search(study.folder).trials)
    raise ModelError(
        f"{len(failed)} trials of {study.folder} failed, the last ones in a row: {reason} Mend the "
        f"cause; {'search under another name' if over else 'the same command goes on'}."
    )
