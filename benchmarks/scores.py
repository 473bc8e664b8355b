"""What do scores cost, against the bare passes and against Xplique's own metrics?

Every figure is taken in one run on one network (MobileNetV2 at 224, two classes, random weights)
and one photo. The floor of a score is the time of its passes alone, in full batches. Ours are timed
with their default settings, which hold a map against 20 random ones; against Xplique, both sides
have the same settings and no random maps. Xplique takes a picture when a metric is built, so each
of its times is that of a new metric: of the next picture. All are medians of three after a first,
but for what takes long.

With --again it is another section: what each metric costs that runs a method again, for every
method, on the X-ray model. What would take more than a minute is computed from its passes and not
run.

Run: python benchmarks/scores.py [--write] [--again] [METHOD ...]; it prints a section for
`benchmarks/results.md`, and writes it there with --write.
"""

import argparse
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from xplique import attributions, metrics

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Cost
from xai_tf.attribution.pass_counter import FORWARD_BATCH, GRADIENT_BATCH
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.cli.demo import SAMPLES
from xai_tf.metrics import METRICS, score
from xai_tf.metrics.randomization import noisy, randomised_classifier
from xai_tf.metrics.score import plan

RESULTS = Path(__file__).parent / "results.md"
LONG = 16  # seconds
SHORT = 3  # seconds of passes beside which compiling takes long
TOO_LONG = 60  # seconds of passes that are not run
RERUN = ("grad_cam", "saliency", "integrated_gradients")
AGAIN = "## Scores that run the method again"
EXPLAINERS: dict[str, Callable] = {
    "grad_cam": lambda m: attributions.GradCAM(m, conv_layer="out_relu"),
    "saliency": attributions.Saliency,
    "integrated_gradients": lambda m: attributions.IntegratedGradients(m, steps=64, batch_size=16),
}


class OurWeights(metrics.ModelRandomizationStrategy):
    """Kernels drawn as ours are."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def randomize(self, model):
        model.set_weights(randomised_classifier(self._classifier, 0.25, 0).model.get_weights())
        return model


def seconds(run: Callable[[], object]) -> float:
    """The median of three, after a first one; of what takes long, the second alone."""
    took = [timed(run)]
    took = [timed(run) for _ in range(3 if took[0] < LONG else 1)]
    return median(took)


def timed(run: Callable[[], object]) -> float:
    """Processor seconds, which other work on the machine hardly changes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def floor(classifier: Classifier, cost: Cost, image: np.ndarray) -> float:
    """Seconds of passes alone, in full batches."""
    total = 0.0
    for count, size, run in (
        (cost.forward, FORWARD_BATCH, classifier.passes.scores),
        (cost.gradient, GRADIENT_BATCH, classifier.passes.gradients),
    ):
        if count:
            batch = min(size, count)
            logits = classifier.model.output_shape[-1]
            images = tf.constant(np.repeat(image[None], batch, 0))
            targets = tf.ones((batch, logits))
            total += seconds(lambda: run(images, targets)) * count / batch
    return total


def theirs(classifier: Classifier, explanation: Explanation, name: str) -> Callable | None:
    """Xplique's metric of the next picture at our settings; None where it has none of its own."""
    image, attribution = explanation.sample.image[None], explanation.attribution[None]
    targets = np.eye(2, dtype=np.float32)[explanation.target][None]
    asked = {"model": classifier.model, "inputs": image, "targets": targets}
    curves = asked | {"activation": "softmax", "batch_size": 32}
    explainer = EXPLAINERS.get(explanation.method.name)
    title = "".join(word.capitalize() for word in name.split("_"))
    if name in ("deletion", "insertion", "mu_fidelity"):
        return lambda: getattr(metrics, title)(**curves)(attribution)
    if name.startswith("average_") and name != "average_stability":
        return lambda: getattr(metrics, f"{title}Metric")(**curves)(attribution)
    if explainer and name == "average_stability":
        built = explainer(classifier.model)
        base = np.asarray(built(image, targets))

        def stability() -> float:
            metric = metrics.AverageStability(**asked, nb_samples=8)
            metric.noisy_masks = noisy(image[0], 8, 0.05, 0) - image[0]
            return metric.evaluate(built, base)

        return stability
    if explainer and name == "randomisation":
        metric = metrics.ModelRandomizationMetric(
            **asked, randomization_strategy=OurWeights(classifier)
        )
        return lambda: metric(explainer(classifier.model))
    return None


def row(classifier: Classifier, explanation: Explanation, name: str) -> str:
    """A line of the table."""
    (found,) = score(classifier, explanation, [name])
    took = seconds(lambda: score(classifier, explanation, [name]))
    least = floor(classifier, found.cost, explanation.sample.image)
    same = took
    if METRICS[name].family == "fidelity":
        alone = {name: {"num_random": 0}}
        same = seconds(lambda: score(classifier, explanation, [name], settings=alone))
    rival = theirs(classifier, explanation, name)
    ratio = f"{seconds(rival) / same:.1f}" if rival else "-"
    method = explanation.method.name if METRICS[name].family == "rerun" else "any"
    over = f"{took / least:.2f}" if least else "-"
    cells = name, method, found.cost.evaluations, f"{took:.2f}", over, ratio
    return "| " + " | ".join(map(str, cells)) + " |"


def section(methods: list[str]) -> str:
    """The section for `results.md`."""
    classifier = Classifier(build_model("mobilenet_v2", 2, weights=None))
    sample = classifier.read(SAMPLES / "dog.jpg")
    lines = [
        f"## Scores\n\nBy `benchmarks/scores.py`, {time.strftime('%Y-%m-%d')}, MobileNetV2 at 224, "
        "processor seconds on two cores shared with other work.\n"
        "`ours / floor`: against the bare passes. `Xplique / ours`: the same settings without "
        "random maps, for the next picture.\n\n"
        "| metric | method | passes | ours, processor s | ours / floor | Xplique / ours |\n"
        "|---|---|---|---|---|---|"
    ]
    first = explain(classifier, sample, "grad_cam", target=1)
    for name, metric in METRICS.items():
        if metric.family in ("fidelity", "form"):
            lines.append(row(classifier, first, name))
            print(lines[-1], flush=True)
    built = timed(lambda: score(classifier, first, ["randomisation"]))
    for method in methods:
        steps = {"steps": 64} if method == "integrated_gradients" else None  # as theirs
        explanation = explain(classifier, sample, method, target=1, settings=steps)
        for name, metric in METRICS.items():
            if metric.family == "rerun" and metric.applies(METHODS[method]):
                lines.append(row(classifier, explanation, name))
                print(lines[-1], flush=True)
    lines.append(
        f"\nThe first randomisation of a network takes {built:.0f} processor seconds, since it is "
        "copied and compiled; that is kept for all methods."
    )
    return "\n".join(lines) + "\n"


def again_section(methods: list[str]) -> str:
    """The section for `results.md` of what runs a method again."""
    classifier = load("xray_mobilenetv2")
    sample = classifier.read(SAMPLES / "xray_opacity.jpg")
    each = [
        floor(classifier, Cost(**{kind: size}), sample.image) / size
        for kind, size in (("forward", FORWARD_BATCH), ("gradient", GRADIENT_BATCH))
    ]
    reruns = {name: metric for name, metric in METRICS.items() if metric.family == "rerun"}
    lines = [
        f"{AGAIN}\n\nBy `benchmarks/scores.py --again`, {time.strftime('%Y-%m-%d')}, "
        "`xray_mobilenetv2` at 224, default settings of methods and metrics, processor seconds on "
        "one core.\nPasses, as told before (at most), and seconds of each metric beside those of "
        "the map itself. In brackets: "
        f"computed, not measured, as passes times the floor ({1000 * each[0]:.0f} ms a forward "
        f"pass, {1000 * each[1]:.0f} ms a gradient, in full batches), where that is more than "
        f"{TOO_LONG} s. A dash: the metric is not for the method.\n\n"
        f"| method | the map | {' | '.join(reruns)} |\n|{'---|' * (2 + len(reruns))}"
    ]
    first = explain(classifier, sample, "saliency")
    score(classifier, first, ["randomisation"])  # copies the network, for all of them
    for name in methods:
        method = METHODS[name]
        settings = method.settings({}, classifier.baseline)
        asked = [metric.name for metric in reruns.values() if metric.applies(method)]
        plans = plan(classifier, [(method, settings)], asked)[name]
        costs = {planned.metric.name: planned.cost for planned in plans}
        explanation = explain(classifier, sample, name)
        cells = [told(explanation.cost, each, lambda: explain(classifier, sample, name))]
        for metric in reruns:
            if metric not in costs:
                cells.append("-")
                continue
            cells.append(
                told(costs[metric], each, lambda: score(classifier, explanation, [metric]))
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def told(cost: Cost, each: list[float], run: Callable[[], object]) -> str:
    """Passes and seconds; in brackets where they are computed and not measured.

    What is short is run before it is timed, so that nothing is compiled meanwhile.
    """
    least = cost.forward * each[0] + cost.gradient * each[1]
    if least < SHORT:
        run()
    took = f"({least:.0f} s)" if least > TOO_LONG else f"{timed(run):.2f} s"
    return f"{cost.evaluations}: {took}"


def write(text: str) -> None:
    """Put a section in its place in `results.md`."""
    head = text.splitlines()[0]
    parts = re.split(r"(?m)^(?=## )", RESULTS.read_text())
    kept = [part.rstrip() + "\n" for part in parts if part.splitlines()[0] != head]
    RESULTS.write_text("\n".join([*kept, text]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="whose reruns are timed")
    parser.add_argument("--again", action="store_true", help="the reruns of every method")
    parser.add_argument("--write", action="store_true", help="into benchmarks/results.md")
    options = parser.parse_args()
    text = (
        again_section(options.methods or list(METHODS))
        if options.again
        else section(options.methods or list(RERUN))
    )
    print(text)
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
