"""A progress bar with an accessible name, which Material's lacks."""

from __future__ import annotations

from typing import Any

import param
from panel.custom import JSComponent


class Progress(JSComponent):
    """A progress bar.

    Attributes:
        value: the share that is done, 0 to 1; negative while it is unknown.
        label: the accessible name of the bar.
    """

    value = param.Number(default=-1.0, bounds=(-1, 1))
    label = param.String()

    _esm = """
export function render({ model, el }) {
  const bar = document.createElement("div");
  const fill = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", 0);
  bar.setAttribute("aria-valuemax", 100);
  bar.append(fill);
  el.append(bar);
  const draw = () => {
    const known = model.value >= 0;
    const share = Math.round(model.value * 100);
    bar.setAttribute("aria-label", model.label);
    bar.classList.toggle("unknown", !known);
    if (known) bar.setAttribute("aria-valuenow", share);
    else bar.removeAttribute("aria-valuenow");
    fill.style.width = known ? `${share}%` : "30%";
  };
  model.on("value", draw);
  model.on("label", draw);
  draw();
}
"""
    _stylesheets = [  # noqa: RUF012
        """
.bar { height: 6px; width: 100%; border-radius: 3px; overflow: hidden;
  background: color-mix(in srgb, var(--panel-primary-color, Highlight) 25%, transparent); }
span { display: block; height: 100%; background: var(--panel-primary-color, Highlight); }
@media (prefers-reduced-motion: no-preference) {
  .unknown span { animation: along 1.6s linear infinite; }
  @keyframes along { from { margin-left: -30%; } to { margin-left: 100%; } }
}
"""
    ]

    def __init__(self, **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (8, 8), **params})
