"""The mistakes of a model beside what people marked in the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.listing import counted
from xai_tf.errors import InputError
from xai_tf.evaluation.mistakes import Mistake
from xai_tf.regions.mark_tables import describe_judgment
from xai_tf.regions.marked import ALL, MarkedMap, judge, summarize
from xai_tf.regions.marks import Marks, MatchedMarks
from xai_tf.regions.yardstick import BLIND_TITLES, FIGURES, tolerance_of
from xai_tf.reports.html import paragraph, table


@dataclass(frozen=True, eq=False)
class MistakeMarks:
    """What people marked in the files of mistakes, and how the maps of the answers fit it.

    Attributes:
        source: the file or folder of the marks.
        notes: how they were read, and what was left out, a sentence each.
        unused: the names of files in the marks that are none of the labeled files.
        tolerance: of the pointing game, in pixels of the model's input.
        maps: for each mistake its map of what was predicted, judged; None where its file has no
            marks, or they cannot be placed.
    """

    source: Path
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    tolerance: int
    maps: tuple[MarkedMap | None, ...]

    @property
    def judged(self) -> list[MarkedMap]:
        """The maps that have marks."""
        return [one for one in self.maps if one is not None]

    def section(self) -> str:
        """All mistakes together, as a table of the page."""
        rows = [
            [
                BLIND_TITLES[row.method] if row.blind else METHODS[row.method].title,
                row.files,
                *map(str, (getattr(row, name) for name in FIGURES)),
            ]
            for row in summarize(self.judged)
            if row.answers == ALL
        ]
        head = ("map", "files", *FIGURES.values())
        caption = (
            "Maps of the predicted class beside maps that know nothing of the model, means with "
            "95% intervals. Pointing: the strongest pixel is on a mark or within "
            f"{self.tolerance} pixels of one; strict pointing: it is on a mark. Share: evidence on "
            "the marks; density: that by area. IoU: overlap with as many of the strongest pixels. "
            "AUC: of the map as a ranking of the pixels."
        )
        notes = "".join(paragraph(text, "soft") for text in self.notes)
        return notes + (table(head, rows, caption) if rows else "")

    def described(self, files: Sequence[Path]) -> dict[str, Any]:
        """The same as plain data.

        Args:
            files: those of the mistakes.
        """
        pairs = zip(files, self.maps, strict=True)
        return {
            "source": str(self.source),
            "tolerance": self.tolerance,
            "notes": list(self.notes),
            "unmarked": list(dict.fromkeys(str(path) for path, one in pairs if one is None)),
            "unused": list(self.unused),
            "summary": [asdict(row) for row in summarize(self.judged)],
        }


def judge_mistakes(
    classifier: Classifier, mistakes: Sequence[Mistake], marks: Marks, matched: MatchedMarks
) -> MistakeMarks:
    """Judge the maps of mistakes by what people marked in their files.

    Args:
        classifier: the classifier that made them.
        mistakes: the mistakes.
        marks: from `regions.find_marks`.
        matched: the same.
    """
    maps: list[MarkedMap | None] = []
    notes = [*marks.notes, *matched.notes]
    for mistake in mistakes:
        found = None
        if mistake.path in matched.by_file:
            try:
                found, warnings = judge(classifier, mistake.map, matched.by_file[mistake.path])
                notes += warnings
            except InputError as error:
                notes.append(str(error))
        maps.append(found)
    count = sum(one is not None for one in maps)
    notes.append(f"{count} of {counted(len(maps), 'mistake')} explained have marks.")
    return MistakeMarks(
        source=marks.source,
        notes=tuple(dict.fromkeys(notes)),
        unused=matched.unused,
        tolerance=tolerance_of(classifier.image_size),
        maps=tuple(maps),
    )


def marks_sentence(judged: MarkedMap) -> str:
    """How the map of a mistake fits the marks, in words."""
    if judged.scores is None:
        return f"What people marked is outlined. The map cannot be judged by it: {judged.problem}"
    scores = judged.scores
    points = "points near it" if scores.pointing else "does not point at it"
    points = "points at it" if scores.strict_pointing else points
    share = "" if scores.share is None else f", which has {scores.share:.0%} of its evidence"
    return (
        f"What people marked is outlined, {scores.area:.1%} of the picture{share}. The map of "
        f"{judged.target} {points} with its strongest pixel; AUC {scores.auc:.2f} (0.5 by chance)."
    )


def described_of(marks: MistakeMarks | None, number: int) -> Mapping[str, Any] | None:
    """The judgment of a mistake as plain data; None without marks."""
    found = marks.maps[number] if marks else None
    return None if found is None else describe_judgment(found)
