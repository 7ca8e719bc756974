"""Figures for pages: drawn off the screen, several side by side, shown as one picture."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any, Final

from ..reports.figures import hidden_figure, png

if TYPE_CHECKING:
    import marimo as mo

#: Dots for an inch of the figure, and pixels of the page: sharp enough, and drawn quickly.
DOTS_PER_INCH: Final = 120
PIXELS_PER_INCH: Final = 96


def figure(width: float = 6.0, height: float = 4.0, *, columns: int = 1, rows: int = 1, **options: Any) -> Any:
    """Return axes of a new figure that no window shows.

    Parameters
    ----------
    width, height : float
        In inches, of the whole; 10 is as wide as a page.
    columns, rows : int
        How many axes.
    **options
        For ``Figure.subplots``, such as ``sharey=True`` or ``subplot_kw={"projection": "3d"}``.

    Returns
    -------
    matplotlib Axes, or an array of them

    Examples
    --------
    >>> left, right = figure(8, 3, columns=2)
    >>> left.figure is right.figure
    True
    """
    return hidden_figure((width, height)).subplots(rows, columns, **options)


def show(ax: Any, alt: str) -> mo.Html:
    """Return the picture of a figure for a page, with a description for those who do not see it.

    Parameters
    ----------
    ax : Axes, Figure or display
        Any axes of the figure, the figure, or what has ``figure_``.
    alt : str
        One sentence: what the picture shows.

    Examples
    --------
    >>> show(figure(2, 1), "Nothing yet.").text[:48]
    '<img alt="Nothing yet." width="192" height="96" '
    """
    import marimo as mo

    drawn = getattr(ax, "figure_", None) or ax.figure or ax
    width, height = (round(side * PIXELS_PER_INCH) for side in drawn.get_size_inches())
    data = base64.b64encode(png(drawn, DOTS_PER_INCH)).decode()
    return mo.Html(
        f'<img alt="{html.escape(alt)}" width="{width}" height="{height}" style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{data}">'
    )
