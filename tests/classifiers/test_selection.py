"""Models of several outputs and inputs: one output is chosen, other inputs are held."""

import keras
import numpy as np
import pytest

from tests.conftest import SAMPLES, result_of
from xai_tf.attribution.explain import explain
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import cut_points
from xai_tf.classifiers.loading import load
from xai_tf.errors import ModelError, SettingError, UnknownNameError

LAYERS = keras.layers
PICTURES = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)
AGE, SEX = 63, (1.0, 0.0)
HELD = {"age": AGE, "sex": SEX}


def features(inputs):
    x = LAYERS.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    return LAYERS.GlobalAveragePooling2D(name="pooled")(x)


def two_heads(first="softmax", second=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = features(inputs)
    return keras.Model(
        inputs,
        [
            LAYERS.Dense(1, activation=second, name="severity")(x),
            LAYERS.Dense(3, activation=first, name="diagnosis")(x),
        ],
    )


def with_metadata(nested=False):
    """A picture, an age and a sex; the metadata pass layers of their own before they join."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((32, 32, 3), name="scan")
    age, sex = keras.Input((1,), name="age"), keras.Input((2,), name="sex")
    told = LAYERS.Dense(4, activation="tanh", name="told")(LAYERS.Rescaling(0.01)(age))
    joined = LAYERS.Concatenate(name="joined")([features(picture), told, sex])
    gate = LAYERS.Dense(14, activation="sigmoid", name="gate")(told)
    output = LAYERS.Dense(3, activation="softmax", name="classes")(joined * gate)
    model = keras.Model([age, picture, sex], output)
    if not nested:
        return model
    inputs = [keras.Input(t.shape[1:], name=f"{t.name}_outer") for t in model.inputs]
    return keras.Model(inputs, model(inputs))


def of_metadata(model, pictures):
    rows = len(pictures)
    ages, sexes = np.full((rows, 1), AGE, np.float32), np.tile(np.float32(SEX), (rows, 1))
    return np.asarray(model([ages, pictures, sexes], training=False))


def probabilities(classifier, pictures=PICTURES):
    return np.stack([p.probabilities for p in classifier.predict(pictures)])


def test_the_only_softmax_is_the_output_that_is_explained():
    model = two_heads()

    classifier = Classifier(model, preprocessing="unit")

    assert classifier.output == "diagnosis"
    assert "not severity (1)" in classifier.warnings[0]
    np.testing.assert_allclose(probabilities(classifier), model(PICTURES)[1], atol=1e-6)


def test_an_output_is_chosen_by_its_name():
    model = two_heads(second="sigmoid")

    classifier = Classifier(model, preprocessing="unit", output="severity")

    np.testing.assert_allclose(probabilities(classifier)[:, 1:], model(PICTURES)[0], atol=1e-6)


def test_ambiguous_outputs_are_listed_with_their_shapes():
    with pytest.raises(ModelError, match=r"severity \(1\), diagnosis \(3\).*--output severity"):
        Classifier(two_heads(second="sigmoid"))


def test_outputs_of_a_dict_go_by_their_keys():
    inputs = keras.Input((32, 32, 3))
    x = features(inputs)
    heads = {"b": LAYERS.Dense(3, activation="softmax")(x), "a": LAYERS.Dense(4)(x)}
    model = keras.Model(inputs, heads)

    assert Classifier(model, preprocessing="unit").output == "b"
    chosen = Classifier(model, preprocessing="unit", output="a")
    np.testing.assert_allclose(chosen.model(PICTURES), model(PICTURES)["a"], atol=1e-6)


def test_an_unknown_output_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'diagnosis'"):
        Classifier(two_heads(), output="diagnosi")


@pytest.mark.parametrize("nested", [False, True])
def test_held_inputs_give_what_the_model_gives_for_them(nested):
    model = with_metadata(nested)
    suffix = "_outer" if nested else ""
    held = {f"{name}{suffix}": value for name, value in HELD.items()}

    classifier = Classifier(model, preprocessing="unit", inputs=held)

    np.testing.assert_allclose(probabilities(classifier), of_metadata(model, PICTURES), atol=1e-6)
    other = Classifier(model, preprocessing="unit", inputs={**held, f"age{suffix}": 20})
    assert np.abs(probabilities(other) - probabilities(classifier)).max() > 1e-3


def test_held_inputs_are_no_other_path_around_a_layer():
    classifier = Classifier(with_metadata(), preprocessing="unit", inputs=HELD)

    assert {"conv", "pooled"} <= set(cut_points(classifier.model))


@pytest.mark.parametrize("method", ["grad_cam", "saliency", "integrated_gradients"])
def test_maps_are_those_of_the_picture_with_the_held_values(method):
    model = with_metadata()
    classifier = Classifier(model, preprocessing="unit", inputs=HELD)

    bright = np.zeros((32, 32, 3), np.float32)
    bright[:, :16] = PICTURES[0][:, :16]
    explanation = explain(classifier, classifier.read(bright), method, target=1)

    assert np.ptp(explanation.attribution[:, :16]) > np.ptp(explanation.attribution[:, 20:])


def test_the_gradient_is_that_of_the_model_with_metadata():
    import tensorflow as tf

    model = with_metadata()
    classifier = Classifier(model, preprocessing="unit", inputs=HELD)
    picture, eye = tf.constant(PICTURES[:1]), tf.constant([[1.0, 0.0, 0.0]])

    ours = classifier.passes.gradients(picture, eye) - classifier.passes.gradients(
        picture, tf.constant([[0.0, 1.0, 0.0]])
    )
    with tf.GradientTape() as tape:
        tape.watch(picture)
        p = model([tf.constant([[float(AGE)]]), picture, tf.constant([SEX])], training=False)
        score = tf.math.log(p[0, 0]) - tf.math.log(p[0, 1])

    np.testing.assert_allclose(ours, tape.gradient(score, picture), atol=1e-6)


def test_missing_inputs_are_named_with_their_shapes():
    with pytest.raises(ModelError, match=r"age \(1\), sex \(2\).*--input age=NUMBER"):
        Classifier(with_metadata())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"age": 63, "sex": 1}, "Invalid value for input 'sex': 1. Expected 2 finite"),
        ({"age": (1, 2), "sex": SEX}, "Invalid value for input 'age': 1, 2. Expected 1 finite"),
        ({"age": float("nan"), "sex": SEX}, "Invalid value for input 'age'"),
        ({"age": "old", "sex": SEX}, "Expected numbers"),
        ({**HELD, "weight": 70}, "no input 'weight'"),
    ],
)
def test_values_of_another_shape_are_refused(given, problem):
    with pytest.raises((SettingError, UnknownNameError), match=problem):
        Classifier(with_metadata(), inputs=given)


def test_a_number_for_a_model_of_pictures_alone_is_refused(small_cnn):
    with pytest.raises(UnknownNameError, match="It takes a picture only"):
        Classifier(small_cnn, inputs={"age": 63})


def test_an_embedded_category_takes_whole_numbers():
    picture, site = keras.Input((32, 32, 3)), keras.Input((), dtype="int32", name="site")
    joined = LAYERS.Concatenate()([features(picture), LAYERS.Embedding(5, 2)(site)])
    model = keras.Model([picture, site], LAYERS.Dense(2, activation="softmax")(joined))

    classifier = Classifier(model, preprocessing="unit", inputs={"site": 3})

    expected = model([PICTURES, np.full(3, 3)])
    np.testing.assert_allclose(probabilities(classifier), expected, atol=1e-6)
    with pytest.raises(SettingError, match="Expected whole numbers"):
        Classifier(model, inputs={"site": 2.5})


def test_held_values_are_recorded_in_the_bundle_and_shown(run, tmp_path):
    path = tmp_path / "meta.keras"
    with_metadata().save(path)
    words = ("--model", path, "--preprocessing", "unit", "--classes", "a,b,c")

    code, out, err = run(
        *("explain", SAMPLES / "cat.jpg", *words, "--input", "age=63", "--input", "sex=1,0"),
        *("--method", "saliency", "--out", tmp_path / "out", "--json"),
    )

    assert code == 0
    assert result_of(out)[0]["model"]["inputs"] == {"age": [63.0], "sex": [1.0, 0.0]}
    assert "held at age = 63, sex = 1, 0" in err
    assert "held at age = 63" in (tmp_path / "out" / "index.html").read_text()
    again = run(
        *("explain", SAMPLES / "cat.jpg", *words, "--input", "age=20", "--input", "sex=1,0"),
        *("--method", "saliency", "--out", tmp_path / "out", "--json"),
    )
    assert again[0] == 2  # another question
    assert "--overwrite" in again[2]


def test_the_command_chooses_an_output(run, tmp_path):
    path = tmp_path / "two.keras"
    two_heads(second="sigmoid").save(path)
    words = ("predict", SAMPLES / "cat.jpg", "--model", path, "--preprocessing", "unit")

    code, out, _ = run(*words, "--output", "diagnosis", "--json")
    refused = run(*words)

    assert code == 0
    assert len(result_of(out)[0]["prediction"]["probabilities"]) == 3
    assert refused[0] == 2
    assert "severity (1), diagnosis (3)" in refused[2]


# What a file tells about an output without an activation


def plain(count, loss, tmp_path, suffix=".keras"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, LAYERS.Dense(count)(features(inputs)))
    if loss:
        model.compile(loss=loss)
    model.save(tmp_path / f"plain{suffix}")
    return tmp_path / f"plain{suffix}"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("loss", ["mse", "mean_absolute_error", keras.losses.Huber()])
def test_a_model_trained_to_predict_a_quantity_is_refused(loss, suffix, tmp_path):
    with pytest.raises(ModelError, match="is a quantity and not the logit"):
        load(plain(1, loss, tmp_path, suffix))


def test_a_lone_logit_is_known_by_its_loss(tmp_path):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    classifier = load(plain(1, loss, tmp_path), preprocessing="unit")

    assert classifier.head.known
    assert classifier.warnings == ()


def test_a_lone_output_without_a_loss_is_a_guess_until_its_classes_are_named(tmp_path):
    path = plain(1, None, tmp_path)

    guessed = load(path, preprocessing="unit")
    named = load(path, preprocessing="unit", classes=["absent", "present"])

    assert "is a classifier is a guess" in guessed.warnings[0]
    assert "--classes ABSENT,PRESENT" in guessed.warnings[0]
    assert named.warnings == ()


def test_logits_trained_with_a_binary_crossentropy_are_several_labels(tmp_path):
    binary = load(
        plain(3, keras.losses.BinaryCrossentropy(from_logits=True), tmp_path), preprocessing="unit"
    )
    categorical = load(
        plain(3, keras.losses.CategoricalCrossentropy(from_logits=True), tmp_path),
        preprocessing="unit",
    )

    assert binary.head.multi_label
    assert not categorical.head.multi_label
    logits = np.asarray(binary.model(PICTURES[:1]))
    np.testing.assert_allclose(binary.probabilities(logits), 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_logits_without_a_loss_are_a_guess_until_it_is_said_what_they_are(tmp_path):
    path = plain(3, None, tmp_path)

    guessed = load(path, preprocessing="unit")
    classes = load(path, preprocessing="unit", returns="logits")
    labels = load(path, preprocessing="unit", returns="label_logits")

    assert "just one of the 3 classes" in guessed.warnings[0]
    assert "label_logits (several labels)" in guessed.warnings[0]
    assert not guessed.head.multi_label
    assert classes.warnings == labels.warnings == ()
    assert (classes.head.multi_label, labels.head.multi_label) == (False, True)
    logits = np.asarray(labels.model(PICTURES[:1]))
    np.testing.assert_allclose(labels.probabilities(logits), 1 / (1 + np.exp(-logits)), atol=1e-6)


@pytest.mark.parametrize("loss", ["BinaryCrossentropy", "CategoricalCrossentropy"])
def test_logits_are_known_by_their_loss(loss, tmp_path):
    path = plain(3, getattr(keras.losses, loss)(from_logits=True), tmp_path)

    classifier = load(path, preprocessing="unit")

    assert classifier.head.known
    assert classifier.warnings == ()


def test_a_model_with_a_card_is_not_doubted():
    classifier = load("brain_cnn")

    assert classifier.head.known
    assert classifier.warnings == ()


def test_logits_are_not_taken_for_probabilities(tmp_path):
    with pytest.raises(ModelError, match="has no activation, so its outputs are no probabilities"):
        load(plain(3, None, tmp_path), preprocessing="unit", returns="multi_label")


def test_a_squared_error_of_probabilities_is_a_score_of_a_classifier(tmp_path):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, LAYERS.Dense(3, activation="softmax")(features(inputs)))
    model.compile(loss="mse")

    assert Classifier(model, preprocessing="unit").head.activation == "softmax"


def test_the_loss_of_the_chosen_output_counts():
    model = two_heads()
    model.compile(loss={"severity": "mse", "diagnosis": "categorical_crossentropy"})

    assert Classifier(model, preprocessing="unit").output == "diagnosis"
    with pytest.raises(ModelError, match="is a quantity"):
        Classifier(model, preprocessing="unit", output="severity")
