"""Trainings and searches that are started from the page: planned, run, queued, stopped."""

import asyncio
import io
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress

import pytest

import weights_keras
from dashboards.files.drops import Drop
from dashboards.files.own_sets import OwnSets
from dashboards.files.uploads import Limits
from dashboards.server.addresses import visitors_train
from dashboards.server.settings import ServeSettings
from dashboards.server.start import start_service
from dashboards.service.catalogue import Catalogue
from dashboards.service.errors import JobError
from dashboards.service.training_orders import (
    TRAIN,
    TUNE,
    TrainingPlan,
    order,
    task_of,
    training_sets,
)
from dashboards.service.trainings import Trainings
from dashboards.state.own_sets import OwnLabeled
from dashboards.state.training import TrainingDesk
from dashboards.views import training_text
from tests.conftest import draw_stripes
from tests.waiting import eventually, until
from tuning.trials import read_search
from xai_tf.errors import OutputError, SettingError

pytestmark = pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning")
PLAN = TrainingPlan(
    classes=("lying", "standing"), files=(34, 6, 8), epochs=3, seconds=(0.0, 1.0), trials=10
)
QUICK = {"task": "photo", "backbones": ["cnn"], "epochs": 2, "image_size": 32}


@pytest.fixture
def sets(tmp_path):
    return draw_stripes(tmp_path / "sets" / "stripes", ("lying", "standing"), 24).parent


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "home"))
    service = Trainings(tmp_path / "cache" / "trainings")
    yield service
    service.close()


def planned(service, ordered):
    return service.plan(ordered, lambda: False)


def states(service):
    return {status.order.name: status.state for status in service.all()}


def reached(service, name, *wanted):
    eventually(lambda: states(service)[name] in wanted)


@pytest.mark.slow
def test_a_model_is_planned_trained_and_in_the_catalogue_while_the_next_one_waits(sets, trainings):
    first, second = (order(TRAIN, data=sets / "stripes", name=n, **QUICK) for n in ("one", "two"))

    plan = planned(trainings, first)
    trainings.start(first, plan)
    reached(trainings, "one", "running")
    trainings.start(second, plan)
    waiting = next(status for status in trainings.all() if status.order.name == "two")
    trainings.stop("two")
    reached(trainings, "one", "done")

    assert (plan.classes, plan.files, plan.epochs) == (("lying", "standing"), (34, 6, 8), 3)
    assert plan.seconds[1] > 0
    assert "34 for training" in training_text.plan(first, plan)
    assert training_text.state(waiting) == "Waiting: 1 before it."
    assert states(trainings) == {"one": "done", "two": "stopped"}
    done = next(status for status in trainings.all() if status.order.name == "one")
    assert "Test files: accuracy" in training_text.state(done)
    assert Catalogue().models["one"].classes == ("lying", "standing")
    card = weights_keras.read_card(weights_keras.own_folder() / "one.md")
    assert card.command == first.command
    with pytest.raises(JobError, match="There is a model 'one' already"):
        planned(trainings, first)


@pytest.mark.slow  # trains in a process of its own
def test_a_stopped_search_keeps_its_trials_and_resumes_after_the_server_was_restarted(
    sets, trainings, tmp_path
):
    ordered = order(TUNE, data=sets / "stripes", name="search", **QUICK | {"epochs": 4})
    trainings.start(ordered, PLAN)
    eventually(lambda: num_scored(ordered) >= 1)
    trainings.stop("search")
    reached(trainings, "search", "stopped")
    kept = {trial.id: trial.score for trial in read_search(ordered.search_folder).ranked()}

    trainings.resume("search")
    reached(trainings, "search", "running")
    trainings.close()  # as when the server ends
    after = Trainings(tmp_path / "cache" / "trainings")
    interrupted = states(after)
    after.resume("search", export=True)
    reached(after, "search", "done", "failed")
    after.close()

    assert interrupted == {"search": "interrupted"}
    assert states(after) == {"search": "done"}
    scores = {trial.id: trial.score for trial in read_search(ordered.search_folder).ranked()}
    assert kept.items() <= scores.items()
    assert "search" in Catalogue().models


def num_scored(ordered):
    folder = ordered.search_folder
    return len(read_search(folder).ranked()) if (folder / "study.json").is_file() else 0


def own_set(folder, stripes):
    """A labeled set as a visitor uploads it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in stripes.rglob("*.png"):
            archive.write(path, path.relative_to(stripes.parent))
    own = OwnLabeled(OwnSets(folder, Limits()))
    asyncio.run(own.add("mine.zip", buffer.getvalue(), Drop(0)))
    return own


@pytest.mark.slow  # trains in a process of its own
def test_a_visitors_own_set_is_trained_on_though_the_visitor_leaves(sets, trainings, tmp_path):
    own = own_set(tmp_path / "visitor", sets / "stripes")

    async def visit():
        desk = TrainingDesk(trainings, [], own=own, backbones=["cnn"], image_size=32, epochs=1)
        await desk.find_sets()
        await desk.choose_set("mine (yours)")
        desk.begin_plan()
        while desk.planning:
            await desk.refresh()
            await asyncio.sleep(0.05)
        assert desk.problem == ""
        await desk.start()
        own.remove_all()
        return desk

    desk = asyncio.run(visit())
    kept = tmp_path / "cache" / "trainings" / "stripes_cnn"
    assert desk.problem == ""
    assert len(list((kept / "files").rglob("*.png"))) == 48
    reached(trainings, "stripes_cnn", "done", "failed")

    assert states(trainings) == {"stripes_cnn": "done"}
    assert Catalogue().models["stripes_cnn"].classes == ("lying", "standing")
    assert list(kept.rglob("*.png")) == []  # nothing of a visitor stays longer than needed
    assert (desk.has_no_sets, desk.chosen) == (True, "")


def test_an_own_set_that_was_deleted_after_the_plan_is_told_at_the_start(sets, trainings, tmp_path):
    own = own_set(tmp_path / "visitor", sets / "stripes")
    mine = order(TRAIN, data=own.latest.path, name="mine", private=True, **QUICK)
    own.remove_all()

    with pytest.raises(SettingError, match="The files of stripes were deleted"):
        trainings.start(mine, PLAN)

    assert trainings.all() == ()


def test_a_killed_process_is_reported_with_the_last_line_of_its_log(sets, trainings):
    ordered = order(TRAIN, data=sets / "stripes", name="killed", **QUICK | {"epochs": 100})
    trainings.start(ordered, PLAN)
    eventually(lambda: trainings.all()[0].what)
    child = trainings._child
    with child.log.open("a") as log:
        log.write("Allocation exceeds the free memory\n")

    os.kill(child.process.pid, signal.SIGKILL)
    reached(trainings, "killed", "failed")

    (status,) = trainings.all()
    assert "The process was killed by SIGKILL" in status.problem
    assert status.problem.endswith("its log: Allocation exceeds the free memory")
    assert "it starts again from the beginning" in training_text.state(status)


@pytest.fixture
def disk(tmp_path):
    """A disk of 4 MB, which only root may make."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("A small disk cannot be mounted here.")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk):
    """Leave no byte free."""
    with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.slow  # trains in a process of its own
def test_a_training_on_a_full_disk_ends_with_the_cause_and_the_next_step(sets, disk, monkeypatch):
    for variable in ("XAI_TF_HOME", "HOME", "TMPDIR"):  # where else the model could go
        monkeypatch.setenv(variable, str(disk / "home"))
    (disk / "home").mkdir()
    trainings = Trainings(disk / "trainings")
    ordered = order(TRAIN, data=sets / "stripes", name="full", **QUICK)

    trainings.start(ordered, PLAN)
    eventually(lambda: trainings.all()[0].what)
    fill(disk)
    reached(trainings, "full", "done", "failed")
    (first,) = trainings.all()
    trainings.resume("full")
    reached(trainings, "full", "failed")
    (again,) = trainings.all()
    with pytest.raises(OutputError, match=r"\(No space left on device\). Free some disk space"):
        planned(trainings, ordered)
    trainings.close()

    assert first.state == "failed"
    for problem in (first.problem, again.problem):
        assert "No space left on device" in problem
        assert "Free some disk space" in problem
        assert str(disk) not in problem


@pytest.mark.slow  # trains in a process of its own
def test_a_training_whose_results_are_on_another_disk_is_done_though_that_of_the_server_is_full(
    sets, disk, tmp_path, monkeypatch
):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "home"))
    trainings = Trainings(disk / "trainings")

    trainings.start(order(TRAIN, data=sets / "stripes", name="fits", **QUICK), PLAN)
    eventually(lambda: trainings.all()[0].what)
    fill(disk)
    reached(trainings, "fits", "done", "failed")
    trainings.close()

    assert states(trainings) == {"fits": "done"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "There is no folder or file stripes"),
        (
            lambda folder: [path.unlink() for path in sorted((folder / "lying").iterdir())[1:]],
            "Class 'lying' has 1 file: too few for 3 splits",
        ),
    ],
)
def test_data_that_cannot_be_split_is_a_problem_before_the_start(sets, trainings, spoil, message):
    spoil(sets / "stripes")

    with pytest.raises(JobError, match=message) as caught:
        planned(trainings, order(TRAIN, data=sets / "stripes", name="none", **QUICK))

    assert str(sets) not in str(caught.value)
    assert trainings.all() == ()


def test_a_folder_that_vanishes_after_the_plan_ends_as_a_readable_failure(sets, trainings):
    ordered = order(TRAIN, data=sets / "stripes", name="gone", **QUICK)
    shutil.rmtree(sets / "stripes")

    trainings.start(ordered, PLAN)
    reached(trainings, "gone", "failed")

    (status,) = trainings.all()
    assert status.problem == "There is no folder or file stripes. Check the name."


def test_weights_that_cannot_be_had_are_a_problem_before_the_start(sets, trainings, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(sets / "no_weights"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # as without a network

    with pytest.raises(JobError, match="weights of VGG16 are not on this server") as caught:
        planned(
            trainings,
            order(TRAIN, data=sets / "stripes", name="vgg", **QUICK | {"backbones": ["vgg16"]}),
        )

    assert "choose a backbone that needs none: AlexNet or Plain CNN" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "visitor_training": True}, True),
        ({"visitor_training": False}, False),
    ],
)
def test_the_host_decides_whether_visitors_train(tmp_path, settings, allowed):
    given = ServeSettings(cache=tmp_path, workers=0, **settings)

    service = start_service(given, Catalogue())
    service.close()

    assert visitors_train(given) is allowed
    assert (service.trainings is not None) is allowed
    assert ServeSettings.from_environment().visitor_training is False


def test_sets_in_split_folders_are_one_set_and_are_read_by_the_task_of_their_classes(tmp_path):
    draw_stripes(tmp_path / "xrays" / "train", ("normal", "opacity"), 2)
    draw_stripes(tmp_path / "xrays" / "test", ("normal", "opacity"), 1)
    draw_stripes(tmp_path / "plain", ("a", "b"), 1)

    found = training_sets([tmp_path])

    assert set(found.values()) == {tmp_path / "xrays", tmp_path / "plain"}
    assert task_of(tmp_path / "xrays") == "lung_opacity"
    assert task_of(tmp_path / "plain") == "photo"


def test_a_changed_choice_discards_the_plan_and_a_name_is_suggested_until_one_is_given(
    sets, trainings
):
    async def story():
        desk = TrainingDesk(trainings, [sets], backbones=["cnn"], image_size=32, epochs=2)
        await desk.find_sets()
        await desk.choose_set("sets/stripes")
        suggested = desk.model_name
        desk.begin_plan()
        while desk.planning:
            await desk.refresh()
            await asyncio.sleep(0.05)
        first = desk.plan
        desk.epochs = 3
        changed = desk.plan
        desk.begin_plan()
        desk.model_name = "../mine"
        desk.backbones = ["alexnet"]
        desk.begin_plan()
        await until(lambda: trainings._planning.acquire(blocking=False))  # given up, and released
        trainings._planning.release()
        return suggested, first, changed, desk

    suggested, first, changed, desk = asyncio.run(story())

    assert suggested == "sets_stripes_cnn"
    assert first.files == (34, 6, 8)
    assert changed is None
    assert (desk.planning, desk.plan) == (False, None)
    assert "The name may have up to 60 letters" in desk.problem
