"""Text that screen readers announce when it changes."""

from __future__ import annotations

from typing import ClassVar

import param
from panel.custom import JSComponent


class Live(JSComponent):
    """Paragraphs that screen readers announce when they change; never parsed as markup.

    Attributes:
        paragraphs: the texts.
        variant: "status", "warning", "error" or "said" (by a language model).
        urgent: whether the announcement interrupts the screen reader.
    """

    paragraphs = param.List(default=[], item_type=str)
    variant: param.Selector[str] = param.Selector(
        default="status", objects=["status", "warning", "error", "said"]
    )
    urgent = param.Boolean(default=False)

    # The region is created before its text, as screen readers announce only changes.
    _esm = """
    export function render({ model }) {
      const region = document.createElement("div");
      region.setAttribute("role", model.urgent ? "alert" : "status");
      region.setAttribute("aria-live", model.urgent ? "assertive" : "polite");
      const draw = () => {
        region.className = `look-${model.variant}`;
        const old = [...region.children];
        model.paragraphs.forEach((text, number) => {
          const line = old[number] ?? region.appendChild(document.createElement("p"));
          if (line.textContent !== text) line.textContent = text;
        });
        old.slice(model.paragraphs.length).forEach((line) => line.remove());
      };
      draw();
      ["paragraphs", "variant"].forEach((name) => model.on(name, draw));
      return region;
    }
    """
    _stylesheets: ClassVar = [
        """
        :host { color: var(--panel-on-background-color, CanvasText); font-size: 0.925rem; }
        p { margin: 0 0 0.5em; overflow-wrap: anywhere; }
        p:last-child { margin: 0; }
        .look-status { font-size: 0.85rem; opacity: 0.9; }
        .look-warning, .look-error { border-left: 4px solid var(--mark); padding: 0.5em 0.8em;
          background: color-mix(in srgb, var(--mark) 14%, transparent); }
        .look-warning { --mark: #b26a00; }
        .look-error { --mark: #c62828; font-weight: 500; }
        .look-warning:empty, .look-error:empty { border: 0; padding: 0; }
        .look-said {
          border-left: 4px solid var(--panel-primary-color, Highlight); padding-left: 0.8em;
        }
        .look-said:empty { border: 0; }
        """
    ]
