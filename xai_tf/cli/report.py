"""One page of many explanations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.cli.console import answer, note, reported, with_progress
from xai_tf.cli.options import AsJson, app
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from xai_tf.reports import ReportItem


@app.command("report")
def report_bundles(
    bundles: Annotated[
        list[Path], typer.Argument(help="Folders that `explain` wrote, or folders of such.")
    ],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Of the page.")] = "What the network looked at",
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the maps.")] = 0.7,
    as_json: AsJson = False,
) -> None:
    """Write one HTML page of many explanations, for a browser without a network.

    Pictures and sounds are inside it, so that it can be sent and kept; it loads nothing. A bundle
    that cannot be read is left out, which is said.
    """
    from xai_tf.bundles.resume import find_bundles
    from xai_tf.reports import folder_report, read_bundle
    from xai_tf.reports.html import check_page, write_page

    folders = find_bundles(bundles)
    check_page(out)
    told: list[dict[str, Any]] = []
    failed: list[str] = []
    table = Table("file", "class", "methods", "bundle")

    def items() -> Iterator[ReportItem]:
        for folder in with_progress(folders, "reading"):
            with reported(len(folders)) as outcome:
                item = read_bundle(folder)
                methods = list(dict.fromkeys(e.method.name for e in item.explanations))
                said = item.reading.prediction.name
                row = {"file": item.reading.source.name, "class": said, "methods": methods}
                told.append(row | {"bundle": str(folder)})
                table.add_row(
                    escape(row["file"]), escape(said), ", ".join(methods), escape(str(folder))
                )
                yield item
            if outcome.failed:
                failed.append(str(folder))

    html = folder_report(items(), title, opacity=opacity)
    if not told:
        raise InputError(
            f"None of the {len(folders)} bundles can be read; {out} is left as it is. Explain "
            "again."
        )
    write_page(out, html)
    note(f"Look at {out} ({out.stat().st_size / 1e6:.1f} MB)")
    answer(as_json, {"page": str(out), "files": told, "left_out": failed}, table)
    raise typer.Exit(2 if failed else 0)
