"""From which baseline should Integrated Gradients start?

Where people drew boxes around what they saw, does the evidence lie there? The predicted class is
not asked, but the one that the box is about. Maps of single pixels are smoothed first. Then for
a sample of each bundled model: the completeness gap and the passes.

Run: python -m benchmarks.path_baselines DATA [--files 40] [--write], where DATA holds
`evidence/SET_boxes.csv` (columns file, x0, y0, x1, y1 in shares of the picture) and `SET/` with the
pictures. It prints a section for `benchmarks/results.md`, and writes it with --write.
"""

import argparse
import csv
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.completeness import MODELS
from benchmarks.ground_truth.scoring import chance, interval, scores
from benchmarks.results_file import write_section
from xai_tf import load
from xai_tf.attribution.baselines import AVERAGED
from xai_tf.attribution.explain import explain
from xai_tf.cli.demo import SAMPLES

SETS = {"brain_mri": "brain_mobilenetv2", "chest_xray_adult": "xray_mobilenetv2"}
BASELINES = {"black": 0.0, "white": 1.0, "blurred": "blurred", "mean": "mean", "average": "average"}
SHOWN = ("pointing", "energy", "auc")
STEPS = 32  # equal ones; against the boxes, where speed matters more than adding up
SMOOTHING = 4  # pixels
HEAD = """## Where Integrated Gradients start

By `benchmarks/path_baselines.py`. Against boxes drawn by people, on maps of 32 steps smoothed by 4
pixels: the mean over the files, and in brackets the 95% interval of the
difference from black, file by file.

| set, model | files | score | chance | {baselines} |
|---|---|---|---|{rule}
"""


def boxes(data: Path, name: str, limit: int) -> Iterator[tuple[Path, np.ndarray]]:
    """Pictures, and the ends (x0, y0, x1, y1) of their box in shares; those to test first."""
    rows = list(csv.DictReader((data / "evidence" / f"{name}_boxes.csv").open()))
    rows.sort(key=lambda row: not row["file"].startswith("test"))
    for row in rows[:limit]:
        yield data / name / row["file"], np.array([float(row[k]) for k in ("x0", "y0", "x1", "y1")])


def maps_of(classifier, sample, target) -> dict[str, np.ndarray]:
    """The map from each baseline; the average is that of the maps of its parts, by definition."""
    found = {
        name: explain(
            classifier,
            sample,
            "integrated_gradients",
            target=target,
            settings={"baseline": value, "steps": STEPS},
        ).attribution
        for name, value in BASELINES.items()
        if name != "average"
    }
    parts = [found[name] for name, value in BASELINES.items() if value in AVERAGED]
    return found | {"average": np.mean(parts, axis=0)}


def judged(data: Path, name: str, limit: int) -> list[str]:
    """The rows of one set."""
    classifier = load(SETS[name])
    values = {score: {baseline: [] for baseline in BASELINES} for score in SHOWN}
    by_chance = {score: [] for score in SHOWN}
    for path, ends in boxes(data, name, limit):
        sample = classifier.read(path)
        height, width = sample.image.shape[:2]
        x0, y0, x1, y1 = (ends * [width, height, width, height]).round().astype(int)
        mask = np.zeros((height, width), bool)
        mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = True
        maps = maps_of(classifier, sample, path.parent.name)
        for baseline, one in maps.items():
            found = scores(gaussian_filter(one, SMOOTHING), mask)
            for score in SHOWN:
                values[score][baseline].append(found[score])
        for score in SHOWN:
            by_chance[score].append(chance(mask.mean())[score])
        print(path.name, {b: round(v[-1], 2) for b, v in values["auc"].items()}, flush=True)
    rows = []
    for score in SHOWN:
        black = np.array(values[score]["black"])
        cells = [f"{np.mean(black):.3f}"]
        for baseline in list(BASELINES)[1:]:
            mean, low, high = interval(np.array(values[score][baseline]) - black)
            cells.append(f"{np.mean(black) + mean:.3f} ({low:+.3f} to {high:+.3f})")
        rows.append(
            f"| {name}, {SETS[name]} | {len(black)} | {score} | {np.mean(by_chance[score]):.3f} | "
            f"{' | '.join(cells)} |"
        )
    return rows


def gaps() -> list[str]:
    """The median completeness gap and passes of each baseline, over the bundled models.

    Those of the average follow: the largest gap, and all passes, of its parts.
    """
    found = {baseline: [] for baseline in BASELINES if baseline != "average"}
    for model, files in MODELS.items():
        classifier = load(model)
        for file in files[:1]:
            sample = classifier.read(SAMPLES / file)
            for baseline in found:
                one = explain(
                    classifier,
                    sample,
                    "integrated_gradients",
                    settings={"baseline": BASELINES[baseline]},
                )
                found[baseline].append((one.figures["completeness_gap"], one.cost.evaluations))
        print(model, flush=True)
    rows = []
    for baseline, pairs in found.items():
        gap, passes = np.transpose(pairs)
        rows.append(
            f"| {baseline} | {len(gap)} | {np.median(gap):.1%} | {gap.max():.1%} | "
            f"{np.median(passes):.0f} | {passes.max():.0f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--files", type=int, default=40, help="at most so many of a set")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    names = [n for n in SETS if (options.data / "evidence" / f"{n}_boxes.csv").is_file()]
    rows = [row for name in names for row in judged(options.data, name, options.files)]
    text = HEAD.format(baselines=" | ".join(BASELINES), rule="---|" * len(BASELINES))
    text += "\n".join(rows)
    text += (
        "\n\nOn a sample of each bundled model, of the predicted class, with as many steps as "
        "needed:\n\n"
        "| baseline | maps | gap, median | gap, largest | passes, median | passes, most |\n"
        "|---|---|---|---|---|---|\n"
    )
    text += "\n".join(gaps()) + "\n"
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
