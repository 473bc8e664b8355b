"""Draw regions as outlines over the image, each with its share of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.regions.audit import AuditedFile, RegionShare
from xai_tf.regions.marked import MARKED, PEOPLE
from xai_tf.regions.registry import PARTITIONS
from xai_tf.rendering.heatmaps import headline, outlined, overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(audited: AuditedFile) -> Figure:
    """One panel per partition: the overlay, the regions, and their shares of the evidence."""
    from xai_tf.rendering.figures import ReadableFigure

    partitions = audited.regions.partitions
    plot = ReadableFigure(figsize=(4 * len(partitions), 4.4), dpi=100, layout="constrained")
    panels = np.atleast_1d(plot.subplots(1, len(partitions)))
    picture = overlay(audited.explanation)
    for panel, (name, masks) in zip(panels, partitions.items(), strict=True):
        rows = [row for row in audited.audit.rows if row.partition == name]
        panel.imshow(outlined(picture, np.argmax(list(masks.values()), axis=0)))
        panel.set(xticks=[], yticks=[])
        if name == PEOPLE:
            # A label would hide what is marked, which may be small.
            panel.set_title(_people_title(rows), fontsize=9)
            continue
        panel.set_title(PARTITIONS[name].title, fontsize=9)
        for row in rows:
            _label(panel, masks[row.region], row)
    plot.suptitle(headline(audited.explanation, audited.mark), fontsize=10, parse_math=False)
    return plot


def _people_title(rows: Sequence[RegionShare]) -> str:
    row = next(row for row in rows if row.region == MARKED)
    share = "no signal" if row.share is None else f"{row.share:.0%} of the evidence"
    return f"Marked by people: {share}, {row.area:.1%} of the area"


def _label(panel: Axes, mask: np.ndarray, row: RegionShare) -> None:
    """Write the share of a region where it is widest; on red if its limit is exceeded."""
    from scipy import ndimage

    if not mask.any():
        return
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    wide = np.argwhere(depth > 0.95 * depth.max())
    center = np.array(mask.shape) / 2
    down, right = wide[np.linalg.norm(wide - center, axis=1).argmin()]
    share = "no signal" if row.share is None else f"{row.share:.0%}"
    panel.text(
        right,
        down,
        f"{row.region}\n{share}",
        color="white",
        fontsize=7,
        ha="center",
        va="center",
        bbox={"facecolor": "darkred" if row.alarm else "black", "alpha": 0.6, "pad": 1.5},
    )
