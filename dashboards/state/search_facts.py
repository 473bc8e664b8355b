"""What a page says of a search: where it stands, its trials, its winner, how to go on with it."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import Any

from tuning.reporting.leaderboard import leader, varying
from tuning.study import Study
from tuning.trials import COMPLETED, FAILED, RUNNING, Search, Trial
from xai_tf.reports.html import duration

STATUSES = {COMPLETED: "done", FAILED: "failed", RUNNING: "running", "INVALID": "to be tried again"}
NAMES = {"auc": "AUC", "ce": "cross-entropy"}
OPTIONS = (
    "objective",
    "max_epochs",
    "factor",
    "iterations",
    "seed",
    "batch_size",
    "image_size",
    "copies",
)


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        done, failed, running: trials.
        planned: trials; fewer are run where one fails that others would have continued.
        epochs, planned_epochs: of all trials.
        seconds: what the epochs took.
        seconds_left: what the rest takes at this speed, one trial after the other; None before the
            first epoch.
    """

    done: int
    failed: int
    running: int
    planned: int
    epochs: int
    planned_epochs: int
    seconds: float
    seconds_left: float | None


def progress(search: Search) -> Progress:
    """Count what is done of what was planned."""
    statuses, plan = [trial.status for trial in search.trials], search.study["plan"]
    epochs = sum(len(trial.curve) for trial in search.trials)
    seconds = sum(epoch.seconds for trial in search.trials for epoch in trial.curve)
    return Progress(
        done=statuses.count(COMPLETED),
        failed=statuses.count(FAILED),
        running=statuses.count(RUNNING),
        planned=plan["trials"],
        epochs=epochs,
        planned_epochs=plan["epochs"],
        seconds=seconds,
        seconds_left=seconds / epochs * max(0, plan["epochs"] - epochs) if epochs else None,
    )


def stage(search: Search, live: bool) -> str:
    """Where a search is: "running", "exported", "searched" (no model yet) or "stopped"."""
    if live:
        return "running"
    if search.winner is not None:
        return "exported"
    found = progress(search)
    return "searched" if found.done + found.failed >= found.planned else "stopped"


def rounds(search: Search) -> list[dict[str, Any]]:
    """A dict a round of Hyperband: bracket, round, planned, epochs, done, failed, running, open.

    In the order they are run. Brackets that are run again are counted together.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for bracket in search.study["plan"]["brackets"]:
        for number, asked in enumerate(bracket["rounds"]):
            first, last = asked["first_epoch"] + 1, asked["last_epoch"]
            row = found.setdefault(
                (bracket["bracket"], number),
                {
                    "bracket": bracket["bracket"],
                    "round": number,
                    "planned": 0,
                    "epochs": f"epochs {first} to {last}" if first < last else f"epoch {first}",
                },
            )
            row["planned"] += asked["trials"]
    for (bracket, number), row in found.items():
        here = [t.status for t in search.trials if (t.bracket, t.round) == (bracket, number)]
        row |= {"done": here.count(COMPLETED), "failed": here.count(FAILED)}
        row["running"] = len(here) - row["done"] - row["failed"]
        row["open"] = max(0, row["planned"] - len(here))
    return list(found.values())


def trial_rows(search: Search) -> list[dict[str, Any]]:
    """A dict a trial, by column: what it is, how it does, and the parameters that vary."""
    names = varying(search)
    rows = []
    for trial in search.trials:
        kept = trial.best(search.objective, search.direction)
        rows.append(
            {
                "trial": trial.id,
                "status": STATUSES.get(trial.status, trial.status.lower()),
                "bracket": trial.bracket,
                "round": trial.round,
                "epochs": trial.first_epoch + len(trial.curve),
                "score": trial.score,
                "val_ce": _finite(kept and kept.val_ce),
                "val_accuracy": _finite(kept and kept.val_accuracy),
                **{name: trial.values.get(name) for name in names if name not in _COLUMNS},
            }
        )
    return rows


def headline(search: Search) -> tuple[str, str]:
    """The best score as it is read, and what it is."""
    best = leader(search)
    if best is None or best.score is None:
        return "no score yet", "no trial has finished"
    word = "won" if search.winner else "leads so far"
    penalties = ", with the L1 and L2 penalties" if search.objective == "val_loss" else ""
    goal = "highest" if search.direction == "max" else "lowest"
    return (
        measure(search.objective, best.score),
        f"{goal} {search.objective}{penalties}, on the files that choose; trial {best.id} {word}",
    )


def trial_facts(search: Search, trial: Trial) -> list[tuple[str, str]]:
    """A trial in names and words: where it stands, what it reached, its values."""
    kept = trial.best(search.objective, search.direction)
    chain = " → ".join(step.id for step in search.lineage(trial))
    facts = [
        ("status", STATUSES.get(trial.status, trial.status.lower())),
        ("place", f"bracket {trial.bracket}, round {trial.round}"),
        ("epochs", f"{trial.first_epoch + len(trial.curve)} of {trial.last_epoch}"),
    ]
    if trial.parent is not None:
        facts.append(("lineage", f"{chain}; each goes on from the kept epoch before"))
    if kept is not None:
        facts += [
            ("kept epoch", str(kept.epoch)),
            ("val_loss", measure("val_loss", kept.val_loss)),
            ("val_ce", measure("val_ce", kept.val_ce)),
            ("val_accuracy", measure("val_accuracy", kept.val_accuracy)),
        ]
    return facts + [(name, value_text(value)) for name, value in trial.values.items()]


def winner_facts(search: Search) -> list[tuple[str, str]]:
    """The exported model in names and words: its figures with intervals, its calibration."""
    winner = search.winner or {}
    facts = []
    for found in winner.get("metrics", []):
        name = NAMES.get(found["name"], found["name"])
        value, low, high = (found.get(end) for end in ("value", "low", "high"))
        span = (
            ""
            if low is None or high is None
            else (f" ({measure(found['name'], low)} to {measure(found['name'], high)})")
        )
        files = f", {found['count']} files" if found.get("count") else ""
        facts.append((f"{name}, {found['split']}", f"{measure(found['name'], value)}{span}{files}"))
    calibration = winner.get("calibration") or {}
    if "ece_before" in calibration:
        facts.append(
            (
                "calibration error, test",
                f"{calibration['ece_before']:.3f}, after "
                f"{calibration.get('method')} {calibration['ece_after']:.3f}",
            )
        )
    if winner.get("threshold") is not None:
        facts.append((f"{search.study['classes'][1]} called from", f"{winner['threshold']:g}"))
    if winner.get("size"):
        facts.append(("size of the file", f"{winner['size'] / 1e6:.1f} MB"))
    return facts


def failures(search: Search) -> list[tuple[str, str]]:
    """The trials that failed, and why, in full."""
    failed = [trial for trial in search.trials if trial.reason or trial.status == FAILED]
    return [(trial.id, trial.reason or "It left no reason.") for trial in failed]


def command(search: Search) -> str:
    """The command that goes on with a search, where the folder that holds it lies.

    Where its data lies is not on record: DATA.
    """
    study, asked = search.study, search.study["asked"]
    words = ["xai-tf", "tune", "DATA", "--task", str(study["task"]), "--name", search.folder.name]
    for backbone in asked.get("backbones", []):
        words += ["--backbone", str(backbone)]
    for name in OPTIONS:
        if name in asked and asked[name] != getattr(Study, name):
            words += [f"--{name.replace('_', '-')}", str(asked[name])]
    words += [] if asked.get("class_weights", True) else ["--no-class-weights"]
    return shlex.join([*words, "--root", search.folder.parent.name])


def measure(name: str, value: float | None) -> str:
    """A figure as it is read: shares as percents."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.1%}" if "accuracy" in name else f"{value:.3f}"


def value_text(value: Any) -> str:
    """A value of a parameter as it is read."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def time_left(found: Progress) -> str:
    """What the rest takes, in words; empty where nothing is left or nothing known."""
    return f"about {duration(found.seconds_left)} left" if found.seconds_left else ""


_COLUMNS = ("trial", "status", "bracket", "round", "epochs", "score", "val_ce", "val_accuracy")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
