"""One process of a search that several processes share: the chief or a worker.

The chief hands out trials, and the workers train them. `Study.run(workers=...)` starts and watches
them on one machine (`tuning.supervisor`). To use several machines, start them yourself on a file
system that all of them share. First, in Python, `prepare(study)` reads the data, computes the
features and writes `worker.json`. Then

    export KERASTUNER_ORACLE_IP=10.0.0.5 KERASTUNER_ORACLE_PORT=8000     # the chief's, everywhere
    KERASTUNER_TUNER_ID=chief   python -m tuning.worker searches/mine    # on the chief's machine
    KERASTUNER_TUNER_ID=worker0 python -m tuning.worker searches/mine    # each worker its own id

Every worker reads the data (and files of weights) from the same paths. KerasTuner asks for no
password: whoever reaches the chief's port can control the search, so use a private address.

A worker that died must be started again under the same id to get its trial back; let the service
manager of the machine do that. If the chief died, stop the workers before starting it again, or
their trials run twice. The chief ends when all its workers have ended.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.search_folder import (
    disk_full_as_output_error,
    exclusive_lock,
    store_or_check_settings,
    write_json,
)
from tuning.settings import StudySettings
from tuning.subprocesses import exit_with_parent
from xai_tf.cli.console import complain
from xai_tf.errors import InputError, SettingError, XaiTfError
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from tuning.networks import Networks

WORKER = "worker.json"
VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
USER_ERROR = 2  # the exit code of an error that the user can fix; a restart would not help


def prepare(study: StudySettings, progress: Progress = silent) -> None:
    """Prepare a search for a chief and workers that are started by hand.

    Args:
        study: the settings of the search.
        progress: is called with steps done, steps in all, and a text.

    Raises:
        XaiTfError: as `Study.run`.
    """
    with exclusive_lock(study.folder), disk_full_as_output_error(study.folder):
        networks = _networks(study, progress)
        store_or_check_settings(study.folder, networks.describe())
        write_worker_files(networks)


def write_worker_files(networks: Networks) -> None:
    """Write what the workers need: the settings, and the features that each would compute."""
    study = networks.data.study
    for backbone in study.backbones:
        if networks.cut(backbone) is not None:
            networks.features(backbone)
    settings = json.loads(json.dumps(study.to_dict(), default=str))
    write_json(study.folder / WORKER, settings)


def read_study(folder: Path) -> StudySettings:
    """The settings of the search in a folder.

    Raises:
        InputError: `prepare` was not called, or its file is damaged.
    """
    path = folder / WORKER
    if not path.is_file():
        raise InputError(f"{path} is missing. Call tuning.worker.prepare(study) once first.")
    values = json.loads(path.read_text(encoding="utf-8"))
    place = {"name": folder.absolute().name, "root": str(folder.absolute().parent)}
    return StudySettings.from_dict(values | place)


def run_chief(study: StudySettings) -> None:
    """Be the chief: hand out trials until none is left and every worker has stopped.

    Raises:
        ModelError: too many trials failed in a row.
    """
    from keras_tuner.src.distribute import oracle_chief

    from tuning.failures import raise_for_failures
    from tuning.tuner import Tuner
    from tuning.tuners import tuner_settings

    tuner = Tuner(None, tuner_settings(study))
    oracle_chief.start_server(tuner.oracle)
    if tuner.oracle.gave_up:
        raise_for_failures(study.folder)


def run_worker(study: StudySettings) -> None:
    """Be a worker: train the trials that the chief hands out.

    Raises:
        SettingError: the data differs from the data that the search started with.
    """
    from tuning.tuners import make_tuner

    heartbeat = heartbeat_file(study.folder, os.environ["KERASTUNER_TUNER_ID"])
    networks = _networks(study, lambda *_: heartbeat.touch())
    store_or_check_settings(study.folder, networks.describe())
    make_tuner(networks, silent).search()


def heartbeat_file(folder: Path, name: str) -> Path:
    """The file that a worker touches while it is alive."""
    from tuning.tuner import HEARTBEAT

    return folder / f"{HEARTBEAT}_{name}"


def main() -> int:
    """Run the process that the environment describes; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tuning.worker")
    parser.add_argument("folder", type=Path, help="the search folder")
    parser.add_argument("--parent", type=int, help="id of the process to end with")
    arguments = parser.parse_args()
    if arguments.parent:
        exit_with_parent(arguments.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(arguments.folder, supervised=arguments.parent is not None)
    except XaiTfError as error:
        complain(error)
        return USER_ERROR
    return 0


def _run(folder: Path, supervised: bool) -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise SettingError(
            f"The environment variable {missing[0]} is not set. Set {', '.join(missing)} as "
            "described by `pydoc tuning.worker`."
        )
    study = read_study(folder)
    with disk_full_as_output_error(folder):
        if "chief" not in os.environ["KERASTUNER_TUNER_ID"]:  # as KerasTuner tells them apart
            run_worker(study)
            return
        # A supervisor holds the lock already.
        with nullcontext() if supervised else exclusive_lock(folder):
            run_chief(study)


def _networks(study: StudySettings, progress: Progress) -> Networks:
    from tuning.data import TrainingData
    from tuning.networks import Networks

    return Networks(TrainingData(study, progress), progress)


if __name__ == "__main__":
    sys.exit(main())
