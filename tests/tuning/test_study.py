"""A search as a whole: planned, stopped, resumed, rejected, and exported."""

import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import weights_keras
from tests.conftest import ROOT, SHARED, draw_labels, draw_stripes
from tuning import search_folder
from tuning.export import winning_model
from tuning.schedule import num_trials, schedule
from tuning.settings import ExportSettings, Mode
from tuning.space import choice, configuration
from tuning.study import Study
from tuning.trials import COMPLETED, FAILED, read_search
from tuning.tuner import Network, Tuner
from tuning.tuners import tuner_settings
from xai_tf.attribution.explain import explain
from xai_tf.classifiers.loading import load
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import InputError, ModelError, OutputError, SettingError, UnknownNameError
from xai_tf.training.train import features

# Of a plain CNN with random weights, frozen: quick, and its features tell stripes apart.
SPACE = {
    "unfreeze": choice(0),
    "dense_layers": choice(1),
    "units_1": choice(8, 16),
    "learning_rate": choice(1e-2, 1e-3),
    "dropout": choice(0.0, 0.2),
    "l1_1": choice(1e-3, 1e-4),
}
TINY = {"max_epochs": 2, "factor": 2}  # five trials
LEAST = {"max_epochs": 2, "factor": 3}  # two, of two epochs
REAL = SHARED / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_160_no_top.h5"
WITH_REAL = [pytest.mark.slow, pytest.mark.skipif(not REAL.is_file(), reason="no weights at hand")]


def study_of(data, root, **changes):
    return Study(
        **{
            "data": data,
            "task": "lung_opacity",
            "name": "s",
            "backbones": ("cnn",),
            "space": SPACE,
            "max_epochs": 4,
            "factor": 2,
            "image_size": 32,
            "augmentations": 2,
            "batch_size": 8,
            "root": root,
        }
        | changes
    )


def outcome(search):
    """Every trial by its configuration and place, with the score last.

    Numbers are left out: after a kill, trials may be started in another order.
    """
    found = {}
    for trial in search.trials:
        parent = trial.parent and search.by_id[trial.parent].configuration
        key = (trial.configuration, trial.bracket, trial.round)
        epochs = tuple(epoch.epoch for epoch in trial.curve)
        found[key] = (
            trial.first_epoch,
            trial.last_epoch,
            trial.status,
            parent,
            epochs,
            trial.score,
        )
    assert len(found) == len(search.trials)
    return found


def assert_same(search, other, tolerance=1e-6):
    ours, theirs = outcome(search), outcome(other)
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert ours[key][:-1] == theirs[key][:-1]
        assert ours[key][-1] == pytest.approx(theirs[key][-1], abs=tolerance)


def lines_of_done(folder):
    """How many lines of curves each completed trial has."""
    lines = (folder / "curves.jsonl").read_text().splitlines()
    whole = [json.loads(line)["trial"] for line in lines if line.endswith("}")]
    return {t.id: whole.count(t.id) for t in read_search(folder).trials if t.status == COMPLETED}


@pytest.fixture(scope="module")
def finished(stripes, tmp_path_factory):
    """A study that ran without interruption; not to be changed."""
    study = study_of(stripes, tmp_path_factory.mktemp("searches"))
    study.run()
    return study


@pytest.fixture
def own(finished, tmp_path):
    """The same finished search in a folder that may be changed."""
    shutil.copytree(finished.root, tmp_path / "root")
    return replace(finished, root=tmp_path / "root")


def test_the_plan_is_what_is_run(finished):
    plan = finished.plan()

    search = read_search(finished.folder)
    assert plan.mode == search.settings["mode"] == Mode.BATCHED_HEADS
    assert plan.trials == len(search.trials) == 15
    assert plan.epochs == sum(len(trial.curve) for trial in search.trials) == 30
    assert plan.possible == 16
    assert plan.configurations == sum(trial.parent is None for trial in search.trials)
    assert plan.rows == (2 * 34, 6)
    assert plan.seconds[0] == 0  # the features are there
    assert plan.seconds[1] > 0
    assert plan.bytes < 10_000_000


def test_a_new_search_plans_time_and_disk_space_for_its_features(stripes, tmp_path):
    plan = study_of(stripes, tmp_path).plan()

    assert plan.seconds[0] > 0
    assert plan.bytes > (2 * 34 + 6) * 128 * 4
    assert not (tmp_path / "s").exists()


def test_every_trial_was_trained_as_the_schedule_says(finished):
    trials = read_search(finished.folder).trials

    for bracket in schedule(4, 2):
        for number, planned in enumerate(bracket.rounds):
            found = [t for t in trials if (t.bracket, t.round) == (bracket.bracket, number)]
            assert len(found) == planned.trials
            for trial in found:
                epochs = range(planned.first_epoch + 1, planned.last_epoch + 1)
                assert [e.epoch for e in trial.curve] == list(epochs)
                assert trial.score == min(e.val_loss for e in trial.curve)


def test_run_again_a_finished_search_trains_nothing(own):
    before = lines_of_done(own.folder), read_search(own.folder)

    search = replace(own).run()

    assert lines_of_done(own.folder) == before[0]
    assert search.trials == before[1].trials


def in_another_process(study, root, act):
    """A script that does something to the same study under another root."""
    return (
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path; from tests.tuning.test_study import study_of\n"
        f"study = study_of(Path({str(study.data)!r}), Path({str(root)!r}))\n"
        f"{act}\n"
    )


@pytest.mark.slow  # a kill after every single file is tested in test_oracle.py
@pytest.mark.parametrize("kills", [2, 10])
def test_killed_again_and_again_a_search_comes_to_the_same_end(finished, tmp_path, kills):
    """Each kill comes some epochs and some moments after the start, wherever that is."""
    draw, folder, killed, done = random.Random(0), tmp_path / "s", 0, {}
    code = in_another_process(finished, tmp_path, "study.run()")
    while killed < kills:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
        wait_for_epochs(folder, draw.randrange(1, 8 if kills == 2 else 4), process)
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        if process.wait() == 0:
            break  # it was done before
        killed += 1
        done = lines_of_done(folder) | done

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    assert killed >= 2
    assert_same(read_search(folder), read_search(finished.folder))
    assert {trial: lines_of_done(folder)[trial] for trial in done} == done


def wait_for_epochs(folder, count, process):
    """Wait until a process has added so many lines to the curves, or has ended."""
    path = folder / "curves.jsonl"

    def lines():
        return path.read_bytes().count(b"\n") if path.is_file() else 0

    wanted = lines() + count
    while lines() < wanted and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.parametrize("mode", ["batched", pytest.param("cut", marks=pytest.mark.slow)])
def test_a_kill_between_any_two_files_comes_to_the_same_end(stripes, tmp_path, monkeypatch, mode):
    """Here the process does not die; it is stopped by what nothing catches, at every file."""
    settings = TINY | {"space": SPACE | {"unfreeze": choice(0 if mode == "batched" else 2)}}
    whole = study_of(stripes, tmp_path / "whole", **settings).run()
    study = study_of(stripes, tmp_path / "killed", **settings)
    study.training_data()
    write, kills = search_folder.write_durably, 0

    class Killed(BaseException):
        pass

    search = None
    while search is None:
        left = [None] * (kills + 1)

        def write_some(path, make, left=left):
            if not left:
                raise Killed
            left.pop()
            write(path, make)

        with monkeypatch.context() as patch:
            for module in ("search_folder", "features", "batched_heads", "tuner"):
                patch.setattr(f"tuning.{module}.write_durably", write_some)
            try:
                search = study.run()
            except Killed:
                kills += 1

    assert kills > 3
    assert_same(search, whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "seed: was 1, is 2"),
        ({"max_epochs": 8}, "max_epochs: was 4, is 8"),
        ({"factor": 3}, "factor: was 2, is 3"),
        ({"objective": "val_ce"}, "objective: was val_loss, is val_ce"),
        ({"batch_size": 4}, "batch_size: was 8, is 4"),
        ({"space": SPACE | {"dropout": choice(0.1)}}, "space.dropout: was 0, 0.2, is 0.1"),
        ({"space": SPACE | {"l2_1": choice(0.1)}}, "space.l2_1: was unset, is 0.1"),
        ({"class_weights": False}, "class_weights: was true, is false"),
        ({"augmentations": 3}, "augmentations: was 2, is 3"),
        ({"augmentations": 0}, "mode: was batched heads, is full network"),
    ],
)
def test_a_search_with_other_settings_is_rejected_and_the_difference_named(
    finished, changes, message
):
    with pytest.raises(SettingError, match="give the new search another name") as caught:
        replace(finished, **changes).run()

    assert message in str(caught.value)


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_a_changed_image_is_named(own, stripes, tmp_path, change):
    data = tmp_path / "data"
    shutil.copytree(stripes, data)
    search = own.folder / "study.json"
    trained = next(iter(json.loads(search.read_text())["asked"]["files"]["train"]))
    if change == "changed":
        picture = np.array(Image.open(data / trained))
        picture[0] ^= 1
        Image.fromarray(picture).save(data / trained)
    elif change == "added":
        draw_stripes(tmp_path / "more", ("x", "y", "opacity"), 1)
        trained = "opacity/new.png"
        shutil.copy(tmp_path / "more" / "opacity" / "00.png", data / trained)
    else:
        (data / trained).unlink()

    with pytest.raises(SettingError) as caught:
        replace(own, data=data).run()

    assert trained in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_data_set_elsewhere_with_the_same_images_is_the_same(own, stripes, tmp_path):
    shutil.copytree(stripes, tmp_path / "moved")

    search = replace(own, data=tmp_path / "moved").run()

    assert len(search.trials) == 15


def test_two_processes_do_not_share_a_folder(own):
    code = (
        "import sys; from pathlib import Path; from tuning.search_folder import exclusive_lock\n"
        f"with exclusive_lock(Path({str(own.folder)!r})):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()

        with pytest.raises(OutputError, match=r"Another process is using .*/s\. Wait until"):
            own.run()
    finally:
        process.kill()
        process.communicate()


def test_the_lock_file_of_a_killed_process_does_not_block(own):
    (own.folder / "lock").touch()

    assert len(own.run().trials) == 15


def test_an_unwritable_folder_is_an_error(stripes, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"Cannot write to .* Give another --root"):
        study_of(stripes, tmp_path / "file").run()


@pytest.mark.parametrize("name", ["study.json", "oracle.json", "trial_0003/trial.json"])
@pytest.mark.parametrize("harm", ["empty", "cut", "nonsense"])
def test_a_damaged_file_is_named(own, name, harm):
    path = own.folder / name
    text = path.read_text()
    path.write_text({"empty": "", "cut": text[:-20], "nonsense": "[]"}[harm])

    with pytest.raises(InputError, match="Restore it") as caught:
        own.run()

    assert str(path) in str(caught.value)


def test_an_incomplete_line_of_the_curves_is_skipped(own):
    path = own.folder / "curves.jsonl"
    path.write_text(path.read_text()[:-15])

    trials = read_search(own.folder).trials

    assert sum(len(trial.curve) for trial in trials) == 29


def test_damaged_weights_of_a_trial_are_trained_again(own, finished):
    """The trial that continued the damaged one is run again, too."""
    search = read_search(finished.folder)
    child = next(trial for trial in search.trials if trial.parent)
    state = own.folder / f"trial_{child.parent}" / "state.npz"
    state.write_bytes(state.read_bytes()[:200])
    unfinished(own.folder, child.id)

    again = own.run()

    assert_same(again, search)


def unfinished(folder, trial_id):
    """Make a finished trial one that a kill interrupted."""
    path = folder / f"trial_{trial_id}" / "trial.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"status": "RUNNING", "score": None}))
    oracle = json.loads((folder / "oracle.json").read_text())
    oracle["ongoing_trials"] = {"lane0": trial_id}
    oracle["end_order"].remove(trial_id)
    (folder / "oracle.json").write_text(json.dumps(oracle))


def test_a_trial_that_diverges_fails_and_costs_no_promotion(stripes, tmp_path):
    space = SPACE | {
        "optimizer": choice("sgd"),
        "learning_rate": choice(1e-3, 10.0),
        "l2_1": choice(10.0),
    }

    search = study_of(stripes, tmp_path, space=space, max_epochs=4).run()

    diverged = [t for t in search.trials if t.status == FAILED]
    assert {t.values["learning_rate"] for t in diverged} == {10.0}
    for trial in diverged:
        assert "became" in trial.reason
        assert "The learning rate may be too high" in trial.reason
    for bracket in schedule(4, 2):
        found = [t for t in search.trials if t.bracket == bracket.bracket]
        through = bracket.rounds[0].trials
        for number, planned in enumerate(bracket.rounds):
            started = [t for t in found if t.round == number]
            assert len(started) == min(planned.trials, through)
            through = sum(t.status == COMPLETED for t in started)


def test_if_all_trials_diverge_the_search_says_why(stripes, tmp_path):
    space = SPACE | {
        "optimizer": choice("sgd"),
        "learning_rate": choice(10.0),
        "l2_1": choice(10.0),
    }
    study = study_of(stripes, tmp_path, space=space)

    with pytest.raises(ModelError, match=r"failed, the last ones in a row: .* became") as caught:
        study.run()

    assert "search under another name" in str(caught.value)
    with pytest.raises(ModelError, match=r"no completed trial yet. Run the search first"):
        study.export(tmp_path / "models")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 160 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "none", str(place)], capture_output=True
    )
    if made.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount")
def test_on_a_full_disk_finished_work_is_stored(finished, tiny_disk):
    study = replace(finished, root=tiny_disk)

    with pytest.raises(
        OutputError, match=r"The disk is full: .* All finished work is stored"
    ) as caught:
        study.run()

    assert "run the same command again" in str(caught.value)
    done = lines_of_done(study.folder)
    subprocess.run(["mount", "-o", "remount,size=20m", str(tiny_disk)], check=True)
    assert_same(replace(study).run(), read_search(finished.folder))
    assert {trial: lines_of_done(study.folder)[trial] for trial in done} == done


@pytest.mark.parametrize("mode", ["batched", "cut"])
def test_a_full_disk_is_an_error_that_says_how_to_resume(stripes, tmp_path, monkeypatch, mode):
    study = study_of(
        stripes,
        tmp_path,
        **LEAST,
        space=SPACE | {"unfreeze": choice(0 if mode == "batched" else 1)},
    )
    add, added = search_folder.add_epoch, []

    def full_after_two(*args):
        if len(added) == 2:
            raise OSError(28, "No space left on device")
        added.append(add(*args))

    with monkeypatch.context() as patch:
        patch.setattr("tuning.tuner.add_epoch", full_after_two)
        patch.setattr("tuning.batched_tuner.add_epoch", full_after_two)
        with pytest.raises(OutputError, match="The disk is full"):
            study.run()

    assert [t.status for t in replace(study).run().trials] == [COMPLETED] * 2


MODES = [
    pytest.param(Mode.BATCHED_HEADS, {"space": SPACE}, id="batched"),
    pytest.param(Mode.UPPER_LAYERS, {"space": SPACE | {"unfreeze": choice(2)}}, id="cut"),
    pytest.param(
        Mode.FULL_NETWORK,
        {"space": {n: p for n, p in SPACE.items() if n != "unfreeze"}, "weights": "none"},
        id="whole",
    ),
    pytest.param(
        Mode.UPPER_LAYERS,
        {
            "space": SPACE | {"unfreeze": choice(3)},
            "backbones": ("mobilenet_v2",),
            "weights": str(REAL),
        },
        id="cut-mobilenet_v2",
        marks=WITH_REAL,
    ),
    pytest.param(
        Mode.BATCHED_HEADS,
        {
            "space": {n: p for n, p in SPACE.items() if n != "unfreeze"},
            "backbones": ("mobilenet_v2",),
            "weights": str(REAL),
        },
        id="batched-mobilenet_v2",
        marks=WITH_REAL,
    ),
]


@pytest.mark.parametrize(("mode", "changes"), MODES)
def test_each_mode_searches_and_exports_the_model_it_found(stripes, tmp_path, mode, changes):
    study = study_of(stripes, tmp_path, **LEAST | changes)

    search = study.run()
    card = study.export(tmp_path / "models")

    assert study.mode == mode
    assert [t.status for t in search.trials] == [COMPLETED] * 2
    best = search.ranked()[0]
    epoch = search.best_epoch(best)
    model, _ = weights_keras.load("s", tmp_path / "models")
    validation = study.training_data().splits.validation
    logits = features(model, validation.images)
    correct = (logits[:, 0] > 0) == (validation.labels == 1)
    assert correct.mean() == pytest.approx(epoch.val_accuracy)
    entropy = np.logaddexp(0, np.where(validation.labels == 1, -1, 1) * logits[:, 0]).mean()
    assert entropy == pytest.approx(epoch.val_ce, abs=1e-5)
    assert card.tuning["lineage"][-1].startswith(best.id)


@pytest.mark.parametrize(
    "in_every_trial",
    [
        pytest.param(False, marks=pytest.mark.slow, id="on features"),
        pytest.param(True, id="backbone in every trial"),
    ],
)
def test_batched_heads_find_what_keras_finds_one_by_one(stripes, tmp_path, in_every_trial):
    settings = TINY | {"space": SPACE | {"l2_1": choice(1e-3)}}
    batched = study_of(stripes, tmp_path, name="batched", **settings).run()
    study = study_of(stripes, tmp_path, name="single", **settings)
    networks = study.networks()
    if in_every_trial:
        networks.cut = lambda backbone: None
    of_tuner = tuner_settings(study)
    study.folder.mkdir()

    Tuner(Network(of_tuner, networks), of_tuner).search()

    search_folder.write_json(study.folder / "study.json", networks.describe())
    assert_same(batched, read_search(study.folder), tolerance=1e-5)


def test_new_augmentations_in_every_epoch_leave_no_features_to_cache(stripes, tmp_path):
    study = study_of(stripes, tmp_path, augmentations=0, max_epochs=1)

    assert study.mode == Mode.FULL_NETWORK
    assert "no features can be cached" in study.mode_reason
    assert {t.status for t in study.run().trials} == {COMPLETED}
    assert not list(tmp_path.rglob("features/*/*.npz"))


def test_several_backbones_are_searched_together(stripes, tmp_path):
    study = study_of(
        stripes,
        tmp_path,
        backbones=("cnn", "alexnet"),
        image_size=64,
        augmentations=1,
        options=DataOptions(allow_leak=("all",)),
        **TINY,
    )

    search = study.run()
    study.export(tmp_path / "models")

    assert {t.values["backbone"] for t in search.trials} == {"cnn", "alexnet"}
    assert {t.status for t in search.trials} == {COMPLETED}
    best = search.ranked()[0].values["backbone"]
    assert weights_keras.read_card(tmp_path / "models" / "s.md").backbone == best


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 0}, "Invalid value for seed: 0. Expected at least 1"),
        ({"factor": 1}, "Invalid value for factor: 1. Expected at least 2"),
        ({"objective": "val_los"}, "There is no objective 'val_los'. Did you mean 'val_loss'?"),
        ({"name": "a/b"}, "Invalid value for the name of a search: 'a/b'"),
        ({"backbones": ("cnn", "cnn")}, "'backbone' has the same value twice"),
        ({"space": {"backbone": choice("cnn", "vgg16")}}, "List them once, as backbones"),
    ],
)
def test_an_invalid_study_is_rejected_at_once(tmp_path, changes, message):
    with pytest.raises(SettingError) as caught:
        study_of(tmp_path, tmp_path, **changes)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "offered"),
    [({"backbones": ("mobilenetv3",)}, "mobilenet_v2"), ({"task": "lung_opacty"}, "lung_opacity")],
)
def test_for_a_misspelt_name_the_nearest_is_offered(tmp_path, changes, offered):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{offered}'"):
        study_of(tmp_path, tmp_path, **changes)


def test_the_card_describes_the_search(own, tmp_path):
    card = own.export(tmp_path / "models")

    search = read_search(own.folder)
    best = search.ranked()[0]
    record = card.tuning
    assert record["objective"] == "val_loss"
    assert record["trials"] == 15
    assert record["val_loss"] == pytest.approx(best.score, abs=1e-6)
    assert [line.split()[0] for line in record["lineage"]] == [t.id for t in search.lineage(best)]
    assert record["space"]["units_1"] == "8, 16"
    assert record["configuration"]["learning_rate"] == best.values["learning_rate"]
    assert record["calibration"]["temperature"] > 0
    assert record["calibration"]["fitted_on"] == "validation"
    assert 0 < record["threshold"] < 1
    assert record["versions"]["keras-tuner"] == "1.4.8"
    assert search.winner["trial"] == best.id
    assert weights_keras.read_card(tmp_path / "models" / "s.md") == card


def test_the_model_loads_by_its_name_and_is_explained(own, stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path))
    own.export()

    classifier = load("s")
    sample = classifier.read(next(stripes.rglob("*.png")))
    attribution = explain(classifier, sample, "saliency").attribution

    assert classifier.classes == ("normal", "opacity")
    assert attribution.shape == (32, 32)
    assert np.abs(attribution).max() > 0


def test_float16_halves_the_file_and_changes_no_label(own, tmp_path):
    whole = own.export(tmp_path / "whole")
    half = own.export(tmp_path / "half", ExportSettings(float16=True))

    assert half.size < 0.6 * whole.size
    images = own.training_data().splits.test.images
    first, second = (
        features(weights_keras.load("s", tmp_path / name)[0], images) for name in ("whole", "half")
    )
    np.testing.assert_array_equal(first > 0, second > 0)


@pytest.mark.parametrize("mode", ["batched", pytest.param("cut", marks=pytest.mark.slow)])
def test_the_winner_is_trained_again_with_other_seeds(stripes, tmp_path, mode):
    space = SPACE | {"unfreeze": choice(0 if mode == "batched" else 1)}
    study = study_of(stripes, tmp_path, space=space, max_epochs=1)
    study.run()

    card = study.export(tmp_path / "models", ExportSettings(repeats=2))

    runs = card.tuning["repeats"]
    assert [run["seed"] for run in runs] == [2, 3]
    assert all(0 <= run["test_accuracy"] <= 1 for run in runs)
    assert runs[0]["val_ce"] != runs[1]["val_ce"]


def test_without_a_completed_trial_nothing_is_exported(stripes, tmp_path):
    study = study_of(stripes, tmp_path)

    with pytest.raises(InputError, match=r"is not a search folder: study.json is missing"):
        study.export(tmp_path / "models")

    search_folder.write_json(prepared(study) / "study.json", study.networks().describe())
    with pytest.raises(ModelError, match=r"has no completed trial yet. Run the search first"):
        study.export(tmp_path / "models")
    assert not (tmp_path / "models").exists()


def prepared(study):
    study.folder.mkdir(parents=True)
    return study.folder


def test_weights_that_are_not_those_of_the_search_are_not_exported(own, tmp_path):
    """As if the features on the disk came from another network."""
    networks = own.networks()
    rows = networks.rows("cnn", "average")
    networks.rows = lambda *_: tuple(replace(r, features=r.features + 1) for r in rows)

    with pytest.raises(ModelError, match="assembled model is not that of the search"):
        own.export(tmp_path / "models")

    assert not (tmp_path / "models" / "s.keras").exists()


def test_three_classes_are_searched_and_exported(tmp_path):
    data = draw_stripes(tmp_path / "data", ("normal", "opacity", "other"), 12)
    study = study_of(data, tmp_path, task="dog_breeds", max_epochs=1)

    search = study.run()
    card = study.export(tmp_path / "models")

    assert {t.status for t in search.trials} == {COMPLETED}
    assert card.classes == ("normal", "opacity", "other")
    assert card.tuning["threshold"] is None
    assert num_trials(study.brackets) == len(search.trials)
    assert (tmp_path / "models" / "s.keras").stat().st_size == card.size


def test_another_seed_is_named_without_the_files_that_it_moves(own):
    with pytest.raises(SettingError) as caught:
        replace(own, seed=own.seed + 1).run()

    assert "seed: was" in str(caught.value)
    assert ".png" not in str(caught.value)


def test_a_rejected_model_does_not_replace_the_existing_one(own, tmp_path, monkeypatch):
    own.export(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("s.*")}
    monkeypatch.setattr("tuning.export.FLOAT16_TOLERANCE", 0.0)

    with pytest.raises(ModelError, match="without --float16"):
        own.export(tmp_path, ExportSettings(float16=True))

    assert {path: path.read_bytes() for path in tmp_path.glob("s.*")} == before


def test_a_random_backbone_is_the_same_for_every_repeat(stripes, tmp_path):
    study = study_of(stripes, tmp_path, space=SPACE | {"unfreeze": choice(1)}, max_epochs=1)
    networks = study.networks()
    config = configuration(study.fixed | {n: p.values[0] for n, p in study.full_space.items()})
    cached = networks.features(config.backbone)[1]

    model, upper = networks.with_seed(5).build(config)

    whole = features(model, study.training_data().splits.validation.images)
    np.testing.assert_allclose(features(upper, cached), whole, atol=1e-5)


def test_with_all_layers_unfrozen_no_features_are_cached(stripes, tmp_path):
    study = study_of(stripes, tmp_path, space=SPACE | {"unfreeze": choice(6)}, max_epochs=1)

    assert study.plan().seconds[0] == 0


@pytest.mark.parametrize("name", ["..", "features", ""])
def test_a_search_cannot_have_a_reserved_name(stripes, tmp_path, name):
    with pytest.raises(SettingError, match="Invalid value for the name of a search"):
        study_of(stripes, tmp_path, name=name)


def test_the_findings_of_a_search_are_stored(tmp_path):
    study = study_of("data", tmp_path, options=DataOptions(findings=("Edema", "Mass")))

    stored = json.loads(json.dumps(study.to_dict(), default=str))

    assert type(study).from_dict(stored).options == study.options


# Several labels per file


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """A finished search on files of which each may be red, striped, both or neither."""
    study = study_of(
        draw_labels(tmp_path_factory.mktemp("data"), 48),
        tmp_path_factory.mktemp("searches"),
        task="medical_image",
        options=DataOptions(allow_leak=("all",)),
    )
    study.run()
    return study


def test_a_search_learns_several_labels_from_cached_features(labeled):
    data, search = labeled.training_data(), read_search(labeled.folder)

    assert data.num_logits == 2
    assert data.targets(data.train.labels).shape == (len(data.train), 2)
    assert search.settings["mode"] == Mode.BATCHED_HEADS
    assert search.multi_label
    assert search.settings["class_weights"] is False  # without effect on several labels
    assert {trial.status for trial in search.trials} == {COMPLETED}
    assert any((labeled.root / "features").rglob("*.npz"))


def test_the_loss_of_several_labels_is_their_binary_cross_entropy(labeled):
    search, validation = read_search(labeled.folder), labeled.training_data().splits.validation
    best = search.ranked()[0]

    logits = features(winning_model(labeled.networks(), best), validation.images)

    truth, epoch = validation.labels == 1, search.best_epoch(best)
    entropy = np.logaddexp(0, np.where(truth, -1, 1) * logits).mean()
    assert epoch.val_ce == pytest.approx(entropy, abs=1e-5)
    assert epoch.val_accuracy == pytest.approx(((logits > 0) == truth).mean(), abs=1e-6)


def test_a_search_for_several_labels_is_resumed_where_it_was_stopped(labeled, tmp_path):
    def stop(done, total, text):
        if "done" in text and done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(labeled, root=tmp_path).run(stop)

    search = replace(labeled, root=tmp_path).run()

    assert_same(search, read_search(labeled.folder))


@pytest.fixture(scope="module")
def exported(labeled, tmp_path_factory):
    """The file of the winner for several labels, its card and its report."""
    out = tmp_path_factory.mktemp("models")
    again = {"again": labeled.training_data().splits.test}
    card = labeled.export(out, ExportSettings(repeats=1), also_test=again)
    return out / f"{card.name}.keras", card, labeled.report().read_text()


def test_a_model_of_several_labels_is_exported_with_its_card(labeled, exported):
    path, card, _ = exported

    classifier = load(path)

    test, arrays = labeled.training_data().splits.test, read_search(labeled.folder).arrays()
    assert classifier.head.multi_label
    assert classifier.classes == card.classes == test.classes == ("red", "striped")
    assert classifier.warnings == ()
    assert card.thresholds == {"red": 0.5, "striped": 0.5}
    assert {m.name for m in card.metrics if m.split == "test"} >= {"exact match", "mean F1"}
    assert {m.split for m in card.metrics} == {"validation", "test", "again"}
    assert "share of right labels" in card.text
    assert card.tuning["threshold"] is None
    assert 0 <= card.tuning["calibration"]["ece_after"] <= 1
    np.testing.assert_array_equal(arrays["test_labels"], test.file_labels)
    first = classifier.predict([test.sample(0)])[0]
    np.testing.assert_allclose(first.probabilities, arrays["test_probabilities"][0], atol=1e-5)


def test_the_report_shows_each_of_several_labels(exported):
    page = exported[2]

    assert "Labels on the test files, with 95% intervals" in page
    assert "Found of those that have each label" in page
    assert "mean F1" in page
    assert "changes in steps of" not in page


def test_platt_scaling_of_several_labels_is_refused():
    with pytest.raises(SettingError, match="there are 2 labels"):
        ExportSettings(calibration="platt").check_classes(("red", "striped"), multi_label=True)


@pytest.mark.parametrize("unfreeze", [3, -1])
def test_several_labels_are_learned_by_networks_that_keras_trains(labeled, tmp_path, unfreeze):
    study = replace(labeled, root=tmp_path, space=SPACE | {"unfreeze": choice(unfreeze)}, **LEAST)

    search = study.run()

    assert search.settings["mode"] != Mode.BATCHED_HEADS
    assert study.plan().seconds[1] > 0
    assert {trial.status for trial in search.trials} == {COMPLETED}
    winning_model(study.networks(), search.ranked()[0])


def test_a_label_that_no_file_has_is_refused(tmp_path):
    table = draw_labels(tmp_path / "data", 24)
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},blue", *(f"{line},0" for line in lines)]))
    options = DataOptions(findings=("red", "striped", "blue"), allow_leak=("all",))

    with pytest.raises(InputError, match="blue"):
        study_of(table, tmp_path, task="medical_image", options=options).training_data()
