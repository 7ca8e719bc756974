"""Bias, variance and noise of a way of fitting, by fitting it to many samples (course-map row 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, check_number
from .checks import numbers

Array = npt.NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class BiasVariance:
    """What `bias_variance` found.

    Attributes
    ----------
    bias_squared : float
        Mean over x of (mean prediction - target)^2: what more samples would not mend.
    variance : float
        Mean over x of the variance of the predictions: how far they depend on the sample.
    noise : float
        The variance of the targets: what no fit can predict.
    total : float
        Their sum: the expected squared error on new targets.
    predictions : array (repeats, n)
        The fitted curves, one a sample.
    mean : array (n,)
        Of the curves.
    target : array (n,)
        The true values.
    """

    bias_squared: float
    variance: float
    noise: float
    total: float
    predictions: Array
    mean: Array
    target: Array

    def __repr__(self) -> str:
        return (
            f"BiasVariance({self.bias_squared:.4g} bias^2 + {self.variance:.4g} variance + {self.noise:.4g} noise "
            f"= {self.total:.4g})"
        )


def bias_variance(
    fit_and_predict: Callable[[Array, Array, Array], Any], target: Callable[[Array], Any], x: Any, noise: float, *,
    rows: int, repeats: int = 100, seed: int = 0,
) -> BiasVariance:  # fmt: skip
    """Fit many samples of noisy targets, and split the expected squared error into bias^2 + variance + noise.

    Each sample has `rows` inputs, drawn from those of x with replacement, and targets target(x) + noise * N(0, 1)
    (Geman, Bienenstock and Doursat 1992).

    Parameters
    ----------
    fit_and_predict : callable (x_sample, t_sample, x) -> array (n,)
        Fits a sample and predicts at x.
    target : callable (x) -> array (n,)
        The true function.
    x : array (n,) or (n, d)
        Where the error is measured, and where samples are from.
    noise : float
        Standard deviation of the targets.
    rows : int
        Of a sample.
    repeats : int
        Samples, two or more.
    seed : int
        Of the samples; the same for all ways of fitting, so that they are compared on the same ones.

    Returns
    -------
    BiasVariance

    Raises
    ------
    InputError, SpecificationError
        If predictions have the wrong shape or are not finite, or a setting cannot be.

    Examples
    --------
    >>> from layerwise.analysis import least_squares, polynomial
    >>> def order(m):
    ...     return lambda x, t, new: polynomial(new, m) @ least_squares(polynomial(x, m), t)
    >>> x = np.linspace(-1, 1, 50)
    >>> straight, curved = (
    ...     bias_variance(order(m), lambda x: np.sin(3 * x), x, 0.3, rows=20) for m in (1, 7)
    ... )
    >>> straight.bias_squared > curved.bias_squared, straight.variance < curved.variance
    (True, True)
    """
    points = numbers(x, "x", 2 if np.ndim(x) == 2 else 1)
    check_number("noise", noise, at_least=0)
    check_number("rows", rows, at_least=1, whole=True)
    check_number("repeats", repeats, at_least=2, whole=True)
    check_number("seed", seed, at_least=0, below=2**64, whole=True)
    truth = _curve(target(points), len(points), "target")
    generator = np.random.default_rng(seed)
    predictions = np.empty((repeats, len(points)))
    for repeat in range(repeats):
        chosen = generator.integers(len(points), size=rows)
        t = truth[chosen] + noise * generator.standard_normal(rows)
        predictions[repeat] = _curve(fit_and_predict(points[chosen], t, points), len(points), "fit_and_predict")
    mean = predictions.mean(axis=0)
    bias_squared, variance = float(((mean - truth) ** 2).mean()), float(predictions.var(axis=0).mean())
    total = bias_squared + variance + float(noise) ** 2
    return BiasVariance(bias_squared, variance, float(noise) ** 2, total, predictions, mean, truth)


def _curve(values: Any, n: int, where: str) -> Array:
    curve = np.asarray(values, dtype=np.float64)
    if curve.shape == (n, 1):  # what a network of one output predicts
        curve = curve[:, 0]
    if curve.shape != (n,) or not np.isfinite(curve).all():
        raise InputError(
            where=where, expected=f"{n} finite values", remedy="return one value a row of x",
            got=f"shape {curve.shape}" if curve.shape != (n,) else "NaN or infinity",
        )  # fmt: skip
    return curve
