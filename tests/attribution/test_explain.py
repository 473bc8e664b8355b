"""What must hold for every method, on networks whose reasons are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from tests.conftest import sample_of
from xai_tf.attribution.baselines import BASELINES, baseline_images, blurred
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explain import explain, explain_layers
from xai_tf.attribution.methods import MAX_GAP, MAX_STEPS, METHODS, MIN_STEPS, Cost
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import SettingError, UnknownNameError
from xai_tf.inputs.sample import Sample

SMALL = {
    "num_samples": 32,
    "steps": 16,
    "num_designs": 4,
    "patch": 8,
    "stride": 8,
    "num_segments": 9,
}
STOCHASTIC = [name for name, method in METHODS.items() if method.stochastic]


def small(name: str) -> dict[str, float]:
    return {option: SMALL[option] for option in METHODS[name].options if option in SMALL}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_finite_map_at_the_cost_it_tells(three_classes, blobs, name):
    method = METHODS[name]

    explanation = explain(three_classes, blobs, name, target="b", settings=small(name))

    assert explanation.attribution.dtype == np.float32
    assert explanation.attribution.shape == (32, 32)
    assert np.isfinite(explanation.attribution).all()
    assert np.ptp(explanation.attribution) > 0
    assert method.signed or explanation.attribution.min() >= 0
    assert explanation.cost == method.cost(explanation.settings, (32, 32))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_repeats_exactly(three_classes, blobs, name):
    first, second = (
        explain(three_classes, blobs, name, target=1, settings=small(name), seed=7)
        for _ in range(2)
    )

    np.testing.assert_array_equal(first.attribution, second.attribution)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_another_seed_gives_another_map(three_classes, blobs, name):
    first, second = (
        explain(three_classes, blobs, name, target=1, settings=small(name), seed=seed)
        for seed in (0, 1)
    )

    assert not np.array_equal(first.attribution, second.attribution)
    assert (first.seed, second.seed) == (0, 1)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_a_run_leaves_global_random_numbers_alone(three_classes, blobs, name):
    np.random.seed(5)
    tf.random.set_seed(5)
    expected = (np.random.random(), float(tf.random.uniform(())))
    np.random.seed(5)
    tf.random.set_seed(5)

    explain(three_classes, blobs, name, settings=small(name))

    assert (np.random.random(), float(tf.random.uniform(()))) == expected


@pytest.mark.parametrize(
    "name", [n for n, m in METHODS.items() if m.class_specific and n not in ("sobol", "hsic")]
)
def test_methods_that_are_about_a_class_differ_between_classes(three_classes, blobs, name):
    first, second = (
        explain(three_classes, blobs, name, target=label, settings=small(name)) for label in (0, 2)
    )

    assert not np.allclose(first.attribution, second.attribution)


@pytest.mark.parametrize(
    "name",
    ["gradient_input", "integrated_gradients", "occlusion", "lime", "kernel_shap", "rise"],
)
def test_attribution_lies_on_the_half_that_decides(halves, left_bright, name):
    options = {"patch": 4, "stride": 4, "num_samples": 1024, "num_segments": 16, "grid": 8}
    settings = {o: v for o, v in options.items() if o in METHODS[name].options}

    attribution = explain(halves, left_bright, name, target="left", settings=settings).attribution

    left, right = attribution[:, :16], attribution[:, 16:]
    assert left.mean() > 0
    assert np.abs(right).mean() < 0.35 * left.mean()


def test_squared_contributions_of_a_linear_score_are_the_squares_of_its_terms(halves, left_bright):
    exact = {"smooth": 0, "blur": 0.1, "steps": 3}
    found = explain(halves, left_bright, "squared_ig", settings=exact).attribution

    image = left_bright.image
    weights = np.where(np.arange(32) < 16, 1, -1) / 512 / 3  # of "left", the negative logit
    terms = weights[:, None] * (image - blurred(image, 0.1))
    np.testing.assert_allclose(found, (terms**2).sum(axis=-1), atol=1e-9)


def test_squared_contributions_are_smoothed_and_spare_a_flat_picture(three_classes, blobs):
    def found(sample, **settings):
        return explain(three_classes, sample, "squared_ig", settings=settings).attribution

    rough, smooth = found(blobs, smooth=0), found(blobs, smooth=0.1)
    flat = found(sample_of(np.full((32, 32, 3), 0.4)))

    np.testing.assert_allclose(smooth, gaussian_filter(rough, 3.2, mode="nearest"), rtol=1e-4)
    assert not has_signal(flat)


def test_integrated_gradients_are_complete(three_classes, halves, blobs, left_bright):
    for classifier, sample in ((three_classes, blobs), (halves, left_bright)):
        explanation = explain(classifier, sample, "integrated_gradients", settings={"steps": 256})

        change = explanation.figures["score"] - explanation.figures["score_baseline"]
        assert explanation.attribution.sum() == pytest.approx(change, rel=0.02, abs=1e-4)
        assert explanation.figures["completeness_gap"] < 0.02


@pytest.mark.parametrize("baseline", [0.0, 0.7, *BASELINES])
def test_integrated_gradients_are_complete_from_every_baseline(three_classes, blobs, baseline):
    target = three_classes.predict([blobs])[0].label
    settings = {"baseline": baseline}

    explanation = explain(three_classes, blobs, "integrated_gradients", settings=settings)

    images = np.stack(baseline_images(baseline, blobs.image))
    ends = three_classes.passes.logits(np.stack([blobs.image, *images])).numpy()[:, target]
    change = ends[0] - ends[1:].mean()
    assert explanation.settings["baseline"] == baseline
    assert explanation.figures["score_baseline"] == pytest.approx(ends[1:].mean(), abs=1e-5)
    assert explanation.figures["completeness_gap"] <= MAX_GAP
    assert explanation.attribution.sum() == pytest.approx(change, rel=MAX_GAP, abs=1e-4)


def test_a_pixel_like_the_baseline_gets_nothing(halves, left_bright):
    """Black is blind to black; the average over baselines is not."""
    maps = {
        baseline: explain(
            halves, left_bright, "integrated_gradients", settings={"baseline": baseline}
        ).attribution
        for baseline in (0.0, 1.0, "blurred", "average")
    }

    dark = left_bright.image.sum(axis=-1) == 0
    assert dark.any()
    assert (maps[0.0][dark] == 0).all()
    assert (maps["average"][dark] != 0).any()
    parts = [maps[one] for one in (0.0, 1.0, "blurred")]
    np.testing.assert_allclose(maps["average"], np.mean(parts, axis=0), atol=1e-6)


def test_several_baselines_cost_as_many_paths(three_classes, blobs):
    one, three = (
        explain(three_classes, blobs, "integrated_gradients", settings={"steps": 16} | more)
        for more in ({}, {"baseline": "average"})
    )

    assert (one.cost.gradient, three.cost.gradient) == (16, 48)
    assert three.method.passes(three.settings, (8, 8)) == "48"
    least, most = three.method.costs({"steps": 0, "baseline": "average"}, (8, 8))
    assert (least.gradient, most.gradient) == (3 * MIN_STEPS, 3 * MAX_STEPS)


def test_the_mean_color_and_the_blur_keep_the_colors_of_the_picture():
    image = np.random.default_rng(0).random((20, 30, 3), np.float32)

    (mean,), (blurred,) = (baseline_images(name, image) for name in ("mean", "blurred"))

    np.testing.assert_allclose(mean[7, 11], image.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(blurred.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=0.02)
    assert blurred.std() < image.std() / 5
    assert blurred.dtype == mean.dtype == np.float32


def test_the_completeness_gap_is_told_when_there_is_one(three_classes, blobs):
    coarse = explain(three_classes, blobs, "integrated_gradients", settings={"steps": 2})
    fine = explain(three_classes, blobs, "integrated_gradients", settings={"steps": 512})

    assert coarse.figures["completeness_gap"] > 4 * fine.figures["completeness_gap"]
    assert "Use more steps" in coarse.warnings[0]
    assert fine.warnings == ()


@pytest.fixture(scope="module")
def kinked() -> tuple[Classifier, Sample]:
    """A network that wakes up late on the way from black: 1,000 times the brightness above 0.98."""
    inputs = keras.Input((8, 8, 3))
    bright = keras.layers.Conv2D(1, 1, activation="relu", name="bright")
    total = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, total(keras.layers.GlobalAveragePooling2D()(bright(inputs))))
    bright.set_weights([np.full((1, 1, 3, 1), 1000 / 3), np.array([-980.0])])
    total.set_weights([np.ones((1, 1))])
    return Classifier(model, ["no", "yes"], preprocessing="unit"), sample_of(np.ones((8, 8, 3)))


def test_steps_are_placed_where_the_score_changes(kinked):
    equal = explain(*kinked, "integrated_gradients", settings={"steps": 64})
    placed = explain(*kinked, "integrated_gradients")

    assert equal.figures["completeness_gap"] > 0.15
    assert placed.figures["completeness_gap"] < 0.05
    assert placed.attribution.sum() == pytest.approx(20, rel=0.05)
    assert placed.cost == Cost(gradient=int(placed.figures["steps_taken"]))
    assert placed.figures["steps_taken"] <= 128
    assert placed.warnings == ()


def test_a_number_of_steps_is_kept_and_a_run_without_one_repeats(kinked):
    equal = explain(*kinked, "integrated_gradients", settings={"steps": 33})
    placed = explain(*kinked, "integrated_gradients")
    again = explain(*kinked, placed.question)

    assert equal.cost == Cost(gradient=33)
    assert equal.settings["steps"] == equal.figures["steps_taken"] == 33
    assert placed.settings["steps"] == 0
    np.testing.assert_array_equal(again.attribution, placed.attribution)


def test_a_map_that_does_not_add_up_at_the_limit_says_so(kinked):
    """The score comes back to where it was, so hardly anything is left to be a share of."""
    inputs = keras.Input((8, 8, 3))
    wave = keras.ops.sin(200 * keras.layers.GlobalAveragePooling2D()(inputs)[:, :1])
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(wave))
    classifier = Classifier(model, ["no", "yes"], preprocessing="unit")
    level = np.float32(2 * np.pi * 20 / 200)

    found = explain(
        classifier, sample_of(np.full((8, 8, 3), level)), "integrated_gradients", target="yes"
    )

    assert found.cost == Cost(gradient=MAX_STEPS)
    assert found.figures["completeness_gap"] > 0.05
    assert "512 steps, the limit" in found.warnings[0]


def test_lime_and_kernel_shap_weigh_the_same_segments(three_classes, blobs):
    lime, shap = (
        explain(three_classes, blobs, n, settings=small(n)) for n in ("lime", "kernel_shap")
    )

    np.testing.assert_array_equal(lime.segments, shap.segments)
    for explanation in (lime, shap):
        painted = explanation.segment_weights[explanation.segments]
        np.testing.assert_allclose(explanation.attribution, painted, atol=1e-6)


def test_the_baseline_is_that_of_the_task_unless_given(three_classes, blobs):
    assert explain(three_classes, blobs, "occlusion").settings["baseline"] == 0.0
    given = explain(three_classes, blobs, "occlusion", settings={"baseline": 0.25})
    assert given.settings["baseline"] == 0.25


def test_progress_is_told_up_to_the_end(three_classes, blobs):
    told = []

    explain(
        three_classes,
        blobs,
        "rise",
        settings={"num_samples": 96},
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(32, 96), (64, 96), (96, 96)]


def test_raising_in_progress_stops_the_work(three_classes, blobs):
    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        explain(three_classes, blobs, "rise", progress=stop)


def test_guided_backprop_says_when_it_is_only_the_gradient(halves, left_bright):
    explanation = explain(halves, left_bright, "guided_backprop")

    assert "no ReLU" in explanation.warnings[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"steps": 1}, "2 to 1024"), ({"steps": 10.5}, "whole number")],
)
def test_settings_out_of_range_are_refused(three_classes, blobs, settings, message):
    with pytest.raises(SettingError, match=message):
        explain(three_classes, blobs, "integrated_gradients", settings=settings)


def test_wrong_questions_are_refused(three_classes, blobs):
    with pytest.raises(UnknownNameError, match="'steps'"):
        explain(three_classes, blobs, "integrated_gradients", settings={"step": 5})
    with pytest.raises(SettingError, match="does not use a layer"):
        explain(three_classes, blobs, "saliency", layer="conv_a")
    with pytest.raises(SettingError, match="contrasted with itself"):
        explain(three_classes, blobs, "saliency", target="a", contrast="a")
    with pytest.raises(SettingError, match="power of two"):
        explain(three_classes, blobs, "sobol", settings={"num_designs": 12})
    with pytest.raises(SettingError, match="through the layers"):
        explain_layers(three_classes, blobs, "lime")
