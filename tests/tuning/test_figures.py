"""The figures of a search and of its winner."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.made_search import make_search
from tuning.reporting import charts, figures
from tuning.reporting.importance import importances
from tuning.reporting.leaderboard import (
    leaderboard_rows,
    rank_correlation,
    ranking_warning,
    varying,
)
from tuning.reporting.parallel import Scale
from tuning.trials import read_search
from xai_tf.classifiers.prediction import probabilities

pytestmark = pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning")


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """Of the 30 trials of (10, 3) two failed, so that two could not be continued."""
    return read_search(make_search(tmp_path_factory.mktemp("searches") / "done", fail={1, 17}))


def texts(plot):
    """Every text of a figure, its axes' titles included."""
    return " ".join([t.get_text() for t in plot.findobj(lambda a: hasattr(a, "get_text"))])


def test_dollar_signs_in_class_names_are_not_read_as_mathematics():
    rng = np.random.default_rng(0)
    arrays = {"test_probabilities": rng.dirichlet([1, 1], 20), "test_labels": np.arange(20) % 2}

    for draw in (charts.confusion_matrix, charts.roc):
        plot = draw(arrays, ["$x^{$", "$y_$"])
        plot.draw_without_rendering()  # raises if the name is read as mathematics

        assert "y_" in texts(plot)


def test_curves_chain_parent_to_child_without_a_gap(search):
    child = next(t for t in search.trials if t.round == 2 and t.status == "COMPLETED")

    plot = figures.learning_curves(search)

    for ax in plot.axes:
        line = next(line for line in ax.lines if line.get_label() == child.id)
        assert list(line.get_xdata()) == list(range(1, 11))
    assert len(plot.axes) == 6


def test_rankings_that_agree_give_no_warning(search):
    rows = [replace(row, ce_rank=row.loss_rank) for row in leaderboard_rows(search)]

    assert ranking_warning(rows) == ""
    assert rank_correlation(rows) == pytest.approx(1)


def test_schedule_counts_what_was_planned_done_and_failed(search):
    words = texts(figures.schedule(search))

    assert "12 trials, epochs 1 to 2 11 done, 1 failed" in words
    assert "4 trials, epochs 3 to 4 3 done, 1 not run" in words
    assert "6 trials, epochs 1 to 4 5 done, 1 failed" in words


def test_penalty_and_cross_entropy_make_up_val_loss(search):
    whole, penalty, entropy = figures.penalty(search).axes[0].lines

    assert list(whole.get_ydata()) == sorted(whole.get_ydata())
    assert np.allclose(whole.get_ydata(), penalty.get_ydata() + entropy.get_ydata())


def test_axes_are_logarithmic_where_values_span_much_and_in_order_where_they_cannot_be():
    assert Scale.of("l1", [1e-5, 1e-4, 1e-3]).positions.tolist() == pytest.approx([0, 0.5, 1])
    assert Scale.of("l1", [0.0, 1e-5, 1e-3]).positions.tolist() == [0, 0.5, 1]
    assert Scale.of("units", [128, 192, 384]).positions.tolist() == [0, 0.25, 1]
    assert Scale.of("pooling", ["flatten", "average"]).positions.tolist() == [1, 0]
    assert Scale.of("units", [128, 128]).positions.tolist() == [0.5, 0.5]


def test_importance_finds_the_decisive_parameter(search):
    rows, names = leaderboard_rows(search), varying(search)

    result = importances(rows, names, np.array([row.epoch.val_ce for row in rows]))

    strength = dict(zip(result.names, result.drops.mean(axis=0), strict=True))
    assert max(names, key=strength.get) == "learning_rate"
    assert strength["learning_rate"] > result.chance > strength["l2_1"]
    assert "Ranking by val_ce" in texts(figures.importance(search))


def test_importance_of_noise_is_nothing(search):
    rows = leaderboard_rows(search)
    noise = np.random.default_rng(1).normal(size=len(rows))

    assert importances(rows, ["dropout", "l1_1"], noise).explained < 0.1


def test_importance_of_eight_configurations_and_of_equal_outcomes_is_finite(search):
    few = leaderboard_rows(search)[:8]

    assert np.isfinite(importances(few, ["l1_1"], np.arange(8)).drops).all()
    assert importances(few, ["l1_1"], np.ones(8)).explained == 0


def test_importance_refuses_few_configurations(tmp_path):
    few = read_search(make_search(tmp_path / "few", stop=5))

    assert "cannot be estimated from 5 finished" in texts(figures.importance(few))


def test_roc_of_three_classes_has_a_curve_each_and_leaves_out_an_absent_one():
    labels = np.arange(40) % 2
    arrays = {"test_probabilities": np.eye(3)[labels] * 0.8 + 0.2 / 3, "test_labels": labels}

    words = texts(charts.roc(arrays, ["cat", "dog", "owl"]))

    assert "cat: 1.000 (1.000 to 1.000)" in words
    assert "dog: 1.000" in words
    assert "owl" not in words


def test_confusion_follows_the_threshold():
    chances = np.array([0.1, 0.45, 0.6, 0.9])
    arrays = {
        "test_probabilities": np.stack([1 - chances, chances], axis=1),
        "test_labels": np.array([0, 1, 1, 1]),
    }

    default, lower = charts.confusion_matrix(arrays, ["normal", "opacity"], 0.4).axes

    assert [t.get_text() for t in default.texts] == ["1\n100%", "0\n0%", "1\n33%", "2\n67%"]
    assert [t.get_text() for t in lower.texts] == ["1\n100%", "0\n0%", "0\n0%", "3\n100%"]


def test_reliability_shows_the_error_before_and_after_calibration():
    rng, truth = np.random.default_rng(0), np.repeat([0, 1], 2000)
    right = rng.random(4000) < 0.8
    logits = (
        np.where(right == (truth == 1), 1, -1)[:, None] * 2 * np.log(4)
    )  # overconfident by a factor of two
    arrays = {
        "test_logits": logits,
        "test_probabilities": probabilities(logits),
        "test_labels": truth,
    }

    words = texts(charts.reliability(arrays, {"method": "temperature", "temperature": 2.0}))

    before, after = (float(text) for text in re.findall(r"calibration error (\S+)", words))
    assert before == pytest.approx(16 / 17 - 0.8, abs=0.02)
    assert after < 0.02
    assert "calibration error" in texts(charts.reliability(arrays))
