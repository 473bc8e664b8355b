"""What is a test on files of known groups worth? Left-out groups beside left-out files.

A linear head on the frozen features of a pretrained backbone is refitted without each group, as
`xai-tf train --groups` does it: of speech the source (corpus or engine) and the language; of chest
X-rays the hospital (children of one, adults of another).

Run: python benchmarks/group_out.py DATA; DATA holds speech, chest_xray, chest_xray_adult and
weights. It prints tables in Markdown, and takes a minute.
"""

import argparse
import csv
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xai_tf.classifiers.backbones import build_model
from xai_tf.datasets.dataset import Splits
from xai_tf.datasets.groups import find_groups
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.reading import read_splits
from xai_tf.tasks import TASKS
from xai_tf.training.group_out import GroupOut, estimate_group_out, files_of
from xai_tf.training.train import divide, features

WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_160_no_top.h5"
HOSPITALS = {"children": "chest_xray", "adults": "chest_xray_adult"}


def main() -> None:
    """Measure all sets, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data.absolute()
    frozen, _ = divide(build_model("mobilenet_v2", 1, weights=data / "weights" / WEIGHTS), [])
    # Recordings of one speaker may be on both sides of a split, which plays no part here.
    options = DataOptions(allow_leak=("all",))
    computed = {}

    def measure(splits: Splits, source: Path, rule: str) -> GroupOut:
        def extract(rows):
            if id(rows) not in computed:
                computed[id(rows)] = features(frozen, rows.images)
            return computed[id(rows)]

        groups = find_groups(files_of(splits), source, splits.train.classes, rule)
        return estimate_group_out(splits, groups, extract)

    speech = data / "speech"
    splits = read_splits(speech, TASKS["deepfake_audio"], options=options)
    for column in ("source", "lang"):
        show(f"speech by {column}", measure(splits, speech, f"{speech / 'sources.csv'}:{column}"))
    with tempfile.TemporaryDirectory() as folder:
        source = write_hospitals(Path(folder), data)
        hospitals = read_splits(source, TASKS["lung_opacity"], options=options)
        show("chest X-rays by hospital", measure(hospitals, source, f"{source}:hospital"))


def write_hospitals(folder: Path, data: Path) -> Path:
    """A CSV file of the X-rays of both hospitals."""
    source = folder / "hospitals.csv"
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "split", "hospital"])
        for hospital, name in HOSPITALS.items():
            for path in sorted((data / name).rglob("*.jpg")):
                split, label = path.relative_to(data / name).parts[:2]
                link = folder / f"{hospital}-{split}-{path.name}"
                link.symlink_to(path)
                writer.writerow([link.name, label, split, hospital])
    return source


def show(title: str, found: GroupOut) -> None:
    """Print the measures and the groups."""
    print(f"\n### {title}\n\n| left out | measure | value and 95% interval | files |")
    print("| --- | --- | --- | --- |")
    for one in found.measures:
        print(f"| {one.split} | {one.name} | {one} | {one.count} |")
    print("\n| left-out group, the worst first | accuracy | files |\n| --- | --- | --- |")
    for name, one in found.groups:
        print(f"| {name} | {one} | {one.count} |")
    heads = f"{found.num_folds} heads on groups, {found.passes} passes, {found.seconds:.0f} s."
    print("\n" + " ".join([heads, *found.notes]))


if __name__ == "__main__":
    main()
