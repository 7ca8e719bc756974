"""Points of a data set, coloured by their class or by a number, in whatever place a picture gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..network.inputs import check_finite
from .figures import TRAINING, VALIDATION, add_colorbar, part_of_matplotlib

Array = npt.NDArray[Any]
#: For classes (Okabe and Ito 2008); class 0 and class 1 have the two colours of all displays.
COLOURS: Final = (TRAINING, VALIDATION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
#: In print and for colour-blind readers markers tell classes apart where colours do not.
MARKERS: Final = "os^Dv<P>"
#: Classes in the legend.
NAMED: Final = 15
#: More different numbers than these are no classes.
MOST_CLASSES: Final = 20


def class_colour(c: int) -> str:
    """Seven colours, then the same darker; a picture that needs more than fourteen needs another way of drawing."""
    colours = part_of_matplotlib("colors")
    shade = 0.55 if c // len(COLOURS) % 2 else 1.0
    return str(colours.to_hex(shade * np.array(colours.to_rgb(COLOURS[c % len(COLOURS)]))))


@dataclass(frozen=True)
class Points:
    """What colours n points: codes of classes with their names, numbers, or nothing.

    Attributes
    ----------
    n : int
    codes : array (n,) of int, or None
    names : list of str
        Of the classes.
    numbers : array (n,), or None
    """

    n: int
    codes: Array | None
    names: list[str]
    numbers: Array | None = None

    def size(self) -> float:
        """Return the area of a point in square points: the smaller the more there are."""
        return float(np.clip(6000 / self.n, 6, 32))

    def draw(self, ax: Any, x: Array, y: Array, options: dict[str, Any]) -> list[Any]:
        """Draw one collection for each class, or one in all; numbers get a colour bar."""
        size = self.size()
        style = {"s": size, "zorder": 3, "edgecolors": "white", "linewidths": 0.5 if size > 12 else 0.25} | options
        if self.numbers is not None:
            drawn = ax.scatter(x, y, **{"c": self.numbers, "cmap": "viridis"} | style)
            add_colorbar(ax, drawn, "$y$")
            return [drawn]
        if self.codes is None:
            return [ax.scatter(x, y, **{"color": "0.25"} | style)]
        return [
            ax.scatter(x[here], y[here], **{"color": class_colour(c), "marker": MARKERS[c % len(MARKERS)]} | style)
            for c in range(len(self.names))
            for here in [self.codes == c]
        ]

    def handles(self) -> list[Any]:
        """Return what a legend shows: the classes, at most fifteen of them."""
        lines = part_of_matplotlib("lines")
        handles = [
            lines.Line2D([], [], linestyle="none", marker=MARKERS[c % len(MARKERS)], color=class_colour(c), label=name,
                         markeredgecolor="white")
            for c, name in enumerate(self.names[:NAMED])
        ]  # fmt: skip
        if (more := len(self.names) - NAMED) > 0:
            handles.append(lines.Line2D([], [], linestyle="none", label=f"and {more} more"))
        return handles


def points_of(y: Any, n: int, target: str, class_names: Sequence[str] | None = None) -> Points:
    """Make `Points` of what a user gives.

    Parameters
    ----------
    y : array (n,), optional
        Classes: words, truth values or numbers, at most 20 different ones. Numbers that are more, and fractions where
        the network predicts numbers, are coloured by a scale.
    n : int
    target : {"classes", "several classes", "labels", "numbers"}
        What the network predicts.
    class_names : sequence of str, optional
        One for each class, in the order of the sorted values of y.

    Raises
    ------
    InputError
        If y has another shape, is not finite or of several kinds, or there are more or fewer names than classes.

    Examples
    --------
    >>> points_of(["b", "a", "b"], 3, "numbers")
    Points(n=3, codes=array([1, 0, 1]), names=['a', 'b'], numbers=None)
    """
    if y is None:
        return Points(n, None, [])
    values = np.asarray(y)
    values = values.reshape(n) if values.shape == (n, 1) else values
    if values.shape != (n,):
        raise InputError(
            where="y", expected=f"shape ({n},), one value a row", got=str(values.shape),
            remedy="give one class or one number for each row of X",
        )  # fmt: skip
    check_finite(values, "y")
    try:
        classes, codes = np.unique(values, return_inverse=True)
    except TypeError as problem:  # they cannot be sorted
        raise InputError(
            where="y", expected="words only, or numbers only", got="values of several kinds",
            remedy="write all classes in one way, and missing ones as a word",
        ) from problem  # fmt: skip
    if values.dtype.kind in "fiu" and (
        len(classes) > MOST_CLASSES or (values.dtype.kind == "f" and target == "numbers")
    ):
        return Points(n, None, [], values.astype(np.float64))
    plain = values.dtype.kind in "fiu"
    names = [f"class {value:g}" if plain else str(value).replace("$", r"\$") for value in classes]
    if class_names is not None:
        is_word = isinstance(class_names, str)
        if is_word or len(class_names) != len(classes):
            raise InputError(
                where="class_names", expected=f"{len(classes)} names",
                got=repr(class_names) if is_word else str(len(class_names)), remedy="give one name for each class in y",
            )  # fmt: skip
        names = [str(name) for name in class_names]
    return Points(n, codes, names)
