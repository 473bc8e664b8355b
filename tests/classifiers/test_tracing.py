"""Subclassed models, SavedModels and models of any size as classifiers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import xai_tf
from xai_tf.errors import ModelError, UnknownNameError

LAYERS = keras.layers
SHAPE = (32, 32, 3)
IMAGE = np.random.default_rng(0).random(SHAPE, dtype=np.float32)


@keras.saving.register_keras_serializable("xai_tf_tests")
class Block(LAYERS.Layer):
    """A layer of a user's own."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.conv = filters, LAYERS.Conv2D(filters, 3, activation="relu")

    def build(self, shape):
        self.conv.build(shape)

    def call(self, inputs):
        return self.conv(inputs)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable("xai_tf_tests")
class Subclassed(keras.Model):
    """A model whose pooling is a Keras layer, an operation of TensorFlow, or one of NumPy."""

    def __init__(self, pooling="keras", **kwargs):
        super().__init__(**kwargs)
        self.pooling = pooling
        self.conv, self.block = LAYERS.Conv2D(4, 3, activation="relu"), Block(6)
        self.pool, self.dropout = LAYERS.GlobalAveragePooling2D(), LAYERS.Dropout(0.5)
        self.head = LAYERS.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        maps = self.block(self.conv(inputs))
        if self.pooling == "keras":
            pooled = self.pool(maps)
        elif self.pooling == "tensorflow":
            pooled = tf.reduce_mean(maps, (1, 2))
        else:
            pooled = tf.convert_to_tensor(np.asarray(maps).mean((1, 2)))
        return self.head(self.dropout(pooled, training=training))


def called(model):
    model(IMAGE[None])
    return model


def assert_predicts(classifier, expected):
    (prediction,) = classifier.predict(IMAGE)
    np.testing.assert_allclose(prediction.probabilities, np.asarray(expected)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "access", "method"),
    [
        ("keras", "feature maps", "grad_cam"),
        ("tensorflow", "gradients", "saliency"),
        ("numpy", "predictions", "occlusion"),
    ],
)
def test_a_subclassed_model_is_explained_by_what_it_gives(pooling, access, method):
    model = called(Subclassed(pooling))

    classifier = xai_tf.load(model, preprocessing="unit", image_size=SHAPE[:2])

    assert classifier.access == access
    assert_predicts(classifier, model(IMAGE[None]))
    assert xai_tf.explain(classifier, IMAGE, method).attribution.shape == SHAPE[:2]


def test_gradients_of_a_subclassed_model_are_those_of_its_layers():
    traced = called(Subclassed("keras"))
    hidden = called(Subclassed("tensorflow"))
    hidden.set_weights(traced.get_weights())

    maps = [
        xai_tf.explain(
            xai_tf.load(model, preprocessing="unit"), IMAGE, "gradient_input", target=0, contrast=1
        ).attribution
        for model in (traced, hidden)
    ]

    assert np.abs(maps[0]).max() > 0
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-7)


def test_guided_gradients_say_that_they_cannot_reach_layers_of_ones_own():
    classifier = xai_tf.load(called(Subclassed()), preprocessing="unit")

    explanation = xai_tf.explain(classifier, IMAGE, "guided_backprop")

    assert "layers of your own" in explanation.warnings[0]


def test_a_registered_subclassed_model_loads_from_a_file(tmp_path):
    model = called(Subclassed())
    model.save(tmp_path / "model.keras")

    classifier = xai_tf.load(tmp_path / "model.keras", preprocessing="unit")

    assert "block" in classifier.feature_layers[-1]
    assert_predicts(classifier, model(IMAGE[None]))


def test_a_model_that_was_never_called_needs_its_size():
    with pytest.raises(ModelError, match=r"never been called. .*image_size=\(224, 224\)"):
        xai_tf.load(Subclassed())

    assert xai_tf.load(Subclassed(), image_size=(32, 48)).image_size == (32, 48)


def test_an_error_in_the_call_of_a_model_is_reported():
    with pytest.raises(ModelError, match="cannot be called on a batch"):
        xai_tf.load(Subclassed(), image_size=(2, 2))


def test_a_function_is_sent_to_where_it_belongs():
    with pytest.raises(ModelError, match="from_function"):
        xai_tf.load(lambda images: images)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_a_saved_model_is_explained_by_gradients_and_masks(tmp_path, activation):
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            LAYERS.Conv2D(4, 3, activation="relu"),
            LAYERS.GlobalAveragePooling2D(),
            LAYERS.Dense(3, activation=activation),
        ]
    )
    # Logits that are no probabilities by their values.
    model.layers[-1].set_weights([5 * model.layers[-1].get_weights()[0], np.zeros(3)])
    model.export(tmp_path / "saved", verbose=False)
    original = xai_tf.Classifier(model, preprocessing="unit")

    classifier = xai_tf.load(tmp_path / "saved", preprocessing="unit")

    assert classifier.access == "gradients"
    # Logits may as well be those of several labels.
    assert any("just one of the 3" in text for text in classifier.warnings) == (not activation)
    assert_predicts(classifier, original.predict(IMAGE)[0].probabilities[None])
    question = xai_tf.Question("gradient_input", target=0, contrast=1)
    np.testing.assert_allclose(
        xai_tf.explain(classifier, IMAGE, question).attribution,
        xai_tf.explain(original, IMAGE, question).attribution,
        atol=1e-5,
    )
    with pytest.raises(ModelError, match="Grad-CAM needs feature maps"):
        xai_tf.explain(classifier, IMAGE, "grad_cam")


def test_gradients_of_saturated_probabilities_are_warned_of():
    model = called(Subclassed("tensorflow"))
    model.head.set_weights([50_000 * model.head.get_weights()[0], np.zeros(3)])
    classifier = xai_tf.load(model, preprocessing="unit", returns="probabilities")

    by_gradients = xai_tf.explain(classifier, IMAGE, "saliency")
    by_masks = xai_tf.explain(classifier, IMAGE, "occlusion")

    assert by_gradients.prediction.probabilities.max() > 1 - 1e-5
    assert "but rounding" in by_gradients.warnings[0]
    assert by_masks.warnings == ()


def test_a_saved_model_with_one_probability_says_that_it_is_a_guess(tmp_path):
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.save(tmp_path / "saved", save_format="tf")
    expected = np.asarray(model(IMAGE[None]))
    expected = np.concatenate([1 - expected, expected], axis=1)

    guessed = xai_tf.load(tmp_path / "saved", preprocessing="unit")
    told = xai_tf.load(tmp_path / "saved", preprocessing="unit", returns="probabilities")

    assert "--returns" in guessed.warnings[0]
    assert told.warnings == ()
    assert_predicts(guessed, expected)
    assert_predicts(told, expected)


def test_a_hub_like_layer_in_a_model_is_explained_by_gradients(tmp_path):
    features = keras.Sequential([keras.Input(SHAPE), LAYERS.Conv2D(4, 3), LAYERS.Flatten()])
    features.export(tmp_path / "saved", verbose=False)
    hub = LAYERS.TFSMLayer(str(tmp_path / "saved"), call_endpoint="serve")
    model = keras.Sequential([keras.Input(SHAPE), hub, LAYERS.Dense(2, activation="softmax")])

    classifier = xai_tf.load(model, preprocessing="unit")

    assert classifier.access == "gradients"
    assert_predicts(classifier, model(IMAGE[None]))


def any_size():
    pooled = LAYERS.GlobalAveragePooling2D()
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            LAYERS.Conv2D(4, 3),
            pooled,
            LAYERS.Dense(2, activation="softmax"),
        ]
    )


def test_the_size_of_a_model_that_takes_any_is_a_guess_until_it_is_given():
    guessed = xai_tf.load(any_size(), preprocessing="unit")
    given = xai_tf.load(any_size(), preprocessing="unit", image_size=(48, 64))

    assert guessed.image_size == (224, 224)
    assert "input size" in guessed.warnings[0]
    assert "--size" in guessed.warnings[0]
    assert given.image_size == (48, 64)
    assert given.warnings == ()


def test_the_guess_is_the_size_a_known_backbone_was_trained_with():
    bare = keras.applications.Xception(weights=None, include_top=False)
    model = keras.Model(bare.input, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(bare.output)))

    assert xai_tf.load(model).image_size == (299, 299)


def test_another_size_than_that_of_the_model_is_refused():
    model = keras.Sequential([keras.Input(SHAPE), LAYERS.Flatten(), LAYERS.Dense(2)])

    with pytest.raises(ModelError, match="32x32 pixels, not of 64x64"):
        xai_tf.load(model, image_size=(64, 64))


def test_unknown_outputs_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'logits'"):
        xai_tf.load(any_size(), returns="logit")
