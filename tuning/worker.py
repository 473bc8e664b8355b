"""One process of a search that several share: the chief, who hands out trials, or a worker.

`Study.run(workers=...)` starts them on one machine and looks after them (`tuning.supervisor`). On
several machines they are started by hand, around a file system that all share. Once, in Python,
`prepare(study)` reads the data, computes what is kept of it and writes `worker.json`. Then

    export KERASTUNER_ORACLE_IP=10.0.0.5 KERASTUNER_ORACLE_PORT=8000     # the chief's, everywhere
    KERASTUNER_TUNER_ID=chief   python -m tuning.worker searches/mine    # on the chief's machine
    KERASTUNER_TUNER_ID=worker0 python -m tuning.worker searches/mine    # each worker its own id

The data (and files of weights) are read by every worker, from the same paths. Whoever reaches the
chief's port can direct the search, for KerasTuner asks for no password: give a private address.

A worker that died is started again under its id, for only so does it get its trial back; let the
machine's service manager see to it. Where the chief died, end the workers before it starts again,
or their trials run twice. The chief ends when all its workers have.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.search_folder import alone, disk_full_told, remember, write_json
from tuning.settings import StudySettings
from tuning.space import Parameter
from tuning.subprocesses import follow
from xai_tf.cli.console import complain
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import InputError, SettingError, XaiTfError

if TYPE_CHECKING:
    from tuning.data import TrainingData

WORKER = "worker.json"
VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
USER_ERROR = 2  # the exit code of what a user can put right; starting again would not help


def prepare(
    study: StudySettings, report: Callable[[str, int, int], None] = lambda *_: None
) -> None:
    """Make a search ready for a chief and workers that are started by hand.

    Raises:
        XaiTfError: as `Study.run`.
    """
    from tuning.data import TrainingData

    with alone(study.folder), disk_full_told(study.folder):
        training_data = TrainingData(study, report)
        remember(study.folder, training_data.describe())
        hand_over(study, training_data)


def hand_over(study: StudySettings, training_data: TrainingData) -> None:
    """Write what workers need: the study, and the features that they would all compute."""
    for backbone in study.backbones:
        cut = training_data.cut(backbone)
        if cut is not None:
            training_data.features(backbone, cut, pooled=False)
    write_json(study.folder / WORKER, json.loads(json.dumps(_plain(study), default=str)))


def read_study(folder: Path) -> StudySettings:
    """The study whose search is in a folder.

    Raises:
        InputError: `prepare` was not called.
    """
    path = folder / WORKER
    if not path.is_file():
        raise InputError(f"{path} is missing. Call tuning.worker.prepare(study) once before.")
    values = json.loads(path.read_text(encoding="utf-8"))
    space = {name: _with_tuple(p, "values") for name, p in values["space"].items()}
    changed = {
        "data": Path(values["data"]),
        "backbones": tuple(values["backbones"]),
        "space": {name: Parameter(**p) for name, p in space.items()},
        "options": DataOptions(**_with_tuple(values["options"], "allow_leak")),
        "name": folder.absolute().name,
        "root": folder.absolute().parent,
    }
    return StudySettings(**values | changed)


def serve(study: StudySettings) -> None:
    """Be the chief: hand out trials until there are none and every worker was told so.

    Raises:
        ModelError: too many trials failed in a row.
    """
    from keras_tuner.src.distribute import oracle_chief

    from tuning.failures import tell_failures
    from tuning.tuner import Tuner
    from tuning.tuners import make_settings

    tuner = Tuner(None, make_settings(study, lambda *_: None))
    oracle_chief.start_server(tuner.oracle)
    if tuner.oracle.gave_up:
        tell_failures(study)


def work(study: StudySettings) -> None:
    """Be a worker: train the trials that the chief hands out.

    Raises:
        SettingError: the data are not those the search began with.
    """
    from tuning.data import TrainingData
    from tuning.tuners import make_tuner

    beat = heartbeat(study.folder, os.environ["KERASTUNER_TUNER_ID"])
    training_data = TrainingData(study, lambda *_: beat.touch())
    remember(study.folder, training_data.describe())
    make_tuner(study, training_data, lambda *_: None).search()


def heartbeat(folder: Path, name: str) -> Path:
    """The file that a worker touches while it lives."""
    from tuning.tuner import HEARTBEAT

    return folder / f"{HEARTBEAT}_{name}"


def main() -> int:
    """Run as the environment says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tuning.worker")
    parser.add_argument("folder", type=Path, help="of the search")
    parser.add_argument("--parent", type=int, help="the process to end with")
    given = parser.parse_args()
    if given.parent:
        follow(given.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(given.folder, by_hand=given.parent is None)
    except XaiTfError as error:
        complain(error)
        return USER_ERROR
    return 0


def _run(folder: Path, by_hand: bool) -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise SettingError(f"Set {', '.join(missing)}; `pydoc tuning.worker` says how.")
    study = read_study(folder)
    with disk_full_told(folder):
        if "chief" not in os.environ["KERASTUNER_TUNER_ID"]:  # as KerasTuner tells them apart
            work(study)
        else:
            with alone(folder) if by_hand else nullcontext():  # else the supervisor holds it
                serve(study)


def _plain(study: StudySettings) -> dict:
    """The study as a dict, with paths that hold in every working directory."""
    given = study.weights if isinstance(study.weights, dict) else {"": study.weights}
    weights = {b: str(Path(w).absolute()) if Path(w).is_file() else w for b, w in given.items()}
    return asdict(study) | {
        "data": Path(study.data).absolute(),
        "weights": weights if isinstance(study.weights, dict) else weights[""],
    }


def _with_tuple(values: dict, name: str) -> dict:
    return values | {name: tuple(values[name])}


if __name__ == "__main__":
    sys.exit(main())
