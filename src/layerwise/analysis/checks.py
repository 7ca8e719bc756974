"""Checks of the arrays that the functions of this folder take, and the units in which they compare columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..network.inputs import check_finite

Array = npt.NDArray[Any]


def numbers(values: Any, where: str, dimensions: int) -> Array:
    """Return the values in float64; raise an InputError unless they are finite numbers of so many dimensions.

    >>> numbers([1, 2], "x", 2)
    Traceback (most recent call last):
    layerwise.errors.InputError: x: expected numbers in 2 dimensions, got shape (2,); give one row an example
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise InputError(
            where=where, expected="numbers in rows of one length", got=str(problem), remedy="give a numeric array"
        ) from problem
    if array.ndim != dimensions or array.size == 0:
        raise InputError(
            where=where, expected=f"numbers in {dimensions} dimension{'s' * (dimensions > 1)}",
            got=f"shape {array.shape}", remedy="give one row an example" if dimensions > 1 else "give one number a row",
        )  # fmt: skip
    check_finite(array, where)
    return array


def class_codes(y: Any, n: int, where: str = "y") -> tuple[Array, int]:
    """Return the codes (n,) and C; raise an InputError unless they are whole numbers from 0, of two classes or more."""
    codes = numbers(y, where, 1)
    right = codes.shape == (n,) and (codes == np.floor(codes)).all() and codes.min() >= 0 and codes.max() >= 1
    if not right:
        raise InputError(
            where=where, expected=f"{n} class codes 0, 1, ... of two classes or more", got=repr(y),
            remedy="number the classes from 0, one code a row",
        )  # fmt: skip
    return codes.astype(np.int64), int(codes.max()) + 1


def centre_and_scale(Phi: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of every column; a constant column has scale 1."""
    scale = Phi.std(axis=0)
    return Phi.mean(axis=0), np.where(scale > 1e-12 * np.abs(Phi).max(axis=0), scale, 1.0)
