"""Bundles on disk: found, and checked whether they answer a request."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xai_tf.bundles.manifest import MANIFEST, read_manifest
from xai_tf.errors import InputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.sample import file_sha256

LEFT_SECONDS = 3600  # writing a bundle takes seconds: anything older was left by a killed run


def find_bundles(places: Iterable[Path]) -> list[Path]:
    """The bundles among places and in the folders among them, those of a folder in order.

    Raises:
        InputError: a place is not there, or holds no bundle.
    """
    found: list[Path] = []
    for place in places:
        if not place.is_dir():
            raise InputError(
                f"There is no folder {place}. Give a folder written by `xai-tf explain`."
            )
        inside = sorted(path.parent for path in place.rglob(MANIFEST))
        here = [path for path in inside if not _hidden(path.relative_to(place))]
        if not here:
            raise InputError(
                f"{place} holds no bundle (no {MANIFEST}). Give a folder written by "
                "`xai-tf explain --out`."
            )
        found += here
    return list(dict.fromkeys(found))


def stored_answer(folder: Path, question: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """The manifest of a bundle, if it answers this request about this file; else None.

    Args:
        folder: of the bundle, which need not be there.
        question: as it was given to `save_bundle`.
        file: which need not be there either: then there is no answer.
    """
    try:
        manifest = read_manifest(folder)
        same = manifest["input"].get("sha256") == file_sha256(file)
    except (InputError, OSError):
        return None
    return manifest if same and manifest.get("question") == question else None


def differences(folder: Path, question: Mapping[str, Any], file: Path) -> list[str]:
    """How the request that a bundle answers differs, in words; empty where there is no bundle.

    Args:
        folder: of the bundle, which need not be there.
        question: as it was given to `save_bundle`.
        file: the file of the request; one that cannot be read is not compared.
    """
    if not (folder / MANIFEST).is_file():
        return []
    try:
        manifest = read_manifest(folder)
    except InputError:
        return ["not readable"]
    other = ["another file"] if _is_another(file, manifest["input"].get("sha256")) else []
    asked = manifest.get("question")
    if not isinstance(asked, dict):
        return [*other, "not recorded"]
    names = [name for name in {**question, **asked} if asked.get(name) != question.get(name)]
    if "questions" in names:
        place = names.index("questions")
        names[place : place + 1] = _differing(asked.get("questions"), question["questions"])
    return [*other, *names]


def _differing(before: Any, now: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs between the questions of two requests, by the names of their fields."""
    if not isinstance(before, list) or [b["method"] for b in before] != [n["method"] for n in now]:
        return ["methods"]
    return list(
        dict.fromkeys(
            name
            for old, new in zip(before, now, strict=True)
            for name in new
            if old.get(name) != new[name]
        )
    )


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed run was writing in a folder, once it was not touched for an hour."""
    for scratch in folder.glob(f"{SCRATCH}*"):
        places = [scratch, *scratch.glob("*")]
        if time.time() - max(map(_changed, places)) <= LEFT_SECONDS:
            continue
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)


def _is_another(file: Path, sha256: Any) -> bool:
    try:
        return file_sha256(file) != sha256
    except OSError:
        return False


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone meanwhile
        return 0.0
