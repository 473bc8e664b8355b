"""When is a sampled map stable, and is that true?

For each method that can run until stable, on files of the test sets: how many passes it takes to a
stability of 0.9, over several seeds; what the runs say of themselves; how far they really agree,
with each other and with a run of another seed that is up to ten times as long (rank correlations
of 28x28 cells). For a run of reliability s (the correlation to expect with another like it)
classical test theory expects sqrt(s * 10 s / (1 + 9 s)) with a run ten times as long: 0.94 for 0.9.

Run: python benchmarks/stability.py DATA [--files 2] [--seeds 3] [--write] [METHOD ...]; DATA holds
chest_xray and speech. It prints a section for `benchmarks/results.md`, and writes it with --write.
"""

import argparse
import os
import re
from itertools import combinations
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from xai_tf import load
from xai_tf.agreement.agreement import rank_correlation
from xai_tf.attribution.convergence import DEFAULT_STABILITY
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.layouts import readable_files
from xai_tf.inputs.sample import Sample

RESULTS = Path(__file__).parent / "results.md"
MODELS = {"xray_mobilenetv2": "chest_xray/test", "audio_mobilenetv2": "speech/test"}
SAMPLED = [name for name, method in METHODS.items() if method.stochastic]
LONGER = 10
# Samples of a run until stable; what takes longer shows as not reached. The long run has twice as
# many at most.
LIMITS = dict.fromkeys(SAMPLED, 256) | {"lime": 1024, "kernel_shap": 1024, "rise": 2048}
HEAD = f"""
By `benchmarks/stability.py`: {{files}} files of each test set, {{seeds}} seeds of each; runs until
stable to {DEFAULT_STABILITY}. `says`: the stability that the runs estimate (from their parts);
`agree`: the rank correlation of the runs with each other, which that is to be; `10x`: with a run of
another seed that is up to ten times as long, beside what is to be expected then. Medians, and in
brackets the least and the most. Limits: {", ".join(f"{name} {n}" for name, n in LIMITS.items())}.

| model | method | by default | passes | reached | says | agree | 10x | expected |
|---|---|---|---|---|---|---|---|---|
"""


def samples_of(classifier: Classifier, folder: Path, count: int) -> list[Sample]:
    """Spread over the test set, so of all classes."""
    paths = readable_files(folder, classifier.task.suffixes)
    chosen = paths[len(paths) // (2 * count) :: max(1, len(paths) // count)][:count]
    return [classifier.read(path) for path in chosen]


def measured(classifier: Classifier, sample: Sample, method: str, seeds: int) -> dict[str, list]:
    """What runs of several seeds on one sample took, said and agreed to."""
    runs = [
        explain(
            classifier,
            sample,
            method,
            seed=seed,
            until_stable=DEFAULT_STABILITY,
            settings={"num_samples": LIMITS[method]},
        )
        for seed in range(seeds)
    ]
    taken = [run.settings["num_samples"] for run in runs]
    count = min(2 * LIMITS[method], LONGER * int(np.median(taken)))
    long = explain(classifier, sample, method, seed=seeds, settings={"num_samples": count})
    said = [run.convergence.latest for run in runs]
    return {
        "taken": taken,
        "reached": [run.convergence.reached for run in runs],
        "said": said,
        "agreed": [rank_correlation(*pair) for pair in combinations(runs, 2)],
        "long": [rank_correlation(run, long) for run in runs],
        "expected": [expected(s, count / n) for s, n in zip(said, taken, strict=True)],
    }


def expected(said: float, times: float) -> float:
    """The correlation with a run so many times as long."""
    return float(np.sqrt(max(said, 0) * times * said / (1 + (times - 1) * said)))


def spread(values: list[float], digits: int = 2) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def row(model: str, method: str, found: list[dict[str, list]]) -> str:
    joined = {name: [value for one in found for value in one[name]] for name in found[0]}
    return (
        f"| {model} | {method} | {METHODS[method].options['num_samples'].default} "
        f"| {spread(joined['taken'], 0)} | {sum(joined['reached'])} of {len(joined['reached'])} "
        + "".join(f"| {spread(joined[name])} " for name in ("said", "agreed", "long", "expected"))
        + "|\n"
    )


def write(section: str) -> None:
    text = RESULTS.read_text()
    mark = "## Enough samples?\n"
    kept = re.sub(f"{re.escape(mark)}.*?(?=\n## |\\Z)", "", text, flags=re.DOTALL).rstrip()
    RESULTS.write_text(f"{kept}\n\n{mark}{section.rstrip()}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("methods", nargs="*", default=SAMPLED)
    parser.add_argument("--files", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    section = HEAD.format(files=given.files, seeds=given.seeds)
    print(section, end="", flush=True)
    for model, folder in MODELS.items():
        classifier = load(model)
        samples = samples_of(classifier, given.data / folder, given.files)
        for method in given.methods:
            found = [measured(classifier, one, method, given.seeds) for one in samples]
            line = row(model, method, found)
            section += line
            print(line, end="", flush=True)
    if given.write:
        write(section)


if __name__ == "__main__":
    main()
