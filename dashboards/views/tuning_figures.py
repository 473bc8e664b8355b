"""The figures that a worker draws of a search, with captions and alternative texts."""

from __future__ import annotations

import base64
from html import escape

from dashboards.state.search_facts import headline, measure, search_progress
from dashboards.views.text import heading
from tuning.reporting.leaderboard import leaderboard_rows, rank_correlation, varying
from tuning.trials import Search

STYLE = """
figure { margin: 0.4rem 0 1.2rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: white; }
figcaption { font-size: 0.85rem; max-width: 46rem; margin-top: 0.3rem; }
"""
# Titles and captions, in the order of the page.
FIGURES = {
    "confusion_matrix": (
        "Confusion matrix on the test files",
        "Rows are the true class, columns the predicted class; shares are of the row.",
    ),
    "roc": (
        "ROC curves on the test files",
        "Area under the curve with its 95% interval, and 95% band of the curve, by bootstrap of "
        "files.",
    ),
    "reliability": (
        "Calibration on the test files",
        "On the diagonal, confidence equals accuracy; bars are 95% intervals.",
    ),
    "importance": (
        "Importance of the parameters",
        "Out-of-bag permutation importance of a random forest, on ranks. Bars left of the dashed "
        "line can be chance.",
    ),
    "penalty": (
        "Parts of val_loss",
        "val_loss includes the L1 and L2 penalties, which are part of the search. Where the "
        "triangles rise with the line, it ranks configurations by their penalty rather than by how "
        "well they predict.",
    ),
    "learning_curves": (
        "Learning curves of all configurations",
        "Each line is a configuration, colored by bracket; the leading one is bold, and its best "
        "epoch has a star.",
    ),
    "parallel_coordinates": (
        "Parallel coordinates",
        "Each line is a configuration, dark where cross-entropy is low.",
    ),
    "schedule": (
        "Schedule",
        "Each round continues the best configurations of the round before with more epochs.",
    ),
}


def figures(search: Search | None, drawn: dict[str, bytes]) -> str:
    """The drawn figures with titles, captions and alternative texts."""
    if search is None:
        return ""
    return "".join(
        f'<figure>{heading(title, 3)}<img alt="{escape(_alt(name, search))}" '
        f'src="data:image/png;base64,{base64.b64encode(drawn[name]).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for name, (title, caption) in FIGURES.items()
        if name in drawn
    )


def _alt(name: str, search: Search) -> str:
    """The alternative text of a figure."""
    rows, progress = leaderboard_rows(search), search_progress(search)
    best, what = headline(search)
    count = f"{len(rows)} finished configuration{'' if len(rows) == 1 else 's'}"
    correlation = rank_correlation(rows)
    ranks = (
        f" The ranks by val_loss and by val_ce have a correlation of {correlation:.2f}."
        if correlation is not None
        else ""
    )
    return {
        "confusion_matrix": f"Confusion matrix. {_test_metric(search, 'accuracy')}",
        "roc": f"ROC curves. {_test_metric(search, 'auc')}",
        "reliability": f"Reliability diagram: accuracy by confidence. {_calibration(search)}",
        "importance": f"Bars for {', '.join(varying(search)) or 'no parameter'}, from {count}.",
        "penalty": f"val_loss as cross-entropy and penalty, for {count}.{ranks}",
        "learning_curves": f"Loss, cross-entropy and accuracy over {progress.epochs} epochs of "
        f"{len(search.trials)} trials. Best: {best}, {what}.",
        "parallel_coordinates": f"Values and results of {count}. Best: {best}, {what}.",
        "schedule": f"{progress.done} of {progress.planned} planned trials are done, "
        f"{progress.failed} failed, {progress.running} are running.",
    }[name]


def _test_metric(search: Search, name: str) -> str:
    for metric in (search.winner or {}).get("metrics", []):
        if (metric["name"], metric["split"]) == (name, "test"):
            value, low, high = (measure(name, metric.get(key)) for key in ("value", "low", "high"))
            return f"{name} on the test files: {value} (95%: {low} to {high})."
    return ""


def _calibration(search: Search) -> str:
    calibration = (search.winner or {}).get("calibration") or {}
    if "ece_before" not in calibration:
        return ""
    return (
        f"Calibration error {calibration['ece_before']:.3f}; after calibration "
        f"{calibration['ece_after']:.3f}."
    )
