"""How far results hold: the sections of a report on groups of files."""

from __future__ import annotations

from xai_tf.evaluation.by_group import GROUP_COLUMNS, GroupResults
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
