"""The commands of a search: `tune`, `tune-report`, `tune-many`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tuning.options import ExportOptions, SearchOptions
from tuning.settings import Mode, Plan, own_searches
from tuning.study import Study
from xai_tf.cli.app import TRAIN_AND_TUNE, app
from xai_tf.cli.console import NOTES, VERBOSITY, answer, note, progress_of, warn
from xai_tf.cli.data_options import DataFlags, Source, further_sets
from xai_tf.cli.options import AsJson
from xai_tf.cli.records import takes_records
from xai_tf.cli.train import typed_command
from xai_tf.packages import require_extra
from xai_tf.progress import duration

if TYPE_CHECKING:
    from weights_keras import ModelCard
    from xai_tf.datasets.dataset import Dataset


@app.command("tune", rich_help_panel=TRAIN_AND_TUNE)
@takes_records
def tune(
    folder: Source,
    search: SearchOptions,
    data: DataFlags,
    export: ExportOptions,
    as_json: AsJson = False,
) -> None:
    """Search for the best model on labeled files, and write it with its card and a report.

    If the search is stopped, the same command resumes it.
    """
    from xai_tf.training.publish import check_folder

    require_extra("tuning")
    settings = export.settings(typed_command())
    study = search.study(folder, data.options)
    check_folder(export.folder, study.name)
    with progress_of("reading") as progress:
        plan = study.plan(progress)
        for text in study.training_data().splits.notes:
            warn(text)
        _show_plan(study, plan)
        if export.dry_run:
            answer(as_json, _plain(asdict(plan)), _plan_table(plan))
            return
        settings.check_classes(study.training_data().splits.test.classes)
        also_test = _also_test(study, export.also_test)
        if search.workers > 1 and plan.mode == Mode.BATCHED_HEADS:
            note("--workers is ignored: this process trains many heads at a time.")
        study.run(progress, search.workers)
        card = study.export(export.folder, settings, also_test=also_test, progress=progress)
        page = study.report()
        if export.tensorboard:
            _write_logs(study.folder)
    note(f"Report: {page}")
    answer(as_json, _card_record(card, export.folder, page), _metrics_table(card))


@app.command("tune-report", rich_help_panel=TRAIN_AND_TUNE)
def report_search(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder or name of a search, finished or running."),
    ],
    tensorboard: Annotated[bool, typer.Option(help="Also write logs for TensorBoard.")] = False,
) -> None:
    """Write the report of a search as it stands: an HTML page and a table of its trials."""
    from tuning.reporting import write_report

    if len(folder.parts) == 1 and not folder.is_dir():
        folder = own_searches() / folder
    typer.echo(str(write_report(folder)))
    if tensorboard:
        from tuning.tensorboard import write_logs

        typer.echo(str(write_logs(folder)))


@app.command("tune-many", rich_help_panel=TRAIN_AND_TUNE)
def tune_many(
    file: Annotated[
        Path, typer.Argument(help="Text file with the arguments of one `tune` per line.")
    ],
    processes: Annotated[int, typer.Option(min=1, help="Searches that run at a time.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Run whole searches in parallel. Run again, the command resumes them."""
    from tuning.parallel_searches import run_searches

    with progress_of("searching") as progress:
        results = run_searches(file, processes, progress)
    table = Table("search", "outcome", "seconds", "log")
    for result in results:
        outcome = f"failed ({result.exit_code})" if result.exit_code else "done"
        table.add_row(result.name, outcome, f"{result.seconds:.0f}", str(result.log))
    answer(as_json, [result.to_dict() for result in results], table)
    if any(result.exit_code for result in results):
        raise typer.Exit(1)


def _also_test(study: Study, given: list[str] | None) -> dict[str, Dataset]:
    """The sets of `--also-test NAME=FOLDER`."""
    data, size = study.training_data(), (study.image_size, study.image_size)
    return further_sets(given, data.task, size, data.splits.test.classes)


def _write_logs(folder: Path) -> None:
    from tuning.tensorboard import write_logs

    note(f"TensorBoard: tensorboard --logdir {write_logs(folder)}")


def _card_record(card: ModelCard, out: Path, page: Path) -> dict[str, Any]:
    return {
        "model": str(out / f"{card.name}.keras"),
        "sha256": card.sha256,
        "size": card.size,
        "report": str(page),
        "metrics": [vars(measure) for measure in card.metrics],
    }


def _metrics_table(card: ModelCard) -> Table:
    table = Table("set", "metric", "value and 95% interval", "files", title=card.name)
    for measure in card.metrics:
        table.add_row(measure.split, measure.name, str(measure), str(measure.count))
    return table


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


def _plain(value: Any) -> Any:
    """The same as JSON holds it: without tuples, paths and infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if value == float("inf") else value
