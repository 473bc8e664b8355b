"""How far results hold: the sections of a report on groups of files and on corruptions."""

from __future__ import annotations

from xai_tf.evaluation.by_group import GROUP_COLUMNS, GroupResults
from xai_tf.evaluation.robustness import LEVEL_COLUMNS, CorruptionResults
from xai_tf.reports.html import paragraph, table


def groups_section(results: GroupResults) -> str:
    """The results on each group, the worst first."""
    summary = (
        f"The mean accuracy of {len(results.groups)} groups is {results.mean} (95% interval of a "
        "bootstrap over groups)."
    )
    notes = "".join(paragraph(text, "warning") for text in results.notes)
    rows = [group.cells for group in results.groups]
    caption = f"Groups by {results.rule}, the worst first; shares with 95% intervals"
    return paragraph(summary) + notes + table(GROUP_COLUMNS, rows, caption)


def corruptions_section(results: CorruptionResults) -> str:
    """How far the answers hold, at each level of each corruption."""
    rows = [row for one in results.corruptions for row in one.rows]
    caption = (
        "Corruptions of the files, the weakest level first; shares with 95% intervals. Turned: "
        "answered otherwise than without the corruption. Warned of: flagged as out of distribution"
    )
    return paragraph(results.summary) + table(LEVEL_COLUMNS, rows, caption)
