"""`xai-tf audit`: check where the evidence lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from xai_tf.bundles.sources import find_inputs
from xai_tf.cli import completion
from xai_tf.cli.answers import Answer, Failure, prints_answer, reported
from xai_tf.cli.app import DATA, EVALUATE, OUTPUT, app
from xai_tf.cli.console import note, warn, with_progress
from xai_tf.cli.options import (
    Files,
    Method,
    ModelFlags,
    Overwrite,
    Target,
    check_classes,
    tell_doubt,
)
from xai_tf.cli.records import takes_records
from xai_tf.cli.settings import picked_methods
from xai_tf.errors import OutputError, pick
from xai_tf.files import check_free, write_file
from xai_tf.regions.registry import PARTITIONS

if TYPE_CHECKING:
    from xai_tf.regions.audit import AuditedFile
    from xai_tf.regions.folder import FolderRow

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
    typer.Option(help="Folder for a picture of each file's regions.", rich_help_panel=OUTPUT),
]


@app.command("audit", rich_help_panel=EVALUATE)
@prints_answer
@takes_records
def audit_files(
    files: Files,
    model: ModelFlags,
    method: Method = "grad_cam",
    target: Target = None,
    by: By = None,
    out: PictureFolder = None,
    overwrite: Overwrite = False,
) -> Answer:
    """Measure how much evidence lies in which region of FILES, with alarms for suspicious regions.

    Regions are the lungs for X-rays, the brain for MRI, frequency bands and speech for sound, and
    corners, border and quadrants for any picture. Of a long recording, the decisive window is used.
    """
    from xai_tf.regions import audit_file, audit_folder

    picked_methods([method])
    for name in by or ():
        pick(PARTITIONS, name, "partition")
    if out and out.exists() and not out.is_dir():
        raise OutputError(f"{out} is not a folder. Use another --out.")
    classifier = model.load()
    check_classes(classifier, target)
    paths = find_inputs(files, classifier, out)
    audits, described = [], []
    failures: list[Failure] = []
    pictures = _pictures(paths, out, overwrite) if out else {}
    audit = partial(audit_file, classifier, method=method, target=target, by=by or ())
    for audited in _audited(paths, pictures, audit, failures):
        audits.append(audited.audit)
        described.append(_described(audited))
    rows = audit_folder(audits)
    if audits:
        tell_doubt(classifier)
    if audits and out:
        note(f"The pictures are in {out}")
    summary = [asdict(row) for row in rows]
    found, table = {"files": described, "summary": summary}, _table(rows) if audits else None
    return Answer(result=found, table=table, rows=summary, failures=failures)


def _pictures(paths: list[Path], out: Path, overwrite: bool) -> dict[Path, Path]:
    """The picture of each file, none of which replaces an earlier one unless it may."""
    from xai_tf.bundles.manifest import bundle_names

    names = bundle_names(paths)
    pictures = {path: out / f"{name}.png" for path, name in zip(paths, names, strict=True)}
    for picture in pictures.values():
        check_free(picture, overwrite)
    return pictures


def _audited(
    paths: list[Path],
    pictures: Mapping[Path, Path],
    audit: Callable[[Path], AuditedFile],
    failures: list[Failure],
) -> Iterator[AuditedFile]:
    """Audit file by file, draw those that have a picture, and print warnings and alarms."""
    from xai_tf.regions.drawing import draw

    for path in with_progress(paths, "auditing"):
        with reported(path, failures):
            audited = audit(path)
            if path in pictures:
                write_file(pictures[path], draw(audited).savefig)
            _tell(path, audited)
            yield audited


def _tell(path: Path, audited: AuditedFile) -> None:
    for text in audited.explanation.warnings:
        warn(f"{path.name}: {text}")
    for text in audited.audit.warnings:
        warn(text)
    for text in audited.audit.alarms:
        note(f"{path.name}: {text}", style="red")


def _described(audited: AuditedFile) -> dict[str, Any]:
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
    }


def _evidence(row: FolderRow) -> str:
    if row.low is None or row.high is None:
        return f"{row.share:.1%} (one file: no interval)"
    return f"{row.share:.1%} ({row.low:.1%} to {row.high:.1%})"


def _table(rows: Sequence[FolderRow]) -> Table:
    table = Table(
        "partition",
        "region",
        "area",
        "evidence (95% interval)",
        "density",
        "files",
        "alarms",
        "verdict",
    )
    for row in rows:
        table.add_row(
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
