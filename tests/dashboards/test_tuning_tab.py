"""The Tuning page: a search followed while it runs, in folders that KerasTuner's oracle made."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from dashboards.server.settings import ServeSettings
from dashboards.service.drawing import draw_search
from dashboards.service.requests import DrawSearch
from dashboards.service.searches import find_searches, folder_status
from dashboards.service.service import Service
from dashboards.state.search_facts import (
    command,
    failures,
    rounds,
    search_progress,
    stage,
    trial_rows,
    winner_facts,
)
from dashboards.state.tuning import TuningRuns
from dashboards.views import tuning_text
from dashboards.views.tuning import _columns, _short_names
from tests.browser import axe_faults, chromium, complaints, served
from tests.conftest import TEST_DATA
from tests.made_search import EVIL, curve_at, export_winner, make_search
from tests.waiting import until
from tuning.reporting.leaderboard import leader
from tuning.trials import read_search

pytestmark = pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning")
FIRST_EDITION = TEST_DATA / "first_edition" / "search" / "first"


class NoWork:
    """A visitor who has no service: these tests ask for no figures."""

    def cancel(self, slot):
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two searches: "done" has a winner, "going" was stopped in trial 17; both have failures."""
    root = tmp_path_factory.mktemp("searches")
    done = make_search(root / "done", fail={1, 17})
    export_winner(done, read_search(done).ranked()[0].id)
    make_search(root / "going", stop=17, fail={5})
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made, tmp_path / "searches")


def looking_at(folder):
    runs = TuningRuns(NoWork(), [folder])
    runs.read_now()
    return runs


def refreshed(runs):
    asyncio.run(runs.refresh())
    return runs


def add_epoch(folder, epoch):
    search = read_search(folder)
    row = {"trial": search.trials[-1].id, **curve_at(search.trials[-1].values, epoch)}
    with (folder / "curves.jsonl").open("a") as curves:
        curves.write(json.dumps(row) + "\n")


def test_searches_are_found_in_the_folders_allowed_and_nowhere_else(root):
    (root / "features").mkdir()

    runs = looking_at(root)
    asyncio.run(runs.choose(root.parent))

    assert {folder.name for folder in runs.searches} == {"done", "going"}
    assert find_searches([root / "done", root / "absent"]) == (root / "done",)
    assert runs.folder in runs.searches


def test_a_new_search_is_seen_and_the_one_begun_last_comes_first(root):
    runs = looking_at(root)
    chosen = runs.folder

    shutil.copytree(root / "done", root / "newest")
    (root / "newest" / "study.json").touch()
    refreshed(runs)

    assert runs.searches[0].name == "newest"
    assert runs.folder == chosen


def test_a_running_search_is_distinguished_from_a_stopped_one(root):
    runs = looking_at(root / "going")
    stopped = stage(runs.search, runs.live)

    with FileLock(root / "going" / "lock"):
        refreshed(runs)
        assert (runs.live, stage(runs.search, runs.live)) == (True, "running")
    refreshed(runs)

    assert stopped == "stopped"
    assert not runs.live


def test_checking_the_lock_never_takes_it(root):
    with FileLock(root / "going" / "lock"):
        folder_status(root / "going")
    folder_status(root / "going")

    FileLock(root / "going" / "lock").acquire(timeout=0).lock.release()


def test_new_epochs_are_followed_and_the_chosen_trial_stays(root):
    runs = looking_at(root / "going")
    runs.chosen = "0003"
    before = search_progress(runs.search).epochs

    add_epoch(root / "going", 2)
    refreshed(runs)

    assert search_progress(runs.search).epochs == before + 1
    assert len(runs.search.trials[-1].curve) == 2
    assert runs.trial.id == "0003"


def test_an_unchanged_search_is_not_read_again(root):
    runs = looking_at(root / "going")
    search, events = runs.search, []
    runs.param.watch(events.append, list(runs.param))

    refreshed(runs)

    assert runs.search is search
    assert events == []


@pytest.mark.parametrize("name", ["study.json", "oracle.json", "trial_0003/trial.json"])
def test_a_file_that_is_being_written_leaves_the_page_as_it_was(root, name):
    runs = looking_at(root / "going")
    search, path = runs.search, root / "going" / name
    whole = path.read_text()

    path.write_text(whole[: len(whole) // 2])
    refreshed(runs)
    written = (runs.search, runs.problem)
    refreshed(runs)
    damaged = (runs.search, runs.problem)
    path.write_text(whole)
    refreshed(runs)

    assert written == (search, "")
    assert damaged[0] is search
    assert name.rpartition("/")[2] in damaged[1]
    assert "damaged" in damaged[1]
    assert str(root) not in damaged[1]
    assert runs.problem == ""


@pytest.mark.parametrize("content", ["{}", '{"start_order": 3}', "[1]", '{"asked": {}}', "\xff"])
@pytest.mark.parametrize("name", ["study.json", "oracle.json", "winner.json", "curves.jsonl"])
def test_no_content_of_a_file_breaks_the_page(root, name, content):
    (root / "done" / name).write_bytes(content.encode("latin-1"))

    runs = looking_at(root / "done")
    refreshed(runs)

    assert runs.search is not None or "Cannot read" in runs.problem


def test_a_deleted_folder_is_reported(root):
    runs = looking_at(root / "going")

    shutil.rmtree(root / "going")
    refreshed(runs)

    assert "going no longer exists" in runs.problem
    assert runs.searches == ()
    assert runs.search is not None


def test_the_leading_trial_is_shown_until_one_is_chosen(root):
    runs = looking_at(root / "done")

    leading = runs.trial.id
    runs.chosen = "0001"

    assert leading == runs.search.winner["trial"]
    assert runs.trial.reason == f"ValueError: out of memory in {EVIL}"
    assert runs.model == "chest-1-winner"


def test_progress_failures_and_rounds_are_counted(root):
    search = read_search(root / "going")

    progress, table = search_progress(search), rounds(search)

    assert (progress.done, progress.failed, progress.running, progress.planned) == (16, 1, 1, 30)
    assert progress.seconds_left == pytest.approx(0.5 * (progress.planned_epochs - progress.epochs))
    assert sum(row["planned"] for row in table) == 30
    assert sum(row["done"] for row in table) == 16
    assert failures(search) == [("0005", f"ValueError: out of memory in {EVIL}")]


def test_the_best_trial_comes_first_and_those_without_a_score_last(root):
    search = read_search(root / "going")

    rows = trial_rows(search)

    scores = [row["score"] for row in rows]
    assert rows[0]["trial"] == leader(search).id
    assert scores[:16] == sorted(scores[:16])
    assert [row["status"] for row in rows[16:]] == ["running", "failed"]
    assert list(rows[0])[:4] == ["trial", "score", "val_ce", "val_accuracy"]


def test_only_a_search_that_can_go_on_has_a_bar(root):
    done, going = (read_search(root / name) for name in ("done", "going"))

    assert "<progress" not in tuning_text.summary(done, False, 0.0)
    assert 'max="120" value="40"' in tuning_text.summary(going, False, 0.0)


def test_a_search_of_several_labels_says_what_is_right_of_each(root):
    folder, rng = root / "done", np.random.default_rng(0)
    study = json.loads((folder / "study.json").read_text())
    study |= {"multi_label": True, "classes": ["red", "striped"]}
    (folder / "study.json").write_text(json.dumps(study))
    truth = rng.integers(0, 2, (60, 2))
    found = np.column_stack([truth[:, 0], 1 - truth[:, 1]]).astype(float)
    np.savez(folder / "winner.npz", test_probabilities=found, test_labels=truth)

    runs = looking_at(folder)

    labels, summary = dict(runs.labels), tuning_text.summary(runs.search, False, 0.0)
    assert "recall 1.000 [" in labels["red"]
    assert "recall 0.000 [" in labels["striped"]
    assert "A file may have several labels or none: red, striped." in summary
    assert "val_loss (mean over the labels, including the L1 and L2 penalties)" in summary
    assert "Each label on the test files" in tuning_text.winner(runs.search, runs.labels)
    columns = {c["name"]: c["label"] for c in _columns(runs.search, trial_rows(runs.search))}
    assert columns["val_accuracy"] == "right labels"


def test_the_winner_has_intervals_and_calibration(root):
    facts = dict(winner_facts(read_search(root / "done")))

    assert facts["accuracy, test"] == "91.7% (81.9% to 96.4%), 60 files"
    assert facts["calibration error, test"] == "0.061; after temperature scaling 0.034"
    assert facts["cross-entropy, test"] == "0.210, 60 files"


def test_the_command_has_the_settings_of_the_search(root):
    typed = command(read_search(root / "going"))

    assert typed.startswith("xai-tf tune DATA --task chest_xray --name going")
    assert "--seed 7" in typed
    assert "--augmentations 2" in typed
    assert "--objective" not in typed
    assert typed.endswith(f"--root {root.name}")


def test_the_path_of_searches_on_the_server_is_not_shown(root, tmp_path):
    told = tuning_text.how_to_resume(read_search(root / "going"))
    told += tuning_text.how_to_start(looking_at(tmp_path / "none"))

    assert f"{root.name}/going" in told
    assert "--root none" in told
    assert str(tmp_path) not in told


def test_searches_in_the_data_folder_are_found_and_named_without_a_place(
    made, tmp_path, monkeypatch
):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path))
    (own,) = ServeSettings.from_environment().searches
    assert "--root" not in tuning_text.how_to_start(looking_at(own))
    shutil.copytree(made, own)

    assert set(looking_at(own).searches) == {own / name for name in ("done", "going")}
    told = tuning_text.how_to_resume(read_search(own / "going"))
    assert "tune-report going" in told
    assert "--root" not in told
    assert "Paths are relative" not in told
    assert str(tmp_path) not in told


def test_searches_of_one_name_have_the_shortest_unique_names():
    one, two = Path("/srv/one/dogs"), Path("/srv/two/dogs")

    assert list(_short_names([one, two, Path("/srv/one/cats")])) == ["one/dogs", "two/dogs", "cats"]


def test_figures_are_drawn_and_those_of_the_winner_where_there_is_one(made):
    done, going = (draw_search(DrawSearch(made / name, "")) for name in ("done", "going"))

    assert set(done) - set(going) == {"confusion_matrix", "roc", "reliability"}
    assert all(picture.startswith(b"\x89PNG") for picture in (*done.values(), *going.values()))


def test_the_page_follows_searches_without_tensorflow():
    code = "import sys, dashboards.views.tuning; sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def page_of(folder, visitor=None):
    import panel_material_ui as pmui

    from dashboards.views.theme import THEMES
    from dashboards.views.tuning import TuningView

    runs = TuningRuns(visitor or NoWork(), [folder])
    return pmui.Page(title="Tuning", main=[TuningView(runs=runs)], theme_config=THEMES)


def test_a_visitor_follows_a_search_chooses_a_trial_and_reads_why_it_failed(root):
    with served(lambda: page_of(root / "going")) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        with complaints(page) as found:
            page.goto(url)
            page.get_by_role("heading", name="chest-1").wait_for()
            page.get_by_text("40 of 120 epochs").wait_for()
            page.evaluate("document.title = 'not loaded again'")

            add_epoch(root / "going", 2)
            page.get_by_text("41 of 120 epochs").wait_for()
            page.get_by_role("button", name="val_ce").focus()
            page.keyboard.press("Enter")
            page.get_by_role("rowheader", name="0005").get_by_role("button").press("Enter")
            page.get_by_role("heading", name="Trial 0005").wait_for()

        assert page.title() == "not loaded again"
        assert page.get_by_role("columnheader", name="val_ce").get_attribute("aria-sort")
        assert page.get_by_text(f"Failed: ValueError: out of memory in {EVIL}").is_visible()
        assert [fault for fault in axe_faults(page) if "LinearProgress" not in fault] == []
        assert found == []


def test_without_a_search_the_page_says_how_to_start_one(tmp_path):
    with served(lambda: page_of(tmp_path)) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 700})
        page.goto(url)

        page.get_by_text(f"--root {tmp_path.name}").wait_for()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360


@pytest.mark.slow
def test_another_search_can_be_chosen(root):
    with served(lambda: page_of(root)) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        with complaints(page) as found:
            page.goto(url)
            for name, told in (("done", "Best model: chest-1-winner"), ("going", "Stopped")):
                page.get_by_role("combobox", name="Search").select_option(name)
                page.get_by_text(told).first.wait_for()

        assert found == []


@pytest.mark.slow
def test_a_real_search_is_followed_to_its_end(stripes, tmp_path):
    words = (
        f"tune {stripes} --task lung_opacity --name quick --backbone cnn --image-size 32 "
        "--set dense_layers=1 --set units_1=8,16 --max-epochs 4 --factor 2 --augmentations 1 "
        f"--root {tmp_path} --out {tmp_path / 'models'}"
    )
    stages, epochs = [], []
    typed = [sys.executable, "-c", "from xai_tf.cli import main; main()", *words.split()]
    with subprocess.Popen(typed) as process:
        runs = looking_at(tmp_path)
        while process.poll() is None:
            time.sleep(0.1)
            refreshed(runs)
            if runs.search is not None:
                stages.append(stage(runs.search, runs.live))
                epochs.append(search_progress(runs.search).epochs)
            assert runs.problem == ""
    refreshed(runs)

    assert process.returncode == 0
    assert stages[0] == "running"
    assert stage(runs.search, runs.live) == "exported"
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 3
    assert runs.model == "quick"


@pytest.mark.slow
def test_a_worker_draws_the_figures_when_they_are_wanted(root, tmp_path):
    async def drawn():
        service = Service({}, tmp_path / "service", workers=1)
        try:
            runs = TuningRuns(service.visitor(), [root / "done"])
            runs.read_now()
            runs.wants_figures = True
            await until(
                lambda: runs.figures or (runs.drawing and not runs.drawing.startswith("Drawing"))
            )
            return runs.figures
        finally:
            service.close()

    assert {"importance", "roc"} <= set(asyncio.run(drawn()))


def test_a_search_of_the_first_edition_is_shown(tmp_path):
    shutil.copytree(FIRST_EDITION, tmp_path / "first")

    runs = looking_at(tmp_path)

    assert runs.problem == ""
    assert (runs.trial.id, runs.model) == ("0004", "first")
    assert stage(runs.search, runs.live) == "exported"
    assert "--augmentations 2" in command(runs.search)
    assert "accuracy, test" in tuning_text.winner(runs.search)
