"""Do our probabilities equal those of the author's own code, whatever shape of model was saved?

Builds every combination of the shapes, scalings, heads and file formats below with random weights,
saves it as its author would, and compares what `xai_tf.load` says of pictures with what the
author's Keras says. A model that scales nothing itself expects what its author's code did outside
of it, which its file does not tell: there a difference counts only where no warning was given.

Run: python -m benchmarks.reading [--every N] [--write]; all takes 20 minutes, every 17th one. It
prints a section for `benchmarks/results.md`, and writes it there with --write.
"""

import argparse
import itertools
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.results_file import write_section
from xai_tf.classifiers.loading import load
from xai_tf.errors import ModelError

SIDE, COUNT = 32, 4
WORST = 1e-5  # a larger difference of a probability is an error
SHAPES = ("sequential", "functional", "nested", "nested twice", "augmentation inside")
SCALINGS = ("none, [0, 1]", "none, bytes", "Rescaling", "preprocess_input", "Normalization")
HEADS = ("softmax", "sigmoid", "logits", "two logits", "multi-label", "ensemble")
FORMATS = ("keras 3 .keras", "keras 3 .h5", "keras 2 .keras", "keras 2 .h5")


@dataclass(frozen=True)
class Case:
    """A combination, as its author would name it."""

    shape: str
    scaling: str
    head: str
    format: str

    @property
    def seed(self) -> int:
        """The seed of its weights."""
        return zlib.crc32(repr(self).encode())


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Attributes:
        difference: the largest difference of a probability; nan where it was refused.
        said: the warnings, or the error.
        outcome: "equal", "warned" (it differs, and a warning says that it is a guess), "refused",
            or "SILENT ERROR".
    """

    difference: float
    said: str
    outcome: str


def cases() -> list[Case]:
    """All combinations that Keras can express."""
    every = (Case(*parts) for parts in itertools.product(SHAPES, SCALINGS, HEADS, FORMATS))
    # A Sequential model has one path, and functions of Keras are no layers in it.
    return [
        case
        for case in every
        if case.shape != "sequential"
        or (case.scaling != "preprocess_input" and case.head != "ensemble")
    ]


def library(case: Case) -> ModuleType:
    """The Keras that writes the file."""
    if "keras 2" in case.format:
        import tf_keras

        return tf_keras
    return keras


def scale(k: ModuleType, case: Case, tensor: Any) -> Any:
    """The scaling inside the model."""
    if case.scaling == "Rescaling":
        return k.layers.Rescaling(1 / 255)(tensor)
    if case.scaling == "preprocess_input":
        return k.applications.mobilenet_v2.preprocess_input(tensor)
    if case.scaling == "Normalization":
        return k.layers.Normalization(mean=[120.0, 115.0, 100.0], variance=[4e3, 4.1e3, 3.9e3])(
            tensor
        )
    return tensor


def convolutions(k: ModuleType, tensor: Any) -> Any:
    """A small backbone."""
    tensor = k.layers.Conv2D(8, 3, strides=2, activation="relu")(tensor)
    tensor = k.layers.BatchNormalization()(tensor)
    return k.layers.Conv2D(8, 3, activation="relu")(tensor)


def decide(k: ModuleType, head: str, features: Any) -> Any:
    """The head."""
    pooled = k.layers.GlobalAveragePooling2D()(features)
    if head == "ensemble":
        members = [k.layers.Dense(3, activation="softmax")(pooled) for _ in range(2)]
        return k.layers.Average()(members)
    return k.layers.Dense(*_units(head))(pooled)


def _units(head: str) -> tuple[int, str | None]:
    return {
        "softmax": (3, "softmax"),
        "sigmoid": (1, "sigmoid"),
        "logits": (3, None),
        "two logits": (2, None),
        "multi-label": (4, "sigmoid"),
    }[head]


def build(case: Case) -> Any:
    """The author's model."""
    k = library(case)
    if case.shape == "sequential":
        layers = {
            "Rescaling": [k.layers.Rescaling(1 / 255)],
            "Normalization": [k.layers.Normalization(mean=[120.0] * 3, variance=[4e3] * 3)],
        }.get(case.scaling, [])
        backbone = [
            k.layers.Conv2D(8, 3, strides=2, activation="relu"),
            k.layers.BatchNormalization(),
            k.layers.Conv2D(8, 3, activation="relu"),
            k.layers.GlobalAveragePooling2D(),
        ]
        head = k.layers.Dense(*_units(case.head))
        return k.Sequential([k.Input((SIDE, SIDE, 3)), *layers, *backbone, head])
    inputs = k.Input((SIDE, SIDE, 3))
    tensor: Any = inputs
    if case.shape == "augmentation inside":
        flips = [k.layers.RandomFlip("horizontal"), k.layers.RandomRotation(0.1)]
        tensor = k.Sequential(flips, name="augmentation")(tensor)
    if case.shape in ("functional", "augmentation inside"):
        tensor = convolutions(k, scale(k, case, tensor))
    else:
        tensor = _nested(k, case)(scale(k, case, tensor) if case.shape == "nested" else tensor)
    return k.Model(inputs, decide(k, case.head, tensor))


def _nested(k: ModuleType, case: Case) -> Any:
    """A backbone within a model, or within a model within a model that scales."""
    inside = k.Input((SIDE, SIDE, 3))
    backbone = k.Model(inside, convolutions(k, inside), name="backbone")
    if case.shape == "nested":
        return backbone
    around = k.Input((SIDE, SIDE, 3))
    return k.Model(around, backbone(scale(k, case, around)), name="around")


def trained(case: Case, images: np.ndarray) -> Any:
    """The author's model with weights by which the answers to the pictures differ clearly."""
    model = build(case)
    rng = np.random.default_rng(case.seed)
    values = [
        w if "normalization" in name and "batch" not in name else _random(w, name, rng)
        for w, name in ((w.numpy(), getattr(w, "path", w.name)) for w in model.weights)
    ]
    model.set_weights(values)
    _learn_statistics(model, images)
    # Scaled so that the outputs before the activation are some units apart.
    for layer in (layer for layer in model.layers if hasattr(layer, "units")):
        before = library(case).Model(model.inputs, layer.input).predict(images, verbose=0)
        kernel, bias = layer.get_weights()
        spread = (before @ kernel).std(axis=0).mean() + 1e-12
        layer.set_weights([kernel * 1.5 / spread, bias - (before @ kernel).mean(0) * 1.5 / spread])
    return model


def _learn_statistics(model: Any, images: np.ndarray) -> None:
    """Give each BatchNormalization the mean and the variance of what reaches it."""
    for layer in model._flatten_layers():
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(images, training=True)


def _random(weights: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    if "gamma" in name:
        return rng.uniform(0.5, 1.5, weights.shape)
    return rng.normal(0, 0.3, weights.shape)


def author(case: Case, model: Any, pictures: np.ndarray) -> np.ndarray:
    """The probabilities by the author's own code for uint8 pictures."""
    output = model.predict(given(case, pictures), verbose=0)
    if case.head == "sigmoid":
        return np.hstack([1 - output, output])
    if "logits" in case.head:
        return np.asarray(keras.ops.softmax(output))
    return output


def given(case: Case, pictures: np.ndarray) -> np.ndarray:
    """What the author's code gives to the model for uint8 pictures."""
    return pictures.astype(np.float32) / (255 if case.scaling == "none, [0, 1]" else 1)


def judge(case: Case, folder: Path) -> Verdict:
    """Build a case, save it, load it as a user would, and compare."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (COUNT, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    pictures = np.clip(coarse + rng.integers(-20, 20, coarse.shape), 0, 255).astype(np.uint8)
    model = trained(case, given(case, pictures))
    path = folder / f"model{case.format[-6:].split()[-1]}"
    model.save(path)
    expected = author(case, model, pictures)
    try:
        classifier = load(path)
    except ModelError as error:
        return Verdict(np.nan, str(error), "refused")
    found = np.array([p.probabilities for p in classifier.predict(list(pictures))])
    difference = float(np.abs(found - expected).max())
    said = " ".join(classifier.warnings)
    if difference <= WORST:
        return Verdict(difference, said, "equal")
    if not classifier.preprocessing_certain and said:
        return Verdict(difference, said, "warned")
    return Verdict(difference, said, "SILENT ERROR")


def run(
    chosen: list[Case], notify: Callable[[str], None] = lambda text: None
) -> dict[Case, Verdict]:
    """The verdict of each case."""
    verdicts = {}
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            verdicts[case] = judge(case, Path(folder))
        found = verdicts[case]
        notify(f"{case}: {found.outcome} {found.difference:.1e} {found.said}")
        keras.backend.clear_session()
    return verdicts


def section(verdicts: dict[Case, Verdict]) -> str:
    """The section of `results.md`: outcomes by scaling, and the worst difference."""
    outcomes = ("equal", "warned", "refused", "SILENT ERROR")
    lines = [
        "## Reading models",
        "",
        f"Our probabilities against the author's own code (`python -m benchmarks.reading`): "
        f"{len(verdicts)} models of {len(SHAPES)} shapes, {len(SCALINGS)} scalings, {len(HEADS)} "
        f"heads and {len(FORMATS)} formats, {COUNT} pictures each. Equal: within {WORST:g}. "
        "Warned: it differs, and a warning says that the scaling is a guess and how to settle it.",
        "",
        "| scaling in the model | models | " + " | ".join(outcomes) + " |",
        "| --- " * (len(outcomes) + 2) + "|",
    ]
    for scaling in SCALINGS:
        found = [v for case, v in verdicts.items() if case.scaling == scaling]
        counts = Counter(v.outcome for v in found)
        cells = [scaling, str(len(found)), *(str(counts[name]) for name in outcomes)]
        lines.append("| " + " | ".join(cells) + " |")
    equal = [v.difference for v in verdicts.values() if v.outcome == "equal"]
    lines += ["", f"The worst difference of those that are equal: {max(equal, default=0):.1e}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every Nth combination")
    parser.add_argument("--write", action="store_true", help="write to benchmarks/results.md")
    flags = parser.parse_args()
    text = section(run(cases()[:: flags.every], print))
    print(text)
    if flags.write:
        write_section(text)


if __name__ == "__main__":
    main()
