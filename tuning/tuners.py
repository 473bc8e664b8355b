"""The tuner of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning import schedule

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from tuning.settings import Report, StudySettings
    from tuning.tuner import Settings, Tuner


def make_tuner(
    study: StudySettings, training_data: TrainingData, report: Report, strategy: Any = None
) -> Tuner:
    """The tuner of a study's mode, with the search as it stands in the folder."""
    from tuning.batched_tuner import BatchedTuner
    from tuning.tuner import Network, Tuner

    settings = make_settings(study, report, strategy)
    if study.mode[0] == "waves":
        pooling = study.full_space.get("pooling")
        poolings = pooling.values if pooling else ("average",)
        return BatchedTuner(
            settings,
            {(b, p): training_data.rows(b, str(p)) for b in study.backbones for p in poolings},
        )
    return Tuner(Network(settings, training_data), settings)


def make_settings(study: StudySettings, report: Report, strategy: Any = None) -> Settings:
    from tuning.tuner import Settings

    return Settings(
        folder=study.folder,
        space=study.full_space,
        objective=study.objective,
        max_epochs=study.max_epochs,
        factor=study.factor,
        iterations=study.iterations,
        seed=study.seed,
        batch_size=study.batch_size,
        num_epochs=schedule.num_epochs(study.brackets),
        report=report,
        fixed=study.fixed,
        strategy=strategy,
    )
