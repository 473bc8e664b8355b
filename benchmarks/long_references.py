"""How far are sampled maps from a long run, at the segments and cells that people use?

Kernel SHAP with about 48 segments: its reference are 8,192 passes of another seed. RISE: 8,192
masks. Sobol and HSIC on 7x7 cells: 128 designs, and four runs of 2,048 masks. Errors are relative:
the distance of the weights (of Sobol and HSIC, whose scale depends on the number of samples, of
the maps less their mean and of norm 1) over the norm of the reference; beside it the rank
correlation. A reference has an error itself, which is part of all errors.

`independent pairs` is Kernel SHAP by paired sampling with replacement and a fit of single segments,
`Xplique` the design of its KernelShap; RISE's other design are the rows of Hadamard matrices, each
mask followed by its complement. HSIC's and Sobol's designs are those of Xplique, and ours or
others of the same kind.

Run: python -m benchmarks.long_references DATA [--kept FILE] [--write], with DATA as for
`sampling_error.py`, which names the sets. The files are fixed; 13 for Kernel SHAP, 6 for the
others. A file takes 11,000 or 40,000 passes; with --kept a run that was stopped goes on.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from scipy.stats import qmc, spearmanr
from xplique.attributions.global_sensitivity_analysis.samplers import TFSobolSequence
from xplique.attributions.global_sensitivity_analysis.sobol_estimators import JansenEstimator

from benchmarks.results_file import write_section
from xai_tf import Classifier, load
from xai_tf.attribution.corrections import MedianDistanceHsic, Rise
from xai_tf.attribution.corrections.coalitions import CoalitionPairs, hadamard_rows
from xai_tf.attribution.corrections.segments import ExactShapley
from xai_tf.attribution.corrections.shapley import PairedShapley, neighboring_triples
from xai_tf.datasets.layouts import readable_files
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.segments import segment

Scored = Callable[[np.ndarray], np.ndarray]
# Folders of DATA: the model, and how many files for Kernel SHAP and for the others.
SETS = {
    "dogs/test": ("dogs_mobilenetv2", 6, 2),
    "samples": ("dogs_mobilenetv2", 2, 1),
    "chest_xray/test": ("xray_mobilenetv2", 2, 1),
    "brain_mri/test": ("brain_mobilenetv2", 2, 1),
    "speech/test": ("audio_mobilenetv2", 1, 1),
}
BATCH = 32
GRID = 7
CELLS = GRID * GRID
LONG, REFERENCE_SEED = 8192, 99
SHAP_PASSES, RISE_PASSES = (230, 512, 1000), (256, 512, 1024)
HSIC_MASKS, SOBOL_DESIGNS = (128, 512), (8, 16)
SEEDS = (0, 1)


class Game:
    """The score of a sample with parts of it hidden, by the segments or cells that are shown."""

    def __init__(self, classifier: Classifier, sample: Sample) -> None:
        self.classifier, self.sample = classifier, sample
        self.target = classifier.target(classifier.predict([sample])[0].label)
        self.segments = segment(sample, 48)

    def images(self, make: Callable[[int], np.ndarray], count: int) -> np.ndarray:
        """Scores of images that are made in batches: float64 (count,)."""
        found = []
        for start in range(0, count, BATCH):
            images = make(start)
            targets = np.repeat(self.target[None], len(images), axis=0)
            found.append(np.asarray(self.classifier.passes.scores(images, targets)))
        return np.concatenate(found).astype(float)

    def shown(self, present: np.ndarray) -> np.ndarray:
        """Scores by the segments present, (samples, segments)."""

        def make(start: int) -> np.ndarray:
            chosen = present[start : start + BATCH].astype(bool)[:, self.segments, None]
            return np.where(chosen, self.sample.image, np.float32(self.classifier.baseline))

        return self.images(make, len(present))

    def faded(self, masks: np.ndarray, method: str = "nearest") -> np.ndarray:
        """Scores of masks between 0 and 1, (samples, rows, columns), enlarged to the image."""
        image, shade = self.sample.image, np.float32(self.classifier.baseline)

        def make(start: int) -> np.ndarray:
            part = masks[start : start + BATCH, ..., None].astype(np.float32)
            large = tf.image.resize(part, image.shape[:2], method).numpy()
            return large * image + (1 - large) * shade

        return self.images(make, len(masks))


def inputs(data: Path) -> Iterator[tuple[str, bool, Game]]:
    """The names of the files, whether all methods are measured on them, and their games."""
    for folder, (model, number, wide) in SETS.items():
        classifier = load(model)
        paths = readable_files(data / folder, classifier.task.suffixes)
        places = [(2 * place + 1) * len(paths) // (2 * number) for place in range(number)]
        for count, path in enumerate(paths[place] for place in places):
            game = Game(classifier, classifier.read(path))
            yield f"{folder} {path.name}", count < wide, game


def apart(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """The relative error and the rank correlation."""
    error = np.linalg.norm(found - true) / np.linalg.norm(true)
    return float(error), float(spearmanr(found.ravel(), true.ravel())[0])


def alike(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """The same of maps whose scale says nothing."""
    one, other = (values - values.mean() for values in (found, true))
    return apart(one / (np.linalg.norm(one) or 1), other / np.linalg.norm(other))


def kernel_shap(game: Game) -> Iterator[tuple[str, int, tuple[float, float]]]:
    count, triples = int(game.segments.max()) + 1, neighboring_triples(game.segments)

    def ours(present: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return PairedShapley(triples).fit(present, scores).coef_

    long = CoalitionPairs(count, REFERENCE_SEED).rows(0, LONG)
    true = ours(long, game.shown(long))
    most = max(SHAP_PASSES)
    ends = np.array([[1], [0]]).repeat(count, axis=1)
    for seed in SEEDS[:1]:
        balanced = CoalitionPairs(count, seed).rows(0, most)
        half = kernel_draws(count, most // 2 - 1, seed)
        pairs = np.concatenate([ends, np.stack([half, 1 - half], axis=1).reshape(-1, count)])
        drawn = kernel_draws(count, most, seed)
        tables = {one: game.shown(p) for one, p in ((0, balanced), (1, pairs), (2, drawn))}
        for passes in SHAP_PASSES:
            yield "ours", passes, apart(ours(balanced[:passes], tables[0][:passes]), true)
            fit = ExactShapley().fit(pairs[:passes], tables[1][:passes], np.ones(passes))
            yield "independent pairs", passes, apart(fit.coef_, true)
            left = np.hstack([drawn[:passes], np.ones((passes, 1))])
            weights = np.linalg.lstsq(left, tables[2][:passes], rcond=None)[0][:-1]
            yield "Xplique", passes, apart(weights, true)


def kernel_draws(count: int, samples: int, seed: int) -> np.ndarray:
    """Independent coalitions whose sizes follow the Shapley kernel."""
    rng, sizes = np.random.default_rng(seed), np.arange(1, count)
    shares = 1 / (sizes * (count - sizes))
    drawn = rng.choice(sizes, samples, p=shares / shares.sum())
    order = rng.random((samples, count)).argsort(axis=1).argsort(axis=1)
    return (order < drawn[:, None]).astype(int)


class HadamardRise(Rise):
    """RISE whose cells are shown by balanced rows, each followed by its complement."""

    def _masks(self, rng: np.random.Generator, count: int, size: tuple[int, int]) -> np.ndarray:
        rows = hadamard_rows(CELLS, 0, count, int(rng.integers(2**31)))
        stand_in = _Cells(rng, rows.reshape(count, GRID, GRID, 1))
        return super()._masks(stand_in, count, size)


class _Cells:
    """A generator whose uniform numbers show the cells of a design."""

    def __init__(self, rng: np.random.Generator, shown: np.ndarray) -> None:
        self.integers, self._shown = rng.integers, shown

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.where(self._shown.reshape(shape), 0.0, 1.0)


def rise(game: Game) -> Iterator[tuple[str, int, tuple[float, float]]]:
    classifier = game.classifier

    def explainer(kind: type[Rise], seed: int, count: int) -> Rise:
        made = kind(
            classifier.model,
            seed,
            nb_samples=count,
            grid_size=GRID,
            preservation_probability=0.5,
            mask_value=classifier.baseline,
        )
        made.inference_function = lambda _, images, targets: classifier.passes.scores(
            images, targets
        )
        made.begin(game.sample.image, game.target)
        return made

    def after(made: Rise, count: int) -> np.ndarray:
        made.nb_samples = count
        while made.taken < count:
            made.take()
        return np.asarray(made.value())[::8, ::8, 0]

    true = after(explainer(Rise, REFERENCE_SEED, LONG), LONG)
    for seed in SEEDS:
        for name, kind in (("ours", Rise), ("Hadamard rows", HadamardRise)):
            made = explainer(kind, seed, max(RISE_PASSES))
            for passes in RISE_PASSES:
                yield name, passes, apart(after(made, passes), true)


def hsic(game: Game) -> Iterator[tuple[str, int, tuple[float, float]]]:
    def found(rows: np.ndarray) -> np.ndarray:
        masks = np.asarray(rows, np.float32).reshape(-1, GRID, GRID)
        scores = game.faded(masks)
        estimator = MedianDistanceHsic(output_kernel="rbf")
        estimator.set_batch_size(4)
        return np.asarray(estimator(masks[..., None], scores, len(masks)))

    runs = [found(hadamard_rows(CELLS, 0, 2048, REFERENCE_SEED + n)) for n in range(4)]
    true = np.mean(runs, axis=0)
    for passes in HSIC_MASKS:
        yield "Xplique (Sobol)", passes, alike(found(TFSobolSequence(True)(CELLS, passes)), true)
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            rows = hadamard_rows(CELLS, 0, passes, seed)
            yield "Hadamard rows", passes, alike(found(rows), true)
            drawn = rng.integers(0, 2, (passes, CELLS))
            yield "independent draws", passes, alike(found(drawn), true)


def sobol(game: Game) -> Iterator[tuple[str, int, tuple[float, float]]]:
    def found(points: np.ndarray) -> np.ndarray:
        """Total indices from (designs, 2 x cells) numbers between 0 and 1."""
        first, second = np.asarray(points[:, :CELLS]), np.asarray(points[:, CELLS:])
        swapped = np.where(np.eye(CELLS, dtype=bool)[:, None], second, first).reshape(-1, CELLS)
        masks = np.concatenate([first, second, swapped]).reshape(-1, GRID, GRID)
        scores = game.faded(masks.astype(np.float32))
        return np.asarray(JansenEstimator()(masks[..., None], scores, len(first)))

    def scrambled(designs: int, seed: int) -> np.ndarray:
        return qmc.Sobol(2 * CELLS, rng=seed).random(designs)

    true = found(scrambled(128, REFERENCE_SEED))
    for designs in SOBOL_DESIGNS:
        plain = TFSobolSequence()(2 * CELLS, designs).numpy()
        yield "Xplique (Sobol)", designs, alike(found(plain), true)
        for seed in SEEDS:
            yield "scrambled Sobol", designs, alike(found(scrambled(designs, seed)), true)
            latin = qmc.LatinHypercube(2 * CELLS, rng=seed).random(designs)
            yield "Latin hypercube", designs, alike(found(latin), true)


MEASURES = {"Kernel SHAP": kernel_shap, "RISE": rise, "HSIC": hsic, "Sobol": sobol}
NUMBERS = {"Kernel SHAP": "passes", "RISE": "masks", "HSIC": "masks", "Sobol": "designs"}


def measured(data: Path, kept: Path | None) -> dict[str, dict[str, list]]:
    """By method, by file: (design, number, (error, rank correlation))."""
    found: dict[str, dict[str, list]] = defaultdict(dict)
    if kept and kept.is_file():
        found.update(json.loads(kept.read_text()))
    for name, wide, game in inputs(data):
        for method, measure in MEASURES.items():
            if name in found[method] or not (wide or method == "Kernel SHAP"):
                continue
            found[method] = found[method] | {name: list(measure(game))}
            print(method, name, flush=True)
            if kept:
                kept.write_text(json.dumps(found))
    return found


def section(found: dict[str, dict[str, list]]) -> str:
    text = (
        "## Sampled maps and long runs\n\n"
        "By `benchmarks/long_references.py`, which says how they are compared: relative error to a"
        "\nlong run of another seed, and rank correlation; means over the files and seeds.\n"
    )
    for method, files in found.items():
        rows: dict[str, dict[int, list]] = defaultdict(lambda: defaultdict(list))
        for results in files.values():
            for design, number, pair in results:
                rows[design][number].append(pair)
        numbers = sorted({number for row in rows.values() for number in row})
        text += f"\n| {method}, {len(files)} files: {NUMBERS[method]} | "
        text += f"{' | '.join(map(str, numbers))} |\n|---|{'---|' * len(numbers)}\n"
        for design, row in rows.items():
            cells = ["{:.3f}, {:.2f}".format(*np.mean(row[n], axis=0)) for n in numbers]
            text += f"| {design} | {' | '.join(cells)} |\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--kept", type=Path, help="a file for what is found, to go on from")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = section(measured(options.data, options.kept))
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
