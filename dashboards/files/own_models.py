"""The models that a visitor brings: each in a folder of its own, with the visitor's other files."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PurePosixPath

import weights_keras
from dashboards.files.uploads import megabytes, not_stored, safe_name
from dashboards.language import mark, t
from dashboards.service.catalogue import free_name, model_entry
from dashboards.service.requests import ModelEntry
from weights_keras import ModelCard
from weights_keras.store import SUFFIXES
from xai_tf.errors import InputError, OutputError
from xai_tf.files import write_private

MODELS = "models"  # the folder in that of the visitor
USED = "used"  # a file that marks a model which the visitor has added to theirs
GRAPH = "saved_model.pb"
TAKEN = mark("{suffixes}, or a .zip of the folder of a SavedModel")


def taken_files() -> str:
    """The files of a model that can be used."""
    return t(TAKEN, suffixes=", ".join(SUFFIXES))


class OwnModels:
    """The models of one visitor.

    Args:
        folder: the visitor's folder, in which they are stored and with which they are deleted.
        max_bytes: of all models together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._folder = folder / MODELS

    def add(self, name: str, data: bytes, taken: Collection[str] = ()) -> ModelEntry:
        """Store a model that is not used yet; one that was never used makes room for it.

        Args:
            name: the visitor's name of the file.
            data: its content.
            taken: names that the model must not get.

        Raises:
            InputError: it is too large, or no model by its name.
            OutputError: this server cannot store it.
        """
        name = safe_name(name)
        suffix = Path(name).suffix.lower()
        if suffix not in (*SUFFIXES, ".zip"):
            raise InputError(
                t(
                    "{name} is not a model that can be used here. Expected {taken}.",
                    name=name,
                    taken=taken_files(),
                )
            )
        self._delete_unused()
        members = _members(name, data) if suffix == ".zip" else {}
        size = sum(info.file_size for info in members.values()) or len(data)
        used = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        if used + size > self.max_bytes:
            raise InputError(
                t(
                    "{name} was rejected: with it, your models would take {size}; the limit is "
                    "{limit}. Remove the others, or run xai-tf on your own machine.",
                    name=name,
                    size=megabytes(used + size, ",.1f"),
                    limit=megabytes(self.max_bytes),
                )
            )
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(name).stem).strip("_")[:60] or "model"
        folder = self._folder / free_name(stem, {*taken, *self._names()})
        path = folder / (folder.name if members else f"{folder.name}{suffix}")
        try:
            folder.mkdir(parents=True, mode=0o700)
            if members:
                _extract(data, members, path)
            else:
                write_private(path, data)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _not_stored(name, error) from error
        return replace(model_entry(folder.name, path), private=True)

    def add_card(self, entry: ModelEntry, text: bytes) -> None:
        """Put a card beside a model; loading the model tells whether it can be used.

        Raises:
            InputError: it is no card.
            OutputError: this server cannot store it.
        """
        file = entry.path.with_suffix(".md")
        try:
            write_private(file, text)
        except OSError as error:
            raise _not_stored(t("the card of {name}", name=entry.name), error) from error
        if not weights_keras.is_card(file):
            file.unlink()
            raise InputError(
                t(
                    "The .md file is not the card of a Keras model, so it is not used. Give the "
                    "class names below."
                )
            )

    def use(self, entry: ModelEntry, card: ModelCard) -> ModelEntry:
        """Write the card of a model beside it, and make it one of `entries`.

        Raises:
            OutputError: this server cannot store it.
        """
        try:
            weights_keras.save_card(card, entry.path)
            (entry.path.parent / USED).touch()
        except (weights_keras.ModelFileError, OSError) as error:
            raise _not_stored(t("the card of {name}", name=entry.name), error) from error
        return replace(model_entry(entry.name, entry.path, entry.sha256), private=True)

    def entries(self) -> dict[str, ModelEntry]:
        """The models that have been used, by name; after a reload as well."""
        found = {}
        for used in sorted(self._folder.glob(f"*/{USED}")):
            name, path = used.parent.name, _model_in(used.parent)
            file = used.parent / f"{name}.md"
            if path and weights_keras.is_card(file):  # written by `use`, so the hash is right
                sha256 = weights_keras.read_card(file).sha256
                found[name] = replace(model_entry(name, path, sha256), private=True)
        return found

    def clear(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _delete_unused(self) -> None:
        for folder in self._folder.glob("*"):
            if not (folder / USED).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _names(self) -> set[str]:
        return {folder.name for folder in self._folder.glob("*")}


def _model_in(folder: Path) -> Path | None:
    paths = [folder / f"{folder.name}{suffix}" for suffix in ("", *SUFFIXES)]
    return next((path for path in paths if path.exists()), None)


def _members(name: str, data: bytes) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files of the SavedModel in an archive, by their path below its folder."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise InputError(
            t(
                "{name} is damaged or truncated ({reason}). Upload it again.",
                name=name,
                reason=error,
            )
        ) from error
    roots = [PurePosixPath(i.filename).parent for i in files if i.filename.endswith(GRAPH)]
    if len(roots) != 1:
        raise InputError(
            t(
                "{name} holds {count} files {file}. Expected a .zip of the folder of one "
                "SavedModel; a .keras or .h5 file is given as it is.",
                name=name,
                count=len(roots),
                file=GRAPH,
            )
        )
    paths = {PurePosixPath(info.filename): info for info in files}
    inside = {
        path.relative_to(roots[0]): info
        for path, info in paths.items()
        if path.is_relative_to(roots[0])
    }
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        raise InputError(
            t("{name} holds paths outside of its folder. Zip the folder of the model.", name=name)
        )
    return inside


def _extract(data: bytes, members: dict[PurePosixPath, zipfile.ZipInfo], target: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for path, info in members.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with archive.open(info) as source, file.open("wb") as written:
                # Not more than it claims to hold, which was counted before.
                written.write(source.read(info.file_size))


def _not_stored(what: str, error: Exception) -> OutputError:
    return not_stored(what, getattr(error, "strerror", None) or t("the disk is not writable"))
