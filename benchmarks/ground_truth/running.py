"""One puzzle on one backbone: carriers, training, check, and the scores of every method."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ground_truth.baselines import BASELINES
from benchmarks.ground_truth.candidates import CANDIDATES
from benchmarks.ground_truth.learning import check, classifier_of, image_size, learn, plant_all
from benchmarks.ground_truth.puzzle import Carriers, Planted, Puzzle
from benchmarks.ground_truth.puzzles import PUZZLES
from benchmarks.ground_truth.scoring import SCORES, scores
from xai_tf.attribution.budget import settings_within
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS, Value
from xai_tf.classifiers.classifier import Classifier
from xai_tf.regions import audit, audit_folder, regions_of

DEFAULT_SIDE = 224  # the defaults of settings in pixels are for pictures of this size
LENGTHS = {"occlusion": ("patch", "stride")}  # settings in pixels
# One method of each class on a network that has forgotten everything.
UNDONE = ("grad_cam", "saliency", "integrated_gradients", "occlusion")
# What is asked again with other numbers of passes than the default's, so that all runs in time.
# Those whose default is several hundred passes are asked with fewer only.
BUDGETED = (
    ("squared_ig", 1), ("squared_ig", 16), ("squared_ig", 32), ("squared_ig", 128),
    ("integrated_gradients", 32), ("integrated_gradients", 128),
    ("smooth_grad", 32), ("square_grad", 128), ("var_grad", 128),
    ("rise", 32), ("rise", 128),
    ("lime", 32), ("lime", 128), ("kernel_shap", 32), ("kernel_shap", 128),
    ("occlusion", 32), ("occlusion", 128),
    ("hsic", 32), ("hsic", 128), ("sobol", 128),
)  # fmt: skip
MARKS = ("corners", "marks")  # regions where marks are
AUDITED = ("grad_cam", "integrated_gradients")
# The files of this package that a result comes from; the others only show it.
MAKERS = (
    "baselines",
    "candidates",
    "carriers",
    "learning",
    "pictures",
    "puzzle",
    "puzzles",
    "running",
    "scoring",
    "sounds",
)


@dataclass(frozen=True)
class Plan:
    """How much is done; what a result on disk must have been made with to be kept.

    Attributes:
        carriers: real files for training, validation and the check.
        files: those of the check that are explained.
        undone: those explained on a network undone as well.
        methods: names in `METHODS`, each with its defaults.
        budgets: (method, passes): those asked again, with the settings for so many passes.
        candidates: names in `CANDIDATES`.
    """

    carriers: tuple[int, int, int] = (115, 28, 32)
    files: int = 6
    undone: int = 4
    methods: tuple[str, ...] = tuple(METHODS)
    budgets: tuple[tuple[str, int], ...] = BUDGETED
    candidates: tuple[str, ...] = tuple(CANDIDATES)

    @property
    def record(self) -> dict[str, Any]:
        """As it is written beside a result, with a hash of the code that makes results."""
        return json.loads(json.dumps(asdict(self))) | {"made_by": made_by()}


@cache
def made_by(folder: Path = Path(__file__).parent) -> str:
    """A hash of the files here that a result comes from: when one changes, it is made again.

    The library is not in it: after a change there that changes maps, delete the results.
    """
    texts = [(folder / f"{name}.py").read_bytes() for name in MAKERS]
    return sha256(b"\n".join(texts)).hexdigest()[:12]


def result_path(out: Path, puzzle: str, backbone: str) -> Path:
    return out / f"{puzzle}.{backbone}.json"


def read_result(out: Path, puzzle: str, backbone: str, plan: Plan) -> dict[str, Any] | None:
    """A result that was made by this plan, or None."""
    path = result_path(out, puzzle, backbone)
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    return result if result["plan"] == plan.record else None


def run(
    puzzle: Puzzle,
    backbone: str,
    carriers: Carriers,
    data: Path,
    plan: Plan,
    say: Callable[[str], None] = print,
    networks: Path | None = None,
) -> dict[str, Any]:
    """Train, check, score: what is written to the result's file.

    With a folder of `networks`, the trained one is kept there, and taken from there.

    Returns:
        `plan`, `check` (accuracy, flipped, ...), `seconds`, and where the check was passed:
        `areas` of the masks; `scores`, lists over the files by method and score; `budgets`, the
        same by "method@passes", and `candidates`; `passes` of all three; `silent`, how
        many maps of a method had no signal; `undone`, scores of trained and undone networks.
        For X-rays `audit`: of the shortcut, and of what is no shortcut.
    """
    start = time.perf_counter()
    classifier = network(puzzle, backbone, carriers, data, networks)
    planted = plant_all(puzzle, carriers.test, image_size(puzzle, backbone), 1, seed=3)
    checked, trained = check(classifier, planted), time.perf_counter()
    say(
        f"{puzzle.name}, {backbone}: trained in {trained - start:.0f} s, accuracy "
        f"{checked.accuracy:.3f}, flipped {checked.flipped:.3f}"
    )
    result: dict[str, Any] = {
        "puzzle": puzzle.name,
        "backbone": backbone,
        "plan": plan.record,
        "check": {**asdict(checked), "passed": checked.passed},
    }
    # Explained is what the network finds: a map of what it does not see cannot be right.
    found = [p for p in planted if classifier.predict([p.sample])[0].label == 1][: plan.files]
    if puzzle.kind == "X-ray":
        result["audit"] = audits(classifier, found)
    if puzzle.leaderboard and checked.passed:
        result["areas"] = [round(float(p.mask.mean()), 4) for p in found]
        result |= score_all(classifier, found, plan)
        result["undone"] = undo(classifier, found[: plan.undone], result["scores"])
    done = time.perf_counter()
    result["seconds"] = {"training": round(trained - start, 1), "scoring": round(done - trained, 1)}
    return result


def network(
    puzzle: Puzzle, backbone: str, carriers: Carriers, data: Path, kept: Path | None
) -> Classifier:
    """The trained network of a puzzle: from the folder where it is kept, else learned."""
    import keras

    path = kept and kept / f"{puzzle.name}.{backbone}.{made_by()}.keras"
    if path and path.is_file():
        return classifier_of(puzzle, keras.models.load_model(path))
    classifier = learn(puzzle, backbone, carriers, data)
    if path:
        draft = path.with_name(f"draft.{path.name}")
        classifier.model.save(draft)
        draft.replace(path)
    return classifier


def attribution_of(
    classifier: Classifier,
    planted: Planted,
    method: str,
    settings: Mapping[str, Value] | None = None,
) -> np.ndarray:
    """The map of a method, of the plant's class, with its default settings if none are given.

    Defaults in pixels cover as much of the picture as they do at 224x224.
    """
    if settings is None:
        settings = default_settings(method, classifier.image_size)
    return explain(classifier, planted.sample, method, target=1, settings=settings).attribution


def default_settings(method: str, size: tuple[int, int]) -> dict[str, Value]:
    """Settings in pixels, for pictures of another size than 224x224."""
    return {
        name: max(1, round(METHODS[method].options[name].default * size[0] / DEFAULT_SIDE))
        for name in LENGTHS.get(method, ())
    }


def score_all(
    classifier: Classifier, planted: Sequence[Planted], plan: Plan
) -> dict[str, dict[str, Any]]:
    """The scores of methods, budgets, candidates and baselines on each file; what had no signal."""
    found, silent, size = {}, {}, classifier.image_size
    passes: dict[str, int] = {}
    for name in plan.methods:
        method, settings = METHODS[name], default_settings(name, size)
        maps = [attribution_of(classifier, p, name, settings) for p in planted]
        found[name] = _scores(maps, planted)
        silent[name] = sum(not has_signal(one) for one in maps)
        most = method.costs(method.settings(settings, classifier.baseline), size)[1]
        passes[name] = most.evaluations
    rng = np.random.default_rng(0)
    for name, baseline in BASELINES.items():
        found[name] = _scores([baseline(p.sample.image, rng) for p in planted], planted)
    budgets = {}
    for name, most in plan.budgets:
        settings = settings_within(name, most, size)
        if settings is not None:
            maps = [attribution_of(classifier, p, name, settings) for p in planted]
            budgets[f"{name}@{most}"] = _scores(maps, planted)
            passes[f"{name}@{most}"] = most
    candidates = {}
    for name in plan.candidates:
        candidate = CANDIDATES[name]
        maps = [candidate.map(classifier, p.sample) for p in planted]
        candidates[name], passes[name] = _scores(maps, planted), candidate.passes
    return {
        "scores": found,
        "budgets": budgets,
        "candidates": candidates,
        "passes": passes,
        "silent": {name: n for name, n in silent.items() if n},
    }


def undo(
    classifier: Classifier, planted: Sequence[Planted], trained: dict[str, dict[str, list[float]]]
) -> dict[str, Any]:
    """Mean scores by one method a class, of the network and of one with random weights.

    Args:
        classifier: the network.
        planted: the first of the files that were scored.
        trained: those scores, by method and score.
    """
    from xai_tf.metrics.randomization import randomised_classifier

    undone, count, means = randomised_classifier(classifier, 1.0, 0), len(planted), {}
    for method in (name for name in UNDONE if name in trained):
        maps = [attribution_of(undone, p, method) for p in planted]
        means[method] = {
            "trained": _means({name: values[:count] for name, values in trained[method].items()}),
            "undone": _means(_scores(maps, planted)),
        }
    return means


def audits(classifier: Classifier, planted: Sequence[Planted]) -> dict[str, Any]:
    """What the region audit says of maps of the plant's class.

    Returns:
        By method: `files`, in how many there was an `alarm`, the regions with an alarm over the
        `folder`, and the mean `shares` of the evidence where marks are.
    """
    partitions = [regions_of(p.sample, classifier.task) for p in planted]
    said = {}
    for method in AUDITED:
        maps = [explain(classifier, p.sample, method, target=1) for p in planted]
        found = [audit(one, regions) for one, regions in zip(maps, partitions, strict=True)]
        rows = audit_folder(found)
        said[method] = {
            "files": len(found),
            "alarm": sum(bool(one.alarms) for one in found),
            "folder": {row.region: row.alarm for row in rows if row.alarm},
            "shares": {
                row.region: round(row.share, 3)
                for row in rows
                if row.region in ("corners", "marks")
            },
        }
    return said


def keep_to_one_core() -> None:
    """Begin a process: one a core is faster than one on all."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.get_logger().setLevel("ERROR")  # Sobol and HSIC are traced anew for every file, and told so


def run_puzzle(
    name: str,
    backbone: str,
    data: Path,
    out: Path,
    plan: Plan,
    say: Callable[[str], None] = print,
    networks: Path | None = None,
) -> None:
    """Run an entry of `PUZZLES` on a backbone, unless there is a result."""
    if read_result(out, name, backbone, plan):
        return
    puzzle = PUZZLES[name]
    result = run(puzzle, backbone, puzzle.carriers(data, plan.carriers), data, plan, say, networks)
    path = result_path(out, name, backbone)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    draft.replace(path)
    say(f"{name}, {backbone}: scored in {result['seconds']['scoring']:.0f} s")


def _scores(maps: Sequence[np.ndarray], planted: Sequence[Planted]) -> dict[str, list[float]]:
    rows = [scores(one, p.mask) for one, p in zip(maps, planted, strict=True)]
    return {name: [round(row[name], 4) for row in rows] for name in SCORES}


def _means(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}
