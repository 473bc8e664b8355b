"""Bundles that are there already: found, looked into, and told whether they answer a question."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xai_tf.bundle import MANIFEST, SCRATCH
from xai_tf.errors import InputError
from xai_tf.sample import file_sha256

LEFT_SECONDS = 3600  # writing a bundle takes seconds: what is older was left by a kill


def find_bundles(places: Iterable[Path]) -> list[Path]:
    """The bundles among places and in the folders among them, those of a folder in order.

    Raises:
        InputError: a place is not there, or holds no bundle.
    """
    found: list[Path] = []
    for place in places:
        if not place.is_dir():
            raise InputError(f"There is no folder {place}. Give what `xai-tf explain` wrote.")
        inside = sorted(path.parent for path in place.rglob(MANIFEST))
        here = [path for path in inside if not _hidden(path.relative_to(place))]
        if not here:
            raise InputError(
                f"{place} holds no bundle: there is no {MANIFEST} in it. Give what "
                "`xai-tf explain --out` wrote."
            )
        found += here
    return list(dict.fromkeys(found))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        InputError: there is none, or it is no manifest of ours.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
        if {"model", "input", "explanations"} <= set(manifest):
            return manifest
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Explain again.") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}). Explain again.") from error
    raise InputError(f"{path} is no manifest of a bundle. Give what `xai-tf explain` wrote.")


def kept_answer(folder: Path, question: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """The manifest of a bundle, if it answers a question about just this file; else None.

    Args:
        folder: of the bundle, which need not be there.
        question: as it was given to `save_bundle`.
        file: which need not be there either: then there is no answer.
    """
    try:
        manifest = read_manifest(folder)
        same = manifest["input"]["sha256"] == file_sha256(file)
    except (InputError, OSError, KeyError):
        return None
    return manifest if same and manifest.get("question") == question else None


def differences(folder: Path, question: Mapping[str, Any]) -> list[str]:
    """What else was asked when a bundle was made, in words; empty where there is none."""
    try:
        asked = read_manifest(folder).get("question")
    except InputError:
        return []
    if asked is None:
        return ["not recorded"]
    return [name for name in question if asked.get(name) != question[name]]


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed run was writing in a folder, once it was not touched for an hour."""
    for scratch in folder.glob(f"{SCRATCH}*"):
        places = [scratch, *scratch.glob("*")]
        if scratch.is_dir() and time.time() - max(map(_changed, places)) > LEFT_SECONDS:
            shutil.rmtree(scratch, ignore_errors=True)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone meanwhile
        return 0.0
