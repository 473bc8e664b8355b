"""Files that a visitor gives at once, and what is said about those that were not taken."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.language import t

MOST_NAMED = 8


@dataclass(frozen=True)
class Drop:
    """Files that were given at once.

    Attributes:
        number: tells it from others of the same page.
        count: the number of files.
    """

    number: int
    count: int = 1


class Rejections:
    """Why files of the last drop were not taken, told together.

    Attributes:
        text: a line for each file under a heading; empty where all were taken.
    """

    def __init__(self) -> None:
        self.text = ""
        self._drop: Drop | None = None
        self._reasons: list[str] = []

    def begin(self, drop: Drop | None) -> None:
        """A file of a drop has come; those of an earlier one are not counted with it."""
        if drop is None or drop != self._drop:
            self._drop, self._reasons, self.text = drop, [], ""

    def add(self, reason: str) -> str:
        """Add why a file of this drop was not taken; the `text` with it."""
        self._reasons.append(reason)
        if self._drop is None or self._drop.count == 1:
            self.text = reason
            return reason
        more = len(self._reasons) - MOST_NAMED
        lines = [
            t(
                "{count} of {total} files were not taken:",
                count=len(self._reasons),
                total=self._drop.count,
            ),
            *self._reasons[:MOST_NAMED],
            *([t("And {count} more.", count=more)] if more > 0 else []),
        ]
        self.text = "\n".join(lines)
        return self.text
