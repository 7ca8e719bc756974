"""What a regressor's losses are called, and what its outputs say: a point, quantiles, a mean with its deviation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..rules.outputs import Huber, Output, Quantile
from ..rules.outputs import output as output_named

Array = npt.NDArray[Any]
#: Losses without settings, by scikit-learn's names where it has them.
NAMED: Final = {
    "squared_error": "identity", "poisson": "poisson", "absolute_error": "absolute", "gaussian_nll": "gaussian",
}  # fmt: skip
LOSSES: Final = (*NAMED, "huber", "quantile")


def output_of(loss: Any, huber_delta: float, quantiles: Any) -> Output:
    """Return the output that has this loss.

    Parameters
    ----------
    loss : str, Output or callable
        A name of `LOSSES`, or ``lambda s, f, y: ...``.
    huber_delta : float
    quantiles : sequence of float

    Raises
    ------
    ValueError
        If quantiles are not rising numbers between 0 and 1, or a formula cannot be used.
    """
    if isinstance(loss, Output):
        if loss.target not in ("numbers", "labels"):
            raise ValueError(f"loss has to be one for numbers, got {loss!r}.")
        return loss
    if isinstance(loss, str):
        if loss == "huber":
            return Huber(huber_delta)
        return Quantile(list(quantiles)) if loss == "quantile" else output_named(NAMED[loss])
    return Output.own(loss)


def point(output: Output, f: Array) -> Array:
    """Return the one number for each target that outputs f speak for: mean, or the quantile nearest to 1/2.  (n, T)"""
    if output.columns_per_target == 1:
        return f
    parameters: Array = output.by_target(f)
    return parameters[:, :, nearest_to_half(dict(output.settings).get("levels", (0.5,)))]


def nearest_to_half(levels: Any) -> int:
    """Return which of some levels is nearest to 1/2, the first one of two.

    >>> nearest_to_half((0.1, 0.4, 0.9))
    1
    """
    return int(np.argmin(np.abs(np.asarray(levels) - 0.5)))


def predicted(output: Output, f: Array) -> Array:
    """Return what `predict` gives: (n, T), or (n, T, q) of several quantiles, without an axis of a single target."""
    levels = dict(output.settings).get("levels", ())
    values: Array = output.by_target(f) if output.name == "quantile" and len(levels) > 1 else point(output, f)
    return values[:, 0] if values.shape[1] == 1 else values


def mean_and_deviation(output: Output, fs: list[Array]) -> tuple[Array, Array]:
    """Return mean and standard deviation of each target, of one network or of an ensemble.

    The variance of an ensemble is that of its members' means, and the mean of what each of them says of the noise, if
    the loss has one (Lakshminarayanan, Pritzel and Blundell 2017).

    Parameters
    ----------
    output : Output
    fs : list of array (n, columns)

    Returns
    -------
    mean, deviation : array (n, T)
    """
    means = np.array([point(output, f) for f in fs])
    variance = means.var(axis=0)
    if output.name == "gaussian":
        variance = variance + np.mean([np.exp(output.by_target(f)[:, :, 1]) for f in fs], axis=0)
    return means.mean(axis=0), np.sqrt(variance)


def check_range(output: Output, y: Array, name: str) -> None:
    """Raise a ValueError that names the row, if a target is none that the loss is made for."""
    low, high = output.target_range
    outside = np.argwhere((y < low) | (y > high))
    if len(outside):
        row, column = (int(i) for i in outside[0])
        kind = f"at least {low:g}" if high == np.inf else f"{low:g} to {high:g}"
        raise ValueError(f"loss={name!r} needs targets of {kind}, got y={y[row, column]:g} in row {row}.")
