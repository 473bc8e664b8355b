"""Which scaling was a network of `keras.applications` fed with? What its file tells, and how often.

Each network of `keras.applications` is fed photos scaled in four ways in training mode, so that the
moving statistics of its first BatchNormalization are those of that scaling, as after training; then
its preprocessing is detected as in a user's file. The weights are random: what is measured is
whether the statistics tell the scalings apart, not how they fade while a backbone is frozen.

Run: python -m benchmarks.preprocessing PHOTOS [--write]; PHOTOS is a folder of pictures. It takes
ten minutes, prints a section for `benchmarks/results.md`, and writes it there with --write.
"""

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.results_file import write_section
from xai_tf.classifiers.backbones import recognize_backbone
from xai_tf.classifiers.detection import detect_preprocessing
from xai_tf.classifiers.preprocessing import scaling_of
from xai_tf.inputs.sample import read_image

NETWORKS = (
    "VGG16",
    "ResNet50",
    "ResNet50V2",
    "InceptionV3",
    "InceptionResNetV2",
    "Xception",
    "DenseNet121",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "NASNetMobile",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ConvNeXtTiny",
)
FED = ("unit", "raw", "tf", "caffe")
SIDE, COUNT = 96, 24


def classifier_on(name: str) -> keras.Model:
    """A network of `keras.applications` with random weights and a head for three classes."""
    base = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(3, activation="softmax")(pooled))


def feed(model: keras.Model, photos: np.ndarray, scaling: str) -> None:
    """Give the first BatchNormalization the statistics of photos scaled in this way."""
    layer = next((x for x in model.layers if "BatchNormalization" in type(x).__name__), None)
    if layer is None:
        return
    layer.momentum = 0.0
    keras.Model(model.input, layer.output)(scaling_of(scaling).apply(photos), training=True)


def detected(name: str, photos: np.ndarray) -> list[dict[str, Any]]:
    """What is detected of a network that was fed in each way."""
    found = []
    for fed in FED:
        model = classifier_on(name)
        names = {layer.name for layer in model.layers}
        backbone = recognize_backbone(names)
        feed(model, photos, fed)
        result = detect_preprocessing(model, backbone, None)
        found.append(
            {
                "network": name,
                "fed": fed,
                "known": backbone is not None,
                "said": result.name,
                "certain": result.certain,
                "right": result.name == fed or _scales_itself(name, result.name),
            }
        )
        keras.backend.clear_session()
    return found


def _scales_itself(name: str, said: str) -> bool:
    """EfficientNet, MobileNetV3 and ConvNeXt take [0, 255]; no author feeds them anything else."""
    return said == "raw" and name.startswith(("Efficient", "MobileNetV3", "ConvNeXt"))


def section(rows: list[dict[str, Any]]) -> str:
    """The section of `results.md`."""
    counts = Counter((row["right"], row["certain"]) for row in rows)
    lines = [
        "## Preprocessing told by a file",
        "",
        f"{len(NETWORKS)} networks of `keras.applications`, each fed photos scaled in {len(FED)} "
        f"ways (`python -m benchmarks.preprocessing PHOTOS`): right and certain "
        f"{counts[True, True]}, right and called a guess {counts[True, False]}, wrong and called a "
        f"guess {counts[False, False]}, wrong in silence {counts[False, True]}, of {len(rows)}.",
        "",
        "| network | " + " | ".join(f"fed {fed}" for fed in FED) + " |",
        "| --- " * (len(FED) + 1) + "|",
    ]
    for name in dict.fromkeys(row["network"] for row in rows):
        cells = [_cell(row) for row in rows if row["network"] == name]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any]) -> str:
    guess, wrong = "" if row["certain"] else " (guess)", "" if row["right"] else " **wrong**"
    return f"{row['said']}{guess}{wrong}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--write", action="store_true", help="write to benchmarks/results.md")
    flags = parser.parse_args()
    paths = sorted(flags.photos.glob("*.jpg"))
    chosen = paths[:: max(1, len(paths) // COUNT)]
    photos = np.stack([read_image(path, (SIDE, SIDE))[0].image for path in chosen])
    rows: list[dict[str, Any]] = []
    for name in NETWORKS:
        rows += detected(name, photos)
        print(name, [(row["said"], row["certain"]) for row in rows[-len(FED) :]], flush=True)
    print(section(rows))
    if flags.write:
        write_section(section(rows))


if __name__ == "__main__":
    main()
