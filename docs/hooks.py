"""What the site shows that is written elsewhere: made when it is built, and never committed.

The command's reference comes from Typer, the models from their cards, and the tutorials from their
notebooks. With `RUN_NOTEBOOKS=1` the notebooks are run first, so that their pages show the output.
"""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated."""
    pages = {"commands.md": command_page(), "json.md": json_page(), "models.md": models_page()}
    for notebook in sorted((ROOT / "docs" / "tutorials").glob("*.ipynb")):
        pages |= notebook_pages(notebook)
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def command_page() -> str:
    """The reference of `xai-tf`, from its own help."""
    import typer
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from xai_tf.cli.run import app

    command = get_command(app)
    context = typer.Context(command, info_name="xai-tf")
    return get_docs_for_click(obj=command, ctx=context, name="xai-tf", title="Command reference")


def models_page() -> str:
    """Every card in `weights_keras`: what a model was trained on, and how well it does."""
    import weights_keras

    lines = ["# Models", "", _MODELS_INTRODUCTION, ""]
    for path in sorted(weights_keras.FOLDER.glob("*.md")):
        card = weights_keras.read_card(path)
        size = "weights included" if path.with_suffix(".keras").exists() else "card only"
        height, width = card.image_size
        lines += [
            f"## {path.stem}",
            "",
            f"Task `{card.task_name}`, backbone `{card.backbone}`, {height}x{width} pixels, "
            f"{len(card.classes)} classes, {size}.",
            "",
            "| set | measure | value and 95% interval | files |",
            "| --- | --- | --- | --- |",
            *(f"| {m.split} | {m.name} | {m} | {m.count} |" for m in card.metrics),
            "",
        ]
    return "\n".join(lines)


def json_page() -> str:
    """What each command prints with `--json`: a table for each, from the schema."""
    from xai_tf.cli.answers import SCHEMA

    definitions = json.loads(SCHEMA.read_text())["$defs"]
    commands = json.loads(SCHEMA.read_text())["properties"]["command"]["enum"]
    records = [name for name in definitions if name not in commands]
    lines = ["# JSON and CSV", "", _JSON_INTRODUCTION, ""]
    for name in commands:
        kind = definitions[name]
        lines += [f"## xai-tf {name}", "", f"`result`: {kind['description']}.", ""]
        for shape in kind.get("anyOf", [kind]):
            lines += [*_table_of_keys(shape), ""]
    for name in records:
        lines += [f"## {name}", "", *_table_of_keys(definitions[name]), ""]
    return "\n".join(lines)


def _table_of_keys(shape: dict[str, Any]) -> list[str]:
    """The keys of an object, or of the objects in an array, and of what these hold."""
    if "$ref" in shape.get("items", {}):
        return [f"Each entry is a {_kind(shape['items'])}."]
    rows = [f"| `{path}` | {kind} | {text} |" for path, kind, text in _keys(shape, "")]
    return ["| key | type | meaning |", "| --- | --- | --- |", *rows]


def _keys(shape: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    shape = shape.get("items", shape)
    for name, value in shape.get("properties", {}).items():
        yield f"{prefix}{name}", _kind(value), value.get("description", "")
        for inner in (value, *value.get("anyOf", ())):
            array = "items" in inner
            yield from _keys(inner, f"{prefix}{name}{'[]' * array}.")


def _kind(shape: dict[str, Any]) -> str:
    """The type of a value, with a link where it is a record of its own."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_kind(one) for one in shape["anyOf"]))
    kinds = shape.get("type", "any")
    if "items" in shape:
        return f"array of {_kind(shape['items'])}" + " or null" * ("null" in kinds)
    if isinstance(shape.get("additionalProperties"), dict):
        return f"object of {_kind(shape['additionalProperties'])} by name"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def notebook_pages(path: Path) -> dict[str, str | bytes]:
    """A notebook as a page, with a link to the notebook itself, and the pictures in its output."""
    cells = json.loads(path.read_text())["cells"]
    if os.environ.get("RUN_NOTEBOOKS"):
        cells = _run(path)
    pages: dict[str, str | bytes] = {}
    parts = []
    for number, cell in enumerate(cells):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for output in cell["outputs"]:
            shown, picture = _shown(output, f"{path.stem}_{number}_{len(pages)}.png")
            parts += [shown] if shown else []
            pages |= {f"tutorials/{name}": data for name, data in picture.items()}
    parts.insert(1, f"[Download this tutorial as a notebook]({path.name})")
    return {f"tutorials/{path.stem}.md": "\n\n".join(parts)} | pages


def _run(path: Path) -> list[dict[str, Any]]:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return json.loads(nbformat.writes(notebook))["cells"]


def _shown(output: dict[str, Any], name: str) -> tuple[str, dict[str, bytes]]:
    """An output as Markdown, and its picture by name."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![output]({name})", {name: base64.b64decode(data["image/png"])}
    if output["output_type"] == "stream" and output["name"] == "stdout":
        return f"```text\n{ANSI.sub('', ''.join(output['text'])).rstrip()}\n```", {}
    return "", {}


_JSON_INTRODUCTION = """
With `--json` a command prints one object on standard output, also where it fails:

| key | type | meaning |
| --- | --- | --- |
| `schema_version` | integer | counts up when a key is renamed, removed or changes its meaning |
| `command` | string | the command |
| `result` | see below | null if the whole command failed |
| `failures` | array of [failure](#failure) | what is missing; if anything is, the exit code is 2 |

Keys may be added without a new version. Paths are as they were given. A number that is not
finite is null. The package holds all this as a JSON Schema, in the file that
`xai_tf.cli.answers.SCHEMA` names.

With `--csv` a command prints a table with a header. Files that failed stand below the others, with
the cause in the column `error`. Texts that a spreadsheet would run as a formula begin with a quote.
""".strip()

_MODELS_INTRODUCTION = """
Each model in `weights_keras/` has a card that says what it was trained on, under which terms, how
well it does on which test set, and the command that trains it again. `xai-tf models` lists them.
Where only the card is included, `xai-tf models fetch` or the command of the card gets the weights.
Loading a model by name checks its hash, and loading any file never runs code that is stored in it.

All of them are teaching examples. The medical models must not be used to diagnose or treat anyone.
""".strip()
