"""How well are regions found, and where do the shipped models look?

Tables for `benchmarks/results.md`: the segmentations against outlines drawn by hand
(`tests/data`); what the X-ray model says without the chest; the shares of the evidence for the
shipped models over files of the test sets (Grad-CAM, of the class predicted), with what a
hundredth and a twentieth of the files exceed; seconds a file. Between them, the density that the
coarseness of Grad-CAM allows.

Run: python benchmarks/regions.py DATA [--files 40]; DATA holds chest_xray, brain_mri, ...
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from skimage.draw import polygon2mask

from xai_tf.classifiers.loading import load
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.layouts import readable_files
from xai_tf.evaluation.classification import area_under_curve
from xai_tf.inputs.sample import read_image, resize
from xai_tf.regions import PARTITIONS, audit_file, audit_folder, regions_of
from xai_tf.regions.brain import brain
from xai_tf.regions.lungs import lungs
from xai_tf.regions.partition import NotFoundError

DRAWN = Path(__file__).parents[1] / "tests" / "data"
FINDERS = {"lungs": lambda image: lungs(image)[0], "brains": lambda image: brain(image)[0]}
MODELS = {
    "xray_mobilenetv2": "chest_xray/test",
    "brain_mobilenetv2": "brain_mri/test",
    "audio_mobilenetv2": "speech/test",
    "dogs_mobilenetv2": "dogs/test",
}


def drawn(outlines: list[list[list[int]]]) -> np.ndarray:
    """Outlines as a mask: bool array of shape (224, 224)."""
    return np.any([polygon2mask((224, 224), np.array(o)[:, ::-1]) for o in outlines], axis=0)


def segmentations(data: Path) -> None:
    print("| region | file | IoU | Dice | seconds |\n|---|---|---|---|---|")
    for name, find in FINDERS.items():
        overlaps, files = [], json.loads((DRAWN / f"{name}.json").read_text())["files"]
        for file, outlines in files.items():
            image, truth = read_image(data / file, (224, 224))[0].image, drawn(outlines)
            start = time.perf_counter()
            try:
                found = find(image)
            except NotFoundError as error:
                print(f"| {name} | {file} | not found: {error} | | |")
                continue
            spent = time.perf_counter() - start
            overlap = (found & truth).sum() / (found | truth).sum()
            overlaps.append(overlap)
            dice = 2 * overlap / (1 + overlap)
            print(f"| {name} | {file} | {overlap:.3f} | {dice:.3f} | {spent:.2f} |", flush=True)
        mean = np.mean(overlaps)
        dice = np.mean([2 * overlap / (1 + overlap) for overlap in overlaps])
        print(f"| {name} | mean of {len(overlaps)} of {len(files)} | {mean:.3f} | {dice:.3f} | |")


def ceiling(data: Path) -> None:
    """The density a map of 7x7 places would have if it were the region itself, seen coarsely."""
    for name, find, folder in (
        ("lungs", FINDERS["lungs"], "chest_xray/test"),
        ("brain", FINDERS["brains"], "brain_mri/test"),
    ):
        densities = []
        for path in readable_files(data / folder, (".jpg",))[::8]:
            try:
                mask = find(read_image(path, (224, 224))[0].image)
            except NotFoundError:
                continue
            coarse = resize(resize(mask.astype(np.float32), (7, 7)), mask.shape)
            densities.append(coarse[mask].sum() / coarse.sum() / mask.mean())
        print(f"{name}: at most about {np.mean(densities):.1f} at 7x7, {len(densities)} files")


def hidden(data: Path) -> None:
    """Does the X-ray model still tell the classes apart when it does not see the chest?"""
    classifier = load("xray_mobilenetv2")
    paths = readable_files(data / "chest_xray/test", classifier.task.suffixes)
    shown: dict[str, list[np.ndarray]] = {"all": [], "chest grey": [], "all but the chest grey": []}
    labels = []
    for path in paths:
        image = classifier.read(path).image
        try:
            parts = PARTITIONS["chest"].find(classifier.read(path))
        except NotFoundError:
            continue
        chest = (parts["lungs"] | parts["between the lungs"])[..., None]
        shown["all"].append(image)
        shown["chest grey"].append(np.where(chest, image.mean(), image))
        shown["all but the chest grey"].append(np.where(chest, image, image.mean()))
        labels.append(classifier.classes.index(path.parent.name))
    labels = np.array(labels)
    print("| shown | files | AUC | accuracy |\n|---|---|---|---|")
    for name, images in shown.items():
        batches = np.array_split(np.array(images, np.float32), max(1, len(images) // 32))
        logits = np.concatenate([classifier.passes.logits(batch).numpy() for batch in batches])
        found = probabilities(logits)
        right = (found.argmax(axis=1) == labels).mean()
        area = area_under_curve(found, labels)
        print(f"| {name} | {len(labels)} | {area:.3f} | {right:.3f} |", flush=True)


def spread(paths: list[Path], count: int) -> list[Path]:
    """Some of the files, evenly from all classes."""
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]


def shares(data: Path, count: int) -> None:
    print("| model | region | area | evidence | density | files | 95% | 99% | alarms | alarm |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    times = []
    for model, folder in MODELS.items():
        classifier = load(model)
        paths = spread(readable_files(data / folder, classifier.task.suffixes), count)
        audit_file(classifier, paths[0])  # what is traced is traced now
        start, audits = time.perf_counter(), []
        for path in paths:
            audits.append(audit_file(classifier, path).audit)
        whole = (time.perf_counter() - start) / len(paths)
        samples = [classifier.read(path) for path in paths[:20]]
        start = time.perf_counter()
        partitions = [regions_of(sample, classifier.task) for sample in samples]
        alone = (time.perf_counter() - start) / len(partitions)
        left = sum(bool(audit.warnings) for audit in audits)
        times.append(f"| {model} | {whole:.2f} | {alone:.2f} | {left} of {len(audits)} |")
        for row in audit_folder(audits):
            held = [
                r.share
                for audit in audits
                for r in audit.rows
                if (r.partition, r.region) == (row.partition, row.region) and r.share is not None
            ]
            usual, rare = np.percentile(held, (95, 99))
            print(
                f"| {model} | {row.region} | {row.area:.1%} | {row.share:.1%} ({row.low:.1%} to "
                f"{row.high:.1%}) | {row.ratio or 0:.2f} | {row.files} | {usual:.1%} | {rare:.1%} "
                f"| {row.alarms} | {row.alarm} |",
                flush=True,
            )
    print("\n| model | seconds a file | of these, its regions | warned of |\n|---|---|---|---|")
    print("\n".join(times))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--files", type=int, default=40)
    given = parser.parse_args()
    segmentations(given.data)
    print()
    ceiling(given.data)
    print()
    hidden(given.data)
    print()
    shares(given.data, given.files)
