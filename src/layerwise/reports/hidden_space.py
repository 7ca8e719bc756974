"""What a hidden layer does to the space of inputs: points and a grid of lines where h^(k) takes them (rows 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import LayerIndexError, SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_parameters
from .figures import axes_to_draw_on, fitted, part_of_matplotlib, png
from .plane import check_finite_picture, check_index, layer_values, plane_of
from .points import Points, points_of

Array = npt.NDArray[Any]
#: Points along each line of the grid, so that bends look like bends.
FINE: Final = 101
#: Greys of the lines along which x_1, and x_2, is constant.
GREYS: Final = ("0.45", "0.72")
#: Points along each axis at which the output is asked for its decision.
RESOLUTION: Final = 121


@dataclass
class HiddenSpaceDisplay:
    """The rows of X, and for two inputs a regular grid of lines, where a hidden layer takes them.

    A layer of two units is drawn as it is. A wider one is projected to the first two principal components of its
    values at the rows of X, or two of its units are chosen. Behind the last hidden layer, if it is not projected and
    the output has classes or labels, the decision is a straight line, which is drawn.

    It is best made by `from_network` or `from_estimator`.

    Parameters
    ----------
    layer : int
        k; 0 for the space of inputs itself.
    places : array (n, 2), or (n, 1) for a layer of one unit
        Where the rows of X come to lie.
    lines : list of array (r, 2)
        Where the lines of the grid come to lie: first those of constant x_1, then those of constant x_2. Empty unless
        there are two inputs.
    points : Points
        What colours the rows.
    shares : (float, float), optional
        The shares of the variance that the two principal components keep; None if nothing is projected.
    names : (str, str)
        Labels of the axes.
    decision : (ticks, ticks, margins), optional
        By how much the output decides, over a grid of the space that is drawn; the line is where it is 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    points_ : list of PathCollection
        One for each class, or one in all.
    grid_ : list of LineCollection
        The lines of constant x_1, and those of constant x_2; or empty.
    boundaries_ : list of QuadContourSet

    Examples
    --------
    >>> net = Network(2, [2], 2, hidden="relu")
    >>> theta = net.initialize(seed=0)
    >>> theta.W[1][...], theta.b[1][...] = [[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0]
    >>> display = HiddenSpaceDisplay.from_network(net, theta, [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    >>> display.places.tolist()  # XOR can be separated by a line there
    [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 1.0]]
    """

    layer: int
    places: Array
    lines: list[Array]
    points: Points
    shares: tuple[float, float] | None = None
    names: tuple[str, str] = ("", "")
    decision: tuple[Array, Array, list[Array]] | None = None
    ax_: Any = None
    figure_: Any = None
    points_: list[Any] = field(default_factory=list)
    grid_: list[Any] = field(default_factory=list)
    boundaries_: list[Any] = field(default_factory=list)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, X: Any, y: Any = None, *, layer: int | None = None,
        units: Sequence[int] | None = None, limits: Any = None, lines: int = 13,
        class_names: Sequence[str] | None = None, ax: Any = None, **options: Any,
    ) -> HiddenSpaceDisplay:  # fmt: skip
        """Draw h^(k) of the rows of X.

        Parameters
        ----------
        net : Network
        theta : Parameters
        X : array (n, inputs)
        y : array (n,), optional
            Colours the points: classes (numbers or words), or numbers for a scale of colours.
        layer : int, optional
            k, from 1 to L, or 0 for X itself; the last hidden layer by default.
        units : two int, optional
            Draw these units, counted from 0, instead of principal components.
        limits : (low, high), or a pair of them, optional
            Of the grid, over two inputs; by default a little more than the range of X.
        lines : int
            Lines of the grid in each direction; 0 for none.
        class_names : sequence of str, optional
            One for each class in y.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        HiddenSpaceDisplay

        Raises
        ------
        LayerIndexError
            If the network has no such layer.
        InputError
            If X, y, theta or names do not fit the network, or h^(k) is not finite.
        SpecificationError
            If there are no such units, or an option cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        check_parameters(theta, net)
        k = net.L if layer is None else _check_layer(layer, net.L)
        rows = check_inputs(X, net)
        check_number("lines", lines, at_least=0, at_most=200, whole=True)
        chosen = None if units is None else _units(units, net.sizes[k])
        points = points_of(y, len(rows), net.output.target, class_names)
        h = _values(net, theta, rows, k)
        grid: list[Array] = []
        if net.inputs == 2 and lines:
            x_1, x_2 = (np.array(limit) for limit in plane_of(net, limits=limits, X=rows).limits)
            grid = _lines(x_1, x_2, int(lines))
            warped = _values(net, theta, np.concatenate(grid), k)
            grid = list(warped.reshape(len(grid), FINE, -1))
        shares = None
        symbol = "x" if k == 0 else f"h^{{({k})}}"
        if chosen is None and h.shape[1] > 2:
            mean, axes, shares = principal_components(h)
            h, grid = (h - mean) @ axes, [(line - mean) @ axes for line in grid]
            names = "first principal component", "second principal component"
        else:
            chosen = (0, 1)[: h.shape[1]] if chosen is None else chosen
            h, grid = h[:, chosen], [line[:, chosen] for line in grid]
            names = f"${symbol}_{{{chosen[0] + 1}}}$", f"${symbol}_{{{chosen[-1] + 1}}}$"
        whole = net.sizes[k] == 2 and chosen == (0, 1)  # then the output is a function of what is drawn
        decision = _decision(net, theta, [h, *grid]) if whole and k == net.L else None
        return cls(k, h, grid if h.shape[1] == 2 else [], points, shares, names, decision).plot(ax, **options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, layer: int | None = None, **options: Any
    ) -> HiddenSpaceDisplay:
        """Draw h^(k) of the rows of X, as a fitted estimator's network computes it.

        Parameters
        ----------
        estimator : object
            With ``network_`` and ``theta_``.
        X, y, layer, **options
            As in `from_network`.

        Raises
        ------
        InputError
            If the estimator is not fitted.
        """
        net, theta = fitted(estimator, "network_", "theta_")
        return cls.from_network(net, theta, X, y, layer=layer, **options)

    def plot(
        self, ax: Any = None, *, legend: bool = True, title: str | None = None, boundary: bool = True, **options: Any
    ) -> HiddenSpaceDisplay:
        """Draw the grid, the decision and the points.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        legend : bool
        title : str, optional
        boundary : bool
            Draw the decision, where there is one.
        **options
            For the points: matplotlib's scatter.
        """
        self.ax_ = ax = axes_to_draw_on(ax, (5.4, 4.4))
        self.figure_, self.grid_, self.boundaries_ = ax.figure, [], []
        collection = part_of_matplotlib("collections").LineCollection
        half = len(self.lines) // 2
        for lines, grey in zip((self.lines[:half], self.lines[half:]), GREYS, strict=True):
            if lines:
                self.grid_.append(ax.add_collection(collection(lines, colors=grey, linewidths=0.7, zorder=1)))
        if boundary and self.decision is not None:
            *ticks, margins = self.decision
            for margin in margins:
                if margin.min() < 0 < margin.max():
                    drawn = ax.contour(*ticks, margin, levels=[0.0], colors="black", linewidths=1.4, zorder=2)
                    self.boundaries_.append(drawn)
        x = self.places[:, 0]
        flat = self.places.shape[1] == 1  # one unit: a strip for each class
        height = (
            self.places[:, -1] if not flat else np.zeros(len(x)) if self.points.codes is None else self.points.codes
        )
        self.points_ = self.points.draw(ax, x, np.asarray(height, dtype=np.float64), options)
        self._set_axes(ax, flat)
        handles = self._handles() if legend else []
        if handles:
            ax.legend(
                handles=handles, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0),
                ncols=min(len(handles), 4), handletextpad=0.3, columnspacing=1.2,
            )  # fmt: skip
        said = self._said() if title is None else title
        ax.set_title(said, fontsize="medium", pad=6 + 18 * (-(-len(handles) // 4)))  # above the legend
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _set_axes(self, ax: Any, flat: bool) -> None:
        ax.set_xlabel(self.names[0])
        if flat:
            ax.set_yticks([])
            ax.set_ylim(-1.0, max(len(self.points.names), 1.0))
            return
        ax.set_ylabel(self.names[1])
        low, high = (pick(np.concatenate([self.places, *self.lines]), axis=0) for pick in (np.min, np.max))
        room = np.where(high > low, 0.04 * (high - low), 0.5)
        ax.set_xlim(low[0] - room[0], high[0] + room[0])
        ax.set_ylim(low[1] - room[1], high[1] + room[1])
        if 0.5 <= (high - low + 2 * room)[0] / (high - low + 2 * room)[1] <= 2.0:
            ax.set_aspect("equal")

    def _handles(self) -> list[Any]:
        handles = self.points.handles()
        if self.boundaries_:
            lines = part_of_matplotlib("lines")
            handles.append(lines.Line2D([], [], color="black", linewidth=1.4, label="decision"))
        return handles

    def _said(self) -> str:
        said = "the inputs $x$" if self.layer == 0 else f"layer {self.layer}: $h^{{({self.layer})}}(x)$"
        if self.shares is None:
            return said
        return f"{said}, {100 * self.shares[0]:.0f} % + {100 * self.shares[1]:.0f} % of the variance"


def principal_components(values: Array) -> tuple[Array, Array, tuple[float, float]]:
    """Return mean, the first two principal axes, and the share of the variance along each.

    Signs are such that the largest entry of each axis is positive.

    Parameters
    ----------
    values : array (n, d)
        d is 2 or more.

    Returns
    -------
    mean : array (d,)
    axes : array (d, 2)
    shares : (float, float)
        0 where the values are all the same.

    Examples
    --------
    >>> mean, axes, shares = principal_components(np.array([[0.0, 0.0, 5.0], [3.0, 4.0, 5.0]]))
    >>> axes[:, 0].round(6).tolist(), shares[0]
    ([0.6, 0.8, 0.0], 1.0)
    """
    mean = values.mean(axis=0)
    centred = (values - mean) / (np.abs(values).max() or 1.0)  # so that no square is too large
    covariance = centred.T @ centred  # d by d: no matter how many rows there are
    variances, axes = np.linalg.eigh(covariance)
    axes, variances = axes[:, :-3:-1], np.maximum(variances[:-3:-1], 0.0)
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(np.trace(covariance))
    shares = variances / total if total > 0 else np.zeros(2)
    return mean, axes, (float(shares[0]), float(shares[1]))


def _values(net: Network, theta: Parameters, X: Array, k: int) -> Array:
    h: Array = X.astype(np.float64) if k == 0 else layer_values(net, theta, X, k)[1]
    check_finite_picture(h, f"h^{{({k})}}(x)")
    return h


def _lines(x_1: Array, x_2: Array, count: int) -> list[Array]:
    """Return the lines of constant x_1, then those of constant x_2, each (FINE, 2)."""
    made = []
    for constant, (low, high), (start, end) in ((0, x_1, x_2), (1, x_2, x_1)):
        for value in np.linspace(low, high, count):
            line = np.empty((FINE, 2))
            line[:, constant], line[:, 1 - constant] = value, np.linspace(start, end, FINE)
            made.append(line)
    return made


def _decision(net: Network, theta: Parameters, drawn: list[Array]) -> tuple[Array, Array, list[Array]] | None:
    """Return by how much each class, or the first label, is decided for over the space of the last hidden layer."""
    if net.output.target not in ("classes", "labels"):
        return None
    everything = np.concatenate(drawn)
    low, high = everything.min(axis=0), everything.max(axis=0)
    room = np.where(high > low, 0.05 * (high - low), 0.5)
    ticks = [np.linspace(low[i] - room[i], high[i] + room[i], RESOLUTION) for i in (0, 1)]
    h = np.stack(np.meshgrid(*ticks), axis=-1)
    a = h @ theta.W[net.L + 1].T.astype(np.float64) + theta.b[net.L + 1]
    if net.output.target == "labels":
        return ticks[0], ticks[1], [a[..., 0]]
    classes = [1] if net.outputs == 2 else range(net.outputs)
    return ticks[0], ticks[1], [a[..., c] - np.delete(a, c, axis=-1).max(axis=-1) for c in classes]


def _check_layer(layer: Any, last: int) -> int:
    if isinstance(layer, bool) or not isinstance(layer, int | np.integer) or not 0 <= layer <= last:
        raise LayerIndexError(
            where="layer", expected=f"a layer k from 0 to {last}" if last else "layer 0, the only one",
            got=repr(layer), remedy="hidden layers count from 1, 0 is the space of inputs",
        )  # fmt: skip
    return int(layer)


def _units(units: Any, count: int) -> tuple[int, ...]:
    given = tuple(units) if isinstance(units, Sequence | np.ndarray) else (units,)
    chosen = tuple(check_index("units", unit, count) for unit in given)
    if len(chosen) != 2 or chosen[0] == chosen[1]:
        raise SpecificationError(
            where="units", expected="two different units", got=repr(units),
            remedy="name the two that the axes are to show, such as (0, 1)",
        )  # fmt: skip
    return chosen
