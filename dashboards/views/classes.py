"""The classes of a model as options of a select widget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def class_options(classes: Sequence[str]) -> dict[str, int]:
    """Class index by name, in the model's order; duplicate names get their index appended."""
    count = Counter(classes)
    return {
        name if count[name] == 1 else f"{name} ({label})": label
        for label, name in enumerate(classes)
    }
