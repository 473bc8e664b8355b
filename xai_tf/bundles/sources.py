"""The files to explain: found in folders, in a stated order."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import realpath  # unlike `Path.resolve`, it takes links that lead in a circle
from pathlib import Path

from xai_tf.bundles.manifest import MANIFEST
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.layouts import label_in_path, readable_files
from xai_tf.errors import InputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import PICTURE_SUFFIXES


def find_inputs(
    given: Sequence[Path], classifier: Classifier, out: Path | None = None
) -> list[Path]:
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
            beside = f" besides the results in {out}" if readable else ""
            raise InputError(
                f"{path} contains no file that {classifier.name!r} can read ({', '.join(suffixes)})"
                f"{beside}."
            )
        found += inside
    by_place: dict[str, Path] = {}
    for path in found:
        by_place.setdefault(realpath(path), path)
    return list(by_place.values())


def check_kind(path: Path, classifier: Classifier) -> None:
    """Raise an InputError where a sound is given to a model of pictures."""
    if path.suffix.lower() in SOUND_SUFFIXES and not takes_sound(classifier):
        raise InputError(
            f"{path} is a sound, and {classifier.name!r} takes pictures. Choose a model for sound, "
            "or add --task sound if it was trained on spectrograms."
        )


def takes_sound(classifier: Classifier) -> bool:
    """Whether a model is given sounds, which may have many windows."""
    return classifier.task is not None and classifier.task.takes_sound


def labels_in_paths(
    given: Sequence[Path], paths: Sequence[Path], classes: tuple[str, ...]
) -> dict[Path, int]:
    """The labels of files that lie in folders named as classes, within the folders given."""
    return {
        path: label
        for folder in (place.absolute() for place in given if place.is_dir())
        for path in paths
        if path.absolute().is_relative_to(folder)
        and (label := label_in_path(path.absolute(), folder, classes)) is not None
    }


def _left_by_a_run(file: Path, folder: Path, out: Path) -> bool:
    """Whether a file of a folder that is given may be what an earlier run wrote in `out`."""
    file, folder, out = (Path(realpath(path)) for path in (file, folder, out))
    if not file.is_relative_to(out):
        return False
    if folder in out.parents:
        return True
    top = out / file.relative_to(out).parts[0]  # a bundle, an input, or a folder of inputs
    return (top / MANIFEST).is_file() or top.name.startswith(SCRATCH)
