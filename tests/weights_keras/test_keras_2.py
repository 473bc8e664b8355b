"""Files of TF 2.12 to 2.15 in both formats, nested or flat, in single and mixed precision."""

import io
import zipfile

import h5py
import numpy as np
import pytest
import tf_keras
from tf_keras import layers

import xai_tf
from weights_keras import load_file

IMAGES = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)


@pytest.fixture(params=["float32", "mixed_float16"])
def precision(request):
    tf_keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf_keras.mixed_precision.set_global_policy("float32")


def network(nested):
    inputs = tf_keras.Input((32, 32, 3))
    parts = [
        layers.RandomFlip(),
        layers.DepthwiseConv2D(3),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.SeparableConv2D(4, 3),
    ]
    if nested:
        parts = [tf_keras.Sequential([layers.InputLayer((32, 32, 3)), *parts])]
    maps = inputs
    for part in parts:
        maps = part(maps)
    pooled = layers.GlobalAveragePooling2D()(maps)
    head = layers.Dense(3, activation="softmax", dtype="float32")
    model = tf_keras.Model(inputs, head(pooled))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.05, 0.4, value.shape) for value in model.get_weights()])
    return model


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_of_keras_2_predicts_what_keras_2_did(tmp_path, precision, suffix, nested):
    original = network(nested)
    original.save(tmp_path / f"model{suffix}")
    expected = original(IMAGES, training=False).numpy()

    classifier = xai_tf.load(tmp_path / f"model{suffix}", preprocessing="unit")

    found = [prediction.probabilities for prediction in classifier.predict(list(IMAGES))]
    half = precision == "mixed_float16"
    np.testing.assert_allclose(found, expected, atol=5e-3 if half else 1e-6)
    assert classifier.access == "feature maps"


def as_tf_2_12(path, old_path, separator):
    """Name the weights as TF 2.12 did: a layer with weights counts twice among those of its class.

    The names were read from a file that TF 2.13 wrote on Windows.
    """
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(old_path, "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name.endswith(".h5"):
                buffer = io.BytesIO()
                with h5py.File(io.BytesIO(content)) as source, h5py.File(buffer, "w") as target:
                    for group, arrays in source["layers"].items():
                        kind, _, number = group.rpartition("_")
                        counted = kind and number.isdecimal()
                        twice = f"{kind}_{2 * int(number)}" if counted else group
                        place = f"_layer_checkpoint_dependencies{separator}{twice}"
                        source.copy(arrays, target, place)
                content = buffer.getvalue()
            elif name == "config.json":
                content = content.replace(b"tf_keras.src.engine", b"keras.engine")
            old.writestr(name, content)


@pytest.mark.parametrize("separator", ["/", "\\"], ids=["linux", "windows"])
def test_weights_as_tf_2_12_named_them_are_found(tmp_path, separator):
    original = tf_keras.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(32, 32, 3)),  # which names the shape twice
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    original.save(tmp_path / "new.keras")
    as_tf_2_12(tmp_path / "new.keras", tmp_path / "old.keras", separator)

    model = load_file(tmp_path / "old.keras")

    np.testing.assert_allclose(
        model(IMAGES, training=False), original(IMAGES, training=False), atol=1e-6
    )
