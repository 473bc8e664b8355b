"""Run the trials of a study, in the way its mode asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning.failures import tell_failures
from tuning.trials import COMPLETED
from tuning.tuners import make_tuner

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from tuning.settings import Report, StudySettings


def search(
    study: StudySettings,
    training_data: TrainingData,
    report: Report,
    workers: int,
    strategy: Any = None,
) -> None:
    """Search until no trial is left.

    Raises:
        ModelError: too many trials failed in a row, or all of them.
    """
    if workers > 1 and study.mode[0] != "waves":
        from tuning.supervisor import supervise

        supervise(study, training_data, report, workers)
    else:
        tuner = make_tuner(study, training_data, report, strategy)
        tuner.search()
        completed = any(t.status == COMPLETED for t in tuner.oracle.trials.values())
        if tuner.oracle.gave_up or not completed:
            tell_failures(study)
