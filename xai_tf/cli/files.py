"""The files that a command reads, those in folders included, and the pictures that it writes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.console import note
from xai_tf.datasets.layouts import label_in_path, readable_files
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError, OutputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def files_of(given: list[Path], classifier: Classifier, out: Path | None = None) -> list[Path]:
    """The files themselves, with each folder replaced by the readable files in and below it.

    The files of a folder are ordered by path. Hidden files are left out, and so is what an earlier
    run may have written: everything in `out` if that lies below a given folder, or the bundles in
    `out` if it is the folder itself or above it. No file comes twice, however it is named.

    Args:
        given: files and folders.
        classifier: the model that is to read them.
        out: the folder that the command writes to, if there is one.

    Raises:
        InputError: a folder holds no such file, or a sound is given to an image model.
    """
    suffixes = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    files: list[Path] = []
    for path in given:
        if not path.is_dir():
            check_kind(path, classifier)
            files.append(path)
            continue
        readable = readable_files(path, suffixes)
        inside = [file for file in readable if out is None or not _left_by_a_run(file, path, out)]
        if not inside:
            beside = f" besides the results in {out}" if readable else ""
            raise InputError(
                f"{path} holds no file that {classifier.name!r} reads ({', '.join(suffixes)})"
                f"{beside}."
            )
        files += inside
    unique: dict[Path, Path] = {}
    for path in files:
        unique.setdefault(path.resolve(), path)
    return list(unique.values())


def check_kind(path: Path, classifier: Classifier) -> None:
    """Raise an InputError if a sound is given to an image model."""
    if path.suffix.lower() in SOUND_SUFFIXES and not hears(classifier):
        raise InputError(
            f"{path} is a sound, but {classifier.name!r} is an image model. Give an audio model, "
            "or --task deepfake_audio if it was trained on spectrograms."
        )


def hears(classifier: Classifier) -> bool:
    """Whether a model reads sounds, which may have many windows."""
    return classifier.task is not None and bool(set(SOUND_SUFFIXES) & set(classifier.task.suffixes))


def truths(given: list[Path], paths: list[Path], classes: tuple[str, ...]) -> dict[Path, int]:
    """The labels of files in folders that are named after classes, within the given folders."""
    return {
        path: label
        for folder in (place.absolute() for place in given if place.is_dir())
        for path in paths
        if path.absolute().is_relative_to(folder)
        and (label := label_in_path(path.absolute(), folder, classes)) is not None
    }


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=SCRATCH) as scratch:
            new = Path(scratch, "new.png")
            figure.savefig(new)
            new.replace(path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Free some space, or give another "
            "--out."
        ) from error


def kept_answers(
    out: Path, names: Mapping[Path, str], questions: Mapping[Path, Mapping[str, Any]]
) -> dict[Path, dict[str, Any]]:
    """The manifests of the bundles in `out` that answer the same question already.

    Says so, and what is made anew because it answers another.

    Args:
        out: the folder of bundles.
        names: of the bundle of each file.
        questions: about each file, as `save_bundle` takes them.
    """
    from xai_tf.bundles.resume import differences, kept_answer

    kept: dict[Path, dict[str, Any]] = {}
    others: dict[str, list[str]] = {}
    for path, name in names.items():
        if manifest := kept_answer(out / name, questions[path], path):
            kept[path] = manifest
        elif different := differences(out / name, questions[path], path):
            others[name] = different
    if kept:
        note(
            f"{len(kept)} of {len(names)} files are explained in {out} already, by the same "
            "question, and are kept. To explain them again add --overwrite."
        )
    if others:
        what = ", ".join(sorted(set().union(*others.values())))
        note(
            f"{out} holds answers to another question ({what}) about {some(others)}; these are "
            "replaced. To keep such answers stop now, and give another --out.",
            style="yellow",
        )
    return kept


def _left_by_a_run(file: Path, folder: Path, out: Path) -> bool:
    """Whether a file of a given folder may be something that an earlier run wrote to `out`."""
    from xai_tf.bundles.write import MANIFEST

    file, folder, out = file.resolve(), folder.resolve(), out.resolve()
    if not file.is_relative_to(out):
        return False
    if folder in out.parents:
        return True
    top = out / file.relative_to(out).parts[0]  # a bundle, an input, or a folder of inputs
    return (top / MANIFEST).is_file() or top.name.startswith(SCRATCH)
