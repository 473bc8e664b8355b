"""The commands of a search: `tune`, `tune-report`, `tune-many`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tuning.options import ExportOptions, SearchOptions
from tuning.settings import Mode, Plan, own_searches
from tuning.study import Study
from xai_tf.cli.answers import Answer, Failure, prints_answer
from xai_tf.cli.app import TRAIN_AND_TUNE, app
from xai_tf.cli.console import NOTES, VERBOSITY, note, progress_of, warn
from xai_tf.cli.data_options import DataFlags, Source, further_sources
from xai_tf.cli.records import takes_records
from xai_tf.cli.train import card_answer, typed_command
from xai_tf.packages import require_extra
from xai_tf.progress import duration

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset


@app.command("tune", rich_help_panel=TRAIN_AND_TUNE)
@prints_answer
@takes_records
def tune(
    folder: Source,
    search: SearchOptions,
    data: DataFlags,
    export: ExportOptions,
) -> Answer:
    """Search for the best model on labeled files, and write it with its card and a report.

    If the search is stopped, the same command resumes it.
    """
    require_extra("tuning")
    from tuning.export import check_export_folder
    from tuning.left_out_groups import check_groups

    settings = export.settings(typed_command())
    study = search.study(folder, data.options)
    check_export_folder(study, export.folder, export.overwrite)
    with progress_of("reading") as progress:
        plan = study.plan(progress)
        for text in study.training_data().splits.notes:
            warn(text)
        _show_plan(study, plan)
        if export.dry_run:
            return _plan_answer(plan)
        test = study.training_data().splits.test
        settings.check_classes(test.classes, test.multi_label)
        check_groups(study.networks(), settings.groups)
        also_test = _also_test(study, further_sources(export.also_test))
        if search.workers > 1 and plan.mode == Mode.BATCHED_HEADS:
            note("--workers is ignored: this process trains many heads at a time.")
        study.run(progress, search.workers)
        card = study.export(export.folder, settings, also_test=also_test, progress=progress)
        page = study.report()
        if export.tensorboard:
            _write_logs(study.folder)
    note(f"Report: {page}")
    return card_answer(card, export.folder / f"{card.name}.keras", report=page)


@app.command("tune-report", rich_help_panel=TRAIN_AND_TUNE)
@prints_answer
def report_search(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder or name of a search, finished or running."),
    ],
    tensorboard: Annotated[bool, typer.Option(help="Also write logs for TensorBoard.")] = False,
) -> Answer:
    """Write the report of a search as it stands: an HTML page and a table of its trials."""
    from tuning.reporting import write_report

    if len(folder.parts) == 1 and not folder.is_dir():
        folder = own_searches() / folder
    page, logs = write_report(folder), None
    if tensorboard:
        from tuning.tensorboard import write_logs

        logs = write_logs(folder)
    found = {"page": page, "tensorboard": logs}
    return Answer(
        result=found, table="\n".join(str(path) for path in (page, logs) if path), rows=[found]
    )


@app.command("tune-many", rich_help_panel=TRAIN_AND_TUNE)
@prints_answer
def tune_many(
    file: Annotated[
        Path, typer.Argument(help="Text file with the arguments of one `tune` per line.")
    ],
    processes: Annotated[int, typer.Option(min=1, help="Searches that run at a time.")] = 2,
) -> Answer:
    """Run whole searches in parallel. Run again, the command resumes them."""
    from tuning.parallel_searches import run_searches

    with progress_of("searching") as progress:
        results = run_searches(file, processes, progress)
    table = Table("search", "outcome", "seconds", "log")
    for result in results:
        outcome = f"failed ({result.exit_code})" if result.exit_code else "done"
        table.add_row(result.name, outcome, f"{result.seconds:.0f}", str(result.log))
    found = [result.to_dict() for result in results]
    failures = [
        Failure(one.log, f"{one.name} failed with exit code {one.exit_code}. Read its log.")
        for one in results
        if one.exit_code
    ]
    return Answer(result=found, table=table, rows=found, failures=failures)


def _also_test(study: Study, sources: dict[str, Path]) -> dict[str, Dataset]:
    from xai_tf.datasets.reading import read_test_set

    data, size = study.training_data(), (study.image_size, study.image_size)
    return {
        name: read_test_set(source, data.task, size, data.splits.test, study.options, notify=warn)
        for name, source in sources.items()
    }


def _write_logs(folder: Path) -> None:
    from tuning.tensorboard import write_logs

    note(f"TensorBoard: tensorboard --logdir {write_logs(folder)}")


def _show_plan(study: Study, plan: Plan) -> None:
    """Say what will be done, and how long it takes."""
    features, search = plan.seconds
    possible = f" of {plan.possible:,.0f} possible" if plan.possible < 1e15 else ""
    note(
        f"{study.folder}: {plan.trials} trials with {plan.epochs} epochs in all, "
        f"{plan.configurations}{possible} configurations; {plan.rows[0]} training rows and "
        f"{plan.rows[1]} validation rows. {plan.why.capitalize()}. Estimated time: "
        f"{duration(features)} for features, {duration(search)} for the search. Disk space: at "
        f"most {plan.bytes / 1e6:,.0f} MB."
    )
    if NOTES.is_terminal and not VERBOSITY.quiet:
        NOTES.print(_plan_table(plan))


def _plan_table(plan: Plan) -> Table:
    table = Table("bracket", "round", "trials", "epochs")
    for bracket in plan.brackets:
        for number, r in enumerate(bracket.rounds):
            epochs = f"{r.first_epoch} to {r.last_epoch}"
            table.add_row(str(bracket.bracket), str(number), str(r.trials), epochs)
    return table


def _plan_answer(plan: Plan) -> Answer:
    training, validation = plan.rows
    features, search = plan.seconds
    brackets = [asdict(bracket) for bracket in plan.brackets]
    found = {
        "mode": plan.mode.label,
        "reason": plan.why,
        "trials": plan.trials,
        "epochs": plan.epochs,
        "configurations": plan.configurations,
        "possible": plan.possible,
        "training_rows": training,
        "validation_rows": validation,
        "feature_seconds": features,
        "search_seconds": search,
        "bytes": plan.bytes,
        "brackets": brackets,
    }
    rows = [
        {"bracket": bracket["bracket"], "round": number, **one}
        for bracket in brackets
        for number, one in enumerate(bracket["rounds"])
    ]
    return Answer(result=found, table=_plan_table(plan), rows=rows)
