"""Draw some of the inputs that an intervention made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xai_tf.interventions.finding import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL = 2.3  # inches


def draw_examples(finding: Finding) -> Figure:
    """One row per example, and the sentence above."""
    from xai_tf.rendering.figures import ReadableFigure

    rows, columns = len(finding.examples), len(finding.examples[0].panels)
    size = (PANEL * columns, PANEL * 1.1 * rows + 0.7)
    plot = ReadableFigure(figsize=size, dpi=100, layout="constrained")
    axes = np.reshape(plot.subplots(rows, columns), (rows, columns))
    for row, example in zip(axes, finding.examples, strict=True):
        for panel, (title, image) in zip(row, example.panels, strict=True):
            panel.imshow(image)
            panel.set(xticks=[], yticks=[])
            panel.set_title(title, fontsize=8, parse_math=False)
    title = finding.sentence or f"{finding.intervention}: {finding.verdict}"
    plot.suptitle(title, fontsize=8, parse_math=False, wrap=True)
    return plot
