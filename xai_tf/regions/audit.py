"""How much evidence lies in which region, and whether that is where it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.attribution.diagnostics import drawable
from xai_tf.attribution.explain import explain, question
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.regions.partition import Limit
from xai_tf.regions.registry import PARTITIONS, Regions, regions_of

SILENT = "the map has no signal, so there is no evidence to audit. Try another method or class."


@dataclass(frozen=True)
class RegionShare:
    """What a region holds of an explanation.

    Attributes:
        partition, region: their names.
        area: share of the picture, 0 to 1.
        share: of the map's strength (absolute values), 0 to 1; None for a map without signal.
        ratio: share to area: 1 where evidence is as dense as in the mean; None where the area is 0
            or the map has no signal.
        supporting, opposing: share of what speaks for the class, and against it; None for an
            unsigned method or where nothing does.
        alarm: whether it is beyond the region's limit.
    """

    partition: str
    region: str
    area: float
    share: float | None
    ratio: float | None
    supporting: float | None
    opposing: float | None
    alarm: bool


@dataclass(frozen=True)
class Audit:
    """Where the evidence of one explanation lies.

    Attributes:
        source: the file.
        rows: one for each region.
        warnings: what could not be found or audited, a sentence each.
    """

    source: Path
    rows: tuple[RegionShare, ...]
    warnings: tuple[str, ...]

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is where it should not be, a sentence each."""
        return tuple(_alarm_text(row) for row in self.rows if row.alarm)


@dataclass(frozen=True, eq=False)
class AuditedFile:
    """A file, explained, parted and audited; `mark` is that of the reading."""

    explanation: Explanation
    regions: Regions
    audit: Audit
    mark: str = ""


def audit(explanation: Explanation, regions: Regions | None = None) -> Audit:
    """Say how much of an explanation lies in each region, and raise alarms.

    There is an alarm where a region holds more of the strength than its `Limit` allows, and more
    densely. A map without signal (NaN, or the same everywhere) has no shares and raises none. A
    region that is empty holds nothing.

    Args:
        explanation: what to audit.
        regions: those of its sample; parted by its frame alone if left out.

    Raises:
        InputError: a region has not the size of the map.
    """
    regions = regions or regions_of(explanation.sample)
    attribution = explanation.attribution.astype(np.float64)
    silent = not drawable(explanation.attribution)
    rows = []
    for partition, masks in regions.partitions.items():
        limits = PARTITIONS[partition].limits if partition in PARTITIONS else {}
        for region, mask in masks.items():
            if mask.shape != attribution.shape:
                raise InputError(
                    f"The region {region!r} is {mask.shape} pixels, the map of "
                    f"{explanation.sample.source} {attribution.shape}. Part the sample that was "
                    "explained."
                )
            shares = (None, None, None) if silent else _shares(attribution, mask, explanation)
            rows.append(_held(partition, region, mask, shares, limits))
    source, warnings = explanation.sample.source, regions.warnings
    if silent:
        warnings = (*warnings, f"{source.name}: {SILENT}")
    return Audit(source, tuple(rows), warnings)


def audit_file(
    classifier: Classifier,
    path: str | Path,
    method: str = "grad_cam",
    target: str | int | None = None,
    by: Sequence[str] = (),
) -> AuditedFile:
    """Explain a file and audit the explanation; of a long recording the window that decides most.

    Args:
        classifier: what predicts; its task says how the file is parted.
        path: the file.
        method: a name in `METHODS`.
        target: the class to explain, by name or index; the predicted one if left out.
        by: names in `PARTITIONS`; those of the task if left out.

    Raises:
        InputError: the file cannot be read.
        UnknownNameError: no such method, class or partition.
    """
    reading = read_and_predict(classifier, path)
    label, _ = question(classifier, reading.prediction, target)
    number = reading.most_decisive(classifier.target(label), 1)[0]
    explanation = explain(classifier, reading.samples[number], method, target=label)
    regions = regions_of(explanation.sample, classifier.task, by)
    found = audit(explanation, regions)
    told = [f"{reading.source.name}: {text}" for text in reading.explanation_warnings]
    found = replace(found, warnings=(*told, *found.warnings))
    return AuditedFile(explanation, regions, found, reading.ood_caption)


def _shares(
    attribution: np.ndarray, mask: np.ndarray, explanation: Explanation
) -> tuple[float, float | None, float | None]:
    strength = np.abs(attribution)
    share = float(strength[mask].sum() / strength.sum())
    if not explanation.method.signed:
        return share, None, None
    sides = [np.maximum(attribution, 0), np.maximum(-attribution, 0)]
    return share, *(float(side[mask].sum() / side.sum()) if side.any() else None for side in sides)


def _held(
    partition: str,
    region: str,
    mask: np.ndarray,
    shares: tuple[float | None, float | None, float | None],
    limits: Mapping[str, Limit],
) -> RegionShare:
    share, area = shares[0], float(mask.mean())
    ratio = share / area if area and share is not None else None
    limit = limits.get(region)
    alarm = bool(limit and ratio is not None and share > limit.share and ratio > limit.ratio)
    return RegionShare(partition, region, area, share, ratio, *shares[1:], alarm)


def _alarm_text(row: RegionShare) -> str:
    return (
        f"{row.share:.0%} of the evidence in {row.area:.1%} of the picture, {row.region!r}, where "
        "little should be. Hide what is there and predict again: does the answer hold?"
    )
