"""The commands of a search: `tune`, `tune-report`, `tune-many`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import weights_keras
from tuning.settings import ROOT, Plan
from tuning.space import SEEDS, Parameter, parse_setting, read_space
from tuning.study import Study
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.cli.app import TRAIN_AND_TUNE, app
from xai_tf.cli.console import NOTES, answer, note, progress_bar
from xai_tf.cli.data_options import DataFlags, Source, further_sets
from xai_tf.cli.options import AsJson
from xai_tf.cli.records import takes_records
from xai_tf.cli.train import typed_command
from xai_tf.errors import SettingError

Root = Annotated[Path, typer.Option(help="Folder of the searches and of stored features.")]


@app.command("tune", rich_help_panel=TRAIN_AND_TUNE)
@takes_records
def tune(
    folder: Source,
    task: Annotated[str, typer.Option(help="How files are read (see `tasks`).")],
    name: Annotated[str, typer.Option(help="Of the search and of the model.")],
    data: DataFlags,
    backbone: Annotated[
        list[str] | None, typer.Option(help=f"One or several of {', '.join(BACKBONES)}.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="'imagenet', 'none' or a file without its top; BACKBONE=... for one."),
    ] = None,
    space: Annotated[Path | None, typer.Option(help="A YAML file with the search space.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the space: units_1=64,128 or dropout=0..0.5."),
    ] = None,
    objective: Annotated[str, typer.Option(help="val_loss, val_ce or val_accuracy.")] = "val_loss",
    max_epochs: Annotated[int, typer.Option(help="Of one configuration.")] = 10,
    factor: Annotated[int, typer.Option(help="One in so many is promoted.")] = 3,
    iterations: Annotated[int, typer.Option(help="How often Hyperband is run.")] = 1,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = 32,
    image_size: Annotated[int, typer.Option(help="Side of the image, in pixels.")] = 224,
    copies: Annotated[
        int, typer.Option(help="Of each training image, the first unchanged; 0: new every epoch.")
    ] = 3,
    class_weights: Annotated[bool, typer.Option(help="Let each class count the same.")] = True,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, for networks that are trained one by one.")
    ] = 1,
    repeats: Annotated[
        int, typer.Option(min=0, help="Train the winner again from so many seeds.")
    ] = 0,
    calibration: Annotated[str, typer.Option(help="temperature or platt.")] = "temperature",
    half: Annotated[bool, typer.Option("--half", help="Store the weights as float16.")] = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would be done.")] = False,
    tensorboard: Annotated[bool, typer.Option(help="Write logs for TensorBoard.")] = False,
    also_test: Annotated[
        list[str] | None, typer.Option(help="A further test set, as NAME=FOLDER.")
    ] = None,
    data_license: Annotated[
        list[str] | None, typer.Option(help="A data set and its terms, for the card.")
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Of the weights.")] = "other",
    root: Root = ROOT,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = weights_keras.FOLDER,
    as_json: AsJson = False,
) -> None:
    """Search for the best model on labelled files, and write it with its card and a report.

    Stopped at any moment, the same command goes on where it was.
    """
    from xai_tf.training.publish import check_folder

    if calibration not in ("temperature", "platt"):
        raise SettingError(f"There is no calibration {calibration!r}. Give temperature or platt.")
    study = Study(
        data=folder,
        task=task,
        name=name,
        backbones=tuple(backbone or ["mobilenet_v2"]),
        weights=_weights(weights or []),
        space=_space(space, set_ or []),
        objective=objective,
        max_epochs=max_epochs,
        factor=factor,
        iterations=iterations,
        seed=seed,
        batch_size=batch_size,
        image_size=image_size,
        copies=copies,
        class_weights=class_weights,
        options=data.options,
        root=root,
    )
    check_folder(out, name)
    with progress_bar() as bar:
        line = bar.add_task("reading", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(line, description=what, completed=done, total=total)

        plan = study.plan(report)
        for text in study.training_data().splits.notes:
            note(text, style="yellow")
        _tell_plan(study, plan)
        if only_plan:
            answer(as_json, _plain(asdict(plan)), _plan_table(plan))
            return
        splits = study.training_data().splits
        if calibration == "platt" and len(splits.test.classes) > 2:
            raise SettingError("platt calibrates two classes. Give --calibration temperature.")
        size = (image_size, image_size)
        further = further_sets(also_test, study.training_data().task, size, splits.test.classes)
        if workers > 1 and plan.mode == "waves":
            note("--workers is not needed: heads are trained in waves, by this process.")
        study.run(report, workers)
        card = study.export(
            out,
            calibration=calibration,
            repeats=repeats,
            half=half,
            further=further,
            report=report,
            command=typed_command(),
            datasets=tuple(data_license or ()),
            license_=license_,
        )
        page = study.report()
        if tensorboard:
            from tuning.tensorboard import write_logs

            note(f"TensorBoard: tensorboard --logdir {write_logs(study.folder)}")
    note(f"Report: {page}")
    table = Table("set", "measure", "value and 95% interval", "files", title=name)
    for measure in card.metrics:
        table.add_row(measure.split, measure.name, str(measure), str(measure.count))
    written = {
        "model": str(out / f"{name}.keras"),
        "sha256": card.sha256,
        "size": card.size,
        "report": str(page),
    }
    answer(as_json, written | {"metrics": [vars(m) for m in card.metrics]}, table)


@app.command("tune-report", rich_help_panel=TRAIN_AND_TUNE)
def report_search(
    folder: Annotated[Path, typer.Argument(help="Of a search, finished or running.")],
    tensorboard: Annotated[bool, typer.Option(help="Write logs for TensorBoard too.")] = False,
) -> None:
    """Write the report of a search as it stands: one HTML page and a table of the trials."""
    from tuning.reporting import write_report

    typer.echo(str(write_report(folder)))
    if tensorboard:
        from tuning.tensorboard import write_logs

        typer.echo(str(write_logs(folder)))


@app.command("tune-many", rich_help_panel=TRAIN_AND_TUNE)
def tune_many(
    file: Annotated[Path, typer.Argument(help="A line a search: the arguments of `tune`.")],
    processes: Annotated[int, typer.Option(min=1, help="Searches at once.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Run whole searches side by side; run again, it goes on where it was."""
    from tuning.parallel_searches import run_many

    with progress_bar() as bar:
        line = bar.add_task("searching", total=None)
        outcomes = run_many(
            file,
            processes,
            lambda what, done, total: bar.update(
                line, description=what, completed=done, total=total
            ),
        )
    table = Table("search", "outcome", "seconds", "log")
    for outcome in outcomes:
        state = "done" if outcome.code == 0 else f"failed ({outcome.code})"
        table.add_row(outcome.name, state, f"{outcome.seconds:.0f}", str(outcome.log))
    answer(as_json, [_plain(asdict(outcome)) for outcome in outcomes], table)
    if any(outcome.code for outcome in outcomes):
        raise typer.Exit(1)


def _weights(given: list[str]) -> str | dict[str, str]:
    """`imagenet`, or by backbone: `vgg16=file`."""
    named = dict(text.split("=", 1) for text in given if text.split("=", 1)[0] in BACKBONES)
    plain = [text for text in given if text.split("=", 1)[0] not in BACKBONES]
    if len(plain) > 1:
        raise SettingError("--weights is given twice for all. Write BACKBONE=... for each.")
    if not named:
        return plain[0] if plain else "imagenet"
    return dict.fromkeys(BACKBONES, plain[0] if plain else "imagenet") | named


def _space(path: Path | None, settings: list[str]) -> dict[str, Parameter]:
    """The space of a file, or the seeds', with what `--set` changes."""
    space, seen = read_space(path) if path else dict(SEEDS), set()
    for text in settings:
        name, parameter = parse_setting(text)
        if name in seen:
            raise SettingError(f"--set names {name!r} twice. One name is one parameter.")
        seen.add(name)
        space[name] = parameter
    return space if path else _without_unused(space, seen)


def _without_unused(space: dict[str, Parameter], given: set[str]) -> dict[str, Parameter]:
    """Fewer layers leave parameters of the seeds' space without use, which nobody asked for."""
    layers = space["dense_layers"].values if "dense_layers" in space else (2,)
    deepest = max((n for n in layers if isinstance(n, int)), default=2)
    return {
        name: parameter
        for name, parameter in space.items()
        if name in given or not name[-1].isdigit() or int(name.rsplit("_")[-1]) <= deepest
    }


def _tell_plan(study: Study, plan: Plan) -> None:
    """What will be done, for a person."""
    features, search = plan.seconds
    possible = f" of {plan.possible:,.0f}" if plan.possible < 1e15 else ""
    seen = f"{plan.started}{possible} configurations"
    note(
        f"{study.folder}: {plan.trials} trials, {plan.epochs} epochs, {seen}; {plan.rows[0]} "
        f"training and {plan.rows[1]} validation rows; {plan.why}. About {_duration(features)} for "
        f"the features and {_duration(search)} for the search, at most "
        f"{plan.bytes / 1e6:,.0f} MB."
    )
    if NOTES.is_terminal:
        NOTES.print(_plan_table(plan))


def _plan_table(plan: Plan) -> Table:
    table = Table("bracket", "round", "trials", "epochs")
    for bracket in plan.brackets:
        for number, r in enumerate(bracket.rounds):
            epochs = f"{r.first_epoch} to {r.last_epoch}"
            table.add_row(str(bracket.bracket), str(number), str(r.trials), epochs)
    return table


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if value == float("inf") else value
