"""The manifest of a bundle: how it is named, and read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xai_tf.bundles import first_edition
from xai_tf.errors import InputError

SCHEMA_VERSION = 3
MANIFEST = "manifest.json"
ARRAYS = "attributions.npz"


def bundle_names(files: Sequence[Path]) -> list[str]:
    """A folder name for each file: its stem, numbered where two share one."""
    names: dict[str, None] = {}
    for file in files:
        name, number = file.stem, 2
        while name in names:
            name, number = f"{file.stem}-{number}", number + 1
        names[name] = None
    return list(names)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        InputError: there is none, or it is no manifest of ours, or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Explain the file again."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}). Explain the file again.") from error
    if not isinstance(manifest, dict) or not {"model", "input", "explanations"} <= set(manifest):
        raise InputError(
            f"{path} is not a bundle manifest. Give a folder written by `xai-tf explain`."
        )
    if manifest.get("schema_version") == first_edition.SCHEMA_VERSION:
        try:
            return first_edition.upgraded(manifest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path} is damaged ({type(error).__name__}: {error}). Explain the file again."
            ) from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {manifest.get('schema_version')}; this program reads "
            f"{first_edition.SCHEMA_VERSION} and {SCHEMA_VERSION}. Explain the file again."
        )
    if not isinstance(manifest["input"], dict):
        raise InputError(f"{path} is damaged (its input is not an object). Explain the file again.")
    return manifest
