"""Summarize the audits of many files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.regions.audit import Audit, RegionShare
from xai_tf.regions.registry import PARTITIONS
from xai_tf.statistics import bootstrap, wilson

FALSE_ALARMS = 0.05  # share of a sound model's files that may exceed a limit
MIN_FILES = 10  # before missing evidence is reported
MIN_ALARMS = 2  # before "too many" is reported, because one file may be an exception
# With a model that uses only the lungs or the brain, Grad-CAM at 7x7 cells would have 2.7 or 3.0.
MIN_DENSITY = 1.25


@dataclass(frozen=True, kw_only=True)
class FolderRow:
    """The share of one region in the explanations of many files.

    Attributes:
        partition, region: their names.
        area: mean share of the image, 0 to 1.
        share, low, high: mean share of the strength, with its 95% interval; None for one file.
        ratio: mean share divided by mean area; None where the area is 0.
        files: number of files that have the region, and a map with signal.
        alarms: number of those files that exceed the limit of the region.
        alarm: what is wrong, or "". Either too many files exceed the limit (two or more, and the
            Wilson interval of their share is above 5%); or evidence is expected here, and in ten
            files or more its interval is below 1.25 times what the area has by chance.
    """

    partition: str
    region: str
    area: float
    share: float
    low: float | None
    high: float | None
    ratio: float | None
    files: int
    alarms: int
    alarm: str


def audit_folder(audits: Sequence[Audit]) -> tuple[FolderRow, ...]:
    """Summarize audits, with one row for each region that any of them has.

    Intervals are from a percentile bootstrap over the files, with 1,000 draws and a fixed seed. One
    file has none, because it says nothing of how files differ.
    Files whose map has no signal are left out.
    """
    by_region: dict[tuple[str, str], list[RegionShare]] = {}
    for audit in audits:
        for row in audit.rows:
            if row.share is not None:
                by_region.setdefault((row.partition, row.region), []).append(row)
    return tuple(_folder_row(*names, rows) for names, rows in by_region.items())


def _folder_row(partition: str, region: str, rows: list[RegionShare]) -> FolderRow:
    shares = np.array([row.share for row in rows])
    low, high = bootstrap(shares)
    area, share = float(np.mean([row.area for row in rows])), float(shares.mean())
    alarms, alarm = sum(row.alarm for row in rows), ""
    if alarms >= MIN_ALARMS and wilson(alarms, len(rows))[0] > FALSE_ALARMS:
        alarm = "too much evidence in too many files"
    elif (
        partition in PARTITIONS
        and region in PARTITIONS[partition].expected
        and len(rows) >= MIN_FILES
        and high is not None
        and high < MIN_DENSITY * area
    ):
        alarm = "hardly more evidence than by chance"
    return FolderRow(
        partition=partition,
        region=region,
        area=area,
        share=share,
        low=low,
        high=high,
        ratio=share / area if area else None,
        files=len(rows),
        alarms=alarms,
        alarm=alarm,
    )
