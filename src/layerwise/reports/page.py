"""Pieces of one self-contained HTML page: sections, tables, figures inside the page; light, dark and on paper."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

from .figures import png

#: Dots per inch of the figure, and pixels of the page.
DOTS: Final = 144
PIXELS: Final = 96
#: Rows of a table before the rest is folded away, and at most.
SHOWN: Final = 25
MOST: Final = 500

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: light-dark(#0072b2, #6db9e8); }
body { font: 16px/1.55 system-ui, "Segoe UI", sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem;
     border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .55rem .95rem; }
.tile b { display: block; font-size: 1.35rem; color: var(--mark); font-variant-numeric: tabular-nums; }
.tile small, .note { opacity: .75; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: .6rem 0; } figcaption { font-size: .88rem; opacity: .8; max-width: 34rem; }
img { background: #fff; border-radius: 6px; max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
td, th { padding: .18rem .8rem .18rem 0; border-bottom: 1px solid var(--line); text-align: right; }
td:first-child, th:first-child { text-align: left; } th { font-weight: 600; }
.scroll { overflow-x: auto; }
pre { background: var(--soft); padding: .7rem .9rem; overflow-x: auto; border-radius: 6px; }
summary { cursor: pointer; opacity: .8; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } h2 { break-after: avoid; }
  figure, tr, .tile { break-inside: avoid; } details:not([open]) { display: none; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """Return a page that needs no other file and no network.

    Parameters
    ----------
    title : str
        Plain text.
    parts : iterable of str
        HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return parts under a heading; nothing where there are none."""
    body = "\n".join(part for part in parts if part)
    return f"<section><h2>{html.escape(title)}</h2>\n{body}\n</section>" if body else ""


def tiles(figures: Sequence[tuple[str, str, str]]) -> str:
    """Return large numbers side by side.  figures: (name, number, remark)

    >>> tiles([("accuracy", "0.98", "test")])
    '<div class="tiles"><div class="tile">accuracy<b>0.98</b><small>test</small></div></div>'
    """
    inner = "".join(
        f'<div class="tile">{html.escape(name)}<b>{html.escape(number)}</b><small>{html.escape(remark)}</small></div>'
        for name, number, remark in figures
    )
    return f'<div class="tiles">{inner}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[object]], more: str = "rows") -> str:
    """Return a table; long ones are folded, and cut with a word about it.

    >>> table(["name", "n"], [["a<b", 1]])
    '<div class="scroll"><table><tr><th>name</th><th>n</th></tr><tr><td>a&lt;b</td><td>1</td></tr></table></div>'
    """
    head = "<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>"

    def body(some: Sequence[Sequence[object]]) -> str:
        lines = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in some)
        return f'<div class="scroll"><table>{head}{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'

    if len(rows) <= SHOWN:
        return body(rows)
    left_out = len(rows) - MOST
    folded = body(rows[SHOWN:MOST]) + (f'<p class="note">{left_out} more are not shown.</p>' if left_out > 0 else "")
    return f"{body(rows[:SHOWN])}<details><summary>{len(rows) - SHOWN} more {more}</summary>{folded}</details>"


def text(words: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(words)}</p>" if words else ""


def code(words: str) -> str:
    """Return lines to copy."""
    return f"<pre>{html.escape(words)}</pre>"


def picture(figure: Any, alt: str, caption: str = "") -> str:
    """Return a matplotlib figure inside the page.

    Parameters
    ----------
    figure : Figure
    alt : str
        What it shows, for those who do not see it.
    caption : str
    """
    width, height = (round(side * PIXELS) for side in figure.get_size_inches())
    data = base64.b64encode(png(figure, DOTS)).decode()
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><img alt="{html.escape(alt)}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'
        f"{below}</figure>"
    )


def side_by_side(*pictures: str) -> str:
    """Return pictures in a row, as far as there is room."""
    kept = [one for one in pictures if one]
    return f'<div class="figures">{"".join(kept)}</div>' if kept else ""
