"""Is the verdict right as often as it says? Maps whose truth is known, and what is said of them.

Networks of the puzzles, as they are and spoiled:

- intact: the network finds the plant. A map is right where its strongest place is on it.
- random weights: all weights drawn anew. There is nothing to find, so no map is right.
- shuffled labels: trained with half of the pairs the wrong way round. No map is right.
- out of distribution: a file of another subject, without any plant. No map is right.
- shortcut: X-rays with a tag in a corner that gives the class away. A map is right where its
  strongest place is on the tag; that it should not decide is what the verdict has to say.

Every map is checked as far as the page checks it: its file against the training data, its evidence
by region, other methods, scores against random maps, and what the method says itself.

The rule was made on these maps. With --fresh, others are judged, which nothing was chosen on: other
files, with other plants, and other random weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.ground_truth.learning import (
    LEARNERS,
    check,
    classifier_of,
    image_size,
    learn,
    plant_all,
)
from benchmarks.ground_truth.puzzle import Carriers, Planted
from benchmarks.ground_truth.puzzles import CHOSEN_ON, PUZZLES
from benchmarks.ground_truth.running import default_settings, keep_to_one_core, made_by, network
from benchmarks.ground_truth.scoring import SCORES
from benchmarks.results_file import write_section
from dashboards.state.trust import COMPARED, MAX_COMPARED
from xai_tf.attribution.budget import settings_within
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Value
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import layer_features, ood_layer, ood_scores
from xai_tf.classifiers.ood_detector import fit_detector
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.score import score
from xai_tf.regions import audit, regions_of
from xai_tf.statistics import wilson
from xai_tf.trust import LEVELS, Checks, verdict
from xai_tf.trust.sentences import WORDS
from xai_tf.trust.verdict import WELL

STATES = ("intact", "random weights", "shuffled labels", "out of distribution", "shortcut")
# Judged; each is compared with the others of another family.
JUDGED = (
    "grad_cam", "saliency", "integrated_gradients", "squared_ig", "square_grad", "occlusion",
    "kernel_shap", "rise",
)  # fmt: skip
# What the page makes by itself to compare with.
ON_THE_PAGE = COMPARED[:MAX_COMPARED]
FIDELITY = ("deletion", "insertion", "mu_fidelity")
FILES = 2  # of each state and network
PASSES = 256  # at most, of a map
# A file of another subject, by the kind of a puzzle: the puzzle whose carriers it is from.
FOREIGN = {
    "photo": "mri_blob", "X-ray": "photo_patch", "MRI": "xray_opacity", "sound": "photo_patch",
}  # fmt: skip
SHUFFLED = ("photo_patch", "xray_opacity", "mri_blob", "tone_burst")
Carried = Callable[[str], Carriers]


@dataclass(frozen=True, eq=False)
class Case:
    """A map, what is known of it, and the truth.

    Attributes:
        puzzle, backbone, state: names.
        checks: what the verdict is made of.
        right: whether its strongest place is on what decides.
    """

    puzzle: str
    backbone: str
    state: str
    checks: Checks
    right: bool


def cases(
    puzzle: str,
    backbone: str,
    data: Path,
    networks: Path,
    files: int = FILES,
    fresh: bool = False,
) -> list[Case]:
    """All maps of a puzzle's network, intact and spoiled, of the usual files or of fresh ones."""
    known: dict[str, Carriers] = {}

    def carriers(name: str) -> Carriers:
        if name not in known:
            known[name] = PUZZLES[name].carriers(data, (115, 28, 32))
        return known[name]

    return list(_cases(puzzle, backbone, data, networks, carriers, files, fresh))


def _cases(
    name: str,
    backbone: str,
    data: Path,
    networks: Path,
    carriers: Carried,
    files: int,
    fresh: bool,
) -> Iterator[Case]:
    # The usual files are the first of a round that was drawn with seed 3.
    order, seed = (-1, 11) if fresh else (1, 3)
    puzzle, own = PUZZLES[name], carriers(name)
    size = image_size(puzzle, backbone)
    classifier = network(puzzle, backbone, own, data, networks)
    planted = plant_all(puzzle, own.test, size, 1, seed=seed)
    if not check(classifier, planted).passed:
        return
    add_detector(classifier, name, own, size)
    answers = classifier.predict([p.sample for p in planted])
    found = [p for p, answer in zip(planted, answers, strict=True) if answer.label == 1]
    found = found[::order][:files]
    state = "intact" if puzzle.leaderboard else "shortcut"
    yield from _judged(classifier, name, backbone, state, found)
    if not puzzle.leaderboard:
        return
    other = FOREIGN[puzzle.kind]
    foreign = plant_all(PUZZLES[other], carriers(other).test[::order][:files], size, 1, seed=seed)
    nothing = [Planted(p.without, p.without, np.zeros(size, bool)) for p in foreign]
    yield from _judged(classifier, name, backbone, "out of distribution", nothing)
    from xai_tf.metrics.randomization import randomised_classifier

    undone = classifier_of(puzzle, randomised_classifier(classifier, 1.0, int(fresh)).model)
    add_detector(undone, name, own, size)
    yield from _judged(undone, name, backbone, "random weights", _without_truth(found))
    if name in SHUFFLED:
        lost = _shuffled(name, backbone, own, data, networks)
        add_detector(lost, name, own, size)
        yield from _judged(lost, name, backbone, "shuffled labels", _without_truth(found))


def _shuffled(name: str, backbone: str, own: Carriers, data: Path, networks: Path) -> Classifier:
    import keras

    path = networks / f"{name}.{backbone}.shuffled.{made_by()}.keras"
    if not path.is_file():
        learn(PUZZLES[name], backbone, own, data, shuffled=True).model.save(path)
    return classifier_of(PUZZLES[name], keras.models.load_model(path))


def _without_truth(planted: Sequence[Planted]) -> list[Planted]:
    return [Planted(p.sample, p.without, np.zeros_like(p.mask)) for p in planted]


def add_detector(classifier: Classifier, name: str, own: Carriers, size: tuple[int, int]) -> None:
    """Fit an OOD detector, as training would."""
    layer = ood_layer(classifier)
    train, validation = (
        np.stack([(one.image * 255).round().astype(np.uint8) for one in samples])
        for samples in (
            _samples(name, own.train, size, 1),
            _samples(name, own.validation, size, 2),
        )
    )
    features = [layer_features(classifier, layer, images) for images in (train, validation)]
    classifier.ood_detector = fit_detector(layer, *features, np.arange(len(validation)))


def _samples(name: str, carriers: Sequence, size: tuple[int, int], seed: int) -> list[Sample]:
    planted = plant_all(PUZZLES[name], carriers, size, 1, seed=seed)
    return [one for p in planted for one in (p.sample, p.without)]


def _judged(
    classifier: Classifier, name: str, backbone: str, state: str, planted: Sequence[Planted]
) -> Iterator[Case]:
    for one in planted:
        sample = one.sample
        prediction = classifier.predict([sample])[0]
        reading = Reading(
            source=sample.source,
            samples=(sample,),
            predictions=(prediction,),
            prediction=prediction,
            ood_score=(ood_scores(classifier, [sample]) or [None])[0],
        )
        regions = regions_of(sample, classifier.task)
        maps = [
            explain(
                classifier,
                sample,
                method,
                settings=_settings(method, classifier.image_size),
            )
            for method in JUDGED
        ]
        for number, explanation in enumerate(maps):
            checks = Checks(
                explanation=explanation,
                reading=reading,
                audit=audit(explanation, regions),
                scores=score(classifier, explanation, FIDELITY),
                others=[*maps[:number], *maps[number + 1 :]],
            )
            yield Case(name, backbone, state, checks, _right(explanation, one.mask))


def _settings(method: str, size: tuple[int, int]) -> Mapping[str, Value]:
    """The defaults, or with fewer passes where these take more than `PASSES`."""
    settings = default_settings(method, size)
    most = METHODS[method].costs(METHODS[method].settings(settings, 0.0), size)[1].evaluations
    return settings if most <= PASSES else settings_within(method, PASSES, size) or settings


def _right(explanation: Explanation, mask: np.ndarray) -> bool:
    """Whether the strongest place is on what decides; never where nothing does."""
    return bool(mask.any()) and SCORES["pointing"](explanation.attribution, mask) > 0.5


def write_cases(
    puzzle: str,
    backbone: str,
    data: Path,
    networks: Path,
    out: Path,
    files: int = FILES,
    fresh: bool = False,
) -> Path:
    """Write the cases of a network to a file, unless it is there."""
    path = out / f"{puzzle}.{backbone}.{ending(fresh)}"
    if not path.is_file():
        draft = path.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(cases(puzzle, backbone, data, networks, files, fresh)))
        draft.replace(path)
    return path


def ending(fresh: bool) -> str:
    """How the names of files of cases end."""
    return f"{made_by()}.fresh" if fresh else f"{made_by()}.cases"


FRESH = """## Verdict on fresh maps

By `python -m benchmarks.ground_truth.verdicts --fresh`, {date}. The rule of the section above, on
maps that nothing of it was chosen on: the same networks, other files, other plants, other random
weights. In brackets 95% Wilson intervals over maps.
"""
HEAD = """## Verdict

By `python -m benchmarks.ground_truth.verdicts`, {date}. Maps whose truth is known (planted
evidence; networks with random weights or trained on shuffled labels; files of another subject; a
shortcut), and what the verdict says of them. A map is right where its strongest place is on what
decides; where nothing does, no map is. The rule's thresholds were chosen on one half of the
puzzles ({chosen}); "reported" are the others. What it looks at (the place that other
methods share, a sure answer, no score at chance) was chosen after a look at both. In brackets 95%
Wilson intervals over maps. Each map is compared with {all} others, with scores and regions; "as on
the page" with {few} at most.
"""


def table(title: str, cases: Sequence[Case]) -> list[str]:
    """How often each verdict is given, and how often such maps are right, by method and state."""
    heads = ("maps", "count", *(WORDS[level]["en"] for level in reversed(LEVELS)), "right")
    lines = ["", title, "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    groups = {
        **{f"{state}": [c for c in cases if c.state == state] for state in STATES},
        **{
            f"intact, {METHODS[name].title}": [
                c for c in cases if c.state == "intact" and c.checks.explanation.method.name == name
            ]
            for name in JUDGED
        },
    }
    for name, group in groups.items():
        if group:
            given = [verdict(case.checks).level for case in group]
            shares = [given.count(level) for level in reversed(LEVELS)]
            right = sum(case.right for case in group)
            lines.append(f"| {name} | {len(group)} | {' | '.join(map(str, shares))} | {right} |")
    return lines


def as_on_the_page(case: Case) -> Case:
    """A case with no other maps than the page makes by itself."""
    others = [one for one in case.checks.others if one.method.name in ON_THE_PAGE]
    return replace(case, checks=replace(case.checks, others=others))


def summary(cases: Sequence[Case]) -> str:
    """How often "well supported" is right, and how many right maps are called so."""
    tested = [case for case in cases if case.state != "shortcut"]
    well = [case for case in tested if verdict(case.checks).level == WELL]
    right = [case for case in tested if case.right]
    found = sum(case.right for case in well)
    return (
        f"Of {len(well)} maps called well supported {found} are right "
        f"({_share(found, len(well))}); of {len(right)} right maps {found} are called so "
        f"({_share(found, len(right))})."
    )


def _share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    low, high = wilson(part, whole)
    return f"{part / whole:.2f}, {low:.2f} to {high:.2f}"


def section(cases: Sequence[Case]) -> str:
    chosen = [case for case in cases if case.puzzle in CHOSEN_ON]
    others = [case for case in cases if case.puzzle not in CHOSEN_ON]
    few, every = len(ON_THE_PAGE), len(JUDGED) - 1
    lines = [HEAD.format(date=date.today(), chosen=", ".join(CHOSEN_ON), all=every, few=few)]
    for title, group in (("Chosen on", chosen), ("Reported", others)):
        lines += table(f"{title}. {summary(group)}", group)
        on_the_page = [*map(as_on_the_page, group)]
        lines += ["", f"{title}, as on the page. {summary(on_the_page)}"]
    return "\n".join(lines) + "\n"


def fresh_section(cases: Sequence[Case]) -> str:
    lines = [FRESH.format(date=date.today()), *table(f"All. {summary(cases)}", cases)]
    lines += ["", f"As on the page. {summary([*map(as_on_the_page, cases)])}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--networks", type=Path, required=True, help="where networks are kept")
    parser.add_argument("--cases", type=Path, required=True, help="where maps are kept")
    parser.add_argument("--files", type=int, default=FILES, help="of each state and network")
    parser.add_argument("--fresh", action="store_true", help="maps that nothing was chosen on")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--write", action="store_true", help="into benchmarks/results.md")
    given = parser.parse_args()
    for folder in (given.networks, given.cases):
        folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.processes, spawn, keep_to_one_core) as pool:
        jobs = [
            pool.submit(
                write_cases,
                name,
                backbone,
                given.data,
                given.networks,
                given.cases,
                given.files,
                given.fresh,
            )
            for backbone in LEARNERS
            for name in PUZZLES
        ]
        for job in as_completed(jobs):
            print(job.result(), flush=True)
    files = sorted(given.cases.glob(f"*.{ending(given.fresh)}"))
    found = [case for file in files for case in pickle.loads(file.read_bytes())]
    text = fresh_section(found) if given.fresh else section(found)
    print(text)
    if given.write:
        write_section(text)


if __name__ == "__main__":
    main()
