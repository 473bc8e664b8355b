"""The packages that are installed: their versions, and the optional extras."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from xai_tf.errors import MissingExtraError

# The packages that each optional extra of `pip install 'xai-tf[...]'` installs.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "audio": ("librosa", "soundfile"),
    "tuning": ("keras_tuner", "filelock"),
    "dashboard": ("panel", "panel_material_ui", "filelock"),
    "llm": ("ollama", "httpx"),
    "dicom": ("pylibjpeg", "pylibjpeg_openjpeg", "pylibjpeg_rle", "python_gdcm"),
    "nifti": ("nibabel",),
    "heic": ("pi_heif",),
}
# The modules of packages that are imported by another name.
MODULES = {"pylibjpeg_openjpeg": "openjpeg", "pylibjpeg_rle": "rle", "python_gdcm": "gdcm"}

# What a result depends on; the optional ones are left out where they are not installed.
RECORDED = ("xai-tf", "tensorflow", "keras", "xplique", "keras-tuner", "librosa", "numpy")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages a result depends on; nothing is imported."""
    found = {name: installed for name in RECORDED if (installed := _version(name))}
    return {"python": platform.python_version(), **found}


def require_extra(extra: str) -> None:
    """Check that an optional extra is installed, before its packages are imported.

    Args:
        extra: a name in `EXTRAS`.

    Raises:
        MissingExtraError: a package of the extra is missing; the text says how to install it.
    """
    if missing := _missing(extra):
        raise MissingExtraError(
            f"Cannot import {', '.join(missing)}, which this feature needs. "
            f"Run: pip install 'xai-tf[{extra}]'"
        )


def has_extra(extra: str) -> bool:
    """Whether an optional extra, a name in `EXTRAS`, is installed."""
    return not _missing(extra)


def _missing(extra: str) -> list[str]:
    return [name for name in EXTRAS[extra] if find_spec(MODULES.get(name, name)) is None]


@cache  # the page asks hundreds of times a minute, and each look on disk takes milliseconds
def _version(package: str) -> str | None:
    # TensorFlow for the processor alone is a package with a name of its own.
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
