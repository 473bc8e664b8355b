"""`xai-tf models`: the models that are found by name, and those that can be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import weights_keras
from weights_keras import Measure, ModelCard, ModelFileError
from xai_tf.classifiers.loading import card_beside
from xai_tf.cli import completion
from xai_tf.cli.answers import Answer, prints_answer
from xai_tf.cli.app import HELP, MODELS_AND_DATA, CommandGroup, app
from xai_tf.cli.console import note, progress_of
from xai_tf.errors import ModelError, SettingError, pick

models = typer.Typer(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": HELP},
)
app.add_typer(models, name="models", rich_help_panel=MODELS_AND_DATA)

PACKAGE, YOURS = "package", "yours"
METRICS = ("accuracy", "auc")  # in the table
FetchFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FOLDER|URL",
        envvar="XAI_TF_MODELS_URL",
        help="Where the files of models are: a folder, such as `weights_keras` in a clone of the "
        "repository, or its address.",
    ),
]
KnownModel = Annotated[
    str,
    typer.Argument(
        help="Model that `xai-tf models` lists.",
        autocompletion=completion.absent_models,
    ),
]


@models.callback()
@prints_answer
def list_models() -> Answer:
    """List the models with their task and test accuracy: those of the package, then yours."""
    known = [_known(name) for name in _bundled()]
    fetched = {row["path"] for row in known}
    rows = known + [_own(path) for path in weights_keras.own_files() if str(path) not in fetched]
    flat = [
        {key: value for key, value in row.items() if key not in ("classes", "measures")}
        | {name: _measured(row, name) for name in METRICS}
        for row in rows
    ]
    return Answer(result=rows, table=_table(rows), rows=flat)


@models.command("fetch")
@prints_answer
def fetch_model(name: KnownModel, source: FetchFrom = None) -> Answer:
    """Fetch a model that does not come with the package, and verify it against its card.

    It is stored in your data folder. Nothing takes its place there before it is whole and verified.
    """
    pick(dict.fromkeys(_bundled()), name, "model")
    if not source:
        raise SettingError(
            f"It is not known where to fetch {name!r} from. Give --from FOLDER or URL, or set "
            "XAI_TF_MODELS_URL."
        )
    try:
        with progress_of("fetching") as progress:
            path = weights_keras.fetch(name, source, progress)
    except ModelFileError as error:
        raise ModelError(str(error)) from error
    note(f"Use it with --model {name}")
    found = {"model": str(path)}
    return Answer(result=found, table=str(path), rows=[found])


def _bundled() -> list[str]:
    return weights_keras.names(weights_keras.FOLDER)


def _known(name: str) -> dict[str, Any]:
    """What is listed of a model that the package knows; its weights may be fetched or absent."""
    path = weights_keras.FOLDER / f"{name}.keras"
    card, found = weights_keras.read_card(path.with_suffix(".md")), weights_keras.find(name)
    if not path.is_file() and found.is_file() and weights_keras.fingerprint(found) == card.sha256:
        path = found
    return _row(path, PACKAGE, card)


def _own(path: Path) -> dict[str, Any]:
    """What is listed of a model of the user."""
    return _row(path, YOURS, card_beside(path, weights_keras.fingerprint(path)))


def _row(path: Path, source: str, card: ModelCard | None) -> dict[str, Any]:
    measures = [vars(m) for m in card.metrics if m.split == "test"] if card else []
    here = path.is_file()
    return {
        "name": path.stem,
        "source": source,
        "task": card.task_name if card else "",
        "classes": list(card.classes) if card else [],
        "backbone": card.backbone if card else "",
        "measures": measures,
        "available": here,
        "used": here and weights_keras.find(path.stem) == path,
        "bytes": path.stat().st_size if here else card.size if card else 0,
        "command": card.command if card else "",
        "path": str(path),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("name", "from", "task", "backbone", "test accuracy", "AUC", "weights")
    for number, row in enumerate(rows):
        if number and row["source"] != rows[number - 1]["source"]:
            table.add_section()
        metrics = (_measured(row, name) for name in METRICS)
        cells = (row["name"], row["source"], row["task"], row["backbone"])
        table.add_row(*map(escape, cells), *metrics, _weights(row))
    return table


def _measured(row: dict[str, Any], name: str) -> str | None:
    """A measure with its interval, as text; None where it was not measured."""
    return next((str(Measure(**m)) for m in row["measures"] if m["name"] == name), None)


def _weights(row: dict[str, Any]) -> str:
    """Whether the weights are here, or how to get them."""
    if row["used"]:
        return f"{row['bytes'] / 1e6:.1f} MB"
    if weights_keras.find(row["name"]).is_file():
        return "yours is used"
    return f"xai-tf models fetch {row['name']} ({row['bytes'] / 1e6:.1f} MB)"
