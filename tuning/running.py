"""Run the trials of a study, in the way its mode asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning import schedule
from tuning.trials import COMPLETED, FAILED, last_line, read_search
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    from tuning.material import Material
    from tuning.study import Report, Study
    from tuning.tuner import Settings, Tuner


def search(
    study: Study, material: Material, report: Report, workers: int, strategy: Any = None
) -> None:
    """Search until no trial is left.

    Raises:
        ModelError: too many trials failed in a row, or all of them.
    """
    if workers > 1 and study.mode[0] != "waves":
        from tuning.supervisor import supervise

        supervise(study, material, report, workers)
    else:
        tuner = make_tuner(study, material, report, strategy)
        tuner.search()
        completed = any(t.status == COMPLETED for t in tuner.oracle.trials.values())
        if tuner.oracle.gave_up or not completed:
            tell_failures(study)


def make_tuner(study: Study, material: Material, report: Report, strategy: Any = None) -> Tuner:
    """The tuner of a study's mode, with the search as it stands in the folder."""
    from tuning.tuner import Network, Tuner
    from tuning.wave_tuner import WaveTuner

    settings = make_settings(study, report, strategy)
    if study.mode[0] == "waves":
        pooling = study.full_space.get("pooling")
        poolings = pooling.values if pooling else ("average",)
        return WaveTuner(settings, {(b, p): material.rows(b, str(p)) for b in study.backbones
                                    for p in poolings})  # fmt: skip
    return Tuner(Network(settings, material), settings)


def make_settings(study: Study, report: Report, strategy: Any = None) -> Settings:
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


def tell_failures(study: Study) -> None:
    """Raise with what the last trials failed of."""
    failed = [trial for trial in read_search(study.folder).trials if trial.status == FAILED]
    reason = last_line([failed[-1].reason]) if failed else "no reason was kept"
    over = not any(trial.status == COMPLETED for trial in read_search(study.folder).trials)
    raise ModelError(
        f"{len(failed)} trials of {study.folder} failed, the last ones in a row: {reason} Mend the "
        f"cause; {'search under another name' if over else 'the same command goes on'}."
    )
