"""How long does an explanation take, against Xplique's own and against the bare network?

Every figure is a ratio taken in one run on one network (MobileNetV2 at 224, two classes) and one
photo. The floor of a method is the time of its passes alone, in the same batches: forward ones, and
forward and backward ones. `first` is the first explanation with a loaded classifier, tracing
included; `next` is the median of three more, of other pictures.

Run: python benchmarks/explainers.py [METHOD ...]; it prints a table for `benchmarks/results.md`.
"""

import os
import sys
import time
from collections.abc import Callable
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from xplique import attributions as xplique

from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.pass_counter import FORWARD_BATCH, GRADIENT_BATCH
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.demo import SAMPLES
from xai_tf.inputs.sample import Sample

# Xplique's own explainers with the settings that cost the same number of passes.
THEIRS: dict[str, Callable] = {
    "grad_cam": lambda m: xplique.GradCAM(m, conv_layer="out_relu"),
    "saliency": xplique.Saliency,
    "guided_backprop": xplique.GuidedBackprop,
    "integrated_gradients": lambda m: xplique.IntegratedGradients(m, steps=64, batch_size=16),
    "smooth_grad": lambda m: xplique.SmoothGrad(m, nb_samples=128, batch_size=16),
    "occlusion": lambda m: xplique.Occlusion(m, batch_size=32, patch_size=32, patch_stride=16),
    "lime": lambda m: xplique.Lime(m, batch_size=32, nb_samples=512),
    "kernel_shap": lambda m: xplique.KernelShap(m, batch_size=32, nb_samples=512),
    "rise": lambda m: xplique.Rise(m, batch_size=32, nb_samples=1024),
}
# Ours, where the defaults do not cost a fixed number of passes.
SETTINGS = {"integrated_gradients": {"steps": 64}}


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pictures() -> list[Sample]:
    """One photo and three mirrored and turned ones."""
    classifier = Classifier(build_model("mobilenet_v2", 1, weights=None))
    sample = classifier.read(SAMPLES / "dog.jpg")
    turned = [sample.image, sample.image[:, ::-1], sample.image[::-1], sample.image[::-1, ::-1]]
    return [
        Sample(image=np.ascontiguousarray(image), source=sample.source, sha256="")
        for image in turned
    ]


def floor(classifier: Classifier, name: str, image: np.ndarray) -> float:
    """Seconds of a method's passes alone."""
    cost = METHODS[name].cost(METHODS[name].settings(SETTINGS.get(name, {}), 0.0), (224, 224))
    total = 0.0
    for count, size, run in (
        (cost.forward, FORWARD_BATCH, classifier.passes.scores),
        (cost.gradient, GRADIENT_BATCH, classifier.passes.gradients),
    ):
        if not count:
            continue
        batch = min(size, count)
        images = tf.constant(np.repeat(image[None], batch, axis=0))
        targets = tf.ones((batch, 1))
        run(images, targets)
        total += median(seconds(lambda: run(images, targets)) for _ in range(3)) * count / batch
    return total


def main(names: list[str]) -> None:
    samples = pictures()
    print(
        "| method | passes | floor s | ours next / floor | ours first / floor "
        "| Xplique next / ours next | Xplique first / ours first |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names:
        model = build_model("mobilenet_v2", 1, weights=None)
        classifier = Classifier(model)
        ask = {"target": 1, "settings": SETTINGS.get(name)}
        first = seconds(lambda: explain(classifier, samples[0], name, **ask))
        later = median(seconds(lambda: explain(classifier, s, name, **ask)) for s in samples[1:])
        least = floor(classifier, name, samples[0].image)
        row = [
            name,
            METHODS[name]
            .cost(METHODS[name].settings(SETTINGS.get(name, {}), 0.0), (224, 224))
            .evaluations,
        ]
        row += [f"{least:.2f}", f"{later / least:.2f}", f"{first / least:.1f}"]
        if name in THEIRS:
            target = np.ones((1, 1), np.float32)
            start = time.perf_counter()
            explainer = THEIRS[name](build_model("mobilenet_v2", 1, weights=None))
            built = time.perf_counter() - start
            theirs_first = built + seconds(lambda: explainer(samples[0].image[None], target))
            theirs = median(seconds(lambda: explainer(s.image[None], target)) for s in samples[1:])
            row += [f"{theirs / later:.2f}", f"{theirs_first / first:.2f}"]
        else:
            row += ["-", "-"]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(METHODS))
