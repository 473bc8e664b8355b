"""Audit an explanation: how much evidence is in which region, and whether it belongs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.attribution.question import resolve_classes
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.regions.partition import Limit
from xai_tf.regions.registry import PARTITIONS, Regions, regions_of

SILENT = "the map has no signal, so there is no evidence to audit. Try another method or class."

Shares = tuple[float | None, float | None, float | None]  # all, supporting, opposing


@dataclass(frozen=True, kw_only=True)
class RegionShare:
    """The share of an explanation in one region.

    Attributes:
        partition, region: their names.
        area: share of the image, 0 to 1.
        share: share of the map's strength (absolute values), 0 to 1; None for a map without signal.
        ratio: share divided by area, 1 for average density; None where the area is 0 or the map has
            no signal.
        supporting, opposing: share of the evidence for the class, and against it; None for an
            unsigned method or where there is no such evidence.
        alarm: whether the limit of the region is exceeded.
        guess: whether it is uncertain that the region is where it is said to be.
    """

    partition: str
    region: str
    area: float
    share: float | None
    ratio: float | None
    supporting: float | None
    opposing: float | None
    alarm: bool
    guess: bool = False


@dataclass(frozen=True)
class Audit:
    """Where the evidence of one explanation is.

    Attributes:
        source: the file.
        rows: one per region.
        warnings: what could not be found or audited, a sentence each.
    """

    source: Path
    rows: tuple[RegionShare, ...]
    warnings: tuple[str, ...]

    @property
    def alarms(self) -> tuple[str, ...]:
        """Evidence that is where it should not be, a sentence each."""
        return tuple(_alarm_text(row) for row in self.rows if row.alarm)


@dataclass(frozen=True, eq=False)
class AuditedFile:
    """A file with its explanation, regions and audit.

    Attributes:
        explanation: the explanation that was audited.
        regions: the regions of its sample.
        audit: the result.
        mark: the warning to show in figures, `Reading.ood_caption`.
    """

    explanation: Explanation
    regions: Regions
    audit: Audit
    mark: str = ""


def audit(explanation: Explanation, regions: Regions | None = None) -> Audit:
    """Measure how much of an explanation is in each region, and raise alarms.

    There is an alarm where a region has more of the strength, and at a higher density, than its
    `Limit` allows, but none in regions that are a guess. A map without signal (NaN or constant) has
    no shares and raises no alarms.

    Args:
        explanation: the explanation to audit.
        regions: the regions of its sample; the partition "frame" if left out.

    Raises:
        InputError: a region does not have the size of the map.
    """
    regions = regions or regions_of(explanation.sample)
    attribution = explanation.attribution.astype(np.float64)
    silent = not has_signal(explanation.attribution)
    rows = []
    for partition, masks in regions.partitions.items():
        guess = partition in regions.guessed
        limits = PARTITIONS[partition].limits if partition in PARTITIONS and not guess else {}
        for region, mask in masks.items():
            if mask.shape != attribution.shape:
                raise InputError(
                    f"The region {region!r} has the size {mask.shape}, but the map of "
                    f"{explanation.sample.source} has {attribution.shape}. Use the regions of the "
                    "sample that was explained."
                )
            shares: Shares = (None, None, None)
            if not silent:
                shares = _shares(attribution, mask, explanation)
            row = _region_share(partition, region, mask, shares, limits.get(region))
            rows.append(replace(row, guess=guess))
    source, warnings = explanation.sample.source, regions.warnings
    if silent:
        warnings = (*warnings, f"{source.name}: {SILENT}")
    return Audit(source, tuple(rows), warnings)


def audit_file(
    classifier: Classifier,
    path: str | Path,
    method: str = DEFAULT_METHOD,
    target: str | int | None = None,
    by: Sequence[str] = (),
) -> AuditedFile:
    """Explain a file and audit the explanation; for a long recording, its most decisive window.

    Args:
        classifier: the classifier to explain; its task selects the partitions.
        path: the file.
        method: a name in `METHODS`.
        target: the class to explain, by name or index; the predicted one if left out.
        by: names in `PARTITIONS`; those of the task if left out.

    Raises:
        InputError: the file cannot be read.
        UnknownNameError: there is no such method, class or partition.
    """
    reading = read_and_predict(classifier, path)
    label, _ = resolve_classes(classifier, reading.prediction, target)
    number = reading.most_decisive(classifier.target(label), 1)[0]
    explanation = explain(classifier, reading.samples[number], method, target=label)
    regions = regions_of(explanation.sample, classifier.task, by)
    result = audit(explanation, regions)
    warnings = [f"{reading.source.name}: {text}" for text in reading.explanation_warnings]
    result = replace(result, warnings=(*warnings, *result.warnings))
    return AuditedFile(explanation, regions, result, reading.ood_caption)


def _shares(attribution: np.ndarray, mask: np.ndarray, explanation: Explanation) -> Shares:
    share = _share(np.abs(attribution), mask)
    if not explanation.method.signed:
        return share, None, None
    return (
        share,
        _share(np.maximum(attribution, 0), mask),
        _share(np.maximum(-attribution, 0), mask),
    )


def _share(strength: np.ndarray, mask: np.ndarray) -> float | None:
    return float(strength[mask].sum() / strength.sum()) if strength.any() else None


def _region_share(
    partition: str, region: str, mask: np.ndarray, shares: Shares, limit: Limit | None
) -> RegionShare:
    (share, supporting, opposing), area = shares, float(mask.mean())
    ratio, alarm = None, False
    if share is not None and area:
        ratio = share / area
        alarm = limit is not None and share > limit.share and ratio > limit.ratio
    return RegionShare(
        partition=partition,
        region=region,
        area=area,
        share=share,
        ratio=ratio,
        supporting=supporting,
        opposing=opposing,
        alarm=alarm,
    )


def _alarm_text(row: RegionShare) -> str:
    return (
        f"{row.share:.0%} of the evidence is in {row.region!r} ({row.area:.1%} of the image), "
        "where little is expected. Mask this region and predict again: does the answer change?"
    )
