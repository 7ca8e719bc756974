"""A picture of a network: its units in columns, its weights as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..reports.figures import part_of_matplotlib

#: Units that a column shows; of more, the middle is left out.
MOST: Final = 9
#: Of weights above and below 0.
BLUE, ORANGE = "#0072B2", "#D55E00"


def draw_network(ax: Any, sizes: Sequence[int], W: Any = None) -> Any:
    r"""Draw units and weights of a network from left to right.

    Parameters
    ----------
    ax : matplotlib Axes
    sizes : sequence of int
        Units of each layer, as ``net.sizes``.
    W : mapping of int to array, optional
        ``theta.W``: lines get the colour of the weight's sign and the width of its size; else all are grey.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from .figures import figure
    >>> ax = draw_network(figure(6, 3), (4, 20, 3))
    >>> [text.get_text() for text in ax.texts if "20" in text.get_text()]
    ['$h^{(1)}$\n20']
    """
    gap = 2 / max(min(MOST, max(sizes)) - 1, 4)
    places = [_places(size, gap) for size in sizes]
    last = len(sizes) - 1
    for k in range(1, last + 1):
        pairs = [(i, j, upper, lower) for i, upper in places[k] for j, lower in places[k - 1]]
        lines = [[(k - 1, lower), (k, upper)] for _, _, upper, lower in pairs]
        if W is None:
            style: dict[str, Any] = {"colors": "0.7", "linewidths": 0.5}
        else:
            weights = np.array([W[k][i, j] for i, j, _, _ in pairs])
            largest = float(np.abs(W[k]).max()) or 1.0
            style = {"colors": np.where(weights > 0, BLUE, ORANGE), "linewidths": 2.5 * np.abs(weights) / largest}
        ax.add_collection(part_of_matplotlib("collections").LineCollection(lines, zorder=1, **style))
    for k, column in enumerate(places):
        ax.scatter([k] * len(column), [place for _, place in column], s=110, c="white", edgecolors="black", zorder=2)
        if len(column) < sizes[k]:
            ax.text(k, 0.0, "$\\vdots$", ha="center", va="center", fontsize=13, zorder=3)
        name = "x" if k == 0 else "f" if k == last else f"h^{{({k})}}"
        ax.text(k, -1.16, f"${name}$\n{sizes[k]}", ha="center", va="top")
    ax.set(xlim=(-0.3, last + 0.3), ylim=(-1.5, 1.1))
    ax.set_axis_off()
    return ax


def _places(size: int, gap: float) -> list[tuple[int, float]]:
    """Return which units of a column are shown, and how high, the first on top."""
    half = MOST // 2
    shown = list(range(size)) if size <= MOST else [*range(half), -1, *range(size - half, size)]
    heights = gap * ((len(shown) - 1) / 2 - np.arange(len(shown)))
    return [place for place in zip(shown, heights.tolist(), strict=True) if place[0] >= 0]  # in place of -1 are dots
