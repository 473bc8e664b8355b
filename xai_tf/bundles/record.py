"""The content of a report: a file, and the answers of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from weights_keras import ModelCard
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.rendering import heatmaps


@dataclass(frozen=True, eq=False)
class Recording:
    """A long recording over time.

    Attributes:
        spans: first and last second of each window.
        predictions: what is said of each.
        picture: PNG bytes of `pictures.timeline`.
    """

    spans: tuple[tuple[float, float], ...]
    predictions: tuple[Prediction, ...]
    picture: bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportItem:
    """A file and the answers of one model.

    Attributes:
        reading: the file, as it was read and predicted; of a bundle, the windows explained only.
        explanations: of its windows, in the order they are shown.
        model: `xai_tf.bundles.write.describe_classifier`'s description.
        sentences: the prediction in words, in paragraphs made by the page.
        map_sentences: each explanation in words, or none.
        card: of the model, or None.
        scores: of each explanation, as `xai_tf.metrics.tables` describes them; or none.
        audits: of each explanation, as `bundles.write.describe_audit` describes them; or none.
        marks: how each explanation fits what people marked, as
            `regions.mark_tables.describe_judgment` describes it; or none.
        verdicts: on each explanation, as `xai_tf.trust` describes them; or none.
        timeline: all windows of a long recording, where `reading` holds but some.
    """

    reading: Reading
    explanations: tuple[Explanation, ...]
    model: Mapping[str, Any]
    sentences: tuple[str, ...] = ()
    map_sentences: tuple[str, ...] = ()
    card: ModelCard | None = None
    scores: tuple[tuple[Mapping[str, Any], ...], ...] = ()
    audits: tuple[Mapping[str, Any], ...] = ()
    marks: tuple[Mapping[str, Any], ...] = ()
    verdicts: tuple[Mapping[str, Any], ...] = ()
    timeline: Recording | None = None

    @property
    def title(self) -> str:
        """The file and what is predicted."""
        return f"{self.reading.source.name}: {readable(self.reading.prediction.answer)}"

    @property
    def truth(self) -> str | None:
        """The true class, where it is known."""
        label = self.reading.samples[0].label
        return None if label is None else self.reading.prediction.classes[label]

    @property
    def correct(self) -> bool:
        """Whether the true class is predicted; with several labels whether it is among them."""
        return self.reading.samples[0].label in self.reading.prediction.findings

    @property
    def recording(self) -> Recording | None:
        """The file over time, if it is a long recording."""
        if self.timeline or len(self.reading.samples) < 2:
            return self.timeline
        file = BytesIO()
        heatmaps.timeline(self.reading).savefig(file, format="png")
        spans = tuple(
            (float(sample.sound.seconds[0]), float(sample.sound.seconds[-1]))
            for sample in self.reading.samples
            if sample.sound
        )
        return Recording(spans, self.reading.predictions, file.getvalue())
