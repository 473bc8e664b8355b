"""Flattening, cutting and linear heads, on networks of all makes."""

import keras
import numpy as np
import pytest

from tests.conftest import several_labels
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import cut_points, flatten, tensors, upper_part
from xai_tf.classifiers.output_head import linear_head
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import ModelError, SettingError, XaiTfError

LAYERS = keras.layers
IMAGES = np.random.default_rng(0).random((2, 75, 75, 3), dtype=np.float32)
APPLICATIONS = [
    "VGG16",
    "ResNet50",
    "InceptionV3",
    "MobileNetV2",
    "DenseNet121",
    "EfficientNetB0",
    "ConvNeXtTiny",
]


LARGE = ("DenseNet121", "EfficientNetB0", "ConvNeXtTiny")
ONE_BY_ONE = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in APPLICATIONS
]


def nested(application: str) -> keras.Model:
    base = getattr(keras.applications, application)(
        weights=None, include_top=False, input_shape=(75, 75, 3)
    )
    inputs = keras.Input((75, 75, 3))
    pooled = LAYERS.GlobalAveragePooling2D()(base(inputs, training=False))
    return keras.Model(inputs, LAYERS.Dense(3)(pooled))


def output(model: keras.Model, images: np.ndarray = IMAGES) -> np.ndarray:
    return np.asarray(model(images, training=False))


@pytest.mark.parametrize("application", APPLICATIONS)
def test_flat_model_says_the_same_and_hides_no_layer(application):
    model = nested(application)

    flat = flatten(model)

    np.testing.assert_allclose(output(flat), output(model), atol=1e-6)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    inside = {x.name for x in model.layers[1].layers[1:] if not isinstance(x, keras.Model)}
    assert inside <= {layer.name for layer in flat.layers}


@pytest.mark.parametrize("application", ONE_BY_ONE)
def test_every_cut_of_a_network_keeps_its_logits(application):
    flat = flatten(nested(application))
    cuts = cut_points(flat)

    for name in cuts[1 :: max(1, len(cuts) // 5)]:
        lower = keras.Model(flat.inputs[0], tensors(flat)[name])
        upper = upper_part(flat, name)
        np.testing.assert_allclose(output(upper, output(lower)), output(flat), atol=1e-6)


def test_a_branch_is_no_cut():
    flat = flatten(nested("ResNet50"))
    branch = "conv2_block1_1_conv"

    assert branch not in cut_points(flat)
    with pytest.raises(ModelError, match="another path bypasses it"):
        upper_part(flat, branch)


def test_upper_part_shares_its_weights_with_the_whole():
    flat = flatten(nested("VGG16"))
    upper = upper_part(flat, "block5_pool")
    before = output(flat)

    upper.layers[-1].set_weights([w + 1 for w in upper.layers[-1].get_weights()])

    assert np.abs(output(flat) - before).max() > 0.5


def test_models_nested_twice_and_layers_of_the_same_name_are_flattened():
    def block(name: str, channels: int) -> keras.Model:
        inputs = keras.Input((None, None, channels))
        return keras.Model(inputs, LAYERS.Conv2D(4, 3, name="conv")(inputs), name=name)

    inner = keras.Sequential([keras.Input((75, 75, 3)), block("one", 3), block("two", 4)])
    model = keras.Sequential([keras.Input((75, 75, 3)), inner, LAYERS.Flatten(), LAYERS.Dense(2)])

    flat = flatten(model)

    np.testing.assert_allclose(output(flat), output(model), atol=1e-6)
    assert {"conv", "conv_1"} <= set(tensors(flat))


def test_a_layer_called_twice_stays_one_layer():
    conv = LAYERS.Conv2D(3, 3, padding="same", name="shared")
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(conv(conv(inputs)))))

    flat = flatten(model)

    np.testing.assert_allclose(output(flat), output(model), atol=1e-6)
    assert flat.count_params() == model.count_params()


HEADS = {
    "dense softmax": (lambda x: LAYERS.Dense(3, activation="softmax")(x), "softmax", 3),
    "dense sigmoid": (lambda x: LAYERS.Dense(1, activation="sigmoid")(x), "sigmoid", 1),
    "activation softmax": (
        lambda x: LAYERS.Activation("softmax")(LAYERS.Dense(3)(x)),
        "softmax",
        3,
    ),
    "activation sigmoid": (
        lambda x: LAYERS.Activation("sigmoid")(LAYERS.Dense(1)(x)),
        "sigmoid",
        1,
    ),
    "softmax layer": (lambda x: LAYERS.Softmax()(LAYERS.Dense(2)(x)), "softmax", 2),
    "softmax operation": (lambda x: keras.ops.softmax(LAYERS.Dense(3)(x)), "softmax", 3),
    "sigmoid operation": (lambda x: keras.ops.sigmoid(LAYERS.Dense(1)(x)), "sigmoid", 1),
    "linear": (lambda x: LAYERS.Dense(3)(x), "linear", 3),
}


@pytest.mark.parametrize("name", HEADS)
def test_any_head_becomes_linear_with_the_same_probabilities(name):
    build, activation, num_logits = HEADS[name]
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, build(LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(4, 3)(inputs))))

    linear, head = linear_head(flatten(model))

    assert (head.activation, head.num_logits) == (activation, num_logits)
    undo = {"softmax": keras.ops.softmax, "sigmoid": keras.ops.sigmoid, "linear": lambda x: x}
    np.testing.assert_allclose(undo[activation](output(linear)), output(model), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: LAYERS.Dense(1, activation="softmax")(x), "always 1"),
        (lambda x: LAYERS.Dense(3, activation="tanh")(x), "'tanh'"),
        (lambda x: LAYERS.Dense(3, activation="relu")(x), "'relu'"),
        (lambda x: LAYERS.Reshape((2, 2))(LAYERS.Dense(4)(x)), "shape"),
    ],
)
def test_a_head_without_class_logits_is_refused_with_its_name(build, message):
    inputs = keras.Input((75, 75, 3))
    flat = flatten(keras.Model(inputs, build(LAYERS.GlobalAveragePooling2D()(inputs))))

    with pytest.raises(ModelError, match=message):
        linear_head(flat)


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match="Sequential or Functional"):
        flatten(Own())


def head_model(*layers) -> keras.Model:
    inputs = x = keras.Input((75, 75, 3))
    for layer in (LAYERS.Conv2D(4, 3), LAYERS.GlobalAveragePooling2D(), *layers):
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    "behind",
    [LAYERS.Activation("linear", dtype="float32"), LAYERS.Dropout(0.5), LAYERS.Identity()],
    ids=["linear activation", "dropout", "identity"],
)
def test_layers_that_change_nothing_do_not_hide_the_softmax(behind):
    model = head_model(LAYERS.Dense(3, activation="softmax"), behind)

    linear, head = linear_head(flatten(model))

    assert head.activation == "softmax"
    np.testing.assert_allclose(keras.ops.softmax(output(linear)), output(model), atol=1e-6)


def dense(x, count, activation, seed=0):
    init = keras.initializers.RandomNormal(stddev=3.0, seed=seed)
    return LAYERS.Dense(count, activation=activation, kernel_initializer=init)(
        LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(8, 3, activation="relu")(x))
    )


def pixels(x, count, activation):
    init = keras.initializers.RandomNormal(stddev=1.0, seed=1)
    x = LAYERS.Conv2D(8, 3, activation="relu")(x)
    return LAYERS.Conv2D(count, 3, activation=activation, kernel_initializer=init)(x)


# Heads without a logit of their own: built on a picture, and how logits become probabilities.
ARITHMETIC = {
    "average": (
        lambda x: LAYERS.Average()([dense(x, 3, "softmax", s) for s in (1, 2)]),
        "softmax",
    ),
    "weighted": (
        lambda x: 0.7 * dense(x, 3, "softmax", 1) + 0.3 * dense(x, 3, "softmax", 2),
        "softmax",
    ),
    "pooled map": (lambda x: keras.ops.mean(pixels(x, 3, "softmax"), axis=(1, 2)), "softmax"),
    "attention": (
        lambda x: keras.ops.sum(
            pixels(x, 3, "softmax") * LAYERS.Softmax(axis=(1, 2))(LAYERS.Conv2D(1, 5)(x)),
            axis=(1, 2),
        ),
        "softmax",
    ),
    "percent": (lambda x: LAYERS.Rescaling(100.0)(dense(x, 3, "softmax")), "softmax"),
    "divided by the sum": (
        lambda x: (lambda p: p / keras.ops.sum(p, axis=-1, keepdims=True))(dense(x, 3, "softmax")),
        "softmax",
    ),
    "turned": (lambda x: 1.0 - dense(x, 1, "sigmoid"), "sigmoid"),
    "strongest place": (lambda x: LAYERS.GlobalMaxPooling2D()(pixels(x, 1, "sigmoid")), "sigmoid"),
    "strongest places": (
        lambda x: LAYERS.GlobalMaxPooling2D()(pixels(x, 4, "sigmoid")),
        "sigmoid",
    ),
    "hard sigmoid": (lambda x: dense(x, 1, "hard_sigmoid"), "sigmoid"),
    "one of a softmax": (lambda x: dense(x, 2, "softmax")[:, 1:], "sigmoid"),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_on_probabilities_gets_the_logits_of_just_those(name):
    build, activation = ARITHMETIC[name]
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, build(inputs))

    linear, head = linear_head(flatten(model))

    undo = {"softmax": keras.ops.softmax, "sigmoid": keras.ops.sigmoid}[activation]
    assert (head.activation, head.recovered) == (activation, True)
    assert head.total == (100 if name == "percent" else 1)
    np.testing.assert_allclose(
        head.total * undo(output(linear)), output(model), atol=1e-5 * head.total
    )


def test_logarithms_of_probabilities_are_logits():
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, dense(inputs, 3, "log_softmax"))

    linear, head = linear_head(flatten(model))

    assert head.activation == "linear"
    np.testing.assert_allclose(output(linear), output(model), atol=1e-6)


@pytest.mark.parametrize("seed", range(6))  # some are so sure that the limits lift their sum
def test_limited_probabilities_are_said_to_be_divided_by_their_sum(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((75, 75, 3))
    limited = keras.ops.clip(dense(inputs, 3, "softmax"), 0.001, 0.999)

    _, head = linear_head(flatten(keras.Model(inputs, limited)))
    _, plain = linear_head(flatten(keras.Model(inputs, dense(inputs, 3, "softmax"))))

    assert (head.clipped, plain.clipped) == (True, False)


@pytest.mark.parametrize("name", ["reads a global", "has no configuration"])
def test_a_layer_in_memory_that_cannot_be_copied_is_used_itself(name):
    white = 255.0

    class Scaled(LAYERS.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return x * self.factor

    layer = (
        Scaled(1 / white) if name == "has no configuration" else LAYERS.Lambda(lambda x: x / white)
    )
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, dense(layer(inputs), 3, "softmax"))

    np.testing.assert_allclose(output(flatten(model)), output(model), atol=1e-6)


@pytest.mark.parametrize("count", [1, 4])
def test_scaled_sigmoids_are_refused_because_50_is_no_logit(count):
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, LAYERS.Rescaling(100.0)(dense(inputs, count, "sigmoid")))

    with pytest.raises(ModelError, match="scales probabilities"):
        linear_head(flatten(model))


def test_sigmoids_that_agree_on_noise_stay_several_labels():
    inputs = keras.Input((75, 75, 3))
    bias = keras.initializers.Constant([30.0, -30.0, -30.0])
    pooled = LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(8, 3)(inputs))
    members = [LAYERS.Dense(3, activation="sigmoid", bias_initializer=bias)(pooled) for _ in "ab"]
    model = keras.Model(inputs, LAYERS.Average()(members))

    _, head = linear_head(flatten(model))

    assert (head.activation, head.multi_label) == ("sigmoid", True)


def test_a_product_of_probabilities_is_refused_because_it_is_none():
    inputs = keras.Input((75, 75, 3))
    members = [dense(inputs, 3, "softmax", seed) for seed in (1, 2)]
    model = keras.Model(inputs, LAYERS.Multiply()(members))

    with pytest.raises(ModelError, match="Divide them by their sum"):
        linear_head(flatten(model))


@pytest.mark.parametrize("count", [1, 3])
def test_logits_that_pass_gates_are_left_alone(count):
    """A sigmoid far inside, and small logits, do not make outputs probabilities."""
    inputs = keras.Input((75, 75, 3))
    x = LAYERS.Conv2D(4, 3)(inputs)
    x = x * LAYERS.Dense(4, activation="sigmoid")(x)
    small = keras.initializers.RandomUniform(0.1, 0.2, seed=0)
    logits = LAYERS.Dense(count, kernel_initializer=small)(LAYERS.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, logits)

    linear, head = linear_head(flatten(model))

    assert head.activation == "linear"
    np.testing.assert_allclose(output(linear), output(model), atol=1e-6)


@pytest.mark.parametrize("count", [2, 14])
def test_several_sigmoids_are_several_labels(count):
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, dense(inputs, count, "sigmoid"))

    classifier = Classifier(model, preprocessing="unit")
    prediction = classifier.prediction(np.asarray(classifier.model(IMAGES))[0])

    assert classifier.head.multi_label
    assert prediction.multi_label
    np.testing.assert_allclose(prediction.probabilities, output(model)[0], atol=1e-6)
    assert prediction.label == int(output(model)[0].argmax())


def test_a_file_may_have_several_findings_or_none(three_labels):
    bright_left = np.zeros((32, 32, 3), np.float32)
    bright_left[:, :16] = 1

    found = three_labels.predict(bright_left)[0]
    nothing = three_labels.predict(np.zeros((32, 32, 3), np.float32))[0]

    np.testing.assert_allclose(found.logits, [4, 0, 0], atol=1e-5)
    np.testing.assert_allclose(found.probabilities, [0.982, 0.5, 0.5], atol=1e-3)
    assert found.findings == (0, 1)  # the middle needs 70%
    assert found.answer == "left, upper"
    assert found.summary == "left (98.2%), upper (50.0%)"
    assert found.margin == pytest.approx(4)
    assert (nothing.findings, nothing.answer) == ((), "no finding")
    assert nothing.margin == pytest.approx(-4)
    assert nothing.summary == "no finding; closest: left (1.8%)"


def test_the_class_that_is_explained_is_the_one_furthest_above_its_threshold():
    limits = (0.9, 0.2)
    prediction = Prediction(
        np.log([4.0, 0.5]), np.array([0.8, 1 / 3]), ("a", "b"), multi_label=True, thresholds=limits
    )

    assert (prediction.name, prediction.answer) == ("b", "b")
    assert prediction.margin == pytest.approx(np.log(0.5 / 0.25))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"left": 1.5}, "Expected a probability between 0 and 1"),
        ({"lef": 0.5}, "Did you mean 'left'"),
    ],
)
def test_thresholds_are_checked(given, problem):
    with pytest.raises(XaiTfError, match=problem):
        Classifier(several_labels(), ["left", "upper", "middle"], thresholds=given)


def test_a_softmax_takes_no_thresholds(small_cnn):
    with pytest.raises(SettingError, match="predicts one class"):
        Classifier(small_cnn, ["a", "b", "c"], thresholds={"a": 0.3})


def test_an_adapted_normalization_keeps_what_it_learnt():
    norm = LAYERS.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.05, 0.06, 0.07])
    adapted = LAYERS.Normalization()
    adapted.adapt(IMAGES)
    for layer in (norm, adapted):
        inputs = keras.Input((75, 75, 3))
        x = LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(4, 3)(layer(inputs)))
        model = keras.Model(inputs, LAYERS.Dense(3)(x))

        np.testing.assert_allclose(output(flatten(model)), output(model), atol=1e-6)


def test_a_layer_called_twice_stands_where_it_was_last():
    shared = LAYERS.ReLU(name="shared")
    inputs = keras.Input((75, 75, 3))
    x = shared(LAYERS.Conv2D(4, 3, name="first")(inputs))
    x = shared(LAYERS.Conv2D(4, 3, name="second")(x))
    flat = flatten(keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(x))))

    names = list(tensors(flat))

    assert names.index("shared") > names.index("second")


def test_a_nested_model_called_by_keyword_is_flattened():
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(75, 75, 3))
    inputs = keras.Input((75, 75, 3))
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(base(inputs=inputs))))

    np.testing.assert_allclose(output(flatten(model)), output(model), atol=1e-6)
