"""Bundles that are there already: found, looked into, and told whether they answer a question."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xai_tf.bundles import first_edition
from xai_tf.bundles.write import MANIFEST, SCHEMA_VERSION
from xai_tf.errors import InputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.sample import file_sha256

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
        InputError: there is none, or it is no manifest of ours, or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Explain again.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}). Explain again.") from error
    if not isinstance(manifest, dict) or not {"model", "input", "explanations"} <= set(manifest):
        raise InputError(f"{path} is no manifest of a bundle. Give what `xai-tf explain` wrote.")
    if manifest.get("schema_version") == first_edition.SCHEMA_VERSION:
        try:
            return first_edition.upgraded(manifest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path} is damaged ({type(error).__name__}: {error}). Explain again."
            ) from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has the version {manifest.get('schema_version')}; known here is "
            f"{SCHEMA_VERSION}. Explain again."
        )
    if not isinstance(manifest["input"], dict):
        raise InputError(f"{path} is damaged (its input is no object). Explain again.")
    return manifest


def kept_answer(folder: Path, question: Mapping[str, Any], file: Path) -> dict[str, Any] | None:
    """The manifest of a bundle, if it answers a question about just this file; else None.

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
    """What else was asked when a bundle was made, in words; empty where there is none.

    Args:
        folder: of the bundle, which need not be there.
        question: as it was given to `save_bundle`.
        file: what is asked about now; one that cannot be read is not compared.
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
    return [*other, *(name for name in question if asked.get(name) != question[name])]


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed run was writing in a folder, once it was not touched for an hour."""
    for scratch in folder.glob(f"{SCRATCH}*"):
        places = [scratch, *scratch.glob("*")]
        if scratch.is_dir() and time.time() - max(map(_changed, places)) > LEFT_SECONDS:
            shutil.rmtree(scratch, ignore_errors=True)


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
