"""The files that a command is given: found in folders, in a stated order; what is done of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.console import note
from xai_tf.datasets.layouts import label_in_path, readable_files
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import PICTURE_SUFFIXES


def files_of(given: list[Path], classifier: Classifier, out: Path | None = None) -> list[Path]:
    """The files themselves, with folders replaced by what can be read in and below them.

    Files of a folder come in the order of their paths; hidden ones are left out, and so is what an
    earlier run may have left: all that lies in `out` below a folder given, or the bundles in `out`
    where that is the folder itself or above it. No file comes twice, however it is named.

    Raises:
        InputError: a folder holds no such file, or a sound is given to a model of pictures.
    """
    suffixes = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            check_kind(path, classifier)
            found.append(path)
            continue
        readable = readable_files(path, suffixes)
        inside = [file for file in readable if out is None or not _left_by_a_run(file, path, out)]
        if not inside:
            beside = f" beside what lies in {out} already" if readable else ""
            raise InputError(
                f"{path} holds no file that {classifier.name!r} reads ({', '.join(suffixes)})"
                f"{beside}."
            )
        found += inside
    named: dict[Path, Path] = {}
    for path in found:
        named.setdefault(path.resolve(), path)
    return list(named.values())


def check_kind(path: Path, classifier: Classifier) -> None:
    """Raise an InputError where a sound is given to a model of pictures."""
    if path.suffix.lower() in SOUND_SUFFIXES and not hears(classifier):
        raise InputError(
            f"{path} is a sound, and {classifier.name!r} looks at pictures. Take a model for "
            "sound, or add --task deepfake_audio if it was trained on spectrograms."
        )


def hears(classifier: Classifier) -> bool:
    """Whether a model is given sounds, which may have many windows."""
    return classifier.task is not None and bool(set(SOUND_SUFFIXES) & set(classifier.task.suffixes))


def truths(given: list[Path], paths: list[Path], classes: tuple[str, ...]) -> dict[Path, int]:
    """The labels of files that lie in folders named as classes, within the folders given."""
    return {
        path: label
        for folder in (place.absolute() for place in given if place.is_dir())
        for path in paths
        if path.absolute().is_relative_to(folder)
        and (label := label_in_path(path.absolute(), folder, classes)) is not None
    }


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
            "question, and are kept. To explain them again add --anew."
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
    """Whether a file of a folder that is given may be what an earlier run wrote in `out`."""
    from xai_tf.bundles.write import MANIFEST

    file, folder, out = file.resolve(), folder.resolve(), out.resolve()
    if not file.is_relative_to(out):
        return False
    if folder in out.parents:
        return True
    top = out / file.relative_to(out).parts[0]  # a bundle, an input, or a folder of inputs
    return (top / MANIFEST).is_file() or top.name.startswith(SCRATCH)
