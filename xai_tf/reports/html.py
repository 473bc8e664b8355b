"""The HTML elements of reports: document, sections, tables and figures. All text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_tf.files import check_page as check_own_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = '<meta name="generator" content="xai-tf">'
STYLE = """
:root { color-scheme: light; --ink: #1c2530; --soft: #56616e; --line: #d9dee4; --blue: #00568a;
  --paper: white; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: #f4f6f8; margin: 0; }
main, header { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
h3 { font-size: 1.02rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0; max-width: 48rem; overflow-wrap: anywhere; }
a { color: var(--blue); }
nav { margin: .6rem 0 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.1rem 1.2rem; margin: 1rem 0; }
.soft, figcaption, caption { color: var(--soft); }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0 0; padding: 0;
  list-style: none; }
.cards li { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem;
  padding: .6rem 1rem; min-width: 9rem; flex: 0 1 auto; }
.cards b { display: block; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
.cards span { font-size: .86rem; color: var(--soft); display: block; }
.warning { border-left: .35rem solid #b45309; background: #fff6e5; padding: .6rem .9rem; }
.doubtful, .not_supported { border-left: .35rem solid #c62828; padding-left: .6rem; }
.caution, .partly_supported { border-left: .35rem solid #b26a00; padding-left: .6rem; }
.unchecked { border-left: .35rem solid #7d8791; padding-left: .6rem; }
.supported, .well_supported { border-left: .35rem solid #2e7d32; padding-left: .6rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, button:focus-visible, a:focus-visible, summary:focus-visible {
  outline: 3px solid #0072b2; outline-offset: 2px; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .2rem 0 .4rem; caption-side: top; }
td, th { text-align: left; padding: .3rem .7rem .3rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
td.long { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; }
tbody tr:hover { background: #eef4f9; }
tr.winner { background: #e3f0fa; font-weight: 600; }
th button { font: inherit; font-weight: 600; color: var(--blue); background: none; border: 0;
  padding: .2rem 0; cursor: pointer; white-space: nowrap; }
th button::after { content: " \\2195"; color: #97a3b0; }
th[aria-sort=ascending] button::after { content: " \\2191"; color: inherit; }
th[aria-sort=descending] button::after { content: " \\2193"; color: inherit; }
figure { margin: .8rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .9rem; max-width: 48rem; }
.pair { display: grid; gap: 0 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
meter { width: 100%; max-width: 24rem; height: 1rem; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 44rem) {
  section { padding: .8rem .7rem; }
  .wide img { max-width: none; width: 44rem; }
}
.tall { max-height: 40rem; overflow: auto; border-bottom: 1px solid var(--line); }
.tall thead th { position: sticky; top: 0; background: var(--paper); }
@media print { body { background: white; } .tall { max-height: none; } }
"""
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const gap = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return up ? gap : -gap;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}
"""


def document(title: str, body: str, style: str = "", sortable: bool = True) -> str:
    """A complete HTML page.

    Its content security policy forbids loading anything, and running any script but `SCRIPT`, even
    if a name in the page contains HTML.

    Args:
        title: the title of the page.
        body: escaped HTML.
        style: CSS to append to `STYLE`.
        sortable: whether the page has sortable tables; otherwise no script is allowed at all.
    """
    digest = base64.b64encode(sha256(SCRIPT.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    script = ""
    if sortable:
        policy, script = f"{policy}; script-src 'sha256-{digest}'", f"<script>{SCRIPT}</script>\n"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n{MARK}\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style></head>\n"
        f"<body>\n{body}\n{script}</body></html>\n"
    )


def check_page(path: Path) -> None:
    """Raise an OutputError where a page would replace something that is not a page of ours."""
    check_own_page(path, MARK)


@dataclass(frozen=True)
class Link:
    """A link to a section of the page, as a cell of a table or in `navigation`.

    Attributes:
        text: the text shown.
        part: the name of the section.
    """

    text: str
    part: str

    def __str__(self) -> str:
        return self.text

    @property
    def html(self) -> str:
        """The element, escaped."""
        return f'<a href="#{self.part}">{escape(self.text)}</a>'


def header(title: str, *parts: str) -> str:
    """The header of a page: its title, when it was made, and further parts."""
    created = paragraph(f"Created {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.", "soft")
    return f"<header><h1>{escape(title)}</h1>{created}{''.join(parts)}</header>\n"


def navigation(label: str, links: Sequence[Link], more: str = "") -> str:
    """A list of links; empty without links.

    Args:
        label: the name of the list for screen readers.
        links: the links.
        more: text after the links.
    """
    if not links:
        return ""
    rest = f"<span>{escape(more)}</span>" if more else ""
    return f'<nav aria-label="{escape(label)}">{"".join(one.html for one in links)}{rest}</nav>'


def section(name: str, title: str, *parts: str) -> str:
    """A section of the page with an anchor; empty without content."""
    content = "\n".join(part for part in parts if part)
    if not content:
        return ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(title)}</h2>\n{content}</section>'
    )


def heading(text: str, level: int = 3) -> str:
    """A heading below the title of a section."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, look: str = "") -> str:
    """A paragraph, plain or with the CSS class `look`, such as "soft" or "warning"."""
    return f'<p class="{look}">{escape(text)}</p>' if look else f"<p>{escape(text)}</p>"


def details(summary: str, *parts: str) -> str:
    """Content that is collapsed until the reader opens it."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def scrolling(label: str, content: str, look: str = "scroll") -> str:
    """Content that scrolls on its own on a narrow screen, also with the keyboard."""
    return (
        f'<div class="{look}" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"{content}</div>"
    )


def image(url: str, alt: str, width: float | None = None) -> str:
    """An image.

    Args:
        url: a data URL.
        alt: the text alternative.
        width: in CSS pixels; as large as the image if left out.
    """
    size = "" if width is None else f' width="{width:.0f}"'
    return f'<img{size} alt="{escape(alt)}" src="{url}">'


def figure(content: str, caption: str, look: str = "", caption_first: bool = False) -> str:
    """A figure with its caption below, or above with `caption_first`."""
    legend = f"<figcaption>{escape(caption)}</figcaption>"
    attribute = f' class="{look}"' if look else ""
    return f"<figure{attribute}>{legend + content if caption_first else content + legend}</figure>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    caption: str,
    sortable: bool = False,
    winner: Any = None,
) -> str:
    """A table that scrolls on its own on a narrow screen.

    Args:
        head: the names of the columns.
        rows: the cells. Numbers are rounded to four digits, None is shown as a dash.
        caption: what the table shows.
        sortable: whether a click on a column header sorts the rows.
        winner: rows with this value in a cell are highlighted.
    """
    rows = [list(row) for row in rows]
    numbers = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    heads = "".join(
        f'<th scope="col"{_NUMBER if number else ""}>'
        + (f'<button type="button">{escape(name)}</button>' if sortable else escape(name))
        + "</th>"
        for name, number in zip(head, numbers, strict=True)
    )
    lines = "".join(
        f"<tr{_WINNER if winner is not None and winner in row else ''}>"
        + "".join(_cell(value, number) for value, number in zip(row, numbers, strict=True))
        + "</tr>\n"
        for row in rows
    )
    return scrolling(
        caption,
        f"<table{_SORTABLE if sortable else ''}><caption>{escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody></table>",
        _TALL if sortable else "scroll",
    )


def facts(values: Mapping[str, Any], caption: str) -> str:
    """A table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td class="long">{escape(text(value))}</td>'
        "</tr>\n"
        for name, value in values.items()
    )
    return scrolling(
        caption, f"<table><caption>{escape(caption)}</caption><tbody>{rows}</tbody></table>"
    )


def picture(plot: Figure, alt: str, caption: str, wide: bool = False) -> str:
    """A matplotlib figure embedded as SVG or PNG, whichever is smaller.

    Args:
        plot: the figure.
        alt: the text alternative.
        caption: how to read it.
        wide: whether it scrolls on a narrow screen instead of shrinking.
    """
    svg, png = BytesIO(), BytesIO()
    plot.savefig(svg, format="svg", metadata={"Date": None})
    plot.savefig(png, format="png", dpi=130)
    small = min((svg, "image/svg+xml"), (png, "image/png"), key=lambda kind: kind[0].tell())
    width = 96 * plot.get_figwidth()  # at its natural size, so that text is readable
    content = image(data_url(small[0].getvalue(), small[1]), alt, width)
    return figure(
        scrolling("Figure", content, "scroll wide") if wide else f"<div>{content}</div>", caption
    )


def data_url(content: bytes, kind: str) -> str:
    """A data URL of some bytes of a media type, such as "image/png"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def text(value: Any) -> str:
    """A value for display: numbers to four digits, lists with commas, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {text(item)}" for name, item in value.items())
    return str(value)


BACK_TO_OVERVIEW = f"<p>{Link('Back to the overview', 'overview').html}</p>"

_TALL = "scroll tall"
_NUMBER, _WINNER, _SORTABLE = ' class="number"', ' class="winner"', ' class="sortable"'


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: Any, number: bool) -> str:
    look = _NUMBER if number else ' class="long"' if len(text(value)) > 40 else ""
    sort = f' data-value="{"" if value is None else repr(value)}"' if number else ""
    content = value.html if isinstance(value, Link) else escape(text(value))
    return f"<td{look}{sort}>{content}</td>"
