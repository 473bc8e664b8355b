"""Regions of pictures, found as by hand; and evidence where none should be."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from skimage.draw import polygon2mask

import xai_tf.cli.audit  # noqa: F401 (its command)
from tests.conftest import SAMPLES, SHARED, TEST_DATA, result_of, sample_of
from xai_tf.attribution.explain import explain
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.errors import InputError
from xai_tf.inputs.audio import mel_spectrogram, read_sound
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.sample import read_image
from xai_tf.regions import PARTITIONS, Regions, audit, audit_file, audit_folder, regions_of
from xai_tf.regions.brain import brain
from xai_tf.regions.contours import cheapest_round
from xai_tf.regions.lungs import lungs, marks
from xai_tf.regions.speech import speech_frames
from xai_tf.tasks import TASKS

DATA = TEST_DATA
RNG = np.random.default_rng(0)
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not at hand")


def drawn_by_hand(name: str) -> dict[str, list]:
    """Outlines of each file, of shape (outlines, points, 2)."""
    return json.loads((DATA / f"{name}.json").read_text())["files"]


def drawn(name: str) -> dict[str, np.ndarray]:
    """The same as a mask for each file."""
    return {
        file: np.any([polygon2mask((224, 224), np.array(o)[:, ::-1]) for o in outlines], axis=0)
        for file, outlines in drawn_by_hand(name).items()
    }


def overlaps(name: str, find) -> dict[str, float]:
    """Intersection over union with what was drawn, of each file."""
    found = {}
    for file, truth in drawn(name).items():
        mask = find(read_image(SHARED / file, (224, 224))[0].image)
        found[file] = (mask & truth).sum() / (mask | truth).sum()
    return found


def inside_of(name: str, find, part: str = "") -> np.ndarray:
    """The share of each box that people drew around what they saw that is in what is found."""
    with (SHARED / "evidence" / f"{name}_boxes.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith(part)]
    shares = []
    for row in rows:
        mask = find(read_image(SHARED / name / row["file"], (224, 224))[0].image)
        left, top, right, bottom = (round(float(row[k]) * 224) for k in ("x0", "y0", "x1", "y1"))
        shares.append(mask[top:bottom, left:right].mean())
    return np.array(shares)


def tone_at(time: np.ndarray) -> np.ndarray:
    """When the tone of `pauses` sounds."""
    return (time > 0.2) & (time < 0.8) | (time > 1.4) & (time < 1.8)


@pytest.fixture(scope="module")
def pauses():
    """Two seconds: tone from 0.2 to 0.8 and from 1.4 to 1.8 s, faint noise throughout."""
    time = np.arange(16000) / 8000
    tone = (
        0.3
        * np.sin(2 * np.pi * 500 * time)
        * ((time > 0.2) & (time < 0.8) | (time > 1.4) & (time < 1.8))
    )
    return (tone + 0.003 * RNG.normal(size=16000)).astype(np.float32)


@pytest.fixture(scope="module")
def spoken_sample(pauses, tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "pauses.wav"
    soundfile.write(path, pauses, 8000)
    return read_sound(path, (224, 224), MelRecipe())[0]


def sample_for(partition: str, spoken_sample):
    """A picture in which a partition finds what it looks for."""
    file = {"chest": "xray_normal.jpg", "head": "brain_head_notumor.png"}.get(partition)
    return read_image(SAMPLES / file, (224, 200))[0] if file else spoken_sample


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model of X-rays that has learnt nothing."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("models") / "small.keras"
    build_model("cnn", 2, (64, 64), weights=None).save(path)
    return path


def made(halves, left_bright, attribution, method="gradient_input"):
    """An explanation with a map made by hand."""
    explanation = explain(halves, left_bright, "gradient_input")
    made_map = np.asarray(attribution, np.float32)
    question = replace(explanation.question, method=method)
    return replace(explanation, attribution=made_map, question=question)


def held(audited, region):
    return next(row for row in audited.rows if row.region == region)


HALVES = Regions(
    {
        "sides": {
            "left": np.arange(32) < 16 + np.zeros((32, 1)),
            "right": np.arange(32) >= 16 + np.zeros((32, 1)),
        }
    }
)


@pytest.mark.parametrize("name", PARTITIONS)
def test_every_pixel_is_in_exactly_one_region(name, spoken_sample):
    sample = sample_for(name, spoken_sample)

    masks = list(PARTITIONS[name].find(sample).values())

    assert all(mask.dtype == bool and mask.shape == sample.image.shape[:2] for mask in masks)
    assert (np.sum(masks, axis=0) == 1).all()


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_says_how_it_is_parted(task):
    assert task.regions
    assert set(task.regions) <= set(PARTITIONS)


@needs_data
def test_lungs_are_found_where_a_person_drew_them():
    found = overlaps("lungs", lambda image: lungs(image)[0])

    guess = found.pop("chest_xray/test/opacity/opacity_te047.jpg")  # heavy opacities
    assert guess > 0.45
    assert np.mean(list(found.values())) > 0.75
    assert min(found.values()) > 0.5


@needs_data
def test_brains_are_found_where_a_person_drew_them():
    found = overlaps("brains", lambda image: brain(image)[0])

    assert len(found) == 8
    assert np.mean(list(found.values())) > 0.8
    assert min(found.values()) > 0.65


@pytest.mark.slow
@needs_data
def test_the_tumors_that_experts_saw_are_in_the_brain():
    shares = inside_of("brain_mri", lambda image: brain(image)[0], "test")

    assert len(shares) == 31
    assert shares.mean() > 0.95
    assert shares.min() > 0.5  # none is missed


@needs_data
@pytest.mark.parametrize(
    ("task", "file", "outside"),
    [
        ("brain_tumor", "brain_mri/test/glioma/glioma_te001.jpg", "skull and scalp"),
        ("lung_opacity", "chest_xray/test/opacity/opacity_te001.jpg", "outside the lungs"),
    ],
)
def test_regions_that_are_uncertain_are_a_guess_that_raises_no_alarm(
    task, file, outside, halves, left_bright
):
    sample = read_image(SHARED / file, (224, 224))[0]
    found = regions_of(sample, TASKS[task])
    (partition,) = found.guessed

    assert "are a guess" in found.warnings[0]

    explanation = made(halves, left_bright, found.partitions[partition][outside], "grad_cam")
    sure = audit(explanation, replace(found, guessed=frozenset()))
    assert any(row.alarm for row in sure.rows if row.partition == partition)
    guessed = [row for row in audit(explanation, found).rows if row.partition == partition]
    assert all(row.guess and not row.alarm for row in guessed)


def test_lungs_keep_their_place_at_another_size():
    small, large = (
        read_image(SAMPLES / "xray_normal.jpg", (side, side))[0].image for side in (112, 448)
    )

    mask = lungs(large)[0]

    again = np.kron(lungs(small)[0], np.ones((4, 4), bool))
    assert (mask & again).sum() / (mask | again).sum() > 0.9


@needs_data
def test_letters_are_found_where_a_person_saw_them():
    found = []
    for file, [[(left, top), (right, bottom)]] in drawn_by_hand("letters").items():
        image = read_image(SHARED / file, (224, 224))[0].image
        letter, part = np.s_[top:bottom, left:right], image[top:bottom, left:right, 0]
        found.append(marks(image)[letter][part > np.percentile(part, 75)].mean() > 0.9)

    assert sum(found) == 7  # the eighth is gray on gray


def test_a_letter_is_a_mark_and_bones_are_none():
    image = read_image(SAMPLES / "xray_normal.jpg", (224, 224))[0].image.copy()
    before = marks(image)
    strokes = np.zeros((24, 24), bool)
    strokes[2:22, 4:8] = strokes[2:6, 4:18] = strokes[10:14, 4:18] = True

    image[4:28, 190:214][strokes] = 1

    found = marks(image) & ~before
    assert found[4:28, 190:214][strokes].all()
    assert found.mean() < 0.02


@pytest.mark.parametrize("task", ["lung_opacity", "brain_tumor"])
@pytest.mark.parametrize(
    "picture",
    [RNG.random((64, 64, 3)), np.zeros((64, 64, 3)), np.full((64, 64, 3), 0.7)],
    ids=["noise", "black", "gray"],
)
def test_what_cannot_be_found_is_left_out_and_said(task, picture):
    found = regions_of(sample_of(picture), TASKS[task])

    assert list(found.partitions) == ["frame"]
    assert "Cannot find the regions of" in found.warnings[0]
    assert "made.png" in found.warnings[0]
    assert "Check that the file matches the task" in found.warnings[0]


def test_a_photo_has_no_lungs():
    photo = read_image(SAMPLES / "cat.jpg", (224, 224))[0]

    assert list(regions_of(photo, TASKS["lung_opacity"]).partitions) == ["frame"]


def test_a_tone_lies_in_its_band(spoken_sample):
    bands = PARTITIONS["pitch"].find(spoken_sample)

    brightest = spoken_sample.image.sum(axis=(1, 2)).argmax()
    assert bands["300 to 1000 Hz"][brightest].all()
    assert bands["below 300 Hz"][-1].all()
    assert bands["above 3000 Hz"][0].all()


def test_silence_is_where_nobody_speaks(spoken_sample):
    said = PARTITIONS["speech"].find(spoken_sample)["speech"][0]

    truth = tone_at((np.arange(224) + 0.5) / 112)
    assert (said == truth).mean() > 0.94


def test_a_short_gap_belongs_to_speech(pauses):
    gap = pauses.copy()
    gap[3600:4400] = 0

    sound = mel_spectrogram(gap, MelRecipe())

    assert speech_frames(sound)[(sound.seconds > 0.3) & (sound.seconds < 0.7)].all()


def test_noise_near_the_level_of_speech_cannot_be_told_from_it(pauses):
    noisy = pauses + 0.08 * RNG.normal(size=16000).astype(np.float32)

    assert speech_frames(mel_spectrogram(noisy, MelRecipe())).all()


def test_the_cheapest_round_closes_and_is_the_cheapest():
    cost = RNG.random((1, 9, 5))
    stiffness = 0.1

    way = cheapest_round(cost, stiffness)[0]

    def price(places):
        jumps = np.diff([*places, places[0]])
        return cost[0, np.arange(9), places].sum() + stiffness * (jumps**2).sum()

    assert (np.abs(np.diff([*way, way[0]])) <= 2).all()
    others = RNG.integers(0, 5, (20000, 9))
    smooth = others[(np.abs(np.diff(others, axis=1, append=others[:, :1])) <= 2).all(axis=1)]
    assert price(way) <= min(map(price, smooth)) + 1e-9


def test_shares_are_those_of_the_strength(halves, left_bright):
    attribution = np.zeros((32, 32))
    attribution[:, :16], attribution[:, 16:] = 3, -1

    found = audit(made(halves, left_bright, attribution), HALVES)

    left, right = held(found, "left"), held(found, "right")
    assert (left.area, left.share, left.ratio) == (0.5, 0.75, 1.5)
    assert (right.share, right.supporting, right.opposing) == (0.25, 0.0, 1.0)


def test_an_unsigned_map_has_no_sides(halves, left_bright):
    found = audit(made(halves, left_bright, RNG.random((32, 32)), "grad_cam"), HALVES)

    assert held(found, "left").supporting is None
    assert held(found, "left").opposing is None


@pytest.mark.parametrize("value", [0, 2, np.nan])
def test_a_map_without_signal_has_no_shares_and_no_alarm(halves, left_bright, value):
    found = audit(made(halves, left_bright, np.full((32, 32), value)))

    assert all(row.share is None and row.ratio is None and not row.alarm for row in found.rows)
    assert "no signal" in found.warnings[-1]
    assert audit_folder([found]) == ()


def test_one_pixel_holds_everything(halves, left_bright):
    attribution = np.zeros((32, 32))
    attribution[0, 0] = 1e-6

    found = audit(made(halves, left_bright, attribution))

    corners = held(found, "corners")
    assert corners.share == 1
    assert corners.ratio == pytest.approx(1 / corners.area)
    assert found.alarms[0].startswith("100% of the evidence")


def test_a_region_that_misses_everything_holds_nothing(halves, left_bright):
    masks = {"tumor": np.zeros((32, 32), bool), "hot": np.eye(32, dtype=bool)}
    attribution = 1.0 - np.eye(32)

    found = audit(made(halves, left_bright, attribution), Regions({"mine": masks}))

    assert (held(found, "tumor").share, held(found, "tumor").ratio) == (0, None)
    assert (held(found, "hot").share, held(found, "hot").ratio) == (0, 0)


def test_regions_of_another_size_are_refused(halves, left_bright):
    explanation = made(halves, left_bright, RNG.random((32, 32)))

    with pytest.raises(
        InputError, match=r"'all' has the size \(8, 8\).*of the sample that was explained"
    ):
        audit(explanation, Regions({"mine": {"all": np.ones((8, 8), bool)}}))


def test_many_files_have_a_mean_with_its_interval(halves, left_bright):
    maps = [made(halves, left_bright, RNG.random((32, 32))) for _ in range(12)]

    rows = audit_folder([audit(one, HALVES) for one in maps])

    left = rows[0]
    assert (left.region, left.files, left.alarm) == ("left", 12, "")
    assert left.low < left.share < left.high
    assert left.share == pytest.approx(0.5, abs=0.02)


def test_one_file_has_no_interval(halves, left_bright):
    (row, *_) = audit_folder([audit(made(halves, left_bright, RNG.random((32, 32))), HALVES)])

    assert 0 < row.share < 1
    assert (row.low, row.high) == (None, None)


@pytest.mark.parametrize(("bad", "alarm"), [(0, False), (1, False), (3, True)])
def test_a_folder_alarms_where_more_files_do_than_chance_has(halves, left_bright, bad, alarm):
    corner = np.zeros((32, 32))
    corner[:4, :4] = 1
    maps = [corner] * bad + [np.pad(np.ones((8, 8)), 12)] * (20 - bad)

    rows = audit_folder([audit(made(halves, left_bright, one)) for one in maps])

    corners = next(row for row in rows if row.region == "corners")
    assert (corners.alarms, bool(corners.alarm)) == (bad, alarm)


def test_one_file_beyond_its_limit_is_not_too_many(halves, left_bright):
    corner = np.zeros((32, 32))
    corner[:4, :4] = 1
    found = audit(made(halves, left_bright, corner))

    one, two = ({row.region: row.alarm for row in audit_folder([found] * n)} for n in (1, 2))

    assert found.alarms
    assert one["corners"] == ""
    assert two["corners"] == "too much evidence in too many files"


@pytest.mark.parametrize(("count", "alarm"), [(9, ""), (10, "hardly more evidence than by chance")])
def test_evidence_that_ignores_where_it_should_be_is_an_alarm(halves, left_bright, count, alarm):
    lung = Regions({"chest": {"lungs": np.arange(32) < 8 + np.zeros((32, 1))}})
    maps = [made(halves, left_bright, RNG.random((32, 32))) for _ in range(count)]

    assert audit_folder([audit(one, lung) for one in maps])[0].alarm == alarm


def pictures(marked: bool) -> tuple[np.ndarray, np.ndarray]:
    """96 noisy pictures; of the second class by a mark in a corner, or a blob anywhere inside."""
    rng, labels = np.random.default_rng(1), np.arange(96) % 2
    images = rng.random((96, 32, 32, 3)) * 0.4
    for image, label in zip(images, labels, strict=True):
        row, column = (1, 26) if marked else rng.integers(9, 18, 2)
        if label:
            image[row : row + 5, column : column + 5] = 1
    return images.astype(np.float32), labels


def trained(marked: bool) -> tuple[Classifier, np.ndarray]:
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 32, 3))
    for filters in (8, 8):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    images, labels = pictures(marked)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss)
    model.fit(images, labels[:, None], epochs=12, batch_size=16, verbose=0)
    return Classifier(model, ["plain", "marked"], name="shortcut"), images[labels == 1]


@pytest.mark.parametrize("marked", [True, False], ids=["mark", "blob"])
def test_a_model_that_decides_by_a_mark_in_the_corner_is_found_out(marked):
    classifier, images = trained(marked)
    samples = [sample_of(image) for image in images[:12]]
    assert [said.name for said in classifier.predict(samples)] == ["marked"] * 12

    rows = audit_folder([audit(explain(classifier, sample)) for sample in samples])

    corners = next(row for row in rows if row.region == "corners")
    assert bool(corners.alarm) is marked
    assert any(row.alarm for row in rows) is marked


def test_a_shipped_model_is_audited():
    found = audit_file(load("brain_cnn"), SAMPLES / "brain_head_lesion.png")

    head = [row.share for row in found.audit.rows if row.partition == "head"]
    assert len(head) == 3
    assert sum(head) == pytest.approx(1)


def test_the_command_tells_shares_and_draws_regions(run, model, tmp_path):
    xrays, out = [SAMPLES / "xray_normal.jpg", SAMPLES / "xray_opacity.jpg"], tmp_path / "audit"

    code, said, _ = run(
        "audit",
        *xrays,
        "--model",
        model,
        "--task",
        "lung_opacity",
        "--preprocessing",
        "unit",
        "--method",
        "occlusion",
        "--out",
        out,
        "--json",
    )

    told = result_of(said)
    assert code == 0
    assert [Path(one["file"]).name for one in told["files"]] == [x.name for x in xrays]
    regions = {row["region"]: row for row in told["summary"]}
    assert regions["lungs"]["files"] == 2
    assert sum(
        row["share"] for row in told["summary"] if row["partition"] == "chest"
    ) == pytest.approx(1)
    assert sorted(path.name for path in out.iterdir()) == ["xray_normal.png", "xray_opacity.png"]


def test_the_command_prints_a_table_and_goes_on_after_a_bad_file(run, model, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")

    code, said, told = run(
        "audit",
        bad,
        SAMPLES / "cat.jpg",
        "--model",
        model,
        "--task",
        "lung_opacity",
        "--preprocessing",
        "unit",
    )

    assert code == 2
    assert "corners" in said
    assert "bad.png" in told
    assert "two lungs were not found" in told


def test_the_command_parts_by_what_it_is_told(run, model):
    words = [
        "audit",
        SAMPLES / "xray_normal.jpg",
        "--model",
        model,
        "--task",
        "lung_opacity",
        "--preprocessing",
        "unit",
        "--method",
        "saliency",
    ]

    _, out, _ = run(*words, "--by", "frame", "--json")
    code, nothing, told = run(*words, "--by", "fame")

    assert {row["partition"] for row in result_of(out)["summary"]} == {"frame"}
    assert (code, nothing) == (2, "")
    assert "There is no partition 'fame'. Did you mean 'frame'?" in told


def test_the_command_refuses_a_place_that_is_no_folder(run, model, tmp_path):
    place = tmp_path / "file"
    place.touch()

    code, _, told = run("audit", SAMPLES / "cat.jpg", "--model", model, "--out", place)

    assert code == 2
    assert "is not a folder. Use another --out." in told
