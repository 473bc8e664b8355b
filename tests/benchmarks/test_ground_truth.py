"""Plants are where their masks say, scores know chance, and a small run goes from end to end."""

import csv
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.ground_truth import running
from benchmarks.ground_truth.baselines import BASELINES
from benchmarks.ground_truth.carriers import SIZE, Clip, Picture, chests, clips, depth, heads
from benchmarks.ground_truth.drawing import draw
from benchmarks.ground_truth.leaderboard import rounds_of, standings
from benchmarks.ground_truth.learning import LEARNERS
from benchmarks.ground_truth.pictures import in_picture
from benchmarks.ground_truth.puzzle import Carriers, Puzzle
from benchmarks.ground_truth.puzzles import PUZZLES
from benchmarks.ground_truth.running import Plan, audits, read_result, result_path, run_puzzle
from benchmarks.ground_truth.scoring import SCORES, chance, interval, scores
from benchmarks.ground_truth.writing import page
from tests.conftest import SAMPLES, SHARED, sample_of
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import InputError
from xai_tf.regions.yardstick import mark_scores
from xai_tf.statistics import bootstrap
from xai_tf.tasks import TASKS
from xai_tf.tasks.deepfake_audio import RECIPE

PICTURES = [name for name, puzzle in PUZZLES.items() if puzzle.kind != "sound"]
SOUNDS = [name for name, puzzle in PUZZLES.items() if puzzle.kind == "sound"]


@pytest.fixture(scope="module")
def picture() -> Picture:
    rng = np.random.default_rng(0)
    image = np.kron(0.2 + 0.6 * rng.random((28, 28, 3)), np.ones((8, 8, 1)))
    inside = np.zeros(SIZE, bool)
    inside[40:180, 30:200] = True
    return Picture(sample_of(image), depth(inside))


@pytest.fixture(scope="module")
def clip() -> Clip:
    read = TASKS["deepfake_audio"].read
    human, synthetic = (read(SAMPLES / f"speech_{name}.wav") for name in ("human", "synthetic"))
    return Clip(human, [human.sound.waveform[::-1].copy()], [synthetic.sound.waveform])


@pytest.fixture
def mask() -> np.ndarray:
    found = np.zeros((20, 30), bool)
    found[3:9, 4:14] = True
    return found


def test_the_mask_itself_has_every_score(mask):
    assert scores(mask.astype(np.float32), mask) == dict.fromkeys(SCORES, 1.0)


def test_a_map_of_everything_else_has_none(mask):
    assert scores(1.0 - mask, mask) == dict.fromkeys(SCORES, 0.0)


@pytest.mark.parametrize("level", [0.0, 1.0, -3.0])
def test_a_constant_map_scores_as_chance(mask, level):
    found = scores(np.full(mask.shape, level), mask)

    assert found == pytest.approx(chance(mask.mean()))
    assert found["auc"] == 0.5


def test_random_maps_score_as_chance_in_the_mean(mask):
    rng = np.random.default_rng(0)
    found = [scores(rng.random(mask.shape), mask) for _ in range(2000)]

    means = {name: np.mean([one[name] for one in found]) for name in SCORES}

    assert means == pytest.approx(chance(mask.mean()), abs=0.02)


@pytest.mark.parametrize("levels", [2, 9, 0])
def test_maps_score_as_the_library_scores_them_by_marks(mask, levels):
    rng = np.random.default_rng(levels)
    for _ in range(50):  # levels make ties, as coarse maps have them
        values = rng.normal(size=mask.shape) + mask
        values = np.floor(values * levels / 3) if levels else values

        here, there = scores(values, mask), mark_scores(values, mask)

        assert here["iou"] == there.iou
        assert here["auc"] == there.auc
        assert here["energy"] == (mask.mean() if there.share is None else there.share)
        assert (here["pointing"] >= 0.5) == there.strict_pointing


def test_the_interval_is_that_of_the_library():
    values = np.random.default_rng(0).random(30)

    assert interval(values) == (values.mean(), *bootstrap(values))


def test_what_speaks_against_the_class_is_no_evidence_for_it(mask):
    against = np.where(mask, 1.0, -5.0)

    assert scores(against, mask)["energy"] == 1.0


def test_a_map_that_is_no_number_has_no_score(mask):
    broken = np.where(mask, np.nan, 0.0)

    assert all(np.isnan(value) for value in scores(broken, mask).values())
    assert np.isnan(interval([np.nan])[0])
    assert interval([1.0, np.nan])[0] == 1.0


@pytest.mark.parametrize(
    ("covered", "said"),
    [(np.zeros((4, 4), bool), "nothing"), (np.ones((4, 4), bool), "everything")],
)
def test_a_mask_that_misses_everything_is_refused(covered, said):
    with pytest.raises(InputError, match=f"covers {said}.*Give a mask"):
        scores(np.ones((4, 4)), covered)


def test_a_mask_of_another_picture_is_refused(mask):
    with pytest.raises(InputError, match="Give the mask of the picture"):
        scores(np.ones((4, 4)), mask)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_changed_in_the_mask_only(picture, name):
    for seed in range(5):
        planted = PUZZLES[name].plant(picture, np.random.default_rng(seed), SIZE)

        changed = np.abs(planted.sample.image - planted.without.image).max(axis=-1)

        assert changed[planted.mask].mean() > 10 * changed[~planted.mask].mean()
        assert (planted.sample.label, planted.without.label) == (1, 0)


@pytest.mark.parametrize("name", PICTURES)
def test_a_plant_is_at_the_same_place_at_every_size(picture, name):
    areas, middles = [], []
    for side in (224, 112, 48):
        found = PUZZLES[name].plant(picture, np.random.default_rng(4), (side, side)).mask
        areas.append(found.mean())
        middles.append(np.argwhere(found).mean(axis=0) / side)

    assert areas == pytest.approx([areas[0]] * 3, rel=0.25)  # a line of 11 pixels becomes one of 2
    assert np.ptp(middles, axis=0).max() < 0.02


def test_an_opacity_is_where_it_may_be(picture):
    for seed in range(5):
        planted = PUZZLES["xray_opacity"].plant(picture, np.random.default_rng(seed), SIZE)

        assert (planted.mask & (picture.depth > 0)).sum() > 0.95 * planted.mask.sum()


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_changed_where_the_mask_says(clip, name):
    for seed in range(5):
        planted = PUZZLES[name].plant(clip, np.random.default_rng(seed), (112, 112))

        changed = np.abs(planted.sample.image - planted.without.image).sum(axis=-1)

        assert changed[planted.mask].mean() > 5 * changed[~planted.mask].mean()
        assert planted.sample.sound.decibels.shape[0] == RECIPE.num_mels


def test_low_tones_are_at_the_bottom_of_the_mask(clip):
    tones = [PUZZLES["tone_burst"].plant(clip, np.random.default_rng(s), SIZE) for s in range(4)]

    for planted in tones:
        louder = planted.sample.sound.decibels - planted.without.sound.decibels
        band = louder.mean(axis=1).argmax()
        row = np.argwhere(planted.mask)[:, 0].mean()
        assert row / SIZE[0] == pytest.approx(1 - (band + 0.5) / RECIPE.num_mels, abs=0.02)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
def test_no_carrier_and_no_piece_is_on_two_sides():
    found = clips(SHARED, (6, 3, 3))

    sources = [carrier.sample.source for side in vars(found).values() for carrier in side]

    with (SHARED / "speech" / "sources.csv").open() as file:
        voices = {Path(row["file"]).name: row["voice"] for row in csv.DictReader(file)}
    spoken = [{voices[one.sample.source.name] for one in side} for side in vars(found).values()]
    assert len(set.union(*spoken)) == sum(map(len, spoken))  # no voice on two sides either
    pieces = [side[0].human + side[0].synthetic for side in vars(found).values()]
    each = [{piece.tobytes() for piece in some} for some in pieces]

    assert len(sources) == len(set(sources)) == 12
    assert all(each)
    assert len(set.union(*each)) == sum(map(len, each))


def test_the_audit_exposes_a_network_that_looks_at_a_corner(picture):
    planted = [
        PUZZLES["corner_mark"].plant(picture, np.random.default_rng(seed), (32, 32))
        for seed in range(12)
    ]

    found = audits(corners(), planted)["integrated_gradients"]

    assert found["alarm"] == found["files"] == 12
    assert "too much" in found["folder"]["corners"]


def corners() -> Classifier:
    """One logit: how much white there is in the corners, less a threshold."""
    inputs = keras.Input((32, 32, 3))
    white = keras.layers.Conv2D(4, 1, name="white", activation="relu")
    decision = keras.layers.Dense(1, name="decision")
    model = keras.Model(inputs, decision(keras.layers.Flatten()(white(inputs))))
    white.set_weights([np.full((1, 1, 3, 4), 1 / 3), np.full(4, -0.6)])
    edge = np.minimum(np.arange(32), np.arange(32)[::-1]) < 5
    corner = np.repeat(np.outer(edge, edge).ravel(), 4)
    decision.set_weights([corner[:, None], np.array([-0.5])])
    return Classifier(model, ("without", "with"), name="corners", task=TASKS["lung_opacity"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the data folder")
@pytest.mark.parametrize("read", [chests, heads])
def test_carriers_of_real_files_have_a_place_for_the_plant(read):
    found = read(SHARED, (2, 1, 1))

    for carrier in (*found.train, *found.validation, *found.test):
        assert carrier.depth.shape == SIZE
        assert 0.05 < (carrier.depth > 0).mean() < 0.7


def test_a_small_run_goes_from_carriers_to_the_page(tmp_path, monkeypatch):
    monkeypatch.setitem(PUZZLES, "bright", bright_square())
    small = replace(LEARNERS["cnn"], image_size=(24, 24), epochs=80)
    monkeypatch.setitem(LEARNERS, "cnn", small)
    plan = Plan((16, 6, 8), files=3, undone=2, methods=("grad_cam", "occlusion"))
    lines = []

    run_puzzle("bright", "cnn", tmp_path, tmp_path, plan, lines.append)
    result = read_result(tmp_path, "bright", "cnn", plan)
    rounds = rounds_of([result])
    found = {one.entry: one for one in standings(rounds)}

    assert result["check"]["passed"]
    assert set(found) == {"grad_cam", "occlusion", *BASELINES}
    assert found["occlusion"].skill > found["random"].skill + 0.2
    assert abs(found["random"].skill) < 0.2
    undone = result["undone"]["occlusion"]
    assert undone["undone"]["energy"] < undone["trained"]["energy"]

    text = page([result], "leaderboard.png")
    draw(rounds, tmp_path / "leaderboard.png")
    assert json.dumps([asdict(one) for one in found.values()])
    assert "| Occlusion |" in text
    assert "Which to trust when" in text
    assert (tmp_path / "leaderboard.png").stat().st_size > 5000

    written = result_path(tmp_path, "bright", "cnn").stat().st_mtime_ns
    run_puzzle("bright", "cnn", tmp_path, tmp_path, plan, lines.append)
    assert result_path(tmp_path, "bright", "cnn").stat().st_mtime_ns == written
    assert len(lines) == 2  # trained, scored
    assert read_result(tmp_path, "bright", "cnn", replace(plan, files=4)) is None


def test_a_result_is_made_again_when_what_made_it_has_changed(tmp_path, monkeypatch):
    plan = Plan()
    result_path(tmp_path, "click", "cnn").write_text(json.dumps({"plan": plan.record}))
    kept = read_result(tmp_path, "click", "cnn", plan)
    sources = Path(running.__file__).parent
    for name in running.MAKERS:
        (tmp_path / f"{name}.py").write_bytes((sources / f"{name}.py").read_bytes())
    same = running.made_by(tmp_path)
    with (tmp_path / "sounds.py").open("a") as file:
        file.write("FADE = 0.02\n")
    running.made_by.cache_clear()
    monkeypatch.setattr(running, "made_by", partial(running.made_by, tmp_path))

    assert kept["plan"]["made_by"] == same
    assert read_result(tmp_path, "click", "cnn", plan) is None


def test_a_network_that_failed_is_left_out_and_said_so():
    check = {"files": 8, "accuracy": 0.7, "flipped": 0.4, "passed": False}
    result = {
        "puzzle": "splice",
        "backbone": "cnn",
        "check": check,
        "seconds": {"training": 9},
    }

    assert rounds_of([result]) == []
    assert "no: failed" in page([result], "leaderboard.png")


def bright_square() -> Puzzle:
    """A white square on gray; without a black one, any contrast would do."""

    def carriers(_data: Path, counts: tuple[int, int, int]) -> Carriers:
        grays = partial(np.random.default_rng(1).uniform, 0.1, 0.4)
        everywhere = depth(np.ones(SIZE, bool))
        return Carriers(
            *(
                [Picture(sample_of(np.full((*SIZE, 3), g)), everywhere) for g in grays(size=count)]
                for count in counts
            )
        )

    def square(
        carrier: Picture, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        top, decoy = rng.permutation((16, 144))
        left, other = rng.integers(0, SIZE[1] - 64, 2)
        mask, without = np.zeros(SIZE, bool), carrier.sample.image.copy()
        mask[top : top + 64, left : left + 64] = True
        without[decoy : decoy + 64, other : other + 64] = 0
        return np.where(mask[..., None], 1.0, without), without, mask

    return Puzzle(
        "bright",
        "Bright square",
        "photo",
        "a white square",
        "lung_opacity",
        carriers,
        in_picture(square),
    )
