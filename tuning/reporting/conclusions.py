"""The winner's part of a report: its figures with intervals, lineage, charts and honest words."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from tuning.reporting import charts
from tuning.reporting.leaderboard import leader, leaderboard_rows
from tuning.trials import RUNNING, Search, Trial
from xai_tf.reports.html import duration, facts, paragraph, picture, table, text


def cards(search: Search) -> str:
    """The few numbers that most people came for."""
    best = leader(search)
    if best is None:
        return _cards([("no result yet", "no trial has finished")])
    if search.winner is None:
        kept = best.best(search.objective, search.direction)
        return _cards(
            [
                (f"trial {best.id}", "leads so far; not exported, so there are no test figures"),
                (text(best.score), f"{search.objective}, on the files that choose"),
                *([(f"{kept.val_accuracy:.1%}", "accuracy on the same files")] if kept else []),
            ]
        )
    found = [m for m in search.winner["metrics"] if m["split"] == "test" and _interval(m)]
    size = search.winner.get("size")
    return _cards(
        [
            (f"trial {best.id}", f"won: {search.winner['model']}"),
            *[
                (
                    _share(m["name"], m["value"]),
                    f"{_title(m['name'])} on {m.get('count') or 'the'} test "
                    f"files, 95%: {_interval(m)}",
                )
                for m in found
            ],
            *([(f"{size / 1e6:.1f} MB", "the model's file")] if size else []),
        ]
    )


def verdict(search: Search) -> str:
    """Everything about the winner; before the export what is known of the leader, or nothing."""
    best = leader(search)
    if best is None:
        return ""
    parts = [facts(best.values, f"The configuration of trial {best.id}"), _lineage(search, best)]
    if search.winner is None:
        running = any(trial.status == RUNNING for trial in search.trials)
        state = "The search is not finished" if running else "No winner is exported yet"
        return "\n".join(
            [paragraph(f"{state}. Trial {best.id} leads so far."), *parts, _caution(search, best)]
        )
    return "\n".join(
        [
            f'<div class="pair"><div>{parts[0]}</div><div>{_metrics(search)}</div></div>',
            _caution(search, best),
            parts[1],
            _charts(search),
            _repeats(search),
            _notes(search),
        ]
    )


def num_validation(search: Search) -> int | None:
    """How many files chose the winner; None where that is not known."""
    if "validation_labels" in search.arrays():
        return len(search.arrays()["validation_labels"])
    measures = (search.winner or {}).get("metrics", [])
    found = [m["count"] for m in measures if m["split"] == "validation" and m.get("count")]
    if found:
        return found[0]
    return len((search.study["asked"].get("files") or {}).get("validation") or {}) or None


def _metrics(search: Search) -> str:
    return table(
        ["figure", "files", "value", "95% interval", "count"],
        [
            [
                _title(m["name"]),
                m["split"],
                _share(m["name"], m["value"]),
                _interval(m) or None,
                m.get("count"),
            ]
            for m in search.winner["metrics"]
        ],
        "Figures of the exported model",
    )


def _caution(search: Search, best: Trial) -> str:
    """What the validation figures do not say."""
    rows, count = leaderboard_rows(search), num_validation(search)
    told = [
        f"Validation figures chose trial {best.id} among {len(rows)} configurations, so they "
        "flatter it: the best of many looks better than it is. "
        "Test files had no part in the choice."
    ]
    kept = best.best(search.objective, search.direction)
    if count and kept:
        told.append(
            f"With {count} validation files accuracy moves in steps of 1/{count} = {1 / count:.2%}."
        )
        low, high = _wilson(kept.val_accuracy, count)
        near = sum(low <= row.kept.val_accuracy <= high for row in rows)
        told[-1] += (
            f" {near} of {len(rows)} configurations lie within the 95% interval of trial "
            f"{best.id}'s own accuracy ({low:.1%} to {high:.1%})."
        )
    end = max(
        (e.epoch for t in search.trials if t.configuration == best.configuration for e in t.curve),
        default=0,
    )
    if kept and kept.epoch < end:
        told.append(f"Its kept epoch is {kept.epoch}: training on to epoch {end} did not help it.")
    if end < search.study["asked"]["max_epochs"]:
        told.append(
            f"It was trained for {end} of at most {search.study['asked']['max_epochs']} epochs, so "
            "what more of them would give is not known."
        )
    return "<h3>How far to trust this</h3>" + "".join(map(paragraph, told))


def _wilson(share: float, count: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return interval.low, interval.high


def _lineage(search: Search, best: Trial) -> str:
    rows = []
    for trial in search.lineage(best):
        kept = trial.best(search.objective, search.direction)
        rows.append(
            [
                trial.id,
                trial.bracket,
                trial.round,
                trial.first_epoch + 1,
                trial.last_epoch,
                kept and kept.epoch,
                trial.score,
                kept and kept.val_ce,
                kept and kept.val_accuracy,
            ]
        )
    caption = f"Lineage of trial {best.id}: each trial continues the kept epoch of the one above"
    head = ["trial", "bracket", "round", "from epoch", "to epoch", "kept epoch", search.objective]
    return table([*head, "cross-entropy", "val. accuracy"], rows, caption)


def _charts(search: Search) -> str:
    arrays, classes = search.arrays(), search.study["classes"]
    if "test_probabilities" not in arrays or not len(arrays["test_labels"]):
        return paragraph("The export kept no test probabilities: there are no charts of them.")
    threshold = search.winner.get("threshold")
    calibration = search.winner.get("calibration") or {}
    counts = len(arrays["test_labels"])
    names = [name for name in ("temperature", "slope", "intercept") if name in calibration]
    values = ", ".join(f"{name} {text(calibration[name])}" for name in names)
    split = calibration.get("fitted_on", "validation")
    fitted = f" The calibration ({values}) was fitted on {split} files and is not in the model."
    return "\n".join(
        [
            "<h3>On the test files</h3><div class='pair'>",
            picture(
                charts.confusion_matrix(arrays, classes, threshold),
                _confusion_words(arrays, classes),
                f"{counts} test files: rows are the truth, columns the prediction; shares are of "
                "the row.",
            ),
            picture(
                charts.roc(arrays, classes, threshold),
                "ROC curves with the areas under them and their 95% intervals.",
                "Area with its 95% interval and band, by bootstrap of files within each class.",
            ),
            "</div>",
            picture(
                charts.reliability(arrays, calibration),
                "Calibration: share of files that are right, by confidence.",
                "On the line, a confidence means what it says; bars are 95% intervals, below is "
                "how many files have that confidence." + (fitted if calibration else ""),
                wide=True,
            ),
        ]
    )


def _confusion_words(arrays: dict[str, np.ndarray], classes: list[str]) -> str:
    predicted, labels = arrays["test_probabilities"].argmax(axis=1), arrays["test_labels"]
    found = [
        f"{name}: {int((predicted[labels == label] == label).sum())} of "
        f"{int((labels == label).sum())}"
        for label, name in enumerate(classes)
    ]
    return "Confusion matrix. Found of each class: " + ", ".join(found) + "."


def _repeats(search: Search) -> str:
    repeats = search.winner.get("repeats") or []
    if not repeats:
        return ""
    names = list(dict.fromkeys(name for repeat in repeats for name in repeat))
    told = []
    for name in names:
        values = [repeat[name] for repeat in repeats if repeat.get(name) is not None]
        if name == "seed" or len(values) < 2:
            continue
        told.append(
            f"{name} {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} "
            f"({min(values):.3f} to {max(values):.3f})"
        )
    spread = (
        f"Over {len(repeats)} seeds, mean ± standard deviation (range): {'; '.join(told)}. "
        "Configurations that differ by less than this may differ by their seed only."
    )
    return (
        "<h3>The winner again, with other seeds</h3>"
        + table(
            names,
            [[repeat.get(name) for name in names] for repeat in repeats],
            "The winning configuration, trained anew with each seed",
        )
        + (paragraph(spread) if told else "")
    )


def _notes(search: Search) -> str:
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in search.winner.get("notes") or [])
    times = search.winner.get("seconds") or {}
    spent = ", ".join(f"{name} {duration(value)}" for name, value in times.items() if value)
    return (f"<h3>Notes</h3><ul>{notes}</ul>" if notes else "") + (
        paragraph(f"Time: {spent}.", "soft") if spent else ""
    )


def _cards(entries: list[tuple[str, str]]) -> str:
    items = "".join(
        f"<li><b>{escape(big)}</b><span>{escape(small)}</span></li>" for big, small in entries
    )
    return f'<ul class="cards">{items}</ul>'


def _title(name: str) -> str:
    return {"auc": "AUC", "ce": "cross-entropy"}.get(name, name)


def _share(name: str, value: float) -> str:
    return f"{value:.1%}" if "accuracy" in name else f"{value:.3f}"


def _interval(measure: dict[str, Any]) -> str:
    if measure.get("low") is None or measure.get("high") is None:
        return ""
    low, high = (_share(measure["name"], measure[end]) for end in ("low", "high"))
    return f"{low} to {high}"
