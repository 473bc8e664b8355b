"""The theme: colors, sizes and CSS."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboards.language import t
from dashboards.views.text import heading

THEME: dict[str, Any] = {
    "palette": {"primary": {"main": "#00639b"}, "secondary": {"main": "#7a5900"}},
    "shape": {"borderRadius": 8},
    "typography": {"button": {"textTransform": "none"}},
}
# White text on the primary color of the dark theme has too little contrast.
BAR = {"backgroundColor": "#00497a", "color": "#ffffff"}
DARK_THEME: dict[str, Any] = THEME | {
    "palette": {"primary": {"main": "#82cfff"}, "secondary": {"main": "#ffba38"}},
    "components": {"MuiAppBar": {"styleOverrides": {"root": BAR}}},
}
THEMES = {"light": THEME, "dark": DARK_THEME}

# The buttons beside a number of Material's have no names; keys count up and down as well.
NUMBER: dict[str, Any] = {
    "size": "small",
    "sx": {
        "& .MuiInputAdornment-root": {"display": "none"},
        "& .MuiInputBase-input": {"paddingLeft": "14px"},
    },
}

CARD = {
    "background": "var(--panel-surface-color)",
    "border": "1px solid color-mix(in srgb, var(--panel-on-surface-color) 22%, transparent)",
    "border-radius": "8px",
    "padding": "4px 8px 12px",
}
# For every text pane; the variables are those of the page and follow the light or dark theme. The
# prefix "look-" avoids Panel's own styles for classes such as "error".
CSS = """
:host { color: var(--panel-on-background-color, CanvasText); font-size: 0.925rem; }
p { margin: 0 0 0.5em; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0.2em 0 0.4em; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0.6em 0 0.3em; }
ul, ol { margin: 0 0 0.5em; padding-left: 1.4em; }
.look-note { font-size: 0.85rem; opacity: 0.9; }
.look-headline { font-size: 1.3rem; font-weight: 600; margin: 0; line-height: 1.25; }
.look-invitation { font-size: 1.3rem; font-weight: 600; text-align: center; margin: 22vh 0 0.4em; }
.look-invitation + .look-note { text-align: center; max-width: 32rem; margin: 0 auto; }
.look-headline-small { font-weight: 600; }
.look-warning { border-left: 4px solid #b26a00; padding-left: 0.6em; }
.look-error { border-left: 4px solid #c62828; padding-left: 0.6em; font-weight: 500; }
ul.look-warning { padding-left: 1.6em; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.15em 1em; margin: 0; }
.facts dt { opacity: 0.85; } .facts dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 0.875rem; }
th, td { padding: 0.2em 0.7em 0.2em 0; text-align: left; font-weight: 400; }
td { font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-top: 0.4em; }
meter { width: 4.5em; }
details { font-size: 0.85rem; } summary { cursor: pointer; }
.standing { width: 9em; height: 1em; display: block; }
.standing .line { fill: currentColor; opacity: 0.35; }
.standing .band { fill: currentColor; opacity: 0.3; }
.standing .value { fill: var(--panel-primary-color, #00639b); }
"""


def words(content: Any, **params: Any) -> pn.pane.HTML:
    """A text pane: HTML from `views.text`, or a method that returns it."""
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", (4, 8))
    return pn.pane.HTML(content, stylesheets=[CSS], **params)


def run_button(label: str, icon: str) -> pmui.Button:
    """A button that starts a computation."""
    return pmui.Button(label=label, icon=icon, color="primary", variant="contained")


def stop_button() -> pmui.Button:
    """A button that stops a computation; hidden until one runs."""
    return pmui.Button(
        label=t("Stop"), icon="stop", color="error", variant="outlined", visible=False
    )


def side_by_side(*parts: Any, least: int = 340) -> pn.FlexBox:
    """Parts in a row, which wrap on narrow screens.

    Args:
        parts: the panes.
        least: the minimum width of a part in pixels; a narrower row wraps.
    """
    for part in parts:
        part.styles = {**part.styles, "flex": f"1 1 min({least}px, 100%)", "min-width": "0"}
    return pn.FlexBox(*parts, gap="12px", sizing_mode="stretch_width")


def card(title: str, *parts: Any, **params: Any) -> pn.Column:
    """A titled box. Unlike Material's card, it has no hidden heading for each part."""
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", (4, 4, 8, 4))
    return pn.Column(words(heading(title), margin=(8, 8, 0, 8)), *parts, styles=CARD, **params)


def section(title: str, *parts: Any, **params: Any) -> pn.Column:
    """A titled part of a panel, without a border of its own."""
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", (0, 0, 10, 0))
    return pn.Column(words(heading(title), margin=(8, 8, 0, 8)), *parts, **params)


def folding_card(title: str, *parts: Any) -> pmui.Card:
    """A titled box that can be collapsed."""
    return pmui.Card(
        *parts, title=title, outlined=True, margin=(4, 4, 8, 4), sizing_mode="stretch_width"
    )
