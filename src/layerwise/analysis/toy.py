"""Small data sets in the plane, two classes each: what a line can tell apart, and what it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import check_number

Array = npt.NDArray[Any]


def xor(n: int = 200, noise: float = 0.2, seed: int = 0) -> tuple[Array, Array]:
    """Draw points around the four corners (+-1, +-1); class 1 where the signs of x_1 and x_2 differ.

    Parameters
    ----------
    n : int
        Points; the corners take turns.
    noise : float
        Standard deviation of both coordinates around a corner.
    seed : int

    Returns
    -------
    X : array (n, 2)
    y : array (n,) of int

    Examples
    --------
    >>> X, y = xor(4, noise=0)
    >>> X.tolist(), y.tolist()
    ([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    generator = _generator(n, noise, seed)
    first, second = np.divmod(np.arange(n) % 4, 2)
    X = 2.0 * np.column_stack([first, second]) - 1.0
    return X + noise * generator.standard_normal((n, 2)), (first ^ second).astype(np.int64)


def circles(n: int = 200, noise: float = 0.05, seed: int = 0, inner: float = 0.5) -> tuple[Array, Array]:
    """Draw points of two circles around 0: class 0 of radius 1, class 1 of radius `inner`.

    Parameters
    ----------
    n : int
        Points; the classes take turns.
    noise : float
        Standard deviation of both coordinates around the circle.
    seed : int
    inner : float
        Between 0 and 1.

    Returns
    -------
    X : array (n, 2)
    y : array (n,) of int

    Examples
    --------
    >>> X, y = circles(6, noise=0)
    >>> (X**2).sum(axis=1).round(12).tolist(), y.tolist()
    ([1.0, 0.25, 1.0, 0.25, 1.0, 0.25], [0, 1, 0, 1, 0, 1])
    """
    generator = _generator(n, noise, seed)
    check_number("inner", inner, above=0, below=1)
    y = np.arange(n) % 2
    angle = generator.uniform(0.0, 2 * np.pi, n)
    radius = np.where(y == 1, inner, 1.0)
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + noise * generator.standard_normal((n, 2)), y


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array]:
    """Draw points of two half circles that reach into each other: the upper one is class 0, the lower one class 1.

    Parameters
    ----------
    n : int
        Points; the classes take turns.
    noise : float
        Standard deviation of both coordinates around the half circle.
    seed : int

    Returns
    -------
    X : array (n, 2)
    y : array (n,) of int

    Examples
    --------
    >>> X, y = moons(100, noise=0)
    >>> bool((X[y == 0, 1] >= 0).all() and (X[y == 1, 1] <= 0.5).all())
    True
    """
    generator = _generator(n, noise, seed)
    y = np.arange(n) % 2
    angle = generator.uniform(0.0, np.pi, n)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    return np.where(y[:, None] == 1, lower, upper) + noise * generator.standard_normal((n, 2)), y


def spirals(n: int = 200, noise: float = 0.0, seed: int = 0, turns: float = 1.5) -> tuple[Array, Array]:
    """Draw points of two spirals around 0, each the other turned by half a circle.

    Parameters
    ----------
    n : int
        Points; the classes take turns.
    noise : float
        Standard deviation of both coordinates around the spiral.
    seed : int
    turns : float
        How often a spiral goes round while its radius grows from 0.1 to 1.

    Returns
    -------
    X : array (n, 2)
    y : array (n,) of int

    Examples
    --------
    >>> X, y = spirals(50)
    >>> X.shape, sorted(set(y.tolist()))
    ((50, 2), [0, 1])
    """
    generator = _generator(n, noise, seed)
    check_number("turns", turns, above=0)
    y = np.arange(n) % 2
    along = np.sqrt(generator.uniform(0.0, 1.0, n))  # the root spreads the points evenly over the length
    angle = 2 * np.pi * turns * along + np.pi * y
    radius = 0.1 + 0.9 * along
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + noise * generator.standard_normal((n, 2)), y


def _generator(n: int, noise: float, seed: int) -> np.random.Generator:
    check_number("n", n, at_least=2, whole=True)
    check_number("noise", noise, at_least=0)
    check_number("seed", seed, at_least=0, below=2**64, whole=True)
    return np.random.default_rng(seed)
