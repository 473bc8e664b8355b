"""A model of several labels on labeled files: each label is judged on its own."""

import csv
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import result_of, several_labels
from xai_tf.classifiers.loading import load
from xai_tf.evaluation.labels import LabelResults, label_measures, label_result
from xai_tf.evaluation.mistakes import study_mistakes
from xai_tf.evaluation.predictions import find_labeled, predict_labeled
from xai_tf.evaluation.unwarned import UNWARNED

CLASSES = ("left", "upper", "middle")


@pytest.fixture
def halves_of_bright(tmp_path):
    """Five pictures: nothing, left, upper, both, left with a wrong label; and lists of labels."""
    lines = ["file,label"]
    for name, left, upper, labels in (
        ("dark", 0, 0, "No Finding"),
        ("left", 1, 0, "left"),
        ("upper", 0, 1, "upper"),
        ("both", 1, 1, "left|upper|middle"),
        ("wrong", 1, 0, "upper; middle"),
    ):
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[:, :16] += np.uint8(240 * left)
        picture[:16] |= np.uint8(240 * upper)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        lines.append(f"{name}.png,{labels}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(lines))
    return table


@pytest.fixture
def results(three_labels, halves_of_bright):
    labeled = find_labeled(halves_of_bright, "three_labels", CLASSES, None, multi_label=True)
    return LabelResults(predict_labeled(three_labels, labeled))


def test_true_labels_of_a_file_are_all_counted(results):
    assert results.predictions.label_sets == ((), (0,), (1,), (0, 1, 2), (1, 2))
    assert results.predictions.labels == ()
    assert results.truth.sum(axis=0).tolist() == [2, 3, 2]


def test_a_label_alone_is_a_question_of_two_classes_with_the_same_counts(results):
    for number, label in enumerate(results.labels):
        alone = results.of_label(number)
        (correct_not, false_alarms), (missed, hits) = alone.counts(label.threshold)

        assert alone.predictions.classes == (f"not {label.name}", label.name)
        assert (hits, false_alarms, missed, correct_not) == label.counts
        above = alone.wrong_class_margin(label.threshold)
        np.testing.assert_allclose(above, results.margins[:, number], atol=1e-6)


def test_precision_and_recall_are_those_of_a_count_by_hand(results):
    left, upper, middle = results.labels

    assert [one.counts for one in (left, upper, middle)] == [
        (2, 1, 0, 2),
        (2, 0, 1, 2),
        (1, 0, 1, 3),
    ]
    assert left.outcome.precision.value == pytest.approx(2 / 3)
    assert upper.outcome.sensitivity.value == pytest.approx(2 / 3)
    assert middle.outcome.f1.value == pytest.approx(2 / 3)
    assert left.outcome.precision.low < 2 / 3 < left.outcome.precision.high
    assert (middle.threshold, middle.area.count) == (0.7, 5)


def test_all_labels_of_a_file_must_be_right_for_an_exact_match(results):
    exact, f1, auc, unwarned = results.measures()

    assert (exact.name, exact.value) == ("exact match", 0.8)
    assert (f1.name, f1.value) == ("mean F1", round((0.8 + 0.8 + 2 / 3) / 3, 4))
    assert auc.low <= auc.value <= auc.high
    assert (unwarned.name, unwarned.value) == (UNWARNED, 0.2)


def test_the_mean_area_is_that_of_single_labels():
    rng = np.random.default_rng(0)
    truth = rng.random((60, 4)) < 0.4
    truth[:, 3] = False  # of which nothing is known
    scores = rng.random((60, 4)) + 0.3 * truth

    areas = [label_result("x", scores[:, k], truth[:, k], 0.5).area.value for k in range(3)]
    measures = {one.name: one for one in label_measures(scores, truth, np.full(4, 0.5), "files")}

    assert label_result("x", scores[:, 3], truth[:, 3], 0.5).area is None
    assert measures["mean auc"].value == pytest.approx(np.mean(areas), abs=1e-4)


def test_a_mistake_is_a_label_of_a_file_and_the_worst_come_first(results, three_labels):
    assert len(results.ranked_mistakes()) == 3
    margins = [results.margins[place] for place in results.ranked_mistakes()]
    assert margins == sorted(margins, reverse=True)
    assert min(margins) > 0

    mistakes, lost = study_mistakes(three_labels, results, "saliency", top=2)

    assert lost == []
    assert {(one.name, one.label, one.true) for one in mistakes} <= {
        ("wrong.png", 0, False),
        ("wrong.png", 1, True),
        ("wrong.png", 2, True),
    }
    assert all(one.map.target == one.label for one in mistakes)


def test_the_table_of_files_has_three_columns_a_label(results):
    head, first, *_ = csv.reader(io.StringIO(results.table()))

    assert head[:4] == ["file", "true left", "probability left", "found left"]
    assert first[0] == "dark.png"


def test_labels_that_the_model_does_not_have_are_told(halves_of_bright):
    halves_of_bright.write_text(halves_of_bright.read_text().replace("upper;", "hernia;"))

    labeled = find_labeled(halves_of_bright, "m", CLASSES, None, multi_label=True)

    assert any("are ignored: hernia" in why for _, why in labeled.left_out)


def test_columns_are_matched_to_the_labels_of_the_model(halves_of_bright):
    halves_of_bright.write_text(
        "file,upper,middle,left,age\ndark.png,0,0,0,63\nboth.png,1,0,1.0,40\nleft.png,,-1,1,5\n"
    )

    labeled = find_labeled(halves_of_bright, "m", CLASSES, None, multi_label=True)

    assert [entry.labels for entry in labeled.entries] == [(), (0, 1)]
    reasons = [why for _, why in labeled.left_out]
    assert any("1 file with uncertain" in why for why in reasons)
    assert any("No file has the label middle" in why for why in reasons)


def test_the_command_reports_each_label(run, halves_of_bright, tmp_path):
    model = tmp_path / "model.keras"
    several_labels().save(model)

    code, out, _ = run(
        "errors",
        halves_of_bright,
        *("--model", model, "--classes", ",".join(CLASSES), "--preprocessing", "unit"),
        *("--threshold", "middle=0.7", "--method", "saliency", "--out", tmp_path / "errors"),
        "--json",
    )

    described = result_of(out)
    assert code == 0
    assert [one["label"] for one in described["labels"]] == list(CLASSES)
    assert described["labels"][2]["threshold"] == 0.7
    assert described["labels"][0]["true_positives"] == 2
    assert len(described["mistakes"]) == 3
    page = (tmp_path / "errors" / "errors.html").read_text()
    assert "left was found, and is not true." in page
    assert "Each label is a question of its own" in page


def test_similar_training_samples_are_shown_with_their_labels(run, halves_of_bright, tmp_path):
    model = tmp_path / "model.keras"
    several_labels().save(model)
    training = tmp_path / "training.csv"
    training.write_text(
        "file,label,split\nleft.png,left,train\nboth.png,upper|left,train\n"
        "dark.png,No Finding,train\nupper.png,middle,test\n"
    )

    code, out, _ = run(
        "errors",
        halves_of_bright,
        *("--model", model, "--classes", ",".join(CLASSES), "--preprocessing", "unit"),
        *("--method", "saliency", "--out", tmp_path / "errors", "--train", training),
        "--json",
    )

    assert code == 0
    mistakes = {one["label"]: one for one in result_of(out)["mistakes"]}
    assert pathlib.Path(mistakes["left"]["file"]).name == "wrong.png"
    nearest = mistakes["left"]["similar"]
    assert nearest[0]["labels"] == ["left"]  # the same picture, under another name
    assert nearest[0]["distance"] == 0
    assert {tuple(one["labels"]) for one in nearest} == {("left",), ("left", "upper"), ()}
    page = (tmp_path / "errors" / "errors.html").read_text()
    assert "2 of the 3 nearest training samples have the label left." in page
    assert "no label: dark.png" in page


def test_a_prediction_lists_the_findings(run, halves_of_bright, tmp_path):
    model = tmp_path / "model.keras"
    several_labels().save(model)
    words = (tmp_path / "both.png", "--model", model, "--classes", ",".join(CLASSES))

    code, out, _ = run("predict", *words, "--preprocessing", "unit", "--json")
    strict = run("predict", *words, "--preprocessing", "unit", "--threshold", "left=0.99", "--json")

    assert code == 0
    found = result_of(out)[0]["prediction"]
    assert set(found["findings"]) == set(CLASSES)
    assert "left" not in result_of(strict[1])[0]["prediction"]["findings"]
    assert result_of(strict[1])[0]["prediction"]["thresholds"]["left"] == 0.99


def test_a_threshold_in_the_card_is_used(tmp_path):
    import weights_keras

    model = tmp_path / "model.keras"
    several_labels().save(model)
    card = weights_keras.ModelCard(
        name="model", task="", classes=CLASSES, backbone="", thresholds={"left": 0.25}
    )
    weights_keras.save_card(card, model)

    assert load(model, preprocessing="unit").thresholds == (0.25, 0.5, 0.5)
    assert load(model, preprocessing="unit", thresholds={"left": 0.5}).thresholds[0] == 0.5
