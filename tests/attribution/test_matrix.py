"""Every method on every task, backbone and make of model, with the real samples."""

import keras
import numpy as np
import pytest

from tests.conftest import SAMPLES
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.tasks import TASKS

SIZE = 128
SAMPLE = {
    "deepfake_audio": ("speech_human.wav", 2),
    "lung_opacity": ("xray_opacity.jpg", 2),
    "brain_tumor": ("brain_head_lesion.png", 4),
    "dog_breeds": ("dog.jpg", 10),
}
FEW = {
    "num_samples": 16,
    "steps": 8,
    "num_designs": 2,
    "grid": 4,
    "patch": 64,
    "stride": 64,
    "num_segments": 6,
}
REQUIRED = ["vgg16", "resnet50", "inception_v3", "mobilenet_v2", "densenet121"]


def user_model(backbone: str, classes: int, nested: bool, one_logit: bool) -> keras.Model:
    """A model as users write it: the application with a top, nested or flat, softmax or sigmoid."""
    keras.utils.set_random_seed(0)
    application = getattr(keras.applications, BACKBONES[backbone].application)
    inputs = keras.Input((SIZE, SIZE, 3))
    if nested:
        base = application(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
        features = base(inputs, training=False)
    else:
        features = application(weights=None, include_top=False, input_tensor=inputs).output
    x = keras.layers.GlobalAveragePooling2D()(features)
    x = keras.layers.Dense(16, activation="relu")(x)
    head = (1, "sigmoid") if one_logit else (classes, "softmax")
    return keras.Model(inputs, keras.layers.Dense(head[0], activation=head[1])(x))


@pytest.mark.slow
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
@pytest.mark.parametrize("task", SAMPLE)
@pytest.mark.parametrize("backbone", REQUIRED)
def test_every_method_runs(backbone, task, nested):
    file, classes = SAMPLE[task]
    model = user_model(backbone, classes, nested, one_logit=classes == 2)
    names = TASKS[task].classes or [f"breed {index}" for index in range(classes)]
    classifier = Classifier(model, names, task=TASKS[task])
    sample = classifier.read(SAMPLES / file)
    assert classifier.preprocessing == BACKBONES[backbone].scaling

    for name, method in METHODS.items():
        few = {option: FEW[option] for option in method.options if option in FEW}
        explanation = explain(classifier, sample, name, target=0, settings=few)

        assert explanation.attribution.shape == (SIZE, SIZE)
        assert np.isfinite(explanation.attribution).all(), name
        assert explanation.cost == method.cost(explanation.settings, classifier.image_size)
        assert "nan" not in [finding.name for finding in diagnose(explanation.attribution)]


@pytest.mark.parametrize("backbone", ["vgg16", "mobilenet_v2"])
def test_nested_and_flat_models_are_explained_alike(backbone):
    nested = user_model(backbone, 4, nested=True, one_logit=False)
    flat = user_model(backbone, 4, nested=False, one_logit=False)
    flat.set_weights(nested.get_weights())
    classifiers = [Classifier(model, task=TASKS["brain_tumor"]) for model in (nested, flat)]
    sample = classifiers[0].read(SAMPLES / "brain_head_lesion.png")

    for name in ("grad_cam", "integrated_gradients", "guided_backprop"):
        few = {"steps": 8} if name == "integrated_gradients" else {}
        first, second = (
            explain(c, sample, name, target=2, settings=few).attribution for c in classifiers
        )
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-6 * np.abs(first).max())


def test_there_is_a_scaling_for_every_backbone():
    assert {backbone.scaling for backbone in BACKBONES.values()} <= set(SCALINGS)
