"""Classifiers of functions: what they answer, which methods explain them, what is refused."""

from itertools import pairwise

import numpy as np
import pytest

import xai_tf
from xai_tf.attribution.methods import METHODS, working_methods
from xai_tf.classifiers.access import ACCESS
from xai_tf.classifiers.function import from_function
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.errors import ModelError, SettingError, UnknownNameError

SIZE = (32, 32)
FORWARD_ONLY = {"lime", "kernel_shap", "occlusion", "rise", "sobol", "hsic"}
CHEAP = {"num_samples": 64, "grid": 4, "num_designs": 4, "patch": 8, "stride": 8}


def colors(images: np.ndarray) -> np.ndarray:
    """The probabilities of red, green and blue, by their amount."""
    amounts = np.exp(5 * images.mean(axis=(1, 2)))
    return amounts / amounts.sum(axis=1, keepdims=True)


def right(images: np.ndarray) -> np.ndarray:
    """How much brighter the right half is: the probability of one class, without a column."""
    difference = images[:, :, 16:].mean(axis=(1, 2, 3)) - images[:, :, :16].mean(axis=(1, 2, 3))
    return 1 / (1 + np.exp(-difference))


@pytest.fixture
def red_above_green() -> np.ndarray:
    image = np.zeros((*SIZE, 3), np.float32)
    image[:16, :, 0], image[16:, :, 1] = 0.8, 0.5
    return image


def test_a_function_predicts_what_it_returns(red_above_green):
    classifier = from_function(colors, SIZE, ["red", "green", "blue"])

    (prediction,) = classifier.predict(red_above_green)

    np.testing.assert_allclose(
        prediction.probabilities, colors(red_above_green[None])[0], atol=1e-6
    )
    assert prediction.name == "red"
    assert classifier.name == "colors"
    assert classifier.warnings == ()


def test_one_output_is_the_probability_of_the_second_class(left_bright):
    classifier = from_function(right, SIZE, ["left", "right"])

    (prediction,) = classifier.predict(left_bright)

    expected = right(left_bright.image[None])[0]
    np.testing.assert_allclose(prediction.probabilities, [1 - expected, expected], atol=1e-6)


def test_logits_are_taken_as_they_are(red_above_green):
    classifier = from_function(lambda x: np.log(colors(x)), SIZE, returns="logits")

    (prediction,) = classifier.predict(red_above_green)

    np.testing.assert_allclose(
        prediction.probabilities, colors(red_above_green[None])[0], atol=1e-6
    )


def test_several_classes_may_be_true(red_above_green):
    both = np.array([0.9, 0.8, 0.1])
    classifier = from_function(lambda x: np.tile(both, (len(x), 1)), SIZE, returns="multi_label")

    np.testing.assert_allclose(classifier.predict(red_above_green)[0].probabilities, both, 1e-5)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_function_gets_the_range_it_expects(scaling, red_above_green):
    seen = []

    def remember(images):
        seen.append(images)
        return np.full((len(images), 2), 0.5)

    from_function(remember, SIZE, preprocessing=scaling).predict(red_above_green)

    assert seen[-1].dtype == np.float32
    np.testing.assert_allclose(
        seen[-1][0], SCALINGS[scaling].apply(red_above_green[None])[0], atol=1e-3
    )


def test_a_gray_function_gets_one_channel(red_above_green):
    shapes = set()

    def gray(images):
        shapes.add(images.shape[1:])
        return images.mean(axis=(1, 2, 3))

    from_function(gray, (*SIZE, 1)).predict(red_above_green)

    assert shapes == {(32, 32, 1)}


@pytest.mark.parametrize("method", METHODS)
def test_exactly_the_methods_that_need_only_predictions_explain_a_function(method, left_bright):
    classifier = from_function(right, SIZE, ["left", "right"])
    settings = {k: v for k, v in CHEAP.items() if k in METHODS[method].options}

    if method not in FORWARD_ONLY:
        with pytest.raises(ModelError, match="Choose from: lime, kernel_shap, occlusion, rise"):
            xai_tf.explain(classifier, left_bright, method, settings=settings)
        return
    explanation = xai_tf.explain(classifier, left_bright, method, settings=settings)

    # All the brightness, and so all the evidence for "left", is in the left half.
    strength = np.abs(explanation.attribution).sum(axis=0)
    assert strength[:16].sum() > strength[16:].sum()
    assert explanation.cost.gradient == 0


def test_the_map_of_a_function_is_that_of_the_same_network(halves, left_bright):
    classifier = from_function(
        lambda images: halves.passes.logits(images).numpy(), SIZE, returns="logits"
    )
    settings = {"patch": 8, "stride": 8}

    maps = [
        xai_tf.explain(c, left_bright, "occlusion", settings=settings).attribution
        for c in (classifier, halves)
    ]

    np.testing.assert_allclose(maps[0], maps[1], atol=1e-6)


def test_scores_need_predictions_only_except_for_randomisation(left_bright):
    classifier = from_function(right, SIZE, ["left", "right"])
    explanation = xai_tf.explain(classifier, left_bright, "occlusion", settings={"patch": 8})

    scores = xai_tf.score(classifier, explanation, "all")

    notes = {score.metric.name: score.note for score in scores if not np.isfinite(score.value)}
    assert list(notes) == ["randomisation"]
    assert "needs layers, but 'right' shows no layers" in notes["randomisation"]


def test_a_gradient_is_refused_rather_than_zero(left_bright):
    classifier = from_function(right, SIZE)

    with pytest.raises(ModelError, match="no gradients"):
        classifier.passes.gradients(left_bright.image[None], np.ones((1, 1), np.float32))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: np.full((len(x), 3), 0.5), "add up to 1.5 to 1.5"),
        (lambda x: np.full((len(x), 3), 7.0), "returns='logits'"),
        (lambda x: np.full((len(x), 2), np.nan), "NaN or infinity"),
        (lambda x: np.full((1, 2), 0.5), r"shape \(1, 2\) for a batch"),
        (lambda x: np.full((len(x), 2, 2), 0.5), r"shape \(3, 2, 2\)"),
        (lambda x: x.reshape(5), "cannot reshape"),
    ],
)
def test_what_a_function_returns_is_checked(function, told):
    with pytest.raises(ModelError, match=told):
        from_function(function, SIZE)


def test_every_batch_is_checked_and_the_cause_is_kept(left_bright):
    def fails_on_black(images):
        if images.max() == 0:
            raise ValueError("all black")
        return right(images)

    classifier = from_function(fails_on_black, SIZE)
    black = np.zeros((*SIZE, 3), np.float32)

    with pytest.raises(ModelError, match="failed on a float32 batch") as refused:
        classifier.predict(black)

    assert "all black" in str(refused.value)
    assert "Arguments received" not in str(refused.value)
    assert isinstance(refused.value.__cause__, ValueError)


def test_rounded_probabilities_are_divided_by_their_sum(red_above_green):
    classifier = from_function(lambda x: np.round(colors(x) * 255) / 255, SIZE)

    assert classifier.predict(red_above_green)[0].probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(32,), (32, 32, 4), (None, None, 3), (0, 32)])
def test_a_shape_that_no_picture_has_is_refused(shape):
    with pytest.raises(SettingError, match="input_shape"):
        from_function(colors, shape)


def test_a_function_may_return_the_logits_of_several_labels():
    logits = np.array([[2.0, -1.0, 0.5]])

    classifier = from_function(lambda x: np.tile(logits, (len(x), 1)), SIZE, returns="label_logits")

    assert classifier.head.multi_label
    (prediction,) = classifier.predict(np.zeros((1, *SIZE, 3)))
    np.testing.assert_allclose(prediction.probabilities, 1 / (1 + np.exp(-logits[0])), atol=1e-6)


def test_unknown_outputs_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'logits'"):
        from_function(colors, SIZE, returns="logit")


def test_a_model_that_shows_more_is_explained_by_more_methods():
    offered = [set(working_methods(access)) for access in ACCESS]

    assert offered[0] == FORWARD_ONLY
    assert all(less < more for less, more in pairwise(offered))
    assert offered[-1] == set(METHODS)
