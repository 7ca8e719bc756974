"""Weights of classes, as weights of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import compute_sample_weight

Array = npt.NDArray[Any]


def with_class_weights(class_weight: Any, labels: Array, y: Array, weights: Array | None, n_classes: int) -> Array:
    """Return what each row weighs in training.

    Parameters
    ----------
    class_weight : dict, "balanced" or a list of dicts
    labels : array (n,) or (n, T)
        Targets as the user gave them.
    y : array
        Targets as the network takes them.
    weights : array (n,), optional
        The rows' own; with "balanced" a row counts what it weighs, and a class without weight stays so.
    n_classes : int

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If a class has a negative weight, or one that is not finite.

    Examples
    --------
    >>> y = np.array([[0], [0], [1]])
    >>> with_class_weights("balanced", y[:, 0], y, None, 2)
    array([0.75, 0.75, 1.5 ])
    """
    codes = y if y.ndim == 1 else y[:, 0] if y.shape[1] == 1 else None
    if weights is not None and isinstance(class_weight, str) and codes is not None:
        sums = np.bincount(codes, weights, n_classes)
        of_class = np.divide(weights.sum() / n_classes, sums, out=np.zeros(len(sums)), where=sums > 0)
        balanced: Array = weights * of_class[codes]
        return balanced
    of_rows: Array = compute_sample_weight(class_weight, labels)
    if not (np.isfinite(of_rows).all() and (of_rows >= 0).all()):
        raise ValueError(f"class_weight has to be finite and at least 0 for every class, got {class_weight}.")
    return of_rows if weights is None else weights * of_rows
