"""A search as one page for a browser without a network, and as a table of its trials."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from tuning.reporting import figures
from tuning.reporting.conclusions import summary_cards, winner_section
from tuning.reporting.importance import no_importance_reason
from tuning.reporting.leaderboard import (
    LeaderboardRow,
    leader,
    leaderboard_rows,
    num_possible,
    rank_correlation,
    ranking_warning,
    varying,
)
from tuning.search_folder import write_durably
from tuning.settings import readable_settings
from tuning.trials import COMPLETED, FAILED, RUNNING, Search, Trial, read_search
from xai_tf.errors import OutputError
from xai_tf.progress import duration
from xai_tf.reports.html import document, facts, paragraph, picture, section, table, text

PAGE, TRIALS = "report.html", "trials.csv"
CSV_HEAD = (
    ("id", "status", "parent", "bracket", "round", "first_epoch", "last_epoch", "epochs"),
    ("objective", "best_epoch", "val_loss", "val_ce", "penalty", "val_accuracy"),
    ("seconds", "reason"),
)
CONFIGURATION_HEAD = (
    ("rank by val_loss", "rank by val_ce", "trial", "val_loss", "val_ce", "penalty"),
    ("val_accuracy", "epochs", "best epoch"),
    ("bracket", "seconds"),
)
SCHEDULE_CAPTION = (
    "Hyperband's schedule. Each round continues the best configurations of the round before with "
    "more epochs; brackets differ in how many configurations they start and how long they train."
)
CURVES_ALT = (
    "Learning curves of every configuration: loss, cross-entropy and accuracy by epoch, on "
    "training and validation files."
)
CURVES_CAPTION = (
    "Each line is a configuration, colored by bracket. A trial that continues another one starts "
    "from its best epoch, so a line may jump where a round begins. Loss includes the L1 and L2 "
    "penalties, cross-entropy does not."
)
PARALLEL_ALT = "Parallel coordinates: each configuration's parameters, epochs and results."
PARALLEL_CAPTION = (
    "Each line is a configuration, dark where cross-entropy on validation files is low. Lines that "
    "share a value are drawn slightly apart."
)
IMPORTANCE_ALT = "Bars: how much each parameter explains of the ranking."
IMPORTANCE_CAPTION = (
    "Out-of-bag permutation importance of a random forest, on ranks. Each dot is one of ten "
    "forests, each without a tenth of the configurations. Bars left of the dashed line can be "
    "chance. Epochs are not a choice: Hyperband trains good configurations longer."
)
PENALTY_ALT = (
    "val_loss as cross-entropy and penalty, by configuration; and each configuration's rank by "
    "val_loss and by val_ce."
)
PENALTY_CAPTION = (
    "val_loss includes the L1 and L2 penalties, which are part of the search. Where the triangles "
    "rise with the line, it ranks configurations by their penalty rather than by how well they "
    "predict."
)


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write `report.html` and `trials.csv` of a search, finished or not.

    Args:
        folder: the search folder.
        out: the folder for the two files; the search folder by default.

    Returns:
        The page.

    Raises:
        InputError: the folder is not a search folder, or one of its files is damaged.
        OutputError: the files cannot be written.
    """
    search, out = read_search(folder), out or folder
    page, trials = report(search), trials_csv(search)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_durably(out / TRIALS, lambda scratch: _write(scratch, trials))
        write_durably(out / PAGE, lambda scratch: _write(scratch, page))
    except OSError as error:
        raise OutputError(
            f"Cannot write to {out}: {error.strerror or error}. Give another folder."
        ) from error
    return out / PAGE


def report(search: Search) -> str:
    """The report as HTML that loads nothing from elsewhere."""
    rows = leaderboard_rows(search)
    parts = {
        "winner": ("Winner" if search.winner else "Leading so far", winner_section(search)),
        "search": ("Search", _progress(search)),
        "configurations": ("Configurations", _configurations(search, rows)),
        "curves": ("Learning curves", _curves(search)),
        "parameters": ("Effect of the parameters", _parameters(search, rows)),
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
        f"{summary_cards(search)}<nav aria-label='Sections'>{links}</nav></header>\n"
        f"<main>{body}</main>",
    )


def trials_csv(search: Search) -> str:
    """The trials as CSV, one row per trial.

    A text that a spreadsheet would run as a formula is preceded by an apostrophe.
    """
    names = list(dict.fromkeys(name for trial in search.trials for name in trial.values))
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    before, after, last = CSV_HEAD
    writer.writerow([*before, *names, *after, *last])
    for trial in search.trials:
        epoch = search.best_epoch(trial)
        metrics: list[Any] = [None] * 5
        if epoch:
            penalty = epoch.val_loss - epoch.val_ce
            metrics = [epoch.epoch, epoch.val_loss, epoch.val_ce, penalty, epoch.val_accuracy]
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
            *metrics,
            _seconds([trial]),
            trial.reason,
        ]
        writer.writerow([_harmless(value) for value in row])
    return file.getvalue()


def _headline(search: Search) -> str:
    classes = ", ".join(search.study["classes"])
    created = text(search.study.get("created"))[:16].replace("T", " ")
    return f"Search for the best head for {search.study['task']} ({classes}), started {created}."


def _progress(search: Search) -> str:
    plan, space = search.study["plan"], search.settings.get("space") or {}
    epochs, state = _num_epochs(search), _state(search)
    return "\n".join(
        [
            paragraph(state),
            f'<p><meter value="{epochs}" max="{max(1, plan["epochs"])}" aria-label="epochs '
            f'trained">{epochs} of {plan["epochs"]} epochs</meter></p>',
            paragraph(_coverage(search)),
            facts(space, "Search space: each parameter and its values") if space else "",
            picture(figures.schedule(search), f"Schedule: {state}", SCHEDULE_CAPTION, wide=True),
        ]
    )


def _state(search: Search) -> str:
    """What is done, and how long the rest will take."""
    plan, counts, epochs = search.study["plan"], _counts(search), _num_epochs(search)
    spent = _seconds(search.trials)
    sentences = [
        f"{counts[COMPLETED]} of {plan['trials']} planned trials are done, {counts[FAILED]} failed "
        f"and {counts[RUNNING]} are running; {epochs} of {plan['epochs']} planned epochs took "
        f"{duration(spent)}."
    ]
    if plan.get("seconds"):
        sentences.append(f"The estimate was {duration(plan['seconds'])}.")
    if counts[RUNNING] and epochs and plan["epochs"] > epochs:
        left = spent / epochs * (plan["epochs"] - epochs)
        sentences.append(f"At this speed the rest takes about {duration(left)}.")
    if counts[RUNNING]:
        sentences.append("If the search was stopped, its last trial is still marked as running.")
    return " ".join(sentences)


def _coverage(search: Search) -> str:
    tried, possible = len({trial.configuration for trial in search.trials}), num_possible(search)
    if not possible:
        return (
            f"{tried} configurations were tried; the space has ranges without steps, so their "
            "number is infinite."
        )
    return f"{tried} of {possible:,} possible configurations were tried ({tried / possible:.1%})."


def _configurations(search: Search, rows: list[LeaderboardRow]) -> str:
    unreadable = len(search.distinct()) - len(rows)
    missing = (
        f"{unreadable} finished configurations have no readable learning curve and are left out."
    )
    if not rows:
        return paragraph(
            missing if unreadable else "No trial has finished, so there is nothing to rank."
        )
    names, best, warning = varying(search), leader(search), ranking_warning(rows)
    first, second, third = CONFIGURATION_HEAD
    cells = [
        [
            row.loss_rank,
            row.ce_rank,
            row.trial.id,
            row.epoch.val_loss,
            row.epoch.val_ce,
            row.penalty,
            row.epoch.val_accuracy,
            row.trial.last_epoch,
            row.epoch.epoch,
            *(row.trial.values.get(name) for name in names),
            row.trial.bracket,
            _seconds(search.lineage(row.trial)),
        ]
        for row in rows
    ]
    return "\n".join(
        [
            paragraph(warning, "warning") if warning else "",
            paragraph(_configurations_words(search, rows)),
            paragraph(missing, "warning") if unreadable else "",
            table(
                [*first, *second, *names, *third],
                cells,
                "Configurations with their ranks by val_loss and by val_ce",
                sortable=True,
                winner=best and best.id,
            ),
            f'<p class="soft">All trials are listed in <a href="{TRIALS}">{TRIALS}</a>, beside '
            "this page.</p>",
        ]
    )


def _configurations_words(search: Search, rows: list[LeaderboardRow]) -> str:
    sentences = [
        f"{len(rows)} configurations, each with its best trial at its best epoch, sorted by "
        f"{search.objective}, the objective. Click a column head to sort by it."
    ]
    correlation = rank_correlation(rows)
    if correlation is not None:
        sentences.append(
            f"The rankings by val_loss and val_ce have a correlation of {correlation:.2f} "
            "(Spearman; 1 means the same order)."
        )
    return " ".join(sentences)


def _curves(search: Search) -> str:
    if not any(trial.curve for trial in search.trials):
        return ""
    return picture(figures.learning_curves(search), CURVES_ALT, CURVES_CAPTION, wide=True)


def _parameters(search: Search, rows: list[LeaderboardRow]) -> str:
    if not rows:
        return ""
    reason = no_importance_reason(rows, varying(search))
    parallel = figures.parallel_coordinates(search)
    parts = [picture(parallel, PARALLEL_ALT, PARALLEL_CAPTION, wide=True)]
    if reason:
        parts.append(paragraph(reason))
    else:
        importance = figures.importance(search)
        parts.append(picture(importance, IMPORTANCE_ALT, IMPORTANCE_CAPTION, wide=True))
    if any(row.penalty > 1e-9 for row in rows):
        parts.append(picture(figures.penalty(search), PENALTY_ALT, PENALTY_CAPTION, wide=True))
    else:
        parts.append(
            paragraph("No configuration has an L1 or L2 penalty: val_loss is the cross-entropy.")
        )
    return "\n".join(parts)


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
                t.status.lower().replace("invalid", "waiting for a retry"),
                t.reason or "unknown",
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
    settings = {name: value for name, value in search.settings.items() if name != "space"}
    if isinstance(settings.get("files"), dict):  # a hash for each of thousands of files
        files = settings["files"].items()
        settings["files"] = {split: f"{len(names):,}" for split, names in files}
    return (
        "<details><summary>All settings</summary>"
        f"{facts(readable_settings(settings), 'Settings')}"
        f"{facts(search.study.get('versions') or {}, 'Versions')}</details>"
    )


def _counts(search: Search) -> dict[str, int]:
    states = [trial.status for trial in search.trials]
    return {status: states.count(status) for status in (COMPLETED, FAILED, RUNNING)}


def _num_epochs(search: Search) -> int:
    return sum(len(trial.curve) for trial in search.trials)


def _seconds(trials: Iterable[Trial]) -> float:
    return round(sum(epoch.seconds for trial in trials for epoch in trial.curve), 3)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t") else value


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="")
