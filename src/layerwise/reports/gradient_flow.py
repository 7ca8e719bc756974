"""How large values and gradients are layer by layer, so that vanishing and exploding gradients are seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..network import Network, Parameters
from ..rules.penalties import Penalty
from .figures import SCORES, TRAINING, VALIDATION, axes_to_draw_on, png

Array = npt.NDArray[Any]
#: What is drawn: its name in `table`, its label, colour and marker.
QUANTITIES: Final = (
    ("h", r"$h^{(k)}$", SCORES, "^"),
    ("grad_a", r"$\mathrm{grad}_a^{(k)}$", VALIDATION, "o"),
    ("grad_W", r"$\mathrm{grad}_W^{(k)}$", TRAINING, "s"),
)
#: Decades that the axis shows at least, so that small differences look small.
DECADES: Final = 2.0
#: Digits as exponents: matplotlib takes long to read a formula.
RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Ticks of the axis at most.
MOST_TICKS: Final = 8
#: Beyond it matplotlib's logarithmic axes fail; what is larger is off the picture.
LARGEST_POWER: Final = 300.0


@dataclass
class GradientFlowDisplay:
    """The root mean square of h^(k), grad_a^(k) and grad_W^(k) of each layer, on a logarithmic axis.

    It is best made by `from_network`.

    Parameters
    ----------
    h, grad_a, grad_W : array (L + 1,)
        Of layers k = 1..L+1, where h^(L+1) is f. grad_a is of each example's own loss, grad_W of the objective.
    title : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    lines_ : dict of str to Line2D
        By "h", "grad_a" and "grad_W".
    zeros_ : list of Line2D
        Marks at the lower end, where everything is 0: no logarithm shows it. Also at the upper end, where a value is
        not finite.

    Examples
    --------
    >>> net = Network(2, [3, 3], 2, hidden="sigmoid")
    >>> theta = net.initialize(seed=0)
    >>> theta.W[3][...] = 0.0  # then nothing comes back through it
    >>> display = GradientFlowDisplay.from_network(net, theta, [[0.5, -1.0], [2.0, 0.1]], [0, 1])
    >>> [row["k"] for row in display.table if row["grad_a"] == 0]
    [1, 2]
    """

    h: Array
    grad_a: Array
    grad_W: Array
    title: str = ""
    ax_: Any = None
    figure_: Any = None
    lines_: dict[str, Any] = field(default_factory=dict)
    zeros_: list[Any] = field(default_factory=list)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters, X: Any, y: Any, *, penalty: Penalty | None = None, weights: Any = None,
        mode: Any = "predict", key: Any = 0, ax: Any = None, **options: Any,
    ) -> GradientFlowDisplay:  # fmt: skip
        """Draw the values and gradients of one forward and backward pass.

        Parameters
        ----------
        net, theta, X, y, penalty, weights, mode, key
            As for `Network.trace`.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        InputError
            If X, y or theta do not fit the network.
        MissingExtraError
            If matplotlib is not installed.
        """
        with np.errstate(all="ignore"):  # what is not finite is shown
            trace = net.trace(theta, X, y, penalty, weights, mode, key)
            h, grad_a, grad_W = (
                np.array([_root_mean_square(arrays[k]) for k in range(1, net.L + 2)])
                for arrays in (trace.h, trace.grad_a, trace.grad_W)
            )
        return cls(h, grad_a, grad_W, "root mean square, layer by layer").plot(ax, **options)

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each layer: k, and the root mean squares of h, grad_a and grad_W."""
        columns = zip(self.h, self.grad_a, self.grad_W, strict=True)
        return [
            {"k": k, "h": float(h), "grad_a": float(grad_a), "grad_W": float(grad_W)}
            for k, (h, grad_a, grad_W) in enumerate(columns, 1)
        ]

    def plot(self, ax: Any = None, *, title: str | None = None, **options: Any) -> GradientFlowDisplay:
        """Draw a line for each quantity; a cross at the lower end marks layers where it is 0.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        title : str, optional
        **options
            For matplotlib's plot.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        InputError
            If there are no layers to draw.
        """
        if not len(self.h):
            raise InputError(
                where="h", expected="at least one layer", got="none", remedy="give values of layers 1..L+1"
            )
        self.ax_ = ax = axes_to_draw_on(ax, (5.6, 4.0))
        self.figure_, self.lines_, self.zeros_ = ax.figure, {}, []
        k = np.arange(1, len(self.h) + 1)
        low, high = self._limits()
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        powers = np.arange(round(np.log10(low)), round(np.log10(high)) + 1)
        powers = powers[:: -(-len(powers) // MOST_TICKS)]
        ax.set_yticks(10.0**powers, labels=["10" + str(power).translate(RAISED) for power in powers])
        ax.minorticks_off()
        ax.set_xlim(0.6, len(k) + 0.4)
        for name, label, colour, marker in QUANTITIES:
            values = getattr(self, name)
            shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
            style = {"color": colour, "marker": marker, "markersize": 5.5, "linewidth": 1.5, "label": label}
            (self.lines_[name],) = ax.plot(k, shown, **style | options)
        for which, end, words in ((lambda v: v == 0, 0.0, "0"), (lambda v: ~np.isfinite(v), 1.0, "not finite")):
            self._mark(ax, k, which, end, words)
        ax.set_xticks(k[:: -(-len(k) // 12)])
        ax.set_xlabel("layer $k$" + f" ({len(k)} is the output)")
        ax.grid(alpha=0.25)
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(
            handles, labels, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=len(handles),
            handletextpad=0.4, columnspacing=1.2,
        )  # fmt: skip
        ax.set_title(self.title if title is None else title, fontsize="medium", pad=28)  # above the legend
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _mark(self, ax: Any, k: Array, which: Any, end: float, words: str) -> None:
        """Put a cross at an end of the axis for each layer and quantity; beside each other, so that all are seen."""
        named = False
        for shift, (name, _, colour, _) in zip((-0.12, 0.0, 0.12), QUANTITIES, strict=True):
            at = which(getattr(self, name))
            if not at.any():
                continue
            style = {"marker": "X", "markersize": 8, "linestyle": "none", "clip_on": False, "zorder": 5}
            (mark,) = ax.plot(
                k[at] + shift, np.full(at.sum(), end), transform=ax.get_xaxis_transform(), color=colour, **style
            )
            if not named:
                mark.set_label(words)
            named = True
            self.zeros_.append(mark)

    def _limits(self) -> tuple[float, float]:
        """Return the range of the axis: whole decades around what is positive and finite, and at least two."""
        values = np.concatenate([self.h, self.grad_a, self.grad_W])
        powers = np.log10(values[np.isfinite(values) & (values > 0)])
        if not powers.size:
            return 0.1, 10.0
        low, high = np.floor(powers.min() - 0.05), np.ceil(powers.max() + 0.05)
        short = max(0.0, DECADES - (high - low))
        low = low - np.ceil(short)
        return float(10.0 ** max(low, -LARGEST_POWER)), float(10.0 ** min(high, LARGEST_POWER))


def _root_mean_square(values: Array) -> float:
    """Return the root of the mean of the squares, of numbers of any size.

    >>> _root_mean_square(np.array([3e-200, 4e-200]))
    3.5355339059327375e-200
    """
    largest = float(np.abs(values).max())
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean(np.square(values / largest, dtype=np.float64))))
