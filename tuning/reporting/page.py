"""A search as one page for a browser without a network, and as a table of its trials."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from tuning.reporting import figures
from tuning.reporting.conclusions import cards, verdict
from tuning.reporting.importance import why_not
from tuning.reporting.leaderboard import (
    LeaderboardRow,
    agreement,
    disagreement,
    leader,
    leaderboard_rows,
    possible,
    varying,
)
from tuning.search_folder import write_whole
from tuning.trials import COMPLETED, FAILED, RUNNING, Search, Trial, read_search
from xai_tf.errors import OutputError
from xai_tf.reports.html import document, duration, facts, paragraph, picture, section, table, text

PAGE, TRIALS = "report.html", "trials.csv"


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write `report.html` and `trials.csv` of a search, finished or not.

    Args:
        folder: of the search.
        out: where the two files go; the folder of the search if left out.

    Returns:
        the page.

    Raises:
        InputError: the folder holds no search, or a damaged one.
        OutputError: the files cannot be written.
    """
    search, out = read_search(folder), out or folder
    page = report(search)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / TRIALS, lambda scratch: _write(scratch, trials_csv(search)))
        write_whole(out / PAGE, lambda scratch: _write(scratch, page))
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror or error}). Give another folder."
        ) from error
    return out / PAGE


def report(search: Search) -> str:
    """The page as a text: everything in it, nothing loaded from elsewhere."""
    rows = leaderboard_rows(search)
    parts = {
        "winner": ("Winner" if search.winner else "Leading so far", verdict(search)),
        "search": ("What was searched", _progress(search)),
        "configurations": ("Configurations", _configurations(search, rows)),
        "curves": ("Learning curves", _curves(search)),
        "parameters": ("What the parameters do", _parameters(search, rows)),
        "failures": ("Failures", _failures(search)),
        "settings": ("Settings and versions", _settings(search)),
    }
    shown = {name: part for name, part in parts.items() if part[1]}
    links = "".join(f'<a href="#{name}">{title}</a>' for name, (title, _) in shown.items())
    body = "\n".join(section(name, title, content) for name, (title, content) in shown.items())
    study = search.study
    return document(
        f"{study['name']}: report of a search",
        f"<header><h1>{escape(study['name'])}</h1>{paragraph(_headline(search))}"
        f"{cards(search)}<nav aria-label='Parts'>{links}</nav></header>\n<main>{body}</main>",
    )


def trials_csv(search: Search) -> str:
    """A row a trial. A text that a spreadsheet would run as a formula begins with an apostrophe."""
    names = list(dict.fromkeys(name for trial in search.trials for name in trial.values))
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        [
            "id",
            "status",
            "parent",
            "bracket",
            "round",
            "first_epoch",
            "last_epoch",
            "epochs",
            *names,
            "objective",
            "kept_epoch",
            "val_loss",
            "val_ce",
            "penalty",
            "val_accuracy",
            "seconds",
            "reason",
        ]
    )
    for trial in search.trials:
        kept = trial.best(search.objective, search.direction)
        found = (
            [kept.epoch, kept.val_loss, kept.val_ce, kept.val_loss - kept.val_ce, kept.val_accuracy]
            if kept
            else [None] * 5
        )
        row = [
            trial.id,
            trial.status,
            trial.parent,
            trial.bracket,
            trial.round,
            trial.first_epoch,
            trial.last_epoch,
            len(trial.curve),
            *(trial.values.get(name) for name in names),
            trial.score,
            *found,
            _seconds([trial]),
            trial.reason,
        ]
        writer.writerow([_harmless(value) for value in row])
    return file.getvalue()


def _headline(search: Search) -> str:
    classes = ", ".join(search.study["classes"])
    created = text(search.study.get("created"))[:16].replace("T", " ")
    return f"Search for the best head for {search.study['task']} ({classes}), begun {created}."


def _progress(search: Search) -> str:
    plan, counts = search.study["plan"], _counts(search)
    epochs = sum(len(trial.curve) for trial in search.trials)
    told = (
        f"{counts[COMPLETED]} of {plan['trials']} planned trials are done, {counts[FAILED]} failed "
        f"and {counts[RUNNING]} are running; {epochs} of {plan['epochs']} planned epochs took "
        f"{duration(_seconds(search.trials))}."
    )
    if plan.get("seconds"):
        told += f" The plan said {duration(plan['seconds'])}."
    if counts[RUNNING] and epochs and plan["epochs"] > epochs:
        left = _seconds(search.trials) / epochs * (plan["epochs"] - epochs)
        told += f" At this speed the rest takes about {duration(left)}."
    if counts[RUNNING]:
        told += " A search that was stopped, too, leaves its last trial marked as running."
    seen, whole = len({trial.configuration for trial in search.trials}), possible(search)
    share = (
        f"{seen} of {whole:,} possible configurations were seen ({seen / whole:.1%})."
        if whole
        else f"{seen} configurations were seen; the space has ranges without steps, so "
        "it holds more than can be counted."
    )
    space = search.study["asked"].get("space") or {}
    return "\n".join(
        [
            paragraph(told),
            f'<p><meter value="{epochs}" max="{max(1, plan["epochs"])}" aria-label="epochs '
            'trained">'
            f"{epochs} of {plan['epochs']} epochs</meter></p>",
            paragraph(share),
            facts(space, "The space: each parameter and what it may be") if space else "",
            picture(
                figures.schedule(search),
                f"Schedule: {told}",
                "Hyperband's schedule. Each round keeps the best of the one before and trains "
                "them longer; a bracket is one trade between many short and few long.",
                wide=True,
            ),
        ]
    )


def _configurations(search: Search, rows: list[LeaderboardRow]) -> str:
    unknown = len(search.distinct()) - len(rows)
    lost = f"{unknown} finished configurations have no readable learning curve and are left out."
    if not rows:
        return paragraph(lost if unknown else "No trial has finished: there is nothing to rank.")
    names, best = varying(search), leader(search)
    head = [
        "by val_loss",
        "by val_ce",
        "trial",
        "val_loss",
        "val_ce",
        "penalty",
        "val_accuracy",
        "epochs",
        "kept",
        *names,
        "bracket",
        "seconds",
    ]
    cells = [
        [
            row.by_loss,
            row.by_ce,
            row.trial.id,
            row.kept.val_loss,
            row.kept.val_ce,
            row.penalty,
            row.kept.val_accuracy,
            row.trial.last_epoch,
            row.kept.epoch,
            *(row.trial.values.get(name) for name in names),
            row.trial.bracket,
            _seconds(search.lineage(row.trial)),
        ]
        for row in rows
    ]
    warning, alike = disagreement(rows), agreement(rows)
    told = f"{len(rows)} configurations, each with its best trial at the epoch that was kept; the "
    told += f"best by {search.objective}, the objective, first. A click on a head sorts. "
    if alike is not None:
        told += (
            f"The rankings by val_loss and val_ce correlate by {alike:.2f} (Spearman; 1 is alike)."
        )
    return "\n".join(
        [
            paragraph(warning, "warning") if warning else "",
            paragraph(told),
            paragraph(lost, "warning") if unknown else "",
            table(
                head,
                cells,
                "Configurations with their ranks by val_loss and by val_ce",
                sortable=True,
                winner=best and best.id,
            ),
            f'<p class="soft">All trials are in <a href="{TRIALS}">{TRIALS}</a>, beside this '
            "page.</p>",
        ]
    )


def _curves(search: Search) -> str:
    if not any(trial.curve for trial in search.trials):
        return ""
    return picture(
        figures.learning_curves(search),
        "Learning curves of every configuration: loss, cross-entropy and accuracy by epoch, on "
        "training and validation files.",
        "A line is a configuration, coloured by bracket. A trial that continues another starts "
        "from the best epoch of that one, so a line may step where a round begins. Loss contains "
        "the L1 and L2 penalties, cross-entropy does not.",
        wide=True,
    )


def _parameters(search: Search, rows: list[LeaderboardRow]) -> str:
    if not rows:
        return ""
    reason = why_not(rows, varying(search))
    return "\n".join(
        [
            picture(
                figures.parallel_coordinates(search),
                "Parallel coordinates: each configuration's parameters, epochs and results.",
                "A line is a configuration, dark where cross-entropy on validation files is low. "
                "Lines that share a value are drawn a little apart.",
                wide=True,
            ),
            paragraph(reason)
            if reason
            else picture(
                figures.importance(search),
                "Bars: how much each parameter explains of the order.",
                "Permutation importance of a random forest, out of the bag, on ranks; a dot is "
                "one of "
                "ten forests, each without a tenth of the configurations. Left of the dashed "
                "line is "
                "what chance makes. Epochs are no choice: Hyperband trains longer what is good.",
                wide=True,
            ),
            paragraph("No configuration has an L1 or L2 penalty: val_loss is the cross-entropy.")
            if not any(row.penalty > 1e-9 for row in rows)
            else picture(
                figures.penalty(search),
                "val_loss as cross-entropy and penalty, by configuration; "
                "and the two ranks of each configuration against each other.",
                "val_loss contains the penalties that are being searched for: where the triangles "
                "rise with the line, it ranks by penalty rather than by how well the model does.",
                wide=True,
            ),
        ]
    )


def _failures(search: Search) -> str:
    failed = [trial for trial in search.trials if trial.reason or trial.status == FAILED]
    if not failed:
        return ""
    names = varying(search)
    return table(
        ["trial", "status", "reason", "bracket", "round", "epochs done", *names],
        [
            [
                t.id,
                t.status.lower().replace("invalid", "to be tried again"),
                t.reason or "not known",
                t.bracket,
                t.round,
                len(t.curve),
                *(t.values.get(name) for name in names),
            ]
            for t in failed
        ],
        f"{len(failed)} of {len(search.trials)} trials failed",
    )


def _settings(search: Search) -> str:
    asked = {name: value for name, value in search.study["asked"].items() if name != "space"}
    if isinstance(asked.get("files"), dict):  # a hash of each, by split: thousands of lines
        asked["files"] = {split: f"{len(names):,}" for split, names in asked["files"].items()}
    return (
        "<details><summary>Everything that was asked for</summary>"
        f"{facts(asked, 'Settings')}"
        f"{facts(search.study.get('versions') or {}, 'Versions')}</details>"
    )


def _counts(search: Search) -> dict[str, int]:
    states = [trial.status for trial in search.trials]
    return {status: states.count(status) for status in (COMPLETED, FAILED, RUNNING)}


def _seconds(trials: Iterable[Trial]) -> float:
    return round(sum(epoch.seconds for trial in trials for epoch in trial.curve), 3)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t") else value


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="")
