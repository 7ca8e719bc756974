"""The table of activation functions, drawn: g and g' of each, with formula, range and kinks (course-map row 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError, check_number
from .activation_rows import ActivationRow, activation_rows, visible
from .figures import TRAINING, VALIDATION, add_formula, axes_to_draw_on, part_of_matplotlib, png

Array = npt.NDArray[Any]
#: Points along a.
RESOLUTION: Final = 401
#: Inches of one panel, and of the room for text above it and beside it.
PANEL: Final = (2.3, 1.3)
ABOVE, BESIDE = 0.72, 0.28
#: Sizes of text, in points.
NAME, TEXT = 10.0, 8.6


@dataclass
class ActivationDisplay:
    r"""g and g' of activation functions over a range of a: many in one scale, or one alone.

    It is best made by `from_activations`.

    Parameters
    ----------
    rows : list of ActivationRow
        With name, g, derivative, range and kinks.
    a : array (r,)
    values, slopes : list of array (r,)
        g(a) and g'(a). Where g has a kink g' is NaN in `slopes`, since it jumps there.
    heights : (low, high)
        What is seen of them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        One for all.
    figure_ : Figure
    lines_ : list of (Line2D, Line2D)
        g and g' of each.
    kinks_ : list of Line2D
        The values that g' takes at kinks.

    Examples
    --------
    >>> display = ActivationDisplay.from_activations(["relu", lambda s, a: a * s.tanh(a)])
    >>> [row["name"] for row in display.table], display.table[0]["range"], display.table[0]["kinks"]
    (['relu', 'own'], '0 to ∞', "a = 0, where g' = 0")
    >>> print(display.table[1]["g"])
    a \, \tanh(a)
    """

    rows: list[ActivationRow]
    a: Array
    values: list[Array]
    slopes: list[Array]
    heights: tuple[float, float]
    ax_: Any = None
    figure_: Any = None
    lines_: list[tuple[Any, Any]] = field(default_factory=list)
    kinks_: list[Any] = field(default_factory=list)

    @classmethod
    def from_activations(
        cls, activations: Any = None, *, limits: tuple[float, float] = (-4.0, 4.0), heights: Any = None, ax: Any = None,
        **options: Any,
    ) -> ActivationDisplay:  # fmt: skip
        """Draw activation functions.

        Parameters
        ----------
        activations : str, Activation or callable, or a sequence of them, optional
            Names, or formulas such as ``lambda s, a: a * s.tanh(a)``; all that have names by default.
        limits : (low, high)
            The range of a.
        heights : (low, high), optional
            What is seen of g and g'; by default -2 to 3, or for one alone all of it.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        SpecificationError
            If an activation is unknown, or limits or heights cannot be.
        MissingExtraError
            If matplotlib is not installed.
        """
        rows = activation_rows(activations)
        low, high = _interval("limits", limits)
        a = np.linspace(low, high, RESOLUTION)
        kinks = [kink for row in rows for kink, _ in row.kinks or () if low < kink < high]
        a = np.unique(np.concatenate([a, kinks, np.nextafter(kinks, -np.inf), np.nextafter(kinks, np.inf)]))
        values, slopes = [], []
        for row in rows:
            g, slope = row.values(a)
            at_kink = np.isin(a, [kink for kink, _ in row.kinks or ()])
            values.append(g)
            slopes.append(np.where(at_kink, math.nan, slope))
        if heights is not None:
            heights = _interval("heights", heights)
        elif len(rows) > 1:
            heights = (-2.0, 3.0)
        else:
            heights = _extent(np.concatenate([*values, *slopes]))
        return cls(rows, a, values, slopes, heights).plot(ax, **options)

    @property
    def table(self) -> list[dict[str, str]]:
        """The rows in words and LaTeX: name, g, g', range and kinks of each."""
        return [
            {"name": row.name, "g": row.g.latex(), "g'": row.derivative.latex(), "range": row.range_in_words(),
             "kinks": row.kinks_in_words()}
            for row in self.rows
        ]  # fmt: skip

    def plot(
        self, ax: Any = None, *, n_columns: int | None = None, title: str | None = None, **options: Any
    ) -> ActivationDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        n_columns : int, optional
            Panels in a row; 4 by default, fewer if there are few.
        title : str, optional
        **options
            For matplotlib's plot.
        """
        if n_columns is not None:
            check_number("n_columns", n_columns, at_least=1, whole=True)
        self.lines_, self.kinks_ = [], []
        if len(self.rows) == 1:
            self.ax_ = axes_to_draw_on(ax, (5.4, 4.0))
            self._draw_alone(self.ax_, title, options)
        else:
            across = min(len(self.rows), n_columns or (3 if len(self.rows) in (3, 5, 6, 9) else 4))
            down = -(-len(self.rows) // across)
            size = (across * (PANEL[0] + BESIDE) + 0.15, down * (PANEL[1] + ABOVE) + 0.3)
            self.ax_ = axes_to_draw_on(ax, (size[0], size[1] + 0.3))
            self._draw_panels(self.ax_, across, size, options)
            said = f"$g$ (blue) and $g'$ (orange) over $a$ from {self.a[0]:g} to {self.a[-1]:g}".replace(" -", " −")
            self.ax_.set_title(said if title is None else title, fontsize="medium")
        self.figure_ = self.ax_.figure
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _draw_alone(self, ax: Any, title: str | None, options: dict[str, Any]) -> None:
        (row,), (values,), (slopes,) = self.rows, self.values, self.slopes
        g, slope = row.mathtext()
        labels = (f"$g(a) = {g}$" if g else "$g(a)$", f"$g'(a) = {slope}$" if slope else "$g'(a)$")
        lines = []
        for curve, colour, label in zip((values, slopes), (TRAINING, VALIDATION), labels, strict=True):
            shown = visible(curve, self.heights)
            lines += ax.plot(self.a, shown, **{"color": colour, "linewidth": 2.0, "label": label} | options)
        self.lines_.append((lines[0], lines[1]))
        for kink, value in row.kinks or ():
            if self.a[0] <= kink <= self.a[-1]:
                style = {"color": VALIDATION, "marker": "o", "linestyle": "none"}
                self.kinks_ += ax.plot([kink], [value], **style, label="$g'$ at the kink")
        ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xlim(self.a[0], self.a[-1])
        room = 0.05 * (self.heights[1] - self.heights[0])
        ax.set_ylim(self.heights[0] - room, self.heights[1] + room)
        ax.set_xlabel("$a$")
        ax.grid(alpha=0.25)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1, fontsize="medium")
        said = f"{_plain(row.name)}: range {row.range_in_words()}, kinks: {row.kinks_in_words()}"
        lines_above = 2 + len(self.kinks_)
        ax.set_title(said if title is None else title, fontsize="medium", pad=8 + 19 * lines_above)

    def _draw_panels(self, ax: Any, across: int, size: tuple[float, float], options: dict[str, Any]) -> None:
        """Draw all panels into one axes, whose data are inches: many axes would take matplotlib a second."""
        ax.set_xlim(0.0, size[0])
        ax.set_ylim(-size[1], 0.0)
        ax.set_axis_off()
        width, height = ax.get_window_extent().size / ax.figure.dpi
        scale = float(min(1.0, width / (0.9 * size[0]), height / (0.9 * size[1])))
        rectangles, segments = [], []
        (left, right), (low, high) = (self.a[0], self.a[-1]), self.heights
        for i, row in enumerate(self.rows):
            x = BESIDE + (i % across) * (PANEL[0] + BESIDE)
            y = -(i // across + 1) * (PANEL[1] + ABOVE)

            def place(a: Any, h: Any, x: float = x, y: float = y) -> tuple[Any, Any]:
                return x + PANEL[0] * (a - left) / (right - left), y + PANEL[1] * (h - low) / (high - low)

            rectangles.append([(x, y), (x + PANEL[0], y), (x + PANEL[0], y + PANEL[1]), (x, y + PANEL[1]), (x, y)])
            segments += [[place(left, 0.0), place(right, 0.0)]] if low < 0 < high else []
            segments += [[place(0.0, low), place(0.0, high)]] if left < 0 < right else []
            drawn = []
            for curve, colour in ((self.values[i], TRAINING), (self.slopes[i], VALIDATION)):
                points = place(self.a, visible(curve, self.heights))
                drawn += ax.plot(*points, **{"color": colour, "linewidth": 1.6} | options)
            self.lines_.append((drawn[0], drawn[1]))
            for kink, value in row.kinks or ():
                if left <= kink <= right and low <= value <= high:
                    style = {"color": VALIDATION, "marker": "o", "markersize": 4.0, "linestyle": "none"}
                    self.kinks_ += ax.plot(*([one] for one in place(kink, value)), **style)
            self._write(ax, row, x, y, scale)
            self._write_heights(ax, x, place, scale)
        lines = part_of_matplotlib("collections").LineCollection
        ax.add_artist(lines(segments, colors="0.6", linewidths=0.7, zorder=0))
        ax.add_artist(lines(rectangles, colors="0.3", linewidths=0.8))

    def _write(self, ax: Any, row: ActivationRow, x: float, y: float, scale: float) -> None:
        top = y + PANEL[1]
        said = f"{_plain(row.name)}: {row.range_in_words()}" + " with a kink" * bool(row.kinks)
        ax.text(x, top + 0.53, said, fontsize=NAME * scale, va="center", in_layout=False)
        g, slope = row.mathtext()
        for symbol, formula, colour, up in (("g", g, TRAINING, 0.32), ("g'", slope, VALIDATION, 0.11)):
            text = f"${symbol} = {formula}$" if formula else f"${symbol}$"
            add_formula(ax, x, top + up, text, size=TEXT * scale, colour=colour)

    def _write_heights(self, ax: Any, x: float, place: Any, scale: float) -> None:
        """Write the least and the largest height, and 0, beside a panel."""
        low, high = self.heights
        for height in {low, high} | ({0.0} if low < 0 < high else set()):
            at = place(self.a[0], height)[1]
            said = f"{height:.3g}".replace("-", "−")
            style = {"fontsize": 6.5 * scale, "color": "0.3", "in_layout": False}
            ax.text(x - 0.04, at, said, va="center", ha="right", **style)


def _plain(name: str) -> str:
    return name.replace("$", r"\$")


def _extent(values: Array) -> tuple[float, float]:
    """Return the range of what is finite; something around 0 if nothing is."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _interval(where: str, given: Any) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpecificationError(
            where=where, expected="(low, high) with low < high", got=repr(given), remedy=f"write {where}=(-4, 4), say"
        )
    return low, high
