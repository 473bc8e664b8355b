"""The report of a search: of one driven by KerasTuner's oracle, with curves from arithmetic."""

import csv
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.made_search import EVIL, SPACE, export_winner, make_search
from tuning.reporting.leaderboard import leaderboard_rows
from tuning.reporting.page import write_report
from tuning.trials import read_search
from xai_tf.errors import InputError, OutputError

pytestmark = pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Exported; of the 30 trials of (10, 3) two failed, so that two could not be continued."""
    folder = make_search(tmp_path_factory.mktemp("searches") / "finished", fail={1, 17})
    export_winner(folder, read_search(folder).ranked()[0].id)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Stopped in the middle of trial 17; val_loss and val_ce have different favorites."""
    folder = make_search(tmp_path_factory.mktemp("searches") / "running", stop=17, fail={5})
    write_report(folder)
    return folder


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def change_study(folder, **changes):
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(study | changes))


def test_report_names_the_winner_and_its_test_figures_with_intervals(finished):
    page, winner = page_of(finished), read_search(finished).winner

    assert f"trial {winner['trial']}" in page
    assert "91.7%" in page
    assert "81.9% to 96.4%" in page
    assert '<h2 id="winner-title">Winner</h2>' in page


def test_report_loads_nothing_and_is_small(finished):
    page = page_of(finished)
    targets = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)""", page)

    assert {t for t in targets if not t.startswith(("data:image/", "#"))} == {"trials.csv"}
    assert not re.search(r"@import|url\(|<link|<iframe|fetch\(", page)
    assert len(page) < 3e6


def test_every_picture_has_an_alternative_text(finished):
    pictures = re.findall(r"<img[^>]*>", page_of(finished))

    assert len(pictures) == 8
    assert all(len(re.search(r'alt="([^"]*)"', picture)[1]) > 30 for picture in pictures)


def test_names_of_classes_and_errors_are_escaped(tmp_path):
    folder = make_search(tmp_path / "evil", stop=6, fail={2})
    change_study(folder, classes=[EVIL, "opacity"], name=EVIL)
    export_winner(folder, "0000")

    page = write_report(folder).read_text()

    assert EVIL not in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_running_search_has_a_page_without_a_winner(running):
    page = page_of(running)

    assert "The search is not finished" in page
    assert "Leading so far" in page
    assert "16 of 30 planned trials are done, 1 failed and 1 are running" in page
    assert "On the test files" not in page


def test_search_without_a_finished_trial_has_a_page(tmp_path):
    page = write_report(make_search(tmp_path / "young", stop=0)).read_text()

    assert "no trial has finished" in page
    assert "nothing to rank" in page


def test_search_without_curves_has_a_page(tmp_path):
    folder = make_search(tmp_path / "lost", stop=6)
    (folder / "curves.jsonl").unlink()

    assert (
        "6 finished configurations have no readable learning curve"
        in write_report(folder).read_text()
    )


def test_search_whose_trials_all_failed_has_a_page_with_reasons(tmp_path):
    page = write_report(make_search(tmp_path / "bad", stop=3, fail={0, 1, 2})).read_text()

    assert page.count("ValueError: out of memory") == 3


def test_failed_trials_are_listed_with_their_reasons(finished):
    failures = page_of(finished).split('<section id="failures"')[1].split("</section>")[0]

    assert "2 of 27 trials failed" in failures
    assert failures.count("ValueError: out of memory") == 2
    assert "<td>0001</td>" in failures
    assert "<td>0017</td>" in failures


def test_table_has_one_row_per_trial(finished):
    search = read_search(finished)
    with (finished / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["id"] for row in rows] == [trial.id for trial in search.trials]
    assert {*SPACE, "status", "parent", "val_ce", "penalty", "reason"} <= set(rows[0])
    assert rows[1]["status"] == "FAILED"
    assert rows[1]["reason"].startswith("ValueError")
    assert float(rows[0]["penalty"]) == pytest.approx(
        float(rows[0]["val_loss"]) - float(rows[0]["val_ce"])
    )


def test_table_holds_no_formulas(tmp_path):
    folder = make_search(tmp_path / "formula", stop=3, fail={1})
    (folder / "trial_0001" / "failure.txt").write_text("=HYPERLINK(1)")

    write_report(folder, tmp_path / "out")

    assert ",'=HYPERLINK(1)" in (tmp_path / "out" / "trials.csv").read_text()


def test_both_rankings_are_shown_with_a_warning_where_they_disagree(running):
    rows, page = leaderboard_rows(read_search(running)), page_of(running)

    assert rows[0].loss_rank == 1
    assert rows[0].ce_rank > 1
    assert ">rank by val_loss</button>" in page
    assert ">rank by val_ce</button>" in page
    assert "The two rankings disagree: val_loss ranks trial" in page


def test_importance_of_few_configurations_is_a_sentence(tmp_path):
    folder = make_search(tmp_path / "few", stop=5)

    assert "cannot be estimated from 5 finished" in write_report(folder).read_text()


def test_an_incomplete_last_line_is_ignored(running, tmp_path):
    shutil.copytree(running, tmp_path / "cut")
    with (tmp_path / "cut" / "curves.jsonl").open("a") as file:
        file.write('{"trial": "0017", "epoch": 2, "lo')

    assert read_search(tmp_path / "cut").trials == read_search(running).trials
    assert write_report(tmp_path / "cut").read_text() != ""


def test_space_with_ranges_is_not_counted(tmp_path):
    folder = make_search(tmp_path / "ranges", stop=2)
    change_study(folder, possible=None)

    assert "their number is infinite" in write_report(folder).read_text()


def test_a_folder_without_a_search_is_an_error(tmp_path):
    with pytest.raises(InputError, match="is not a search folder"):
        write_report(tmp_path)


def test_an_unwritable_folder_is_an_error(running, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="Cannot write to"):
        write_report(running, tmp_path / "file" / "below")


def test_figures_load_no_tensorflow():
    heavy = "{'tensorflow', 'matplotlib.pyplot'}"
    code = f"import sys, tuning.reporting; assert not {heavy} & {{*sys.modules}}"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_counted_and_the_step_of_accuracy_is_named(running):
    page = page_of(running)

    assert "validation: 60" in page
    assert "7.png" not in page
    assert "steps of 1/60 = 1.67%" in page
