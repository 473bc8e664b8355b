"""What a search has done so far, read from its folder. No TensorFlow: a page can follow it live.

A search folder holds `study.json` (the settings), `oracle.json` and `trial_*/trial.json`
(KerasTuner's), `curves.jsonl` (one line per epoch), and after the export `winner.json` and
`winner.npz`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.errors import InputError

STUDY, CURVES, WINNER, ARRAYS = "study.json", "curves.jsonl", "winner.json", "winner.npz"
COMPLETED, FAILED, RUNNING = "COMPLETED", "FAILED", "RUNNING"
# What an epoch measures: every field of `Epoch` but its number and its time.
METRICS = ("loss", "val_loss", "ce", "val_ce", "accuracy", "val_accuracy")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of one trial.

    Attributes:
        epoch: counted from 1 at the start of the trial's oldest ancestor.
        loss, val_loss: mean cross-entropy plus the L1 and L2 penalties.
        ce, val_ce: the cross-entropy alone.
        accuracy, val_accuracy: share of rows that are predicted correctly; with several labels the
            share of labels.
        seconds: wall time; of heads trained together, the share of each.
    """

    epoch: int
    loss: float
    val_loss: float
    ce: float
    val_ce: float
    accuracy: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial: a configuration, trained from one epoch to another.

    Attributes:
        id: four digits.
        status: "COMPLETED", "FAILED", "RUNNING" or "INVALID" (waiting for another attempt).
        values: the configuration, by parameter.
        bracket, round: its position in Hyperband's schedule.
        first_epoch, last_epoch: it trains from the first (not included) to the last.
        parent: the trial it continues, or None.
        score: the objective at its best epoch, or None.
        reason: why it failed, in one line; empty where it did not.
        curve: its epochs so far.
    """

    id: str
    status: str
    values: dict[str, Any]
    bracket: int
    round: int
    first_epoch: int
    last_epoch: int
    parent: str | None
    score: float | None
    reason: str
    curve: tuple[Epoch, ...]

    @property
    def configuration(self) -> str:
        """The values as a text: the same for a trial and those that continue it."""
        return json.dumps(self.values, sort_keys=True)

    def best_epoch(self, objective: str) -> Epoch | None:
        """The epoch with the best finite objective, whose weights are stored; None without one."""
        sign = -1 if direction_of(objective) == "max" else 1
        finite = [epoch for epoch in self.curve if np.isfinite(getattr(epoch, objective))]
        return min(finite, key=lambda epoch: sign * getattr(epoch, objective), default=None)


@dataclass(frozen=True)
class Search:
    """A search as its folder shows it.

    Attributes:
        folder: the search folder.
        study: the content of `study.json`: "name", "task", "classes", "multi_label", "asked" (the
            settings), "plan", "versions".
        trials: in the order they were started.
        winner: the content of `winner.json`, or None before the export.
    """

    folder: Path
    study: dict[str, Any]
    trials: tuple[Trial, ...]
    winner: dict[str, Any] | None

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting that decides the result, by its stored name."""
        settings: dict[str, Any] = self.study["asked"]
        return settings

    @property
    def multi_label(self) -> bool:
        """Whether a file may have several labels or none."""
        return bool(self.study.get("multi_label"))  # the first edition had no such searches

    @property
    def objective(self) -> str:
        """The metric that ranks trials."""
        return str(self.settings["objective"])

    @property
    def direction(self) -> str:
        """Whether the objective is to be "max" or "min"."""
        return direction_of(self.objective)

    @cached_property
    def by_id(self) -> dict[str, Trial]:
        """The trials by their ids."""
        return {trial.id: trial for trial in self.trials}

    def best_epoch(self, trial: Trial) -> Epoch | None:
        """The epoch of a trial that is best by the objective."""
        return trial.best_epoch(self.objective)

    def lineage(self, trial: Trial) -> list[Trial]:
        """A trial and those it continues, the oldest first."""
        chain = [trial]
        while chain[0].parent is not None:
            chain.insert(0, self.by_id[chain[0].parent])
        return chain

    def ranked(self) -> list[Trial]:
        """The completed trials, the best first; ties go to the older one."""
        scored = [
            (t.score, t) for t in self.trials if t.status == COMPLETED and t.score is not None
        ]
        scored.sort(key=lambda pair: pair[0], reverse=self.direction == "max")
        return [trial for _, trial in scored]

    def distinct(self) -> list[Trial]:
        """The best completed trial of each configuration, the best first."""
        best: dict[str, Trial] = {}
        for trial in self.ranked():
            best.setdefault(trial.configuration, trial)
        return list(best.values())

    def arrays(self) -> dict[str, np.ndarray]:
        """Logits, probabilities and labels of the exported model; empty before the export."""
        path = self.folder / ARRAYS
        if not path.is_file():
            return {}
        with np.load(path) as arrays:
            return dict(arrays)


def direction_of(objective: str) -> str:
    """Whether an objective is to be "max" or "min"."""
    return "max" if objective == "val_accuracy" else "min"


def is_better(objective: str, new: float, old: float | None) -> bool:
    """Whether a value of an objective is better than the one before, if there is one."""
    return old is None or (new > old if direction_of(objective) == "max" else new < old)


def read_search(folder: Path) -> Search:
    """Read a search folder, finished or still running.

    Raises:
        InputError: it is not a search folder, or one of its files is damaged.
    """
    study = read_json(folder / STUDY)
    winner = read_json(folder / WINNER) if (folder / WINNER).is_file() else None
    curves = read_curves(folder / CURVES)
    started = _started_ids(folder)
    files = sorted(folder.glob("trial_*/trial.json"))
    trials = [_trial(read_json(path), path.parent, curves) for path in files]
    trials = [trial for trial in trials if started is None or trial.id in started]
    return Search(folder, study, tuple(trials), winner)


def read_curves(path: Path) -> dict[str, tuple[Epoch, ...]]:
    """The epochs of each trial, by its id.

    A line that a killed process left incomplete is skipped; of two lines for the same epoch the
    later one counts.
    """
    if not path.is_file():
        return {}
    curves: dict[str, dict[int, Epoch]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
            trial = values.pop("trial")
            curves.setdefault(trial, {})[values["epoch"]] = Epoch(**values)
        except (ValueError, KeyError, TypeError):
            continue
    return {trial: tuple(epochs[e] for e in sorted(epochs)) for trial, epochs in curves.items()}


def _started_ids(folder: Path) -> set[str] | None:
    """Ids the oracle knows; a killed process can leave the folder of a trial that it does not."""
    path = folder / "oracle.json"
    return set(read_json(path)["start_order"]) if path.is_file() else None


def _trial(state: dict[str, Any], folder: Path, curves: dict[str, tuple[Epoch, ...]]) -> Trial:
    values = dict(state["hyperparameters"]["values"])
    schedule = {
        key: values.pop(f"tuner/{key}", None)
        for key in ("bracket", "round", "initial_epoch", "epochs", "trial_id")
    }
    first = int(schedule["initial_epoch"] or 0)
    score = state["score"]
    return Trial(
        id=state["trial_id"],
        status=state["status"],
        values=values,
        bracket=int(schedule["bracket"] or 0),
        round=int(schedule["round"] or 0),
        first_epoch=first,
        last_epoch=int(schedule["epochs"] or 0),
        parent=schedule["trial_id"],
        score=score if score is not None and np.isfinite(score) else None,
        reason=_reason(folder, state),
        curve=tuple(e for e in curves.get(state["trial_id"], ()) if e.epoch > first),
    )


def _reason(folder: Path, state: dict[str, Any]) -> str:
    path = folder / "failure.txt"  # KerasTuner's workers do not send their messages to the chief
    text = path.read_text(encoding="utf-8") if path.is_file() else state.get("message") or ""
    if state["status"] not in (FAILED, "INVALID"):
        return ""
    return last_line(text.splitlines()).rpartition("FailedTrialError: ")[2]


def last_line(lines: Iterable[str]) -> str:
    """The last line that is not blank: of a traceback, the error."""
    return next((line.strip() for line in reversed(list(lines)) if line.strip()), "")


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of a search folder.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it does not contain a JSON object")
        return content
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent} is not a search folder: {path.name} is missing. Give the folder of a "
            "search."
        ) from error
    except ValueError as error:
        raise InputError(
            f"Cannot read {path}: it is damaged ({error}). Restore it, or start a new search under "
            "another name."
        ) from error
