"""Real files to plant in: photos, X-rays with their lungs, MRI slices with their brain, speech."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.ground_truth.puzzle import Carriers
from xai_tf.datasets.layouts import readable_files
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample, read_image
from xai_tf.regions.brain import brain
from xai_tf.regions.lungs import MIN_EVIDENCE, lungs
from xai_tf.regions.partition import NotFoundError
from xai_tf.tasks import TASKS

Row = dict[str, str]  # of sources.csv
SIZE = (224, 224)  # what is planted in; resized for a network afterwards
DIM = 0.45  # brightness
HUMAN_SOURCE = "LibriSpeech"  # many voices, in English, read in everyday rooms
# One speaker's diphones at an even pitch, in English too: the voice alone gives a piece away.
SYNTHETIC_VOICES = ("kal16", "kal_diphone")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to plant in.

    Attributes:
        sample: read at 224x224.
        depth: float32 array of shape (224, 224): how far inside where the plant may be, in pixels;
            0 outside, infinite where it may be anywhere.
    """

    sample: Sample
    depth: np.ndarray


@dataclass(frozen=True, eq=False)
class Clip:
    """Two seconds of speech to plant in.

    Attributes:
        sample: its first window; `sound.waveform` is what is planted in.
        human, synthetic: float32 waveforms of two seconds to take a piece from, of other speakers.
    """

    sample: Sample
    human: Sequence[np.ndarray]
    synthetic: Sequence[np.ndarray]


def photos(data: Path, counts: tuple[int, int, int]) -> Carriers:
    """Assorted photos; the plant may be anywhere."""
    paths = _shuffled(readable_files(data / "samples", TASKS["dog_breeds"].suffixes))
    train, validation, test = counts
    sides = (paths[:train], paths[train : train + validation], paths[-test:])
    if len(paths) < sum(counts):
        raise InputError(
            f"{data / 'samples'} has {len(paths)} photos; {sum(counts)} are needed. Take fewer."
        )
    return Carriers(*(list(_pictures(side, _anywhere)) for side in sides))


def chests(data: Path, counts: tuple[int, int, int]) -> Carriers:
    """X-rays without a finding; the plant belongs into the lungs."""
    return _of_class(data / "chest_xray", ("normal",), counts, _clear_lungs)


def any_chests(data: Path, counts: tuple[int, int, int]) -> Carriers:
    """X-rays of both classes; a mark may be anywhere."""
    return _of_class(data / "chest_xray", ("normal", "opacity"), counts, _anywhere)


def heads(data: Path, counts: tuple[int, int, int]) -> Carriers:
    """MRI slices without a tumour; the plant belongs into the brain, where it is not bright."""
    return _of_class(data / "brain_mri", ("notumor",), counts, _dim_brain)


def clips(data: Path, counts: tuple[int, int, int]) -> Carriers:
    """Human recordings of two seconds and more, with pieces of other voices to splice in.

    Validation has pieces of its own: a network may know those of the training by heart.
    """
    train, validation, test = counts
    human, made = _speech(data / "speech", "train", train + validation)
    held = human[:validation]
    voices = {row["voice"] for row in held}
    rest = [row for row in human[validation:] if row["voice"] not in voices]
    part = max(1, len(made) * validation // (train + validation))
    return Carriers(
        _clips(data / "speech", rest, made[part:], train),
        _clips(data / "speech", held, made[:part], validation),
        _clips(data / "speech", *_speech(data / "speech", "test", test), test),
    )


def depth(inside: np.ndarray) -> np.ndarray:
    """How far inside a region each pixel is, as a `Picture` wants it."""
    if inside.all():
        return np.full(inside.shape, np.inf, np.float32)
    return ndimage.distance_transform_edt(inside).astype(np.float32)


def _of_class(
    folder: Path,
    classes: Sequence[str],
    counts: tuple[int, int, int],
    find: Callable[[np.ndarray], np.ndarray],
) -> Carriers:
    train, validation, test = counts

    def some(side: str, count: int) -> list[Picture]:
        paths = [p for name in classes for p in readable_files(folder / side / name, (".jpg",))]
        found = list(islice(_pictures(_shuffled(paths), find), count))
        if len(found) < count:
            raise InputError(
                f"{folder / side} has {len(found)} pictures to plant in; {count} are needed. "
                "Take fewer."
            )
        return found

    known = some("train", train + validation)
    return Carriers(known[:train], known[train:], some("test", test))


def _pictures(paths: Iterable[Path], find: Callable[[np.ndarray], np.ndarray]) -> Iterable[Picture]:
    """Read pictures; those in which nothing is found are left out."""
    for path in paths:
        sample = read_image(path, SIZE)[0]
        try:
            yield Picture(sample, depth(find(sample.image)))
        except NotFoundError:
            continue


def _clear_lungs(image: np.ndarray) -> np.ndarray:
    """The lungs.

    Raises:
        NotFoundError: there are none, or they are a guess.
    """
    found, evidence = lungs(image)
    if evidence < MIN_EVIDENCE:
        raise NotFoundError("the lungs are a guess")
    return found


def _dim_brain(image: np.ndarray) -> np.ndarray:
    """Where in the brain a bright blob would be seen.

    Raises:
        NotFoundError: there is no brain, or all of it is bright.
    """
    dim = brain(image)[0] & (ndimage.gaussian_filter(image.mean(axis=-1), 8) < DIM)
    if not dim.any():
        raise NotFoundError("the whole brain is bright")
    return dim


def _anywhere(image: np.ndarray) -> np.ndarray:
    return np.ones(image.shape[:2], bool)


def _speech(folder: Path, side: str, count: int) -> tuple[list[Row], list[Row]]:
    """Recordings of two seconds and more, shuffled: of humans, at least `count`, and of machines.

    Raises:
        InputError: there are too few.
    """
    with (folder / "sources.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["file"].startswith(f"{side}/")]
    long = [r for r in rows if float(r["seconds"]) >= 2]
    human = _shuffled([r for r in long if r["source"] == HUMAN_SOURCE])
    made = _shuffled([r for r in long if r["voice"] in SYNTHETIC_VOICES])
    if len(human) < count or not made:
        raise InputError(
            f"{folder / side} has {len(human)} human clips and {len(made)} of "
            f"{' or '.join(SYNTHETIC_VOICES)}, of two seconds; {count} and one are needed."
        )
    return human, made


def _clips(folder: Path, human: Sequence[Row], made: Sequence[Row], count: int) -> list[Clip]:
    """The first of the human recordings to plant in; pieces are of all others' voices."""
    spoken, pieces = (
        [TASKS["deepfake_audio"].read(folder / row["file"], SIZE) for row in rows]
        for rows in (human, made)
    )
    voices = [row["voice"] for row in human]
    return [
        Clip(
            sample,
            [one.sound.waveform for one, v in zip(spoken, voices, strict=True) if v != voice],
            [one.sound.waveform for one in pieces],
        )
        for sample, voice in zip(spoken[:count], voices, strict=False)
    ]


def _shuffled(things: Sequence[Any]) -> list[Any]:
    order = np.random.default_rng(0).permutation(len(things))
    return [things[index] for index in order]
