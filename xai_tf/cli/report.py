"""`xai-tf report`: one page for many explanations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.cli.answers import Answer, Failure, prints_answer, reported
from xai_tf.cli.app import EXPLAIN, OUTPUT, app
from xai_tf.cli.console import note, with_progress
from xai_tf.cli.options import DEFAULT_OPACITY, Opacity, Overwrite
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from xai_tf.reports import ReportItem

Bundles = Annotated[
    list[Path],
    typer.Argument(help="Folders written by `xai-tf explain`, or folders that hold such folders."),
]
Page = Annotated[Path, typer.Option(help="HTML file to write.", rich_help_panel=OUTPUT)]
Title = Annotated[str, typer.Option(help="Title of the page.", rich_help_panel=OUTPUT)]


@app.command("report", rich_help_panel=EXPLAIN)
@prints_answer
def report_bundles(
    bundles: Bundles,
    out: Page = Path("report.html"),
    title: Title = "What the network looked at",
    opacity: Opacity = DEFAULT_OPACITY,
    overwrite: Overwrite = False,
) -> Answer:
    """Write one self-contained HTML page of many explanations.

    Pictures and sounds are embedded, so the page can be sent and archived, and opens without a
    network connection. Bundles that cannot be read are left out and reported.
    """
    from xai_tf.bundles.resume import find_bundles
    from xai_tf.files import check_free, write_file
    from xai_tf.reports import folder_report
    from xai_tf.reports.html import check_page

    reader = _Reader(find_bundles(bundles))
    check_page(out)
    check_free(out, overwrite)
    html = folder_report(reader.items(), title, opacity=opacity)
    if not reader.rows:
        raise InputError(
            f"Cannot read any of the {len(reader.folders)} bundles, so {out} is not written. "
            "Explain the files again."
        )
    write_file(out, html)
    note(f"Open {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return Answer(
        result={"page": out, "files": reader.rows},
        table=reader.table(),
        rows=[row | {"methods": ", ".join(row["methods"])} for row in reader.rows],
        failures=reader.failed,
    )


@dataclass
class _Reader:
    """Reads bundles one by one, and remembers how that went.

    Attributes:
        folders: the bundles.
        rows: what was read of each, as plain data.
        failed: the bundles that could not be read.
    """

    folders: list[Path]
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def items(self) -> Iterator[ReportItem]:
        """The bundles that can be read, with a progress bar."""
        from xai_tf.reports import read_bundle

        for folder in with_progress(self.folders, "reading"):
            with reported(folder, self.failed):
                item = read_bundle(folder)
                row = {
                    "name": item.reading.source.name,
                    "class": item.reading.prediction.answer,
                    "methods": list(dict.fromkeys(e.method.name for e in item.explanations)),
                    "folder": str(folder),
                }
                self.rows.append(row)
                yield item

    def table(self) -> Table:
        """What was read, for a person."""
        table = Table("file", "class", "methods", "bundle")
        for row in self.rows:
            methods = ", ".join(row["methods"])
            table.add_row(escape(row["name"]), escape(row["class"]), methods, escape(row["folder"]))
        return table
