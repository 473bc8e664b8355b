"""The texts of the Tuning page, as escaped HTML."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from html import escape

from dashboards.language import library_text, mark, t
from dashboards.state.progress import duration
from dashboards.state.search_facts import (
    SearchProgress,
    accuracy_title,
    command,
    failures,
    headline,
    measure,
    root_option,
    search_progress,
    stage,
    time_left,
    winner_facts,
)
from dashboards.state.tuning import TuningRuns
from dashboards.views.text import facts, heading, paragraph
from tuning.reporting.leaderboard import leader, leaderboard_rows, ranking_warning
from tuning.trials import Search

STYLE = """
p { max-width: 46rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(11rem, 100%), 1fr));
  gap: 0.7rem; list-style: none; margin: 0.6rem 0 0; padding: 0; }
.cards li { border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: 8px; padding: 0.6rem 0.9rem; }
.cards b { display: block; font-size: 1.3rem; line-height: 1.3; overflow-wrap: anywhere; }
.cards span { font-size: 0.85rem; display: block; overflow-wrap: anywhere; }
.facts { grid-template-columns: minmax(5rem, max-content) 1fr; font-variant-numeric: tabular-nums; }
.facts dt { overflow-wrap: anywhere; }
code { display: block; padding: 0.6rem 0.8rem; border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 0.85rem; max-width: 60rem; margin-bottom: 0.5em;
  background: color-mix(in srgb, currentColor 9%, transparent); }
progress { appearance: none; display: block; width: 100%; height: 0.6rem;
  margin-top: 0.7rem; border: 0; border-radius: 0.3rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 18%, transparent); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--panel-primary-color, Highlight); }
progress::-moz-progress-bar { background: var(--panel-primary-color, Highlight); }
"""
STAGES = {
    "running": mark("Running"),
    "stopped": mark("Stopped: no process on this machine is working on it"),
    "searched": mark("All trials have ended; no model is exported yet"),
    "exported": mark("Finished; its model is exported"),
}
ONE_CLASS = mark("Search for the best head for {task} ({classes}).")
SEVERAL_LABELS = mark(
    "Search for the best head for {task}. A file may have several labels or none: {classes}."
)
PROGRESS_BAR = '<progress max="{planned}" value="{done}" aria-label="{label}"></progress>'
EACH_LABEL = mark("Each label on the test files")
NO_SEARCH = mark(
    "There is no search here yet. Start one in a terminal, and follow it live on this page:"
)
NO_SEARCH_HERE = mark(
    "There is no search here yet. Start one above, or in a terminal, and follow it live on this "
    "page:"
)
EXAMPLE = "xai-tf tune photos/ --task photo --name flowers"
RESUME = mark(
    "If the search was stopped or killed, the same command resumes it and exports a model; no "
    "trial is lost or run twice. Give the same data, and the same options for the data and the "
    "search space, as at the start; the command names any difference and stops."
)
RELATIVE = mark("Paths are relative to the folder that contains {root}.")


def how_to_start(runs: TuningRuns, here: bool = False) -> str:
    """How to start a search; empty where there is one.

    Args:
        runs: the searches.
        here: whether the page can start one.
    """
    if runs.searches or runs.search:
        return ""
    root = next(iter(runs.folders), None)
    place = root_option(root) if root is not None else []
    return (
        heading(t("Tuning"))
        + paragraph(t(NO_SEARCH_HERE if here else NO_SEARCH))
        + _code(" ".join([EXAMPLE, *place]))
    )


def summary(search: Search, live: bool, changed: float) -> str:
    """The search, its stage, and the few numbers that matter most."""
    study, progress = search.study, search_progress(search)
    cards = [headline(search), *_progress_cards(progress, live, study.get("created", ""), changed)]
    best = leader(search)
    epoch = search.best_epoch(best) if best else None
    if epoch and not search.winner:
        share = measure("val_accuracy", epoch.val_accuracy)
        cards.insert(1, (share, accuracy_title(search)))
    about = t(
        SEVERAL_LABELS if search.multi_label else ONE_CLASS,
        task=study.get("task"),
        classes=", ".join(map(str, study.get("classes", []))),
    )
    now = stage(search, live)
    # A search that has ended may have trained fewer epochs than planned: where a trial fails, none
    # continues it. A bar that stays short of its end would look as if something were missing.
    bar = PROGRESS_BAR.format(
        planned=max(1, progress.planned_epochs),
        done=progress.epochs,
        label=t("Epochs trained of those planned"),
    )
    return (
        heading(str(study["name"]))
        + paragraph(f"{t(STAGES[now])}. {about}")
        + _cards(cards)
        + (bar if now in ("running", "stopped") else "")
    )


def winner(search: Search, labels: Sequence[tuple[str, str]] = ()) -> str:
    """The exported model; before the export a warning about the ranking, if there is one.

    Args:
        search: the search.
        labels: of a model of several labels, how well each is found.
    """
    if search.winner is None:
        warning = ranking_warning(leaderboard_rows(search))
        return heading(t("About the ranking")) + paragraph(library_text(warning)) if warning else ""
    caveat = t(
        "It was chosen by its validation metrics, so these are optimistic; the test files were not "
        "used for the choice. Ranges are 95% intervals."
    )
    repeats = len(search.winner.get("repeats") or [])
    seeds = t("It was trained again with {count} other seeds; see the report.", count=repeats)
    return (
        heading(t("Best model: {name}", name=search.winner["model"]))
        + facts([(t("trial"), search.winner["trial"]), *winner_facts(search)])
        + paragraph(f"{caveat} {seeds}" if repeats else caveat)
        + (heading(t(EACH_LABEL), 3) + facts(labels) if labels else "")
    )


def failed(search: Search) -> str:
    """The trials that failed, each with its reason."""
    reasons = failures(search)
    if not reasons:
        return ""
    title = t("{count} of {total} trials failed", count=len(reasons), total=len(search.trials))
    return heading(title) + facts(
        [(t("trial {name}", name=name), library_text(reason)) for name, reason in reasons]
    )


def how_to_resume(search: Search) -> str:
    """How to resume a search, and how to write its report."""
    folder = search.folder
    named = root_option(folder.parent)  # without the path on this server
    place = f"{folder.parent.name}/{folder.name}" if named else folder.name
    where = " " + t(RELATIVE, root=folder.parent.name) if named else ""
    report = shlex.join(["xai-tf", "tune-report", place])
    return (
        heading(t("Resume this search"))
        + paragraph(t(RESUME) + where)
        + _code(command(search))
        + paragraph(t("Write its report as one page, at any time:"))
        + _code(report)
    )


def _cards(entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li><b>{escape(b)}</b><span>{escape(s)}</span></li>" for b, s in entries)
    return f'<ul class="cards">{items}</ul>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _progress_cards(
    progress: SearchProgress, live: bool, created: str, changed: float
) -> list[tuple[str, str]]:
    spent = t(
        "planned trials done; {epochs} of {planned} epochs, {time} of training",
        epochs=progress.epochs,
        planned=progress.planned_epochs,
        time=duration(progress.seconds),
    )
    done = t("{done} of {total}", done=progress.done, total=progress.planned)
    cards = [(done, spent), (str(progress.failed), t("failed trials"))]
    if live:
        since = t("running since {time}", time=_minute(created))
        cards.append((time_left(progress) or t("just started"), since))
    else:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(changed))
        cards.append((when, t("last change; started {time}", time=_minute(created))))
    return cards


def _minute(timestamp: str) -> str:
    """A timestamp in ISO 8601 and UTC, as a search writes it, to the minute."""
    return f"{timestamp[:16].replace('T', ' ')} UTC" if timestamp else t("an unknown time")
