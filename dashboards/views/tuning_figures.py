"""The figures that a worker draws of a search, with what they show in words."""

from __future__ import annotations

import base64
from html import escape

from dashboards.state.search_facts import headline, measure, progress
from dashboards.views.text import heading
from tuning.reporting.leaderboard import agreement, leaderboard_rows, varying
from tuning.trials import Search

STYLE = """
figure { margin: 0.4rem 0 1.2rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: white; }
figcaption { font-size: 0.85rem; max-width: 46rem; margin-top: 0.3rem; }
"""
# Title, and how to read it; in the order of the page.
FIGURES = {
    "confusion_matrix": ("Confusion on the test files",
                         "Rows are the truth, columns the prediction; shares are of the row."),
    "roc": ("ROC on the test files", "Area with its 95% interval and band, by bootstrap of files."),
    "reliability": ("Calibration on the test files",
                    "On the line, a confidence means what it says; bars are 95% intervals."),
    "importance": ("What the parameters explain",
                   "Permutation importance of a random forest, out of the bag, on ranks. Left of "
                   "the dashed line is what chance makes."),
    "penalty": ("What val_loss is made of",
                "val_loss contains the L1 and L2 penalties that are searched: where the triangles "
                "rise with the line, it ranks by penalty rather than by how well the model does."),
    "learning_curves": ("Learning curves of all configurations",
                        "A line is a configuration, coloured by bracket; the leading one is "
                        "strong, and its kept epoch has a star."),
    "parallel_coordinates": ("Parallel coordinates",
                             "A line is a configuration, dark where cross-entropy is low."),
    "schedule": ("Schedule", "Each round keeps the best of the one before and trains them longer."),
}  # fmt: skip


def figures(search: Search | None, drawn: dict[str, bytes]) -> str:
    """Pictures with titles, captions and alternative texts that state facts."""
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
    """What a picture shows, for those who do not see it."""
    rows, found = leaderboard_rows(search), progress(search)
    best, what = headline(search)
    count = f"{len(rows)} finished configuration{'' if len(rows) == 1 else 's'}"
    alike = agreement(rows)
    ranks = "" if alike is None else f" The ranks by val_loss and val_ce correlate by {alike:.2f}."
    return {
        "confusion_matrix": f"Confusion matrix. {_tested(search, 'accuracy')}",
        "roc": f"ROC curves. {_tested(search, 'auc')}",
        "reliability": f"Calibration: share of files that are right, by confidence. "
        f"{_calibration(search)}",
        "importance": f"Bars for {', '.join(varying(search)) or 'no parameter'}, from {count}.",
        "penalty": f"val_loss split into cross-entropy and penalty, for {count}.{ranks}",
        "learning_curves": f"Loss, cross-entropy and accuracy over {found.epochs} epochs of "
        f"{len(search.trials)} trials. Best: {best}, {what}.",
        "parallel_coordinates": f"Values and results of {count}. Best: {best}, {what}.",
        "schedule": f"{found.done} of {found.planned} planned trials are done, {found.failed} "
        f"failed, {found.running} are running.",
    }[name]


def _tested(search: Search, name: str) -> str:
    found = [
        m
        for m in (search.winner or {}).get("metrics", [])
        if (m["name"], m["split"]) == (name, "test")
    ]
    if not found:
        return ""
    value, low, high = (measure(name, found[0].get(end)) for end in ("value", "low", "high"))
    return f"{name} on the test files {value} (95%: {low} to {high})."


def _calibration(search: Search) -> str:
    told = (search.winner or {}).get("calibration") or {}
    if "ece_before" not in told:
        return ""
    return f"Calibration error {told['ece_before']:.3f}, {told['ece_after']:.3f} after it."
