"""A network drawn as its units and connections (course-map row 10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import check_number
from ..network import Network, Parameters
from ..network.inputs import check_parameters
from .figures import TRAINING, VALIDATION, add_formula, axes_to_draw_on, part_of_matplotlib, png

Array = npt.NDArray[Any]
#: Units of a layer that are drawn.
MOST: Final = 12
#: Inches from layer to layer and from unit to unit, and for the text above and below.
APART, BETWEEN, TEXT = 1.5, 0.42, 0.55
#: The radius of a unit.
RADIUS: Final = 0.15
#: The widths of lines of the smallest and the largest weights, and of all without weights.
THINNEST, THICKEST, PLAIN = 0.15, 3.0, 0.6
#: Fills of inputs, hidden units and outputs.
FILLS: Final = ("0.93", "#E3EFF7", "#FBE5D6")


@dataclass
class NetworkDisplay:
    """The units of each layer, from inputs to outputs, and the connections between them.

    It is best made by `from_network`. Where parameters are given a line is the wider the larger the weight's absolute
    value is among those of all layers; positive weights are blue, negative ones vermilion, zeros are not drawn, and
    what is not finite is a dotted black line.

    Parameters
    ----------
    sizes : tuple of int
        Units of every layer: inputs, hidden layers, outputs.
    shown : list of array of int
        Which units of each layer are drawn, counted from 0; the others are between dots.
    labels : list of (str, str)
        What stands above and below each layer.
    weights : list of array (d_out, d_in), optional
        W^(1), ..., W^(L+1).

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    places_ : list of array (shown, 2)
        Where the units of each layer are.
    units_ : list of PatchCollection
        One for each layer.
    connections_ : list of LineCollection
        One for each W.
    dots_ : list of int
        Layers with units that are not drawn.

    Examples
    --------
    >>> display = NetworkDisplay.from_network(Network(784, [100, 3], 10))
    >>> [len(units) for units in display.shown]
    [12, 12, 3, 10]
    >>> display.shown[1].tolist()
    [0, 1, 2, 3, 4, 5, 94, 95, 96, 97, 98, 99]
    """

    sizes: tuple[int, ...]
    shown: list[Array]
    labels: list[tuple[str, str]]
    weights: list[Array] | None = None
    ax_: Any = None
    figure_: Any = None
    places_: list[Array] = field(default_factory=list)
    units_: list[Any] = field(default_factory=list)
    connections_: list[Any] = field(default_factory=list)
    dots_: list[int] = field(default_factory=list)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters | None = None, *, max_units: int = MOST, ax: Any = None, **options: Any
    ) -> NetworkDisplay:
        """Draw a network.

        Parameters
        ----------
        net : Network
        theta : Parameters, optional
            Connections are drawn by their weights.
        max_units : int
            Of a layer with more units the first and the last are drawn, and dots between them.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        InputError
            If theta is not the network's.
        SpecificationError
            If `max_units` cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        check_number("max_units", max_units, at_least=2, at_most=100, whole=True)
        weights = None
        if theta is not None:
            check_parameters(theta, net)
            weights = [np.asarray(theta.W[k], np.float64) for k in range(1, net.L + 2)]
        shown = [_shown(size, int(max_units)) for size in net.sizes]
        hidden = [(f"h^{{({k})}}", layer.activation.name) for k, layer in enumerate(net.layers, 1)]
        labels = [("x", ""), *hidden, ("f", net.output.name)]
        return cls(net.sizes, shown, labels, weights).plot(ax, **options)

    def plot(
        self, ax: Any = None, *, limit: float | None = None, title: str | None = None, **options: Any
    ) -> NetworkDisplay:
        """Draw units and connections, from left to right.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        limit : float, optional
            The absolute weight that has the widest line; by default the largest of those that are shown.
        title : str, optional
        **options
            For the connections: matplotlib's LineCollection.
        """
        if limit is not None:
            check_number("limit", limit, above=0)
        places = [_places(layer, len(units) < self.sizes[layer], len(units)) for layer, units in enumerate(self.shown)]
        top = max(float(column[:, 1].max()) for column in places)
        width, height = (len(places) - 1) * APART + 1.0, 2 * (top + TEXT + 0.15)
        self.ax_ = ax = axes_to_draw_on(ax, (max(width, 3.0), max(height, 2.0) + 0.3 * (title is not None)))
        self.figure_, self.places_, self.units_, self.connections_ = ax.figure, places, [], []
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(-height / 2, height / 2)
        ax.set_aspect("equal")
        ax.set_axis_off()
        parts = None if self.weights is None else self._weights_shown(self.weights)
        largest = limit or (1.0 if parts is None else _largest(parts))
        for layer in range(1, len(places)):
            ends = places[layer - 1], places[layer]
            self.connections_.append(self._connect(ends, None if parts is None else parts[layer - 1], largest, options))
        self.dots_ = [layer for layer, units in enumerate(self.shown) if len(units) < self.sizes[layer]]
        scale = self._scale(width, height)
        circle = part_of_matplotlib("patches").Circle
        collection = part_of_matplotlib("collections").PatchCollection
        for layer, column in enumerate(places):
            fill = FILLS[0 if layer == 0 else 2 if layer == len(places) - 1 else 1]
            circles = collection(
                [circle(tuple(at), RADIUS) for at in column], facecolor=fill, edgecolor="0.2", zorder=2
            )
            self.units_.append(ax.add_artist(circles))
            if layer in self.dots_:
                style = {"s": 6.0 * scale**2, "color": "0.3", "zorder": 2}
                ax.scatter([layer * APART] * 3, [-0.14, 0.0, 0.14], **style)
            self._write(layer, top, scale)
        if title is not None:
            ax.set_title(title, fontsize="medium")
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _weights_shown(self, weights: list[Array]) -> list[Array]:
        """Return the part of each W between units that are drawn."""
        return [W[np.ix_(self.shown[k], self.shown[k - 1])] for k, W in enumerate(weights, 1)]

    def _connect(self, ends: tuple[Array, Array], W: Array | None, largest: float, options: dict[str, Any]) -> Any:
        """Draw the lines of one W: those of unit 0 first, from each unit below."""
        below, above = ends
        lines = [(tuple(start), tuple(end)) for end in above for start in below]
        colours: Any = "0.6"
        widths: Any = PLAIN
        styles: Any = "solid"
        if W is not None:
            flat = W.ravel()
            finite = np.isfinite(flat)
            share = np.minimum(np.abs(np.where(finite, flat, 0.0)) / largest, 1.0)
            widths = np.where(share > 0, THINNEST + (THICKEST - THINNEST) * share, 0.0)
            widths = np.where(finite, widths, 1.0)
            colours = np.where(finite, np.where(flat > 0, TRAINING, VALIDATION), "black").tolist()
            styles = ["solid" if known else "dotted" for known in finite]
        style = {"colors": colours, "linewidths": widths, "linestyles": styles, "zorder": 1, "alpha": 0.8}
        lines_of = part_of_matplotlib("collections").LineCollection
        return self.ax_.add_artist(lines_of(lines, **style | options))

    def _write(self, layer: int, top: float, scale: float) -> None:
        x, (symbol, below) = layer * APART, self.labels[layer]
        add_formula(self.ax_, x, top + 0.4, f"${symbol}$", size=11.0 * scale, colour="black", align="center")
        size = self.sizes[layer]
        counted = f"{size} " + ("input" if layer == 0 else "output" if layer == len(self.sizes) - 1 else "unit")
        said = counted + "s" * (size > 1) + f"\n{below}".replace("$", r"\$")
        style = {"fontsize": 8.0 * scale, "ha": "center", "va": "top", "color": "0.2", "in_layout": False}
        self.ax_.text(x, -top - 0.25, said, **style)

    def _scale(self, width: float, height: float) -> float:
        """Return how much smaller than a figure of its own the picture is."""
        across, up = self.ax_.get_window_extent().size / self.ax_.figure.dpi
        return float(min(1.0, across / (0.9 * width), up / (0.9 * height)))


def _shown(size: int, most: int) -> Array:
    """Return which units are drawn: all, or the first and the last.

    >>> _shown(3, 4).tolist(), _shown(9, 5).tolist()
    ([0, 1, 2], [0, 1, 2, 7, 8])
    """
    if size <= most:
        return np.arange(size)
    first = (most + 1) // 2
    return np.concatenate([np.arange(first), np.arange(size - (most - first), size)])


def _places(layer: int, dots: bool, count: int) -> Array:
    """Return where units are, from the top down, around height 0; with room in the middle for dots.  -> (count, 2)"""
    heights = BETWEEN * (np.arange(count)[::-1] - (count - 1) / 2)
    if dots:
        first = (count + 1) // 2
        heights = BETWEEN * np.concatenate([np.arange(first)[::-1] + 1.0, -np.arange(count - first) - 1.0])
    return np.column_stack([np.full(count, layer * APART), heights])


def _largest(weights: list[Array]) -> float:
    """Return the largest absolute weight that is finite, or 1 where there is none but 0."""
    every = np.abs(np.concatenate([W.ravel() for W in weights]))
    return float(every[np.isfinite(every)].max(initial=0.0)) or 1.0
