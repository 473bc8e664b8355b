"""What a model gets wrong: ranked, explained on one scale, beside similar training samples."""

import json
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.browser import axe_faults, chromium
from tests.conftest import SHARED, draw_stripes, result_of, sample_of
from tests.pages import Page, png_of
from weights_keras import ModelCard, save
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.datasets.listing import Entry
from xai_tf.errors import InputError, ModelError
from xai_tf.evaluation.mistakes import study_mistakes
from xai_tf.evaluation.nearest import (
    FeatureIndex,
    TrainingExample,
    build_feature_index,
    nearest_neighbors,
    penultimate_features,
)
from xai_tf.evaluation.predictions import find_labeled, predict_labeled, training_files
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.rendering import heatmaps
from xai_tf.reports.class_mistakes import ClassMistakesReport

SPEECH = SHARED / "speech"


def nothing(*_):
    """A progress that nobody looks at."""


def draw(path, left, right):
    """A gray picture of two levels, whose logit `halves` makes of (right - left) / 255."""
    picture = np.full((32, 32), left, np.uint8)
    picture[:, 16:] = right
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def sides(tmp_path):
    """Five pictures of the brighter side; two lie in the wrong folder, one of these far off."""
    root = tmp_path / "sides"
    draw(root / "left" / "a.png", 200, 100)
    draw(root / "left" / "wrong.png", 0, 255)
    draw(root / "right" / "c.png", 0, 200)
    draw(root / "right" / "d.png", 100, 140)
    draw(root / "right" / "slip.png", 120, 110)
    return root


def answers_of(classifier, folder):
    found = find_labeled(folder, classifier.name, classifier.classes, None)
    return EvaluationResults(predict_labeled(classifier, found, nothing))


@pytest.fixture(scope="module")
def asking(halves, three_classes, tmp_path_factory):
    """How two small models are named on the command line."""
    folder = tmp_path_factory.mktemp("models")
    for classifier in (halves, three_classes):
        card = ModelCard(
            name=classifier.name,
            task="none",
            classes=classifier.classes,
            backbone="none",
            image_size=(32, 32),
        )
        save(classifier.model, card, folder)
    return lambda name: ["--model", folder / f"{name}.keras", "--preprocessing", "unit"]


# The most similar training samples


def plain_search(index, rows, count):
    distances = np.linalg.norm(rows[:, None] - index.features[None], axis=-1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, axis=1)


@pytest.mark.parametrize("size", [1, 2, 300])
def test_xplique_finds_what_a_plain_search_finds(three_classes, blobs, size):
    rng = np.random.default_rng(0)
    samples = [sample_of(rng.random((32, 32, 3))) for _ in range(5)]
    wanted = penultimate_features(three_classes, samples)
    rows = rng.random((size, wanted.shape[1])).astype(np.float32)
    known = tuple(TrainingExample(Path(f"{row}.png"), (row % 3,), f"{row}") for row in range(size))
    index = FeatureIndex(rows, known)

    found = nearest_neighbors(index, three_classes, samples, 3)

    order, distances = plain_search(index, wanted, min(3, size))
    assert [[int(one.sample.path.stem) for one in row] for row in found] == order.tolist()
    np.testing.assert_allclose([[one.distance for one in row] for row in found], distances, 1e-4)


def test_the_features_are_what_the_last_layer_weighs(halves, three_classes, left_bright, blobs):
    (features,) = penultimate_features(halves, [left_bright])
    (mean,) = penultimate_features(three_classes, [blobs])

    kernel, bias = three_classes.model.layers[-1].get_weights()
    np.testing.assert_allclose(features.reshape(32, 32), left_bright.image[..., 0], atol=1e-6)
    logits = three_classes.predict([blobs])[0].logits
    np.testing.assert_allclose(mean @ kernel + bias, logits, atol=1e-5)


def test_a_feature_index_has_training_files_and_reports_what_it_skips(halves, sides):
    (sides / "left" / "torn.png").touch()
    for part in ("train", "test"):
        draw(sides.parent / "split" / part / "left" / "x.png", 9, 0)
        draw(sides.parent / "split" / part / "right" / "y.png", 0, 9)

    index = build_feature_index(
        halves, find_labeled(sides, "halves", halves.classes, None), nothing
    )
    split = find_labeled(sides.parent / "split", "halves", halves.classes, None)

    assert [(known.path.name, known.label) for known in index.samples] == [
        ("a.png", 0),
        ("wrong.png", 0),
        ("c.png", 1),
        ("d.png", 1),
        ("slip.png", 1),
    ]
    assert index.features.shape == (5, 1024)
    assert [path.name for path, _ in index.left_out] == ["torn.png"]
    assert {entry.path.parts[-3] for entry in training_files(split).entries} == {"train"}
    lost = replace(split, entries=(Entry(sides / "left" / "torn.png", (0,)),))
    with pytest.raises(InputError, match=r"Cannot read any file of .*split"):
        build_feature_index(halves, lost, nothing)


def test_a_network_of_one_layer_has_no_features_to_compare_by(left_bright):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))

    with pytest.raises(ModelError, match="Omit the training samples"):
        penultimate_features(Classifier(model, ["red", "green", "blue"]), [left_bright])


# The mistakes


def test_the_worst_mistakes_come_first_with_maps_of_both_classes(halves, sides):
    results = answers_of(halves, sides)

    mistakes, lost = study_mistakes(halves, results, "gradient_input", top=5)

    assert [mistake.name for mistake in mistakes] == ["left/wrong.png", "right/slip.png"]
    assert lost == []
    for mistake in mistakes:
        assert mistake.predicted == 1 - mistake.truth
        assert (mistake.map.target, mistake.true_map.target) == (
            mistake.predicted,
            mistake.truth,
        )
        np.testing.assert_allclose(
            mistake.map.attribution, -mistake.true_map.attribution, atol=1e-7
        )
        assert mistake.contrast_map.contrast == mistake.truth
        np.testing.assert_array_equal(mistake.contrast_map.attribution, mistake.map.attribution)
    assert mistakes[0].wrong_class_margin == pytest.approx(1, abs=1e-6)


def test_of_several_logits_the_contrast_is_the_difference_of_the_maps(three_classes, tmp_path):
    folder = draw_stripes(tmp_path / "stripes", ("a", "b", "c"), 2)

    mistakes, _ = study_mistakes(
        three_classes, answers_of(three_classes, folder), "gradient_input", top=2
    )

    assert len(mistakes) == 2
    for mistake in mistakes:
        np.testing.assert_allclose(
            mistake.contrast_map.attribution,
            mistake.map.attribution - mistake.true_map.attribution,
            atol=1e-6,
        )


def test_the_number_of_mistakes_is_limited_and_progress_is_reported(halves, sides):
    reported = []

    mistakes, _ = study_mistakes(
        halves, answers_of(halves, sides), "saliency", 1, None, lambda *step: reported.append(step)
    )

    assert [mistake.name for mistake in mistakes] == ["left/wrong.png"]
    assert reported == [(0, 1, "explaining left/wrong.png"), (1, 1, "explaining")]


def test_a_file_that_is_gone_meanwhile_is_told_and_the_rest_goes_on(halves, sides):
    results = answers_of(halves, sides)
    (sides / "left" / "wrong.png").unlink()

    mistakes, lost = study_mistakes(halves, results, "saliency")

    assert [mistake.name for mistake in mistakes] == ["right/slip.png"]
    assert [path.name for path, _ in lost] == ["wrong.png"]


def test_the_training_samples_nearest_to_a_mistake_are_found(halves, sides):
    results = answers_of(halves, sides)
    index = build_feature_index(
        halves, find_labeled(sides, "halves", halves.classes, None), nothing
    )

    mistakes, _ = study_mistakes(halves, results, "saliency", index=index)

    nearest = [[one.sample.path.name for one in m.similar] for m in mistakes]
    assert nearest == [["wrong.png", "c.png", "d.png"], ["slip.png", "d.png", "a.png"]]
    assert [one.same_file for one in mistakes[0].similar] == [True, False, False]
    assert mistakes[0].similar[0].distance == 0


# The page


def test_both_classes_are_drawn_on_one_scale(three_classes, tmp_path):
    folder = draw_stripes(tmp_path / "stripes", ("a", "b", "c"), 1)
    results = answers_of(three_classes, folder)
    mistakes, _ = study_mistakes(three_classes, results, "gradient_input", 1)

    page = Page(ClassMistakesReport(three_classes, results, mistakes).page())

    (mistake,) = mistakes
    drawn = [png_of(image) for image in page.all("img")]
    end = heatmaps.limit([mistake.map, mistake.true_map])
    expected = [
        heatmaps.image_bytes(mistake.sample),
        heatmaps.overlay(mistake.map, 0.7, end),
        heatmaps.overlay(mistake.true_map, 0.7, end),
        heatmaps.overlay(mistake.contrast_map, 0.7),
    ]
    for picture, wanted in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(picture, wanted)
    assert page.wrong == page.open == []


def test_a_method_that_knows_no_class_is_drawn_once_even_of_one_logit(small_cnn, sides):
    pooled = keras.layers.GlobalAveragePooling2D()(small_cnn.get_layer("relu_b").output)
    model = keras.Model(small_cnn.input, keras.layers.Dense(1)(pooled))
    classifier = Classifier(model, ["left", "right"], name="one", preprocessing="unit")
    results = answers_of(classifier, sides)
    mistakes, _ = study_mistakes(classifier, results, "fem", 1)

    page = Page(ClassMistakesReport(classifier, results, mistakes).page())

    assert len(mistakes) == 1
    assert len(page.all("img")) == 2  # the picture and one map
    assert "has the same map for every class" in page.text
    assert "The network has one logit" not in page.text


def test_the_page_opens_without_a_network_and_names_are_text(halves, sides, tmp_path):
    hostile = sides / "left" / "<img src=x onerror=a()>.png"
    draw(hostile, 10, 90)
    results = answers_of(halves, sides)
    index = build_feature_index(
        halves, find_labeled(sides, "halves", halves.classes, None), nothing
    )
    mistakes, _ = study_mistakes(halves, results, "saliency", index=index)
    path = tmp_path / "errors.html"
    html = ClassMistakesReport(halves, results, mistakes, [(hostile, "<b>why</b>")]).page()
    path.write_text(html, "utf-8")

    page = Page(html)
    assert not re.search(r"https?://", html)
    assert hostile.name in page.text
    assert "3 mistakes in 6 files." in page.text
    assert "1 (33%)" in page.text
    assert "This file is itself a training sample" in page.text
    assert "The network has one logit" in page.text
    assert "<b>why</b>" in page.text
    assert all(attrs["src"].startswith("data:") for _, attrs in page.tags if "src" in attrs)
    with chromium() as browser:
        for scheme, width in (("light", 1280), ("dark", 320)):
            context = browser.new_context(
                offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}
            )
            opened, asked = context.new_page(), []
            opened.on("request", lambda request, asked=asked: asked.append(request.url[:5]))
            opened.goto(path.as_uri())

            assert axe_faults(opened) == []
            assert set(asked) <= {"file:", "data:"}
            assert opened.evaluate("document.documentElement.scrollWidth") <= width


# The command


def test_the_command_writes_the_page_and_the_same_as_json(run, asking, sides, tmp_path):
    code, out, err = run(
        "errors",
        sides,
        *asking("halves"),
        "--method",
        "saliency",
        "--train",
        sides,
        "--out",
        tmp_path / "out",
        "--json",
    )

    told = result_of(out)
    assert code == 0
    page = tmp_path / "out" / "errors.html"
    stored = json.loads(page.with_suffix(".json").read_text())
    assert told == stored | {"page": str(page)}
    assert told["confusion"] == [[1, 1], [1, 2]]
    assert [m["file"] for m in told["mistakes"]] == [
        str(sides / name) for name in ("left/wrong.png", "right/slip.png")
    ]
    assert told["mistakes"][0]["similar"][1]["class"] == "right"
    assert told["mistakes"][0]["predicted_map"]["method"] == "saliency"
    assert [m["name"] for m in told["measures"]] == ["accuracy", "auc", UNWARNED]
    assert told["unwarned"] == []  # both mistakes have a probability below 0.9
    assert "errors.html" in err
    assert "wrong.png" in (tmp_path / "out" / "errors.html").read_text()


def test_what_lies_beside_the_classes_is_reported_for_the_training_files_too(
    run, asking, sides, tmp_path
):
    draw(sides / "loose.png", 1, 2)
    train = tmp_path / "train"
    for place in ("left/x.png", "right/y.png", "middle/z.png"):
        draw(train / place, 3, 9)

    code, out, err = run(
        "errors",
        sides,
        *asking("halves"),
        "--method",
        "saliency",
        "--train",
        train,
        "--out",
        tmp_path / "out",
        "--json",
    )

    wanted = [
        (str(sides), "1 file outside of class folders skipped."),
        (str(train / "middle"), "middle is not a class of the model: 1 file skipped."),
    ]
    assert code == 0
    assert [(one["file"], one["reason"]) for one in result_of(out)["left_out"]] == wanted
    for path, why in wanted:
        assert err.count(f"{path}: {why}") == 1


def test_a_table_is_printed_for_people(run, asking, sides, tmp_path):
    code, out, _ = run(
        "errors", sides, *asking("halves"), "--method", "saliency", "--out", tmp_path / "out"
    )

    assert code == 0
    assert "Confusion matrix" in out
    assert "left/wrong.png" in out
    assert "accuracy" in out


def test_a_folder_with_one_class_is_studied_and_what_is_missing_said(run, asking, sides, tmp_path):
    for path in (sides / "right").iterdir():
        path.unlink()
    (sides / "right").rmdir()

    code, out, err = run(
        "errors",
        sides,
        *asking("halves"),
        "--method",
        "saliency",
        "--out",
        tmp_path / "out",
        "--json",
    )

    told = result_of(out)
    assert code == 0
    assert told["confusion"] == [[1, 1], [0, 0]]
    assert [m["name"] for m in told["measures"]] == ["accuracy", UNWARNED]
    assert "No file of class right" in err


def test_bad_files_are_reported_the_rest_goes_on_and_the_exit_code_says_so(
    run, asking, sides, tmp_path
):
    Image.new("L", (1, 1)).save(sides / "left" / "dot.png")
    (sides / "right" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")

    code, out, err = run(
        "errors",
        sides,
        *asking("halves"),
        "--method",
        "saliency",
        "--out",
        tmp_path / "out",
        "--json",
    )

    assert code == 2
    assert result_of(out)["files"] == 5
    complaints = [line for line in err.splitlines() if line.startswith("xai-tf:")]
    assert "dot.png is too small: 1x1 pixels" in complaints[0]
    assert "torn.png: the PNG picture is damaged or truncated" in complaints[1]
    assert "dot.png" in (tmp_path / "out" / "errors.html").read_text()


def test_a_model_without_mistakes_has_a_page_that_says_so(run, asking, sides, tmp_path):
    (sides / "left" / "wrong.png").unlink()
    (sides / "right" / "slip.png").unlink()

    code, out, _ = run(
        "errors",
        sides,
        *asking("halves"),
        "--method",
        "saliency",
        "--train",
        sides,
        "--out",
        tmp_path / "out",
    )

    assert code == 0
    assert "No mistakes" in out
    assert "0 mistakes in 3 files." in (tmp_path / "out" / "errors.html").read_text()


def test_of_a_folder_with_parts_the_test_files_are_taken(run, asking, tmp_path):
    for part, level in (("train", 255), ("test", 9)):
        draw(tmp_path / "set" / part / "left" / "x.png", 0, level)
        draw(tmp_path / "set" / part / "right" / "y.png", level, 0)

    _, out, err = run(
        "errors",
        tmp_path / "set",
        *asking("halves"),
        "--method",
        "saliency",
        "--train",
        tmp_path / "set",
        "--out",
        tmp_path / "out",
        "--json",
    )

    told = result_of(out)
    assert told["files"] == 2
    assert "the test split" in err
    assert {Path(one["file"]).parts[-3] for one in told["mistakes"][0]["similar"]} == {"train"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{empty}"], "The classes of halves are left, right"),
        (["nowhere"], "no folder or file nowhere"),
        (["{sides}", "--method", "gradcam"], "Did you mean 'grad_cam'?"),
        (["{sides}", "--method", "grad_cam"], "no convolutional feature map"),
        (["{sides}", "--split", "test"], "has no split 'test'"),
        (["{sides}", "--train", "{empty}"], "The classes of halves are left, right"),
        (["{sides}", "--out", "{file}"], "is not a folder"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_one_line(run, asking, sides, tmp_path, words, said):
    places = {"empty": tmp_path / "empty", "sides": sides, "file": tmp_path / "file"}
    places["empty"].mkdir()
    places["file"].write_text("mine")
    given = [word.format(**places) for word in words]
    given += [] if "--out" in words else ["--out", tmp_path / "out"]
    given += [] if "--method" in words else ["--method", "saliency"]

    code, printed, err = run("errors", *given, *asking("halves"))

    assert code == 2
    assert printed == ""
    assert said in err
    assert len([line for line in err.splitlines() if line.startswith("xai-tf:")]) == 1
    assert not (tmp_path / "out").exists()


def test_no_mistake_is_explained_where_none_is_asked_for(run, asking, sides, tmp_path):
    words = [sides, *asking("halves"), "--top", "0", "--out", tmp_path / "out"]

    code, printed, _ = run("errors", *words)

    assert code == 0
    assert "No mistake was explained" in printed
    page = (tmp_path / "out" / "errors.html").read_text()
    assert "2 mistakes in 5 files." in page
    assert "are shown below" not in page


@pytest.mark.slow
@pytest.mark.skipif(not SPEECH.is_dir(), reason="the recordings of the shared data are not here")
def test_a_real_model_of_sound_is_studied_in_the_windows_that_decide(tmp_path):
    classifier = load("audio_mobilenetv2")
    results = EvaluationResults(
        predict_labeled(
            classifier,
            find_labeled(SPEECH / "test", "audio", classifier.classes, classifier.task),
            nothing,
        )
    )

    mistakes, _ = study_mistakes(classifier, results, top=3)

    assert 0 < len(mistakes) <= 3
    page = Page(ClassMistakesReport(classifier, results, mistakes).page())
    assert len(page.all("audio")) == len(mistakes)
    described = ClassMistakesReport(classifier, results, mistakes).to_dict()
    assert described["mistakes"][0]["predicted_map"]
