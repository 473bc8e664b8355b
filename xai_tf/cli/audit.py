"""`xai-tf audit`: check where the evidence lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.bundles.sources import find_inputs
from xai_tf.cli import completion
from xai_tf.cli.answers import Answer, Failure, prints_answer, reported
from xai_tf.cli.app import DATA, EVALUATE, OUTPUT, app
from xai_tf.cli.console import note, warn, with_progress
from xai_tf.cli.interventions import InterventionFlags, change_files
from xai_tf.cli.marks import MarkFile, MarkJudge, Tolerance, check_tolerance
from xai_tf.cli.options import (
    Files,
    ModelFlags,
    Overwrite,
    Target,
    check_classes,
    methods_option,
    tell_doubt,
)
from xai_tf.cli.records import takes_records
from xai_tf.cli.settings import picked_methods
from xai_tf.errors import OutputError, pick
from xai_tf.files import check_free, write_file
from xai_tf.regions.registry import PARTITIONS

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier
    from xai_tf.regions.audit import Audit, AuditedFile
    from xai_tf.regions.folder import FolderRow

AuditedMethods = Annotated[list[str] | None, methods_option(DEFAULT_METHOD)]
By = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Partition into regions: {', '.join(PARTITIONS)}. Repeat the option for several.",
        rich_help_panel=DATA,
        autocompletion=completion.partitions,
        show_default="those of the task",
    ),
]
PictureFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for a picture of each file's regions, or of some of the inputs that --swap, "
        "--hide, --only and --crop make.",
        rich_help_panel=OUTPUT,
    ),
]


@app.command("audit", rich_help_panel=EVALUATE)
@prints_answer
@takes_records
def audit_files(
    files: Files,
    model: ModelFlags,
    change: InterventionFlags,
    method: AuditedMethods = None,
    target: Target = None,
    by: By = None,
    marks: MarkFile = None,
    tolerance: Tolerance = None,
    out: PictureFolder = None,
    overwrite: Overwrite = False,
) -> Answer:
    """Measure how much evidence lies in which region of FILES, with alarms for suspicious regions.

    Regions are the lungs for X-rays, the brain for MRI, frequency bands and speech for sound, and
    corners, border and quadrants for any picture. Of a long recording, the decisive window is used.
    With --marks, maps are also judged by what people marked in the pictures, beside maps that know
    nothing of the model; files without marks are left out.

    --swap, --hide, --only and --crop make no maps: they change the files of one labeled folder, and
    tell what the answer follows.
    """
    _check(by, marks, tolerance, out)
    change.check(files, method, marks)
    if change.asked:
        return change_files(files[0], model, change, target, by, out, overwrite)
    methods = picked_methods(method or [DEFAULT_METHOD])
    people = MarkJudge(marks, tolerance) if marks else None
    classifier = model.load()
    check_classes(classifier, target)
    paths = find_inputs(files, classifier, out)
    paths = people.take(classifier, paths, target) if people else paths
    pictures = _pictures(paths, methods, out, overwrite) if out else {}
    failures: list[Failure] = []
    audit = partial(_audit, classifier, target=target, by=by or ())
    audited = list(_audited(paths, methods, pictures, audit, failures, people))
    if audited:
        _tell_all(classifier, out)
    return _answer(methods, audited, people, failures)


def _check(
    by: list[str] | None, marks: Path | None, tolerance: int | None, out: Path | None
) -> None:
    """Check what can be checked before the model is loaded."""
    for name in by or ():
        pick(PARTITIONS, name, "partition")
    check_tolerance(marks, tolerance)
    if out and out.exists() and not out.is_dir():
        raise OutputError(f"{out} is not a folder. Use another --out.")


def _answer(
    methods: Sequence[str],
    audited: Sequence[tuple[Audit, dict[str, Any]]],
    people: MarkJudge | None,
    failures: list[Failure],
) -> Answer:
    """All files together, by method; the table and the rows of the marks where there are any."""
    from xai_tf.regions.folder import audit_folder

    rows = [
        (method, row)
        for method in methods
        for row in audit_folder([a for a, told in audited if told["method"] == method])
    ]
    summary = [{"method": method, **asdict(row)} for method, row in rows]
    table: RenderableType | None = _table(rows, len(methods) > 1) if audited else None
    if people and table is not None:
        table = Group(table, people.table())
    return Answer(
        result={
            "files": [told for _, told in audited],
            "summary": summary,
            "marks": people and people.described(),
            "interventions": [],
        },
        table=table,
        rows=people.rows() if people else summary,
        failures=failures,
    )


def _pictures(
    paths: list[Path], methods: Sequence[str], out: Path, overwrite: bool
) -> dict[tuple[Path, str], Path]:
    """The picture of each file and method, none of which replaces an earlier one unless it may."""
    from xai_tf.bundles.manifest import bundle_names

    pictures = {
        (path, method): out / f"{name}{f'-{method}' * (len(methods) > 1)}.png"
        for path, name in zip(paths, bundle_names(paths), strict=True)
        for method in methods
    }
    for picture in pictures.values():
        check_free(picture, overwrite)
    return pictures


def _audited(
    paths: list[Path],
    methods: Sequence[str],
    pictures: Mapping[tuple[Path, str], Path],
    audit: Callable[..., AuditedFile],
    failures: list[Failure],
    people: MarkJudge | None,
) -> Iterator[tuple[Audit, dict[str, Any]]]:
    """Audit file by file, draw those that have a picture, and print warnings and alarms.

    Yields each audit, and what is said of it in JSON; the maps themselves would fill the memory.
    """
    from xai_tf.regions.drawing import draw

    for path in with_progress(paths, "auditing"):
        with reported(path, failures):
            for method in methods:
                audited = audit(path, method=method)
                if people:
                    audited = people.judge(audited)
                if (path, method) in pictures:
                    write_file(pictures[path, method], draw(audited).savefig)
                _tell(path, audited)
                yield audited.audit, _described(audited, people)


def _audit(classifier: Classifier, path: Path, **asked: Any) -> AuditedFile:
    from xai_tf.regions.audit import audit_file

    return audit_file(classifier, path, **asked)


def _tell_all(classifier: Classifier, out: Path | None) -> None:
    """Print what concerns all files."""
    tell_doubt(classifier)
    if out:
        note(f"The pictures are in {out}")


def _tell(path: Path, audited: AuditedFile) -> None:
    for text in audited.explanation.warnings:
        warn(f"{path.name}: {text}")
    for text in audited.audit.warnings:
        warn(text)
    for text in audited.audit.alarms:
        note(f"{path.name}: {text}", style="red")


def _described(audited: AuditedFile, people: MarkJudge | None) -> dict[str, Any]:
    from xai_tf.bundles.write import describe_audit

    explanation, audit = audited.explanation, audited.audit
    sound = explanation.sample.sound
    return {
        "file": str(audit.source),
        "seconds": sound and [float(sound.seconds[0]), float(sound.seconds[-1])],
        "class": explanation.prediction.answer,
        "target": explanation.target_name,
        "method": explanation.method.name,
        **describe_audit(audit),
        "marks": people and people.described_last(),
    }


def _evidence(row: FolderRow) -> str:
    if row.low is None or row.high is None:
        return f"{row.share:.1%} (one file: no interval)"
    return f"{row.share:.1%} ({row.low:.1%} to {row.high:.1%})"


def _table(rows: Sequence[tuple[str, FolderRow]], several: bool) -> Table:
    """The regions; with a column for the method where there are several."""
    table = Table(
        *["method"] * several,
        "partition",
        "region",
        "area",
        "evidence (95% interval)",
        "density",
        "files",
        "alarms",
        "verdict",
    )
    for method, row in rows:
        table.add_row(
            *[method] * several,
            row.partition,
            row.region,
            f"{row.area:.1%}",
            _evidence(row),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            str(row.files),
            str(row.alarms),
            row.alarm and f"ALARM: {row.alarm}",
        )
    return table
