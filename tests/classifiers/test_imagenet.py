"""Stock networks of Keras: their table, the cache, the names of the classes, and no network."""

import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import xai_tf
from tests.conftest import SAMPLES, result_of
from xai_tf.classifiers import imagenet
from xai_tf.classifiers.class_names import read_classes
from xai_tf.classifiers.imagenet import APPLICATIONS, CLASS_INDEX
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.errors import ModelError, UnknownNameError

RGB = np.random.default_rng(0).random((1, 8, 8, 3), dtype=np.float32)
# Keras checks no hash of the weights of MobileNetV2.
MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"


def class_index(twice=()):
    names = {str(i): [f"n{i:08}", f"name_{i}"] for i in range(1000)}
    for index in twice:
        names[str(index)][1] = "crane"
    return json.dumps(names)


def test_the_table_holds_every_application_of_keras():
    there = {name for name in dir(keras.applications) if name[0].isupper()}

    assert {entry.title for entry in APPLICATIONS.values()} == there
    assert all(name == entry.title.lower() for name, entry in APPLICATIONS.items())


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_scaling_of_an_application_is_that_of_keras(name):
    entry = APPLICATIONS[name]
    module = sys.modules[getattr(keras.applications, entry.title).__module__]

    expected = module.preprocess_input(255 * RGB.copy())

    np.testing.assert_allclose(SCALINGS[entry.scaling].apply(RGB), expected, atol=2e-4)


def test_names_that_stand_for_two_classes_get_their_numbers(tmp_path):
    (tmp_path / CLASS_INDEX).write_text(class_index(twice=(134, 517)))

    names = read_classes(tmp_path / CLASS_INDEX)

    assert names[134] == "crane (n00000134)"
    assert names[517] == "crane (n00000517)"
    assert names[0] == "name_0"
    assert len(set(names)) == 1000


def test_an_unknown_network_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet50'"):
        xai_tf.load("imagenet:resnet_50")


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("https://storage.example/resnet/resnet50_weights.h5", "resnet50_weights.h5"),
        ("https://storage.example/nasnet/NASNet-mobile.h5", "nasnet_mobile.h5"),
    ],
)
def test_missing_weights_are_told_with_the_file_keras_expects(address, file, tmp_path, monkeypatch):
    def offline(**_):
        raise Exception(f"URL fetch failure on {address}: None -- [Errno -2] Name not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "ResNet50", offline)

    with pytest.raises(ModelError) as refused:
        xai_tf.load("imagenet:resnet50")

    assert f"download {address} " in str(refused.value)
    assert str(tmp_path / "models" / file) in str(refused.value)


FEW = ("resnet50v2", "mobilenet", "mobilenetv3small", "efficientnetb0")


@pytest.mark.parametrize(
    "name",
    [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in APPLICATIONS],
)
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
def test_weights_are_looked_for_in_the_file_that_keras_asks_for(name, tmp_path, monkeypatch):
    class AskedError(Exception):
        pass

    def asked(fname, *_, **__):
        raise AskedError(fname)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", asked)
    title = APPLICATIONS[name].title
    # In this scope no weight gets a value, so even the largest takes no memory.
    with keras.StatelessScope(), pytest.raises(AskedError) as caught:
        getattr(keras.applications, title)(weights="imagenet")
    (tmp_path / "models").mkdir()

    (tmp_path / "models" / str(caught.value)).touch()

    assert imagenet.cached() == {name: tmp_path / "models" / str(caught.value)}


@pytest.mark.slow
def test_a_stock_network_in_the_cache_predicts_its_best_five_classes(tmp_path):
    cache = tmp_path / "models"
    cache.mkdir()
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(weights=None)
    network.save_weights(tmp_path / "m.weights.h5")
    network.save(cache / MOBILENET)  # of the legacy format, which holds what Keras' own file does
    (cache / CLASS_INDEX).write_text(class_index())
    code = "from xai_tf.cli import main; main()"
    arguments = ["predict", str(SAMPLES / "dog.jpg"), "--model", "imagenet:mobilenetv2"]

    answers = [
        subprocess.run(
            [sys.executable, "-c", code, *arguments, *more],
            env=os.environ | {"KERAS_HOME": str(tmp_path), "COLUMNS": "250"},
            capture_output=True,
            text=True,
        )
        for more in (["--json"], [])
    ]

    assert answers[0].returncode == 0, answers[0].stderr
    (found,) = result_of(answers[0].stdout)
    named = found["prediction"]["probabilities"]
    classifier = xai_tf.Classifier(network, preprocessing="tf")
    (expected,) = classifier.predict(SAMPLES / "dog.jpg")
    assert list(named) == [f"name_{index}" for index in range(1000)]
    np.testing.assert_allclose(list(named.values()), expected.probabilities, atol=1e-6)
    best = [f"name_{index}" for index in np.argsort(-expected.probabilities)[:5]]
    assert re.findall(r"name_\d+", answers[1].stdout)[:5] == best


def test_without_the_index_the_classes_are_numbered_and_the_file_is_named(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr(
        keras.applications,
        "MobileNetV3Small",
        lambda **_: keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(1000, activation="softmax"),
            ]
        ),
    )

    classifier = xai_tf.load("imagenet:mobilenetv3small")

    assert classifier.classes[7] == "class 7"
    assert classifier.preprocessing == "raw"
    assert classifier.preprocessing_certain
    assert str(tmp_path / "models" / CLASS_INDEX) in classifier.warnings[0]
    assert imagenet.cache_folder() == tmp_path / "models"
