"""How good predictions are: metrics with bootstrap intervals, the confusion matrix, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, check_number

Array = npt.NDArray[Any]
#: Samples of the bootstrap; fewer for very many rows, whose intervals are narrow anyway.
RESAMPLES: Final = 1000
_FEWEST: Final = 200
_ROWS_IN_ALL: Final = 50_000_000
#: A probability of 0 for what happened would cost infinitely much, and hide all other rows.
_LEAST: Final = float(np.finfo(np.float32).tiny)
BINS: Final = 10
#: What metrics are called where people read them.
NAMES: Final = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "log_loss": "log loss",
    "brier": "Brier score", "roc_auc": "ROC AUC", "r2": "R2", "rmse": "RMSE", "mae": "MAE", "bias": "bias",
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A number with its 95 % interval.

    Parameters
    ----------
    value : float
    low, high : float
        The 2.5 % and 97.5 % points of the bootstrap (Efron 1979), over the samples for which the metric is defined;
        nan where it is for none.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """How often the predicted class is right, by how sure the model was.

    Parameters
    ----------
    count : array (bins,) of int
    confidence, accuracy : array (bins,)
        Means over the rows of a bin; nan where it is empty.
    error : float
        The mean of abs(confidence - accuracy) over rows (expected calibration error, Naeini et al. 2015).
    """

    count: Array
    confidence: Array
    accuracy: Array
    error: float


@dataclass(frozen=True, eq=False)
class ClassQuality:
    """What `class_quality` found.

    Parameters
    ----------
    metrics : dict of str to Metric
    confusion : array (C, C) of int
        Rows are the true classes, columns the predicted ones.
    calibration : Calibration
    """

    metrics: Mapping[str, Metric]
    confusion: Array
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class NumberQuality:
    """What `number_quality` found.

    Parameters
    ----------
    metrics : dict of str to Metric
    residuals : array (n,)
        Target minus prediction.
    """

    metrics: Mapping[str, Metric]
    residuals: Array


def class_quality(y: Any, P: Any, *, resamples: int | None = None, seed: int = 0) -> ClassQuality:
    """Measure predicted class probabilities.

    Parameters
    ----------
    y : array (n,) of int
        Class codes.
    P : array (n, C)
        Probabilities.
    resamples : int, optional
        Samples of the bootstrap.
    seed : int

    Returns
    -------
    ClassQuality
        accuracy, balanced_accuracy (mean recall of the classes that occur), macro_f1, log_loss, brier (mean squared
        distance of the probabilities from e(y)), and roc_auc for two classes.

    Raises
    ------
    InputError
        If shapes or codes do not fit.

    Examples
    --------
    >>> found = class_quality([0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    >>> found.metrics["accuracy"].value, found.confusion.tolist(), found.metrics["roc_auc"].value
    (0.75, [[2, 0], [1, 1]], 1.0)
    """
    y, P = np.asarray(y), np.asarray(P, dtype=np.float64)
    if P.ndim != 2 or len(P) != len(y) or not len(y) or not ((y >= 0) & (y < P.shape[1])).all():
        raise InputError(
            where="y", expected="a code of 0 .. C-1 for each of the (n, C) probabilities, n > 0",
            got=f"shapes {y.shape} and {P.shape}", remedy="give one code a row",
        )  # fmt: skip
    n, C = P.shape
    predicted = P.argmax(axis=1)
    confidence = P[np.arange(n), predicted]
    losses = -np.log(np.maximum(P[np.arange(n), y], _LEAST))
    squares = ((P - np.eye(C)[y]) ** 2).sum(axis=1)
    pairs = y * C + predicted

    def metrics(w: Array) -> list[float]:
        table = np.bincount(pairs, weights=w, minlength=C * C).reshape(C, C)
        hits, true, said = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        occurs = true > 0
        f1 = 2 * hits / np.maximum(true + said, 1e-300)
        return [
            hits.sum() / w.sum(), float((hits[occurs] / true[occurs]).mean()), float(f1[(true + said) > 0].mean()),
            float(w @ losses / w.sum()), float(w @ squares / w.sum()), *(area(w) for area in areas),
        ]  # fmt: skip

    areas = [_auc_of(y, P[:, 1])] if C == 2 else []
    names = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", *(["roc_auc"] if C == 2 else [])]
    right = (predicted == y).astype(np.float64)
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = [np.bincount(place, weights=values, minlength=BINS) / count for values in (confidence, right)]
    error = float(np.nansum(np.abs(mean[0] - mean[1]) * count) / n)
    confusion = np.bincount(pairs, minlength=C * C).reshape(C, C)
    found = _with_intervals(metrics, names, n, resamples, seed)
    return ClassQuality(found, confusion, Calibration(count, mean[0], mean[1], error))


def number_quality(y: Any, f: Any, *, resamples: int | None = None, seed: int = 0) -> NumberQuality:
    """Measure predicted numbers.

    Parameters
    ----------
    y, f : array (n,)
        Targets and predictions, in the same units.
    resamples : int, optional
    seed : int

    Returns
    -------
    NumberQuality
        r2, rmse, mae and bias (mean of the residuals).

    Raises
    ------
    InputError
        If shapes do not fit.

    Examples
    --------
    >>> round(number_quality([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).metrics["rmse"].value, 4)
    0.5774
    """
    y, f = np.asarray(y, dtype=np.float64), np.asarray(f, dtype=np.float64)
    if y.shape != f.shape or y.ndim != 1 or not len(y):
        raise InputError(
            where="f", expected="one prediction for each target, n > 0", got=f"shapes {f.shape} and {y.shape}",
            remedy="give (n,) and (n,)",
        )  # fmt: skip
    residuals = y - f

    def metrics(w: Array) -> list[float]:
        total = w.sum()
        mean = w @ y / total
        spread = w @ (y - mean) ** 2
        squared = w @ residuals**2
        r2 = 1 - squared / spread if spread > 0 else np.nan
        return [float(r2), float(np.sqrt(squared / total)), float(w @ np.abs(residuals) / total), w @ residuals / total]

    return NumberQuality(_with_intervals(metrics, ["r2", "rmse", "mae", "bias"], len(y), resamples, seed), residuals)


def _with_intervals(
    metrics: Callable[[Array], list[float]], names: list[str], n: int, resamples: int | None, seed: int
) -> dict[str, Metric]:  # fmt: skip
    """Compute metrics of weighted rows: with weights 1, and with how often rows come in samples of the bootstrap."""
    if resamples is None:
        resamples = int(np.clip(_ROWS_IN_ALL // n, _FEWEST, RESAMPLES))
    check_number("resamples", resamples, at_least=1, whole=True)
    rng = np.random.default_rng(seed)
    samples = np.array(
        [metrics(np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)) for _ in range(resamples)]
    )
    defined = np.isfinite(samples).any(axis=0)
    low, high = np.full((2, len(names)), np.nan)
    low[defined], high[defined] = np.nanpercentile(samples[:, defined], [2.5, 97.5], axis=0)
    values = metrics(np.ones(n))
    return {name: Metric(*map(float, row)) for name, *row in zip(names, values, low, high, strict=True)}


def _auc_of(y: Array, p: Array) -> Callable[[Array], float]:
    """Return the area under the ROC curve as a function of the rows' weights; nan where a class is absent."""
    order = np.argsort(p, kind="stable")
    positive = y[order] == 1
    tied = np.concatenate([[0], np.cumsum(np.diff(p[order]) > 0)])

    def auc(w: Array) -> float:
        ups = np.bincount(tied, weights=w[order] * positive)
        downs = np.bincount(tied, weights=w[order] * ~positive)
        below = np.cumsum(downs) - downs
        both = ups.sum() * downs.sum()
        return float((ups * (below + downs / 2)).sum() / both) if both > 0 else float("nan")

    return auc
