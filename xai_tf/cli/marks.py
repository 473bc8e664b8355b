"""`--marks`: judge the maps of a command by what people marked in the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.methods import METHODS
from xai_tf.cli.app import ADVANCED, DATA
from xai_tf.cli.console import note
from xai_tf.errors import SettingError

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier
    from xai_tf.regions.audit import AuditedFile
    from xai_tf.regions.marked import MarkedMap, MarkRow
    from xai_tf.statistics import Mean, Share

MarkFile = Annotated[
    Path | None,
    typer.Option(
        "--marks",
        help="Places that people marked, to judge maps by: a CSV file of boxes (file, then left, "
        "top, right, bottom, or x, y, width, height, or x_center, y_center, width, height; "
        "optionally class), a COCO JSON file, or a folder of masks.",
        rich_help_panel=DATA,
    ),
]
Tolerance = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="PIXELS",
        help="How far from a mark the strongest pixel of a map may be and still point at it.",
        rich_help_panel=ADVANCED,
        show_default="15 of 224 pixels",
    ),
]
LEAD = "lead"  # the figure of `MarkRow` that a single map does not have


def check_tolerance(marks: Path | None, tolerance: int | None) -> None:
    """Raise a SettingError for a tolerance without marks."""
    if tolerance is not None and marks is None:
        raise SettingError("--tolerance is for marks. Give --marks too, or leave it out.")


class MarkJudge:
    """Judges the maps of a command by the marks of their files."""

    def __init__(self, source: Path, tolerance: int | None) -> None:
        """Read the marks.

        Args:
            source: the file or folder of the marks.
            tolerance: of the pointing game in pixels; None for the default.

        Raises:
            InputError: there are no marks, or one is invalid.
        """
        from xai_tf.regions.mark_files import read_marks

        self._marks, self._tolerance = read_marks(source), tolerance
        self._judged: list[MarkedMap] = []

    def take(self, classifier: Classifier, paths: Sequence[Path], target: str | None) -> list[Path]:
        """The files that have marks; what is left out is printed.

        Args:
            classifier: the model.
            paths: the files.
            target: the class that is explained, as it was typed; then only its marks count.

        Raises:
            InputError: none of the files has marks, or it is ambiguous which.
        """
        from xai_tf.regions.marks import find_marks

        self._classifier, self._only = classifier, target is not None
        marks, self._matched = find_marks(self._marks, classifier.classes, paths)
        left_out = filter(None, [self._matched.left_out])
        self._notes = (*marks.notes, *left_out, *self._matched.notes)
        for text in self._notes:
            note(text)
        return list(self._matched.by_file)

    def judge(self, audited: AuditedFile) -> AuditedFile:
        """Judge the map of a file; what is marked becomes one more partition of its regions."""
        from xai_tf.regions.marked import judge, with_marks

        explanation = audited.explanation
        marks = self._matched.by_file[audited.audit.source]
        judged, warnings = judge(
            self._classifier, explanation, marks, self._tolerance, only=self._only
        )
        self._judged.append(judged)
        audited = with_marks(audited, judged.mask)
        texts = (*audited.audit.warnings, *warnings)
        return replace(audited, audit=replace(audited.audit, warnings=texts))

    def described_last(self) -> dict[str, Any]:
        """The judgment of the last map as plain data."""
        from xai_tf.regions.mark_tables import describe_judgment

        return describe_judgment(self._judged[-1])

    def described(self) -> dict[str, Any]:
        """All maps together as plain data."""
        return {
            "source": str(self._marks.source),
            "tolerance": self._tolerance_in_pixels(),
            "notes": [*self._notes, *self._left_out()],
            "unmarked": [str(path) for path in self._matched.unmarked],
            "unused": list(self._matched.unused),
            "summary": [asdict(row) for row in self._rows()],
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row for each method and blind map, with a column for each end of an interval."""
        from xai_tf.regions.yardstick import FIGURES

        rows = []
        for row in self._rows():
            cells: dict[str, Any] = {
                name: getattr(row, name) for name in ("method", "blind", "answers", "files", "area")
            }
            for figure in (*FIGURES, LEAD):
                value = getattr(row, figure)
                cells[figure] = value and value.value
                cells[f"{figure}_low"], cells[f"{figure}_high"] = (
                    (value.low, value.high) if value else (None, None)
                )
            rows.append(cells)
        return rows

    def table(self) -> Table:
        """All maps together for a person."""
        from xai_tf.regions.yardstick import BLIND_TITLES, FIGURES

        shown = {**FIGURES, LEAD: LEAD}
        del shown["share"]  # it is in the density
        reach, left_out = self._tolerance_in_pixels(), self._left_out()
        table = Table(
            *("answers", "map", "files", *shown.values()),
            title="What people marked",
            caption="Means with 95% intervals. pointing: the strongest pixel is on a mark or "
            f"within {reach} pixels of one; strict pointing: it is on a mark. lead: the AUC minus "
            f"that of the best map that knows nothing of the model. {' '.join(left_out)}",
        )
        for row in self._rows():
            title = BLIND_TITLES[row.method] if row.blind else METHODS[row.method].title
            figures = (getattr(row, name) for name in shown)
            table.add_row(
                row.answers,
                f"[dim]{title}[/dim]" if row.blind else title,
                str(row.files),
                *map(_with_interval, figures),
            )
        return table

    def _rows(self) -> tuple[MarkRow, ...]:
        from xai_tf.regions.marked import summarize

        return summarize(self._judged, self._tolerance)

    def _left_out(self) -> list[str]:
        from xai_tf.regions.marked import left_out

        return [text] if (text := left_out(self._judged)) else []

    def _tolerance_in_pixels(self) -> int:
        from xai_tf.regions.yardstick import tolerance_of

        default = tolerance_of(self._classifier.image_size)
        return default if self._tolerance is None else self._tolerance


def judgment_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """How the maps in manifests of bundles fit what people marked, with the blind maps below."""
    from xai_tf.regions.mark_tables import MARK_CAPTION, MARK_COLUMNS, mark_rows

    table = Table("file", *MARK_COLUMNS, title="What people marked", caption=MARK_CAPTION)
    for manifest in manifests.values():
        judged = [
            (METHODS[entry["method"]].title, entry["marks"])
            for entry in manifest["explanations"]
            if "marks" in entry
        ]
        for row in mark_rows(judged):
            table.add_row(escape(manifest["input"]["file"]), *row)
    return table


def _with_interval(found: Share | Mean | None) -> str:
    if found is None or found.value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return escape(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
