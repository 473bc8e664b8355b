"""The process that plans, trains or searches what was ordered, and writes how far it is.

    python -m dashboards.service.trainer plan|run|export FOLDER --parent PID

It reads `order.json` in FOLDER, and writes `progress.json` there while it works and `outcome.json`
at the end, in the place of `reserve`. Whoever kills it loses nothing: a search resumes from its own
folder.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.service.training_orders import TUNE, TrainingOrder, TrainingPlan
from dashboards.service.worker import NICENESS
from tuning.subprocesses import exit_with_parent
from weights_keras.formats import SUFFIXES
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.layouts import find_listing
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.splits import make_splits
from xai_tf.errors import ModelError, SettingError, XaiTfError
from xai_tf.files import replace_file
from xai_tf.progress import Progress
from xai_tf.tasks import find_task

if TYPE_CHECKING:
    from weights_keras import ModelCard

ORDER, PROGRESS, OUTCOME, LOG = "order.json", "progress.json", "outcome.json", "log.txt"
RESERVE = "reserve"  # a file that makes room for the outcome where the disk is full
RESERVE_BYTES = 16_384
PLAN, RUN, EXPORT = "plan", "run", "export"
DONE, FAILED, STOPPED = "done", "failed", "stopped"
PERIOD = 0.5  # seconds between two reports of progress
NO_WEIGHTS = (
    "The pretrained weights of {backbone} are not on this server, and {reason}. "
    "Connect the server to the internet once, or choose a backbone that needs none: {others}."
)
DEFECT = (
    "The training failed because of a bug in xai-tf or because of this machine: {error}. Report it "
    "with the log."
)


def main() -> None:
    """Do what the arguments ask, and write the outcome."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=(PLAN, RUN, EXPORT))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, required=True)
    given = parser.parse_args()
    exit_with_parent(given.parent)
    if given.what != PLAN and hasattr(os, "nice"):
        os.nice(NICENESS)  # pages, explanations and plans, which a visitor waits for, go first
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    order = TrainingOrder.from_json((given.folder / ORDER).read_text("utf-8"))
    report = _Report(given.folder)
    signal.signal(signal.SIGINT, report.on_signal)
    outcome: dict[str, Any]
    try:
        outcome = {"state": DONE, **_WORK[given.what](order, report)}
    except KeyboardInterrupt:
        outcome = {"state": STOPPED}
    except XaiTfError as error:
        with suppress(OSError):  # the disk of the log may be full
            print(f"xai-tf: {error}", flush=True)  # noqa: T201
        outcome = {"state": FAILED, "problem": order.without_places(str(error))}
    except Exception as error:
        with suppress(OSError):
            traceback.print_exc()
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        outcome = {"state": FAILED, "problem": order.without_places(DEFECT.format(error=text))}
    (given.folder / RESERVE).unlink(missing_ok=True)
    _write(given.folder / OUTCOME, outcome)


class _Report:
    """Writes the progress, and remembers that the work was asked to stop."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / PROGRESS
        self._last, self._step, self._since, self._first = 0.0, (0, -1), time.time(), 0
        self._stopped = False

    def on_signal(self, number: int, frame: object) -> None:
        """Stop; an exception that is lost in a callback is raised again with the next report."""
        self._stopped = True
        raise KeyboardInterrupt

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if self._stopped:
            raise KeyboardInterrupt
        if total != self._step[1] or done < self._step[0]:  # another step begins
            self._since, self._first, self._last = time.time(), done, 0.0
        self._step = (done, total)
        if done < total and time.monotonic() - self._last < PERIOD:
            return
        self._last = time.monotonic()
        now = {"done": done, "total": total, "what": what, "first": self._first}
        with suppress(OSError):  # where the disk is full, the work itself says so
            _write(self._file, now | {"since": self._since, "at": time.time()})


def _plan(order: TrainingOrder, progress: Progress) -> dict[str, Any]:
    _check_name(order)
    # First what needs no TensorFlow: whether there are enough files of each class.
    make_splits(find_listing(order.data, find_task(order.task)), DataOptions(), seed=1)
    _check_weights(order)
    plan = _plan_search(order, progress) if order.kind == TUNE else _plan_training(order, progress)
    return {"plan": asdict(plan)}


def _plan_search(order: TrainingOrder, progress: Progress) -> TrainingPlan:
    from tuning.export import check_export_folder

    study = order.study()
    check_export_folder(study, order.models)
    plan = study.plan(progress)
    splits = study.training_data().splits
    return TrainingPlan(
        classes=splits.train.classes,
        files=_num_files(splits),
        trials=plan.trials,
        configurations=plan.configurations,
        epochs=plan.epochs,
        seconds=plan.seconds,
        bytes=plan.bytes,
        notes=splits.notes,
        reason=plan.why,
    )


def _plan_training(order: TrainingOrder, progress: Progress) -> TrainingPlan:
    from xai_tf.datasets.reading import read_splits
    from xai_tf.training.estimate import estimate_seconds

    settings = order.training()
    settings.check()
    task, size, recipe = find_task(order.task), (order.image_size,) * 2, settings.recipe
    splits = read_splits(order.data, task, size, recipe.seed, progress, settings.data)
    progress(0, 1, "timing a step")
    return TrainingPlan(
        classes=splits.train.classes,
        files=_num_files(splits),
        epochs=recipe.head_epochs + recipe.epochs,
        seconds=(0.0, estimate_seconds(splits, recipe, task.augment)),
        notes=splits.notes,
    )


def _run(order: TrainingOrder, progress: Progress) -> dict[str, Any]:
    from tuning.export import check_export_folder
    from xai_tf.training.run import train_on_files

    if order.kind == TUNE:
        study = order.study()
        check_export_folder(study, order.models)
        study.run(progress)
        return _export(order, progress)
    return _exported(train_on_files(order.training(), progress))


def _export(order: TrainingOrder, progress: Progress) -> dict[str, Any]:
    """Make a model of the best trial there is."""
    from tuning.settings import ExportSettings

    study = order.study()
    progress(0, 1, "measuring the best model on the test files")
    settings = ExportSettings(command=order.command)
    card = study.export(order.models, settings, progress=progress)
    study.report()
    return _exported(card)


def _exported(card: ModelCard) -> dict[str, Any]:
    from xai_tf.classifiers.ood import OUT_OF_DISTRIBUTION

    tested = [m for m in card.metrics if m.split == "test" and m.name != OUT_OF_DISTRIBUTION]
    return {"measures": [[measure.name, str(measure)] for measure in tested]}


def _check_name(order: TrainingOrder) -> None:
    """Make sure that nothing is replaced.

    Raises:
        SettingError: there is a model or a search of this name.
    """
    model = any((order.models / f"{order.name}{suffix}").exists() for suffix in SUFFIXES)
    search = order.search_folder is not None and order.search_folder.exists()
    if model or search:
        what = "model" if model else "search"
        raise SettingError(f"There is a {what} {order.name!r} already. Choose another name.")


def _check_weights(order: TrainingOrder) -> None:
    """Build each backbone once, so that weights which cannot be had are missed now.

    Raises:
        ModelError: they are not on this machine and cannot be downloaded.
    """
    from xai_tf.classifiers.backbones import build_backbone

    for name in order.backbones:
        try:
            build_backbone(name, (order.image_size,) * 2)
        except ModelError as error:
            cause = str(error.__cause__)
            if "URL fetch failure" not in cause:
                raise
            reason = f"the download failed ({cause.rpartition('] ')[2] or 'no network'})"
            free = [b.title for b in BACKBONES.values() if b.application is None]
            raise ModelError(
                NO_WEIGHTS.format(
                    backbone=BACKBONES[name].title, reason=reason, others=" or ".join(free)
                )
            ) from error


def _num_files(splits: Any) -> tuple[int, int, int]:
    return (
        len(splits.train.file_labels),
        len(splits.validation.file_labels),
        len(splits.test.file_labels),
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, lambda scratch: scratch.write_text(json.dumps(content), "utf-8"))


_WORK: dict[str, Callable[[TrainingOrder, Progress], dict[str, Any]]] = {
    PLAN: _plan,
    RUN: _run,
    EXPORT: _export,
}

if __name__ == "__main__":
    main()
