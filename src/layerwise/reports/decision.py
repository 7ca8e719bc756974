"""What a network decides over two of its inputs: regions of classes, or contours of a value, with the data on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_targets
from .figures import TRAINING, add_colorbar, axes_to_draw_on, contour_bounds, part_of_matplotlib, png
from .plane import Plane, check_finite_picture, check_index, plane_of
from .points import MARKERS, NAMED, class_colour

Array = npt.NDArray[Any]
#: How much of its colour a region has where the class is as likely as any, and where it is certain.
FAINT, STRONG = 0.12, 0.6


@dataclass
class DecisionBoundary:
    """The output of a network over one or two of its inputs, and where a decision changes.

    Classes are drawn as regions, each in its colour, the stronger the more probable; of two classes, of labels and of
    numbers one output is drawn as filled contours. It is best made by `from_network`. For estimators there is
    scikit-learn's own DecisionBoundaryDisplay.

    Parameters
    ----------
    plane : Plane
        Which inputs vary, and where.
    ticks : list of array (r,)
        Values of each of the inputs that vary.
    response : array (r, r, C), or (r, C) over one input
        f at each of them; rows go with the second input.
    X : array (n, inputs)
    y : array (n,), optional
        Codes of classes, 0 or 1 of labels, or numbers.
    target : {"classes", "labels", "numbers"}
        What y holds.
    output : int or None
        The output that is drawn; None for regions of all classes.
    class_names : list of str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    surface_ : QuadContourSet, or AxesImage for regions; over one input a list of Line2D
    boundaries_ : list of QuadContourSet
        Where the decision changes: one for each class that is drawn. Empty for numbers, and over one input.
    points_ : list of PathCollection
        One for each class, or one in all.

    Examples
    --------
    >>> net = Network(2, [], 2)
    >>> theta = net.initialize(seed=0)
    >>> theta.W[1][...] = [[0.0, 0.0], [2.0, 0.0]]  # f_1 = sigmoid(2 x_1)
    >>> display = DecisionBoundary.from_network(net, theta, [[-1.0, 0.0], [1.0, 2.0]], [0, 1], resolution=51)
    >>> display.response.shape, display.output
    ((51, 51, 2), 1)
    >>> (path,) = display.boundaries_[0].get_paths()
    >>> bool(np.allclose(path.vertices[:, 0], 0.0))  # the boundary is x_1 = 0
    True
    """

    plane: Plane
    ticks: list[Array]
    response: Array
    X: Array
    y: Array | None
    target: str
    output: int | None
    class_names: list[str]
    ax_: Any = None
    figure_: Any = None
    surface_: Any = None
    boundaries_: Any = None
    points_: Any = None

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, X: Any, y: Any = None, *, features: int | Sequence[int] | None = None,
        output: int | None = None, fixed: Any = None, limits: Any = None, feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None, resolution: int = 200, ax: Any = None, **options: Any,
    ) -> DecisionBoundary:  # fmt: skip
        """Draw what the network decides around the rows of X.

        Parameters
        ----------
        net : Network
        theta : Parameters
        X : array (n, inputs)
            Drawn as points; the picture is a little larger than their range.
        y : array, optional
            As for training: class codes, labels or numbers. They colour the points.
        features : int, or one or two of them, optional
            The inputs that vary, counted from 0; by default the first two, or the only one.
        output : int, optional
            Which output is drawn, counted from 0. By default all classes as regions, class 1 if there are two, the
            first of several labels or numbers.
        fixed : float or array (inputs,), optional
            The values of all other inputs; by default their means in X.
        limits : (low, high), or a pair of them, optional
        feature_names : sequence of str, optional
            Of all inputs.
        class_names : sequence of str, optional
            By default "class 0", ...; for labels "no" and "yes".
        resolution : int
            Points along each input.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        DecisionBoundary

        Raises
        ------
        InputError
            If X, y, theta or names do not fit the network, or f is not finite.
        SpecificationError
            If there is no such feature or output, or an option cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        rows = check_inputs(X, net)
        target = net.output.target
        if output is None and not (target == "classes" and net.outputs > 2):
            output = int(target == "classes")
        if output is not None:
            output = check_index("output", output, net.outputs)
        names = _class_names(class_names, target, net.outputs)
        values = None
        if y is not None:
            values = check_targets(y, net, len(rows))
            values = values if target == "classes" else values[:, output]
        plane = plane_of(net, features, fixed, limits, rows, feature_names)
        ticks = plane.ticks(resolution)
        grid = np.meshgrid(*ticks)
        f = net.predict(theta, plane.rows(*grid)).astype(np.float64)
        check_finite_picture(f, "f(x)")
        display = cls(plane, ticks, f.reshape(*grid[0].shape, -1), rows, values, target, output, names)
        return display.plot(ax, **options)

    @classmethod
    def from_function(
        cls, decide: Callable[[Array], Any], X: Any, y: Any, *, limits: Any = None, resolution: int = 100,
        feature_names: Sequence[str] | None = None, class_names: Sequence[str] | None = None, ax: Any = None,
        **options: Any,
    ) -> DecisionBoundary:  # fmt: skip
        """Draw what a function of one or two inputs decides, such as a linear classifier of features of them.

        Parameters
        ----------
        decide : callable (X) -> array (n,) or (n, C)
            The probability of class 1 of two, or those of all classes.
        X : array (n, 1) or (n, 2)
        y : array (n,) of class codes
        limits, resolution, feature_names, class_names, ax
            As in `from_network`.
        **options
            For `plot`.

        Returns
        -------
        DecisionBoundary

        Raises
        ------
        InputError
            If X, y or names do not fit, or a probability is not finite.
        SpecificationError
            If an option cannot be.
        MissingExtraError
            If matplotlib is not installed.

        Examples
        --------
        >>> display = DecisionBoundary.from_function(  # inside the unit circle
        ...     lambda X: 1 / (1 + np.exp((X**2).sum(axis=1) - 1)), [[0.0, 0.0], [2.0, 2.0]], [1, 0]
        ... )
        >>> (path,) = display.boundaries_[0].get_paths()
        >>> bool(np.allclose((path.vertices**2).sum(axis=1), 1.0, atol=0.01))
        True
        """
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] not in (1, 2):
            raise InputError(
                where="X", expected="one or two columns", got=f"shape {shape}",
                remedy="draw a network of more inputs by from_network",
            )  # fmt: skip
        place = Network(shape[1], [], 2)  # has the inputs that the function has
        rows = check_inputs(X, place)
        plane = plane_of(place, None, None, limits, rows, feature_names)
        ticks = plane.ticks(resolution)
        grid = np.meshgrid(*ticks)
        f = np.asarray(decide(plane.rows(*grid)), dtype=np.float64)
        f = np.column_stack([1 - f, f]) if f.ndim == 1 else f
        if f.ndim != 2 or len(f) != grid[0].size:
            raise InputError(
                where="decide", expected=f"{grid[0].size} rows of probabilities", got=f"shape {f.shape}",
                remedy="return one row an input, or for two classes one number",
            )  # fmt: skip
        classes = f.shape[1]
        check_finite_picture(f, "f(x)")
        names = _class_names(class_names, "classes", classes)
        values = check_targets(y, Network(shape[1], [], classes), len(rows))
        output = 1 if classes == 2 else None
        response = f.reshape(*grid[0].shape, -1)
        return cls(plane, ticks, response, rows, values, "classes", output, names).plot(ax, **options)

    def plot(
        self, ax: Any = None, *, levels: int | Sequence[float] = 11, cmap: Any = None, colorbar: bool = True,
        legend: bool = True, title: str | None = None, point_size: float | None = None, **options: Any,
    ) -> DecisionBoundary:  # fmt: skip
        """Draw regions or contours, the boundary, and the data.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        levels : int or sequence of float
            Bounds of filled contours, or how many of them.
        cmap : str or Colormap, optional
            Of filled contours.
        colorbar, legend : bool
        title : str, optional
        point_size : float, optional
            The area of a point in square points; by default smaller the more points there are.
        **options
            For the points: matplotlib's scatter.
        """
        self.ax_ = ax = axes_to_draw_on(ax, self.plane.figure_size)
        self.figure_, self.boundaries_, self.points_ = ax.figure, [], []
        flat = len(self.ticks) == 1
        if point_size is None:
            point_size = float(np.clip(6000 / len(self.X), 6, 32))
        has_values = self.target == "numbers" and self.y is not None and not flat  # shown by points of all colours
        edge = {"edgecolors": "black" if has_values else "white", "linewidths": 0.5 if point_size > 12 else 0.25}
        style = {"s": point_size, "zorder": 3} | edge | options
        if flat:
            self._draw_curves(ax)
        elif self.output is None:
            self._draw_regions(ax, colorbar)
        else:
            self._draw_contours(ax, levels, cmap, colorbar)
        self._draw_points(ax, style)
        self.plane.set_axes(ax)
        if legend and (handles := self._handles(flat)):
            ax.legend(
                handles=handles, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0),
                ncols=min(len(handles), 4), handletextpad=0.3, columnspacing=1.2,
            )  # fmt: skip
        note = self.plane.note if title is None else title
        if note:  # above the legend
            lines = -(-len(handles) // 4) if legend else 0
            ax.set_title(note, fontsize="medium", pad=6 + 18 * lines)
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def margin(self, c: int) -> Array:
        """Return by how much f_c decides for c: over the largest of the other classes, or over 1/2.  -> (r, r)"""
        f: Array = self.response[..., c]
        if self.target == "labels":
            return f - 0.5
        others: Array = np.delete(self.response, c, axis=-1).max(axis=-1)
        return f - others

    def _draw_regions(self, ax: Any, colorbar: bool) -> None:
        C = self.response.shape[-1]
        colours = part_of_matplotlib("colors")
        most_likely, largest = self.response.argmax(axis=-1), self.response.max(axis=-1)
        weight = FAINT + (STRONG - FAINT) * np.clip((largest * C - 1) / (C - 1), 0, 1)
        palette = np.array([colours.to_rgb(class_colour(c)) for c in range(C)])
        picture = 1 + weight[..., None] * (palette[most_likely] - 1)
        halves = [(ticks[1] - ticks[0]) / 2 for ticks in self.ticks]  # a pixel has its point in the middle
        extent = [end for t, half in zip(self.ticks, halves, strict=True) for end in (t[0] - half, t[-1] + half)]
        self.surface_ = ax.imshow(picture, extent=extent, origin="lower", aspect="auto", interpolation="nearest")
        for c in range(C):
            self._draw_boundary(ax, c)
        if colorbar:
            greys = [(1 - share * 0.7,) * 3 for share in (FAINT, STRONG)]
            scale = part_of_matplotlib("cm").ScalarMappable(
                colours.Normalize(1 / C, 1), colours.LinearSegmentedColormap.from_list("strength", greys)
            )
            add_colorbar(ax, scale, r"$\max_c\, f(x)_c$")

    def _draw_contours(self, ax: Any, levels: int | Sequence[float], cmap: Any, colorbar: bool) -> None:
        c = self._drawn
        values, f = self.response[..., c], f"$f(x)_{{{c}}}$" if self.response.shape[-1] > 1 else "$f(x)$"
        if self.target == "numbers":
            seen = values if self.y is None else np.append(values, self.y)
            bounds, cmap = contour_bounds(levels, seen), "viridis" if cmap is None else cmap
        else:
            bounds, cmap = contour_bounds(levels, values, (0.0, 1.0)), self._from_no_to_yes() if cmap is None else cmap
            f += f", probability of {self.class_names[c]}" if self.target == "classes" else ""
        self.surface_ = ax.contourf(*self.ticks, values, levels=bounds, cmap=cmap)
        if self.target != "numbers":
            self._draw_boundary(ax, c)
        if colorbar:
            add_colorbar(ax, self.surface_, f, bounds)

    @property
    def _drawn(self) -> int:
        assert self.output is not None  # else all are drawn, as regions
        return self.output

    def _from_no_to_yes(self) -> Any:
        """Pale colours, so that points stand out: from that of the other class over white to that of the output."""
        colours = part_of_matplotlib("colors")
        if self.target == "classes":
            yes = class_colour(self._drawn)
            no = class_colour(1 - self._drawn) if self.response.shape[-1] == 2 else "#888888"
        else:
            no, yes = class_colour(0), class_colour(1)
        ends = [tuple(1 + STRONG * (np.array(colours.to_rgb(colour)) - 1)) for colour in (no, yes)]
        return colours.LinearSegmentedColormap.from_list("no_to_yes", [ends[0], "white", ends[1]])

    def _draw_boundary(self, ax: Any, c: int) -> None:
        margin = self.margin(c)
        if margin.min() < 0 < margin.max():
            self.boundaries_.append(ax.contour(*self.ticks, margin, levels=[0.0], colors="black", linewidths=1.0))

    def _draw_curves(self, ax: Any) -> None:
        x, C = self.ticks[0], self.response.shape[-1]
        drawn = range(C) if self.output is None else [self.output]
        self.surface_ = []
        for c in drawn:
            colour = TRAINING if self.target == "numbers" else class_colour(1 if self.target == "labels" else c)
            self.surface_ += ax.plot(x, self.response[:, c], color=colour, linewidth=2, zorder=4)  # above the points
        which = "c" if self.output is None else str(self.output)
        ax.set_ylabel(f"$f(x)_{{{which}}}$" if C > 1 else "$f(x)$")
        if self.target != "numbers":
            for margin in map(self.margin, drawn):
                at = np.flatnonzero((margin[:-1] <= 0) != (margin[1:] <= 0))
                for zero in x[at] - margin[at] * (x[at + 1] - x[at]) / (margin[at + 1] - margin[at]):
                    ax.axvline(zero, color="black", linewidth=1.0, linestyle=":")
        ax.grid(alpha=0.25)

    def _draw_points(self, ax: Any, style: dict[str, Any]) -> None:
        flat = len(self.ticks) == 1
        places = [self.X[:, feature] for feature in self.plane.features]
        if self.target == "numbers":
            if flat and self.y is not None:
                places.append(self.y)
            elif flat:
                places, style = self._on_the_axis(ax, places, style)
            colour: dict[str, Any] = {"color": "0.25"}
            if self.y is not None and not flat:
                colour = {"c": self.y, "cmap": self.surface_.get_cmap(), "norm": self.surface_.norm}
            self.points_ = [ax.scatter(*places, **colour | style)]
            return
        if flat:
            places, style = self._on_the_axis(ax, places, style)
        if self.y is None:
            self.points_ = [ax.scatter(*places, **{"color": "0.25"} | style)]
            return
        codes = self.y if self.target == "classes" else self.y > 0.5
        for c in range(len(self.class_names)):
            here = [place[codes == c] for place in places]
            self.points_.append(ax.scatter(*here, **{"color": class_colour(c), "marker": MARKERS[c % 8]} | style))

    def _on_the_axis(self, ax: Any, places: list[Array], style: dict[str, Any]) -> tuple[list[Array], dict[str, Any]]:
        """Put points with no height of their own a little above the horizontal axis."""
        heights = np.full(len(self.X), 0.03)
        return [*places, heights], {"transform": ax.get_xaxis_transform()} | style

    def _handles(self, flat: bool) -> list[Any]:
        lines, patches = part_of_matplotlib("lines"), part_of_matplotlib("patches")
        handles = []
        if self.target != "numbers" and (self.y is not None or self.output is None):
            for c, name in enumerate(self.class_names[:NAMED]):
                colour = class_colour(c)
                if self.y is not None:
                    shape = {
                        "color": colour,
                        "marker": MARKERS[c % 8],
                        "linestyle": "-" if flat and self.output is None else "none",
                    }
                    handles.append(lines.Line2D([], [], label=name, markeredgecolor="white", **shape))
                else:
                    handles.append(patches.Patch(color=colour, alpha=STRONG, label=name))
        if handles and (more := len(self.class_names) - NAMED) > 0:
            handles.append(lines.Line2D([], [], linestyle="none", label=f"and {more} more"))
        if self.boundaries_:
            handles.append(lines.Line2D([], [], color="black", linewidth=1.0, label="boundary"))
        return handles


def _class_names(names: Sequence[str] | None, target: str, outputs: int) -> list[str]:
    count = {"classes": outputs, "labels": 2, "numbers": 0}[target]
    if names is None:
        return ["no", "yes"] if target == "labels" else [f"class {c}" for c in range(count)]
    is_word = isinstance(names, str)
    if is_word or len(names) != count:
        raise InputError(
            where="class_names", expected=f"{count} names", got=repr(names) if is_word else str(len(names)),
            remedy="give one name for each class" if count else "leave them out: the network predicts numbers",
        )  # fmt: skip
    return [str(name) for name in names]
