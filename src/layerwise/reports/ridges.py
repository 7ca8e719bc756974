"""Ridges: what one neuron, or one output of a network, makes of two inputs (course-map row 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError
from ..network import Layer, Network, Parameters
from .figures import (
    TRAINING,
    VALIDATION,
    add_colorbar,
    axes_to_draw_on,
    contour_bounds,
    fitted,
    part_of_matplotlib,
    png,
    ticks_of,
)
from .plane import Plane, check_finite_picture, check_index, check_layer, layer_values, plane_of

Array = npt.NDArray[Any]


@dataclass
class RidgeDisplay:
    """The surface that a neuron, or an output of a network, makes over one or two of its inputs.

    The range is determined by g, w gives the direction of the ridge, the bias only changes its position. The line where
    g is given 0 is drawn, and for a neuron of the first layer the direction of w.

    It is best made by `from_neuron`, `from_network` or `from_estimator`.

    Parameters
    ----------
    plane : Plane
        Which inputs vary, and where.
    ticks : list of array (r,)
        Values of each of the inputs that vary.
    response : array (r, r), or (r,) over one input
        The heights; rows go with the second input.
    argument : array of the same shape, optional
        What g is given: the line is where it is 0. None where that line means nothing (softmax).
    w, b : array (1,) or (2,) and float, optional
        argument = w'x + b over the inputs that vary; only in the first layer.
    value_range : (low, high), optional
        The values that the heights can take, if both are finite.
    label, line_label, title : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    surface_ : QuadContourSet, Poly3DCollection, or over one input Line2D
    line_ : Line2D, QuadContourSet or None
        Where the argument is 0; None if that is nowhere in the picture.
    arrow_ : artist or None
        From that line, or from the middle if it is elsewhere, along w.

    Examples
    --------
    >>> display = RidgeDisplay.from_neuron(w=[2.0, 1.0], b=-1.0, activation="sigmoid", resolution=61)
    >>> display.response.shape, display.value_range
    ((61, 61), (0.0, 1.0))
    >>> float(display.response[30, 30]).__round__(4)  # g(b), in the middle
    0.2689
    >>> x_1, x_2 = display.line_.get_data()
    >>> bool(np.allclose(2 * x_1 + x_2 - 1, 0))
    True
    """

    plane: Plane
    ticks: list[Array]
    response: Array
    argument: Array | None = None
    w: Array | None = None
    b: float | None = None
    value_range: tuple[float, float] | None = None
    label: str = "$h(x)$"
    line_label: str = ""
    title: str = ""
    ax_: Any = None
    figure_: Any = None
    surface_: Any = None
    line_: Any = None
    arrow_: Any = None

    @classmethod
    def from_neuron(
        cls, w: Any, b: float = 0.0, activation: Any = "sigmoid", *, features: int | Sequence[int] | None = None,
        fixed: Any = None, limits: Any = None, feature_names: Sequence[str] | None = None, quantity: str = "h",
        resolution: int = 121, ax: Any = None, **options: Any,
    ) -> RidgeDisplay:  # fmt: skip
        """Draw h(x) = g(w'x + b).

        Parameters
        ----------
        w : array (d,)
        b : float
        activation : str, Activation or callable
            g: a name, or ``lambda s, a: ...``.
        features, fixed, limits, feature_names, quantity, resolution, ax, **options
            As in `from_network`.

        Returns
        -------
        RidgeDisplay

        Raises
        ------
        InputError
            If w is not one row of finite numbers or b is not one.
        SpecificationError
            If the activation is unknown.
        """
        weights, bias = (np.asarray(value) for value in (w, b))
        for name, array, wanted in (("w", weights, weights.ndim == 1 and weights.size > 0), ("b", bias, not bias.ndim)):
            if not wanted or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
                raise InputError(
                    where=name, expected="one finite number" + " for each input, such as [2.0, -1.0]" * (name == "w"),
                    got=repr(array.tolist()), remedy="give one neuron's",
                )  # fmt: skip
        net = Network(weights.size, [Layer(1, activation)], 1, output="identity")
        theta = net.initialize(seed=0)
        theta.W[1], theta.b[1] = weights, bias
        display = cls._of(
            net, theta, 1, 0, quantity, plane_of(net, features, fixed, limits, names=feature_names), resolution
        )
        display.label = "$h(x)$" if quantity == "h" else "$a(x)$"
        display.title = f"{net.layers[0].activation.name}: $w = {_row(weights)}$, $b = {float(bias):.3g}$"
        display.title += f"\n{display.plane.note}" if display.plane.note else ""
        return display.plot(ax, **options)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, *, layer: int = 1, unit: int = 0,
        features: int | Sequence[int] | None = None, fixed: Any = None, limits: Any = None, X: Any = None,
        feature_names: Sequence[str] | None = None, quantity: str = "h", resolution: int = 121, ax: Any = None,
        **options: Any,
    ) -> RidgeDisplay:  # fmt: skip
        """Draw one unit of layer k, which for k = L+1 is an output, as a function of one or two inputs.

        Parameters
        ----------
        net : Network
        theta : Parameters
        layer : int
            k, from 1 to L+1.
        unit : int
            Counted from 0, as the rows of ``theta.W[k]``.
        features : int, or one or two of them, optional
            The inputs that vary, counted from 0; by default the first two, or the only one.
        fixed : float or array (inputs,), optional
            The values of the others; by default their means in X, or 0 without X.
        limits : (low, high), or a pair of them, optional
            By default a little more than the range of X, or -3 to 3 without X.
        X : array (n, inputs), optional
            Rows that say where the network is at home.
        feature_names : sequence of str, optional
            Of all inputs.
        quantity : {"h", "a"}
            h^(k), or what g is given: a^(k), with batch normalisation z^(k).
        resolution : int
            Points along each input.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        RidgeDisplay

        Raises
        ------
        LayerIndexError
            If the network has no such layer.
        SpecificationError
            If there is no such unit or feature, or an option cannot be.
        InputError
            If theta is not the network's, or gives NaN or infinity.
        """
        k = check_layer(layer, net.L + 1)
        unit = check_index("unit", unit, net.sizes[k])
        plane = plane_of(net, features, fixed, limits, X, feature_names)
        return cls._of(net, theta, k, unit, quantity, plane, resolution).plot(ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        layer: int = 1,
        unit: int = 0,
        feature_names: Sequence[str] | None = None,
        **options: Any,
    ) -> RidgeDisplay:
        """Draw one unit of a fitted estimator's network.

        Parameters
        ----------
        estimator : object
            With ``network_`` and ``theta_``.
        layer, unit
            As in `from_network`.
        feature_names : sequence of str, optional
            By default ``feature_names_in_``, if there are any.
        **options
            As in `from_network`.

        Raises
        ------
        InputError
            If the estimator is not fitted.
        """
        net, theta = fitted(estimator, "network_", "theta_")
        if feature_names is None and hasattr(estimator, "feature_names_in_"):
            feature_names = [str(name).replace("$", r"\$") for name in estimator.feature_names_in_]
        return cls.from_network(net, theta, layer=layer, unit=unit, feature_names=feature_names, **options)

    @classmethod
    def _of(
        cls, net: Network, theta: Parameters, k: int, unit: int, quantity: str, plane: Plane, resolution: int
    ) -> RidgeDisplay:
        if quantity not in ("h", "a"):
            raise SpecificationError(
                where="quantity", expected='"h" or "a"', got=repr(quantity), remedy="choose one of them"
            )
        ticks = plane.ticks(resolution)
        grid = np.meshgrid(*ticks)
        before, after = (v[:, unit].reshape(grid[0].shape) for v in layer_values(net, theta, plane.rows(*grid), k))
        given, made = _symbols(net, k)
        check_finite_picture(before, given)
        check_finite_picture(after, made)
        is_softmax = k == net.L + 1 and net.output.target == "classes"  # where a_c is 0 depends on the other a's
        w = b = None
        if k == 1 and not is_softmax:
            w, b = plane.affine(layer_values(net, theta, plane.corners, 1)[0][:, unit])
        return cls(
            plane, ticks, after if quantity == "h" else before, None if is_softmax else before, w, b,
            _range(net, k) if quantity == "h" else None, f"${made if quantity == 'h' else given}$",
            r"$w^{\top}x + b = 0$" if k == 1 and "z" not in given else f"${given} = 0$",
            ", ".join(part for part in (f"layer {k}, unit {unit}", plane.note) if part),
        )  # fmt: skip

    def plot(
        self, ax: Any = None, *, kind: Literal["contour", "surface"] = "contour", levels: int | Sequence[float] = 9,
        cmap: Any = "viridis", colorbar: bool = True, title: str | None = None, **options: Any,
    ) -> RidgeDisplay:  # fmt: skip
        """Draw the surface, seen from above or in three dimensions; over one input, the curve.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given. ``kind="surface"`` needs one with ``projection="3d"``.
        kind : {"contour", "surface"}
        levels : int or sequence of float
            Bounds of the filled contours, or how many of them.
        cmap : str or Colormap
        colorbar : bool
        title : str, optional
        **options
            For matplotlib's contourf, plot_surface or plot.

        Returns
        -------
        RidgeDisplay

        Raises
        ------
        SpecificationError
            If the kind is unknown, or does not go with the axes or a single input.
        MissingExtraError
            If matplotlib is not installed.
        """
        flat = len(self.ticks) == 1
        solid = kind == "surface"
        if kind not in ("contour", "surface") or (solid and flat):
            raise SpecificationError(
                where="kind", expected='"contour"' + ' or "surface"' * (not flat), got=repr(kind),
                remedy="choose two features for a surface" if flat else "choose one of them",
            )  # fmt: skip
        if ax is not None and (ax.name == "3d") != solid:
            raise SpecificationError(
                where="ax", expected="axes with projection='3d'" if solid else "axes in two dimensions",
                got=f"axes of projection {ax.name!r}", remedy="leave ax out, or make others",
            )  # fmt: skip
        self.ax_ = ax = axes_to_draw_on(ax, (6.0, 4.6) if solid else self.plane.figure_size, "3d" if solid else None)
        self.figure_, self.line_, self.arrow_ = ax.figure, None, None
        self.plane.set_axes(ax)
        bounds = contour_bounds(levels, self.response, self.value_range)
        if flat:
            self._draw_curve(ax, options)
        elif solid:
            self._draw_solid(ax, bounds, {"cmap": cmap, "vmin": bounds[0], "vmax": bounds[-1]} | options)
        else:
            self.surface_ = ax.contourf(*self.ticks, self.response, **{"levels": bounds, "cmap": cmap} | options)
            self._draw_line(ax)
            self._draw_arrow(ax)
        if colorbar and not flat and not solid:
            add_colorbar(ax, self.surface_, self.label, bounds)
        if self.line_ is not None and self.line_label:
            handle = self.line_ if flat or solid else _line_across([], [])  # a set of contours has none
            below = {"loc": "lower center", "bbox_to_anchor": (0.5, -0.04), "frameon": False} if solid else {}
            ax.legend([handle], [self.line_label], **below)
        ax.set_title(self.title if title is None else title, fontsize="medium", y=0.97 if solid else None)
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _draw_line(self, ax: Any) -> None:
        if self.w is not None and self.b is not None:
            ends = self.plane.segment(self.w, self.b)
            if ends is not None:
                self.line_ = ax.add_line(_line_across(*np.transpose(ends)))
        elif self.argument is not None and self.argument.min() < 0 < self.argument.max():
            self.line_ = ax.contour(*self.ticks, self.argument, levels=[0.0], colors="white", linewidths=1.8)
            self.line_.set_path_effects(_outline(3.4))

    def _draw_arrow(self, ax: Any) -> None:
        if self.w is None or self.b is None or not self.w.any():
            return
        foot, tip = self.plane.arrow(self.w, self.b)
        self.arrow_ = ax.annotate(
            "", tip, foot, arrowprops={"arrowstyle": "-|>,head_length=0.6,head_width=0.3", "color": "white", "lw": 1.8,
                                       "shrinkA": 0, "shrinkB": 0, "path_effects": _outline(3.4), "mutation_scale": 14},
        )  # fmt: skip
        at = tip + 0.3 * (tip - foot)
        ax.text(*at, "$w$", color="white", ha="center", va="center", fontsize="large", path_effects=_outline(2.0))

    def _draw_curve(self, ax: Any, options: dict[str, Any]) -> None:
        x = self.ticks[0]
        (self.surface_,) = ax.plot(x, self.response, **{"color": TRAINING} | options)
        if self.argument is not None:
            a = self.argument
            at = np.flatnonzero((a[:-1] <= 0) != (a[1:] <= 0))
            zeros = x[at] - a[at] * (x[at + 1] - x[at]) / (a[at + 1] - a[at])
            for zero in zeros:
                self.line_ = ax.axvline(zero, color=VALIDATION, linestyle="--")
        ax.set_ylabel(self.label)
        ax.grid(alpha=0.25)

    def _draw_solid(self, ax: Any, bounds: Array, options: dict[str, Any]) -> None:
        ax.set_box_aspect((1.0, 1.0, 0.6), zoom=0.92)
        ax.computed_zorder = False  # the line lies in the surface, and would be half hidden by it
        counts = {"rcount": 80, "ccount": 80, "linewidth": 0.0, "antialiased": False}
        self.surface_ = ax.plot_surface(*np.meshgrid(*self.ticks), self.response, **counts | options)
        ax.set_zlim(bounds[0], bounds[-1])
        ax.set_zticks(ticks_of(bounds))
        ax.set_zlabel(self.label)
        if self.w is None or self.b is None or not self.w.any():
            return
        ax.view_init(elev=30, azim=float(np.degrees(np.arctan2(*-self.w[::-1]))) + 35)  # up the slope: all can be seen
        ends = self.plane.segment(self.w, self.b)
        if ends is not None:
            height = _between(self.ticks, self.response, *((ends[0] + ends[1]) / 2))
            (self.line_,) = ax.plot(*np.transpose(ends), [height] * 2, color="black", linewidth=1.8, zorder=5)
        foot, tip = self.plane.arrow(self.w, self.b)
        height = _between(self.ticks, self.response, *foot)
        self.arrow_ = ax.quiver(*foot, height, *(tip - foot), 0.0, color="black", linewidth=1.8, zorder=5)


def _between(ticks: list[Array], response: Array, x: float, y: float) -> float:
    """The height at a point, between the nearest points of the grid."""
    at_x = [np.interp(x, ticks[0], row) for row in response]
    return float(np.interp(y, ticks[1], at_x))


def _line_across(x: Any, y: Any) -> Any:
    """A line that can be seen on every colour."""
    return part_of_matplotlib("lines").Line2D(x, y, color="white", linewidth=1.8, path_effects=_outline(3.4))


def _outline(width: float) -> list[Any]:
    effects = part_of_matplotlib("patheffects")
    return [effects.Stroke(linewidth=width, foreground="black"), effects.Normal()]


def _symbols(net: Network, k: int) -> tuple[str, str]:
    """Return the course's names of what g is given and of what it makes of it."""
    if k == net.L + 1:
        return f"a^{{({k})}}(x)", "f(x)"
    return f"{'z' if net.layers[k - 1].batch_norm else 'a'}^{{({k})}}(x)", f"h^{{({k})}}(x)"


def _range(net: Network, k: int) -> tuple[float, float] | None:
    if k == net.L + 1:
        return None if net.output.target == "numbers" else (0.0, 1.0)
    low, high = net.layers[k - 1].activation.range
    return (low, high) if np.isfinite([low, high]).all() else None


def _row(w: Array) -> str:
    return "(" + ", ".join([f"{value:.3g}" for value in w[:3]] + [r"\dots"] * (len(w) > 3)) + ")"
