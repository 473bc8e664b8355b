"""The report of the mistakes of a classifier, as a page and as plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from xai_tf.bundles.write import describe_classifier
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError
from xai_tf.evaluation.by_group import GroupResults
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.mistakes import Mistake
from xai_tf.evaluation.nearest import Neighbor
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.robustness import CorruptionResults
from xai_tf.narration.notices import NOTICE
from xai_tf.packages import versions
from xai_tf.reports.estimates import corruptions_section, groups_section
from xai_tf.reports.html import (
    BACK_TO_OVERVIEW,
    Link,
    document,
    facts,
    header,
    heading,
    navigation,
    paragraph,
    section,
    table,
)
from xai_tf.reports.marks import MistakeMarks, described_of, marks_sentence
from xai_tf.reports.panels import STYLE, player, small_picture
from xai_tf.reports.sections import explanation_details, model_section

Results = TypeVar("Results", bound=EvaluationResults | LabelResults)
One = TypeVar("One", bound=Mistake)


@dataclass(frozen=True, eq=False)
class MistakesReport(ABC, Generic[Results, One]):
    """What all reports of mistakes have in common; a subclass tells what a mistake is.

    Attributes:
        classifier: the classifier that was evaluated.
        results: its results on all files.
        mistakes: the mistakes to show, the worst first.
        left_out: (file, reason) of what could not be read, including training samples.
        marks: what people marked in the files, where that was given.
        groups: the results on each group, where groups were given.
        corruptions: how far the answers hold, where that was measured.
    """

    classifier: Classifier
    results: Results
    mistakes: Sequence[One]
    left_out: Sequence[tuple[Path, str]] = ()
    marks: MistakeMarks | None = None
    groups: GroupResults | None = None
    corruptions: CorruptionResults | None = None

    def page(self, opacity: float = 0.7) -> str:
        """A self-contained HTML page.

        Args:
            opacity: opacity of the maps in overlays.
        """
        predictions, classifier = self.results.predictions, self.classifier
        title = f"What {classifier.name} gets wrong in {predictions.folder.name}"
        name, title_of_counts, counts = self._counts()
        parts = {
            "overview": ("Overview", self._overview()),
            name: (title_of_counts, counts),
            "groups": ("By group", groups_section(self.groups) if self.groups else ""),
            "corruptions": (
                "Corruptions",
                corruptions_section(self.corruptions) if self.corruptions else "",
            ),
            "marks": ("What people marked", self.marks.section() if self.marks else ""),
            "left-out": ("Left out", self._left_out()),
            "model": ("The model", model_section(describe_classifier(classifier), classifier.card)),
            "made-with": ("Created with", facts(versions(), "Versions")),
        }
        shown = {name: part for name, part in parts.items() if part[1]}
        links = [Link(part_title, name) for name, (part_title, _) in shown.items()]
        first = "".join(section(one, *shown.pop(one)) for one in ("overview", name))
        sections = "".join(
            self._section(number, mistake, opacity)
            for number, mistake in enumerate(self.mistakes, 1)
        )
        rest = "".join(section(name, *part) for name, part in shown.items())
        head = header(title, paragraph(NOTICE, "warning"), navigation("Parts", links))
        return document(title, f"{head}<main>{first}{sections}{rest}</main>", STYLE)

    def to_dict(self) -> Mapping[str, Any]:
        """The report as plain data, without the maps."""
        predictions = self.results.predictions
        return {
            "model": describe_classifier(self.classifier),
            "folder": str(predictions.folder),
            "files": len(predictions.files),
            "classes": list(self.classifier.classes),
            **self._described_counts(),
            "measures": [vars(measure) for measure in self.results.measures()],
            "unwarned": [str(predictions.files[n]) for n in np.flatnonzero(self.results.unwarned)],
            "groups": self.groups and self.groups.to_dict(),
            "corruptions": self.corruptions and self.corruptions.to_dict(),
            "mistakes": [
                {
                    "file": str(mistake.path),
                    **self._described(mistake),
                    "warnings": list(mistake.warnings),
                    "similar": [self._described_neighbor(one) for one in mistake.similar],
                    "marks": described_of(self.marks, number),
                }
                for number, mistake in enumerate(self.mistakes)
            ],
            "marks": self.marks and self.marks.described([one.path for one in self.mistakes]),
            "left_out": [
                {"file": str(path), "reason": why}
                for path, why in (*predictions.skipped, *self.left_out)
            ],
        }

    @abstractmethod
    def _summary(self) -> tuple[int, str]:
        """The number of all mistakes, and a sentence on it."""

    @abstractmethod
    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]], str]:
        """The table of the mistakes: head and rows without the file, and what a caption adds."""

    @abstractmethod
    def _counts(self) -> tuple[str, str, str]:
        """Name, title and content of the section that counts all files."""

    @abstractmethod
    def _statement(self, mistake: One) -> tuple[str, str, str]:
        """What follows the file in a title, what is wrong, and the probabilities."""

    @abstractmethod
    def _explained(self, mistake: One) -> str:
        """The name of the class that the explained window speaks most for."""

    @abstractmethod
    def _maps(self, mistake: One, opacity: float, marked: np.ndarray | None) -> str:
        """The maps of a mistake with the outlines of what is marked, and their warnings."""

    @abstractmethod
    def _shares_answer(self, mistake: One, neighbor: Neighbor) -> bool:
        """Whether a training sample is of the class that was predicted, or has the label."""

    @abstractmethod
    def _answer(self, mistake: One) -> str:
        """What is said of the training samples that share the answer: "are Edema"."""

    @abstractmethod
    def _described_counts(self) -> dict[str, Any]: ...

    @abstractmethod
    def _described(self, mistake: One) -> dict[str, Any]: ...

    def _overview(self) -> str:
        """The performance, and a sortable table of the mistakes."""
        num_wrong, summary = self._summary()
        predictions, unwarned = self.results.predictions, self.results.unwarned
        if num_wrong > len(self.mistakes) > 0:
            summary += f" The {len(self.mistakes)} most confident ones are shown below."
        measures = "".join(paragraph(f"{m.name} {m}") for m in self.results.measures())
        names = [predictions.name_of(predictions.files[n]) for n in np.flatnonzero(unwarned)]
        listed = paragraph(f"Wrong with p > 0.9 and not warned of: {some(names, 20)}.", "warning")
        text = paragraph(summary) + measures + (listed if names else "")
        if not self.mistakes:
            return text
        head, cells, more = self._table()
        rows = [
            [Link(mistake.name, f"mistake{number}"), *row]
            for number, (mistake, row) in enumerate(zip(self.mistakes, cells, strict=True), 1)
        ]
        caption = f"The most confident mistakes{more}"
        return text + table(("file", *head), rows, caption, sortable=True)

    def _left_out(self) -> str:
        skipped = (*self.results.predictions.skipped, *self.left_out)
        rows = [[path.name, why] for path, why in skipped]
        return table(("file", "reason"), rows, "Files that could not be used") if rows else ""

    def _section(self, number: int, mistake: One, opacity: float) -> str:
        addition, statement, probabilities = self._statement(mistake)
        marked = self.marks.maps[number - 1] if self.marks else None
        sound, window = mistake.sample.sound, ""
        if sound is not None:
            window = (
                f" The explanation is of the window from {sound.seconds[0]:.2f} to "
                f"{sound.seconds[-1]:.2f} s, which has the strongest evidence for "
                f"{self._explained(mistake)}."
            )
        return section(
            f"mistake{number}",
            f"{number}. {mistake.name}{addition}",
            paragraph(statement, "warning"),
            paragraph(f"{probabilities}.{window}"),
            *(paragraph(text, "warning") for text in mistake.warnings),
            player(mistake.sample),
            paragraph(marks_sentence(marked)) if marked else "",
            self._maps(mistake, opacity, None if marked is None else marked.mask),
            explanation_details(mistake.map),
            self._similar(mistake) if mistake.similar else "",
            BACK_TO_OVERVIEW,
        )

    def _similar(self, mistake: One) -> str:
        """The most similar training samples as small images with their classes or labels."""
        same = sum(self._shares_answer(mistake, one) for one in mistake.similar)
        count, answer = len(mistake.similar), self._answer(mistake)
        summary = f"{same} of the {count} nearest training samples {answer}."
        leakage = (
            "This file is itself a training sample, so the mistake says nothing about new files."
        )
        has_leakage = any(one.same_file for one in mistake.similar)
        images = "".join(map(self._small, mistake.similar))
        return (
            heading("Most similar training samples")
            + paragraph(summary)
            + (paragraph(leakage, "warning") if has_leakage else "")
            + f'<div class="smalls">{images}</div>'
        )

    def _small(self, one: Neighbor) -> str:
        name = ", ".join(self._names(one)) or "no label"
        caption = f"{name}: {one.sample.path.name}, distance {one.distance:.2f}"
        try:
            windows = self.classifier.windows(one.sample.path)
        except InputError as error:
            return paragraph(f"Cannot read {caption}: {error}", "soft")
        return small_picture(windows[one.sample.window], f"A training sample of {name}", caption)

    def _described_neighbor(self, one: Neighbor) -> dict[str, Any]:
        return {
            "file": str(one.sample.path),
            **self._described_names(one),
            "window": one.sample.window,
            "distance": one.distance,
            "same_file": one.same_file,
        }

    def _described_names(self, one: Neighbor) -> dict[str, Any]:
        return {"labels": self._names(one)}

    def _names(self, one: Neighbor) -> list[str]:
        """The names of the class, or of all labels, of a training sample."""
        return [self.classifier.classes[label] for label in one.sample.labels]
