"""How far maps agree: measured on maps whose agreement is known."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from tests.conftest import SAMPLES
from xai_tf.agreement.agreement import (
    NO_CONSENSUS,
    agree_beyond_chance,
    agreement,
    chance_overlap,
    consensus,
    overlap,
    rank_correlation,
    sign_agreement,
)
from xai_tf.agreement.disagreement import disagreement_map
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.agreement import save_comparisons
from xai_tf.reports.panels import agreement_panels
from xai_tf.tasks import TASKS

SIDE = 224
SLOPE = np.linspace(0, 1, SIDE) + np.linspace(0, 2, SIDE)[:, None]


@pytest.fixture
def of(halves, left_bright):
    """Makes an explanation out of a map."""
    base = explain(halves, left_bright, "saliency")

    def make(attribution: np.ndarray, method: str = "saliency") -> Explanation:
        values = attribution.astype(np.float32)
        question = replace(base.question, method=method)
        return replace(base, attribution=values, question=question)

    return make


def spot(top: int, left: int, side: int = 64) -> np.ndarray:
    values = np.zeros((SIDE, SIDE))
    values[top : top + side, left : left + side] = 1
    return values


def test_a_map_agrees_with_itself_at_any_scale(of):
    first, second = of(SLOPE), of(1e-6 * SLOPE**3)

    assert rank_correlation(first, second) == pytest.approx(1)
    assert overlap(first, second) == 1


def test_opposite_signed_maps_are_anticorrelated_and_equally_strong(of):
    first, second = (of(sign * (SLOPE - 1.5), "gradient_input") for sign in (1, -1))

    assert rank_correlation(first, second) == pytest.approx(-1)
    assert overlap(first, second) == 1


def test_a_signed_map_is_compared_with_an_unsigned_one_by_strength(of):
    signed, strength = of(-SLOPE, "gradient_input"), of(SLOPE, "saliency")

    assert rank_correlation(signed, strength) == pytest.approx(1)
    assert rank_correlation(strength, signed) == pytest.approx(1)


def test_the_rank_correlation_is_spearmans(of):
    """Two ramps across each other have nothing in common, their sum half with each."""
    across, down = np.meshgrid(np.linspace(0, 1, 28), np.linspace(0, 1, 28))

    assert rank_correlation(of(across), of(down)) == pytest.approx(0, abs=1e-6)
    found = rank_correlation(of(across + down), of(across))
    assert found == pytest.approx(spearmanr((across + down).ravel(), across.ravel())[0], abs=1e-3)


def test_speckle_does_not_hide_what_maps_have_in_common(of):
    """One pattern under independent noise three times as strong, as in gradient maps."""
    rng = np.random.default_rng(0)
    pattern = np.kron(rng.random((7, 7)), np.ones((32, 32)))
    noisy = [pattern + 3 * rng.random((SIDE, SIDE)) for _ in range(2)]

    by_pixels = np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]

    assert by_pixels < 0.2
    assert rank_correlation(of(noisy[0]), of(noisy[1])) > 0.75


def test_overlap_is_the_shared_part_of_both_tops(of):
    """Squares of 8x8 cells, half of each shared: 32 cells of 96."""
    first, second = of(spot(0, 0)), of(spot(0, 32))

    assert overlap(first, second, share=64 / 28**2) == pytest.approx(1 / 3)
    assert overlap(first, of(spot(128, 128)), share=64 / 28**2) == 0


def test_places_of_zero_never_count_as_strong(of):
    """Two small spots far apart, and zero elsewhere: a tenth of the picture would hold more."""
    assert overlap(of(spot(0, 0, side=16)), of(spot(200, 200, side=16))) == 0


def test_overlap_depends_on_no_order_of_the_cells(of):
    rng = np.random.default_rng(1)
    first, second = (np.kron(rng.integers(0, 4, (28, 28)), np.ones((8, 8))) for _ in range(2))

    straight = overlap(of(first), of(second))

    assert overlap(of(first[::-1, ::-1]), of(second[::-1, ::-1])) == straight
    assert overlap(of(second), of(first)) == straight


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_random_maps_overlap_by_chance(of, share):
    rng = np.random.default_rng(0)
    maps = [of(rng.random((28, 28))) for _ in range(20)]

    found = np.mean([overlap(a, b, share) for a, b in combinations(maps, 2)])

    assert found == pytest.approx(chance_overlap(share), rel=0.2)


def test_maps_of_models_with_other_image_sizes_can_be_compared(of):
    small, large = of(spot(0, 0)[::2, ::2]), of(spot(0, 0))

    assert rank_correlation(small, large) == pytest.approx(1)
    assert overlap(small, large) == 1


def test_maps_without_a_signal_are_left_out_and_named(of):
    broken = of(np.full((SIDE, SIDE), np.nan), "lime")
    flat = of(np.ones((SIDE, SIDE)), "grad_cam")

    found = agreement([broken, of(SLOPE), flat, of(SLOPE.T, "rise")])

    assert found.names == ("Saliency", "RISE")
    assert found.positions == (1, 3)
    assert found.left_out == ("LIME", "Grad-CAM")
    assert found.correlations.shape == found.overlaps.shape == (2, 2)
    np.testing.assert_allclose(np.diag(found.correlations), 1)
    np.testing.assert_allclose(found.correlations, found.correlations.T)
    assert found.correlations[0, 1] == pytest.approx(
        rank_correlation(of(SLOPE), of(SLOPE.T, "rise"))
    )
    assert agreement([broken]).correlations.shape == (0, 0)


def test_signs_agree_where_both_say_for_or_both_say_against(of):
    """One map, and the same with a quarter of its strongest places turned round."""
    for_and_against = spot(0, 0) - spot(128, 128)
    turned = for_and_against - 2 * spot(0, 0, side=32) + 2 * spot(128, 128, side=32)
    first, second = of(for_and_against, "gradient_input"), of(1e-30 * turned, "occlusion")

    assert sign_agreement(first, first) == 1
    assert sign_agreement(first, second) == sign_agreement(second, first) == 0.75
    assert sign_agreement(first, of(-for_and_against, "lime")) == 0


def test_a_sign_against_none_does_not_agree(of):
    first, second = of(spot(0, 0, side=32), "lime"), of(spot(128, 0, side=32), "lime")

    assert sign_agreement(first, second) == 0
    assert sign_agreement(first, of(spot(0, 0, side=32) + spot(128, 0, side=32), "lime")) == 0.5


def test_maps_with_random_signs_agree_by_half(of):
    rng = np.random.default_rng(0)
    maps = [of(rng.normal(size=(28, 28)), "lime") for _ in range(20)]

    found = [sign_agreement(a, b) for a, b in combinations(maps, 2)]

    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


def test_methods_without_signs_have_no_sign_agreement(of):
    signed, strength, zero = of(SLOPE, "lime"), of(SLOPE), of(0 * SLOPE, "lime")

    assert np.isnan([sign_agreement(signed, strength), sign_agreement(zero, zero)]).all()
    found = agreement([signed, strength, of(-SLOPE, "occlusion")]).signs
    np.testing.assert_array_equal(found, [[1, np.nan, 0], [np.nan] * 3, [0, np.nan, 1]])


def test_conflict_is_where_ranks_lie_apart(of):
    """A spot that one map shows and the other does not; another that both show."""
    one, other = of(spot(0, 0) + spot(0, 128)), of(7 * spot(0, 0), "rise")

    found = disagreement_map([one, other, of(np.ones((SIDE, SIDE)), "fem")])

    assert found.level.dtype == np.float32
    assert found.level.shape == (SIDE, SIDE)
    assert found.level[32, 160] == pytest.approx(1 - 128 / 784, abs=0.002)
    assert found.level[32, 32] == pytest.approx(64 / 784, abs=0.002)
    assert found.level[160, 160] == 0
    first = found.disagreements[0]
    assert (first.first, first.second, first.opposed) == ("Saliency", "RISE", False)
    assert first.across > 0.5 > first.down
    assert first.text == "Saliency ranks it above 84% of the image, RISE above 0%"


def test_conflict_is_where_one_says_for_and_another_against(of):
    """The ranks by strength are the same, the signs are not."""
    one, other = of(spot(0, 0), "lime"), of(-spot(0, 0), "occlusion")

    found = disagreement_map([other, of(spot(0, 0)), one])

    assert found.level[32, 32] == 1
    assert found.level[160, 160] == 0
    assert {one.text for one in found.disagreements} == {
        "evidence for the class in LIME, against it in Occlusion"
    }


def test_conflicts_are_named_apart_and_by_their_place(of):
    rng = np.random.default_rng(0)
    maps = [of(rng.random((28, 28))), of(rng.random((28, 28)), "rise")]

    found = disagreement_map(maps, count=5).disagreements

    assert len(found) == 5
    for a, b in combinations(found, 2):
        assert max(abs(a.across - b.across), abs(a.down - b.down)) >= 4 / 28 - 1e-6
    assert found[0].place == (
        f"{found[0].across:.0%} from the left, {found[0].down:.0%} from the top"
    )


def test_a_box_around_each_conflict_lies_inside_and_holds_its_center(of):
    rng = np.random.default_rng(1)
    maps = [of(rng.random((28, 28))), of(rng.random((28, 28)), "rise")]

    found = disagreement_map(maps, count=20).disagreements

    edge = 4 / 28
    assert {(one.across < edge / 2 or one.down < edge / 2) for one in found} == {True, False}
    for one in found:
        left, top, width, height = one.box
        assert width == height == pytest.approx(edge)
        assert 0 <= left <= one.across <= left + width <= 1 + 1e-9
        assert 0 <= top <= one.down <= top + height <= 1 + 1e-9


def test_pairs_that_disagree_are_named_the_least_alike_first(of):
    alike, other = of(SLOPE, "lime"), of(SLOPE.max() - SLOPE, "rise")

    pairs = agreement([of(SLOPE), alike, other, of(SLOPE.T, "occlusion")]).unlike_pairs

    assert ("Saliency", "LIME") not in {pair[:2] for pair in pairs}
    assert pairs[0][:2] == ("Saliency", "RISE")
    assert pairs[0][2] == pytest.approx(-1)
    assert [value for *_, value in pairs] == sorted(value for *_, value in pairs)


def test_a_conflict_in_a_sound_is_named_by_its_time_and_pitch(of):
    sample = TASKS["deepfake_audio"].read(SAMPLES / "speech_human.wav")
    one, other = (of(spot(0, x), m) for x, m in ((0, "saliency"), (128, "rise")))

    found = disagreement_map([replace(one, sample=sample), other]).disagreements

    places = [dispute.place.removesuffix(" Hz").split(" s, ") for dispute in found]
    assert all(0 < float(seconds) < 2 for seconds, _ in places)
    assert all(1500 < float(hertz) < 4000 for _, hertz in places)  # at the top of the picture


@pytest.mark.parametrize("others", [[], ["constant"], ["same"]])
def test_without_a_second_opinion_there_is_no_conflict(of, others):
    known = {"constant": of(np.ones((SIDE, SIDE)), "rise"), "same": of(SLOPE, "rise")}

    found = disagreement_map([of(SLOPE), *(known[name] for name in others)])

    assert found.level.shape == (SIDE, SIDE)
    assert not found.level.any()
    assert found.disagreements == ()


def test_consensus_is_the_mean_share_of_weaker_places(of):
    """A spot that both show stands above one that one of them shows, at any scale."""
    both, one = spot(0, 0), spot(128, 128)

    found = consensus([of(1000 * both), of(1e-3 * (both + one)), of(np.ones((SIDE, SIDE)))])

    assert found.dtype == np.float32
    assert found.shape == (SIDE, SIDE)
    weaker = [1 - 64 / 784, 1 - 128 / 784]  # of the cells, in the first and in the second map
    assert found[32, 32] == pytest.approx(sum(weaker) / 2, abs=0.002)
    assert found[160, 160] == pytest.approx(weaker[1] / 2, abs=0.002)
    assert found[32, 160] == 0
    assert found.max() <= 1


def test_without_any_signal_there_is_no_consensus(of):
    assert not consensus([of(np.full((32, 40), np.nan))]).any()
    assert consensus([of(np.full((32, 40), np.nan))]).shape == (32, 40)


def test_methods_that_see_the_same_agree_far_above_chance(halves, left_bright):
    """Only the left half is bright, so whoever is asked points there."""
    methods = ["gradient_input", "integrated_gradients", "occlusion"]
    maps = [explain(halves, left_bright, name, target="left") for name in methods]

    found = agreement(maps)

    assert found.overlaps.min() > 5 * chance_overlap()
    assert found.correlations.min() > 0.8
    assert consensus(maps)[:, :14].min() > consensus(maps)[:, 18:].max()


# Chance


def texture(rng: np.random.Generator) -> np.ndarray:
    """Evidence in soft spots that lie anywhere."""
    return gaussian_filter(rng.normal(size=(SIDE, SIDE)), 20, mode="wrap") ** 2


def test_unrelated_maps_agree_beyond_chance_as_rarely_as_stated(of):
    rng = np.random.default_rng(0)

    found = [agree_beyond_chance([of(texture(rng)) for _ in range(3)]) for _ in range(60)]

    assert np.mean(found) <= 0.12  # 5% are expected


def test_maps_of_the_same_evidence_agree_beyond_chance(of):
    rng = np.random.default_rng(0)
    shared = texture(rng)

    assert all(
        agreement([of(shared + texture(rng)), of(shared + texture(rng))]).beyond_chance
        for _ in range(10)
    )


def test_one_map_agrees_with_nobody(of):
    assert not agreement([of(SLOPE), of(np.zeros((SIDE, SIDE)))]).beyond_chance


def test_no_consensus_is_drawn_of_maps_that_agree_no_more_than_by_chance(of, tmp_path):
    one, other = spot(0, 0), spot(150, 150)

    (apart,) = save_comparisons(tmp_path, [of(one), of(other, "occlusion")], [0, 0])
    page = agreement_panels([of(one), of(other, "occlusion")], one)

    assert apart["agreement"]["beyond_chance"] is False
    assert apart["pictures"] == ["conflict.png"]
    assert not (tmp_path / "consensus.png").exists()
    assert NO_CONSENSUS in page
    assert "Consensus of" not in page
