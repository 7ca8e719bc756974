"""Two directions through the space of parameters, how far to go along them, and a path that is seen from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError
from ..network import Network, Parameters
from .plane import check_index

Array = npt.NDArray[Any]
#: Half the sides of the slice, unless it is told or a path tells.
SPAN: Final = 1.0
#: Room around a path, as a share of its extent.
MARGIN: Final = 0.15
#: Steps beyond it are taken for mistakes.
FARTHEST: Final = 1e100


def filter_normalised(net: Network, theta: Parameters, direction: Array) -> Array:
    """Give the weights into each unit, and each layer's other parameters, the norm that they have in theta.

    direction: (P,) -> (P,)
    """
    scaled = np.empty_like(direction)
    for segment in net.segments:
        d, own = (np.atleast_2d(segment.view(vector)) for vector in (direction, theta.vector))
        with np.errstate(over="ignore"):  # then the objective is not finite, which is shown
            norms, wanted = (np.linalg.norm(rows, axis=1, keepdims=True) for rows in (d, own))
        segment.view(scaled)[...] = (d * (wanted / norms)).reshape(segment.shape)
    return scaled


def directions_of(
    directions: Any, net: Network, theta: Parameters, moves: Array | None, seed: int
) -> tuple[Array, tuple[float, float], tuple[str, str]]:
    """Return u and v, where theta is on the axes, and what these are called."""
    P = net.n_parameters
    if isinstance(directions, str) and directions == "random":
        drawn = np.random.default_rng(seed).normal(size=(2, P))
        return np.array([filter_normalised(net, theta, d) for d in drawn]), (0.0, 0.0), ("$s$", "$t$")
    if isinstance(directions, str) and directions == "path":
        return _principal(moves), (0.0, 0.0), ("$s$", "$t$")
    is_pair = isinstance(directions, Sequence | np.ndarray) and not isinstance(directions, str) and len(directions) == 2
    pair = list(directions) if is_pair else []
    if is_pair and all(np.ndim(one) == 0 for one in pair):
        i, j = (check_index("directions", one, P) for one in pair)
        if i == j:
            raise SpecificationError(
                where="directions", expected="two different entries of theta.vector", got=repr(directions),
                remedy="choose another one for the second axis",
            )  # fmt: skip
        names = tuple(_entry(net, one) for one in (i, j))
        return _units(P, i, j), _pair(theta.vector[[i, j]]), (names[0], names[1])
    vectors = [np.asarray(one) for one in pair]
    if not vectors or any(one.shape != (P,) or one.dtype.kind not in "fiub" for one in vectors):
        raise InputError(
            where="directions", expected=f'"random", "path", two indices, or two vectors of {P} numbers',
            got=repr(directions) if not vectors else f"shapes {' and '.join(str(one.shape) for one in vectors)}",
            remedy="write directions=(0, 1) for the first two parameters, say",
        )  # fmt: skip
    given = np.array(vectors, dtype=np.float64)
    if not np.isfinite(given).all() or np.linalg.matrix_rank(given) < 2:
        raise InputError(
            where="directions", expected="two finite vectors, neither a multiple of the other", got="others",
            remedy="choose another one for the second axis",
        )  # fmt: skip
    return given, (0.0, 0.0), ("$s$", "$t$")


def _units(P: int, i: int, j: int) -> Array:
    vectors = np.zeros((2, P))
    vectors[0, i] = vectors[1, j] = 1.0
    return vectors


def _pair(values: Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _principal(moves: Array | None) -> Array:
    """Return the two orthonormal directions in which a path, as seen from theta, goes farthest."""
    if moves is None:
        raise SpecificationError(
            where="directions", expected='a path beside directions="path"', got="none", remedy="give path=[...]"
        )
    _, lengths, rows = np.linalg.svd(moves, full_matrices=False)
    if (lengths > 1e-12 * max(lengths[0], 1e-300)).sum() < 2:
        raise InputError(
            where="path", expected="one that leaves a straight line through theta", got=f"{len(moves)} such vectors",
            remedy='take more of them, or directions="random"',
        )  # fmt: skip
    return np.asarray(rows[:2])


def moves_of(path: Any, theta: Parameters) -> Array:
    """Return path - theta, (m, P)."""
    P = len(theta.vector)
    given = path if isinstance(path, Sequence | np.ndarray) else [path]
    vectors = [np.asarray(getattr(one, "vector", one)) for one in given]
    wrong = [one.shape for one in vectors if one.shape != (P,) or one.dtype.kind not in "fiub"]
    if not vectors or wrong:
        raise InputError(
            where="path", expected=f"vectors of {P} numbers, as theta.vector is",
            got=f"one of shape {wrong[0]}" if wrong else "none", remedy="give copies of theta.vector",
        )  # fmt: skip
    stacked = np.array(vectors, dtype=np.float64)
    finite = np.isfinite(stacked).all(axis=1)
    if not finite.all():
        raise InputError(
            where="path", expected="finite numbers", got=f"others in vector {int(np.argmin(finite))}",
            remedy="end the path where the run diverges",
        )  # fmt: skip
    return np.asarray(stacked - theta.vector)


def spans_of(span: Any, places: Array | None) -> list[tuple[float, float]]:
    """Return the range of s and that of t: as told, or a little more than the path, or -1 to 1."""
    if span is None and places is None:
        span = SPAN
    if span is None and places is not None:
        ends = np.vstack([places, [0.0, 0.0]])
        low, high = ends.min(axis=0), ends.max(axis=0)
        room = np.where(high > low, MARGIN * (high - low), SPAN)
        return list(zip((low - room).tolist(), (high + room).tolist(), strict=True))
    try:
        given = np.asarray(span, dtype=np.float64)
        pairs = np.broadcast_to([-given, given] if given.ndim == 0 else given, (2, 2))
    except (TypeError, ValueError):
        pairs = np.zeros((2, 2))
    if not (np.abs(pairs) <= FARTHEST).all() or not (pairs[:, 0] < pairs[:, 1]).all():
        raise SpecificationError(
            where="span", expected="a number above 0, (low, high) with low < high, or a pair of these", got=repr(span),
            remedy="write span=2.0, say",
        )  # fmt: skip
    return [_pair(pair) for pair in pairs]


def _entry(net: Network, index: int) -> str:
    """Return the course's name of an entry of theta.vector."""
    segment = next(s for s in net.segments if s.start <= index < s.stop)
    place = np.unravel_index(index - segment.start, segment.shape)
    symbol = segment.name if len(segment.name) == 1 else f"\\{segment.name}"
    return f"${symbol}^{{({segment.k})}}_{{{','.join(str(int(i) + 1) for i in place)}}}$"
