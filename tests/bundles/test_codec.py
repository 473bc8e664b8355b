"""Records as trees and arrays: everything comes back, also from what an earlier version wrote."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TEST_DATA
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question
from xai_tf.bundles.codec import Decoder, Encoder, field_types
from xai_tf.bundles.manifest import read_manifest
from xai_tf.bundles.read import read_bundle
from xai_tf.bundles.write import save_bundle
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.metrics import score
from xai_tf.metrics.score import Score
from xai_tf.reports import folder_report

BUNDLES = TEST_DATA / "first_edition" / "bundles"


def through_json(kind, value):
    """A value, encoded, written as JSON, read and decoded."""
    encoder = Encoder()
    tree = json.loads(json.dumps(encoder.encode(value)))
    return Decoder(encoder.arrays.__getitem__).decode(kind, tree)


def assert_same(first, second, where="record"):
    """The same records, fields and arrays, to the last bit and of the same dtype."""
    assert type(first) is type(second), where
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype, where
        np.testing.assert_array_equal(first, second, where)
    elif hasattr(first, "__dataclass_fields__"):
        for field in fields(first):
            name = field.name
            assert_same(getattr(first, name), getattr(second, name), f"{where}.{name}")
    elif isinstance(first, tuple | list):
        assert len(first) == len(second), where
        for number, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for name in first:
            assert_same(first[name], second[name], f"{where}[{name}]")
    else:
        assert first == second, where


@pytest.fixture(scope="session")
def asked(three_classes, blobs) -> Explanation:
    question = Question("rise", target="b", contrast=2, seed=3, settings={"num_samples": 32})
    return explain(three_classes, blobs, question)


def test_an_explanation_comes_back_whole(asked):
    back = through_json(Explanation, asked)

    assert_same(asked, back)
    assert back.question == asked.question


@pytest.mark.parametrize("method", METHODS)
def test_an_explanation_by_any_method_comes_back_whole(three_classes, blobs, method):
    few = {"num_samples": 16} if "num_samples" in METHODS[method].options else {}
    made = explain(three_classes, blobs, method, settings=few)

    assert_same(made, through_json(Explanation, made))


def test_scores_and_what_a_recording_is_read_as_come_back_whole(three_classes, asked):
    scores = tuple(score(three_classes, asked, ["deletion", "sparseness"]))
    rng = np.random.default_rng(0)
    sound = Sound(
        waveform=rng.random(800, np.float32),
        rate=8000,
        decibels=rng.random((4, 5), np.float32),
        hertz=rng.random(4, np.float32),
        seconds=rng.random(5, np.float32),
    )
    sample = replace(asked.sample, sound=sound, label=1, warnings=("It is short.",))
    reading = Reading(
        source=Path("call.wav"),
        samples=(sample, sample),
        predictions=(asked.prediction, asked.prediction),
        prediction=asked.prediction,
        ood_score=OODScore(3.5, 2.0, 0.01, "deepfake_audio", sound=True),
    )

    assert_same(scores, through_json(tuple[Score, ...], scores))
    assert_same(reading, through_json(Reading, reading))


def test_an_array_that_occurs_twice_is_stored_once(asked):
    encoder = Encoder()

    encoder.encode([asked, asked])

    assert sum(array is asked.attribution for array in encoder.arrays.values()) == 1


def test_a_field_that_an_earlier_version_did_not_write_takes_its_default():
    tree = {"image": "a0", "source": "cat.jpg", "sha256": "0" * 64, "label": None, "new": 1}

    sample = Decoder({"a0": np.zeros((8, 8, 3), np.float32)}.__getitem__).decode(Sample, tree)

    assert (sample.sound, sample.gray, sample.warnings) == (None, False, ())


@pytest.mark.parametrize("kind", [Explanation, Reading, Sample, Prediction, Score])
def test_the_types_of_all_fields_are_known_at_run_time(kind):
    assert field_types(kind).keys() == {field.name for field in fields(kind)}


def test_a_bundle_reads_back_as_it_was_explained(three_classes, asked, tmp_path):
    reading = Reading(
        source=asked.sample.source,
        samples=(asked.sample,),
        predictions=(asked.prediction,),
        prediction=asked.prediction,
        ood_score=OODScore(3.5, 2.0, 0.01),
    )

    save_bundle(tmp_path / "bundle", three_classes, reading, [asked])

    item = read_bundle(tmp_path / "bundle")
    assert_same(item.reading, reading)  # the OOD score too
    (back,) = item.explanations
    assert_same(replace(back, convergence=None), replace(asked, convergence=None))
    assert_same(back.convergence, replace(asked.convergence, state=None, kept=False))


# What the first edition of this program wrote, with the models and samples that come with it.


@pytest.mark.parametrize("folder", sorted(BUNDLES.iterdir()), ids=lambda folder: folder.name)
def test_a_bundle_of_the_first_edition_reads_back(folder):
    written = json.loads((folder / "manifest.json").read_text())
    with np.load(folder / "attributions.npz") as archive:
        arrays = dict(archive)

    item = read_bundle(folder)

    assert written["schema_version"] == 2
    assert item.reading.prediction.name == written["input"]["prediction"]["class"]
    assert item.reading.ood_score.distance == written["input"]["familiarity"]["distance"]
    assert len(item.explanations) == len(written["explanations"]) > 0
    for explanation, entry in zip(item.explanations, written["explanations"], strict=True):
        np.testing.assert_array_equal(explanation.attribution, arrays[entry["array"]])
        assert explanation.method.name == entry["method"]
        assert explanation.settings == entry["settings"]
        assert explanation.seed == entry["seed"]
        assert explanation.prediction.classes[explanation.target] == entry["target"]
        assert (explanation.segments is None) == (f"{entry['array']}_segments" not in arrays)
        settled = entry["convergence"]
        assert (explanation.convergence is None) == (settled is None)
        if settled:
            assert explanation.convergence.samples.tolist() == settled["samples"]
            assert explanation.convergence.reached == settled["reached"]


def test_a_report_is_made_of_bundles_of_the_first_edition(tmp_path):
    items = [read_bundle(folder) for folder in sorted(BUNDLES.iterdir())]
    page = folder_report(items)

    for text in ("xray_opacity.jpg", "Kernel SHAP", "speech_synthetic_long.flac", "Deletion"):
        assert text in page


def test_the_question_of_the_first_edition_is_known():
    asked = read_manifest(BUNDLES / "xray_opacity")["question"]

    assert [Question.from_dict(one) for one in asked["questions"]] == [
        Question("grad_cam"),
        Question("rise", settings={"num_samples": 64}, until_stable=0.8),
    ]
    assert asked["metrics"] == ["deletion", "sparseness"]
