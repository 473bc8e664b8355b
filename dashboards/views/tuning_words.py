"""What the tuning page says, as HTML made of escaped text."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from html import escape

from dashboards.state.search_facts import (
    Progress,
    command,
    failures,
    headline,
    measure,
    progress,
    stage,
    time_left,
    winner_facts,
)
from dashboards.state.tuning import TuningRuns
from dashboards.views.text import facts, heading, paragraph
from tuning.reporting.leaderboard import disagreement, leader, leaderboard_rows
from tuning.trials import Search
from xai_tf.reports.html import duration

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
progress { appearance: none; display: block; width: 100%; max-width: 30rem; height: 0.6rem;
  margin-top: 0.7rem; border: 0; border-radius: 0.3rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 18%, transparent); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--panel-primary-color, Highlight); }
progress::-moz-progress-bar { background: var(--panel-primary-color, Highlight); }
"""
STAGES = {
    "running": "Running",
    "stopped": "Stopped: nobody on this machine works on it",
    "searched": "All trials have ended, no model is exported yet",
    "exported": "Finished, its model is exported",
}
NO_SEARCH = "There is no search here yet. Start one in a terminal; this page follows it live:"
EXAMPLE = "xai-tf tune photos/ --task dog_breeds --name my_dogs"
GO_ON = (
    "Stopped or killed, the same command goes on where the search was, and ends in a model: no "
    "trial is lost, none is run again. Give the data, and the options for it and for the space, as "
    "at the start; what differs is named and refused. Folders are named as seen from the one that "
    "holds {root}."
)


def empty(runs: TuningRuns) -> str:
    """How to begin; nothing where there is a search."""
    if runs.searches or runs.search:
        return ""
    root = next(iter(runs.folders), None)
    places = f" --root {root.name}" if root is not None else ""
    return heading("Tuning") + paragraph(NO_SEARCH) + _typed(EXAMPLE + places)


def summary(search: Search, live: bool, changed: float) -> str:
    """What it is, where it stands, and the few numbers that most people came for."""
    study, found = search.study, progress(search)
    entries = [headline(search), *_progress_cards(found, live, study.get("created", ""), changed)]
    kept = (best := leader(search)) and best.best(search.objective, search.direction)
    if kept and not search.winner:
        told = "accuracy of the leading trial on the files that choose"
        entries.insert(1, (measure("val_accuracy", kept.val_accuracy), told))
    classes = ", ".join(map(str, study.get("classes", [])))
    about = f"Search for the best head for {study.get('task')} ({classes})."
    return (
        heading(str(study["name"]))
        + paragraph(f"{STAGES[stage(search, live)]}. {about}")
        + _cards(entries)
        + f'<progress max="{max(1, found.planned_epochs)}" value="{found.epochs}" '
        'aria-label="Epochs trained of those planned"></progress>'
    )


def winner(search: Search) -> str:
    """The exported model; before the export what is to be known of the leader."""
    if search.winner is None:
        warning = disagreement(leaderboard_rows(search))
        return heading("What to know of the ranking") + paragraph(warning) if warning else ""
    trusted = "Validation files chose it, so they flatter it; test files had no part in that."
    repeats = len(search.winner.get("repeats") or [])
    told = f"Trained again from {repeats} other seeds; see the report." if repeats else ""
    return (
        heading(f"Best model: {search.winner['model']}")
        + facts([("trial", search.winner["trial"]), *winner_facts(search)])
        + paragraph(f"{trusted} Ranges are 95% intervals. {told}")
    )


def failed(search: Search) -> str:
    """The trials that failed, each with its reason."""
    found = failures(search)
    if not found:
        return ""
    title = f"{len(found)} of {len(search.trials)} trials failed"
    return heading(title) + facts([(f"trial {name}", why) for name, why in found])


def go_on(search: Search) -> str:
    """How to resume a search and how to have its report."""
    root = search.folder.parent.name  # where on this server is nobody's business
    report = shlex.join(["xai-tf", "tune-report", f"{root}/{search.folder.name}"])
    return (
        heading("Go on with this search")
        + paragraph(GO_ON.format(root=root))
        + _typed(command(search))
        + paragraph("The report as one page, at any moment:")
        + _typed(report)
    )


def _cards(entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li><b>{escape(b)}</b><span>{escape(s)}</span></li>" for b, s in entries)
    return f'<ul class="cards">{items}</ul>'


def _typed(words: str) -> str:
    return f"<code>{escape(words)}</code>"


def _progress_cards(
    found: Progress, live: bool, resume_from: str, changed: float
) -> list[tuple[str, str]]:
    epochs = f"{found.epochs} of {found.planned_epochs} epochs"
    spent = f"planned trials done; {epochs}, {duration(found.seconds)} of training"
    entries = [(f"{found.done} of {found.planned}", spent)]
    entries.append((str(found.failed), "failed trials"))
    if live:
        entries.append((time_left(found) or "just begun", f"running since {_minute(resume_from)}"))
    else:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(changed))
        entries.append((when, f"last change; begun {_minute(resume_from)}"))
    return entries


def _minute(moment: str) -> str:
    """Of a time in ISO 8601, as a search writes it: in UTC."""
    return f"{moment[:16].replace('T', ' ')} UTC" if moment else "an unknown time"
