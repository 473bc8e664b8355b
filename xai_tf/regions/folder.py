"""Audits of many files together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.regions.audit import Audit, RegionShare
from xai_tf.regions.registry import PARTITIONS
from xai_tf.statistics import wilson

DRAWS = 1000
FALSE_ALARMS = 0.05  # of a sound model's files, at most, may be beyond a limit
MIN_FILES = 10  # to say that evidence is missing where it is expected
MIN_ALARMS = 2  # to say "too many": one file has its own
# Of a model that knew the lungs or the brain, Grad-CAM at 7x7 places would have one of 2.7 or 3.0.
MIN_DENSITY = 1.25


@dataclass(frozen=True)
class FolderRow:
    """What a region holds of the explanations of many files.

    Attributes:
        partition, region: their names.
        area: mean share of the picture, 0 to 1.
        share, low, high: mean share of the strength, with its 95% interval.
        ratio: mean share to mean area; None where the area is 0.
        files: how many have the region, and a map with signal.
        alarms: how many of them are beyond the region's limit.
        alarm: what is wrong, or "". Either more files are beyond the limit than a sound model has
            (two or more, and Wilson's interval of their share lies above 5%); or evidence is
            expected here, and its interval lies below 1.25 of what the area holds by chance, over
            ten files or more.
    """

    partition: str
    region: str
    area: float
    share: float
    low: float
    high: float
    ratio: float | None
    files: int
    alarms: int
    alarm: str


def audit_folder(audits: Sequence[Audit]) -> tuple[FolderRow, ...]:
    """Take audits together: one row for each region that any of them has.

    Intervals are those of a percentile bootstrap over the files, 1,000 draws, always the same.
    Files whose map has no signal are left out.
    """
    found: dict[tuple[str, str], list[RegionShare]] = {}
    for audit in audits:
        for row in audit.rows:
            if row.share is not None:
                found.setdefault((row.partition, row.region), []).append(row)
    return tuple(_folder_row(*place, rows) for place, rows in found.items())


def _folder_row(partition: str, region: str, rows: list[RegionShare]) -> FolderRow:
    shares = np.array([row.share for row in rows])
    draws = np.random.default_rng(0).integers(len(rows), size=(DRAWS, len(rows)))
    low, high = map(float, np.percentile(shares[draws].mean(axis=1), (2.5, 97.5)))
    area, share = float(np.mean([row.area for row in rows])), float(shares.mean())
    alarms, alarm = sum(row.alarm for row in rows), ""
    if alarms >= MIN_ALARMS and wilson(alarms, len(rows))[0] > FALSE_ALARMS:
        alarm = "too much, in too many files"
    elif (
        partition in PARTITIONS
        and region in PARTITIONS[partition].expected
        and len(rows) >= MIN_FILES
        and high < MIN_DENSITY * area
    ):
        alarm = "hardly more than by chance"
    return FolderRow(
        partition,
        region,
        area,
        share,
        low,
        high,
        share / area if area else None,
        len(rows),
        alarms,
        alarm,
    )
