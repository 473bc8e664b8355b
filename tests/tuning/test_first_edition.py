"""A search folder that the first edition of the package wrote: read, reported, resumed, exported.

`tests/data/first_edition/search/first` holds five trials on the pictures of the fixture `stripes`.
Of its weights only those of the winner are there, which the export needs.
"""

import json
import shutil
from pathlib import Path

import pytest

import weights_keras
from tests.conftest import TEST_DATA
from tuning.reporting.page import write_report
from tuning.settings import Mode
from tuning.space import choice
from tuning.study import Study
from tuning.trials import COMPLETED, read_search
from tuning.worker import read_study

FIRST_EDITION = TEST_DATA / "first_edition" / "search" / "first"
WINNER = "0004"


@pytest.fixture
def folder(tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(FIRST_EDITION, tmp_path / "searches" / "first")


def same_study(stripes, folder):
    """The study as it was given to the first edition."""
    return Study(
        data=stripes,
        task="lung_opacity",
        name=folder.name,
        backbones=("cnn",),
        space={
            "unfreeze": choice(0),
            "dense_layers": choice(1),
            "units_1": choice(8, 16),
            "learning_rate": choice(1e-2, 1e-3),
            "dropout": choice(0.0, 0.2),
            "l1_1": choice(1e-3, 1e-4),
        },
        max_epochs=2,
        factor=2,
        image_size=32,
        augmentations=2,
        batch_size=8,
        root=folder.parent,
    )


def test_it_is_read():
    search = read_search(FIRST_EDITION)

    assert [trial.status for trial in search.trials] == [COMPLETED] * 5
    assert search.settings["mode"] == Mode.BATCHED_HEADS
    assert search.ranked()[0].id == search.winner["trial"] == WINNER
    assert [trial.id for trial in search.lineage(search.by_id[WINNER])] == ["0000", WINNER]
    assert len(search.arrays()["test_labels"]) == 8


def test_its_report_is_written(tmp_path):
    page = write_report(FIRST_EDITION, tmp_path).read_text()

    assert f"trial {WINNER}" in page
    assert "batched heads" in page
    assert "waves" not in page
    assert page.count("<img") == 7
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 6


def test_its_workers_read_the_study(folder):
    study = read_study(folder)

    assert study.data == Path("/data/stripes")
    assert study.space["units_1"] == choice(8, 16)
    assert study.augmentations == 2
    assert study.folder == folder.absolute()


def test_run_again_it_trains_nothing(stripes, folder):
    search = same_study(stripes, folder).run()

    assert (folder / "curves.jsonl").read_text() == (FIRST_EDITION / "curves.jsonl").read_text()
    assert search.trials == read_search(FIRST_EDITION).trials


def test_interrupted_in_its_last_trial_it_comes_to_the_same_end(stripes, folder):
    interrupt(folder, WINNER)

    search = same_study(stripes, folder).run()

    last, before = search.by_id[WINNER], read_search(FIRST_EDITION).by_id[WINNER]
    assert last.status == COMPLETED
    assert last.score == pytest.approx(before.score, abs=1e-5)
    assert last.curve[-1].val_ce == pytest.approx(before.curve[-1].val_ce, abs=1e-5)


def interrupt(folder, trial_id):
    """Make a finished trial one that a kill interrupted."""
    path = folder / f"trial_{trial_id}" / "trial.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"status": "RUNNING", "score": None}))
    oracle = json.loads((folder / "oracle.json").read_text())
    oracle["ongoing_trials"] = {"lane0": trial_id}
    oracle["end_order"].remove(trial_id)
    (folder / "oracle.json").write_text(json.dumps(oracle))


def test_its_winner_is_exported(stripes, folder, tmp_path):
    before = read_search(FIRST_EDITION).winner

    card = same_study(stripes, folder).export(tmp_path / "models")

    assert weights_keras.read_card(tmp_path / "models" / "first.md") == card
    after = read_search(folder).winner
    assert after["trial"] == before["trial"]
    assert [m["value"] for m in after["metrics"]] == [m["value"] for m in before["metrics"]]
    assert after["calibration"]["fitted_on"] == "validation"
