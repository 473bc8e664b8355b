"""What can go wrong, in words for the person who can put it right."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")

# The packages that each optional extra of `pip install 'xai-tf[...]'` brings.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "audio": ("librosa", "soundfile"),
    "tuning": ("keras_tuner", "filelock"),
    "dashboard": ("panel", "panel_material_ui", "filelock"),
    "llm": ("ollama", "httpx"),
}


class XaiTfError(Exception):
    """A problem the user can solve; its text names the file, the cause and the next step."""


class InputError(XaiTfError):
    """A file that cannot be read as what it should be."""


class OutputError(XaiTfError):
    """A place that cannot be written to."""


class ModelError(XaiTfError):
    """A model that cannot be loaded, trusted or explained."""


class UnknownNameError(XaiTfError):
    """A name that stands in no table."""


class SettingError(XaiTfError):
    """A setting out of its range."""


class MissingExtraError(XaiTfError):
    """An optional package that is not installed; the text says how to install it."""


def require_extra(extra: str) -> None:
    """Check that an optional extra is installed, before its packages are imported.

    Args:
        extra: a name in `EXTRAS`.

    Raises:
        MissingExtraError: a package of the extra is missing.
    """
    missing = [name for name in EXTRAS[extra] if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"Cannot import {' and '.join(missing)}, which this feature needs. "
            f"Run: pip install 'xai-tf[{extra}]'"
        )


def pick(table: Mapping[str, T], name: str, kind: str) -> T:
    """Look `name` up in a table of `kind`s.

    Raises:
        UnknownNameError: there is none; the text offers the nearest name.
    """
    if name in table:
        return table[name]
    raise UnknownNameError(f"There is no {kind} {name!r}. {nearest(name, list(table))}")


def nearest(name: str, names: list[str]) -> str:
    """Say which of `names` the user may have meant: one sentence."""
    folded = {_fold(known): known for known in names}
    close = get_close_matches(_fold(name), list(folded), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {folded[close[0]]!r}?"
    return f"Choose from: {', '.join(names)}." if names else "There are none yet."


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
