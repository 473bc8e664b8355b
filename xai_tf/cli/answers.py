"""The answer of a command: a table for a person, JSON or CSV for a program."""

from __future__ import annotations

import csv
import functools
import inspect
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from xai_tf.cli.app import OUTPUT
from xai_tf.cli.console import complain
from xai_tf.errors import InputError, SettingError, XaiTfError
from xai_tf.files import spreadsheet_cell

# Counts up when a key of `answers.schema.json` is renamed, removed, or changes its meaning.
SCHEMA_VERSION = 1
SCHEMA = Path(__file__).with_name("answers.schema.json")

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON instead of a table.", rich_help_panel=OUTPUT),
]
AsCsv = Annotated[
    bool,
    typer.Option("--csv", help="Print CSV instead of a table.", rich_help_panel=OUTPUT),
]


@dataclass(frozen=True)
class Failure:
    """Something that a command has no answer for.

    Attributes:
        file: the file, as it was given; None where the whole command failed.
        error: the cause and the next step.
    """

    file: Path | None
    error: str

    @classmethod
    def of(cls, file: Path | None, error: XaiTfError) -> Failure:
        """The failure of a file, in one line."""
        return cls(file, " ".join(str(error).split()))


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a command found out.

    Attributes:
        result: plain data, described in `answers.schema.json`. Paths and tuples are written as
            texts and arrays, numbers that are not finite as null.
        table: the same for a person; a text is printed as it is. None prints nothing.
        rows: the same for a spreadsheet, all with the same keys.
        failures: what is missing from it. Any of them makes the exit code 2.
    """

    result: Any
    table: RenderableType | None
    rows: Sequence[Mapping[str, Any]] = ()
    failures: Sequence[Failure] = ()


def prints_answer(command: Callable[..., Answer]) -> Callable[..., None]:
    """Give a command `--json` and `--csv`, and print the answer that it returns.

    An error that ends the command is a failure in its JSON too.
    """
    signature = inspect.signature(command, eval_str=True)

    def printed(*, ctx: typer.Context, as_json: bool, as_csv: bool, **given: Any) -> None:
        if ctx.invoked_subcommand:  # it has an answer of its own
            return
        name = _full_name(ctx)
        if as_json and as_csv:
            raise SettingError("Cannot print JSON and CSV at once. Give either --json or --csv.")
        try:
            with redirect_stdout(sys.stderr):  # such as the downloads of Keras
                found = command(**given)
        except XaiTfError as error:
            if as_json:
                _print_json(
                    name, Answer(result=None, table=None, failures=[Failure.of(None, error)])
                )
            raise
        if as_json:
            _print_json(name, found)
        elif as_csv:
            typer.echo(_csv(found), nl=False)
        elif isinstance(found.table, str):
            typer.echo(found.table)
        elif found.table is not None:
            Console(width=None if sys.stdout.isatty() else 160).print(found.table)
        raise typer.Exit(2 if found.failures else 0)

    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("as_json", AsJson), ("as_csv", AsCsv))
    ]
    context = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    own = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]
    functools.update_wrapper(printed, command)
    printed.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[context, *own, *options], return_annotation=None
    )
    printed.__annotations__ = {one.name: one.annotation for one in [context, *own, *options]}
    return printed


def _full_name(ctx: Any) -> str:
    """The name of a command as it is typed, such as "models fetch"."""
    above = _full_name(ctx.parent) if ctx.parent and ctx.parent.parent else ""
    return f"{above} {ctx.command.name or ''}".strip()


@contextmanager
def reported(file: Path, failures: list[Failure]) -> Iterator[None]:
    """Report a file that cannot be read, note it among the failures, and go on."""
    try:
        yield
    except InputError as error:
        complain(error)
        failures.append(Failure.of(file, error))


def measure_rows(measures: Sequence[Any]) -> list[dict[str, Any]]:
    """Measures as rows: the set, the name, the value with its interval, and the files."""
    columns = ("split", "name", "value", "low", "high", "count")
    return [{column: getattr(one, column) for column in columns} for one in measures]


def _print_json(command: str, found: Answer) -> None:
    answer = {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "result": found.result,
        "failures": [vars(failure) for failure in found.failures],
    }
    typer.echo(json.dumps(_plain(answer), indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _csv(found: Answer) -> str:
    """The rows as CSV; files without an answer stand below, with the error in a last column."""
    failed = [{"file": one.file, "error": one.error} for one in found.failures]
    rows = [*found.rows, *failed]
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    if columns:
        writer.writerow({name: spreadsheet_cell(name) for name in columns})
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return spreadsheet_cell(str(value)) if isinstance(value, str | Path) else value
