"""The one or two inputs that a picture runs over, while the others stay where they are; and a layer's values there."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, LayerIndexError, SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_parameters
from ..network.propagation import forward
from ..ops import NumpyOps

Array = npt.NDArray[Any]
#: Where no data say what to show: three standard deviations of standardised inputs.
LIMITS: Final = (-3.0, 3.0)
#: Room around the data, as a share of their range.
MARGIN: Final = 0.08
#: The length of an arrow, as a share of the shorter side.
ARROW: Final = 0.2


@dataclass(frozen=True)
class Plane:
    """A line or a plane through the space of inputs.

    Attributes
    ----------
    features : tuple of int
        The one or two inputs that vary, counted from 0.
    origin : array (inputs,)
        The values of the others.
    limits : tuple of (low, high)
        One pair for each feature.
    names : tuple of str
        Labels for their axes.
    note : str
        What the others are held at, in words; empty if there are none.
    """

    features: tuple[int, ...]
    origin: Array
    limits: tuple[tuple[float, float], ...]
    names: tuple[str, ...]
    note: str

    def ticks(self, resolution: int) -> list[Array]:
        """Return that many equally spaced values of each feature, its limits included."""
        check_number("resolution", resolution, at_least=2, at_most=5000, whole=True)
        return [np.linspace(low, high, int(resolution)) for low, high in self.limits]

    def rows(self, *values: Array) -> Array:
        """Return one row of inputs for each value of the features; the values of all features have one shape."""
        rows = np.tile(self.origin, (values[0].size, 1))
        for feature, value in zip(self.features, values, strict=True):
            rows[:, feature] = value.ravel()
        return rows

    @property
    def corners(self) -> Array:
        """Rows of inputs: the corner where all features are lowest, then those where one of them is highest."""
        low, high = np.array(self.limits).T
        at = low + np.vstack([np.zeros(len(low)), np.diag(high - low)])
        return self.rows(*at.T)

    def affine(self, at_corners: Array) -> tuple[Array, float]:
        """Return w and b of the function that is w'x + b on the plane and has these values at `corners`."""
        low, high = np.array(self.limits).T
        w = (at_corners[1:] - at_corners[0]) / (high - low)
        return w, float(at_corners[0] - w @ low)

    def segment(self, w: Array, b: float) -> tuple[Array, Array] | None:
        """Return the two ends of the line w'x + b = 0 within the limits, or None if it does not cross them.

        w: (2,)
        """
        ends = []
        for side, free in ((0, 1), (1, 0)):  # where the line meets left and right, then where it meets bottom and top
            low, high = self.limits[free]
            for value in self.limits[side] if w[free] else ():
                crossing = -(b + w[side] * value) / w[free]
                if low <= crossing <= high:
                    end = np.empty(2)
                    end[side], end[free] = value, crossing
                    ends.append(end)
        # A line through a corner meets two sides there: the ends are the two points that are farthest apart.
        pairs = [(p, q) for i, p in enumerate(ends) for q in ends[:i]]
        return max(pairs, key=lambda pair: float(np.linalg.norm(pair[0] - pair[1])), default=None)

    def arrow(self, w: Array, b: float) -> tuple[Array, Array]:
        """Return foot and tip of an arrow along w: on the line, if the arrow has room there, else in the middle.

        w: (2,), not 0
        """
        low, high = np.array(self.limits).T
        along = ARROW * (high - low).min() * w / np.linalg.norm(w)
        foot, ends = (low + high) / 2, self.segment(w, b)
        if ends is not None:
            on_line = (ends[0] + ends[1]) / 2
            label = on_line + 1.3 * along
            foot = on_line if ((low < label) & (label < high)).all() else foot
        return foot, foot + along

    @property
    def figure_size(self) -> tuple[float, float]:
        """Inches for a picture with labels, a colour bar and a title."""
        if len(self.features) == 1:
            return 5.4, 3.8
        # With equal units the height decides, and some width is left over, or matplotlib's layout cuts labels.
        return 5.4, 3.9 / self._ratio + 0.6 if self._is_equal else 4.4

    @property
    def _ratio(self) -> float:
        (left, right), (bottom, top) = self.limits
        return (right - left) / (top - bottom)

    @property
    def _is_equal(self) -> bool:
        """Whether one unit is as long on both axes: unless that would make a strip."""
        return len(self.features) == 2 and 0.75 <= self._ratio <= 2.0

    def set_axes(self, ax: Any) -> None:
        """Set limits and labels."""
        ax.set_xlim(*self.limits[0])
        ax.set_xlabel(self.names[0])
        if len(self.features) == 2:
            ax.set_ylim(*self.limits[1])
            ax.set_ylabel(self.names[1])
            if ax.name != "3d" and self._is_equal:
                ax.set_aspect("equal")


def plane_of(
    net: Network, features: int | Sequence[int] | None = None, fixed: Any = None, limits: Any = None, X: Any = None,
    names: Sequence[str] | None = None,
) -> Plane:  # fmt: skip
    """Make a `Plane` of what a user says.

    Parameters
    ----------
    net : Network
    features : int, or one or two of them, optional
        By default the first two, or the only one.
    fixed : float or array (inputs,), optional
        The values of all other features; by default their means in X, or 0 without X.
    limits : (low, high), or a pair of them, optional
        By default a little more than the range of X, or -3 to 3 without X.
    X : array (n, inputs), optional
    names : sequence of str, optional
        Of all inputs. By default up to two inputs are called x_1 and x_2, as in the course; more are "feature 0", ...,
        numbered as columns of X are.

    Raises
    ------
    SpecificationError
        If a feature or the limits cannot be.
    InputError
        If X, `fixed` or the names do not fit the network.
    """
    chosen = _features(net.inputs, features)
    data = None if X is None else check_inputs(X, net)
    origin = _origin(net.inputs, fixed, data)
    note = ""
    if others := net.inputs - len(chosen):
        place = "their means" if fixed is None and data is not None else "0" if not origin.any() else "fixed values"
        note = f"the other {f'{others} inputs' if others > 1 else 'input'} at {place}"
        note = note.replace("their means", "its mean") if others == 1 else note
    return Plane(chosen, origin, _limits(limits, chosen, data), _names(names, net.inputs, chosen), note)


def check_index(where: str, value: Any, count: int) -> int:
    """Return a whole number from 0 to below `count`, or raise a SpecificationError."""
    try:
        index = operator.index(value)
    except TypeError:
        index = -1
    if isinstance(value, bool | np.bool_) or not 0 <= index < count:
        raise SpecificationError(
            where=where, expected=f"a whole number from 0 to {count - 1}" if count > 1 else "0, the only one",
            got=repr(value), remedy="count from 0, as columns of an array are",
        )  # fmt: skip
    return index


def check_layer(layer: Any, last: int) -> int:
    """Return a layer from 1 to `last`, or raise a LayerIndexError."""
    if isinstance(layer, bool) or not isinstance(layer, int | np.integer) or not 1 <= layer <= last:
        raise LayerIndexError(
            where="layer", expected=f"a layer k from 1 to {last}" if last > 1 else "layer 1, the only one",
            got=repr(layer), remedy="layers count from 1, the output layer is the last",
        )  # fmt: skip
    return int(layer)


def layer_values(net: Network, theta: Parameters, X: Array, k: int) -> tuple[Array, Array]:
    """Return what g of layer k is given, and what it makes of it: a^(k) (normalised, where it is) and h^(k).

    Both are (n, d_k) in float64; for k = L+1 they are a^(L+1) and f.
    """
    check_parameters(theta, net)
    exact, ops = theta.astype(np.float64), NumpyOps(np.float64)
    before, after = np.empty((len(X), net.sizes[k])), np.empty((len(X), net.sizes[k]))
    for start in range(0, len(X), net.piece):
        piece = slice(start, start + net.piece)
        values = forward(ops, net, exact, X[piece])
        before[piece] = values.z.get(k, values.a[k])
        after[piece] = values.h[k] if k <= net.L else values.f
    return before, after


def check_finite_picture(values: Array, what: str) -> None:
    """Raise an InputError if there is nothing to draw at some points."""
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(
            where="theta", expected=f"parameters that give finite values of {what} everywhere in the picture",
            got=f"{values[~finite].flat[0]} at {(~finite).mean():.0%} of the points",
            remedy="take the parameters of an epoch that was finite, or narrower limits",
        )  # fmt: skip


def _features(inputs: int, features: int | Sequence[int] | None) -> tuple[int, ...]:
    if features is None:
        return tuple(range(min(inputs, 2)))
    given = tuple(features) if isinstance(features, Sequence | np.ndarray) else (features,)
    chosen = tuple(check_index("features", feature, inputs) for feature in given)
    if not 1 <= len(set(chosen)) == len(chosen) <= 2:
        raise SpecificationError(
            where="features", expected="one feature or two different ones", got=repr(features),
            remedy="choose the two that the picture is to run over",
        )  # fmt: skip
    return chosen


def _origin(inputs: int, fixed: Any, data: Array | None) -> Array:
    if fixed is None:
        return np.zeros(inputs) if data is None else data.mean(axis=0, dtype=np.float64)
    values = np.asarray(fixed)
    if values.dtype.kind not in "fiub" or values.shape not in ((), (inputs,)) or not np.isfinite(values).all():
        raise InputError(
            where="fixed", expected=f"a finite number, or {inputs} of them", got=_described(values),
            remedy="give one value for each input, also for those that vary",
        )  # fmt: skip
    return np.broadcast_to(values, (inputs,)).astype(np.float64)


def _described(values: Array) -> str:
    right = values.dtype.kind in "fiub" and values.ndim < 2
    return f"shape {values.shape}" if right and np.isfinite(values).all() else repr(values.tolist())


def _limits(limits: Any, features: tuple[int, ...], data: Array | None) -> tuple[tuple[float, float], ...]:
    if limits is None and data is None:
        return (LIMITS,) * len(features)
    if limits is None:
        return tuple(_around(data[:, feature].astype(np.float64)) for feature in features)  # type: ignore[index]
    try:
        pairs = np.broadcast_to(np.asarray(limits, dtype=np.float64), (len(features), 2))
    except (TypeError, ValueError):
        pairs = np.zeros((1, 2))
    if not np.isfinite(pairs).all() or not (pairs[:, 0] < pairs[:, 1]).all():
        raise SpecificationError(
            where="limits", expected="(low, high) with low < high" + " or one such pair for each" * (len(features) > 1),
            got=repr(limits), remedy="write limits=(-3, 3), say",
        )  # fmt: skip
    return tuple((float(low), float(high)) for low, high in pairs)


def _around(column: Array) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    room = MARGIN * (high - low) or 1.0
    return low - room, high + room


def _names(names: Sequence[str] | None, inputs: int, features: tuple[int, ...]) -> tuple[str, ...]:
    if names is None:
        course = {1: ("$x$",), 2: ("$x_1$", "$x_2$")}
        return tuple(course[inputs][f] if inputs in course else f"feature {f}" for f in features)
    is_word = isinstance(names, str)
    if is_word or len(names) != inputs:
        raise InputError(
            where="feature_names", expected=f"{inputs} names", got=repr(names) if is_word else str(len(names)),
            remedy="give one name for each input of the network",
        )  # fmt: skip
    return tuple(str(names[feature]) for feature in features)
