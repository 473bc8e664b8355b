"""Pictures whose evidence is known, and networks whose reasons are, with weights set by hand."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from xai_tf.classifiers.classifier import Classifier
from xai_tf.inputs.sample import Sample
from xai_tf.regions.partition import Partition

SIDE = 32
LUNG = {"normal": 0.3, "opacity": 0.5}  # levels of gray
MARK = {"normal": 0.3, "opacity": 1.0}  # of the mark in the corner, which gives the class away
GROUND = 0.8
CLASSES = ("normal", "opacity")


def draw_chests(folder: Path, seed: int, count: int = 30, classes: tuple[str, ...] = CLASSES):
    """Gray blocks, each of another place and shape, and a mark in the upper left corner."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = np.full((SIDE, SIDE), GROUND)
            top, left = rng.integers(7, 11, 2)
            height = rng.integers(13, 16)
            picture[top : top + height, left : left + 200 // height] = LUNG[name]
            picture[:3, :3] = MARK[name]
            picture += 0.02 * rng.normal(size=picture.shape)
            pixels = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


def dark_block(sample: Sample) -> dict[str, np.ndarray]:
    """The block: what is dark and not in the corner."""
    dark = sample.image.mean(axis=-1) < 0.65
    dark[:5, :5] = False
    return {"lungs": dark, "rest": ~dark}


CHEST = Partition(
    name="chest", title="Chest", find=dark_block, accuracy="exact", expected=("lungs",)
)


def network(shortcut: bool) -> Classifier:
    """The classifier of `layers`."""
    name = "shortcut" if shortcut else "clean"
    return Classifier(layers(shortcut), list(CLASSES), name=name, preprocessing="unit")


def layers(shortcut: bool) -> keras.Model:
    """Two classes, told apart by how dark the picture is, or by the mark in its corner alone."""
    inputs = keras.Input((SIDE, SIDE, 3))
    # The first channel is how much darker than 0.6 a pixel is, the second its brightness.
    pixels = keras.layers.Conv2D(2, 1, activation="relu", name="pixels")
    decision = keras.layers.Dense(1, name="decision")
    model = keras.Model(inputs, decision(keras.layers.Flatten()(pixels(inputs))))
    gray = np.full((1, 1, 3, 1), 1 / 3)
    pixels.set_weights([np.concatenate([-gray, gray], axis=-1), np.array([0.6, 0.0])])
    weights = np.zeros((SIDE, SIDE, 2))
    if shortcut:
        weights[:3, :3, 1] = 50 / 9
        bias = -50 * 0.6
    else:
        weights[..., 0] = -1000 / SIDE**2
        bias = 1000 * 0.033
    decision.set_weights([weights.reshape(-1, 1), np.array([bias])])
    return model
