"""Run the trials of a study, in the way that its mode needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning.failures import raise_for_failures
from tuning.settings import Mode
from tuning.trials import COMPLETED
from tuning.tuners import make_tuner
from xai_tf.progress import Progress

if TYPE_CHECKING:
    from tuning.networks import Networks


def run_trials(
    networks: Networks, progress: Progress, workers: int = 1, strategy: Any = None
) -> None:
    """Run trials until none is left.

    Args:
        networks: the data and networks of the search.
        progress: is called with epochs done, epochs in all, and the state of the search.
        workers: processes that train trials, where trials are trained one by one.
        strategy: a `tf.distribute` strategy, where trials are trained one by one.

    Raises:
        ModelError: too many trials failed in a row, or all of them.
    """
    study = networks.data.study
    if workers > 1 and study.mode != Mode.BATCHED_HEADS:
        from tuning.supervisor import supervise

        supervise(networks, progress, workers)
        return
    tuner = make_tuner(networks, progress, strategy)
    tuner.search()
    completed = any(t.status == COMPLETED for t in tuner.oracle.trials.values())
    if tuner.oracle.gave_up or not completed:
        raise_for_failures(study.folder)
