"""What all displays share: colours, new figures, the picture as a file, and what a fitted estimator must have."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InputError, MissingExtraError, check_number

Array = npt.NDArray[Any]
#: Two colours that stay apart in print and for colour-blind readers (Okabe and Ito 2008).
TRAINING, VALIDATION = "#0072B2", "#D55E00"
#: And a third, for what is counted on another axis than the two.
SCORES: Final = "#009E73"
#: The size, in points, in which outlines of formulas are kept.
OUTLINED: Final = 10.0


def part_of_matplotlib(name: str) -> Any:
    """Import a module of matplotlib, such as "figure", when a picture is wanted and not before.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        with _without_remarks():
            return import_module(f"matplotlib.{name}")
    except ImportError as problem:
        raise MissingExtraError(
            where="plots", expected="matplotlib", got="no such package", remedy="pip install 'layerwise[plots]'"
        ) from problem


def hidden_figure(size: tuple[float, float]) -> Any:
    """Return a figure that no window shows and that nobody has to close."""
    return part_of_matplotlib("figure").Figure(figsize=size, layout="constrained")


def axes_to_draw_on(ax: Any, size: tuple[float, float], projection: str | None = None) -> Any:
    """Return the given axes, or those of a new figure of pyplot, which `pyplot.show` and notebooks show."""
    if ax is not None:
        return ax
    figure = part_of_matplotlib("pyplot").figure(figsize=size, layout="constrained")
    return figure.add_subplot(projection=projection)


def add_colorbar(ax: Any, drawn: Any, label: str, bounds: Array | None = None) -> Any:
    """Add a colour bar that is as high as the axes, also where their aspect makes them smaller than their place."""
    ax.set_anchor("E")  # at the right end of that place, from where the layout measures the room for the bar
    ticks = None if bounds is None else ticks_of(bounds)
    return ax.figure.colorbar(drawn, cax=ax.inset_axes([1.03, 0.0, 0.045, 1.0]), label=label, ticks=ticks)


def ticks_of(bounds: Array) -> Array:
    """Return the bounds of contours that are written beside them: of more than six every second, 0 among them."""
    return bounds if len(bounds) <= 6 else bounds[int(np.abs(bounds).argmin()) % 2 :: 2]


def contour_bounds(
    levels: int | Sequence[float], values: Array, value_range: tuple[float, float] | None = None
) -> Array:
    """Return the bounds of filled contours.

    They go over the whole range that values can have, so that pictures compare, or over the values if not known.
    """
    if not isinstance(levels, int | np.integer):
        return np.asarray(levels, dtype=np.float64)
    check_number("levels", levels, at_least=2, at_most=1000, whole=True)
    if value_range is not None:
        return np.linspace(*value_range, int(levels))
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # the same everywhere, but for rounding
        room = max(abs(low), 1.0) / 2
        low, high = low - room, high + room
    return np.asarray(
        part_of_matplotlib("ticker").MaxNLocator(int(levels), steps=[1, 2, 4, 5, 10]).tick_values(low, high)
    )


def add_formula(
    ax: Any, x: float, y: float, text: str, *, size: float, colour: str, align: Literal["left", "center"] = "left"
) -> Any:
    """Write a formula at a point of the axes' data, as outlines that are kept for other pictures.

    matplotlib reads a formula anew for every figure, which takes some milliseconds: too long for pictures full of them
    that follow a slider.

    Parameters
    ----------
    size : float
        In points.
    align : {"left", "center"}
        Which part of the text the point is; it is in the middle of the height of small letters.

    Returns
    -------
    PathPatch
    """
    transforms = part_of_matplotlib("transforms")
    path, width = _outlines(text)
    shift = transforms.Affine2D().translate(-width / 2 if align == "center" else 0.0, -0.3 * OUTLINED)
    in_inches = shift.scale(size / OUTLINED / 72) + ax.figure.dpi_scale_trans
    place = transforms.ScaledTranslation(x, y, ax.transData)
    patch = part_of_matplotlib("patches").PathPatch(
        path, facecolor=colour, linewidth=0, transform=in_inches + place, in_layout=False, label=text
    )
    return ax.add_artist(patch)


@lru_cache(maxsize=2048)
def _outlines(text: str) -> tuple[Any, float]:
    """Return the outlines of a text, and its width, at `OUTLINED` points."""
    path = part_of_matplotlib("textpath").TextPath((0, 0), text, size=OUTLINED)
    return path, float(path.get_extents().x1)


def png(figure: Any, dots: int = 120) -> bytes:
    """Return a figure as a PNG file, of so many dots an inch."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # boxes in names will do
        figure.savefig(content, format="png", dpi=dots)
    return content.getvalue()


def as_text(name: object, most: int = 200) -> str:
    r"""Return a user's word as matplotlib draws it letter by letter: dollars would make formulas of it.

    >>> as_text("$5 or $10"), as_text("a long name", most=6)
    ('\\$5 or \\$10', 'a lon…')
    """
    text = str(name)
    return (text if len(text) <= most else text[: most - 1] + "…").replace("$", r"\$")


def fitted(estimator: Any, *names: str) -> list[Any]:
    """Return attributes that an estimator has once it is fitted.

    Raises
    ------
    InputError
        If it lacks one of them.

    Examples
    --------
    >>> fitted(object(), "loss_curve_")
    Traceback (most recent call last):
    layerwise.errors.InputError: estimator: expected a fitted one with loss_curve_, got object, not fitted; call fit
    """
    missing = [name for name in names if not hasattr(estimator, name)]
    if missing:
        kind = type(estimator).__name__
        members = getattr(estimator, "members_", None)
        if members:
            raise InputError(
                where="estimator", expected=f"one network with {' and '.join(missing)}",
                got=f"{kind} with {len(members)} of them", remedy="take one of its members_",
            )  # fmt: skip
        is_fitted = hasattr(estimator, "coefs_")
        raise InputError(
            where="estimator", expected=f"a fitted one with {' and '.join(missing)}",
            got=f"{kind}, {'fitted without' if is_fitted else 'not fitted'}",
            remedy="take one that keeps this, with a solver that does" if is_fitted else "call fit",
        )  # fmt: skip
    return [getattr(estimator, name) for name in names]


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep matplotlib from telling standard error about its font cache and where it lies."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
