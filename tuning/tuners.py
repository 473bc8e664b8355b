"""The tuner of a study: the one that its mode needs, with its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning import schedule
from tuning.settings import Mode
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from tuning.networks import Networks
    from tuning.settings import StudySettings
    from tuning.tuner import Tuner, TunerSettings


def make_tuner(networks: Networks, progress: Progress, strategy: Any = None) -> Tuner:
    """The tuner of a study, which resumes what is in the search folder.

    Args:
        networks: the data and the networks of the study.
        progress: is called with epochs done, epochs in all, and the state of the search.
        strategy: a `tf.distribute` strategy, for networks that are trained one by one.
    """
    from tuning.batched_tuner import BatchedTuner
    from tuning.tuner import Network, Tuner

    study = networks.data.study
    settings = tuner_settings(study, progress, strategy)
    if study.mode != Mode.BATCHED_HEADS:
        return Tuner(Network(settings, networks), settings)
    pooling = study.full_space.get("pooling")
    poolings = [str(p) for p in pooling.values] if pooling else ["average"]
    rows = {(b, p): networks.rows(b, p) for b in study.backbones for p in poolings}
    return BatchedTuner(settings, rows)


def tuner_settings(
    study: StudySettings, progress: Progress = silent, strategy: Any = None
) -> TunerSettings:
    """The settings of a study's tuner."""
    from tuning.tuner import TunerSettings

    return TunerSettings(
        folder=study.folder,
        space=study.full_space,
        objective=study.objective,
        max_epochs=study.max_epochs,
        factor=study.factor,
        iterations=study.iterations,
        seed=study.seed,
        batch_size=study.batch_size,
        num_epochs=schedule.num_epochs(study.brackets),
        progress=progress,
        fixed=study.fixed,
        strategy=strategy,
    )
