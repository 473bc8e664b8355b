"""Several processes on one search: real workers, which are killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.waiting import PATIENCE, eventually
from tuning import Study, choice
from tuning.search_folder import exclusive_lock, store_or_check_settings
from tuning.supervisor import supervise
from tuning.trials import COMPLETED, FAILED, read_search
from tuning.worker import prepare, read_study
from xai_tf.errors import ModelError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
SPACE = {
    "units_1": choice(8, 16),
    "learning_rate": choice(1e-3, 1e-4),
    "dropout": choice(0.0, 0.2),
    "dense_layers": choice(1),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    place = tmp_path_factory.mktemp("stripes")
    draw(place)
    return place


def draw(place: Path) -> None:
    """Pictures of lying or of standing stripes, with noise."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("normal", "opacity")):
        (place / name).mkdir(parents=True)
        for number in range(24):
            stripes = 150 * (np.add.outer(np.arange(32), np.zeros(32)) // 3 % 2)
            picture = rng.integers(0, 60, (32, 32)) + (stripes.T if label else stripes)
            Image.fromarray(picture.astype(np.uint8)).save(place / name / f"{number:02d}.png")


def small_study(data: Path, root: Path, **settings) -> Study:
    return Study(
        **{
            "data": data,
            "task": "lung_opacity",
            "name": "small",
            "backbones": ("cnn",),
            "weights": "none",
            "image_size": 32,
            "augmentations": 1,
            "max_epochs": 4,
            "factor": 2,
            "batch_size": 8,
            "space": SPACE,
            "root": root,
        }
        | settings
    )


def supervised(study: Study, workers: int, stall_seconds: float = 600) -> list[str]:
    """Run a study; returns what was reported."""
    reports = []
    with exclusive_lock(study.folder):
        networks = study.networks()
        store_or_check_settings(study.folder, networks.describe())
        supervise(networks, lambda *report: reports.append(report[2]), workers, stall_seconds)
    return reports


def trials_of(study: Study) -> tuple[list, list]:
    """The trials without their ids, and their scores."""
    trials = sorted(
        read_search(study.folder).trials, key=lambda t: (t.bracket, t.round, t.configuration)
    )
    places = [
        (
            t.configuration,
            t.status,
            t.bracket,
            t.round,
            t.first_epoch,
            t.last_epoch,
            [epoch.epoch for epoch in t.curve],
        )
        for t in trials
    ]
    return places, [t.score for t in trials]


def processes(folder: Path) -> dict[str, int]:
    """The chief and the workers of a search that run now, by name."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes().split(b"\0"):
                variables = dict(
                    v.split("=", 1) for v in (process / "environ").read_text().split("\0") if v
                )
                found[variables.get("KERASTUNER_TUNER_ID", "other")] = int(process.name)
        except OSError:
            continue
    return found


def in_training(folder: Path) -> dict[str, str]:
    """Which trial each worker trains now."""
    path = folder / "oracle.json"
    ongoing = json.loads(path.read_text())["ongoing_trials"] if path.is_file() else {}
    return {n: t for n, t in ongoing.items() if (folder / f"trial_{t}" / "starts").is_file()}


@contextmanager
def sabotage(act):
    """Call `act` again and again in a thread, until it returns True."""
    over = threading.Event()

    def run():
        while not over.is_set() and not act():
            time.sleep(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def single_process(pictures, tmp_path_factory):
    """The same study, run by one process."""
    study = small_study(pictures, tmp_path_factory.mktemp("single_process"))
    study.run()
    return study


def assert_same_trials(study: Study, expected: Study) -> None:
    (places, scores), (others, wanted) = trials_of(study), trials_of(expected)
    assert places == others
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_a_worker_trains_what_the_chief_hands_out(pictures, tmp_path):
    study = small_study(pictures, tmp_path, max_epochs=1)

    supervised(study, workers=1)

    [trial] = read_search(study.folder).trials
    assert (trial.status, len(trial.curve)) == (COMPLETED, 1)
    assert not processes(study.folder)
    assert {path.name for path in (study.folder / "logs").iterdir()} == {"chief.log", "worker0.log"}


def test_workers_read_the_same_study(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = small_study(pictures, Path("here"), weights={"cnn": "none"})

    prepare(study)

    read = Study.from_dict(read_study(Path("here") / "small").to_dict())
    assert read == replace(study, root=tmp_path / "here")


@pytest.mark.parametrize("victim", ["worker0", "chief"])
def test_a_process_that_dies_again_and_again_ends_the_search(pictures, tmp_path, victim):
    study = small_study(pictures, tmp_path)

    def kill():
        if victim in processes(study.folder):
            os.kill(processes(study.folder)[victim], signal.SIGKILL)

    with sabotage(kill), pytest.raises(ModelError, match=rf"killed by SIGKILL.*{victim}\.log"):
        supervised(study, workers=1)

    assert not processes(study.folder)


@pytest.mark.slow
def test_a_worker_that_reads_other_data_ends_the_search_at_once(pictures, tmp_path):
    data = tmp_path / "data"
    subprocess.run(["cp", "-r", str(pictures), str(data)], check=True)
    study = small_study(data, tmp_path)
    study.training_data()
    Image.new("L", (32, 32)).save(data / "normal" / "03.png")

    with pytest.raises(ModelError, match=r"normal/03\.png: was \w+, is \w+"):
        supervised(study, workers=1)


@pytest.mark.slow
def test_two_workers_run_the_trials_of_one(pictures, tmp_path, single_process):
    study = small_study(pictures, tmp_path)

    study.run(workers=2)

    assert_same_trials(study, single_process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "how", "message"),
    [
        ("worker0", signal.SIGKILL, "worker0 died (killed by SIGKILL) and starts again"),
        ("worker1", signal.SIGSTOP, "worker1 died (no sign of life for 120 s) and starts again"),
        ("chief", signal.SIGKILL, "chief died (killed by SIGKILL) and starts again"),
    ],
)
def test_a_process_that_dies_or_hangs_changes_no_trial(
    pictures, tmp_path, single_process, victim, how, message
):
    study, struck = small_study(pictures, tmp_path), []

    def strike():
        busy = in_training(study.folder)
        if victim in busy or (victim == "chief" and len(busy) == 2):
            os.kill(processes(study.folder)[victim], how)
            struck.append(busy)
        return bool(struck)

    with sabotage(strike):
        reports = supervised(study, workers=2, stall_seconds=120)

    assert len(struck) == 1
    assert reports.count(message) == 1
    assert sum("starts again" in text for text in reports) == 1
    assert_same_trials(study, single_process)
    assert not processes(study.folder)


@pytest.mark.slow
def test_a_search_resumes_with_another_number_of_workers(pictures, tmp_path, single_process):
    study = small_study(pictures, tmp_path)

    def stop_at(count):
        def progress(done, total, what=""):
            if done >= count:
                raise KeyboardInterrupt

        return progress

    with pytest.raises(KeyboardInterrupt):
        study.run(stop_at(3), workers=2)
    with pytest.raises(KeyboardInterrupt):
        study.run(stop_at(9), workers=1)
    study.run(workers=2)

    assert_same_trials(study, single_process)


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_fails_and_says_why(pictures, tmp_path):
    study, deaths = small_study(pictures, tmp_path, max_epochs=2), []

    def kill():
        for worker, trial in in_training(study.folder).items():
            starts = (study.folder / f"trial_{trial}" / "starts").read_text()
            if trial == "0001" and len(starts) > len(deaths):  # else it is not back yet
                os.kill(processes(study.folder)[worker], signal.SIGKILL)
                deaths.append(worker)

    with sabotage(kill):
        reports = supervised(study, workers=2)

    search = read_search(study.folder)
    assert sum("starts again" in text for text in reports) == 3
    assert [t.id for t in search.trials if t.status == FAILED] == ["0001"]
    assert "The process died 3 times while it trained this trial" in search.by_id["0001"].reason
    assert len(search.ranked()) == len(search.trials) - 1 == 4


@pytest.mark.slow
def test_too_many_failures_end_the_search_with_their_reason(pictures, tmp_path):
    runaway = {
        "optimizer": choice("sgd"),
        "learning_rate": choice(10.0),
        "l2_1": choice(10.0),
        "units_1": choice(*range(8, 24)),
        "dense_layers": choice(1),
    }
    study = small_study(pictures, tmp_path, space=runaway)

    with pytest.raises(ModelError, match=r"failed, the last ones in a row: .*became (nan|inf)"):
        study.run(workers=2)

    assert not processes(study.folder)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_supervisor(pictures, tmp_path, how):
    study = small_study(pictures, tmp_path)
    prepare(study)
    code = (
        "import sys, signal; from pathlib import Path; from tuning import Study;"
        "from tuning.worker import read_study;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "Study.from_dict(read_study(Path(sys.argv[1]).parent).to_dict()).run(workers=2)"
    )
    # The argument is not the folder itself, so that `processes` finds the children alone.
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(study.folder / "any")])
    try:
        eventually(lambda: len(in_training(study.folder)) == 2)
        assert set(processes(study.folder)) == {"chief", "worker0", "worker1"}

        supervisor.send_signal(how)
        supervisor.wait(PATIENCE)
    finally:
        supervisor.kill()

    eventually(lambda: not processes(study.folder))
    # They were ended, and did not come to the end of the search. One that ends in good order
    # forgets its start, so that it does not count as the death of a trial.
    assert json.loads((study.folder / "oracle.json").read_text())["ongoing_trials"]


def test_a_child_ends_with_its_parent_even_while_it_hangs(tmp_path):
    child = (
        "import os, pathlib, signal, sys; from tuning.subprocesses import exit_with_parent;"
        "exit_with_parent(int(sys.argv[2]));"
        "new = pathlib.Path(sys.argv[1], 'new'); new.write_text(str(os.getpid()));"
        "new.rename(new.with_name('pid'));"
        "os.kill(os.getpid(), signal.SIGSTOP)"
    )
    parent = (
        "import os, pathlib, sys; from tuning.subprocesses import start;"
        f"start('child', ['-c', {child!r}, sys.argv[1], str(os.getpid())],"
        "pathlib.Path(sys.argv[1], 'log'), {}); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent, str(tmp_path)], stdin=subprocess.PIPE)

    def state():  # "T" is stopped; a zombie, "Z", may wait for its new parent
        stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
        return stat.read_text().split()[2] if stat.exists() else "Z"

    eventually(lambda: (tmp_path / "pid").is_file() and state() == "T")

    process.kill()
    process.communicate()

    eventually(lambda: state() == "Z")
