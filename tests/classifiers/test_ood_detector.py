"""OOD scores: distances by arithmetic, detectors on disk, and who is warned."""

import asyncio
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from html import escape
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import weights_keras
from dashboards.files.uploads import Uploads
from dashboards.service.catalogue import find_models
from dashboards.service.requests import ModelEntry, Predict, Upload, key
from dashboards.service.serialization import pack, unpack
from dashboards.service.service import Service
from dashboards.state.session import Session
from dashboards.views.trust import TrustView
from tests.conftest import SAMPLES, SHARED, TEST_DATA, draw_stripes, result_of, sample_of
from tests.waiting import until
from weights_keras import ModelCard, ood_file
from xai_tf.attribution.explain import explain
from xai_tf.bundles.index import write_page
from xai_tf.bundles.write import describe_reading, save_bundle
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.ood import (
    OODScore,
    file_ood_score,
    fit_ood_detector,
    measure_ood_detector,
    ood_layer,
    ood_scores,
    predict_with_ood_scores,
)
from xai_tf.classifiers.ood_detector import OODDetector, file_medians, fit_detector
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.cli.demo import DEMOS
from xai_tf.cli.run import app
from xai_tf.datasets.reading import read_splits
from xai_tf.errors import ModelError
from xai_tf.evaluation.mistakes import study_mistakes
from xai_tf.evaluation.predictions import find_labeled, predict_labeled
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.narration import facts, narrate
from xai_tf.regions import audit_file
from xai_tf.regions.drawing import draw
from xai_tf.rendering import heatmaps
from xai_tf.reports.class_mistakes import ClassMistakesReport
from xai_tf.tasks import TASKS
from xai_tf.training.publish import SECTION, publish, with_ood_detector

COMMAND = "from xai_tf.cli import main; main()"
CLEAN_SPEECH = TEST_DATA / "speech_clean.flac"
FAR = OODScore(41.3, 10.0, 0.01, "lung_opacity")
NEAR = replace(FAR, distance=9.9)


@pytest.fixture(scope="module")
def splits(stripes):
    return read_splits(stripes, TASKS["lung_opacity"], (32, 32))


@pytest.fixture(scope="module")
def folder(small_cnn, splits, tmp_path_factory):
    """A model of two classes with a gate, made from stripes."""
    keras.utils.set_random_seed(1)
    map_ = small_cnn.get_layer("relu_b").output
    pooled = keras.layers.GlobalAveragePooling2D()(map_)
    model = keras.Model(small_cnn.input, keras.layers.Dense(1, name="one")(pooled))
    folder = tmp_path_factory.mktemp("gated")
    publish(
        model,
        splits,
        TASKS["lung_opacity"],
        name="striped",
        backbone="cnn",
        folder=folder,
        story="Not trained.",
        further={"again": splits.train},
    )
    return folder


@pytest.fixture(scope="module")
def gated(folder):
    return load(folder / "striped.keras")


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the model's files, to be harmed."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / "striped.keras"


@pytest.fixture
def noise(tmp_path):
    path = tmp_path / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


# Distances


def test_the_distance_is_that_of_mahalanobis():
    ood_detector = OODDetector(
        layer="a",
        center=np.array([1.0, 0, 0]),
        axes=np.array([[1.0, 0, 0]]),
        variances=np.array([4.0]),
        rest=0.25,
        threshold=1.0,
        share=0.01,
        trained=9,
        validated=9,
    )

    distances = ood_detector.distances(
        np.array([[1.0, 0, 0], [5.0, 0, 0], [1.0, 1, 0], [5.0, 1, 0]])
    )

    # 4 along the axis of deviation 2 is 2; 1 beside it, of deviation 0.5, is 2 as well.
    np.testing.assert_allclose(distances, [0, 2, 2, 8**0.5])


def test_a_fitted_gate_finds_what_varies_and_how_much():
    rng = np.random.default_rng(0)
    deviations = np.array([5.0, *[1.0] * 39])
    draw = lambda count: rng.normal(size=(count, 40)) * deviations  # noqa: E731

    ood_detector = fit_detector("a", draw(4000), draw(2000), np.arange(2000))

    assert len(ood_detector.axes) == 20
    assert abs(ood_detector.axes[0, 0]) > 0.99
    assert ood_detector.variances[0] ** 0.5 == pytest.approx(5, rel=0.05)
    # 40 numbers of deviation 1: the square of the distance is chi-squared, of 40 degrees.
    distances = ood_detector.distances(draw(2000))
    assert (distances**2).mean() == pytest.approx(40, rel=0.05)
    assert (distances > ood_detector.threshold).mean() == pytest.approx(0.01, abs=0.01)


def test_no_more_than_the_stated_share_of_the_validation_files_is_beyond():
    rng = np.random.default_rng(0)
    train, validation = rng.normal(size=(500, 8)), rng.normal(size=(300, 8))

    ood_detector = fit_detector("a", train, validation, np.arange(300))

    assert (ood_detector.distances(validation) > ood_detector.threshold).sum() == 0.01 * 300 - 1


def test_what_never_changed_in_training_is_unfamiliar_when_it_does():
    train = np.random.default_rng(0).normal(size=(200, 8))
    train[:, 4:] = 0
    ood_detector = fit_detector("a", train, train, np.arange(200))

    odd = np.zeros((1, 8))
    odd[0, 7] = 1

    assert np.isfinite(ood_detector.distances(odd)).all()
    assert ood_detector.distances(odd)[0] > 10 * ood_detector.threshold


def test_pictures_that_are_all_the_same_make_a_gate_that_works():
    same = np.ones((10, 4))

    ood_detector = OODDetector.from_arrays(fit_detector("a", same, same, np.arange(10)).arrays())

    assert (ood_detector.distances(same) <= ood_detector.threshold).all()
    assert (ood_detector.distances(same + 1) > ood_detector.threshold).all()


def test_a_file_lies_where_the_median_of_its_windows_does():
    found = [replace(FAR, distance=distance) for distance in (1.0, 99.0, 2.0)]

    assert file_ood_score(found).distance == 2
    assert not file_ood_score(found).out_of_distribution
    assert file_ood_score([]) is None
    assert file_medians(np.array([1.0, 99, 2, 50]), np.array([3, 3, 3, 1])).tolist() == [50, 2]


def test_a_gate_comes_back_from_its_arrays():
    train = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    ood_detector = fit_detector("a layer", train, train, np.arange(200))

    again = OODDetector.from_arrays(ood_detector.arrays())

    assert again.layer == "a layer"
    np.testing.assert_array_equal(again.distances(train), ood_detector.distances(train))


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        ({"axes": np.ones((3, 9), np.float32)}, "do not match"),
        ({"threshold": np.array(np.nan)}, "not finite"),
        ({"variances": np.zeros(4, np.float32)}, "not positive"),
        ({"format": np.array(99)}, "another version"),
    ],
)
def test_arrays_that_are_no_ood_detector_are_refused(harm, cause):
    train = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    arrays = fit_detector("a", train, train, np.arange(200)).arrays()

    with pytest.raises(ValueError, match=cause):
        OODDetector.from_arrays(arrays | harm)


# Reasons


def test_the_reason_says_how_far_and_what_it_may_not_be():
    assert FAR.out_of_distribution
    assert FAR.reason.startswith(
        "This picture is unlike the training pictures: its distance from them is 4.1 times that "
        "within which 99% of the validation pictures lie, so it may not be a chest X-ray"
    )
    assert "4,1 fois" in FAR.reason_in("fr")
    assert "une radiographie du thorax" in FAR.reason_in("fr")
    assert replace(FAR, sound=True).reason.startswith("This recording")
    assert "what the model was trained for" in replace(FAR, task=None).reason


@pytest.mark.parametrize(("distance", "ratio"), [(10.001, "1.01 "), (10.6, "1.06 "), (999, "100 ")])
def test_what_is_beyond_never_reads_as_once_as_far(distance, ratio):
    assert f"is {ratio}times" in replace(FAR, distance=distance).reason


def test_what_is_in_distribution_has_no_reason():
    assert not NEAR.out_of_distribution
    assert NEAR.reason == ""


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_task_says_what_its_files_are(task):
    assert set(task.subject) == {"en", "fr"}


# A classifier


def test_the_check_is_of_the_same_pass_and_changes_no_prediction(gated, stripes):
    samples = [gated.read(path) for path in sorted(stripes.rglob("*.png"))[:40]]

    predictions, found = predict_with_ood_scores(gated, samples)

    alone = gated.predict(samples)
    for one, other in zip(predictions, alone, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)
    maps = gated.feature_maps(gated.ood_detector.layer)(
        np.stack([s.image for s in samples])
    ).numpy()
    expected = gated.ood_detector.distances(maps.mean(axis=(1, 2)))
    np.testing.assert_allclose([one.distance for one in found], expected, rtol=1e-3)
    assert [one.distance for one in ood_scores(gated, samples)] == [one.distance for one in found]


def test_noise_is_unfamiliar_and_stripes_are_not(gated, stripes, noise):
    reading = read_and_predict(gated, stripes / "normal" / "00.png")
    odd = read_and_predict(gated, noise)

    assert reading.ood_score is not None
    assert reading.warnings == ()
    assert odd.ood_score.out_of_distribution
    assert odd.warnings == (odd.ood_score.reason,)
    assert odd.explanation_warnings == (f"{odd.ood_score.reason} Explained anyway.",)


def test_a_model_without_a_gate_is_not_checked(three_classes, blobs):
    assert ood_scores(three_classes, [blobs]) is None

    reading = read_and_predict(three_classes, SAMPLES / "dog.jpg")

    assert reading.ood_score is None
    assert reading.warnings == three_classes.warnings  # nothing about the file
    assert describe_reading(reading)["ood_score"] is None


def test_a_gate_looks_before_the_end_of_the_network(three_classes):
    resolution_layers = three_classes.resolution_layers

    assert ood_layer(three_classes) == resolution_layers[-2]


def test_a_model_without_a_feature_map_has_no_gate(splits, tmp_path):
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(layers)

    card = publish(
        model,
        splits,
        TASKS["lung_opacity"],
        name="flat",
        backbone="cnn",
        folder=tmp_path,
        story="Not trained.",
    )

    assert card.ood_sha256 == ""
    assert SECTION not in card.text
    assert load(tmp_path / "flat.keras").ood_detector is None
    with pytest.raises(ModelError, match="no convolutional feature map"):
        ood_layer(Classifier(model, ["a", "b"]))


# On disk


def test_training_writes_the_gate_with_its_rates_in_the_card(folder, gated, splits):
    card = weights_keras.read_card(folder / "striped.md")

    measured = {m.split: m for m in card.metrics if m.name == "out_of_distribution"}
    assert set(measured) == {"test", "again"}
    assert measured["test"] == measure_ood_detector(gated, gated.ood_detector, splits.test, "test")
    assert measured["again"].value < 0.3  # seven files set the threshold
    assert card.ood_sha256
    assert "no picture" in card.text.split(SECTION)[1]
    assert gated.ood_problem == ""
    assert ood_file(folder / "striped.keras").stat().st_size < 200_000


def test_a_card_says_what_its_gate_is_once():
    train = np.ones((4, 4))
    ood_detector = fit_detector("conv", train, train, np.arange(4))
    card = ModelCard(
        name="a",
        task="t",
        classes=("x", "y"),
        backbone="cnn",
        text="# A\n\nWords.\n\n## Notes\n\nMore.",
    )

    once = with_ood_detector(card, ood_detector)
    twice = with_ood_detector(once, ood_detector)

    assert twice == once
    assert once.text.count(SECTION) == 1
    assert once.text.startswith(card.text)


def test_what_follows_the_words_of_a_gate_stays():
    train = np.ones((4, 4))
    ood_detector = fit_detector("conv", train, train, np.arange(4))
    card = ModelCard(
        name="a",
        task="t",
        classes=("x", "y"),
        backbone="cnn",
        text=f"# A\n\n{SECTION}\n\nOld.\n\n## Notes\n\nMore.",
    )

    text = with_ood_detector(card, ood_detector).text

    assert "Old." not in text
    assert text.endswith("## Notes\n\nMore.")


def test_a_new_training_without_a_gate_takes_the_old_one_away(copied):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])

    weights_keras.save(
        model,
        ModelCard(name="striped", task="t", classes=("x", "y"), backbone="cnn"),
        copied.parent,
    )

    assert not ood_file(copied).exists()


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:500])


def _other_bytes(file: Path) -> None:
    file.write_bytes(b"Dear all,\n" * 99)


def _other_model(file: Path) -> None:
    _rewrite(file, model=np.array("ab" * 32))


def _other_layer(file: Path) -> None:
    _rewrite(file, layer=np.array("nowhere"))


def _words(file: Path) -> None:
    _rewrite(file, center=np.array(["a"] * 16))


def _pickled(file: Path) -> None:
    _rewrite(file, axes=np.array([{}], dtype=object))


def _rewrite(file: Path, **changed: np.ndarray) -> None:
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(file, **arrays | changed)


HARM = {
    "missing": (Path.unlink, "is missing"),
    "another": (_other_bytes, "SHA-256 differs"),
    "cut off": (_cut_off, "SHA-256 differs"),
}
HARM_WITHOUT_CARD = {
    "cut off": (_cut_off, "damaged or truncated"),
    "no archive": (_other_bytes, "damaged or truncated"),
    "pickled": (_pickled, "damaged or truncated"),
    "words": (_words, "not checked"),
    "another model's": (_other_model, "belongs to another model file"),
    "another layer": (_other_layer, "'nowhere'"),
}


@pytest.mark.parametrize("case", HARM)
def test_a_damaged_ood_detector_is_reported_and_the_model_still_works(copied, stripes, case):
    harm, cause = HARM[case]
    harm(ood_file(copied))

    reading = read_and_predict(load(copied), stripes / "normal" / "00.png")

    assert_not_checked(reading, copied, cause)


@pytest.mark.parametrize("case", HARM_WITHOUT_CARD)
def test_a_harmed_gate_is_found_without_a_card_too(copied, stripes, case):
    harm, cause = HARM_WITHOUT_CARD[case]
    copied.with_suffix(".md").unlink()
    harm(ood_file(copied))
    classifier = load(copied, task="lung_opacity")

    reading = read_and_predict(classifier, stripes / "normal" / "00.png")

    assert_not_checked(reading, copied, cause)


def assert_not_checked(reading: Reading, model: Path, cause: str) -> None:
    *_, warning = reading.warnings
    assert len(reading.warnings) == 1 + len(reading.model_warnings)
    assert reading.ood_score is None
    assert reading.prediction.name in ("normal", "opacity")
    assert cause in warning
    assert ood_file(model).name in warning
    assert str(model.parent) not in warning  # it reaches visitors
    assert "xai-tf fit-ood" in warning
    assert reading.explanation_warnings == reading.warnings


def test_a_gate_without_a_card_is_used(copied, noise):
    copied.with_suffix(".md").unlink()

    reading = read_and_predict(load(copied, task="lung_opacity"), noise)

    assert reading.ood_score.out_of_distribution


# Who is warned


@pytest.fixture(scope="module")
def odd(gated, tmp_path_factory):
    """A reading of noise, and an explanation of it."""
    path = tmp_path_factory.mktemp("odd") / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    reading = read_and_predict(gated, path)
    return reading, explain(gated, reading.samples[0], "saliency")


def test_a_bundle_and_its_page_say_that_it_was_explained_anyway(gated, odd, tmp_path):
    reading, explanation = odd

    manifest = save_bundle(tmp_path / "noise", gated, reading, [explanation])
    page = write_page(tmp_path, {"noise": manifest}, "Noise").read_text()

    written = json.loads((tmp_path / "noise" / "manifest.json").read_text())["input"]
    assert written["ood_score"]["out_of_distribution"] is True
    assert written["ood_score"]["reason"] == reading.ood_score.reason
    assert written["warnings"] == [f"{reading.ood_score.reason} Explained anyway."]
    assert "Explained anyway." in page


def test_pictures_of_it_are_marked(gated, odd, noise, stripes):
    reading, explanation = odd
    known = read_and_predict(gated, stripes / "normal" / "00.png")

    plots = [
        heatmaps.figure(explanation, mark=reading.ood_caption),
        heatmaps.comparison([explanation], mark=reading.ood_caption),
        draw(audit_file(gated, noise, "saliency")),
    ]

    for plot in plots:
        assert plot.get_suptitle().endswith(f"?\n{reading.ood_caption}")
    assert reading.ood_caption == "explained anyway: unlike the training data"
    assert known.ood_caption == ""
    assert "\n" not in heatmaps.figure(explanation, mark=known.ood_caption).get_suptitle()


def test_a_mistake_that_is_no_file_for_the_model_is_said_to_be(gated, noise, tmp_path):
    for name in gated.classes:  # it is wrong of one of them
        (tmp_path / name).mkdir()
        shutil.copy(noise, tmp_path / name / "noise.png")
    found = find_labeled(tmp_path, gated.name, gated.classes, gated.task)
    answers = EvaluationResults(predict_labeled(gated, found))

    mistakes, _ = study_mistakes(gated, answers, "saliency")

    assert answers.predictions.out_of_distribution == (True, True)
    (mistake,) = mistakes
    assert mistake.warnings[-1].endswith("Explained anyway.")
    assert escape(mistake.warnings[-1]) in ClassMistakesReport(gated, answers, mistakes).page()
    (told,) = ClassMistakesReport(gated, answers, mistakes).to_dict()["mistakes"]
    assert told["warnings"] == list(mistake.warnings)


def test_the_page_gets_the_score_from_the_worker(odd, tmp_path):
    reading = odd[0]
    model = ModelEntry(
        name="striped",
        path=tmp_path,
        sha256="ab" * 32,
        task="lung_opacity",
        title="",
        classes=("a", "b"),
        summary="",
    )
    file = Upload(
        name="n.png", path=reading.source, sha256=reading.samples[0].sha256, size=1, kind="picture"
    )

    again = unpack(pack(reading), Predict(model, file))

    assert again.ood_score == reading.ood_score
    assert again.warnings == reading.warnings
    other = replace(model, ood_sha256="cd" * 32)
    assert key(Predict(other, file)) != key(Predict(model, file))


@pytest.mark.slow  # a server's processes
@pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
def test_a_visitor_is_warned_and_gets_the_map(folder, noise, stripes, tmp_path):
    service = Service({"striped": find_models([folder])["striped"]}, tmp_path / "store")

    async def visit():
        session = Session(service, Uploads(tmp_path / "uploads"))
        workspace, explorer = session.workspace, session.explorer
        trust = TrustView(trust=session.trust)
        workspace.add("noise.png", noise.read_bytes())
        await until(lambda: workspace.match is not None)
        assert workspace.model is None  # no model here knows noise
        workspace.choose_model("striped")
        await until(lambda: explorer.explanation is not None)
        await until(lambda: session.trust.verdict is not None)
        warned = (workspace.reading, [item["text"] for item in trust._reasons.items])
        workspace.add("stripes.png", (stripes / "normal" / "00.png").read_bytes())
        await until(lambda: workspace.reading is not None and workspace.reading is not warned[0])
        session.close()
        return warned, (workspace.reading, workspace.match.known)

    try:
        (odd, reasons), (known, found) = asyncio.run(visit())
    finally:
        service.close()

    assert odd.ood_score.out_of_distribution
    assert any("unlike the training" in text for text in reasons)
    assert not known.ood_score.out_of_distribution
    assert found  # the model that knows the file, without being asked for


def test_the_text_in_words_says_so(odd):
    told = facts(odd[0])

    fact = next(fact for fact in told if fact.kind == "out_of_distribution")
    assert fact.english == odd[0].ood_score.reason
    assert fact.french == odd[0].ood_score.reason_in("fr")
    assert any(fact.french in text for text in narrate(told, "fr"))
    prediction = Prediction(np.zeros(1), np.array([0.5, 0.5]), ("a", "b"))
    sample = sample_of(np.zeros((8, 8, 3)))
    plain = Reading(
        source=Path("a.png"),
        samples=(sample,),
        predictions=(prediction,),
        prediction=prediction,
        ood_score=NEAR,
    )
    assert "out_of_distribution" not in {fact.kind for fact in facts(plain)}


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


def test_the_command_warns_and_goes_on(run, folder, noise, tmp_path):
    model = folder / "striped.keras"

    predicted = run("predict", noise, "--model", model)
    explained = run(
        "explain", noise, "--model", model, "--method", "saliency", "--out", tmp_path / "out"
    )

    assert predicted.exit_code == explained.exit_code == 0
    assert "it may not be a chest X-ray" in predicted.stderr
    assert "Explained anyway." not in predicted.stderr
    assert "Explained anyway." in explained.stderr
    assert (tmp_path / "out" / "noise" / "manifest.json").is_file()


def test_the_command_makes_a_gate_from_the_training_folder(run, copied, stripes, noise):
    before = ood_file(copied).read_bytes()
    ood_file(copied).unlink()

    done = run("fit-ood", copied, stripes, "--other", f"noise={noise.parent}", "--json")

    assert done.exit_code == 0
    card = weights_keras.read_card(copied.with_suffix(".md"))
    measured = {m.split: m for m in card.metrics if m.name == "out_of_distribution"}
    assert set(measured) == {"test", "noise"}
    assert [m.split for m in card.metrics if m.name == UNWARNED][-1] == "test"
    assert measured["noise"].value == 1
    assert ood_file(copied).read_bytes() == before
    assert load(copied).ood_detector is not None
    assert result_of(done.stdout)["measures"][0]["split"] == "test"


def test_a_bad_file_of_another_set_is_reported_and_the_detector_is_written(
    run, copied, stripes, noise
):
    ood_file(copied).unlink()
    others = {"noise": noise.parent / "some", "torn": noise.parent / "torn"}
    for place in others.values():
        place.mkdir()
        (place / "torn.png").write_bytes(b"no picture")
    (others["noise"] / "noise.png").write_bytes(noise.read_bytes())

    words = [word for name, place in others.items() for word in ("--other", f"{name}={place}")]
    done = run("fit-ood", copied, stripes, *words, "--json")

    assert done.exit_code == 0
    assert "Left out of noise" in done.stderr
    assert "Cannot read any file of torn" in done.stderr
    measures = {m["split"]: m for m in result_of(done.stdout)["measures"]}
    assert set(measures) == {"test", "noise"}
    assert measures["noise"]["count"] == 1
    assert load(copied).ood_detector is not None


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--other", "noise"], "NAME=FOLDER"),
        (["--other", "none={empty}"], "contains no file that 'striped' can read"),
        (["--other", "noise=nowhere"], "no folder nowhere"),
        (["--seed", "0", "--layout", "cards"], "cards"),
    ],
)
def test_the_command_refuses_what_it_cannot_do_before_any_work(run, copied, stripes, words, cause):
    before = ood_file(copied).read_bytes()
    empty = copied.parent / "empty"
    empty.mkdir()

    words = [word.format(empty=empty) for word in words]
    done = run("fit-ood", copied, stripes, "--overwrite", *words)

    assert done.exit_code != 0
    assert cause in str(done.exception)
    assert ood_file(copied).read_bytes() == before


def test_a_detector_is_replaced_only_where_it_is_asked(run, copied, stripes):
    before = ood_file(copied).read_bytes()

    done = run("fit-ood", copied, stripes)

    assert done.exit_code != 0
    assert "Add --overwrite to replace it, or keep it." in str(done.exception)
    assert ood_file(copied).read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_is_reported_in_a_line_and_the_detector_stays(copied, stripes):
    import resource

    before = sorted((path.name, path.read_bytes()) for path in copied.parent.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "fit-ood", copied, stripes, "--overwrite"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        check=False,
    )

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"Cannot write {ood_file(copied)}: File too large. Free some space" in line
    assert done.stdout == ""
    assert sorted((path.name, path.read_bytes()) for path in copied.parent.iterdir()) == before


def test_the_command_refuses_data_of_other_classes(run, copied, tmp_path):
    source = draw_stripes(tmp_path / "other", ("a", "b"), 8)
    before = ood_file(copied).read_bytes()

    done = run("fit-ood", copied, source, "--overwrite")

    assert done.exit_code != 0
    assert "normal" in str(done.exception)
    assert ood_file(copied).read_bytes() == before


# The shipped models

SHIPPED = [
    name
    for name in weights_keras.names()
    if ood_file(weights_keras.FOLDER / f"{name}.keras").is_file()
]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_of_a_shipped_model_names_its_gate(name):
    path = weights_keras.FOLDER / f"{name}.keras"
    card = weights_keras.read_card(path.with_suffix(".md"))

    arrays = weights_keras.load_ood_detector(path, card.sha256, card)

    assert OODDetector.from_arrays(arrays).share == 0.01
    assert ood_file(path).stat().st_size <= 200_000
    assert SECTION in card.text
    rates = {m.split: m for m in card.metrics if m.name == "out_of_distribution"}
    assert rates["test"].low <= 0.05


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
def test_the_shipped_xray_model_knows_an_xray_from_a_brain():
    classifier = load("xray_mobilenetv2")
    folders = {"chest_xray/test": 0, "brain_mri/test": 1, "samples": 1}
    for folder, expected in folders.items():
        paths = sorted((SHARED / folder).rglob("*.jpg"))[::25]
        found = ood_scores(classifier, [classifier.read(path) for path in paths])
        assert np.mean([one.out_of_distribution for one in found]) == pytest.approx(
            expected, abs=0.15
        )


@pytest.mark.slow  # four models
@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.model)
def test_of_no_sample_of_the_demo_a_person_is_warned(demo):
    classifier = load(demo.model)

    readings = [read_and_predict(classifier, SAMPLES / file) for file in demo.files]

    assert all(reading.ood_score for reading in readings)
    assert {reading.source.name: reading.explanation_warnings for reading in readings} == (
        dict.fromkeys(demo.files, ())
    )


def test_clean_speech_is_unfamiliar_to_a_model_that_heard_telephones_only():
    classifier = load("audio_mobilenetv2")

    clean, sample = (
        read_and_predict(classifier, path)
        for path in (CLEAN_SPEECH, SAMPLES / "speech_synthetic.wav")
    )

    assert clean.ood_score.out_of_distribution
    assert clean.warnings[0].startswith("This recording is unlike ")
    assert not sample.ood_score.out_of_distribution


@pytest.mark.slow  # a shipped model
def test_a_profile_says_how_many_files_were_explained_anyway(run, tmp_path):
    for path in (CLEAN_SPEECH, SAMPLES / "speech_synthetic.wav"):
        shutil.copy(path, tmp_path)

    found = run(
        "profile", tmp_path, "--model", "audio_mobilenetv2", "--out", tmp_path / "p.png", "--json"
    )

    assert found.exit_code == 0
    assert sum(one["out_of_distribution"] for one in result_of(found.stdout)["classes"]) == 1
    assert sum(one["count"] for one in result_of(found.stdout)["classes"]) == 2


def test_a_gate_is_the_same_whoever_makes_it(gated, splits):
    again = fit_ood_detector(gated, splits.train, splits.validation)

    assert again.threshold == pytest.approx(gated.ood_detector.threshold, rel=1e-4)
