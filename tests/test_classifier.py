"""Loading, preprocessing, predictions, targets and layers of classifiers."""

import keras
import numpy as np
import pytest
from conftest import sample_of

from xai_tf.classifier import Classifier, load
from xai_tf.errors import InputError, ModelError, UnknownNameError
from xai_tf.explanation import explain, explain_layers
from xai_tf.models import BACKBONES, build_model
from xai_tf.preprocessing import SCALINGS
from xai_tf.surgery import tensors
from xai_tf.tasks import TASKS

LAYERS = keras.layers
RGB = np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32)


def classifier_of(backbone: str, size: int = 75, logits: int = 3) -> Classifier:
    return Classifier(build_model(backbone, logits, (size, size), weights=None))


@pytest.mark.parametrize(
    ("scaling", "application"),
    [("tf", "mobilenet_v2"), ("tf", "inception_v3"), ("caffe", "vgg16"), ("caffe", "resnet50"),
     ("torch", "densenet"), ("raw", "efficientnet"), ("raw", "convnext")],
)  # fmt: skip
def test_scalings_are_those_of_keras(scaling, application):
    expected = getattr(keras.applications, application).preprocess_input(255 * RGB.copy())

    kernel, bias = SCALINGS[scaling].weights()

    np.testing.assert_allclose(RGB @ kernel + bias, expected, atol=2e-4)


@pytest.mark.parametrize("backbone", [n for n, b in BACKBONES.items() if b.application])
def test_preprocessing_is_found_in_a_bare_network_of_any_backbone(backbone):
    """A user's network: the application itself, fed as its own documentation says."""
    application = BACKBONES[backbone].application
    bare = getattr(keras.applications, application)(
        weights=None, classes=3, input_shape=(75, 75, 3)
    )

    classifier = Classifier(bare)

    assert classifier.preprocessing == BACKBONES[backbone].scaling
    assert classifier.backbone == backbone


def test_a_rescaling_inside_the_model_is_noticed():
    inputs = keras.Input((64, 64, 3))
    x = LAYERS.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Conv2D(2, 3)(x))))

    assert Classifier(model).preprocessing == "raw"


def test_arithmetic_of_preprocess_input_inside_the_model_is_noticed():
    inputs = keras.Input((64, 64, 3))
    x = keras.applications.mobilenet_v2.preprocess_input(inputs)
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Conv2D(2, 3)(x))))

    assert Classifier(model).preprocessing == "raw"


def test_a_grey_network_takes_rgb_of_the_same_brightness():
    inputs = keras.Input((64, 64, 1))
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(inputs)))
    classifier = Classifier(model, preprocessing="unit")

    said = np.asarray(classifier.model(RGB))

    np.testing.assert_allclose(said, model(RGB.mean(-1, keepdims=True)), atol=1e-5)


def test_a_network_of_any_size_gets_the_usual_one():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(
        inputs, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(4, 3)(inputs)))
    )

    assert Classifier(model).image_size == (224, 224)


def test_one_logit_gives_the_probabilities_of_two_classes(halves, left_bright):
    prediction = halves.predict([left_bright])[0]

    z = -0.8
    sigmoid = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(prediction.logits, [z], atol=1e-5)
    np.testing.assert_allclose(prediction.probabilities, [1 - sigmoid, sigmoid], atol=1e-6)
    assert prediction.name == "left"
    assert prediction.margin == pytest.approx(0.8, abs=1e-5)


def test_the_negative_class_is_explained_by_the_negative_logit(halves, left_bright):
    left = explain(halves, left_bright, "gradient_input", target="left").attribution
    right = explain(halves, left_bright, "gradient_input", target="right").attribution

    np.testing.assert_array_equal(left, -right)
    assert left.sum() == pytest.approx(0.8, abs=1e-5)


def test_a_contrast_is_the_difference_of_two_logits(three_classes, blobs):
    alone = [
        explain(three_classes, blobs, "gradient_input", target=c).attribution for c in ("a", "b")
    ]

    contrast = explain(three_classes, blobs, "gradient_input", target="a", contrast="b")

    np.testing.assert_allclose(contrast.attribution, alone[0] - alone[1], atol=1e-6)
    assert contrast.target_name == "a rather than b"


@pytest.mark.parametrize(
    ("backbone", "layer"),
    [("vgg16", "block5_pool"), ("resnet50", "conv5_block3_out"), ("inception_v3", "mixed10"),
     ("mobilenet_v2", "out_relu"), ("densenet121", "relu"), ("efficientnet_b0", "top_activation"),
     ("convnext_tiny", "layer_normalization"), ("alexnet", "pool5"), ("cnn", "pool4")],
)  # fmt: skip
def test_the_last_spatial_layer_is_found(backbone, layer):
    classifier = classifier_of(backbone, 128)

    assert classifier.last_feature_layer.startswith(layer)
    shape = tensors(classifier.model)[classifier.last_feature_layer].shape
    assert len(classifier.stages) >= 2
    assert classifier.stages[-1] == classifier.last_feature_layer
    assert min(shape[1:3]) > 1


def test_grad_cam_follows_a_network_through_its_stages(blobs):
    classifier = classifier_of("mobilenet_v2", 32)
    sample = sample_of(blobs.image)

    maps = explain_layers(classifier, sample, "grad_cam", target=1)

    assert [e.layer for e in maps] == list(classifier.stages)
    alone = explain(classifier, sample, "grad_cam", target=1, layer=maps[1].layer)
    np.testing.assert_allclose(maps[1].attribution, alone.attribution, atol=1e-7)


def test_nothing_is_traced_again_for_a_second_image(three_classes, blobs):
    classifier = Classifier(three_classes.model, ["a", "b", "c"])
    runs = ("saliency", "smooth_grad", "occlusion", "grad_cam")
    for name in runs:
        explain(classifier, blobs, name)
    passes = [classifier.passes.scores, classifier.passes.gradients, classifier.passes.logits,
              classifier.feature_pass((classifier.last_feature_layer,))]  # fmt: skip

    for name in runs:
        explain(classifier, sample_of(blobs.image[::-1]), name, settings=None)

    assert [p.experimental_get_tracing_count() for p in passes] == [1, 1, 1, 1]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model_loads_and_says_the_same(tmp_path, small_cnn, suffix, blobs):
    path = tmp_path / f"model{suffix}"
    small_cnn.save(path)

    classifier = load(path, classes=["a", "b", "c"])

    logits = classifier.predict([blobs])[0].logits
    np.testing.assert_allclose(logits, small_cnn(blobs.image[None])[0], atol=1e-5)
    assert len(classifier.sha256) == 64


def test_a_model_that_takes_no_pictures_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((16, 3)), LAYERS.Flatten(), LAYERS.Dense(2)])
    path = tmp_path / "signal.keras"
    model.save(path)

    with pytest.raises(ModelError, match=r"signal\.keras: The model takes an input of shape"):
        load(path)


def test_a_model_of_several_inputs_is_refused():
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Add()(inputs))))

    with pytest.raises(ModelError, match="shape"):
        Classifier(model)


def test_a_model_that_draws_random_numbers_is_refused():
    class Noisy(LAYERS.Layer):
        def call(self, x):
            return x + keras.random.normal((1, 2))

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, Noisy()(LAYERS.Dense(2)(LAYERS.Flatten()(inputs))))

    with pytest.raises(ModelError, match="something else"):
        Classifier(model)


def test_wrong_names_are_answered_with_the_nearest(three_classes, blobs):
    with pytest.raises(UnknownNameError, match="'d'"):
        three_classes.label("d")
    with pytest.raises(UnknownNameError, match="mean 'grad_cam'"):
        explain(three_classes, blobs, "gradcam")
    with pytest.raises(UnknownNameError, match="mean 'relu_b'"):
        explain(three_classes, blobs, "grad_cam", layer="relu-b")
    with pytest.raises(UnknownNameError, match="no model 'xray_mobilenet'"):
        load("xray_mobilenet")


def test_class_names_must_be_as_many_as_the_outputs(small_cnn):
    with pytest.raises(ModelError, match="3 classes, but 2 names"):
        Classifier(small_cnn, ["a", "b"])


def test_a_task_brings_its_classes_and_its_reader():
    classifier = Classifier(
        build_model("cnn", 1, (64, 64), weights=None), task=TASKS["lung_opacity"]
    )

    assert classifier.classes == ("normal", "opacity")


def test_a_sample_of_another_size_is_refused(three_classes):
    with pytest.raises(InputError, match=r"classifier\.read"):
        three_classes.predict([sample_of(np.zeros((16, 16, 3)))])
