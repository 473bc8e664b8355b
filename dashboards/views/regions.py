"""Where the evidence lies: the regions of the picture, pointed at and hidden from a list."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.components.region_list import RegionList
from dashboards.language import library_text, mark, number, t
from dashboards.state.explanation_quality import ExplanationQuality
from dashboards.state.what_if import WhatIfEditor
from dashboards.turns import once_a_turn
from dashboards.views.text import bullets, paragraph
from dashboards.views.theme import section, words
from dashboards.views.view import View
from xai_tf.regions import PARTITIONS, Audit, RegionShare
from xai_tf.rendering.viewer import region_url

ABOUT = mark(
    "Bar: share of the evidence. Mark: share of the area, which a map without a preference has."
)
SEPARATOR = "/"  # between a partition and a region


class RegionsView(View):
    """The regions with their evidence; `highlight` is the outline of the one pointed at.

    Attributes:
        highlight: a data URL of the outline, for the picture; "" for none.
    """

    quality = param.ClassSelector(class_=ExplanationQuality)
    editor = param.ClassSelector(class_=WhatIfEditor)
    highlight = param.String()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._list = RegionList(self._on_hide, label=t("Where the evidence lies"))
        self._about = words("")
        self._list.param.watch(lambda event: self.point(_names(event.new)), "pointed")
        self.quality.param.watch(self._draw, ["audit", "regions"])
        self.editor.param.watch(self._mark, "regions")
        self._section = section(
            t("Where the evidence lies"), self._list, self._about, visible=False
        )
        self._draw()

    def point(self, names: tuple[str, str] | None) -> None:
        """Outline a region, by the names of its partition and of itself; None for none."""
        regions = self.quality.regions
        mask = None
        if names is not None and regions is not None and self.quality.audit is not None:
            mask = regions.partitions.get(names[0], {}).get(names[1])
        self.highlight = "" if mask is None else region_url(mask)

    def _on_hide(self, value: str) -> None:
        names, audit = _names(value), self.quality.audit
        if audit and any((row.partition, row.region) == names for row in audit.rows):
            self.editor.toggle_region(*names)

    @once_a_turn
    def _draw(self) -> None:
        audit: Audit | None = self.quality.audit
        self.highlight = ""
        self._section.visible = audit is not None
        self._list.items = [_item(row) for row in audit.rows] if audit else []
        warnings = audit.warnings if audit else ()
        self._about.object = bullets(map(library_text, warnings), "warning") + paragraph(
            t(ABOUT), "note"
        )

    def _mark(self, *_: Any) -> None:
        self._list.hidden = [SEPARATOR.join(names) for names in self.editor.regions]

    def layout(self) -> pn.viewable.Viewable:
        """The list; hidden while there is no map."""
        return self._section


def _names(value: str) -> Any:
    """The names of a partition and a region, or None."""
    partition, found, region = value.partition(SEPARATOR)
    return (partition, region) if found else None


def _item(row: RegionShare) -> dict[str, Any]:
    partition = PARTITIONS[row.partition]
    area = number(row.area, ".0%")
    if row.share is None:
        text = t("no signal, {area} of the area", area=area)
    else:
        share = number(row.share, ".0%")
        text = t("{share} of the evidence, {area} of the area", share=share, area=area)
    note = t("expected here") if row.region in partition.expected else ""
    return {
        "value": SEPARATOR.join((row.partition, row.region)),
        "label": t(row.region),
        "group": t("{title} (a guess)", title=t(partition.title))
        if row.guess
        else t(partition.title),
        "share": float(min(max(row.share or 0.0, 0.0), 1.0)),
        "area": float(min(max(row.area, 0.0), 1.0)),
        "text": text,
        "note": t("more evidence than can be right here") if row.alarm else note,
        "alarm": bool(row.alarm),
    }
