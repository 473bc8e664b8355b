"""Model files are what their content is; what Keras cannot load is called what it is."""

import shutil
import zipfile

import keras
import numpy as np
import pytest

from weights_keras import ModelFileError, fingerprint, load_file


@pytest.fixture(scope="module")
def model():
    return keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    )


def assert_same(loaded, model):
    images = np.random.default_rng(0).random((2, 16, 16, 3))
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


@pytest.mark.parametrize("made", ["m.keras", "m.h5"])
@pytest.mark.parametrize("named", ["n.keras", "n.h5", "n.hdf5", "n", "n.bin"])
def test_a_model_loads_whatever_its_name(model, tmp_path, made, named):
    model.save(tmp_path / made)
    path = shutil.copy(tmp_path / made, tmp_path / named)

    assert_same(load_file(path), model)


def test_an_unzipped_archive_loads_and_has_a_fingerprint_of_its_own(model, tmp_path):
    model.save(tmp_path / "m.keras")
    folder = tmp_path / "unzipped.keras"
    zipfile.ZipFile(tmp_path / "m.keras").extractall(folder)

    assert_same(load_file(folder), model)
    before = fingerprint(folder)
    (folder / "metadata.json").write_text("{}")
    assert fingerprint(folder) != before


def foreign(folder, model):
    """Files that are no Keras models, by the words that must name them."""
    model.save_weights(folder / "only.weights.h5")
    contents = {
        "m.tflite": b"\x1c\0\0\0TFL3" + bytes(64),
        "m.onnx": b"\x08\x07" + bytes(64),
        "m.json": model.to_json().encode(),
        "m.keras": b"junk of no kind",
        "empty.keras": b"",
        "frozen.pb": b"\x0a\x10",
        "m.txt": b"hello",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "m.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    (folder / "nothing").mkdir()


@pytest.mark.parametrize(
    ("name", "told", "step"),
    [
        ("frozen.pb", "a frozen TensorFlow graph", "Convert it to Keras"),
        ("m.tflite", "TensorFlow Lite", "Convert it to Keras"),
        ("m.onnx", "ONNX", "Convert it to Keras"),
        ("m.pt", "PyTorch", "Convert it to Keras"),
        ("m.json", "architecture", "m.weights.h5"),
        ("only.weights.h5", "weights without the model", "load_weights"),
        ("m.keras", "damaged, truncated, or not a Keras model", "Copy it again"),
        ("empty.keras", "empty (0 bytes)", "Copy it again"),
        ("m.txt", "not a Keras model file", "Give a .keras or .h5 file"),
        ("nothing", "a folder without a Keras model", "Give a .keras or .h5 file"),
        (".", "is a folder. Give the model file in it", "empty.keras"),
    ],
)
def test_what_keras_cannot_load_is_called_what_it_is(model, tmp_path, name, told, step):
    foreign(tmp_path, model)

    with pytest.raises(ModelFileError) as caught:
        load_file(tmp_path / name)

    message = str(caught.value)
    assert str(tmp_path / name) in message
    assert told in message
    assert step in message
