"""The classes of a model as options of a select widget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def readable(name: str) -> str:
    """A class name for people: "Irish_wolfhound" becomes "Irish wolfhound"."""
    return name.replace("_", " ").strip() or name


def class_options(classes: Sequence[str]) -> dict[str, int]:
    """Class index by name, in the model's order; duplicate names get their index appended."""
    names = [readable(name) for name in classes]
    count = Counter(names)
    return {
        name if count[name] == 1 else f"{name} ({label})": label for label, name in enumerate(names)
    }
