"""Filters: the weights into each unit as an image (course-map row 25)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_parameters
from .figures import TRAINING, VALIDATION, add_colorbar, axes_to_draw_on, fitted, part_of_matplotlib, png
from .plane import check_index, check_layer

Array = npt.NDArray[Any]
#: Images in one picture, unless the units are named.
MOST: Final = 100
#: The gap between images, as a share of their sides.
GAP: Final = 0.12
#: The longer side of the picture in a figure of its own, in inches.
SIDE: Final = 6.0
#: Sizes of the numbers above images, in points, and how they grow with an image's width in inches.
SMALLEST: Final = 5.0
LARGEST: Final = 9.0
POINTS_PER_INCH: Final = 14.0


@dataclass
class FilterDisplay:
    """The weights into each unit of a layer as images, in one scale of colours that is symmetric around 0.

    It is best made by `from_weights`, `from_network` or `from_estimator`.

    Parameters
    ----------
    W : array (units, d)
        All weights of the layer.
    shape : (rows, columns)
        Of an image, with rows * columns = d.
    units : array of int
        Which units are shown, in their order.
    layer : int
    notes : list of str
        What the title says beside the layer.

    Attributes
    ----------
    ax_ : matplotlib Axes
        One for all images.
    figure_ : Figure
    images_ : list of AxesImage
        One for each of `units`; values that are not finite are grey.

    Examples
    --------
    >>> import numpy as np
    >>> W = np.outer([1.0, -2.0, 0.5], np.ones(6))
    >>> display = FilterDisplay.from_weights(W, shape=(2, 3), sort=True)
    >>> display.units.tolist(), display.images_[0].get_clim()
    ([1, 0, 2], (-2.0, 2.0))
    """

    W: Array
    shape: tuple[int, int]
    units: Array
    layer: int = 1
    notes: list[str] = field(default_factory=list)
    ax_: Any = None
    figure_: Any = None
    images_: list[Any] = field(default_factory=list)

    @classmethod
    def from_weights(
        cls, W: Any, shape: tuple[int, int] | None = None, *, units: int | Sequence[int] | None = None,
        sort: bool = False, max_units: int = MOST, layer: int = 1, ax: Any = None, **options: Any,
    ) -> FilterDisplay:  # fmt: skip
        """Draw the rows of W.

        Parameters
        ----------
        W : array (units, d), or (d,) for one unit
            As ``theta.W[1]``.
        shape : (rows, columns), optional
            Of an image; a square by default.
        units : int or sequence of int, optional
            Which units, counted from 0; all by default.
        sort : bool
            The largest Euclidean norms first.
        max_units : int
            Of more units the first are shown, and the title says so; not where `units` names them.
        layer : int
            Said in labels.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        FilterDisplay

        Raises
        ------
        InputError
            If W is no matrix of numbers, or its rows do not fill the shape.
        SpecificationError
            If there is no such unit, or an option cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        weights = np.atleast_2d(np.asarray(W))
        if weights.ndim != 2 or weights.dtype.kind not in "fiub" or weights.size == 0:
            raise InputError(
                where="W", expected="numbers, one row for each unit", got=f"{weights.dtype} of shape {weights.shape}",
                remedy="give theta.W[1], say",
            )  # fmt: skip
        weights = weights.astype(np.float64)
        shape = _shape(shape, weights.shape[1])
        chosen, notes = _units(weights, units, sort, max_units)
        if unusable := int((~np.isfinite(weights[chosen])).sum()):
            notes.append(f"{unusable} weight{'s' * (unusable > 1)} not finite (grey)")
        return cls(weights, shape, chosen, layer, notes).plot(ax, **options)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, *, layer: int = 1, shape: tuple[int, int] | None = None, **options: Any
    ) -> FilterDisplay:
        """Draw the weights into the units of a layer.

        Parameters
        ----------
        net : Network
        theta : Parameters
        layer : int
            k, from 1 to L+1.
        shape : (rows, columns), optional
            A square by default.
        **options
            As in `from_weights`.

        Raises
        ------
        LayerIndexError
            If the network has no such layer.
        """
        check_parameters(theta, net)
        k = check_layer(layer, net.L + 1)
        return cls.from_weights(theta.W[k], shape, layer=k, **options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, layer: int = 1, shape: tuple[int, int] | None = None, **options: Any
    ) -> FilterDisplay:
        """Draw the weights into the units of a layer of a fitted estimator.

        Parameters
        ----------
        estimator : object
            With ``coefs_``, a list of (d_in, d_out), as scikit-learn's have.
        layer, shape, **options
            As in `from_network`.

        Raises
        ------
        InputError
            If the estimator is not fitted.
        """
        (coefs,) = fitted(estimator, "coefs_")
        k = check_layer(layer, len(coefs))
        return cls.from_weights(np.asarray(coefs[k - 1]).T, shape, layer=k, **options)

    def plot(
        self, ax: Any = None, *, n_columns: int | None = None, limit: float | None = None, cmap: Any = None,
        colorbar: bool = True, numbers: bool | None = None, title: str | None = None, **options: Any,
    ) -> FilterDisplay:  # fmt: skip
        """Draw the images, row by row.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        n_columns : int, optional
            Images in a row; by default as many as make the picture about square.
        limit : float, optional
            The scale goes from -limit to limit; by default to the largest absolute weight that is shown.
        cmap : str or Colormap, optional
            By default from blue over white, which is 0, to vermilion.
        colorbar : bool
        numbers : bool, optional
            The number of its unit above each image; by default if they can be read.
        title : str, optional
        **options
            For matplotlib's imshow.
        """
        if n_columns is not None:
            check_number("n_columns", n_columns, at_least=1, whole=True)
        rows, columns = self.shape
        side = SIDE if ax is None else float(min(ax.get_window_extent().size)) / ax.figure.dpi
        grid = _grid(len(self.units), self.shape, numbers, n_columns, side)
        size = (grid.across * grid.width * grid.scale + 1.1, grid.down * grid.height * grid.scale + 0.6)
        self.ax_ = ax = axes_to_draw_on(ax, size)
        self.figure_, self.images_ = ax.figure, []
        largest = self._limit(limit)
        settings = {"cmap": _blue_white_vermilion() if cmap is None else cmap, "vmin": -largest, "vmax": largest}
        frame = part_of_matplotlib("patches").Rectangle
        for place, unit in enumerate(self.units):
            left, top = (place % grid.across) * grid.width, (place // grid.across) * grid.height
            values = np.ma.masked_invalid(self.W[unit].reshape(self.shape))
            extent = (left, left + columns, top + rows, top)
            self.images_.append(ax.imshow(values, extent=extent, interpolation="nearest", **settings | options))
            ax.add_patch(frame((left, top), columns, rows, fill=False, edgecolor="0.6", linewidth=0.4))
            if grid.font:
                ax.text(left + columns / 2, top, f"{unit}", ha="center", va="bottom", fontsize=grid.font)
        ax.set_xlim(-GAP / 2 * columns, (grid.across - 1) * grid.width + (1 + GAP / 2) * columns)
        ax.set_ylim((grid.down - 1) * grid.height + (1 + GAP / 2) * rows, rows - grid.height)  # the first row on top
        ax.set_aspect("equal")
        ax.set_axis_off()
        if colorbar:
            add_colorbar(ax, self.images_[0], f"$W^{{({self.layer})}}$")
        said = f"$W^{{({self.layer})}}$, one image for each unit" + "\n" * bool(self.notes) + ", ".join(self.notes)
        ax.set_title(said if title is None else title, fontsize="medium")
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _limit(self, limit: float | None) -> float:
        if limit is not None:
            check_number("limit", limit, above=0)
            return float(limit)
        shown = np.abs(self.W[self.units])
        return float(shown[np.isfinite(shown)].max(initial=0.0)) or 1.0


def _shape(shape: tuple[int, int] | None, d: int) -> tuple[int, int]:
    if shape is None:
        side = math.isqrt(d)
        if side * side != d:
            raise InputError(
                where="shape", expected=f"a shape for images of {d} weights, which are no square", got="none",
                remedy=f"give shape=(rows, columns), such as (1, {d})",
            )  # fmt: skip
        return side, side
    is_pair = isinstance(shape, Sequence | np.ndarray) and len(shape) == 2
    whole = is_pair and all(isinstance(size, int | np.integer) and size > 0 for size in shape)
    if not whole or shape[0] * shape[1] != d:
        raise InputError(
            where="shape", expected=f"(rows, columns) with {d} pixels", got=repr(shape),
            remedy="leave it out for a square" if math.isqrt(d) ** 2 == d else f"give (1, {d}) for a row",
        )  # fmt: skip
    return int(shape[0]), int(shape[1])


def _units(W: Array, units: int | Sequence[int] | None, sort: bool, most: int) -> tuple[Array, list[str]]:
    """Return which units are shown in which order, and what the title should say about it."""
    check_number("max_units", most, at_least=1, whole=True)
    if units is None:
        chosen = np.arange(len(W))
    else:
        given = units if isinstance(units, Sequence | np.ndarray | range) else (units,)
        chosen = np.array([check_index("units", unit, len(W)) for unit in given], dtype=np.intp)
        if len(chosen) == 0:
            raise SpecificationError(
                where="units", expected="at least one unit", got="none", remedy="leave units out for all of them"
            )
        most = len(chosen)
    if sort:  # NaN comes last, equal norms stay in order
        chosen = chosen[np.argsort(-np.linalg.norm(W[chosen], axis=1), kind="stable")]
    notes = ["largest norms first"] * sort
    if len(chosen) > most:
        notes.append(f"{most} of {len(chosen)} units")
    return chosen[:most], notes


@dataclass(frozen=True)
class _Grid:
    """Where images go: how many across and down, how far apart, inches for one pixel of theirs, the size of numbers."""

    across: int
    down: int
    width: float
    height: float
    scale: float
    font: float | None


def _grid(n: int, shape: tuple[int, int], numbers: bool | None, n_columns: int | None, side: float) -> _Grid:
    rows, columns = shape
    width, height = (1 + GAP) * columns, (1 + GAP) * rows

    def laid_out() -> tuple[int, int, float]:
        across = min(n, n_columns or _columns(n, height / width))
        down = math.ceil(n / across)
        return across, down, side / max(across * width, down * height)

    across, down, scale = laid_out()
    font = None
    if POINTS_PER_INCH * columns * scale >= SMALLEST if numbers is None else numbers:
        for _ in range(4):  # higher rows may ask for more columns and a smaller scale, and that for higher rows
            font = min(max(POINTS_PER_INCH * columns * scale, SMALLEST), LARGEST)
            height = max(height, rows + 1.6 * font / 72 / scale)  # there are 72 points in an inch
            across, down, scale = laid_out()
    return _Grid(across, down, width, height, scale, font)


def _columns(n: int, ratio: float) -> int:
    """Return how many of n images go across, so that the whole is about square and few places stay empty."""
    ideal = math.sqrt(n * ratio)
    candidates = range(max(1, math.ceil(0.8 * ideal)), max(1, math.floor(1.4 * ideal)) + 1) or [math.ceil(ideal)]
    return min(candidates, key=lambda across: (-n % across, abs(across - ideal)))


def _blue_white_vermilion() -> Any:
    colours = part_of_matplotlib("colors")
    ends = ["#00304D", TRAINING, "white", VALIDATION, "#5C2900"]  # dark ends tell the strongest from strong ones
    return colours.LinearSegmentedColormap.from_list("blue_white_vermilion", ends).with_extremes(bad="0.5")
