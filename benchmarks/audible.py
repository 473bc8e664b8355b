"""Does muting what a map points at change what is said, more than muting as much elsewhere?

Clips of SPEECH (a folder a class), spread over each class; of a long clip the window that speaks
most for the class that is predicted, which is explained. Its three strongest regions that speak
for the class (`find_regions`) are muted together. Against that, ten times: three rectangles of the
same shapes at random places, all made larger or smaller by one factor until they hold the same
energy (within 5%; of the short-time Fourier transform, in mel bands); draws that leave silence do
not count. Every sound is written as a 16-bit WAV file and read again. A change is that of the logit
of the class explained.

- `top`, `random`: medians over the clips of the fall by the regions, and by the mean of the ten.
- `difference`: median of top less random, with a 95% bootstrap interval.
- `top > random`: clips in which the regions did more than the median of the ten, Wilson interval.
- `as told`: Spearman's correlation of a region's share (with its sign) and the fall of the logit
  when it is muted alone, over the strongest six regions of every clip; bootstrap over the clips.
- `area`: median share of the picture that was muted, regions and random.
- `against`: for signed maps, the median rise by muting the three regions that speak against the
  class, and in how many clips of those that have such regions the logit rose.

Run: python benchmarks/audible.py SPEECH [--model NAME] [--clips 20] [--write]; it prints a section
for `benchmarks/results.md`, and writes it there with --write.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from results_file import write_section

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.inputs.sample import Sample, resize
from xai_tf.sonification import (
    TimeFrequencyRegion,
    evidence_mask,
    find_regions,
    keep,
    mute,
    region_mask,
    write_and_predict,
)
from xai_tf.sonification.masking import band_energies
from xai_tf.statistics import wilson

HERE = Path(__file__).parent
COUNT, SINGLE, DRAWS, TOLERANCE = 3, 6, 10, 0.05
PHOTO_SEGMENTS = "kernel_shap, photo superpixels"
METHODS = (
    "grad_cam",
    "square_grad",
    "integrated_gradients",
    "rise",
    "kernel_shap",
    PHOTO_SEGMENTS,
)


@dataclass(frozen=True, eq=False)
class Trial:
    """What became of one clip under one method.

    Attributes:
        file, label: the clip, and the class that is explained.
        score: the logit of the class, of the original.
        top, random: how far it fell: by the regions, and in each draw.
        against: how far it rose by muting what speaks against; None if nothing does.
        singles: of the strongest regions, (share, how far the logit fell by it alone).
        areas: shares of the picture muted: by the regions, and by the draws, on average.
        supporting, remainder: (share of the energy, logit or None for silence).
    """

    file: str
    label: str
    score: float
    top: float
    random: np.ndarray
    against: float | None
    singles: list[tuple[float, float]]
    areas: tuple[float, float]
    supporting: tuple[float, float | None]
    remainder: tuple[float, float | None]


def explained(classifier: Classifier, sample: Sample, method: str, label: int) -> Explanation:
    if method != PHOTO_SEGMENTS:
        return explain(classifier, sample, method, target=label)
    picture = replace(sample, sound=None)
    return replace(explain(classifier, picture, "kernel_shap", target=label), sample=sample)


def energy_of(sample: Sample) -> Callable[[np.ndarray], float]:
    energies = band_energies(sample.sound)
    return lambda mask: float((energies * resize(mask, energies.shape)[::-1]).sum())


def boxes(regions: Sequence[TimeFrequencyRegion], sample: Sample) -> list[tuple[float, float]]:
    """The heights and widths of regions, as shares of the picture's."""
    masks = [region_mask(sample, region) for region in regions]
    return [(mask.any(axis=1).mean(), mask.any(axis=0).mean()) for mask in masks]


def rectangles(
    shapes: list[tuple[float, float]], centres: np.ndarray, factor: float, size: tuple[int, int]
) -> np.ndarray:
    rows, columns = ((np.arange(side) + 0.5) / side for side in size)
    mask = np.zeros(size, np.float32)
    for (height, width), (row, column) in zip(shapes, centres, strict=True):
        inside = np.ix_(
            np.abs(rows - row) <= factor * height / 2,
            np.abs(columns - column) <= factor * width / 2,
        )
        mask[inside] = 1
    return mask


def random_mask(
    sample: Sample, regions: Sequence[TimeFrequencyRegion], rng: np.random.Generator
) -> np.ndarray:
    """Rectangles of the regions' shapes at random places that hold the regions' energy."""
    energy, size = energy_of(sample), sample.image.shape[:2]
    wanted, shapes = energy(region_mask(sample, *regions)), boxes(regions, sample)
    for _ in range(200):
        centres = rng.random((len(shapes), 2))
        low, high = 2.0**-5, 2.0**6
        for _ in range(20):
            factor = np.sqrt(low * high)
            mask = rectangles(shapes, centres, factor, size)
            held = energy(mask)
            if abs(held / wanted - 1) < TOLERANCE:
                return mask
            low, high = (low, factor) if held > wanted else (factor, high)
    raise RuntimeError(f"no rectangles in {sample.source} hold {wanted:.3g}")


def try_out(
    classifier: Classifier, sample: Sample, method: str, rng: np.random.Generator, folder: Path
) -> Trial | None:
    """Mute and ask; None where no region speaks for the class, or all else is silence."""
    prediction = classifier.predict([sample])[0]
    explanation = explained(classifier, sample, method, prediction.label)
    found = find_regions(explanation, 9)
    speaking = [region for region in found if region.share > 0][:COUNT]
    against = [region for region in found if region.share < 0][:COUNT]
    if not speaking:
        return None
    top, most = region_mask(sample, *speaking), evidence_mask(explanation)
    draws = [random_mask(sample, speaking, rng) for _ in range(DRAWS)]
    sounds = {"original": sample.sound, "top": mute(sample, top)}
    sounds |= {"supporting": keep(sample, most), "remainder": mute(sample, most)}
    sounds |= {f"random_{n}": mute(sample, mask) for n, mask in enumerate(draws)}
    for number, region in enumerate(found[:SINGLE]):
        sounds[f"single_{number}"] = mute(sample, region_mask(sample, region))
    if against:
        sounds["against"] = mute(sample, region_mask(sample, *against))
    heard = write_and_predict(classifier, sounds, folder)
    weights = classifier.target(prediction.label)
    scores = {
        name: one.prediction and float(one.prediction.logits @ weights)
        for name, one in heard.items()
    }
    score = scores["original"]
    random = [scores[f"random_{n}"] for n in range(DRAWS)]
    heard_still = [one for one in random if one is not None]
    if scores["top"] is None or not heard_still:
        return None

    def part(name: str) -> tuple[float, float | None]:
        return heard[name].energy / heard["original"].energy, scores[name]

    return Trial(
        sample.source.name,
        prediction.name,
        score,
        score - scores["top"],
        score - np.array(heard_still),
        scores["against"] - score if against and scores["against"] is not None else None,
        [
            (region.share, score - scores[f"single_{n}"])
            for n, region in enumerate(found[:SINGLE])
            if scores[f"single_{n}"] is not None
        ],
        (float(top.mean()), float(np.mean(draws))),
        part("supporting"),
        part("remainder"),
    )


def decisive_window(classifier: Classifier, path: Path) -> Sample:
    reading = read_and_predict(classifier, path)
    target = classifier.target(reading.prediction.label)
    return reading.samples[reading.most_decisive(target, 1)[0]]


def bootstrap(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95% interval of a median."""
    medians = np.median(rng.choice(values, (4000, len(values))), axis=1)
    return tuple(np.percentile(medians, [2.5, 97.5]))


def as_told(trials: list[Trial], rng: np.random.Generator) -> str:
    """Whether what falls is what was told, region by region."""
    from scipy.stats import spearmanr

    def correlation(chosen: Sequence[int]) -> float:
        return spearmanr(*np.concatenate([trials[n].singles for n in chosen]).T).statistic

    count = len(trials)
    low, high = np.percentile(
        [correlation(rng.integers(count, size=count)) for _ in range(1000)], [2.5, 97.5]
    )
    return f"{correlation(range(count)):.2f} ({low:.2f} to {high:.2f})"


def share(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count} of {of} ({low:.0%} to {high:.0%})"


def row(method: str, trials: list[Trial]) -> str:
    rng = np.random.default_rng(0)
    top, random = (np.array([t.top for t in trials]), np.array([t.random.mean() for t in trials]))
    low, high = bootstrap(top - random, rng)
    more = sum(t.top > np.median(t.random) for t in trials)
    areas = np.median([t.areas for t in trials], axis=0)
    rises = [t.against for t in trials if t.against is not None]
    against = "-"
    if rises:
        against = f"{np.median(rises):+.2f}; {share(sum(r > 0 for r in rises), len(rises))}"
    cells = [
        method,
        str(len(trials)),
        f"{np.median(top):.2f}",
        f"{np.median(random):.2f}",
        f"{np.median(top - random):.2f} ({low:.2f} to {high:.2f})",
        share(more, len(trials)),
        share(sum(t.top > 0 for t in trials), len(trials)),
        as_told(trials, rng),
        f"{areas[0]:.0%}, {areas[1]:.0%}",
        against,
    ]
    return "| " + " | ".join(cells) + " |"


def listened(method: str, trials: list[Trial]) -> list[str]:
    """Rows of the clips that are looked at one by one, and the medians of all."""

    def logit(value: float | None) -> str:
        return "silent" if value is None else f"{value:+.2f}"

    rows = []
    for trial in (trials[0], trials[len(trials) // 2], trials[-1]):
        (energy, alone), (rest, without) = trial.supporting, trial.remainder
        rows.append(
            f"| {method} | {trial.file} | {trial.label} | {trial.score:+.2f} | {energy:.0%} "
            f"| {logit(alone)} | {rest:.0%} | {logit(without)} |"
        )
    parts = [(t.score, *t.supporting, *t.remainder) for t in trials]
    told = np.array([part for part in parts if None not in part])
    middle = np.median(told, axis=0)
    rows.append(
        f"| {method} | median of {len(told)} | | {middle[0]:+.2f} | {middle[1]:.0%} "
        f"| {middle[2]:+.2f} | {middle[3]:.0%} | {middle[4]:+.2f} |"
    )
    return rows


def section(model: str, trials: dict[str, list[Trial]]) -> str:
    lines = [
        "## Audible evidence",
        "",
        f"By `benchmarks/audible.py`, {model}: each method's three strongest regions for the class "
        "predicted, muted in the sound, written to a file and read again, against random "
        "rectangles of the same energy. Changes of the class's logit; 95% intervals.",
        "",
        "| method | clips | top | random | difference | top > random | logit fell | as told "
        "| area, random | against |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(row(method, found) for method, found in trials.items()),
        "",
        "Only what speaks for the class (the smallest part that holds 80% of it), and all else:",
        "",
        "| method | clip | class | logit | energy | logit alone | energy of the rest "
        "| logit of the rest |",
        "|---|---|---|---|---|---|---|---|",
        *(line for method, found in trials.items() for line in listened(method, found)),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", type=Path, help="holds a folder of sounds a class")
    parser.add_argument("--model", default="audio_mobilenetv2")
    parser.add_argument("--clips", type=int, default=20, help="of each class")
    parser.add_argument("--write", action="store_true", help="into benchmarks/results.md")
    options = parser.parse_args()
    classifier, rng = load(options.model), np.random.default_rng(0)
    paths = []
    for name in classifier.classes:
        files = sorted((options.speech / name).iterdir())
        places = np.linspace(0, len(files) - 1, min(options.clips, len(files)))
        paths += [files[round(place)] for place in places]
    trials: dict[str, list[Trial]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in METHODS:
            for path in paths:
                sample = decisive_window(classifier, path)
                trial = try_out(classifier, sample, method, rng, Path(folder))
                if trial:
                    trials.setdefault(method, []).append(trial)
            print(
                row(method, trials[method]),
                *listened(method, trials[method]),
                sep="\n",
                file=sys.stderr,
                flush=True,
            )
    text = section(classifier.name, trials)
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
