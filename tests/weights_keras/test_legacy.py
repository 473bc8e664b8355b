"""Keras 2 files, written by the Keras 2 that TensorFlow still carries."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import weights_keras
from xai_tf.classifiers.loading import load

keras2 = pytest.importorskip("tf_keras")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
SIZE = 75
IMAGES = np.random.default_rng(0).random((2, SIZE, SIZE, 3), dtype=np.float32)


def randomise(model) -> None:
    """Weights that are nowhere 0 or 1, so that nothing is right by chance."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [
            np.abs(rng.normal(w, 0.02)).astype(w.dtype) if w.min(initial=0) >= 0 else w
            for w in model.get_weights()
        ]
    )


def application(name: str):
    base = getattr(keras2.applications, name)(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    return keras2.Sequential(
        [
            base,
            keras2.layers.GlobalAveragePooling2D(),
            keras2.layers.Dropout(0.2),
            keras2.layers.Dense(3, activation="softmax"),
        ]
    )


def of_layers(*layers):
    return keras2.Sequential(
        [
            keras2.Input((SIZE, SIZE, 3)),
            *layers,
            keras2.layers.Flatten(),
            keras2.layers.Dense(1, activation="sigmoid"),
        ]
    )


def with_preprocess_input():
    """The transfer-learning tutorial of TensorFlow."""
    inputs = keras2.Input((SIZE, SIZE, 3))
    x = keras2.applications.mobilenet_v2.preprocess_input(inputs)
    base = keras2.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    x = keras2.layers.GlobalAveragePooling2D()(base(x, training=False))
    return keras2.Model(inputs, keras2.layers.Dense(1)(x))


def nested_in_functional():
    base = keras2.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    stem = keras2.Sequential(
        [keras2.Input((SIZE, SIZE, 3)), keras2.layers.Rescaling(1 / 127.5, -1)]
    )
    inputs = keras2.Input((SIZE, SIZE, 3))
    pooled = keras2.layers.GlobalAveragePooling2D()(base(stem(inputs), training=False))
    return keras2.Model(inputs, keras2.layers.Dense(2, activation="softmax")(pooled))


def of_bytes(function):
    """A small network behind operations of TensorFlow on bytes."""
    inputs = keras2.Input((SIZE, SIZE, 3))
    x = keras2.layers.Conv2D(4, 3)(function(inputs))
    x = tf.reduce_mean(tf.nn.relu(x), [1, 2])
    return keras2.Model(inputs, tf.nn.softmax(keras2.layers.Dense(3)(x)))


OF_BYTES = {
    "preprocess_input": with_preprocess_input,
    "preprocess_input of VGG16": lambda: of_bytes(keras2.applications.vgg16.preprocess_input),
    "preprocess_input of DenseNet": lambda: of_bytes(keras2.applications.densenet.preprocess_input),
    "resized": lambda: of_bytes(lambda x: tf.image.resize(tf.cast(x, tf.float32) / 255, [32, 32])),
    "reversed": lambda: of_bytes(lambda x: (x / 255.0)[:, :, :, ::-1]),
    "inverted": lambda: of_bytes(lambda x: 1.0 - x / 255.0),
    "residual": lambda: of_bytes(lambda x: x / 255.0 + keras2.layers.Conv2D(3, 1)(x / 127.5 - 1.0)),
    "side by side": lambda: of_bytes(lambda x: tf.concat([x / 255.0, x / 100.0], axis=-1)),
}
MODELS = {
    **OF_BYTES,
    "nested": nested_in_functional,
    "mobilenet_v2": lambda: application("MobileNetV2"),
    "vgg16": lambda: application("VGG16"),
    "densenet121": lambda: application("DenseNet121"),
    "resnet50": lambda: application("ResNet50"),
    "inception_v3": lambda: application("InceptionV3"),
    "separable": lambda: of_layers(keras2.layers.SeparableConv2D(4, 3, activation="relu")),
    "transpose": lambda: of_layers(keras2.layers.Conv2DTranspose(4, 3)),
    "flip": lambda: of_layers(keras2.layers.RandomFlip(), keras2.layers.Conv2D(4, 3)),
    "norm": lambda: of_layers(keras2.layers.Conv2D(4, 3), keras2.layers.BatchNormalization()),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_keras_2_file_says_what_it_said_in_keras_2(tmp_path, name):
    model = MODELS[name]()
    randomise(model)
    path = tmp_path / f"{name}.h5"
    model.save(path)

    loaded = weights_keras.load_file(path)

    images = 255 * IMAGES if name in OF_BYTES else IMAGES
    np.testing.assert_allclose(
        np.asarray(loaded(images, training=False)),
        np.asarray(model(images, training=False)),
        atol=1e-5,
    )


def test_preprocess_input_inside_a_keras_2_model_is_noticed(tmp_path):
    path = tmp_path / "tutorial.h5"
    with_preprocess_input().save(path)

    classifier = load(path)

    assert classifier.preprocessing == "raw"
    assert classifier.backbone == "mobilenet_v2"


def test_an_operation_without_counterpart_is_named(tmp_path):
    inputs = keras2.Input((SIZE, SIZE, 3))
    x = tf.clip_by_value(inputs, 0, 1)
    path = tmp_path / "clipped.h5"
    keras2.Model(inputs, keras2.layers.Dense(1)(keras2.layers.Flatten()(x))).save(path)

    with pytest.raises(weights_keras.ModelFileError, match=r"tf\.clip_by_value"):
        weights_keras.load_file(path)


def test_a_nested_file_of_keras_3_is_left_as_it_is(tmp_path):
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    path = tmp_path / "new.h5"
    model.save(path)

    loaded = weights_keras.load_file(path)

    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), atol=1e-6)
