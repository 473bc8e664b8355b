"""Audit where the evidence lies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from xai_tf.attribution.methods import METHODS
from xai_tf.bundles.sources import find_inputs
from xai_tf.cli.console import answer, note, reported, with_progress
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Files,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
)
from xai_tf.errors import OutputError, pick
from xai_tf.regions.registry import PARTITIONS

if TYPE_CHECKING:
    from xai_tf.regions.audit import AuditedFile
    from xai_tf.regions.folder import FolderRow


@app.command("audit")
def audit_files(
    files: Files,
    model: Model,
    method: Annotated[str, typer.Option("--method", help="See `methods`.")] = "grad_cam",
    target: Annotated[
        str | None, typer.Option(help="Class to explain; the predicted one if left out.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help=f"Part by {', '.join(PARTITIONS)}; if left out, as the task says."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each file's regions.")
    ] = None,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Say how much evidence lies in which region of FILES, with an alarm where none should be.

    Lungs for X-rays, brain for MRI, frequency and speech for sound; corners, border and quadrants
    for any picture. Of a long recording the window that decides most.
    """
    from xai_tf.bundles.manifest import bundle_names
    from xai_tf.regions import audit_file, audit_folder

    pick(METHODS, method, "method")
    for name in by or ():
        pick(PARTITIONS, name, "partition")
    if out and out.exists() and not out.is_dir():
        raise OutputError(f"{out} is no folder. Give another --out.")
    classifier = load_classifier(model, task, classes, preprocessing)
    if target is not None:
        classifier.label(target)
    paths = find_inputs(files, classifier)
    names = dict(zip(paths, bundle_names(paths), strict=True))
    audits, described, failed = [], [], 0
    for path in with_progress(paths, "auditing"):
        with reported(len(paths)) as outcome:
            audited = audit_file(classifier, path, method, target, by or ())
            audits.append(audited.audit)
            described.append(_described(audited))
            if out:
                _save(audited, out / f"{names[path]}.png")
            explanation = audited.explanation
            for text in explanation.warnings:
                note(f"{path.name}: {text}", style="yellow")
            for text in audited.audit.warnings:
                note(text, style="yellow")
            for text in audited.audit.alarms:
                note(f"{path.name}: {text}", style="red")
        failed += outcome.failed
    rows = audit_folder(audits)
    if audits:
        tell_doubt(classifier)
    if out and audits:
        note(f"Look at {out}")
    answer(as_json, {"files": described, "all": [asdict(row) for row in rows]}, _table(rows))
    raise typer.Exit(2 if failed else 0)


def _described(audited: AuditedFile) -> dict[str, Any]:
    explanation, audit = audited.explanation, audited.audit
    sound = explanation.sample.sound
    return {
        "file": str(audit.source),
        "seconds": sound and [float(sound.seconds[0]), float(sound.seconds[-1])],
        "class": explanation.prediction.name,
        "explained": explanation.target_name,
        "method": explanation.method.name,
        "regions": [asdict(row) for row in audit.rows],
        "alarms": list(audit.alarms),
        "warnings": list(audit.warnings),
    }


def _table(rows: tuple[FolderRow, ...]) -> Table:
    table = Table(
        "parted by",
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
            f"{row.share:.1%} ({row.low:.1%} to {row.high:.1%})",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            str(row.files),
            str(row.alarms),
            row.alarm and f"ALARM: {row.alarm}",
        )
    return table


def _save(audited: AuditedFile, path: Path) -> None:
    from xai_tf.regions.drawing import draw

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(audited).savefig(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Free some space, or give "
            "another --out."
        ) from error
