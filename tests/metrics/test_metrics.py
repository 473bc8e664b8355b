"""Scores: as Xplique's at the same settings, told apart from chance, lost with the weights."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from xplique import attributions, metrics

from tests.conftest import sample_of
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.random_maps import random_maps
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import SettingError, UnknownNameError
from xai_tf.metrics import METRICS, compare, score, verdict
from xai_tf.metrics.metric import select_metrics
from xai_tf.metrics.randomization import noisy, randomised_classifier
from xai_tf.metrics.score import plan

FIDELITY = [name for name, metric in METRICS.items() if metric.family == "fidelity"]
CURVES = ["deletion", "insertion"]
AVERAGES = ["average_drop", "average_gain", "average_increase"]
QUICK = {
    "num_samples": 32,
    "steps": 16,
    "num_designs": 4,
    "patch": 8,
    "stride": 8,
    "num_segments": 9,
    "num_repeats": 1,
    "num_random": 4,
}
SEED = 3


def quick(table, name: str) -> dict[str, float]:
    return {option: QUICK[option] for option in table[name].options if option in QUICK}


def value(classifier, explanation, name, seed=SEED, **settings) -> float:
    (found,) = score(classifier, explanation, [name], settings={name: settings}, seed=seed)
    return found.value


@pytest.fixture(scope="module")
def says_the_same(three_classes):
    """A network that answers everything alike, though not with zero."""
    model = keras.models.clone_model(three_classes.model)
    for layer in model.layers:
        layer.set_weights([np.zeros_like(values) for values in layer.get_weights()])
    model.layers[-1].set_weights([np.zeros((16, 3)), np.array([0.1, 3.7, 0.3])])
    return Classifier(model, ["a", "b", "c"], name="says_the_same")


@pytest.fixture(scope="module")
def shares(three_classes, blobs):
    """A signed map without two even places."""
    return explain(three_classes, blobs, "gradient_input", target=1)


@pytest.fixture(scope="module")
def asked(three_classes, shares):
    """What Xplique is asked: the model, the picture, the class, with probabilities."""
    return {
        "model": three_classes.model,
        "inputs": shares.sample.image[None],
        "targets": np.eye(3, dtype=np.float32)[1:2],
        "activation": "softmax",
    }


@pytest.fixture(scope="module")
def spots():
    """Black and white squares with a patch of stripes among them: standing (0) or lying (1).

    As black and white as the rest, so that only who knows what counts looks there.
    """
    rng, images, labels = np.random.default_rng(0), [], []
    stripes = np.tile(np.arange(10) // 2 % 2, (10, 1)).astype(np.float64)
    for number in range(400):
        image = np.kron(rng.integers(0, 2, (16, 16, 1)), np.ones((2, 2, 3)))
        top, left = rng.integers(0, 23, 2)
        patch = stripes if number % 2 == 0 else stripes.T
        image[top : top + 10, left : left + 10] = patch[..., None]
        images.append(image.astype(np.float32))
        labels.append(number % 2)
    return np.stack(images), np.array(labels)


@pytest.fixture(scope="module")
def reader(spots):
    """A small network that has learnt to tell the stripes."""
    images, labels = spots
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 32, 3))
    for filters in (16, 24, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(images[:360], labels[:360], epochs=8, batch_size=24, verbose=0)
    assert model.evaluate(images[360:], labels[360:], verbose=0)[1] > 0.95
    return Classifier(model, ["standing", "lying"], name="reader", preprocessing="unit")


@pytest.fixture(scope="module")
def unseen(spots):
    """Eight pictures that the network was not trained on, and their classes."""
    images, labels = spots
    return [(sample_of(images[n]), int(labels[n])) for n in range(392, 400)]


@pytest.fixture(scope="module")
def deep():
    """Ten convolutions with random weights."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 32, 3))
    for number in range(10):
        x = keras.layers.Conv2D(16, 3, padding="same", kernel_initializer="he_normal")(x)
        x = keras.layers.ReLU(6.0)(x)
        if number in (3, 7):
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return Classifier(keras.Model(inputs, keras.layers.Dense(2)(x)), preprocessing="unit")


# The table


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_what_it_means_in_both_languages_and_which_end_is_better(name):
    metric = METRICS[name]

    assert all(metric.meaning[language].endswith((".", "?")) for language in ("en", "fr"))
    assert metric.meaning["en"] != metric.meaning["fr"]
    assert metric.direction in ("higher", "lower")
    assert f"{metric.direction} is better" in metric.better
    assert metric.paper


def test_only_metrics_that_run_no_method_again_are_taken_unless_told():
    ig, lime = METHODS["integrated_gradients"], METHODS["lime"]

    assert {metric.family for metric in select_metrics(None, [ig])} == {
        "fidelity",
        "form",
        "figure",
    }
    assert "completeness_gap" in [metric.name for metric in select_metrics(None, [ig])]
    assert "r2" not in [metric.name for metric in select_metrics(["all"], [ig])]
    assert {"r2", "repeat_correlation"} <= {
        metric.name for metric in select_metrics(["all"], [lime])
    }


def test_what_cannot_be_asked_is_refused_before_any_work(three_classes, shares):
    with pytest.raises(UnknownNameError, match="Did you mean 'deletion'"):
        score(three_classes, shares, ["deletoin"])
    with pytest.raises(SettingError, match=r"applies only to LIME, not to Gradient x Input"):
        score(three_classes, shares, ["r2"])
    with pytest.raises(
        SettingError,
        match=r"Invalid value for Deletion setting 'steps': 1\. Expected a whole number from 2",
    ):
        score(three_classes, shares, ["deletion"], settings={"deletion": {"steps": 1}})
    with pytest.raises(SettingError, match="'insertion', which is not among the requested metrics"):
        score(three_classes, shares, ["deletion"], settings={"insertion": {"steps": 5}})


# As Xplique's


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(("baseline", "steps"), [(0.0, 10), (0.5, 7)])
def test_areas_are_xpliques(three_classes, shares, asked, name, baseline, steps):
    theirs = getattr(metrics, name.capitalize())(**asked, baseline_mode=baseline, steps=steps)

    ours = value(three_classes, shares, name, baseline=baseline, steps=steps)

    assert ours == pytest.approx(theirs(shares.attribution[None]), abs=1e-4)


@pytest.mark.parametrize(
    ("grid", "hidden", "baseline"), [(9, 0.2, 0.0), (9, 0.2, 0.5), (5, 0.4, 0.0), (16, 0.1, 0.5)]
)
def test_mu_fidelity_is_xpliques_on_the_same_masks(
    three_classes, shares, asked, grid, hidden, baseline
):
    """On a signed map."""
    kept = np.random.default_rng(SEED).random((200, grid, grid, 1)) > hidden
    masks = tf.image.resize(kept.astype(np.float32), (32, 32), method="nearest")[None]

    class OnTheseMasks(metrics.MuFidelity):
        def _perturb_samples(self, inputs, _count):
            shown = inputs[:, None] * masks + (1 - masks) * baseline
            return tf.reshape(shown, (-1, 32, 32, 3)), masks

    theirs = OnTheseMasks(**asked, nb_samples=200, batch_size=200, grid_size=grid)

    ours = value(three_classes, shares, "mu_fidelity", grid=grid, hidden=hidden, baseline=baseline)

    assert (shares.attribution < 0).any()
    assert ours == pytest.approx(theirs(shares.attribution[None]), abs=1e-4)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("target", [0, 1, 2])
@pytest.mark.parametrize("method", ["grad_cam", "gradient_input"])  # the second is signed
@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_averages_are_xpliques(three_classes, blobs, asked, name, target, method, baseline):
    """Xplique hides by zeros: a picture less the baseline, to a model that adds it again."""
    title = "".join(word.capitalize() for word in name.split("_"))
    targets = np.eye(3, dtype=np.float32)[target : target + 1]
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, three_classes.model(inputs + baseline))
    told = {"model": model, "inputs": asked["inputs"] - baseline, "targets": targets}
    theirs = getattr(metrics, f"{title}Metric")(**asked | told)
    explanation = explain(three_classes, blobs, method, target=target)

    ours = value(three_classes, explanation, name, baseline=baseline)

    assert ours == pytest.approx(theirs(explanation.attribution[None]), abs=1e-4)


@pytest.mark.parametrize("name", ["sparseness", "complexity"])
def test_the_form_is_xpliques(three_classes, shares, name):
    ours = value(three_classes, shares, name)

    theirs = getattr(metrics, name.capitalize())()
    assert ours == pytest.approx(theirs(shares.attribution[None]), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "explainer"),
    [("saliency", attributions.Saliency), ("gradient_input", attributions.GradientInput)],
)
def test_average_stability_is_xpliques_on_the_same_noise(
    three_classes, blobs, asked, name, explainer
):
    """With the distance as a share of the map, which Xplique can be given."""
    model, inputs, targets = (asked[name] for name in ("model", "inputs", "targets"))
    theirs = metrics.AverageStability(
        model,
        inputs,
        targets,
        nb_samples=8,
        distance=lambda a, b: tf.norm(a - b) / tf.norm(b),
    )
    theirs.noisy_masks = noisy(inputs[0], 8, 0.05, SEED) - inputs[0]
    explanation = explain(three_classes, blobs, name, target=1)

    ours = value(three_classes, explanation, "average_stability")

    assert ours == pytest.approx(theirs(explainer(model)), rel=1e-4)


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize(
    ("name", "explainer"),
    [("saliency", attributions.Saliency), ("gradient_input", attributions.GradientInput)],
)
def test_randomisation_is_xpliques_on_the_same_weights_but_for_the_sign(
    three_classes, blobs, asked, name, explainer, share
):
    class TheseWeights(metrics.ModelRandomizationStrategy):
        def randomize(self, model):
            weights = randomised_classifier(three_classes, share, SEED).model.get_weights()
            model.set_weights(weights)
            return model

    arguments = {name: asked[name] for name in ("model", "inputs", "targets")}
    theirs = metrics.ModelRandomizationMetric(**arguments, randomization_strategy=TheseWeights())
    explanation = explain(three_classes, blobs, name, target=1)

    ours = value(three_classes, explanation, "randomisation", share=share)

    assert ours == pytest.approx(abs(theirs(explainer(asked["model"]))), abs=1e-4)


# Where we depart from it


def test_one_logit_has_probabilities_where_xpliques_first_class_is_negative(halves, left_bright):
    explanation = explain(halves, left_bright, "gradient_input", target="left")
    theirs = metrics.Deletion(
        halves.model, left_bright.image[None], halves.target(0)[None], activation="sigmoid"
    )

    (ours,) = score(halves, explanation, ["deletion"])

    assert theirs(explanation.attribution[None]) < 0
    assert 0.5 < ours.value < explanation.prediction.probabilities[0]
    assert ours.quantity == "probability of left"


def test_even_places_go_in_random_order_where_xpliques_go_from_one_side(blobs):
    """A network that sees only how bright a picture is cannot mind that it is turned over."""
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )
    model.layers[-1].set_weights([np.array([[4.0, 0.0]] * 3), np.zeros(2)])
    classifier = Classifier(model, ["bright", "dark"])
    image = np.zeros((32, 32, 3))
    image[16:] = 1
    found = []
    for picture in (image, image[::-1]):
        explanation = explain(classifier, sample_of(picture), "saliency", target=0)
        flat = replace(explanation, attribution=np.ones((32, 32), np.float32))
        theirs = metrics.Deletion(
            classifier.model,
            flat.sample.image[None],
            np.eye(2, dtype=np.float32)[:1],
            activation="softmax",
        )
        found.append((value(classifier, flat, "deletion"), theirs(flat.attribution[None])))

    (ours, theirs), (ours_turned, theirs_turned) = found
    assert abs(theirs - theirs_turned) > 0.1
    assert ours == pytest.approx(ours_turned, abs=0.01)


def test_the_unit_of_a_map_makes_no_difference(three_classes, blobs, asked):
    """Xplique adds 1e-8 to the strength of a map, which is more than some maps have."""
    map_ = explain(three_classes, blobs, "gradient_input")
    tiny = replace(map_, attribution=map_.attribution / np.abs(map_.attribution).max() / 1e9)
    targets = np.eye(3, dtype=np.float32)[map_.target][None]
    theirs = metrics.AverageDropMetric(**asked | {"targets": targets})

    drops = [value(three_classes, e, "average_drop") for e in (map_, tiny)]
    sparse = [value(three_classes, e, "sparseness") for e in (map_, tiny)]

    assert drops[0] == pytest.approx(drops[1], abs=1e-5)
    assert sparse[0] == pytest.approx(sparse[1], abs=1e-4)
    assert abs(theirs(map_.attribution[None]) - theirs(tiny.attribution[None])) > 0.01


def test_what_is_hidden_becomes_the_baseline(three_classes, shares):
    at = {level: value(three_classes, shares, "average_drop", baseline=level) for level in (0, 1)}
    level = value(three_classes, shares, "deletion", baseline=1, steps=2)

    assert at[0] != at[1]
    white = three_classes.passes.logits(np.ones((1, 32, 32, 3), np.float32)).numpy()
    end = three_classes.prediction(white[0]).probabilities[1]
    assert level > 0.25 * end  # half of the last of two steps is the white picture


def test_noise_goes_to_both_sides_and_stays_in_the_picture(blobs):
    pictures = noisy(blobs.image, 16, 0.05, seed=0)

    inner = (blobs.image > 0.05) & (blobs.image < 0.95)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert abs((pictures - blobs.image)[:, inner].mean()) < 0.001


def test_a_network_undone_has_new_kernels_as_wide_and_leaves_the_classifier_alone(three_classes):
    before = three_classes.model.get_weights()

    undone = randomised_classifier(three_classes, 1.0, 0).model.get_weights()
    last = randomised_classifier(three_classes, 0.01, 0).model.get_weights()

    for old, now, new in zip(before, three_classes.model.get_weights(), undone, strict=True):
        np.testing.assert_array_equal(old, now)
        assert np.array_equal(old, new) == (old.ndim == 1)
        assert old.ndim == 1 or new.std() == pytest.approx(old.std(), rel=0.25)
    assert [np.array_equal(*pair) for pair in zip(before, last, strict=True)] == [True] * 4 + [
        False,
        True,
    ]


# Against chance


def test_random_maps_have_the_very_values_of_the_map_at_other_places():
    values = np.random.default_rng(0).random((24, 40)).astype(np.float32)

    maps = random_maps(values, 20, seed=0)

    np.testing.assert_array_equal(maps, random_maps(values, 20, seed=0))
    assert not np.array_equal(maps, random_maps(values, 20, seed=1))
    for one in maps:
        np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(values, axis=None))
        assert abs(np.corrcoef(one.ravel(), values.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("name", [*CURVES, "mu_fidelity"])
def test_the_right_map_beats_random_ones_and_its_opposite_loses(halves, left_bright, name):
    right = explain(halves, left_bright, "gradient_input", target="left")
    wrong = replace(right, attribution=-right.attribution)

    (good,), (bad,) = (score(halves, e, [name]) for e in (right, wrong))

    assert good.better_than_random > 0.9
    assert bad.better_than_random < 0.1
    assert good.random.count == 20
    assert good.random.low <= good.random.mean <= good.random.high


@pytest.mark.parametrize("name", [*FIDELITY, "average_stability", "repeat_correlation"])
def test_a_constant_map_scores_as_random(three_classes, blobs, name):
    explanation = explain(three_classes, blobs, "smooth_grad", settings={"num_samples": 4})
    flat = replace(explanation, attribution=np.full((32, 32), 0.3, np.float32))

    for seed in range(4):
        (found,) = score(three_classes, flat, [name], seed=seed)
        assert np.isfinite(found.value)
        assert found.better_than_random == 0.5
        assert "the order of its pixels is random" in found.note


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_a_map_without_values_is_refused_in_words(three_classes, blobs, empty):
    explanation = explain(three_classes, blobs, "integrated_gradients", target=1)
    void = replace(explanation, attribution=np.full((32, 32), empty, np.float32))

    scores = score(three_classes, void, ["all"])

    assert "completeness_gap" in [found.metric.name for found in scores]
    for found in scores:
        assert np.isnan(found.value)
        assert found.random is None
        assert found.better_than_random is None
        assert ("zero everywhere" if empty == 0 else "not a number") in found.note


def win_rate(reader, classifier, asked, name) -> np.ndarray:
    """Shares of random maps beaten on `reader`, by maps of a classifier: (pictures, curves)."""
    settings = {curve: {"num_random": 10} for curve in CURVES}
    found = [explain(classifier, sample, name, target=label) for sample, label in asked]
    return np.array(
        [
            [one.better_than_random for one in score(reader, e, CURVES, settings=settings)]
            for e in found
            if e.attribution.any()
        ]
    )


@pytest.mark.parametrize("name", ["integrated_gradients", "grad_cam"])
def test_a_network_that_has_learnt_gives_maps_that_beat_random_ones(reader, unseen, name):
    assert win_rate(reader, reader, unseen, name).mean(axis=0).min() > 0.9


@pytest.mark.parametrize("name", ["integrated_gradients", "grad_cam"])
def test_maps_of_a_network_undone_score_as_random(reader, unseen, name):
    """Made without what was learnt, scored on the network that has learnt it."""
    undone = [randomised_classifier(reader, 1.0, seed) for seed in range(4)]

    found = np.concatenate([win_rate(reader, one, unseen[:4], name) for one in undone])

    assert (np.abs(found.mean(axis=0) - 0.5) < 0.3).all()


def test_the_randomisation_check_tells_guided_backprop_from_the_others(deep, blobs):
    kept = {
        name: value(deep, explain(deep, blobs, name, target=0), "randomisation")
        for name in ("saliency", "gradient_input", "grad_cam", "guided_backprop")
    }

    assert kept.pop("guided_backprop") > 0.8
    assert max(kept.values()) < 0.5


def test_a_map_turned_into_its_opposite_follows_a_network_undone_as_one_that_stays(deep, blobs):
    stays = explain(deep, blobs, "guided_backprop", target=0)
    turned = replace(stays, attribution=-stays.attribution)
    other = explain(deep, blobs, "saliency", target=0)

    (one,), (opposite,), (unlike,) = (
        score(deep, e, ["randomisation"]) for e in (stays, turned, other)
    )

    assert one.value > 0.8
    assert opposite.value == pytest.approx(one.value)
    assert unlike.value < 0.5
    assert one.random.high < 0.5
    assert one.better_than_random == opposite.better_than_random == 0
    held = verdict([one, unlike])  # to be like random maps is what is best here
    assert held == "None of these metrics is compared with random maps."


@pytest.mark.parametrize("silent", ["map", "undone"])
def test_randomisation_has_no_value_where_a_map_is_the_same_everywhere(
    three_classes, says_the_same, blobs, silent
):
    explanation = explain(three_classes, blobs, "saliency", target=1)
    if silent == "map":
        explanation = replace(explanation, attribution=np.ones((32, 32), np.float32))
    classifier = three_classes if silent == "map" else says_the_same

    (found,) = score(classifier, explanation, ["randomisation"])

    assert np.isnan(found.value)
    assert found.random is None
    assert "has no signal" in found.note


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("lime", "r2"),
        ("kernel_shap", "efficiency_gap"),
        ("integrated_gradients", "completeness_gap"),
    ],
)
def test_where_the_network_answers_all_alike_no_method_fits_it_well(
    says_the_same, blobs, name, metric
):
    found = compare(says_the_same, blobs, [name], [metric])

    ((one,),) = found.scores
    assert not found.explanations[0].attribution.any()
    assert "r2" not in found.explanations[0].figures
    assert np.isnan(one.value)
    assert one.note
    assert found.ranks.tolist() == [[0]]


def test_r2_is_told_of_more_samples_than_fit_anything(three_classes, blobs):
    few, some = (
        explain(three_classes, blobs, "lime", settings={"num_samples": 32, "num_segments": count})
        for count in (100, 9)
    )

    (too_few,), (fits,) = (score(three_classes, e, ["r2"]) for e in (few, some))

    assert np.isnan(too_few.value)
    assert "two samples per segment" in too_few.note
    assert 0 <= fits.value == some.figures["r2"]


def test_xpliques_randomisation_leaves_no_gradient_where_relus_saturate(deep, blobs):
    """Its weights lie from 0 to 1; ours around zero."""
    theirs = keras.models.clone_model(deep.model)
    theirs.set_weights(deep.model.get_weights())
    metrics.ProgressiveLayerRandomization(0.5).randomize(theirs)

    flat = explain(Classifier(theirs, preprocessing="unit"), blobs, "saliency", target=0)
    ours = explain(randomised_classifier(deep, 0.5, 0), blobs, "saliency", target=0)

    assert not flat.attribution.any()
    assert ours.attribution.any()


# What a method says of itself


def test_figures_are_those_of_the_method(three_classes, blobs):
    settings = {"num_segments": 9, "num_samples": 64}
    shap = explain(three_classes, blobs, "kernel_shap", settings=settings)
    lime = explain(three_classes, blobs, "lime", settings=settings)
    broken = replace(shap, segment_weights=shap.segment_weights * 1.5)

    assert value(three_classes, lime, "r2") == lime.figures["r2"]
    assert value(three_classes, shap, "efficiency_gap") < 1e-4
    assert value(three_classes, broken, "efficiency_gap") == pytest.approx(0.5, abs=1e-4)


def test_repeats_correlate_the_more_the_more_samples_there_are(three_classes, blobs):
    few, many = (
        explain(three_classes, blobs, "rise", target=1, settings={"num_samples": count})
        for count in (16, 1024)
    )

    repeats = [score(three_classes, e, ["repeat_correlation"])[0] for e in (few, many)]

    assert repeats[0].value < repeats[1].value
    assert repeats[1].value > 0.9
    assert repeats[1].better_than_random == 1


# Costs, seeds, stopping


@pytest.mark.parametrize("name", METHODS)
def test_scores_cost_what_was_told_before(three_classes, blobs, name):
    method = METHODS[name]
    explanation = explain(three_classes, blobs, name, target=1, settings=quick(METHODS, name))
    settings = {
        m.name: quick(METRICS, m.name) | ({"num_samples": 20} if m.name == "mu_fidelity" else {})
        for m in select_metrics(["all"], [method])
    }
    settings["average_stability"]["num_samples"] = 2
    told = plan(three_classes, [(method, explanation.settings)], ["all"], settings)[name]
    seen = []

    scores = score(
        three_classes,
        explanation,
        ["all"],
        settings=settings,
        progress=lambda done, total: seen.append((done, total)),
    )

    assert [found.metric for found in scores] == [planned.metric for planned in told]
    for found, planned in zip(scores, told, strict=True):
        at_most = planned.cost.evaluations
        assert found.cost.evaluations <= at_most
        assert np.isfinite(found.value)
        assert found.settings == planned.settings
    total = sum(planned.cost.evaluations for planned in told)
    assert all(done <= of == total for done, of in seen)
    assert sorted(seen) == seen


def test_the_same_seed_gives_the_same_scores(three_classes, blobs):
    explanation = explain(three_classes, blobs, "smooth_grad", target=1)

    def values(seed):
        return {
            s.metric.name: (s.value, s.random)
            for s in score(three_classes, explanation, ["all"], seed=seed)
        }

    first, second, third = values(0), values(0), values(1)
    assert first == second
    assert first["mu_fidelity"] != third["mu_fidelity"]
    assert first["average_stability"] != third["average_stability"]
    assert first["randomisation"] != third["randomisation"]


def test_global_random_numbers_are_left_alone(three_classes, shares):
    np.random.seed(5)
    tf.random.set_seed(5)
    expected = (np.random.random(), float(tf.random.uniform(())))
    np.random.seed(5)
    tf.random.set_seed(5)

    score(three_classes, shares, ["all"])

    assert (np.random.random(), float(tf.random.uniform(()))) == expected


@pytest.mark.parametrize("name", ["deletion", "average_stability"])
def test_scores_stop_where_progress_raises(three_classes, blobs, name):
    class EnoughError(Exception):
        pass

    explanation, seen = explain(three_classes, blobs, "rise", settings={"num_samples": 64}), []

    def stop(done, _total):
        seen.append(done)
        if done >= 64:
            raise EnoughError

    with pytest.raises(EnoughError):
        score(three_classes, explanation, [name], progress=stop)
    assert len(seen) == 2


def test_a_contrast_is_scored_by_the_probability_between_the_two(three_classes, blobs):
    explanation = explain(three_classes, blobs, "saliency", target="b", contrast="c")

    (found,) = score(three_classes, explanation, ["deletion"], settings={"deletion": {"steps": 2}})

    order = np.argsort(-explanation.attribution.ravel())[:512]
    half = blobs.image.reshape(-1, 3).copy()
    half[order] = 0
    pictures = np.stack([blobs.image, half.reshape(32, 32, 3), np.zeros((32, 32, 3))])
    _, b, c = three_classes.passes.logits(pictures.astype(np.float32)).numpy().T
    chances = 1 / (1 + np.exp(c - b))
    assert found.value == pytest.approx((chances[0] / 2 + chances[1] + chances[2] / 2) / 2)
    assert found.quantity == "probability of b among b and c alone"


def test_what_a_method_measured_of_itself_is_no_score_of_a_constant_map(three_classes, blobs):
    explanation = explain(three_classes, blobs, "integrated_gradients", target=1)
    flat = replace(explanation, attribution=np.ones((32, 32), np.float32))

    (found,) = score(three_classes, flat, ["completeness_gap"])

    assert np.isnan(found.value)
    assert "The map is constant" in found.note


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_random_maps_do_not_rival_says_why(name, language):
    metric, word = METRICS[name], {"en": "andom maps", "fr": "cartes aléatoires"}[language]
    rivalled = metric.has_baseline and "num_random" in metric.options
    fitted = {"en": "whatever their location", "fr": "quel que soit leur emplacement"}[language]

    text = metric.meaning[language]

    assert rivalled or word.lower() in text.lower() or (name == "efficiency_gap" and fitted in text)


# Methods side by side


def test_methods_are_ranked_on_each_metric(halves, left_bright):
    names = ["gradient_input", "integrated_gradients", "lime", "occlusion"]

    found = compare(
        halves,
        left_bright,
        names,
        ["deletion", "insertion", "r2"],
        target="left",
        settings={
            "lime": {"num_samples": 64, "num_segments": 9},
            "deletion": {"steps": 20},
            "occlusion": {"patch": 8, "stride": 8},
        },
    )

    assert [e.method.name for e in found.explanations] == names
    assert [metric.name for metric in found.metrics] == ["deletion", "insertion", "r2"]
    assert [row[2] is None for row in found.scores] == [True, True, False, True]
    assert found.ranks[:, 2].tolist() == [0, 0, 1, 0]
    deletions = [row[0].value for row in found.scores]
    assert found.scores[0][0].settings["steps"] == 20
    assert [1 + sum(d < mine for d in deletions) for mine in deletions] == list(found.ranks[:, 0])
    assert found.explanations[2].settings["num_samples"] == 64
    assert found.agreement.correlations.shape == (4, 4)


def test_a_comparison_tells_its_progress_and_scores_as_one_by_one(three_classes, blobs):
    seen = []

    found = compare(
        three_classes,
        blobs,
        ["saliency", "grad_cam"],
        ["insertion", "sparseness"],
        target="a",
        progress=lambda done, total: seen.append((done, total)),
    )

    alone = score(
        three_classes,
        explain(three_classes, blobs, "grad_cam", target="a"),
        ["insertion", "sparseness"],
    )
    assert [one.value for one in found.scores[1]] == [one.value for one in alone]
    assert sorted(seen) == seen
    assert seen[-1] == (2 * (1 + 191), 2 * (1 + 191))


def test_a_map_without_a_signal_has_no_rank(halves, left_bright):
    dark = sample_of(np.zeros((32, 32, 3)))

    found = compare(halves, dark, ["gradient_input", "saliency"], ["deletion"])

    assert found.ranks.tolist() == [[0], [0]]
    assert np.isnan(found.scores[0][0].value)
    assert np.isfinite(found.scores[1][0].value)
    assert found.agreement.left_out == ("Gradient x Input", "Saliency")  # the same everywhere
