"""`xai-tf listen` and `xai-tf profile`: hear the decisive evidence, and see its bands and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.decisive import explain_decisive_window
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.bundles.sources import find_inputs
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import OOD_CAPTION
from xai_tf.cli.answers import Answer, Failure, prints_answer, reported
from xai_tf.cli.app import EXPLAIN, OUTPUT, QUESTION, app
from xai_tf.cli.console import note, progress_of, warn, with_progress
from xai_tf.cli.options import (
    Method,
    ModelFlags,
    Overwrite,
    Target,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.records import takes_records
from xai_tf.errors import InputError, OutputError, pick
from xai_tf.files import check_free, check_place, write_file
from xai_tf.sonification.playback import check_reads_sound
from xai_tf.sonification.profile import ClassProfile, class_profiles, draw

ROWS = 8  # of the table of a profile, for bands and for times

SoundFile = Annotated[Path, typer.Argument(help="A sound, or an image of a spectrogram.")]
Regions = Annotated[
    int,
    typer.Option(
        min=1, max=9, help="Number of regions to play and to mute.", rich_help_panel=QUESTION
    ),
]
SoundFolder = Annotated[Path, typer.Option(help="Folder for the sounds.", rich_help_panel=OUTPUT)]
SourceFolder = Annotated[Path, typer.Argument(help="Folder to search for sounds.")]
ProfilePicture = Annotated[
    Path, typer.Option(help="PNG file for the profile.", rich_help_panel=OUTPUT)
]


@app.command("listen", rich_help_panel=EXPLAIN)
@prints_answer
@takes_records
def listen_to_file(
    file: SoundFile,
    model: ModelFlags,
    method: Method = "kernel_shap",  # predicts changes of the logit best: benchmarks/audible.py
    target: Target = None,
    top: Regions = 3,
    out: SoundFolder = Path("listening"),
    overwrite: Overwrite = False,
) -> Answer:
    """Make the evidence audible: the decisive parts of FILE alone, and FILE without them.

    Of a long recording, the window is used that speaks most for the class. Each sound is written
    and predicted again, so the predictions are those of the sounds that you hear.
    """
    from xai_tf.sonification.export import REGIONS, save_sounds

    pick(METHODS, method, "method")
    check_place(out, REGIONS)
    check_free(out, overwrite)
    classifier = model.load()
    check_reads_sound(classifier)
    with progress_of(f"{file.name}: {METHODS[method].title}") as progress:
        _, explanation = explain_decisive_window(classifier, file, method, target, progress)
    described = save_sounds(out, classifier, explanation, top)
    tell_doubt(classifier)
    for text in dict.fromkeys([*described["warnings"], *explanation.warnings]):
        warn(f"{file.name}: {text}")
    note(f"The sounds are in {out}")
    sounds = [one | {"file": str(out / one["file"])} for one in described["sounds"]]
    found = {k: v for k, v in described.items() if k != "schema_version"}
    return Answer(
        result=found | {"file": file, "folder": out, "sounds": sounds},
        table=_sounds_table(explanation, described),
        rows=[{k: one[k] for k in ("file", "name", "energy", "score")} for one in sounds],
    )


@app.command("profile", rich_help_panel=EXPLAIN)
@prints_answer
@takes_records
def profile_folder(
    folder: SourceFolder,
    model: ModelFlags,
    method: Method = DEFAULT_METHOD,
    out: ProfilePicture = Path("profile.png"),
    overwrite: Overwrite = False,
) -> Answer:
    """Show which frequency bands and times decide, for each class that is predicted in FOLDER.

    The decisive window of each file is explained for its predicted class.
    """
    pick(METHODS, method, "method")
    if out.suffix.lower() != ".png" or out.is_dir():
        raise OutputError(
            f"Invalid value for --out: {out}. Expected the name of a PNG file, such as profile.png."
        )
    check_free(out, overwrite)
    classifier = model.load()
    check_reads_sound(classifier)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Give a folder of sounds.")
    run = _ProfileRun(classifier, find_inputs([folder], classifier, out), method)
    profiles = class_profiles(run.explanations())
    if profiles:
        write_file(out, draw(profiles, run.title(folder)).savefig)
        note(f"Open {out}")
    tell_doubt(classifier)
    found = [_plain(profile, run.marked[profile.name]) for profile in profiles]
    return Answer(
        result={"picture": out if profiles else None, "classes": found},
        table=_profile_table(profiles) if profiles else None,
        rows=_profile_rows(profiles),
        failures=run.failed,
    )


def _profile_rows(profiles: list[ClassProfile]) -> list[dict[str, Any]]:
    """A row for each mel band (by its center in Hz) and each time (by its share of the window)."""
    return [
        {"class": one.name, "axis": axis, "center": float(center), "share": float(share)}
        for one in profiles
        for axis, centers, shares in (
            ("hertz", one.hertz, one.bands),
            ("time", (np.arange(len(one.times)) + 0.5) / len(one.times), one.times),
        )
        for center, share in zip(centers, shares, strict=True)
    ]


@dataclass
class _ProfileRun:
    """Explains files one by one, and counts how that went.

    Attributes:
        failed: the files that could not be read.
        marked: by class, the number of files that are out of distribution.
    """

    classifier: Classifier
    paths: list[Path]
    method: str
    failed: list[Failure] = field(default_factory=list)
    marked: Counter[str] = field(default_factory=Counter)

    def explanations(self) -> Iterator[Explanation]:
        """An explanation of each file that can be read, with a progress bar."""
        for path in with_progress(self.paths, METHODS[self.method].title):
            with reported(path, self.failed):
                reading, explanation = explain_decisive_window(self.classifier, path, self.method)
                tell_warnings(reading, explained=True)
                self.marked[explanation.target_name] += bool(reading.ood_caption)
                yield explanation

    def title(self, folder: Path) -> str:
        """The title of the picture."""
        method = METHODS[self.method].title
        title = f"Where {self.classifier.name} looks in {folder.name}, {method}"
        if not self.marked.total():
            return title
        count = len(self.paths) - len(self.failed)
        return f"{title}\n{self.marked.total()} of {count} files {OOD_CAPTION}"


def _sounds_table(explanation: Explanation, described: dict[str, Any]) -> Table:
    prediction, name = explanation.prediction, escape(explanation.target_name)
    regions = [escape(region["text"]) for region in described["regions"]]
    what = {
        "original": "the unchanged sound",
        "supporting": f"only the evidence for {name}",
        "remainder": "everything except that evidence",
    }
    what |= {f"solo_{n}": text for n, text in enumerate(regions, 1)}
    what |= {f"mute_{n}": f"without {text}" for n, text in enumerate(regions, 1)}
    table = Table(
        "sound",
        "content",
        "energy",
        f"logit for {name}: before",
        "after",
        "change",
        title=f"{escape(explanation.sample.source.name)}: {escape(prediction.summary)}, "
        f"{explanation.method.title}",
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


def _plain(profile: ClassProfile, marked: int) -> dict[str, Any]:
    return {
        "class": profile.name,
        "count": profile.count,
        "silent": profile.silent,
        "out_of_distribution": marked,
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
        # Bands are named by their centers; half a band hangs over at either end.
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
