"""What a page shows of a search: its progress, its trials, its winner, how to resume it."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.language import library_text, mark, n, number, t
from dashboards.state.progress import duration
from tuning.reporting.leaderboard import leader, varying
from tuning.settings import STORED_NAMES, StudySettings, own_searches
from tuning.trials import COMPLETED, FAILED, RUNNING, Search, Trial
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD
from xai_tf.evaluation.labels import LABEL_COLUMNS, label_results

STATUSES = {
    COMPLETED: mark("done"),
    FAILED: mark("failed"),
    RUNNING: mark("running"),
    "INVALID": mark("waiting for a retry"),
}
NAMES = {"auc": "AUC", "ce": mark("cross-entropy"), "accuracy": mark("accuracy")}
# The best score of a search, by whether it has ended and by its direction.
HEADLINES = {
    (True, "max"): mark("highest {objective} on the validation files; trial {trial} is the winner"),
    (True, "min"): mark("lowest {objective} on the validation files; trial {trial} is the winner"),
    (False, "max"): mark("highest {objective} on the validation files; trial {trial} leads so far"),
    (False, "min"): mark("lowest {objective} on the validation files; trial {trial} leads so far"),
}
ACCURACY = mark("accuracy of the leading trial on the validation files")
LABELS_RIGHT = mark(
    "of all labels of the validation files are right in the leading trial; each label of a file "
    "counts as one"
)
SPLITS = {
    "train": mark("training"),
    "validation": mark("validation"),
    "test": mark("test"),
}
# What an objective is; with several labels (True) it is a mean over the labels.
MEANINGS: dict[bool, dict[str, str]] = {
    False: {"val_loss": mark("val_loss (including the L1 and L2 penalties)")},
    True: {
        "val_loss": mark("val_loss (mean over the labels, including the L1 and L2 penalties)"),
        "val_ce": mark("val_ce (mean over the labels)"),
        "val_accuracy": mark("val_accuracy (share of the labels that are right)"),
    },
}
# Settings that are options of `xai-tf tune`, and are left out where they have their default.
OPTIONS = (
    "objective",
    "max_epochs",
    "factor",
    "iterations",
    "seed",
    "batch_size",
    "image_size",
    "augmentations",
)


@dataclass(frozen=True, kw_only=True)
class SearchProgress:
    """The progress of a search.

    Attributes:
        done, failed, running: numbers of trials.
        planned: planned trials; fewer are run if one fails that others would have continued.
        epochs, planned_epochs: epochs of all trials.
        seconds: the time that the epochs took.
        seconds_left: the time for the rest at this speed, one trial after the other; None before
            the first epoch.
    """

    done: int
    failed: int
    running: int
    planned: int
    epochs: int
    planned_epochs: int
    seconds: float
    seconds_left: float | None


def search_progress(search: Search) -> SearchProgress:
    """The progress of a search."""
    statuses, plan = [trial.status for trial in search.trials], search.study["plan"]
    epochs = sum(len(trial.curve) for trial in search.trials)
    seconds = sum(epoch.seconds for trial in search.trials for epoch in trial.curve)
    return SearchProgress(
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
    """The stage of a search: "running", "exported", "searched" (no model yet) or "stopped"."""
    if live:
        return "running"
    if search.winner is not None:
        return "exported"
    progress = search_progress(search)
    return "searched" if progress.done + progress.failed >= progress.planned else "stopped"


def rounds(search: Search) -> list[dict[str, Any]]:
    """Hyperband's rounds, in the order they are run.

    Each is a dict with "bracket", "round", "planned", "epochs", "done", "failed", "running" and
    "open". Brackets of several iterations are counted together.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for bracket in search.study["plan"]["brackets"]:
        for place, plan in enumerate(bracket["rounds"]):
            first, last = plan["first_epoch"] + 1, plan["last_epoch"]
            row = rows.setdefault(
                (bracket["bracket"], place),
                {
                    "bracket": bracket["bracket"],
                    "round": place,
                    "planned": 0,
                    "epochs": t("epochs {first} to {last}", first=first, last=last)
                    if first < last
                    else t("epoch {number}", number=first),
                },
            )
            row["planned"] += plan["trials"]
    for at, row in rows.items():
        statuses = [trial.status for trial in search.trials if (trial.bracket, trial.round) == at]
        row |= {"done": statuses.count(COMPLETED), "failed": statuses.count(FAILED)}
        row["running"] = len(statuses) - row["done"] - row["failed"]
        row["open"] = max(0, row["planned"] - len(statuses))
    return list(rows.values())


def trial_rows(search: Search) -> list[dict[str, Any]]:
    """The rows of the table of trials, as dicts by column: results and varying parameters.

    The best trial comes first; those without a score follow in the order of their start, the
    running ones before the failed ones.
    """
    names = varying(search)
    ranked = search.ranked()
    others = [trial for trial in search.trials if trial not in ranked]
    others.sort(key=lambda trial: trial.status != RUNNING)
    rows = []
    for trial in (*ranked, *others):
        epoch = search.best_epoch(trial)
        rows.append(
            {
                "trial": trial.id,
                "score": trial.score,
                "val_ce": _finite(epoch and epoch.val_ce),
                "val_accuracy": _finite(epoch and epoch.val_accuracy),
                "status": STATUSES.get(trial.status, trial.status.lower()),
                "epochs": trial.first_epoch + len(trial.curve),
                **{name: trial.values.get(name) for name in names if name not in _COLUMNS},
                "bracket": trial.bracket,
                "round": trial.round,
            }
        )
    return rows


def headline(search: Search) -> tuple[str, str]:
    """The best score as a text, and what it is."""
    best = leader(search)
    if best is None or best.score is None:
        return t("no score yet"), t("no trial has finished")
    goal = "max" if search.direction == "max" else "min"
    meaning = t(MEANINGS[search.multi_label].get(search.objective, search.objective))
    title = t(HEADLINES[bool(search.winner), goal], objective=meaning, trial=best.id)
    return measure(search.objective, best.score), title


def accuracy_title(search: Search) -> str:
    """What the accuracy of the leading trial is."""
    return t(LABELS_RIGHT if search.multi_label else ACCURACY)


def trial_facts(search: Search, trial: Trial) -> list[tuple[str, str]]:
    """Names and values of a trial: status, position, results, configuration."""
    epoch = search.best_epoch(trial)
    chain = " → ".join(step.id for step in search.lineage(trial))
    facts = [
        (t("status"), t(STATUSES.get(trial.status, trial.status.lower()))),
        (t("position"), position(trial.bracket, trial.round)),
        (
            t("epochs"),
            t(
                "{done} of {total}",
                done=trial.first_epoch + len(trial.curve),
                total=trial.last_epoch,
            ),
        ),
    ]
    if trial.parent is not None:
        text = mark("{trials}; each continues from the best epoch of the one before")
        facts.append((t("lineage"), t(text, trials=chain)))
    if epoch is not None:
        facts += [
            (t("best epoch"), str(epoch.epoch)),
            ("val_loss", measure("val_loss", epoch.val_loss)),
            ("val_ce", measure("val_ce", epoch.val_ce)),
            (
                t("right labels") if search.multi_label else "val_accuracy",
                measure("val_accuracy", epoch.val_accuracy),
            ),
        ]
    return facts + [(name, value_text(value)) for name, value in trial.values.items()]


def winner_facts(search: Search) -> list[tuple[str, str]]:
    """Names and values of the exported model: metrics with intervals, calibration, size."""
    winner = search.winner or {}
    facts = [(_metric_title(metric), _metric_text(metric)) for metric in winner.get("metrics", [])]
    calibration = winner.get("calibration") or {}
    if "ece_before" in calibration:
        facts.append(
            (
                t("calibration error, test"),
                t(
                    "{before}; after {method} scaling {after}",
                    before=number(calibration["ece_before"], ".3f"),
                    method=calibration.get("method"),
                    after=number(calibration["ece_after"], ".3f"),
                ),
            )
        )
    if winner.get("threshold") is not None:
        best = t("best threshold for {name}", name=search.study["classes"][1])
        facts.append((best, number(winner["threshold"], "g")))
    if winner.get("size"):
        size = t("{size} MB", size=number(winner["size"] / 1e6, ".1f"))
        facts.append((t("model file"), size))
    return facts


def label_facts(search: Search) -> list[tuple[str, str]]:
    """Of a model of several labels, how well each is found in the test files; else empty."""
    arrays = search.arrays() if search.multi_label else {}
    if "test_probabilities" not in arrays or not len(arrays["test_labels"]):
        return []
    classes = [str(name) for name in search.study["classes"]]
    limits = [DEFAULT_THRESHOLD] * len(classes)
    truth = arrays["test_labels"] == 1
    results = label_results(classes, arrays["test_probabilities"], truth, limits)
    columns = (mark("precision"), mark("recall"), "F1", "AUC")
    facts = []
    for result in results:
        cells = dict(zip(LABEL_COLUMNS, result.cells, strict=True))
        facts.append(
            (
                result.name,
                ", ".join(f"{t(name)} {library_text(str(cells[name]))}" for name in columns),
            )
        )
    return facts


def _metric_title(metric: dict[str, Any]) -> str:
    name = NAMES.get(metric["name"], metric["name"])
    return f"{t(name)}, {t(SPLITS.get(metric['split'], metric['split']))}"


def _metric_text(metric: dict[str, Any]) -> str:
    name, low, high = metric["name"], metric.get("low"), metric.get("high")
    has_interval = low is not None and high is not None
    text = measure(name, metric.get("value"))
    if has_interval:
        text += f" ({t('{low} to {high}', low=measure(name, low), high=measure(name, high))})"
    files = n("{count} file", "{count} files", metric["count"]) if metric.get("count") else ""
    return f"{text}, {files}" if files else text


def failures(search: Search) -> list[tuple[str, str]]:
    """The ids of the trials that failed, each with its full reason."""
    failed = [trial for trial in search.trials if trial.reason or trial.status == FAILED]
    return [(trial.id, trial.reason or t("The reason is unknown.")) for trial in failed]


def command(search: Search) -> str:
    """The command that resumes a search: typed anywhere, or beside a folder that `--root` names.

    The path of the data is not stored, so it is written as DATA.
    """
    study, settings = search.study, search.settings
    words = ["xai-tf", "tune", "DATA", "--task", str(study["task"]), "--name", search.folder.name]
    for backbone in settings.get("backbones", []):
        words += ["--backbone", str(backbone)]
    for name in OPTIONS:
        value = settings.get(STORED_NAMES.get(name, name))
        if value not in (None, getattr(StudySettings, name)):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += [] if settings.get("class_weights", True) else ["--no-class-weights"]
    return shlex.join([*words, *root_option(search.folder.parent)])


def root_option(root: Path) -> list[str]:
    """The option that names a folder of searches, without where it is; none for the user's own."""
    return [] if root == own_searches() else ["--root", root.name]


def measure(name: str, value: float | None) -> str:
    """The value of a metric as a text: accuracy in percent."""
    if value is None or not math.isfinite(value):
        return "–"
    return number(value, ".1%" if "accuracy" in name else ".3f")


def value_text(value: Any) -> str:
    """The value of a parameter as a text."""
    return number(value, ".4g") if isinstance(value, float) else str(value)


def position(bracket: int, place: int) -> str:
    """A round of Hyperband."""
    return t("bracket {bracket}, round {round}", bracket=bracket, round=place)


def time_left(progress: SearchProgress) -> str:
    """The remaining time as a text; empty where nothing is left or nothing is known."""
    left = progress.seconds_left
    return t("about {time} left", time=duration(left)) if left else ""


_COLUMNS = ("trial", "status", "bracket", "round", "epochs", "score", "val_ce", "val_accuracy")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
