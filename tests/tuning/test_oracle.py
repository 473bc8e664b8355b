"""Hyperband: the trials of KerasTuner where nothing fails, and no lost trial where it does."""

import json
import shutil

import keras_tuner as kt
import pytest

from tuning import search_folder
from tuning.oracle import MAX_FAILURES, HyperbandOracle
from tuning.schedule import num_configurations, num_epochs, num_trials, schedule

SCHEDULES = [(10, 3), (5, 3), (20, 3), (27, 3), (30, 3), (81, 3), (10, 2), (10, 4), (4, 2)]
# What NumPy says of a metric that is no number; our tuners fail such a trial before it is settings.
NO_NUMBER = pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning")


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch):
    """A killed process leaves what it wrote to the system, which is all that is tried here."""
    monkeypatch.setattr(search_folder.os, "fsync", lambda file: None)


class Searching:
    """An oracle in a folder, with scores from arithmetic.

    Attributes:
        runs: the id of every trial that was trained, each time it was.
    """

    def __init__(self, folder, kind=HyperbandOracle, points=(6, 6, 6), **changes):
        space = kt.HyperParameters()
        for name, count in zip("abc", points, strict=False):
            space.Choice(name, list(range(count)))
        self.oracle = kind(
            **{
                "objective": kt.Objective("val_loss", "min"),
                "max_epochs": 10,
                "factor": 3,
                "seed": 5,
                "hyperparameters": space,
            }
            | changes
        )
        self.oracle.verbose = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.oracle._set_project_dir(str(folder.parent), folder.name)
        if (folder / "oracle.json").is_file():
            self.oracle.reload()
        self.runs = []

    def begin(self, lane=0):
        return self.oracle.create_trial(f"lane{lane}")

    def end(self, trial, score=None):
        """Complete a trial with its score, or fail it (score "failed")."""
        self.runs.append(trial.trial_id)
        if score != "failed":
            known = score_of(trial) if score is None else score
            self.oracle.update_trial(trial.trial_id, {self.oracle.objective.name: known})
        trial.status = "FAILED" if score == "failed" else "COMPLETED"
        self.oracle.end_trial(trial)

    def one_by_one(self, judge=lambda trial: None):
        while (trial := self.begin()).status == "RUNNING":
            self.end(trial, judge(trial))
        return self

    def in_batches(self):
        while True:
            batch = []
            while (trial := self.begin(len(batch))).status == "RUNNING":
                batch.append(trial)
            if not batch:
                return self
            for trial in batch:
                self.end(trial)

    @property
    def trials(self):
        return list(self.oracle.trials.values())

    def rounds(self, bracket=2):
        """How many trials each round of a bracket had."""
        places = [t.hyperparameters.values for t in self.trials]
        found = [p["tuner/round"] for p in places if p["tuner/bracket"] == bracket]
        return [found.count(number) for number in sorted(set(found))]

    def seen(self):
        """Configuration, round, epochs and score of every trial; its bracket is left out."""
        places = []
        for trial in self.trials:
            values = dict(trial.hyperparameters.values)
            del values["tuner/bracket"]
            parent = values.pop("tuner/trial_id", None)
            values["parent"] = parent and point_of(self.oracle.trials[parent])
            places.append((json.dumps(values, sort_keys=True), trial.status, str(trial.score)))
        return sorted(places)


def point_of(trial):
    return {n: v for n, v in trial.hyperparameters.values.items() if "tuner" not in n}


def score_of(trial):
    """Falls with the epochs; no two configurations have the same."""
    values = trial.hyperparameters.values
    point = sum(
        values[name] * weight
        for name, weight in zip("abc", (49, 7, 1), strict=True)
        if name in values
    )
    return ((point * 37 + 11) % 343 + 1) / (1 + values["tuner/epochs"])


@pytest.mark.parametrize(("max_epochs", "factor"), SCHEDULES)
def test_the_schedule_is_that_of_keras_tuner(max_epochs, factor):
    theirs = kt.oracles.HyperbandOracle(
        objective="val_loss", max_epochs=max_epochs, factor=factor, seed=1
    )

    brackets = schedule(max_epochs, factor)

    assert [b.bracket for b in brackets] == [*reversed(range(theirs._get_num_brackets()))]
    for bracket in brackets:
        assert len(bracket.rounds) == theirs._get_num_rounds(bracket.bracket)
        for number, found in enumerate(bracket.rounds):
            assert found.trials == theirs._get_size(bracket.bracket, number)
            assert found.last_epoch == theirs._get_epochs(bracket.bracket, number)
            before = theirs._get_epochs(bracket.bracket, number - 1) if number else 0
            assert found.first_epoch == before


@pytest.mark.parametrize(
    ("max_epochs", "factor", "trials", "epochs"),
    [(10, 3, 30, 120), (5, 3, 10, 31), (20, 3, 30, 226), (30, 3, 90, 576), (10, 2, 46, 170)],
)
def test_the_schedule_counts_trials_and_epochs(max_epochs, factor, trials, epochs):
    brackets = schedule(max_epochs, factor)

    assert (num_trials(brackets), num_epochs(brackets)) == (trials, epochs)


def test_iterations_repeat_the_schedule():
    assert schedule(10, 3, iterations=2) == schedule(10, 3) * 2
    assert num_configurations(schedule(10, 3)) == 22


@pytest.mark.parametrize(("max_epochs", "factor"), [(10, 3), (4, 2), (10, 4), (9, 2)])
def test_without_failures_the_trials_are_those_of_keras_tuner(tmp_path, max_epochs, factor):
    settings = {"max_epochs": max_epochs, "factor": factor}
    theirs = Searching(tmp_path / "theirs", kt.oracles.HyperbandOracle, **settings).one_by_one()

    ours = Searching(tmp_path / "ours", **settings).one_by_one()

    assert ours.seen() == theirs.seen()
    assert len(ours.trials) == num_trials(schedule(max_epochs, factor))


def test_every_trial_says_its_own_bracket(tmp_path):
    search = Searching(tmp_path / "s").in_batches()

    for bracket in schedule(10, 3):
        assert search.rounds(bracket.bracket) == [r.trials for r in bracket.rounds]


def test_iterations_are_run_to_the_end(tmp_path):
    search = Searching(tmp_path / "s", max_epochs=4, factor=2, hyperband_iterations=2).one_by_one()

    assert len(search.trials) == num_trials(schedule(4, 2, iterations=2))


@pytest.mark.parametrize("points", [(6, 6, 6), (3, 3), (3, 4)])
def test_trials_run_in_batches_are_those_run_one_by_one(tmp_path, points):
    single = Searching(tmp_path / "single", points=points).one_by_one()

    batched = Searching(tmp_path / "batched", points=points).in_batches()

    assert batched.seen() == single.seen()


@pytest.mark.parametrize("failures", [1, 3, 5])
def test_failures_cost_no_promotion(tmp_path, failures):
    """Every other of the first trials, for five in a row would end the search."""

    def judge(trial):
        number = int(trial.trial_id)
        return "failed" if number % 2 == 0 and number < 2 * failures else None

    search = Searching(tmp_path / "s").one_by_one(judge)

    assert search.rounds() == [12, 4, 2]
    assert [t.status for t in search.trials].count("FAILED") == failures


def test_where_all_but_one_fail_that_one_is_promoted(tmp_path):
    def judge(trial):
        values = trial.hyperparameters.values
        first = (values["tuner/bracket"], values["tuner/round"]) == (2, 0)
        return "failed" if first and trial.trial_id not in ("0004", "0009") else None

    search = Searching(tmp_path / "s").one_by_one(judge)

    assert search.rounds() == [12, 2, 2]


def test_a_space_of_9_points_is_halved_all_the_same(tmp_path):
    search = Searching(tmp_path / "s", points=(3, 3)).one_by_one()

    assert search.rounds() == [9, 4, 2]
    assert len(search.trials) == 15


def test_a_space_of_as_many_points_as_the_first_round_has_is_halved(tmp_path):
    search = Searching(tmp_path / "s", points=(3, 4)).one_by_one()

    assert search.rounds() == [12, 4, 2]


def test_the_highest_is_promoted_where_higher_is_better(tmp_path):
    objective = kt.Objective("val_accuracy", "max")

    search = Searching(tmp_path / "s", objective=objective).one_by_one()

    first, second = ([t for t in search.trials if place(t)[:2] == (2, number)] for number in (0, 1))
    promoted = {t.hyperparameters.values["tuner/trial_id"] for t in second}
    best = sorted(first, key=lambda t: t.score, reverse=True)[:4]
    assert promoted == {t.trial_id for t in best}


def place(trial):
    values = trial.hyperparameters.values
    return values["tuner/bracket"], values["tuner/round"]


@NO_NUMBER
def test_a_trial_with_one_nan_is_tried_again(tmp_path):
    search = Searching(tmp_path / "s")

    search.one_by_one(lambda t: float("nan") if not search.runs else None)

    assert search.runs[:2] == ["0000", "0000"]
    assert search.oracle.trials["0000"].status == "COMPLETED"
    assert search.oracle.trials["0000"].score == score_of(search.oracle.trials["0000"])


@NO_NUMBER
def test_a_trial_with_two_nans_has_failed(tmp_path):
    search = Searching(tmp_path / "s")

    search.one_by_one(lambda t: float("nan") if t.trial_id == "0003" else None)

    assert search.runs.count("0003") == 2
    assert search.oracle.trials["0003"].status == "FAILED"
    assert search.rounds() == [12, 4, 2]


def test_after_too_many_failures_in_a_row_no_trial_is_given(tmp_path):
    search = Searching(tmp_path / "s").one_by_one(lambda trial: "failed")

    assert len(search.trials) == MAX_FAILURES
    assert search.oracle.gave_up
    assert search.begin().status == "STOPPED"


def test_restarted_after_too_many_failures_the_search_resumes(tmp_path):
    Searching(tmp_path / "s").one_by_one(lambda trial: "failed")

    again = Searching(tmp_path / "s").one_by_one()

    assert not again.oracle.gave_up
    assert "0000" not in again.runs
    assert again.rounds() == [12, 4, 2]


def test_where_every_trial_fails_the_search_ends(tmp_path):
    search = Searching(tmp_path / "s")
    for _ in range(40):  # a person who tries again and again
        search = Searching(tmp_path / "s").one_by_one(lambda trial: "failed")
        if not search.runs:
            break

    assert not search.runs
    assert {t.status for t in search.trials} == {"FAILED"}
    assert len(search.trials) == 22


def copied_at_every_file(tmp_path, monkeypatch):
    """Let the folder "s" be copied after every file that is written; return the copies."""
    copies, write = [], search_folder.write_durably

    def write_and_copy(path, make):
        write(path, make)
        copies.append(tmp_path / f"copy{len(copies)}")
        shutil.copytree(tmp_path / "s", copies[-1])

    monkeypatch.setattr(search_folder, "write_durably", write_and_copy)
    return copies


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("points", "in_batches"),
    [
        ((6, 6, 6), True),
        pytest.param((3, 3), False, marks=SLOW),
        pytest.param((6, 6, 6), False, marks=SLOW),
        pytest.param((3, 3), True, marks=SLOW),
    ],
)
def test_a_kill_after_any_file_costs_no_trial(tmp_path, monkeypatch, points, in_batches):
    """The folder is copied after every file that is written; each copy goes on to the same end."""
    settings = {"points": points, "max_epochs": 4, "factor": 2}
    run = Searching.in_batches if in_batches else Searching.one_by_one
    with monkeypatch.context() as patch:
        copies = copied_at_every_file(tmp_path, patch)
        whole = run(Searching(tmp_path / "s", **settings))

    assert len(copies) > 4 * len(whole.trials) - 2
    for copy in copies:
        done = {
            path.parent.name.split("_")[1]
            for path in copy.glob("trial_*/trial.json")
            if json.loads(path.read_text())["status"] == "COMPLETED"
        }
        again = run(Searching(copy, **settings))
        assert again.seen() == whole.seen(), copy
        assert not done & set(again.runs), copy


@NO_NUMBER
def test_a_kill_in_the_middle_of_failures_costs_no_promotion(tmp_path, monkeypatch):
    def judge(trial):
        return {"0001": "failed", "0003": float("nan")}.get(trial.trial_id)

    settings = {"max_epochs": 4, "factor": 2}
    with monkeypatch.context() as patch:
        copies = copied_at_every_file(tmp_path, patch)
        whole = Searching(tmp_path / "s", **settings).one_by_one(judge)

    for copy in copies:
        again = Searching(copy, **settings).one_by_one(judge)
        assert again.seen() == whole.seen(), copy
