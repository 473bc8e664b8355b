"""How far are Kernel SHAP and LIME from what they estimate, by number of passes?

Twelve segments (a grid of 3x4), so that the network can be asked about all 4,096 combinations: the
Shapley values and LIME's weights without chance are then known. Errors are relative: the distance
of the weights over their norm; beside it the rank correlation. Means over the inputs and seeds.
`independent pairs` is paired sampling with replacement and a fit of single segments, `Xplique` and
`Captum` are the designs of those packages' KernelShap, written again here; LIME's other design are
independent draws. `told` is the error that a run reports about itself.

Run: python -m benchmarks.sampling_error DATA [--files 2] [--seeds 6] [--cache FOLDER [--cached]]
[--write], where DATA holds dogs, samples (photos), chest_xray, brain_mri and speech. A file takes
4,096 passes; --cache keeps their scores. It prints a section for `benchmarks/results.md`, and
writes it with --write.
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from benchmarks.results_file import write_section
from xai_tf import load
from xai_tf.attribution.corrections.coalitions import (
    CoalitionPairs,
    all_coalitions,
    hadamard_rows,
    shapley_weights,
)
from xai_tf.attribution.corrections.segments import ExactShapley, cosine_weights
from xai_tf.attribution.corrections.shapley import PairedShapley, neighboring_triples
from xai_tf.datasets.layouts import readable_files

Scores = Callable[[np.ndarray], np.ndarray]

# Folders of DATA, and how many times --files are taken of each.
SETS = {
    "dogs/test": ("dogs_mobilenetv2", 5),
    "samples": ("dogs_mobilenetv2", 1),
    "chest_xray/test": ("xray_mobilenetv2", 1),
    "brain_mri/test": ("brain_cnn", 1),
    "speech/test": ("audio_mobilenetv2", 1),
}
ROWS, COLUMNS = 3, 4
COUNT = ROWS * COLUMNS
PASSES = (50, 100, 230, 512, 1000)
LIME_PASSES = (64, 128, 256, 512, 1024)
LAYOUT = np.arange(COUNT).reshape(ROWS, COLUMNS)
BATCH = 32


def games(
    data: Path, files: int, cache: Path | None, cached: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Names, and scores by the number of the combination: float64 (4096,)."""
    for folder, (model, times) in SETS.items():
        if not (data / folder).is_dir():
            continue
        classifier = load(model)
        paths, count = readable_files(data / folder, classifier.task.suffixes), times * files
        for path in [paths[(2 * i + 1) * len(paths) // (2 * count)] for i in range(count)]:
            name = f"{model}-{folder.split('/')[0]}-{path.stem}"
            stored = cache and cache / f"{name}.g12.npy"
            if stored and stored.is_file():
                yield name, np.load(stored).astype(float)
                continue
            if cached:
                continue
            sample = classifier.read(path)
            target = classifier.target(classifier.predict([sample])[0].label)
            height, width = sample.image.shape[:2]
            rows, columns = np.arange(height) * ROWS // height, np.arange(width) * COLUMNS // width
            segments = rows[:, None] * COLUMNS + columns
            scores = []
            for start in range(0, 2**COUNT, BATCH):
                shown = members(np.arange(start, start + BATCH)).astype(bool)[:, segments, None]
                images = np.where(shown, sample.image, np.float32(classifier.baseline))
                targets = np.repeat(target[None], BATCH, axis=0)
                scores.append(np.asarray(classifier.passes.scores(images, targets)))
            if stored:
                np.save(stored, np.concatenate(scores))
            yield name, np.concatenate(scores).astype(float)


def members(codes: np.ndarray) -> np.ndarray:
    """The segments of combinations by number: int (combinations, segments)."""
    return (codes[:, None] >> np.arange(COUNT)) & 1


def kernel_draws(samples: int, seed: int) -> np.ndarray:
    """Independent coalitions whose sizes follow the Shapley kernel."""
    rng, sizes = np.random.default_rng(seed), np.arange(1, COUNT)
    shares = 1 / (sizes * (COUNT - sizes))
    drawn = rng.choice(sizes, samples, p=shares / shares.sum())
    order = rng.random((samples, COUNT)).argsort(axis=1).argsort(axis=1)
    return (order < drawn[:, None]).astype(int)


def ours(scores: Scores, samples: int, seed: int) -> PairedShapley:
    present = CoalitionPairs(COUNT, seed).rows(0, samples)
    return PairedShapley(neighboring_triples(LAYOUT)).fit(present, scores(present))


def independent_pairs(scores: Scores, samples: int, seed: int) -> np.ndarray:
    half = kernel_draws(samples // 2 - 1, seed)
    ends = np.array([[1], [0]]).repeat(COUNT, axis=1)
    present = np.concatenate([ends, np.stack([half, 1 - half], axis=1).reshape(-1, COUNT)])
    return ExactShapley().fit(present, scores(present), np.ones(len(present))).coef_


def xplique(scores: Scores, samples: int, seed: int) -> np.ndarray:
    return _least_squares(kernel_draws(samples, seed), scores, np.ones(samples))


def captum(scores: Scores, samples: int, seed: int) -> np.ndarray:
    ends = np.array([[0], [1]]).repeat(COUNT, axis=1)
    present = np.concatenate([ends, kernel_draws(samples - 2, seed)])
    weights = np.ones(samples)
    weights[:2] = 1e6
    return _least_squares(present, scores, weights)


def _least_squares(present: np.ndarray, scores: Scores, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights)[:, None]
    left = root * np.hstack([present, np.ones((len(present), 1))])
    return np.linalg.lstsq(left, root[:, 0] * scores(present), rcond=None)[0][:-1]


def lime(scores: Scores, present: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    return Ridge(penalty).fit(present, scores(present), cosine_weights(present)).coef_


def apart(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """The relative error and the rank correlation."""
    return np.linalg.norm(found - true) / np.linalg.norm(true), spearmanr(found, true)[0]


def measured(data: Path, files: int, seeds: int, cache: Path | None, cached: bool) -> str:
    found: dict[str, dict[int, list]] = defaultdict(lambda: defaultdict(list))
    told: dict[int, list[tuple[float, float]]] = defaultdict(list)
    names, everything = [], all_coalitions(COUNT, 0, 2**COUNT)
    rivals = {"independent pairs": independent_pairs, "Xplique": xplique, "Captum": captum}
    for name, table in games(data, files, cache, cached):
        names.append(name)

        def scores(present: np.ndarray, table: np.ndarray = table) -> np.ndarray:
            return table[present.astype(int) @ (1 << np.arange(COUNT))]

        weights = shapley_weights(everything)
        shapley = ExactShapley().fit(everything, scores(everything), weights).coef_
        limit = lime(scores, everything, 1e-9)
        for seed in range(seeds):
            for passes in PASSES:
                run = ours(scores, passes, seed)
                found["Kernel SHAP, ours"][passes].append(apart(run.coef_, shapley))
                told[passes].append((run.figures["error"], apart(run.coef_, shapley)[0]))
                for rival, design in rivals.items():
                    weights = design(scores, passes, seed)
                    found[f"Kernel SHAP, {rival}"][passes].append(apart(weights, shapley))
            for passes in LIME_PASSES:
                balanced = hadamard_rows(COUNT, 0, passes, seed)
                drawn = np.random.default_rng(seed).integers(0, 2, (passes, COUNT))
                for design, present in (("ours", balanced), ("independent draws", drawn)):
                    present[0] = 1
                    weights = lime(scores, present)
                    found[f"LIME, {design}"][passes].append(apart(weights, limit))
        print(name, flush=True)
    return section(names, seeds, found, told)


def section(names: list[str], seeds: int, found: dict, told: dict) -> str:
    models = sorted({name.split("-")[0] for name in names})
    text = (
        "## Sampled weights and their exact values\n\n"
        f"By `benchmarks/sampling_error.py`: 12 segments, {len(names)} inputs of "
        f"{', '.join(models)}, {seeds} seeds.\nRelative error to the exact values, and rank "
        "correlation, by number of passes.\n"
    )
    for method, passes in (("Kernel SHAP", PASSES), ("LIME", LIME_PASSES)):
        text += f"\n| design | {' | '.join(map(str, passes))} |\n|---|{'---|' * len(passes)}\n"
        for design, rows in found.items():
            if design.startswith(method):
                cells = ["{:.3f}, {:.2f}".format(*np.mean(rows[n], axis=0)) for n in passes]
                text += f"| {design} | {' | '.join(cells)} |\n"
    text += (
        "\nWhat Kernel SHAP tells of its own error, and whether it is true:\n\n"
        "| passes | told, median | real, median | real within told | within twice |\n"
        "|---|---|---|---|---|\n"
    )
    for passes, pairs in told.items():
        said, real = np.transpose(pairs)
        text += (
            f"| {passes} | {np.median(said):.3f} | {np.median(real):.3f} "
            f"| {np.mean(real <= said):.0%} | {np.mean(real <= 2 * said):.0%} |\n"
        )
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--files", type=int, default=2, help="of a set; five times as many dogs")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--cache", type=Path, help="folder for the scores of the networks")
    parser.add_argument("--cached", action="store_true", help="only files that are in the cache")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = measured(options.data, options.files, options.seeds, options.cache, options.cached)
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
