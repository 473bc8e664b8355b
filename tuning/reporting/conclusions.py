"""What a report says of the winner: its metrics with intervals, lineage, charts, and caveats."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from tuning.reporting import charts
from tuning.reporting.leaderboard import leader, leaderboard_rows
from tuning.trials import RUNNING, Search, Trial
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD
from xai_tf.evaluation.labels import LABEL_COLUMNS, label_results
from xai_tf.progress import duration
from xai_tf.reports.html import facts, paragraph, picture, table, text

TITLES = {"auc": "AUC", "mean auc": "mean AUC", "ce": "cross-entropy"}


def summary_cards(search: Search) -> str:
    """The few numbers that matter most, as cards."""
    best = leader(search)
    if best is None:
        return _cards([("no result yet", "no trial has finished")])
    if search.winner is None:
        return _cards(_leader_cards(search, best))
    cards = [(f"trial {best.id}", f"winner, exported as {search.winner['model']}")]
    for measure in search.winner["metrics"]:
        if measure["split"] == "test" and _interval(measure):
            files = f"{measure['count']} test files" if measure.get("count") else "the test files"
            title = f"{_title(measure['name'])} on {files}, 95%: {_interval(measure)}"
            cards.append((_share(measure["name"], measure["value"]), title))
    size = search.winner.get("size")
    return _cards(cards + ([(f"{size / 1e6:.1f} MB", "size of the model file")] if size else []))


def winner_section(search: Search) -> str:
    """All about the winner; before the export about the leading trial; empty without one."""
    best = leader(search)
    if best is None:
        return ""
    values = facts(best.values, f"Configuration of trial {best.id}")
    if search.winner is None:
        running = any(trial.status == RUNNING for trial in search.trials)
        state = "The search is not finished" if running else "No winner is exported yet"
        first = paragraph(f"{state}. Trial {best.id} leads so far.")
        return "\n".join([first, values, _lineage(search, best), _caveats(search, best)])
    return "\n".join(
        [
            f'<div class="pair"><div>{values}</div><div>{_metrics(search.winner)}</div></div>',
            _caveats(search, best),
            _lineage(search, best),
            _charts(search, search.winner),
            _repeats(search.winner),
            _notes(search.winner),
        ]
    )


def num_validation(search: Search) -> int | None:
    """The number of validation files; None where it is unknown."""
    if "validation_labels" in search.arrays():
        return len(search.arrays()["validation_labels"])
    for measure in (search.winner or {}).get("metrics", []):
        if measure["split"] == "validation" and measure.get("count"):
            return int(measure["count"])
    return len((search.settings.get("files") or {}).get("validation") or {}) or None


def _leader_cards(search: Search, best: Trial) -> list[tuple[str, str]]:
    epoch = search.best_epoch(best)
    cards = [
        (f"trial {best.id}", "leads so far; not exported, so there are no test metrics"),
        (text(best.score), f"{search.objective} on the validation files"),
    ]
    if epoch:
        what = "labels that are right" if search.multi_label else "accuracy"
        cards.append((f"{epoch.val_accuracy:.1%}", f"{what} on the validation files"))
    return cards


def _metrics(winner: dict[str, Any]) -> str:
    return table(
        ["metric", "files", "value", "95% interval", "count"],
        [
            [
                _title(m["name"]),
                m["split"],
                _share(m["name"], m["value"]),
                _interval(m) or None,
                m.get("count"),
            ]
            for m in winner["metrics"]
        ],
        "Metrics of the exported model",
    )


def _caveats(search: Search, best: Trial) -> str:
    """What the validation metrics cannot show."""
    rows, count = leaderboard_rows(search), num_validation(search)
    sentences = [
        f"Trial {best.id} was chosen among {len(rows)} configurations by its validation metrics, "
        "so these are optimistic: the best of many looks better than it is. The test files were "
        "not used for the choice."
    ]
    epoch = search.best_epoch(best)
    if count and epoch and not search.multi_label:  # labels of a file depend on one another
        low, high = _wilson(epoch.val_accuracy, count)
        near = sum(low <= row.epoch.val_accuracy <= high for row in rows)
        sentences.append(
            f"With {count} validation files accuracy changes in steps of 1/{count} = "
            f"{1 / count:.2%}. {near} of {len(rows)} configurations lie within the 95% interval of "
            f"the accuracy of trial {best.id} ({low:.1%} to {high:.1%})."
        )
    same = [t for t in search.trials if t.configuration == best.configuration]
    end = max((e.epoch for trial in same for e in trial.curve), default=0)
    if epoch and epoch.epoch < end:
        sentences.append(
            f"Its best epoch is {epoch.epoch}: further training up to epoch {end} brought no "
            "improvement."
        )
    if end < search.settings["max_epochs"]:
        sentences.append(
            f"It was trained for {end} of at most {search.settings['max_epochs']} epochs; more "
            "epochs might improve it."
        )
    return "<h3>How reliable this is</h3>" + "".join(map(paragraph, sentences))


def _wilson(share: float, count: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return interval.low, interval.high


def _lineage(search: Search, best: Trial) -> str:
    rows = []
    for trial in search.lineage(best):
        epoch = search.best_epoch(trial)
        rows.append(
            [
                trial.id,
                trial.bracket,
                trial.round,
                trial.first_epoch + 1,
                trial.last_epoch,
                epoch and epoch.epoch,
                trial.score,
                epoch and epoch.val_ce,
                epoch and epoch.val_accuracy,
            ]
        )
    caption = (
        f"Lineage of trial {best.id}: each trial continues from the best epoch of the one above"
    )
    head = ["trial", "bracket", "round", "from epoch", "to epoch", "best epoch", search.objective]
    return table([*head, "cross-entropy", "val. accuracy"], rows, caption)


def _charts(search: Search, winner: dict[str, Any]) -> str:
    arrays, classes = search.arrays(), search.study["classes"]
    if "test_probabilities" not in arrays or not len(arrays["test_labels"]):
        return paragraph("The export stored no test probabilities, so there are no test charts.")
    threshold = winner.get("threshold")
    calibration: Any = winner.get("calibration") or {}
    count = len(arrays["test_labels"])
    meaning = (
        "each label is a question of its own"
        if search.multi_label
        else "rows are the true class, columns the predicted class"
    )
    return "\n".join(
        [
            "<h3>On the test files</h3>",
            _labels(arrays, classes) if search.multi_label else "",
            "<div class='pair'>",
            picture(
                charts.confusion_matrix(arrays, classes, threshold),
                _confusion_words(arrays, classes),
                f"{count} test files: {meaning}; shares are of the row.",
            ),
            picture(
                charts.roc(arrays, classes, threshold),
                "ROC curves with the areas under them and their 95% intervals.",
                "Area under the curve with its 95% interval, and 95% band of the curve, by "
                "bootstrap of files within each class.",
            ),
            "</div>",
            picture(
                charts.reliability(arrays, calibration),
                "Reliability diagram: accuracy by confidence.",
                "On the diagonal, confidence equals accuracy. Bars are 95% intervals; below is the "
                "number of files by confidence." + _calibration_words(calibration),
                wide=True,
            ),
        ]
    )


def _labels(arrays: dict[str, np.ndarray], classes: list[str]) -> str:
    """How well each of several labels is found, as a table."""
    found, truth = arrays["test_probabilities"], arrays["test_labels"] == 1
    limits = [DEFAULT_THRESHOLD] * len(classes)
    rows = [result.cells for result in label_results(classes, found, truth, limits)]
    return table(LABEL_COLUMNS, rows, "Labels on the test files, with 95% intervals")


def _calibration_words(calibration: dict[str, Any]) -> str:
    if not calibration:
        return ""
    names = [name for name in ("temperature", "slope", "intercept") if name in calibration]
    values = ", ".join(f"{name} {text(calibration[name])}" for name in names)
    split = calibration.get("fitted_on", "validation")
    return f" The calibration ({values}) was fitted on {split} files and is not part of the model."


def _confusion_words(arrays: dict[str, np.ndarray], classes: list[str]) -> str:
    labels = arrays["test_labels"]
    if labels.ndim == 2:
        found, hits = arrays["test_probabilities"] >= DEFAULT_THRESHOLD, labels == 1
        counts = zip(classes, (found & hits).sum(axis=0), hits.sum(axis=0), strict=True)
        shares = [f"{name}: {right} of {total}" for name, right, total in counts]
        return f"Files by label. Found of those that have each label: {', '.join(shares)}."
    predicted = arrays["test_probabilities"].argmax(axis=1)
    shares = [
        f"{name}: {int((predicted[labels == label] == label).sum())} of "
        f"{int((labels == label).sum())}"
        for label, name in enumerate(classes)
    ]
    return "Confusion matrix. Predicted correctly of each class: " + ", ".join(shares) + "."


def _repeats(winner: dict[str, Any]) -> str:
    repeats = winner.get("repeats") or []
    if not repeats:
        return ""
    names = list(dict.fromkeys(name for repeat in repeats for name in repeat))
    spreads = []
    for name in names:
        values = [repeat[name] for repeat in repeats if repeat.get(name) is not None]
        if name == "seed" or len(values) < 2:
            continue
        spreads.append(
            f"{name} {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} "
            f"({min(values):.3f} to {max(values):.3f})"
        )
    spread = (
        f"Over {len(repeats)} seeds, mean ± standard deviation (range): {'; '.join(spreads)}. "
        "Configurations that differ by less may differ only by chance."
    )
    return (
        "<h3>The winner with other random seeds</h3>"
        + table(
            names,
            [[repeat.get(name) for name in names] for repeat in repeats],
            "The winning configuration, trained again with each seed",
        )
        + (paragraph(spread) if spreads else "")
    )


def _notes(winner: dict[str, Any]) -> str:
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in winner.get("notes") or [])
    times = winner.get("seconds") or {}
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
    return TITLES.get(name, name)


def _share(name: str, value: float) -> str:
    return f"{value:.1%}" if "accuracy" in name else f"{value:.3f}"


def _interval(measure: dict[str, Any]) -> str:
    if measure.get("low") is None or measure.get("high") is None:
        return ""
    low, high = (_share(measure["name"], measure[end]) for end in ("low", "high"))
    return f"{low} to {high}"
