"""Does a model recognise a file that is not meant for it? The OOD detector and its rivals.

On the whole test sets: how many files of a model's own are warned of by mistake, and how many are
found of the other tasks' (sounds as their pictures), of adults' X-rays for the models of
children's, of assorted photos, and of what nobody should explain: noise, flat pictures, pages of
text. Then the same files stored otherwise: compressed, shrunk, noisier, in other light. The choice
is between the layers of the last resolutions, and between Mahalanobis' distance and that to the
fifth nearest training picture (cosine; Sun et al. 2022); each with the threshold that 1% of
validation exceeds.

Run: python benchmarks/ood.py DATA [--models NAME ...] [--write]; DATA holds chest_xray,
brain_mri, ... It takes minutes a model, prints a section for `benchmarks/results.md`, and writes
it there with --write.
"""

import argparse
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw
from results_file import write_section

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import tensors
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.ood_detector import SHARE, file_medians, fit_detector
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.datasets.layouts import readable_files
from xai_tf.datasets.reading import read_folder, read_splits
from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.statistics import wilson
from xai_tf.tasks import TASKS

# The data each was trained on, and the seed it was split with.
MODELS = {
    "xray_mobilenetv2": ("chest_xray", 0),
    "xray_alexnet": ("chest_xray", 0),
    "brain_mobilenetv2": ("brain_mri", 0),
    "brain_cnn": ("brain_mri", 1),
    "dogs_mobilenetv2": ("dogs", 0),
    "audio_mobilenetv2": ("speech", 0),
}
ADULTS = "adults' X-rays"
OTHERS = {
    "chest_xray": "chest_xray/test",
    ADULTS: "chest_xray_adult/test",
    "brain_mri": "brain_mri/test",
    "dogs": "dogs/test",
    "photos": "samples",
}
TURNED = ("upside down", "inverted")  # which may well be told
MADE = 50  # noise, flat and text pictures each
NEAREST = 5
HEADING = "## Out-of-distribution detector\n"

Features = dict[str, np.ndarray]  # by layer: (rows, channels)


def pictures(folder: Path, size: tuple[int, int]) -> np.ndarray:
    """The pictures of a folder as any model of pictures reads them: uint8."""
    paths = readable_files(folder, PICTURE_SUFFIXES)
    return np.stack([np.rint(read_image(p, size)[0].image * 255).astype(np.uint8) for p in paths])


def made(size: tuple[int, int]) -> dict[str, np.ndarray]:
    """What is no file for any of the models: uint8 of shape (50, height, width, 3) each."""
    rng, (height, width) = np.random.default_rng(0), size
    words = ("The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "while")
    pages = []
    for number in range(MADE):
        paper, ink = ("white", "black") if number % 2 else ("#202124", "#dddddd")
        page = Image.new("RGB", (800, 600), paper)
        for top in range(10, 590, int(rng.integers(12, 24))):
            line = " ".join(rng.choice(words, int(rng.integers(3, 18))))
            ImageDraw.Draw(page).text((10 + 20 * int(rng.integers(0, 4)), top), line, fill=ink)
        pages.append(np.asarray(page.resize((width, height), Image.BILINEAR)))
    levels = np.linspace(0, 255, MADE).astype(np.uint8)
    return {
        "noise": rng.integers(0, 256, (MADE, height, width, 3)).astype(np.uint8),
        "flat, black to white": np.tile(levels[:, None, None, None], (1, height, width, 3)),
        "pages of text": np.stack(pages),
    }


def stored_otherwise(images: np.ndarray) -> dict[str, np.ndarray]:
    """The same pictures as another program might have stored them, in the same order."""
    rng, (height, width) = np.random.default_rng(0), images.shape[1:3]

    def each(change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
        return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])

    def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
        def change(picture: Image.Image) -> Image.Image:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            return Image.open(file).convert("RGB")

        return change

    def shrunk(share: float) -> Callable[[Image.Image], Image.Image]:
        small = (int(width * share), int(height * share))
        return lambda picture: picture.resize(small, Image.BILINEAR).resize(
            (width, height), Image.BILINEAR
        )

    def cut(picture: Image.Image) -> Image.Image:
        box = (width // 20, height // 20, width - width // 20, height - height // 20)
        return picture.crop(box).resize((width, height), Image.BILINEAR)

    grain = rng.normal(0, 5, (*images.shape[:3], 1))
    return {
        "JPEG 50": each(jpeg(50)),
        "JPEG 20": each(jpeg(20)),
        "shrunk to 3/4": each(shrunk(0.75)),
        "shrunk to 1/2": each(shrunk(0.5)),
        "noise of 2%": np.clip(images + grain, 0, 255).astype(np.uint8),
        "15% brighter": np.clip(images * 1.15, 0, 255).astype(np.uint8),
        "15% darker": (images * 0.85).astype(np.uint8),
        "cut by 5% a side": each(cut),
        "mirrored": images[:, :, ::-1],
        "upside down": images[:, ::-1],
        "inverted": 255 - images,
    }


def averaging(classifier: Classifier, layers: list[str]) -> Callable[[np.ndarray], Features]:
    """A function from uint8 images to the averaged maps of several layers, in one pass."""
    known = tensors(classifier.model)
    outputs = [keras.ops.mean(known[layer], axis=(1, 2)) for layer in layers]
    run = tf.function(keras.Model(classifier.model.inputs[0], outputs), reduce_retracing=True)

    def features(images: np.ndarray) -> Features:
        found = [
            keras.tree.flatten(run(tf.constant(images[at : at + 32], tf.float32) / 255))
            for at in range(0, len(images), 32)
        ]
        parts = zip(*found, strict=True)
        return {
            layer: np.concatenate([part.numpy() for part in of_layer])
            for layer, of_layer in zip(layers, parts, strict=True)
        }

    return features


def nearest(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The distance to the fifth nearest training picture, of features of length 1."""

    def unit(features: np.ndarray) -> np.ndarray:
        return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)

    bank = unit(train)
    return lambda features: np.sort(1 - unit(features) @ bank.T, axis=1)[:, NEAREST - 1]


def share(part: int, count: int) -> str:
    low, high = wilson(part, count)
    return f"{part / count:.1%} ({low:.1%} to {high:.1%})"


def measure(name: str, data: Path) -> dict[str, list[str]]:
    """The rows of each table for one model."""
    classifier, (source, seed) = load(name), MODELS[name]
    size, splits = (
        classifier.image_size,
        read_splits(data / source, classifier.task, classifier.image_size, seed),
    )
    layers = list(
        dict.fromkeys([*classifier.resolution_layers[-2:], classifier.last_feature_layer])
    )
    features = averaging(classifier, layers)
    train, validation, test = (
        features(part.images) for part in (splits.train, splits.validation, splits.test)
    )
    rng = np.random.default_rng(0)
    copies = features(
        np.stack([augmentation.with_storage_artifacts(i, rng) for i in splits.train.images])
    )
    foreign = {k: features(pictures(data / v, size)) for k, v in OTHERS.items() if k != source}
    if source != "speech":
        sounds = read_folder(data / "speech/test", TASKS["deepfake_audio"], size)
        foreign["sounds, as pictures"] = features(sounds.images)
    foreign |= {k: features(images) for k, images in made(size).items()}
    half = splits.test.rows(splits.test.files % 2 == 0)
    otherwise = {k: features(v) for k, v in stored_otherwise(half.images).items()}

    ood_detector, rows = (
        classifier.ood_detector,
        {"choice": [], "rates": [], "stored": [], "cost": []},
    )
    for layer in layers:
        held_out = (validation[layer], splits.validation.files)
        both = np.concatenate([train[layer], copies[layer]])
        for kind, distance in (
            ("Mahalanobis", fit_detector(layer, both, *held_out).distances),
            ("Mahalanobis, without copies", fit_detector(layer, train[layer], *held_out).distances),
            (f"nearest {NEAREST}", nearest(both)),
        ):
            known = file_medians(distance(validation[layer]), splits.validation.files)
            limit = np.quantile(known, 1 - SHARE, method="higher")
            alarms = (file_medians(distance(test[layer]), splits.test.files) > limit).mean()
            found = {k: (distance(v[layer]) > limit).mean() for k, v in foreign.items()}
            worst = min(found, key=found.__getitem__)
            stored = np.mean(
                [
                    (file_medians(distance(v[layer]), half.files) > limit).mean()
                    for k, v in otherwise.items()
                    if k not in TURNED
                ]
            )
            chosen = (
                kind == "Mahalanobis" and ood_detector is not None and layer == ood_detector.layer
            )
            rows["choice"].append(
                f"| {name} | {layer} | {kind}{', chosen' if chosen else ''} | {alarms:.1%} | "
                f"{np.mean(list(found.values())):.1%} | {found[worst]:.1%}, {worst} | "
                f"{found[ADULTS]:.1%} | {stored:.1%} |"
            )
    if ood_detector is None:
        return rows
    own = (
        file_medians(ood_detector.distances(test[ood_detector.layer]), splits.test.files)
        > ood_detector.threshold
    )
    rows["rates"].append(
        f"| {name} | **its own test files** | {share(own.sum(), len(own))} | {len(own)} |"
    )
    for kind, found in foreign.items():
        beyond = ood_detector.distances(found[ood_detector.layer]) > ood_detector.threshold
        rows["rates"].append(
            f"| {name} | {kind} | {share(beyond.sum(), len(beyond))} | {len(beyond)} |"
        )
    cells = []
    for found in otherwise.values():
        beyond = (
            file_medians(ood_detector.distances(found[ood_detector.layer]), half.files)
            > ood_detector.threshold
        )
        cells.append(f"{beyond.mean():.1%}")
    rows["stored"].append(f"| {name} | {own.mean():.1%} | " + " | ".join(cells) + " |")
    rows["cost"].append(cost(classifier, splits.test.paths[0]))
    return rows


def cost(classifier: Classifier, path: Path) -> str:
    """Milliseconds of one file's prediction, with the check and without."""
    ood_detector = classifier.ood_detector
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(15):
        for checked in (True, False):
            classifier.ood_detector = ood_detector if checked else None
            start = time.perf_counter()
            read_and_predict(classifier, path)
            times[checked].append(1000 * (time.perf_counter() - start))
    classifier.ood_detector = ood_detector
    with_check, without = np.median(times[True][3:]), np.median(times[False][3:])
    stored = sum(array.nbytes for array in ood_detector.arrays().values()) / 1000
    return f"| {classifier.name} | {without:.1f} | {with_check:.1f} | {stored:.0f} |"


def section(rows: dict[str, list[str]]) -> str:
    """The section for results.md."""
    changes = " | ".join(stored_otherwise(np.zeros((1, 32, 32, 3), np.uint8)))
    bars = "|---" * (2 + changes.count("|") + 1)
    return "\n".join(
        [
            HEADING,
            "By `benchmarks/ood.py`: files that are warned of, with 95% intervals (Wilson's). "
            "The OOD detectors shipped, on the whole test sets (36 of the 200 photos show dogs):",
            "",
            "| model | files | warned of | of |",
            "|---|---|---|---|",
            *rows["rates"],
            "",
            "What they were chosen among: layers (the last is where Grad-CAM looks) and distances. "
            "False alarms on the model's own test files, then detection: mean of all other sets, "
            "the "
            "set that is found least, and adults' X-rays; last the alarms on own files stored "
            "otherwise (turned and inverted left out).",
            "",
            "| model | layer | distance | false alarms | found, mean | least | adults | stored "
            "otherwise |",
            "|---|---|---|---|---|---|---|---|",
            *rows["choice"],
            "",
            "Every second of a model's own test files, stored otherwise (as they are: all):",
            "",
            f"| model | as they are | {changes} |",
            f"{bars}|",
            *rows["stored"],
            "",
            "Milliseconds of one file, read and predicted (median of 12), and kB stored:",
            "",
            "| model | without the check | with it | kB |",
            "|---|---|---|---|",
            *rows["cost"],
            "",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--write", action="store_true", help="into benchmarks/results.md")
    given = parser.parse_args()
    tables: dict[str, list[str]] = {}
    for model in given.models:
        for table, found in measure(model, given.data).items():
            tables.setdefault(table, []).extend(found)
        print(f"{model} is done", flush=True)
    text = section(tables)
    print(text)
    if given.write:
        write_section(text)
