"""The figures that a worker draws of a search, with captions and alternative texts."""

from __future__ import annotations

import base64
from html import escape

from dashboards.language import mark, n, number, t
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
        mark("Confusion matrix on the test files"),
        mark("Rows are the true class, columns the predicted class; shares are of the row."),
    ),
    "roc": (
        mark("ROC curves on the test files"),
        mark(
            "Area under the curve with its 95% interval, and 95% band of the curve, by bootstrap "
            "of files."
        ),
    ),
    "reliability": (
        mark("Calibration on the test files"),
        mark("On the diagonal, confidence equals accuracy; bars are 95% intervals."),
    ),
    "importance": (
        mark("Importance of the parameters"),
        mark(
            "Out-of-bag permutation importance of a random forest, on ranks. Bars left of the "
            "dashed line can be chance."
        ),
    ),
    "penalty": (
        mark("Parts of val_loss"),
        mark(
            "val_loss includes the L1 and L2 penalties, which are part of the search. Where the "
            "triangles rise with the line, it ranks configurations by their penalty rather than by "
            "how well they predict."
        ),
    ),
    "learning_curves": (
        mark("Learning curves of all configurations"),
        mark(
            "Each line is a configuration, colored by bracket; the leading one is bold, and its "
            "best epoch has a star."
        ),
    ),
    "parallel_coordinates": (
        mark("Parallel coordinates"),
        mark("Each line is a configuration, dark where cross-entropy is low."),
    ),
    "schedule": (
        mark("Schedule"),
        mark("Each round continues the best configurations of the round before with more epochs."),
    ),
}


def figures(search: Search | None, drawn: dict[str, bytes]) -> str:
    """The drawn figures with titles, captions and alternative texts."""
    if search is None:
        return ""
    return "".join(
        f'<figure>{heading(t(title), 3)}<img alt="{escape(_alt(name, search))}" '
        f'src="data:image/png;base64,{base64.b64encode(drawn[name]).decode()}">'
        f"<figcaption>{escape(t(caption))}</figcaption></figure>"
        for name, (title, caption) in FIGURES.items()
        if name in drawn
    )


def _alt(name: str, search: Search) -> str:
    """The alternative text of a figure."""
    rows, progress = leaderboard_rows(search), search_progress(search)
    best, what = headline(search)
    count = n("{count} finished configuration", "{count} finished configurations", len(rows))
    correlation = rank_correlation(rows)
    ranks = ""
    if correlation is not None:
        ranks = t(
            "The ranks by val_loss and by val_ce have a correlation of {value}.",
            value=number(correlation, ".2f"),
        )
    parameters = ", ".join(varying(search)) or t("no parameter")
    texts = {
        "confusion_matrix": (t("Confusion matrix."), _test_metric(search, "accuracy")),
        "roc": (t("ROC curves."), _test_metric(search, "auc")),
        "reliability": (
            t("Reliability diagram: accuracy by confidence."),
            _calibration(search),
        ),
        "importance": (t("Bars for {names}, from {count}.", names=parameters, count=count),),
        "penalty": (
            t("val_loss as cross-entropy and penalty, for {count}.", count=count),
            ranks,
        ),
        "learning_curves": (
            t(
                "Loss, cross-entropy and accuracy over {epochs} epochs of {trials} trials.",
                epochs=progress.epochs,
                trials=len(search.trials),
            ),
            t("Best: {value}, {meaning}.", value=best, meaning=what),
        ),
        "parallel_coordinates": (
            t("Values and results of {count}.", count=count),
            t("Best: {value}, {meaning}.", value=best, meaning=what),
        ),
        "schedule": (
            t(
                "{done} of {total} planned trials are done, {failed} failed, {running} are "
                "running.",
                done=progress.done,
                total=progress.planned,
                failed=progress.failed,
                running=progress.running,
            ),
        ),
    }
    return " ".join(filter(None, texts[name]))


def _test_metric(search: Search, name: str) -> str:
    for metric in (search.winner or {}).get("metrics", []):
        if (metric["name"], metric["split"]) == (name, "test"):
            value, low, high = (measure(name, metric.get(key)) for key in ("value", "low", "high"))
            return t(
                "{name} on the test files: {value} (95%: {low} to {high}).",
                name=t(name),
                value=value,
                low=low,
                high=high,
            )
    return ""


def _calibration(search: Search) -> str:
    calibration = (search.winner or {}).get("calibration") or {}
    if "ece_before" not in calibration:
        return ""
    return t(
        "Calibration error {before}; after calibration {after}.",
        before=number(calibration["ece_before"], ".3f"),
        after=number(calibration["ece_after"], ".3f"),
    )
