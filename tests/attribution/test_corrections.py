"""Where we depart from Xplique, each with what shows the difference."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from math import factorial

import keras
import numpy as np
import pytest
import tensorflow as tf
from xplique import attributions as xplique
from xplique.attributions.global_sensitivity_analysis.samplers import TFSobolSequence

from tests.conftest import sample_of
from xai_tf.attribution import corrections
from xai_tf.attribution.corrections.segments import cosine_weights
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.inputs.segments import segment
from xai_tf.tasks import TASKS


@pytest.fixture(scope="module")
def images(blobs):
    return blobs.image[None]


@pytest.fixture(scope="module")
def targets(three_classes):
    return three_classes.target(1)[None]


def map_of(explainer, images, targets) -> np.ndarray:
    return np.asarray(explainer(images, targets))[0, ..., 0]


def nested_model() -> keras.Model:
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
    )
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(base(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(pooled))


def test_grad_cam_reaches_into_a_nested_model_where_xplique_stops(images, blobs):
    model = nested_model()
    classifier = Classifier(model, preprocessing="unit")

    with pytest.raises(StopIteration):
        xplique.GradCAM(model)
    assert explain(classifier, blobs, "grad_cam", layer="block_6_expand_relu").layer


def test_grad_cam_agrees_with_xplique_on_a_flat_model(three_classes, blobs, images, targets):
    theirs = xplique.GradCAM(three_classes.model, conv_layer="relu_b")

    ours = explain(three_classes, blobs, "grad_cam", target=1)

    expected = np.maximum(map_of(theirs, images, targets), 0)
    np.testing.assert_allclose(ours.attribution, expected, atol=1e-6)
    assert ours.attribution.max() > 0


def test_grad_cam_runs_in_many_threads_at_once(three_classes, blobs):
    alone = explain(three_classes, blobs, target=1).attribution

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: explain(three_classes, blobs, target=1), range(24)))

    assert all(np.array_equal(e.attribution, alone) for e in together)


def test_grad_cam_pp_weights_use_the_sum_of_the_map_as_in_the_paper():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(1, 4, 4, 2)).astype(np.float32)
    maps = rng.random((1, 4, 4, 2)).astype(np.float32)
    share = gradients**2 / (2 * gradients**2 + maps.sum((1, 2), keepdims=True) * gradients**3)
    paper = (share * np.maximum(gradients, 0)).sum((1, 2), keepdims=True)

    ours = corrections.GradCAMPP._compute_weights(tf.constant(gradients), tf.constant(maps))
    theirs = xplique.GradCAMPP._compute_weights(tf.constant(gradients), tf.constant(maps))

    np.testing.assert_allclose(ours, paper, rtol=1e-4)
    ratio = np.asarray(theirs).ravel() / paper.ravel()
    assert ratio.max() / ratio.min() > 1.01  # not a matter of scale


@pytest.mark.parametrize(
    ("name", "policy"), [("guided_backprop", "guided"), ("deconv_net", "deconv")]
)
def test_a_saturated_relu6_lets_no_gradient_through(name, policy):
    ours = getattr(corrections, f"{policy}_relu")(6.0)
    theirs = getattr(__import__("xplique.commons", fromlist=["x"]), f"{policy}_relu_policy")(6.0)
    inputs = tf.constant([-1.0, 3.0, 9.0])

    def gradient(relu):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(relu(inputs))
        return tape.gradient(total, inputs).numpy().tolist()

    assert gradient(ours)[1:] == [1.0, 0.0]
    assert gradient(theirs)[1:] == [1.0, 1.0]
    assert gradient(ours)[0] == (0.0 if policy == "guided" else 1.0)


def test_guided_backprop_agrees_with_xplique_where_there_is_no_relu6(images, blobs):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    classifier = Classifier(model)
    for name, theirs in (("guided_backprop", "GuidedBackprop"), ("deconv_net", "DeconvNet")):
        explainer = getattr(xplique, theirs)(classifier.model)

        ours = explain(classifier, blobs, name, target=1).attribution

        expected = map_of(explainer, images, np.eye(3, dtype=np.float32)[1:2])
        np.testing.assert_allclose(ours, expected, atol=1e-6)
        assert np.abs(ours).max() > 0


@pytest.mark.parametrize("name", ["SmoothGrad", "SquareGrad", "VarGrad"])
def test_gradient_statistics_repeat_where_xplique_does_not(three_classes, images, targets, name):
    """Xplique's repeat only through TensorFlow's global seed, which other threads disturb."""
    theirs = getattr(xplique, name)(three_classes.model, nb_samples=8)
    first, second = (map_of(theirs, images, targets) for _ in range(2))
    assert np.abs(first - second).max() > 0.01 * np.abs(first).max()

    ours = [
        map_of(getattr(corrections, name)(three_classes.model, 0, nb_samples=8), images, targets)
        for _ in range(2)
    ]

    np.testing.assert_array_equal(*ours)


def test_smooth_grad_without_noise_is_the_gradient(three_classes, blobs):
    ours = explain(three_classes, blobs, "smooth_grad", settings={"noise": 0.0}).attribution

    with tf.GradientTape() as tape:
        image = tf.constant(blobs.image[None])
        tape.watch(image)
        score = three_classes.model(image)[0, three_classes.predict([blobs])[0].label]
    np.testing.assert_allclose(ours, tape.gradient(score, image)[0].numpy().mean(-1), atol=1e-6)


def test_occlusion_is_as_strong_at_the_border_as_inside_and_leaves_no_edge_out():
    """A network that counts brightness: every place of an even picture matters the same."""
    model = keras.Sequential(
        [
            keras.Input((36, 36, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model.layers[-1].set_weights([np.ones((3, 1))])
    classifier, even = Classifier(model), sample_of(np.full((36, 36, 3), 0.5))
    theirs = xplique.Occlusion(classifier.model, patch_size=8, patch_stride=5)

    ours = explain(
        classifier, even, "occlusion", target=1, settings={"patch": 8, "stride": 5}
    ).attribution

    expected = 3 * 0.5 * 8 * 8 / 36**2
    np.testing.assert_allclose(ours, expected, rtol=1e-4)
    theirs_map = map_of(theirs, even.image[None], classifier.target(1)[None])
    assert theirs_map[-1].max() == 0
    assert theirs_map.max() > 3 * theirs_map[0, 0]


def test_a_square_larger_than_one_side_costs_what_was_told():
    model = keras.Sequential(
        [keras.Input((24, 40, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    settings = {"patch": 32, "stride": 8}

    found = explain(
        Classifier(model), sample_of(np.full((24, 40, 3), 0.5)), "occlusion", settings=settings
    )

    assert found.cost == METHODS["occlusion"].cost(found.settings, (24, 40))
    assert found.cost.forward == 3


def test_rise_is_zero_for_a_network_that_looks_at_nothing():
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    model.layers[-1].set_weights([np.zeros((3, 1)), np.array([5.0])])
    classifier, picture = Classifier(model), sample_of(np.full((32, 32, 3), 0.5))

    ours = explain(classifier, picture, "rise", target=1, settings={"num_samples": 64}).attribution

    assert np.abs(ours).max() < 0.01  # Xplique's: 5 everywhere
    theirs = xplique.Rise(classifier.model, nb_samples=64)
    assert map_of(theirs, picture.image[None], classifier.target(1)[None]).min() > 4


def test_each_rise_mask_is_shifted_on_its_own():
    rise = corrections.Rise(lambda x: x, 0, nb_samples=4, grid_size=4)
    masks = rise._masks(np.random.default_rng(0), 64, (32, 32))

    # Where the enlarged grid is flat along a row, its steps tell the shift.
    steps = {int(np.abs(np.diff(mask[16, :, 0])).argmax()) for mask in masks}
    assert masks.shape == (64, 32, 32, 1)
    assert len(steps) > 8
    assert abs(masks.mean() - 0.5) < 0.05


def shapley_by_hand(classifier, sample, segments, target, baseline) -> np.ndarray:
    """The definition: the mean gain of a segment over all orders of adding segments."""
    count = segments.max() + 1

    def worth(present) -> float:
        kept = np.isin(segments, list(present))[..., None]
        image = np.where(kept, sample.image, baseline).astype(np.float32)
        return float(classifier.passes.scores(image[None], target[None])[0])

    values = np.zeros(count)
    for player in range(count):
        others = [s for s in range(count) if s != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for group in combinations(others, size):
                values[player] += weight * (worth({*group, player}) - worth(group))
    return values


def test_kernel_shap_on_eight_segments_gives_the_shapley_values(three_classes):
    colors = np.random.default_rng(0).random((2, 4, 3))
    picture = sample_of(np.kron(colors, np.ones((16, 8, 1))))
    segments = segment(picture, 7)
    assert segments.max() + 1 == 8
    expected = shapley_by_hand(three_classes, picture, segments, three_classes.target(1), 0.0)

    ours = explain(
        three_classes,
        picture,
        "kernel_shap",
        target=1,
        settings={"num_segments": 7, "num_samples": 512},
    )

    np.testing.assert_allclose(ours.segment_weights, expected, atol=1e-5)
    theirs = xplique.KernelShap(
        three_classes.model,
        nb_samples=512,
        ref_value=np.zeros(3, np.float32),
        map_to_interpret_space=lambda _: tf.constant(segments),
    )
    weights = map_of(theirs, picture.image[None], three_classes.target(1)[None])
    theirs_gap = max(abs(weights[segments == s][0] - expected[s]) for s in range(len(expected)))
    assert theirs_gap > 1e-4


def test_kernel_shap_finds_the_shares_of_an_additive_network_from_draws(halves, left_bright):
    """More segments than can be enumerated; each share is the segment's own brightness."""
    ours = explain(
        halves,
        left_bright,
        "kernel_shap",
        target="left",
        settings={"num_segments": 30, "num_samples": 128},
    )

    segments = ours.segments
    true = [0.8 * (segments[:, :16] == s).sum() / 512 for s in range(segments.max() + 1)]
    assert len(true) > 12
    np.testing.assert_allclose(ours.segment_weights, true, atol=1e-5)
    assert ours.figures["undetermined"] == 0


def test_kernel_shap_says_when_the_draws_do_not_settle_the_weights(halves, left_bright):
    ours = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 48, "num_samples": 24}
    )

    assert ours.figures["undetermined"] > 0
    assert any("undetermined" in text for text in ours.warnings)


@pytest.mark.parametrize("name", ["sobol", "hsic", "occlusion", "rise", "lime", "kernel_shap"])
def test_taking_away_what_is_at_the_baseline_changes_nothing(halves, name):
    gray = sample_of(np.full((32, 32, 3), 0.5))
    classifier = Classifier(halves.model, ["left", "right"], task=TASKS["dog_breeds"])

    ours = explain(classifier, gray, name, target=1)

    assert ours.settings["baseline"] == 0.5
    assert np.abs(ours.attribution).max() < 1e-4


def test_lime_finds_the_weights_of_a_network_that_adds_segments(halves, left_bright):
    """Each segment's true effect is known: its share of the brightness."""
    lime = explain(halves, left_bright, "lime", target="left", settings={"num_segments": 16})

    segments = lime.segments
    true = np.array([0.8 * (segments[:, :16] == s).sum() / 512 for s in range(segments.max() + 1)])
    correlation = np.corrcoef(lime.segment_weights, true)[0, 1]
    assert correlation > 0.99
    assert lime.figures["r2"] > 0.9


def test_limes_kernel_does_not_depend_on_the_picture():
    present = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])

    weights = cosine_weights(present)

    distance = 1 - np.sqrt(0.5)
    np.testing.assert_allclose(weights, [1, np.sqrt(np.exp(-(distance**2) / 0.25**2))], rtol=1e-5)


def test_coalitions_come_in_pairs_and_with_both_ends():
    shap = corrections.KernelShap(lambda x: x, 0, np.arange(30).reshape(5, 6), 64, 0.0)
    shap.inference_function = lambda _model, pictures, _targets: np.zeros(len(pictures))
    shap.begin(np.zeros((5, 6, 3), np.float32), np.zeros(1, np.float32))

    for _ in range(2):
        shap.take()
    drawn = shap._present

    assert drawn.shape == (64, 30)
    assert drawn[0].all()
    assert not drawn[1].any()
    np.testing.assert_array_equal(drawn[2::2] + drawn[3::2], 1)


def test_hsic_masks_no_two_cells_always_together():
    """One pixel decides. With Xplique's masks others, far away, are said to decide as much."""
    inputs = keras.Input((28, 28, 3))
    decision = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, decision(keras.layers.Flatten()(inputs)))
    sampler = TFSobolSequence(binary=True)
    alike = np.all(sampler(784, 512) == np.asarray(sampler(784, 512))[:, 700:701], axis=0)
    weights = np.zeros((28 * 28, 3))
    weights[700] = 1
    decision.set_weights([weights.reshape(-1, 1)])
    classifier, white = Classifier(model), np.ones((28, 28, 3), np.float32)
    settings = {"grid": 28, "num_samples": 512}

    ours = explain(classifier, white, "hsic", target=1, settings=settings).attribution.ravel()

    explainer = xplique.HsicAttributionMethod(
        model, grid_size=28, nb_design=512, perturbation_function="amplitude"
    )
    theirs = map_of(explainer, white[None], classifier.target(1)[None]).ravel()
    assert alike.sum() > 1
    np.testing.assert_allclose(theirs[alike], theirs[700], rtol=1e-5)
    assert np.sort(ours)[-2] < 0.1 * ours[700]


def test_hsic_does_not_change_when_the_logit_is_shifted(blobs):
    """Xplique's kernel is as wide as the median logit; ours as the median distance of two."""

    def shifted(bias: float) -> Classifier:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )
        kernel, _ = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel, np.array([bias])])
        return Classifier(model)

    def ours(bias):
        return explain(shifted(bias), blobs, "hsic", target=1).attribution

    def theirs(bias):
        classifier = shifted(bias)
        explainer = xplique.HsicAttributionMethod(classifier.model, grid_size=7, nb_design=512)
        return map_of(explainer, blobs.image[None], classifier.target(1)[None])

    np.testing.assert_allclose(ours(0.0), ours(50.0), rtol=0.02, atol=1e-3)
    assert np.abs(theirs(0.0) - theirs(50.0)).max() > 0.2 * np.abs(theirs(0.0)).max()


@pytest.mark.parametrize("name", ["Saliency", "GradientInput", "IntegratedGradients"])
def test_what_we_do_not_correct_agrees_with_xplique(three_classes, blobs, images, targets, name):
    reducer = {} if name == "Saliency" else {"reducer": "sum"}
    steps = {"steps": 65} if name == "IntegratedGradients" else {}
    method = next(m for m in METHODS.values() if m.explainer == name)

    ours = explain(three_classes, blobs, method.name, target=1, settings=steps).attribution

    theirs = getattr(xplique, name)(three_classes.model, **reducer, **steps)
    np.testing.assert_allclose(ours, map_of(theirs, images, targets), atol=1e-6)
