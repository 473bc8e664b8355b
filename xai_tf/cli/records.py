"""Commands that take records of options: what several commands share is written down once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def takes_records(command: Callable[..., T]) -> Callable[..., T]:
    """Let a command have parameters that are dataclasses of options.

    Typer sees each field as an option of its own, with the field's annotation and default; the
    command gets the records.

        @app.command("train")
        @takes_records
        def train_model(folder: Source, data: DataFlags) -> None: ...
    """
    signature = inspect.signature(command, eval_str=True)
    records: dict[str, Any] = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if dataclasses.is_dataclass(parameter.annotation)
    }

    def with_options(**given: Any) -> T:
        built = {
            name: record(**{field.name: given.pop(field.name) for field in _fields(record)})
            for name, record in records.items()
        }
        return command(**given, **built)

    parameters = [
        flat
        for parameter in signature.parameters.values()
        for flat in (
            _of_fields(parameter.annotation)
            if parameter.name in records
            else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
        )
    ]
    functools.update_wrapper(with_options, command)
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_options


def _fields(record: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(record)


def _of_fields(record: Any) -> Iterator[Parameter]:
    hints = get_type_hints(record, include_extras=True)
    for field in _fields(record):
        missing = field.default is dataclasses.MISSING
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if missing else field.default,
            annotation=hints[field.name],
        )
