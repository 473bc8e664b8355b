"""Listen to what decided, and see which bands and times decide."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.explain import explain, question
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import OOD_CAPTION
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.console import answer, note, progress_bar, reported, with_progress
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
    tell_warnings,
)
from xai_tf.datasets.layouts import readable_files
from xai_tf.errors import InputError, OutputError, pick
from xai_tf.files import SCRATCH, check_place
from xai_tf.sonification.playback import check_hears
from xai_tf.sonification.profile import ClassProfile, class_profiles, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OneMethod = Annotated[str, typer.Option("--method", help="An attribution method (see `methods`).")]

ROWS = 8  # of the table of a profile, for bands and for times


@app.command("listen")
def listen_to_file(
    file: Annotated[Path, typer.Argument(help="A sound, or a picture of a spectrogram.")],
    model: Model,
    method: OneMethod = "kernel_shap",  # moves the logit as it says: benchmarks/audible.py
    target: Annotated[
        str | None, typer.Option(help="Class to explain; the predicted one if left out.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=9, help="Regions to play and to mute.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder for the sounds.")] = Path("listening"),
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Make what decided audible: the parts of FILE alone and without them, as sounds in --out.

    Of a long recording it is the window that speaks most for the class. What the model says of each
    sound is asked anew, of the file one listens to.
    """
    from xai_tf.sonification.export import REGIONS, save_sounds

    pick(METHODS, method, "method")
    check_place(out, REGIONS)
    classifier = load_classifier(model, task, classes, preprocessing)
    check_hears(classifier)
    explanation = _most_decisive(classifier, file, method, target)
    described = save_sounds(out, classifier, explanation, top)
    tell_doubt(classifier)
    for text in dict.fromkeys([*described["warnings"], *explanation.warnings]):
        note(f"{file.name}: {text}", style="yellow")
    note(f"Listen in {out}")
    answer(as_json, described | {"folder": str(out)}, _sounds_table(explanation, described))


@app.command("profile")
def profile_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of sounds; those below it count too.")],
    model: Model,
    method: OneMethod = "grad_cam",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("profile.png"),
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Say which bands and times decide, for each class that is predicted in FOLDER.

    Each file's most decisive window is explained, for the class that is predicted.
    """
    pick(METHODS, method, "method")
    if out.suffix.lower() != ".png" or out.is_dir():
        raise OutputError(f"{out} is no name for a picture. Give --out a name that ends in .png.")
    classifier = load_classifier(model, task, classes, preprocessing)
    check_hears(classifier)
    paths = _files(folder, classifier)
    failed: list[Path] = []
    marked: Counter[str] = Counter()
    profiles = class_profiles(_explained(classifier, paths, method, failed, marked))
    if profiles:
        title = f"Where {classifier.name} looks in {folder.name}, {METHODS[method].title}"
        if marked.total():
            title += f"\n{marked.total()} of {len(paths) - len(failed)} files {OOD_CAPTION}"
        _save(draw(profiles, title), out)
        note(f"Look at {out}")
    tell_doubt(classifier)
    data = [_plain(profile, marked[profile.name]) for profile in profiles]
    answer(as_json, data, _profile_table(profiles))
    raise typer.Exit(2 if failed else 0)


def _most_decisive(
    classifier: Classifier, file: Path, method: str, target: str | None
) -> Explanation:
    """Explain the window of a file that speaks most for a class, with a bar."""
    reading = read_and_predict(classifier, file)
    label, _ = question(classifier, reading.prediction, target)
    number = reading.most_decisive(classifier.target(label), 1)[0]
    sample = replace(reading.samples[number], warnings=reading.explanation_warnings)
    with progress_bar() as bar:
        line = bar.add_task(f"{file.name}: {METHODS[method].title}", total=1)
        return explain(
            classifier,
            sample,
            method,
            target=label,
            progress=lambda done, total: bar.update(line, completed=done, total=total),
        )


def _sounds_table(explanation: Explanation, described: dict[str, Any]) -> Table:
    said, name = explanation.prediction, escape(explanation.target_name)
    regions = [escape(region["text"]) for region in described["regions"]]
    what = {
        "original": "the sound as it is",
        "only_for": f"only what speaks for {name}",
        "everything_but": "everything but that",
    }
    what |= {f"solo_{n}": text for n, text in enumerate(regions, 1)}
    what |= {f"mute_{n}": f"without {text}" for n, text in enumerate(regions, 1)}
    table = Table(
        "sound",
        "what it is",
        "energy",
        f"logit for {name}: before",
        "after",
        "change",
        title=f"{escape(explanation.sample.source.name)}: {escape(said.name)} "
        f"({said.probabilities[said.label]:.1%}), {explanation.method.title}",
    )
    before = described["sounds"][0]["score"]
    for sound in described["sounds"]:
        after = sound["score"]
        measured = ("silent", "") if after is None else (f"{after:+.2f}", f"{after - before:+.2f}")
        table.add_row(
            sound["file"],
            what[sound["name"]],
            f"{sound['energy']:.1%}",
            f"{before:+.2f}",
            *measured,
        )
    return table


def _files(folder: Path, classifier: Classifier) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Give a folder of sounds.")
    paths = readable_files(folder, classifier.task.suffixes)
    if not paths:
        raise InputError(
            f"{folder} holds no file that {classifier.name!r} reads "
            f"({', '.join(classifier.task.suffixes)})."
        )
    return paths


def _explained(
    classifier: Classifier,
    paths: list[Path],
    method: str,
    failed: list[Path],
    marked: Counter[str],
) -> Iterator[Explanation]:
    """Explain file by file; `failed` and, by class, the number of the `marked` are filled in."""
    for path in with_progress(paths, METHODS[method].title):
        explanation = None
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, path)
            label = reading.prediction.label
            number = reading.most_decisive(classifier.target(label), 1)[0]
            explanation = explain(classifier, reading.samples[number], method, target=label)
            tell_warnings(reading, explained=True)
        if outcome.failed:
            failed.append(path)
        else:
            marked[explanation.target_name] += bool(reading.ood_caption)
            yield explanation


def _save(plot: Figure, path: Path) -> None:
    """Write a picture whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=SCRATCH) as scratch:
            plot.savefig(Path(scratch, "new.png"))
            os.replace(Path(scratch, "new.png"), path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Free some space, or give "
            "another --out."
        ) from error


def _plain(profile: ClassProfile, marked: int) -> dict[str, Any]:
    return {
        "class": profile.name,
        "count": profile.count,
        "silent": profile.silent,
        "explained_anyway": marked,
        "hertz": profile.hertz.tolist(),
        "bands": profile.bands.tolist(),
        "times": profile.times.tolist(),
    }


def _profile_table(profiles: list[ClassProfile]) -> Table:
    """Shares of the evidence by class, in eighths of the mel bands and of the window."""
    table = Table("where", *(f"{escape(p.name)} ({p.count})" for p in profiles))
    if not profiles:
        return table
    every = np.arange(len(profiles[0].hertz))
    for bands in np.array_split(every, ROWS):
        # Bands are named by their centres; half a band hangs over at either end.
        low, high = np.interp([bands[0] - 0.5, bands[-1] + 0.5], every, profiles[0].hertz)
        table.add_row(
            f"{low:.0f}-{high:.0f} Hz", *(f"{p.bands[bands].sum():.1%}" for p in profiles)
        )
    table.add_section()
    for times in np.array_split(np.arange(len(profiles[0].times)), ROWS):
        start, end = times[0] / len(profiles[0].times), (times[-1] + 1) / len(profiles[0].times)
        table.add_row(
            f"{start:.0%}-{end:.0%} of the window",
            *(f"{p.times[times].sum():.1%}" for p in profiles),
        )
    return table
