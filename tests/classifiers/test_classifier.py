"""Loading, preprocessing, predictions, targets and layers of classifiers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import weights_keras
from tests.conftest import sample_of
from xai_tf.attribution.explain import explain, explain_layers
from xai_tf.classifiers.backbones import BACKBONES, build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import tensors
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.errors import InputError, ModelError, UnknownNameError
from xai_tf.tasks import TASKS

LAYERS = keras.layers
RGB = np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32)


def classifier_of(backbone: str, size: int = 75, logits: int = 3) -> Classifier:
    return Classifier(build_model(backbone, logits, (size, size), weights=None))


@pytest.mark.parametrize(
    ("scaling", "application"),
    [
        ("tf", "mobilenet_v2"),
        ("tf", "inception_v3"),
        ("caffe", "vgg16"),
        ("caffe", "resnet50"),
        ("torch", "densenet"),
        ("raw", "efficientnet"),
        ("raw", "convnext"),
    ],
)
def test_scalings_are_those_of_keras(scaling, application):
    expected = getattr(keras.applications, application).preprocess_input(255 * RGB.copy())

    np.testing.assert_allclose(SCALINGS[scaling].apply(RGB), expected, atol=2e-4)


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


def test_a_gray_network_takes_the_luma_as_everyone_trains_on_it():
    inputs = keras.Input((64, 64, 1))
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(inputs)))
    classifier = Classifier(model, preprocessing="unit")

    said = np.asarray(classifier.model(RGB))

    np.testing.assert_allclose(
        said, model(RGB @ np.array([[0.299], [0.587], [0.114]], np.float32)), atol=1e-5
    )


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
    [
        ("vgg16", "block5_pool"),
        ("resnet50", "conv5_block3_out"),
        pytest.param("inception_v3", "mixed10", marks=pytest.mark.slow),
        ("mobilenet_v2", "out_relu"),
        pytest.param("densenet121", "relu", marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", "top_activation", marks=pytest.mark.slow),
        ("convnext_tiny", "layer_normalization"),
        ("alexnet", "pool5"),
        ("cnn", "pool4"),
    ],
)
def test_the_last_spatial_layer_is_found(backbone, layer):
    classifier = classifier_of(backbone, 128)

    assert classifier.last_feature_layer.startswith(layer)
    shape = tensors(classifier.model)[classifier.last_feature_layer].shape
    assert len(classifier.resolution_layers) >= 2
    assert classifier.resolution_layers[-1] == classifier.last_feature_layer
    assert min(shape[1:3]) > 1


def test_grad_cam_follows_a_network_through_its_stages(blobs):
    classifier = classifier_of("mobilenet_v2", 32)
    sample = sample_of(blobs.image)

    maps = explain_layers(classifier, sample, "grad_cam", target=1)

    assert [e.layer for e in maps] == list(classifier.resolution_layers)
    alone = explain(classifier, sample, "grad_cam", target=1, layer=maps[1].layer)
    np.testing.assert_allclose(maps[1].attribution, alone.attribution, atol=1e-7)


def test_nothing_is_traced_again_for_a_second_image(three_classes, blobs):
    classifier = Classifier(three_classes.model, ["a", "b", "c"])
    runs = ("saliency", "smooth_grad", "occlusion", "grad_cam")
    for name in runs:
        explain(classifier, blobs, name)
    passes = [
        classifier.passes.scores,
        classifier.passes.scores_and_gradients,
        classifier.passes.logits,
        classifier.feature_pass((classifier.last_feature_layer,)),
    ]

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

    with pytest.raises(ModelError, match=r"signal\.keras: Invalid model: its input has shape"):
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

    with pytest.raises(ModelError, match="output of the model changes"):
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


APPLICATIONS = {
    "VGG16": "caffe",
    "VGG19": "caffe",
    "ResNet50": "caffe",
    "ResNet101": "caffe",
    "ResNet50V2": "tf",
    "InceptionV3": "tf",
    "InceptionResNetV2": "tf",
    "Xception": "tf",
    "MobileNet": "tf",
    "MobileNetV2": "tf",
    "MobileNetV3Small": "raw",
    "NASNetMobile": "tf",
    "DenseNet121": "torch",
    "DenseNet169": "torch",
    "EfficientNetB0": "raw",
    "EfficientNetV2B0": "raw",
    "ConvNeXtTiny": "raw",
}


@pytest.mark.slow
@pytest.mark.parametrize("application", APPLICATIONS)
def test_what_an_application_wants_is_found_and_all_methods_find_their_layer(application):
    model = getattr(keras.applications, application)(
        weights=None, classes=3, input_shape=(96, 96, 3)
    )

    classifier = Classifier(model)

    assert classifier.preprocessing == APPLICATIONS[application]
    assert classifier.last_feature_layer in classifier.feature_layers


FRONTS = {
    "bytes to one": ([LAYERS.Rescaling(1 / 255)], "raw"),
    "bytes to -1 and 1": ([LAYERS.Rescaling(1 / 127.5, offset=-1)], "raw"),
    "one to -1 and 1": ([LAYERS.Rescaling(2.0, offset=-1.0)], "unit"),
    "one to bytes": ([LAYERS.Rescaling(255.0)], "unit"),
    "one to bytes to caffe": (
        [LAYERS.Rescaling(255.0), keras.applications.resnet50.preprocess_input],
        "unit",
    ),
    "caffe": ([keras.applications.resnet50.preprocess_input], "raw"),
    "torch": ([keras.applications.densenet.preprocess_input], "raw"),
    "normalised bytes": ([LAYERS.Normalization(mean=[120.0] * 3, variance=[3000.0] * 3)], "raw"),
    "flip, then bytes to one": ([LAYERS.RandomFlip(), LAYERS.Rescaling(1 / 255)], "raw"),
    "brightness at random, then nothing": (
        [LAYERS.RandomBrightness(0.5, value_range=(0, 1))],
        "unit",
    ),
    "bytes to one, of our name": ([LAYERS.Rescaling(1 / 255, name="preprocessing")], "raw"),
    "nothing": ([], "unit"),
}


@pytest.mark.parametrize("name", FRONTS)
def test_what_a_model_does_to_its_colors_is_found_out(name):
    front, expected = FRONTS[name]
    inputs = x = keras.Input((32, 32, 3))
    for layer in front:
        x = layer(x)
    model = keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Conv2D(2, 3)(x))))

    classifier = Classifier(model, returns="logits")

    assert classifier.preprocessing == expected
    assert classifier.preprocessing_certain != name.endswith("nothing")
    assert bool(classifier.warnings) == name.endswith("nothing")


@pytest.mark.parametrize("float32_softmax", [True, False])
def test_a_half_precision_network_is_explained(float32_softmax, blobs):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((32, 32, 3))
        x = LAYERS.Conv2D(8, 3, activation="relu")(inputs)
        x = LAYERS.Dense(3, dtype="float32" if float32_softmax else None, activation="softmax")(
            LAYERS.GlobalAveragePooling2D()(x)
        )
        model = keras.Model(inputs, x)
    finally:
        keras.config.set_dtype_policy("float32")

    classifier = Classifier(model)

    for name in ("grad_cam", "guided_backprop", "integrated_gradients"):
        assert np.isfinite(explain(classifier, blobs, name, target=1).attribution).all()


def test_a_relu_that_leaks_is_left_as_it_is(blobs):
    inputs = keras.Input((32, 32, 3))
    x = LAYERS.ReLU(negative_slope=0.3)(LAYERS.Conv2D(8, 3)(inputs))
    classifier = Classifier(
        keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(x)))
    )

    guided = explain(classifier, blobs, "guided_backprop", target=1)

    assert "leaky" in guided.warnings[0]
    with tf.GradientTape() as tape:
        image = tf.constant(blobs.image[None])
        tape.watch(image)
        score = classifier.model(image)[0, 1]
    gradient = tape.gradient(score, image)[0].numpy().mean(-1)
    np.testing.assert_allclose(guided.attribution, gradient, atol=1e-7)


def test_a_relu6_activation_is_changed_too(blobs):
    inputs = keras.Input((32, 32, 3))
    x = LAYERS.Conv2D(8, 3, activation="relu6")(inputs)
    classifier = Classifier(
        keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(x)))
    )

    guided, plain = (
        explain(classifier, blobs, name, target=1).attribution
        for name in ("guided_backprop", "deconv_net")
    )

    assert classifier.has_relu
    assert not np.allclose(guided, plain)


def test_a_contrast_with_the_predicted_class_explains_the_runner_up(three_classes, blobs):
    ranked = np.argsort(-three_classes.predict([blobs])[0].probabilities)

    explanation = explain(three_classes, blobs, "saliency", contrast=int(ranked[0]))

    assert (explanation.target, explanation.contrast) == (ranked[1], ranked[0])


def test_a_card_about_another_file_is_not_believed(tmp_path, small_cnn):
    small_cnn.save(tmp_path / "mine.keras")
    card = weights_keras.ModelCard(
        name="mine", task="brain_tumor", classes=("x", "y", "z"), backbone="cnn", sha256="0" * 64
    )
    (tmp_path / "mine.md").write_text(card.to_markdown())

    assert load(tmp_path / "mine.keras").classes == ("class 0", "class 1", "class 2")


def test_alexnet_says_which_pictures_are_too_small():
    assert build_model("alexnet", 1, (57, 57), weights=None).output_shape == (None, 1)

    with pytest.raises(ModelError, match="57 pixels a side or more, not of 56 x 64"):
        build_model("alexnet", 1, (56, 64), weights=None)
