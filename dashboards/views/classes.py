"""The classes of a model as the options of a select."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def class_options(classes: Sequence[str]) -> dict[str, int]:
    """Index by name, in the model's order; a name that stands there twice is told by its number."""
    count = Counter(classes)
    return {
        name if count[name] == 1 else f"{name} ({label})": label
        for label, name in enumerate(classes)
    }
