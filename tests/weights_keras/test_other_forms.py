"""SavedModel folders, and architectures with their weights beside them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from weights_keras import ModelFileError, fingerprint, load_file

IMAGES = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)


def network(layers=keras.layers, sequential=keras.Sequential, size=32, activation="softmax"):
    return sequential(
        [
            layers.InputLayer((size, size, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation=activation),
        ]
    )


def network_of_keras_2(**settings):
    return network(tf_keras.layers, tf_keras.Sequential, **settings)


def assert_same(model, original):
    np.testing.assert_allclose(model(IMAGES), original(IMAGES), atol=1e-6)


@pytest.mark.parametrize("given", ["saved", "saved/saved_model.pb"])
def test_a_saved_model_of_keras_3_answers_as_the_model_did(tmp_path, given):
    original = network()
    original.export(tmp_path / "saved", verbose=False)

    model = load_file(tmp_path / given)

    assert model.input_shape == (None, 32, 32, 3)
    assert_same(model, original)


def test_a_saved_model_of_keras_2_answers_as_the_model_did(tmp_path):
    original = network_of_keras_2()
    original.save(tmp_path / "saved", save_format="tf")

    assert_same(load_file(tmp_path / "saved"), original)


def save_module(folder, function, *shapes, dtype=tf.float32):
    module = tf.Module()
    specs = [tf.TensorSpec(shape, dtype, name=f"input{n}") for n, shape in enumerate(shapes)]
    module.call = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures=module.call)


def written(images, file):
    tf.io.write_file(file, "written")
    return tf.reduce_mean(images, (1, 2))


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("writes", "the TensorFlow operation WriteFile"),
        ("two inputs", "Expected one"),
        ("two outputs", "2 outputs"),
        ("bytes", "takes pictures as uint8"),
        ("one picture", r"\[1, 32, 32, 3\]"),
        ("damaged", "Copy"),
    ],
)
def test_a_saved_model_that_cannot_be_used_says_why(tmp_path, case, told):
    folder, pictures = tmp_path / "saved", (None, 32, 32, 3)
    mean = lambda images: tf.reduce_mean(images, (1, 2))  # noqa: E731
    target = str(tmp_path / "file")
    save = {
        "writes": lambda: save_module(folder, lambda x: written(x, target), pictures),
        "two inputs": lambda: save_module(folder, lambda x, y: mean(x) + y, pictures, (None, 3)),
        "two outputs": lambda: save_module(
            folder, lambda x: {"a": mean(x), "b": mean(x)}, pictures
        ),
        "bytes": lambda: save_module(
            folder, lambda x: mean(tf.cast(x, tf.float32)), pictures, dtype=tf.uint8
        ),
        "one picture": lambda: save_module(folder, mean, (1, 32, 32, 3)),
        "damaged": lambda: save_module(folder, mean, pictures),
    }
    save[case]()
    if case == "damaged":
        (folder / "saved_model.pb").write_bytes(b"\x0a\xff\xff\xff junk")

    with pytest.raises(ModelFileError, match=told):
        load_file(folder)

    assert not (tmp_path / "file").exists()


def test_the_fingerprint_of_a_saved_model_changes_with_its_weights(tmp_path):
    network().export(tmp_path / "saved", verbose=False)
    before = fingerprint(tmp_path / "saved")
    (tmp_path / "saved" / "variables" / "variables.index").write_bytes(b"other")

    assert fingerprint(tmp_path / "saved") != before


@pytest.mark.parametrize(
    ("make", "weights"),
    [(network, "model.weights.h5"), (network_of_keras_2, "model.h5")],
    ids=["Keras 3", "Keras 2"],
)
def test_an_architecture_and_its_weights_make_a_model(tmp_path, make, weights):
    original = make()
    (tmp_path / "model.json").write_text(original.to_json())
    original.save_weights(tmp_path / weights)

    assert_same(load_file(tmp_path / "model.json"), original)
    assert_same(load_file(tmp_path / weights), original)
    assert fingerprint(tmp_path / "model.json") == fingerprint(tmp_path / weights)


def test_weights_of_another_architecture_are_refused(tmp_path):
    (tmp_path / "model.json").write_text(network().to_json())
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(
        tmp_path / "model.weights.h5"
    )

    with pytest.raises(ModelFileError, match="cannot load"):
        load_file(tmp_path / "model.json")


def test_code_in_an_architecture_is_refused(tmp_path):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "model.weights.h5")

    with pytest.raises(ModelFileError, match="a Lambda layer"):
        load_file(tmp_path / "model.json")


def test_a_class_that_is_not_registered_is_named_with_the_step_that_works(tmp_path):
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    registered = keras.saving.register_keras_serializable("elsewhere")(Doubled)
    keras.Sequential([keras.Input((8,)), registered()]).save(tmp_path / "model.keras")
    keras.saving.get_custom_objects().pop("elsewhere>Doubled")

    with pytest.raises(ModelFileError, match=r"'?Doubled'?.*import it, and load the file in"):
        load_file(tmp_path / "model.keras")
