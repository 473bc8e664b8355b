"""Fetch models that the package knows by their cards, but does not bring."""

from __future__ import annotations

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weights_keras.card import read_card
from weights_keras.errors import ModelFileError
from weights_keras.formats import fingerprint
from weights_keras.places import FOLDER, own_folder

BLOCK = 1 << 18  # bytes read at a time
SECONDS = 30  # until a server that says nothing is given up
LARGEST_DETECTOR = 20_000_000  # bytes of an OOD detector; its card gives no size

Progress = Callable[[int, int, str], object]


@dataclass(frozen=True)
class _File:
    """One file to fetch: its name, its SHA-256, and the bytes it has at most."""

    name: str
    sha256: str
    largest: int


def fetch(name: str, source: str, progress: Progress = lambda done, total, what: None) -> Path:
    """Store a model that has a card in the package in the user's folder, with its OOD detector.

    Every file is verified against the card before any takes its place. A model that is here already
    is not fetched again.

    Args:
        name: the name of the model.
        source: a folder, or its address (http or https), with the files of the model.
        progress: called with (kilobytes done, kilobytes in all, the file) of each file.

    Returns:
        The model file.

    Raises:
        ModelFileError: the files cannot be read, or are not those that the card describes, or
            another model of the name is there, or they cannot be written.
    """
    card_file, place = FOLDER / f"{name}.md", own_folder()
    files = _files_of(card_file)
    for folder in (FOLDER, place):
        if all(_is(folder / file.name, file) for file in files):
            return folder / files[0].name
    for file in files:
        if (place / file.name).exists() and not _is(place / file.name, file):
            raise ModelFileError(
                f"{place / file.name} is another file than the one that the card of {name!r} "
                "describes. Move or rename it, and fetch the model again."
            )
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=".saving-") as scratch:
            for file in files:
                _copy(source, file, Path(scratch, file.name), progress)
            Path(scratch, card_file.name).write_bytes(card_file.read_bytes())
            # The model comes last: nothing finds the others without it.
            for stored in (*(file.name for file in files[1:]), card_file.name, files[0].name):
                Path(scratch, stored).replace(place / stored)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write to {place}: {error.strerror or error}. Free some disk space, or set "
            "XAI_TF_HOME to another folder."
        ) from error
    return place / files[0].name


def _files_of(card_file: Path) -> list[_File]:
    """The model file that a card describes, and the OOD detector if there is one."""
    card = read_card(card_file)
    if not card.sha256:
        raise ModelFileError(
            f"{card_file} has no SHA-256 of the model, so what is fetched cannot be verified. "
            f"Train the model with: {card.command}"
        )
    files = [_File(f"{card.name}.keras", card.sha256, card.size)]
    if card.ood_sha256:
        files.append(_File(f"{card.name}.ood.npz", card.ood_sha256, LARGEST_DETECTOR))
    return files


def _is(path: Path, file: _File) -> bool:
    return path.is_file() and fingerprint(path) == file.sha256


def _copy(source: str, file: _File, target: Path, progress: Progress) -> None:
    """Copy a file from its source, and verify it."""
    place, digest, done = _place(source, file.name), hashlib.sha256(), 0
    with target.open("wb") as copy, _opened(place) as (stream, size):
        total = size or file.largest
        while block := _read(stream, place, done):
            copy.write(block)
            digest.update(block)
            done += len(block)
            if done > file.largest:
                break
            progress(done // 1000, total // 1000, f"{file.name}, kB")
    if done < total and size:
        raise _interrupted(place, done)
    if digest.hexdigest() != file.sha256:
        raise ModelFileError(
            f"{place} is not the file that the card of the model describes: the SHA-256 differs. "
            "Nothing was stored. Get it from another place."
        )


def _place(source: str, name: str) -> str:
    """The address or path of a file in a source."""
    if _is_address(source):
        return f"{source.rstrip('/')}/{urllib.parse.quote(name)}"
    if "://" in source:
        raise ModelFileError(f"Cannot fetch from {source}. Give a folder, or an http address.")
    return str(Path(source).expanduser() / name)


def _is_address(source: str) -> bool:
    return urllib.parse.urlsplit(source).scheme in ("http", "https")


@contextmanager
def _opened(place: str) -> Iterator[tuple[BinaryIO, int]]:
    """A file or an answer to read, and its size in bytes; 0 where that is not known."""
    try:
        if _is_address(place):
            stream = urllib.request.urlopen(place, timeout=SECONDS)
            size = int(stream.headers.get("Content-Length") or 0)
        else:
            size = Path(place).stat().st_size
            stream = Path(place).open("rb")  # noqa: SIM115 (closed below)
    except urllib.error.HTTPError as error:
        with error:
            raise ModelFileError(
                f"{place} cannot be fetched: the server answered {error.code} {error.reason}. "
                "Check --from or XAI_TF_MODELS_URL."
            ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        advice = (
            "Check the connection, or give --from a folder that has the file."
            if _is_address(place)
            else "Give --from the folder or the address (http, https) of one that has the file."
        )
        raise ModelFileError(f"Cannot read {place}: {cause}. {advice}") from error
    with stream:
        yield stream, size


def _read(stream: BinaryIO, place: str, done: int) -> bytes:
    try:
        return stream.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _interrupted(place, done) from error


def _interrupted(place: str, done: int) -> ModelFileError:
    return ModelFileError(
        f"The copy of {place} was interrupted after {done / 1e6:.1f} MB. Nothing was stored. Run "
        "the command again."
    )
