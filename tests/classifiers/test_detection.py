"""The preprocessing of a model: what its layers and its statistics show, and what is a guess."""

import keras
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.detection import batchnorm_misfits, detect_preprocessing
from xai_tf.classifiers.preprocessing import SCALINGS, scaling_of
from xai_tf.errors import SettingError, UnknownNameError

L = keras.layers
SIZE = (64, 64)


def net(*front):
    """A network whose answer depends strongly on the range of its input."""
    strong = keras.initializers.RandomNormal(stddev=8.0, seed=3)
    return keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            *front,
            L.Conv2D(8, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(3, kernel_initializer=strong, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    "front",
    [[L.Rescaling(2.0, offset=-1.0)], [L.Normalization(mean=[0.5] * 3, variance=[0.06] * 3)]],
)
def test_a_model_that_centers_pictures_in_0_to_1_gets_those(front):
    """Also on a backbone whose usual preprocessing it has inside."""
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(*SIZE, 3))
    model = keras.Sequential([keras.Input((*SIZE, 3)), *front, base, L.Flatten(), L.Dense(2)])

    detected = detect_preprocessing(model, "mobilenet_v2", None)

    assert (detected.name, detected.certain) == ("unit", True)


def nested(*layers):
    return keras.Sequential([keras.Input((*SIZE, 3)), *layers])


FRONTS = {
    "augmentation, then rescaling": lambda: [
        nested(L.RandomFlip(), L.RandomRotation(0.1)),
        L.Rescaling(1 / 255),
    ],
    "rescaling in a nested model": lambda: [nested(L.Resizing(*SIZE), L.Rescaling(1 / 255))],
    "twice nested": lambda: [nested(nested(L.Rescaling(1 / 127.5, offset=-1)), L.RandomFlip())],
    "rescaling, then augmentation": lambda: [nested(L.Rescaling(1 / 255), L.RandomFlip())],
    "an adapted normalization of bytes": lambda: [
        L.Normalization(mean=[120.0, 110.0, 100.0], variance=[4000.0] * 3)
    ],
    "batch normalization of bytes": lambda: [
        L.BatchNormalization(
            moving_mean_initializer=keras.initializers.Constant(120.0),
            moving_variance_initializer=keras.initializers.Constant(4000.0),
        )
    ],
}


@pytest.mark.parametrize("name", FRONTS)
def test_bytes_are_given_as_bytes_wherever_they_are_scaled(name):
    keras.utils.set_random_seed(0)
    model = net(*FRONTS[name]())
    classifier = Classifier(model)
    picture = np.asarray(Image.open(SAMPLES / "dog.jpg").convert("RGB").resize(SIZE), np.float32)

    ours = classifier.prediction(
        np.asarray(classifier.model(picture[None] / 255, training=False))[0]
    )

    assert (classifier.preprocessing, classifier.preprocessing_certain) == ("raw", True)
    np.testing.assert_allclose(
        ours.probabilities, np.asarray(model(picture[None], training=False))[0], atol=1e-5
    )


FIRST_LAYERS = {
    "spectral normalization": lambda x: L.Flatten()(L.SpectralNormalization(L.Conv2D(4, 3))(x)),
    "recurrent rows": lambda x: L.LSTM(8)(L.Reshape((64, 192))(x)),
    "dense rows": lambda x: L.Flatten()(L.TimeDistributed(L.Dense(8))(L.Reshape((64, 192))(x))),
    "pooled colors": lambda x: L.GlobalAveragePooling2D()(x),
}


@pytest.mark.parametrize("name", FIRST_LAYERS)
def test_what_a_first_layer_computes_is_not_taken_for_preprocessing(name):
    inputs = keras.Input((*SIZE, 3))
    model = keras.Model(inputs, L.Dense(3)(FIRST_LAYERS[name](inputs)))

    detected = detect_preprocessing(model, None, None)

    assert (detected.name, detected.certain) == ("unit", False)
    assert "neither preprocessing nor a known backbone" in detected.reason


def trained_like(scaling, kernel_seed=0, share=1.0, cast=(1, 1, 1)):
    """A network with the statistics that its first BatchNormalization has after training."""
    init = keras.initializers.GlorotUniform(seed=kernel_seed)
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            L.Conv2D(16, 3, strides=2, kernel_initializer=init),
            L.BatchNormalization(),
            L.ReLU(),
            L.GlobalAveragePooling2D(),
            L.Dense(2),
        ]
    )
    rng = np.random.default_rng(1)
    noise = rng.random((24, 8, 8, 3), dtype=np.float32)  # smooth pictures nobody has seen
    pictures = np.stack(
        [
            np.asarray(Image.fromarray((255 * one).astype(np.uint8)).resize(SIZE, 3), np.float32)
            for one in noise
        ]
    )
    values = np.asarray(model.layers[0](SCALINGS[scaling].apply(pictures * np.float32(cast) / 255)))
    norm = model.layers[1]
    norm.moving_mean.assign(share * values.mean((0, 1, 2)))
    norm.moving_variance.assign(share * values.var((0, 1, 2)) + 1 - share)
    return model


@pytest.mark.parametrize("share", [1.0, 0.95])
@pytest.mark.parametrize("scaling", ["unit", "raw", "tf", "torch", "caffe"])
def test_statistics_tell_the_range_a_network_was_fed_with(scaling, share):
    misfits = batchnorm_misfits(trained_like(scaling, share=share))

    of_bytes = {"raw", "caffe", "bgr_raw"}
    best = min(misfits, key=misfits.get)
    assert (best in of_bytes) == (scaling in of_bytes)
    other = min(misfits[name] for name in misfits if (name in of_bytes) != (scaling in of_bytes))
    assert other - misfits[best] > 1.5


def test_the_order_of_colors_of_a_network_of_ones_own_is_a_guess():
    """Of a public model that OpenCV fed with BGR, RGB was taken for certain."""
    network = trained_like("unit")

    found = detect_preprocessing(network, None, None)

    assert (found.name, found.certain) == ("unit", False)
    assert "for 'bgr'" in found.reason


@pytest.mark.parametrize("cast", [(1, 1, 1), (0.4, 0.7, 1), (1, 0.7, 0.4)])
def test_the_order_of_colors_behind_a_rescaling_is_assumed_and_inspect_says_so(cast):
    """Pictures with a blue cast look to the statistics as BGR does; no warning for most models."""
    network = trained_like("unit", cast=cast)
    whole = keras.Sequential([keras.Input((*SIZE, 3)), L.Rescaling(1 / 255), *network.layers])

    found = detect_preprocessing(whole, None, None)

    assert (found.name, found.certain) == ("raw", True)
    assert "assumed to be RGB" in found.reason
    assert "give 'bgr_raw'" in found.reason


def test_gray_levels_and_known_backbones_have_no_order_to_assume():
    gray = keras.Sequential(
        [keras.Input((*SIZE, 1)), L.Rescaling(1 / 255), L.Conv2D(4, 3), L.Flatten(), L.Dense(2)]
    )
    rescaled = keras.Sequential([keras.Input((*SIZE, 3)), L.Rescaling(1 / 255), L.Flatten()])
    rescaled.add(L.Dense(2))

    assert "RGB" not in detect_preprocessing(gray, None, None).reason
    assert "RGB" not in detect_preprocessing(rescaled, "mobilenet_v2", None).reason


def test_an_untrained_batch_normalization_says_nothing():
    model = keras.Sequential(
        [keras.Input((*SIZE, 3)), L.Conv2D(4, 3), L.BatchNormalization(), L.Flatten(), L.Dense(2)]
    )

    assert batchnorm_misfits(model) == {}


def test_a_known_backbone_is_a_guess_and_says_how_to_settle_it():
    """Notebooks train VGG16 with rescale=1/255 as often as with its own preprocessing."""
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    model = keras.Sequential([base, L.Flatten(), L.Dense(3, activation="softmax")])

    classifier = Classifier(model, name="notebook")

    assert (classifier.preprocessing, classifier.preprocessing_certain) == ("caffe", False)
    (warning,) = classifier.warnings
    assert "is a guess" in warning
    assert "--try-preprocessing" in warning


def headed(batches, *, has_head_statistics):
    """A network on MobileNetV3 with its scaling inside, whose head was fed with such batches."""
    base = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(*SIZE, 3)
    )
    rng = np.random.default_rng(0)
    for layer in base.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.momentum = 0.3
    for _ in range(6):
        base(255 * rng.random((4, *SIZE, 3)).astype(np.float32), training=True)
    statistics = L.BatchNormalization(momentum=0.5)
    pooled = L.GlobalAveragePooling2D()
    inputs = keras.Input((*SIZE, 3))
    x = pooled(base(inputs, training=False))
    model = keras.Model(
        inputs,
        L.Dense(3, activation="softmax")(statistics(x) if has_head_statistics else x),
    )
    if has_head_statistics:
        for batch in batches:
            statistics(pooled(base(batch, training=False)), training=True)
    return model


def photos(white):
    files = [SAMPLES / "cat.jpg", SAMPLES / "dog.jpg"]
    pictures = [np.asarray(Image.open(f).convert("RGB").resize(SIZE), np.float32) for f in files]
    return [np.stack(pictures) * (white / 255)] * 12


def test_a_backbone_with_its_scaling_inside_may_have_been_fed_scaled_pictures():
    """Notebooks put rescale=1/255 before EfficientNet, too, which scales by itself."""
    classifier = Classifier(headed([], has_head_statistics=False))

    assert (classifier.preprocessing, classifier.preprocessing_certain) == ("raw", False)
    assert "divided by 255" in classifier.warnings[0]


def test_a_batch_normalization_behind_a_backbone_shows_that_it_was_fed_scaled_pictures():
    classifier = Classifier(headed(photos(1.0), has_head_statistics=True))

    assert (classifier.preprocessing, classifier.preprocessing_certain) == ("unit", False)
    assert "its own layers expect 'raw'" in classifier.preprocessing_reason


def test_a_preprocessing_of_ones_own_is_a_mean_and_a_deviation():
    scaling = scaling_of("mean=0.5,0.4,0.3 std=0.25")
    images = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)

    np.testing.assert_allclose(scaling.apply(images), (images - [0.5, 0.4, 0.3]) / 0.25, atol=1e-5)


@pytest.mark.parametrize(
    "text", ["mean=0.5", "mean=0.5,0.4 std=1", "mean=0.5 std=0", "mean=x std=1"]
)
def test_a_mean_without_a_deviation_is_refused(text):
    with pytest.raises(SettingError, match=r"mean=0\.485,0\.456,0\.406 std="):
        scaling_of(text)


def test_an_unknown_preprocessing_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="torch"):
        Classifier(net(), preprocessing="tourch")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scaling", [*SCALINGS, "mean=0.5 std=0.2"])
def test_the_layers_in_front_do_what_the_arrays_do(scaling, channels):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, channels))
    pooled = L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, L.Dense(2)(pooled))
    images = np.random.default_rng(0).random((2, 16, 16, 3), dtype=np.float32)

    classifier = Classifier(model, preprocessing=scaling)

    expected = np.asarray(model(scaling_of(scaling).apply(images, channels)))
    found = np.asarray(classifier.model(images))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_per_picture_standardization_is_that_of_tensorflow():
    import tensorflow as tf

    images = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)

    np.testing.assert_allclose(
        SCALINGS["standardized"].apply(images),
        tf.image.per_image_standardization(images).numpy(),
        atol=1e-4,
    )
