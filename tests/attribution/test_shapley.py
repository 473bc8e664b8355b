"""The designs of LIME and Kernel SHAP on games whose answers are known."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tests.conftest import sample_of
from xai_tf.attribution.corrections.coalitions import (
    CoalitionPairs,
    all_coalitions,
    hadamard_rows,
    pair_classes,
)
from xai_tf.attribution.corrections.sampled import GROUPS
from xai_tf.attribution.corrections.segments import cosine_weights
from xai_tf.attribution.corrections.shapley import (
    PairedShapley,
    neighboring_triples,
    pair_weights,
)
from xai_tf.attribution.explain import explain
from xai_tf.attribution.run_diagnostics import diagnose_run


class Game:
    """Segments on a grid that add to a score alone and together with others, mostly neighbors.

    The Shapley value of a group that adds w when all its members are present is w / members each.
    """

    def __init__(self, rows: int, columns: int, seed: int) -> None:
        self.segments = np.arange(rows * columns).reshape(rows, columns)
        self.count, rng = rows * columns, np.random.default_rng(seed)
        near = [tuple(three) for three in neighboring_triples(self.segments)]
        groups = [(player,) for player in range(self.count)] + near
        groups += [pair for three in near for pair in combinations(three, 2)]
        groups += [
            tuple(rng.permutation(self.count)[:size]) for size in (3, 4, 5) for _ in range(10)
        ]
        self.groups = [list(group) for group in groups]
        self.gains = rng.normal(size=len(groups)) * rng.exponential(size=len(groups))
        self.values = np.zeros(self.count)
        for group, gain in zip(self.groups, self.gains, strict=True):
            self.values[group] += gain / len(group)

    def scores(self, present: np.ndarray) -> np.ndarray:
        """Scores of coalitions (samples, segments)."""
        present = present.astype(bool)
        gained = [present[:, group].all(axis=1) for group in self.groups]
        return self.gains @ np.array(gained, float)

    def error(self, values: np.ndarray) -> float:
        """The distance of values from the Shapley values, as a share of their norm."""
        return float(np.linalg.norm(values - self.values) / np.linalg.norm(self.values))

    def run(self, samples: int, seed: int) -> PairedShapley:
        present = CoalitionPairs(self.count, seed).rows(0, samples)
        return PairedShapley(neighboring_triples(self.segments)).fit(present, self.scores(present))

    def independent_pairs(self, samples: int, seed: int) -> float:
        """The error of plain paired draws: with replacement, and a fit of single segments."""
        rng, sizes = np.random.default_rng(seed), np.arange(1, self.count)
        shares = 1 / (sizes * (self.count - sizes))
        drawn = rng.choice(sizes, samples // 2 - 1, p=shares / shares.sum())
        order = rng.random((len(drawn), self.count)).argsort(axis=1).argsort(axis=1)
        present = order < drawn[:, None]
        full, empty = self.scores(np.array([[1], [0]]).repeat(self.count, axis=1))
        signs = 2.0 * present - 1
        means, level = signs.mean(axis=1), (full - empty) / 2
        odd = (self.scores(present) - self.scores(~present)) / 2 - level * means
        found = np.linalg.lstsq(signs - means[:, None], odd, rcond=None)[0]
        return self.error(2 * (level / self.count + found))


@pytest.fixture(scope="module")
def small_games() -> list[Game]:
    return [Game(3, 4, seed) for seed in range(4)]


@pytest.mark.parametrize("count", [2, 5, 12, 41])
def test_coalitions_are_new_and_do_not_depend_on_how_many_are_asked_for(count):
    total = min(2**count, 400)

    drawn = CoalitionPairs(count, 3).rows(0, total)

    assert drawn[0].all()
    assert not drawn[1].any()
    np.testing.assert_array_equal(drawn[::2] + drawn[1::2], 1)
    assert len({row.tobytes() for row in drawn}) == total
    in_parts, other = CoalitionPairs(count, 3), CoalitionPairs(count, 4)
    np.testing.assert_array_equal(in_parts.rows(0, total // 2), drawn[: total // 2])
    np.testing.assert_array_equal(in_parts.rows(1, total - 1), drawn[1:])
    assert count < 4 or not np.array_equal(other.rows(0, total), drawn)


def test_sizes_follow_the_kernel_and_segments_are_balanced_in_every_group():
    count, samples = 40, 1026
    shares, _ = pair_classes(count)

    pairs = CoalitionPairs(count, 0).rows(2, samples - 2)[::2]

    smaller = np.minimum(pairs.sum(axis=1), count - pairs.sum(axis=1))
    for size in range(2, 21):  # of single segments there are fewer than their share
        expected = shares[size - 1] / shares[1:].sum() * (smaller > 1).sum()
        assert (smaller == size).sum() == pytest.approx(expected, abs=4)
    assert (smaller == 1).sum() == count
    for group in range(GROUPS):
        mine = pairs[(group + 3) % GROUPS :: GROUPS]
        for size in (5, 10):
            present = mine[mine.sum(axis=1) == size].sum(axis=0)
            assert np.ptp(present) <= 1


def test_limes_samples_show_each_three_segments_in_all_combinations_equally_often():
    drawn = hadamard_rows(12, 0, 64, seed=1)

    for design in (drawn[:32], drawn[32:]):
        for three in combinations(range(12), 3):
            codes = design[:, three] @ [1, 2, 4]
            assert set(np.bincount(codes, minlength=8)) == {4}
    assert not np.array_equal(drawn[:32], drawn[32:])
    np.testing.assert_array_equal(hadamard_rows(12, 24, 20, seed=1), drawn[24:44])


def test_230_passes_are_nearer_than_twice_as_many_independent_ones(small_games):
    ours, before = (
        np.mean([error(game, seed) for game in small_games for seed in range(4)])
        for error in (
            lambda game, seed: game.error(game.run(230, seed).coef_),
            lambda game, seed: game.independent_pairs(512, seed),
        )
    )

    assert ours < 0.8 * before


def test_forty_segments_need_less_than_two_thirds_of_the_error_of_independent_pairs():
    game = Game(5, 8, seed=0)

    ours = np.mean([game.error(game.run(512, seed).coef_) for seed in range(4)])

    before = np.mean([game.independent_pairs(512, seed) for seed in range(4)])
    assert ours < 2 / 3 * before


def test_about_as_many_pairs_as_segments_do_not_blow_up():
    game = Game(5, 8, seed=1)

    found = [game.run(90, seed) for seed in range(6)]

    ours = np.mean([game.error(run.coef_) for run in found])
    assert ours < 0.5
    assert ours < 0.6 * np.mean([game.independent_pairs(90, seed) for seed in range(6)])


@pytest.mark.parametrize("samples", [50, 230, 1000])
def test_the_values_add_up_whatever_the_number_of_samples(small_games, samples):
    game = small_games[0]

    found = game.run(samples, 0)

    change = found.figures["score_all"] - found.figures["score_none"]
    assert found.coef_.sum() == pytest.approx(change, abs=1e-9)


def test_all_pairs_give_the_shapley_values(small_games):
    """So nothing is lost in the limit, whatever the products of neighbors miss."""
    game = small_games[0]

    found = game.run(2**12, 0)

    assert game.error(found.coef_) < 1e-9
    assert game.error(game.run(1000, 0).coef_) > 1e-6


@pytest.mark.parametrize("samples", [100, 230, 512])
def test_the_error_that_is_told_is_the_error(small_games, samples):
    """Over many runs about as large; and seldom less than half of the real one."""
    runs = [(game, game.run(samples, seed)) for game in small_games for seed in range(10)]

    told = np.array([run.figures["error"] for _, run in runs])
    real = np.array([game.error(run.coef_) for game, run in runs])

    assert np.mean(real <= 2 * told) >= 0.85
    assert 0.5 < told.mean() / real.mean() < 2


def test_weights_of_pairs_give_each_size_the_share_of_the_kernel():
    pairs = CoalitionPairs(9, 0).rows(2, 2**9 - 2)[::2]

    weights = pair_weights(pairs)

    shares, _ = pair_classes(9)
    smaller = np.minimum(pairs.sum(axis=1), 9 - pairs.sum(axis=1))
    found = np.array([weights[smaller == size].sum() for size in range(1, 5)])
    np.testing.assert_allclose(found / found.sum(), shares)


def test_lime_needs_about_half_the_samples_of_independent_draws(small_games):
    everything = all_coalitions(12, 0, 2**12)
    ours, before = [], []

    def fit(game, present, alpha=1.0):
        model = Ridge(alpha).fit(present, game.scores(present), cosine_weights(present))
        return model.coef_

    for game in small_games:
        limit = fit(game, everything, 1e-9)
        for seed in range(4):
            drawn = np.random.default_rng(seed).integers(0, 2, (512, 12))
            before.append(np.linalg.norm(fit(game, drawn) - limit))
            ours.append(np.linalg.norm(fit(game, hadamard_rows(12, 0, 260, seed)) - limit))
    assert np.mean(ours) < 1.1 * np.mean(before)


def test_100_passes_of_a_network_are_within_their_error_of_all_coalitions(three_classes):
    colors = np.random.default_rng(0).random((2, 4, 3))
    picture = sample_of(np.kron(colors, np.ones((16, 8, 1))))
    exact, some = (
        explain(
            three_classes,
            picture,
            "kernel_shap",
            target=1,
            settings={"num_segments": 7, "num_samples": samples},
        )
        for samples in (256, 100)
    )
    assert exact.convergence.exact
    assert not some.convergence.exact

    apart = np.linalg.norm(some.segment_weights - exact.segment_weights)

    share = apart / np.linalg.norm(exact.segment_weights)
    assert 0 < share < 0.05
    assert share <= 2 * some.figures["error"]
    assert "error" not in exact.figures


def test_weights_that_may_be_far_off_are_told_and_good_ones_are_not(halves, left_bright):
    found = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 30, "num_samples": 128}
    )

    far_off = replace(found, figures=found.figures | {"error": 0.7})

    assert found.figures["error"] < 0.01  # a network that adds up: the fit is exact
    assert "off by" not in " ".join(one.text for one in diagnose_run(found))
    (doubt,) = [one for one in diagnose_run(far_off) if "off by" in one.text]
    assert doubt.name == "unstable"
    assert "70%" in doubt.text
