"""The parameters as scikit-learn shows them: lists of arrays, one a layer, which are views of theta."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..network import Parameters

Array = npt.NDArray[Any]


@final
class LayerArrays(list[Array]):
    """One array a layer, each a view: what is written into one, or put in its place, is written into theta.

    >>> from layerwise.network import Network
    >>> theta = Network(2, [3], 1, output="identity").initialize(seed=0)
    >>> coefs = coefs_of(theta)
    >>> coefs[1] = [[1.0], [2.0], [3.0]]
    >>> theta.W[2]
    array([[1., 2., 3.]])
    """

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            replace_all(self[index], value)
        else:
            self[index][...] = _fitting(value, self[index])

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([np.array(view) for view in self],)


def coefs_of(theta: Parameters) -> LayerArrays:
    """Return W' of every layer, (d_in, d_out) each."""
    return LayerArrays(W.T for W in theta.W.values())


def intercepts_of(theta: Parameters) -> LayerArrays:
    """Return b of every layer."""
    return LayerArrays(theta.b.values())


def replace_all(views: Sequence[Array], values: Iterable[Any]) -> None:
    """Write one array a layer into the views, once all of them are known to fit.

    Raises
    ------
    ValueError
        If there are more or fewer arrays, or one has another shape.
    """
    given = list(values)
    if len(given) != len(views):
        raise ValueError(f"Expected {len(views)} arrays, one a layer; got {len(given)}.")
    fitting = [_fitting(value, view) for value, view in zip(given, views, strict=True)]
    for view, value in zip(views, fitting, strict=True):
        view[...] = value


def _fitting(value: Any, view: Array) -> Array:
    array: Array = np.asarray(value, dtype=view.dtype)
    if array.shape != view.shape:
        raise ValueError(f"Expected an array of shape {view.shape}, got {array.shape}; the layers' sizes are fixed.")
    return array
