"""A slice of the objective through the space of parameters (Li, Xu, Taylor, Studer and Goldstein 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_finite, check_inputs, check_parameters, check_targets
from ..network.programs import Setting, executable, layered, vectors_of
from ..ops import NumpyOps
from ..rules.penalties import Penalty, activity_forward, as_penalty
from .directions import directions_of, moves_of, spans_of
from .figures import VALIDATION, add_colorbar, axes_to_draw_on, contour_bounds, part_of_matplotlib, png

Array = npt.NDArray[Any]
#: Where the largest value is this many times the smallest one, contours are spaced by factors.
WIDE: Final = 30.0
#: This share of the values, the lowest, is below the first of contours spaced by factors, and has one colour.
LOWEST: Final = 0.01
#: Entries of the matrix of parameters that are made at once.
ENTRIES: Final = 1 << 20


@dataclass
class LossSurfaceDisplay:
    """J(theta + s u + t v) over s and t, for two directions u and v in the space of parameters.

    It is best made by `from_network`. J is as in prediction: nothing is dropped, and batch normalisation takes its
    running statistics.

    Parameters
    ----------
    ticks : list of two array (r,)
        What the axes show: s and t, or the values of the two entries of theta that vary.
    objective : array (r, r)
        J; rows go with the second direction. NaN and infinity are kept.
    directions : array (2, P)
        u and v.
    centre : (float, float)
        Where theta is.
    names : (str, str)
        Labels of the axes.
    path : array (m, 2), optional
        Vectors of a run, projected to the slice.
    label, title : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    surface_ : QuadContourSet or None
        None if no value is finite. Where J is not finite the picture is grey.
    theta_ : Line2D
        The mark at theta.
    path_ : Line2D or None

    Examples
    --------
    >>> net = Network(1, [], 1, output="identity")
    >>> theta = net.initialize(seed=0)
    >>> theta.vector = [2.0, 1.0]  # w, b
    >>> display = LossSurfaceDisplay.from_network(net, theta, [[0.0], [1.0]], [1.0, 3.0], directions=(0, 1))
    >>> display.objective.shape, display.centre, display.names
    ((41, 41), (2.0, 1.0), ('$W^{(1)}_{1,1}$', '$b^{(1)}_{1}$'))
    >>> float(display.objective.min())  # these are the true values
    0.0
    """

    ticks: list[Array]
    objective: Array
    directions: Array
    centre: tuple[float, float] = (0.0, 0.0)
    names: tuple[str, str] = ("$s$", "$t$")
    path: Array | None = None
    label: str = "$J$"
    title: str = ""
    ax_: Any = None
    figure_: Any = None
    surface_: Any = None
    theta_: Any = None
    path_: Any = field(default=None)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, X: Any, y: Any, *, directions: Any = "random", span: Any = None,
        penalty: Penalty | None = None, path: Sequence[Any] | None = None, seed: int = 0, resolution: int = 41,
        ax: Any = None, **options: Any,
    ) -> LossSurfaceDisplay:  # fmt: skip
        """Draw the objective around theta.

        Parameters
        ----------
        net : Network
        theta : Parameters
        X : array (n, inputs)
        y : array, as for training
        directions : "random", "path", two int, or two arrays (P,)
            "random" draws both by the seed, and gives the weights into each unit the norm that they have in theta, and
            so biases of a layer (filter normalisation, arXiv:1712.09913); "path" takes the first two principal
            directions of the path; two int are entries of ``theta.vector``.
        span : float, (low, high), or a pair of them, optional
            The range of s and of t, a number for both signs; by default -1 to 1, or a little more than the path.
        penalty : Penalty, optional
            Counted in J.
        path : sequence of array (P,) or Parameters, optional
            Where a run has been, such as copies of ``state.parameters`` after each epoch.
        seed : int
            Of random directions.
        resolution : int
            Points along each direction.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        LossSurfaceDisplay

        Raises
        ------
        InputError
            If X, y, theta, directions or path do not fit the network.
        SpecificationError
            If an option cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        check_parameters(theta, net)
        penalty = as_penalty(penalty)
        check_number("resolution", resolution, at_least=2, at_most=1000, whole=True)
        check_number("seed", seed, at_least=0, below=2**64, whole=True)
        rows = check_inputs(X, net)
        targets = check_targets(y, net, len(rows))
        theta = theta.astype(np.float64)
        check_finite(theta.vector, "theta.vector")
        moves = None if path is None else moves_of(path, theta)
        u_v, centre, names = directions_of(directions, net, theta, moves, seed)
        places = None
        if moves is not None:
            places = np.linalg.lstsq(u_v.T, moves.T, rcond=None)[0].T
        steps = [np.linspace(low, high, int(resolution)) for low, high in spans_of(span, places)]
        ticks = [step + shift for step, shift in zip(steps, centre, strict=True)]
        if not all((np.diff(tick) > 0).all() for tick in ticks):
            raise SpecificationError(
                where="span", expected="steps that change what they are added to",
                got=f"{steps[0][1] - steps[0][0]:.3g} beside {max(map(abs, centre)):.3g}", remedy="give a wider one",
            )  # fmt: skip
        s, t = np.meshgrid(*steps)
        J = objectives(net, theta, np.column_stack([s.ravel(), t.ravel()]), u_v, rows, targets, penalty)
        at = np.array(centre)
        return cls(
            ticks, J.reshape(s.shape), u_v, centre, names,
            None if places is None else places + at, "$J$" if penalty.terms else "loss",
            _said(directions) + _unusable(J),
        ).plot(ax, **options)  # fmt: skip

    def plot(
        self, ax: Any = None, *, levels: int | Sequence[float] = 21, log: bool | None = None, cmap: Any = "viridis",
        colorbar: bool = True, title: str | None = None, **options: Any,
    ) -> LossSurfaceDisplay:  # fmt: skip
        """Draw contours, the mark at theta, and the path.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        levels : int or sequence of float
            Bounds of filled contours, or how many of them.
        log : bool, optional
            Space them by factors; by default where all values are above 0 and spread over more than a factor of 30.
        cmap : str or Colormap
        colorbar : bool
        title : str, optional
        **options
            For matplotlib's contourf.

        Returns
        -------
        LossSurfaceDisplay

        Raises
        ------
        SpecificationError
            If factors are asked for where values are 0 or below.
        """
        shown = np.ma.masked_invalid(self.objective)
        values = shown.compressed()
        factors = _by_factors(values, log)
        self.ax_ = ax = axes_to_draw_on(ax, (5.6, 4.4))
        self.figure_, self.surface_, self.path_ = ax.figure, None, None
        ax.set_facecolor("0.7")
        if values.size:
            bounds = _factors(levels, values) if factors else contour_bounds(levels, values)
            scale = part_of_matplotlib("colors").LogNorm(bounds[0], bounds[-1]) if factors else None
            settings = {"levels": bounds, "cmap": cmap, "norm": scale, "extend": "min" if factors else "neither"}
            self.surface_ = ax.contourf(*self.ticks, shown, **settings | options)
            lines = {"levels": bounds, "colors": "white", "linewidths": 0.4, "alpha": 0.5}
            ax.contour(*self.ticks, shown, **lines)
            if colorbar:
                bar = add_colorbar(ax, self.surface_, self.label, None if factors else bounds)
                if factors:
                    self._mark_factors(bar, bounds)
        if self.path is not None:
            style = {"color": VALIDATION, "marker": "o", "markersize": 3.0, "linewidth": 1.4}
            (self.path_,) = ax.plot(*self.path.T, **style, label="path", zorder=3)
        (self.theta_,) = ax.plot(
            *self.centre, linestyle="none", marker="*", markersize=13, color="white", markeredgecolor="black",
            label=r"$\theta$", zorder=4,
        )  # fmt: skip
        for limits, ticks in ((ax.set_xlim, self.ticks[0]), (ax.set_ylim, self.ticks[1])):
            limits(ticks[0], ticks[-1])
        ax.set_xlabel(self.names[0])
        ax.set_ylabel(self.names[1])
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.3)
        ax.set_title(self.title if title is None else title, fontsize="medium", pad=24)  # above the legend
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    @staticmethod
    def _mark_factors(bar: Any, bounds: Array) -> None:
        chosen = bounds[:: max(1, (len(bounds) - 1) // 5)]
        bar.set_ticks(chosen, labels=[f"{value:.2g}" for value in chosen])
        bar.ax.minorticks_off()


def objectives(
    net: Network, theta: Parameters, steps: Array, directions: Array, X: Array, y: Array, penalty: Penalty
) -> Array:
    """Return J at theta + steps_i,1 u + steps_i,2 v, for each row of steps.

    Parameters
    ----------
    theta : Parameters of float64
    steps : array (m, 2)
    directions : array (2, P)
    X, y : checked for the network

    Returns
    -------
    array (m,)
    """
    moving = theta.copy()
    run = executable(net, Setting("evaluate"), np.float64)
    calls = []
    for start in range(0, len(X), net.piece):
        piece = slice(start, start + net.piece)
        call = run.prepare(vectors_of(moving), len(X[piece]))
        call.given[layered("h", 0)][...], call.given["y"][...] = X[piece], y[piece]
        calls.append(call)
    ops, strengths = NumpyOps(np.float64), [term.strength for term in penalty.terms]
    J = np.empty(len(steps))
    together = max(1, ENTRIES // net.n_parameters)
    with np.errstate(all="ignore"):  # what is not finite is shown
        for start in range(0, len(steps), together):
            vectors = theta.vector + steps[start : start + together] @ directions
            for i, vector in enumerate(vectors, start):
                moving.vector[...] = vector
                J[i] = 0.0
                for call in calls:
                    call.run()
                    J[i] += call.outputs["loss_sum"][0] / len(X)
            for segment in net.segments if penalty.terms else ():
                if segment.name == "W":  # a penalty on the entries of each row: the rule for h, here of W
                    weights = np.ascontiguousarray(vectors[:, segment.start : segment.stop])
                    J[start : start + together] += activity_forward(ops, penalty, weights, strengths)[:, 0]
    return J


def _said(directions: Any) -> str:
    if not isinstance(directions, str):
        return ""
    return {"random": "random directions", "path": "principal directions of the path"}[directions]


def _unusable(J: Array) -> str:
    share = float((~np.isfinite(J)).mean())
    return f"\ngrey: not finite ({share:.0%})" if share else ""


def _by_factors(values: Array, log: bool | None) -> bool:
    positive = bool(values.size and values.min() > 0)
    if log and values.size and not positive:
        raise SpecificationError(
            where="log", expected="values above 0", got=f"{values.min():.3g}", remedy="leave log out, or log=False"
        )
    return positive and (log if log is not None else bool(values.max() > WIDE * values.min()))


def _factors(levels: int | Sequence[float], values: Array) -> Array:
    if not isinstance(levels, int | np.integer):
        return np.asarray(levels, dtype=np.float64)
    check_number("levels", levels, at_least=2, at_most=1000, whole=True)
    low, high = float(np.quantile(values, LOWEST)), float(values.max())  # a minimum close to 0 would take all colours
    if high <= low * (1 + 1e-9):
        low, high = low / 2, high * 2
    return np.geomspace(low, high, int(levels))
