"""What a page is made of: tables, pictures, its style and the script that sorts. All escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """A whole page. Its policy lets it load nothing and run nothing but `SCRIPT`, whatever a name
    in it holds.

    Args:
        title: of the page.
        body: HTML, escaped.
        style: CSS after `STYLE`.
        sortable: whether it holds tables that sort; else nothing may run at all.
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
    """A text in a table that leads to a part of the page."""

    text: str
    part: str

    def __str__(self) -> str:
        return self.text


def section(name: str, title: str, *parts: str) -> str:
    """A part of the page with an anchor; empty where it has no content."""
    content = "\n".join(part for part in parts if part)
    if not content:
        return ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(title)}</h2>\n{content}</section>'
    )


def paragraph(text: str, look: str = "") -> str:
    return f'<p class="{look}">{escape(text)}</p>' if look else f"<p>{escape(text)}</p>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    caption: str,
    sortable: bool = False,
    winner: Any = None,
) -> str:
    """A table that scrolls by itself on a narrow screen.

    Args:
        head: the columns.
        rows: numbers are rounded to four digits; None is drawn as a dash; a `Link` is one.
        caption: what it shows.
        sortable: whether the heads are buttons that sort.
        winner: the row with this among its cells is marked.
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
    return (
        f'<div class="{_TALL if sortable else "scroll"}" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}">'
        f"<table{_SORTABLE if sortable else ''}><caption>{escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>"
    )


def facts(values: Mapping[str, Any], caption: str) -> str:
    """A table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td class="long">{escape(text(value))}</td>'
        "</tr>\n"
        for name, value in values.items()
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><tbody>{rows}</tbody></table></div>"
    )


def picture(plot: Figure, alt: str, caption: str, wide: bool = False) -> str:
    """A figure inside the page: SVG or PNG, whichever is smaller.

    Args:
        plot: what is drawn.
        alt: what it shows, for those who do not see it.
        caption: how to read it.
        wide: whether it scrolls on a narrow screen rather than shrink.
    """
    svg, png = BytesIO(), BytesIO()
    plot.savefig(svg, format="svg", metadata={"Date": None})
    plot.savefig(png, format="png", dpi=130)
    small = min((svg, "image/svg+xml"), (png, "image/png"), key=lambda kind: kind[0].tell())
    width = 96 * plot.get_figwidth()  # as wide as its letters are meant to be read
    data = base64.b64encode(small[0].getvalue()).decode()
    box = ' class="scroll wide" tabindex="0" role="region" aria-label="Figure"' if wide else ""
    return (
        f'<figure><div{box}><img width="{width:.0f}" alt="{escape(alt)}" '
        f'src="data:{small[1]};base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def text(value: Any) -> str:
    """A value as it is read: numbers to four digits, lists by commas, nothing as a dash."""
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


def duration(seconds: float) -> str:
    """Seconds in the unit that people would say."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


_TALL = "scroll tall"
_NUMBER, _WINNER, _SORTABLE = ' class="number"', ' class="winner"', ' class="sortable"'


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: Any, number: bool) -> str:
    look = _NUMBER if number else ' class="long"' if len(text(value)) > 40 else ""
    sort = f' data-value="{"" if value is None else repr(value)}"' if number else ""
    told = escape(text(value))
    if isinstance(value, Link):
        told = f'<a href="#{value.part}">{told}</a>'
    return f"<td{look}{sort}>{told}</td>"
