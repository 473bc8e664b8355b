"""The labeled files that a visitor brings: a folder per set, with the visitor's other files."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from weakref import WeakValueDictionary

from dashboards.files.file_types import check_content
from dashboards.files.uploads import Limits, megabytes, not_stored, safe_name
from dashboards.language import mark, number, t
from dashboards.service.catalogue import free_name
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError, OutputError
from xai_tf.files import write_private
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import PICTURE_SUFFIXES

SETS = "labeled"  # the folder in that of the visitor
REPORT = "set.json"  # a file that marks a complete set, and says what was left out
MAX_DEPTH = 10  # folders above a file
MOST_ENTRIES = 10  # files in an archive, as a multiple of those that are accepted
OF_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini")  # left out without a word
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class OwnSet:
    """A labeled set of a visitor.

    Attributes:
        name: the name that is shown.
        path: the folder that holds the class folders, or folders for training and test.
        count: number of files.
        left_out: (file, reason) for those that were not taken.
    """

    name: str
    path: Path
    count: int
    left_out: tuple[tuple[str, str], ...]


class OwnSets:
    """The labeled sets of one visitor, whose pages may add sets at the same time. Thread-safe.

    Args:
        folder: the visitor's folder, in which they are stored and with which they are deleted.
        limits: of the files, and of all sets together.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.limits = limits
        self.folder = folder / SETS
        with _opening:
            space = _open.get(self.folder)
            if space is None:
                space = _open[self.folder] = _Space(self.folder)
        self._space = space

    def sets(self) -> dict[str, OwnSet]:
        """The complete sets, by name; after a reload as well."""
        found = {}
        for report in sorted(self.folder.glob(f"*/{REPORT}")):
            try:
                content = json.loads(report.read_text(encoding="utf-8"))
                left_out = tuple((name, reason) for name, reason in content["left_out"])
                count, name = int(content["count"]), report.parent.name
                found[name] = OwnSet(name, class_level(report.parent / name), count, left_out)
            except (OSError, ValueError, TypeError, KeyError):  # a full disk, or deleted meanwhile
                continue
        return found

    def add_zip(self, name: str, data: bytes) -> OwnSet:
        """Unpack an archive of class folders.

        Raises:
            InputError: it is damaged, too large, leads out of its folder, or has no file that can
                be read.
            OutputError: this server cannot store it.
        """
        new = self.begin(Path(safe_name(name)).stem)
        try:
            for path, content in _unpacked(name, data, self.limits):
                if isinstance(content, str):
                    new.leave_out(path, content)
                else:
                    new.add(path, content)
        except InputError:
            new.delete()
            raise
        return new.finish()

    def begin(self, name: str) -> NewSet:
        """Begin a set; what remains of one that is no longer coming is deleted.

        Raises:
            OutputError: this server cannot store it.
        """
        stem = re.sub(r"[^\w .-]+", "_", safe_name(name)).strip("_. ")[:60] or "set"
        try:
            return NewSet(self._space.begin(stem), self.limits, self._space)
        except OSError as error:
            raise _not_stored(stem, error) from error

    def clear(self) -> None:
        """Delete all of them but those that are still coming to another page."""
        self._space.clear()


class _Space:
    """The folder of a visitor's sets, shared by all of their pages. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._lock = Lock()
        self._folder = folder
        self._coming: dict[Path, int] = {}  # the size of each set that is coming in
        self._used = 0  # the size of all sets

    def begin(self, stem: str) -> Path:
        """The new folder of a set, whose name no other set has."""
        with self._lock:
            for folder in self._folder.glob("*"):
                if folder not in self._coming and not (folder / REPORT).exists():
                    shutil.rmtree(folder, ignore_errors=True)
            new = self._folder / free_name(stem, {folder.name for folder in self._folder.glob("*")})
            new.mkdir(parents=True, mode=0o700)
            self._coming[new] = 0
            files = (path for path in self._folder.rglob("*") if path.is_file())
            self._used = sum(path.stat().st_size for path in files)
            return new

    def take(self, folder: Path, size: int, most: int) -> bool:
        """Whether a file still fits into `most` bytes; if so, it is counted."""
        with self._lock:
            if self._used + size > most:
                return False
            self._coming[folder] = self._coming.get(folder, 0) + size
            self._used += size
            return True

    def complete(self, folder: Path) -> None:
        """A set has come whole."""
        with self._lock:
            self._coming.pop(folder, None)

    def delete(self, folder: Path) -> None:
        """Delete a set that was coming in."""
        with self._lock:
            self._used -= self._coming.pop(folder, 0)
            shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Delete all sets but those that are coming in."""
        with self._lock:
            for folder in self._folder.glob("*"):
                if folder not in self._coming:
                    shutil.rmtree(folder, ignore_errors=True)
            self._used = sum(self._coming.values())
            with suppress(OSError):  # missing, or not empty
                self._folder.rmdir()


_open: WeakValueDictionary[Path, _Space] = WeakValueDictionary()  # by folder
_opening = Lock()


class NewSet:
    """A set whose files are coming in.

    Args:
        folder: of the set.
        limits: of its files, and of all sets together.
        space: of all sets of the visitor.
    """

    def __init__(self, folder: Path, limits: Limits, space: _Space) -> None:
        self._folder, self._limits, self._space = folder, limits, space
        self._count = 0
        self._left_out: list[tuple[str, str]] = []

    def add(self, path: str, data: bytes) -> None:
        """Check and store a file; one that cannot be used is left out.

        Args:
            path: of the file below the set; its folders give the label.
            data: its content.
        """
        parts = _parts(path)
        if parts is None:
            return
        try:
            self._store(parts, data)
        except (InputError, OutputError) as error:
            self.leave_out("/".join(parts), str(error))

    def leave_out(self, path: str, reason: str) -> None:
        """Remember why a file was not taken; those that a system adds by itself are not named."""
        if _parts(path) is not None:
            self._left_out.append((path, reason))

    def finish(self) -> OwnSet:
        """Complete the set.

        Raises:
            InputError: it has no file.
            OutputError: this server cannot store it.
        """
        name = self._folder.name
        if not self._count:
            self.delete()
            reasons = some(reason for _, reason in self._left_out)
            raise InputError(
                t(
                    "{name} holds no picture or sound that can be used. Give a folder with one "
                    "subfolder of files for each class.",
                    name=name,
                )
                + f" {reasons}".rstrip()
            )
        report = {"count": self._count, "left_out": self._left_out}
        try:
            write_private(self._folder / REPORT, json.dumps(report).encode())
            path = class_level(self._folder / name)
        except OSError as error:
            self.delete()
            raise _not_stored(name, error) from error
        self._space.complete(self._folder)
        return OwnSet(name, path, self._count, tuple(self._left_out))

    def delete(self) -> None:
        """Delete what is there of it."""
        self._space.delete(self._folder)

    def _store(self, parts: tuple[str, ...], data: bytes) -> None:
        name, limits = parts[-1], self._limits
        if len(parts) > MAX_DEPTH:
            text = mark("{name} is in more than {count} folders. Move it up.")
            raise InputError(t(text, name=name, count=MAX_DEPTH))
        content = check_content(name, data)
        limits.check(name, len(data), content.kind)
        if self._count >= limits.labeled_files:
            text = mark("{name} was left out: the limit is {count} files.")
            raise InputError(t(text, name=name, count=number(limits.labeled_files, ",")))
        suffixes = SOUND_SUFFIXES if content.kind == "sound" else PICTURE_SUFFIXES
        if not name.lower().endswith(tuple(suffixes)):  # as those of DICOM often have none
            name += content.suffix
        path = self._folder.joinpath(self._folder.name, *parts[:-1], name)
        if path.exists():
            text = mark("{name} was left out: its folder holds two files of this name.")
            raise InputError(t(text, name=name))
        if not self._space.take(self._folder, len(data), limits.total_bytes):
            raise InputError(
                t(
                    "{name} was left out: with it, your labeled sets would take more than {size}.",
                    name=name,
                    size=megabytes(limits.total_bytes),
                )
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, data)
        except OSError as error:
            raise _not_stored(name, error) from error
        self._count += 1


def class_level(folder: Path) -> Path:
    """The folder of the class folders: the first one below `folder` that is not just a wrapper."""
    while True:
        entries = list(folder.iterdir())
        inner = entries[0] if len(entries) == 1 else None
        if inner is None or not inner.is_dir() or not any(p.is_dir() for p in inner.iterdir()):
            return folder
        folder = inner


def _unpacked(name: str, data: bytes, limits: Limits) -> Iterator[tuple[str, bytes | str]]:
    """The path of each file in an archive with its content, or with the reason why it has none.

    All checks of the whole archive come before the first file.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        text = mark("{name} is damaged or no .zip ({reason}).")
        raise InputError(t(text, name=safe_name(name), reason=error)) from error
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        _check_archive(safe_name(name), files, limits)
        for info in files:
            if stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, t("{name} is a link.", name=safe_name(info.filename))
                continue
            try:
                limits.check(info.filename, info.file_size)
                with archive.open(info) as source:
                    content = source.read(info.file_size)  # not more than it claims to hold
            except InputError as error:
                yield info.filename, str(error)
            except _BROKEN:
                encrypted = info.flag_bits & 1
                reason = mark("{name} is encrypted.") if encrypted else mark("{name} is damaged.")
                yield info.filename, t(reason, name=safe_name(info.filename))
            else:
                yield info.filename, content


def _check_archive(name: str, files: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(files) > MOST_ENTRIES * limits.labeled_files:
        raise InputError(
            t(
                "{name} holds {count} files; the limit is {limit}. Choose a part of it.",
                name=name,
                count=number(len(files), ","),
                limit=number(limits.labeled_files, ","),
            )
        )
    for info in files:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            text = mark("{name} holds paths outside of its folder. Zip the folder again.")
            raise InputError(t(text, name=name))
    size = sum(info.file_size for info in files)
    if size > limits.total_bytes:
        raise InputError(
            t(
                "{name} would take {size} when it is unpacked; the limit is {limit}. Choose a part "
                "of it.",
                name=name,
                size=megabytes(size, ",.0f"),
                limit=megabytes(limits.total_bytes),
            )
        )


def _parts(path: str) -> tuple[str, ...] | None:
    """The names of a file and its folders, safe to be stored; None for a file of a system."""
    raw = [part for part in path.replace("\\", "/").split("/") if part.strip()]
    if not raw or any(part.startswith(".") or part.lower() in OF_SYSTEMS for part in raw):
        return None
    return tuple(safe_name(part) for part in raw)


def _not_stored(what: str, error: OSError) -> OutputError:
    return not_stored(what, error.strerror or t("the disk is not writable"))
