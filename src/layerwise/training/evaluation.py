"""Loss and metric over any number of rows, in pieces of fixed size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..engines import Source
from ..network import Network, Parameters
from ..network.programs import Setting, executable, vectors_of

Array = npt.NDArray[Any]
NO_SCALARS: Final = np.empty((1, 0))


@dataclass(frozen=True)
class Evaluation:
    """The loss (1/n) sum_t (w_t / w_mean) l_t of a set of rows, and their metric, which is never weighted."""

    loss: float
    metric: float


def evaluate(
    net: Network, theta: Parameters, source: Source, rows: Array | None = None, target_spread: float | None = None
) -> Evaluation:
    """Return the data loss and the metric as in prediction: no dropout, running statistics.

    Parameters
    ----------
    net, theta
    source : Source
    rows : array of int, optional
        Which rows; all by default.
    target_spread : float, optional
        The `spread` of their targets, if it is known already.
    """
    evaluation = evaluate_until(net, theta, source, rows, target_spread, lambda: False)
    assert evaluation is not None
    return evaluation


def evaluate_until(
    net: Network, theta: Parameters, source: Source, rows: Array | None, target_spread: float | None,
    stop: Callable[[], bool],
) -> Evaluation | None:  # fmt: skip
    """Do what `evaluate` does, asking `stop` now and then; return None if that ended it early."""
    order = np.arange(len(source)) if rows is None else np.ascontiguousarray(rows, np.int64)
    run = executable(net, Setting("evaluate", weighted=source.weights is not None), theta.vector.dtype)
    bounds = cut(len(order), net.piece)
    totals = run.run(vectors_of(theta), source, order, bounds, NO_SCALARS, (0, 0), lambda batches: stop())
    if totals.stopped and totals.rows < len(order):
        return None
    if not totals.means or not totals.finite:
        return Evaluation(float("nan"), float("nan"))
    loss, score = totals.means["loss_sum"], totals.means["score_sum"]
    return Evaluation(loss, metric_of(net, score, spread(source, order) if target_spread is None else target_spread))


def cut(n: int, size: int) -> Array:
    """Cut n rows into pieces of `size`; the last one may be smaller.

    Returns
    -------
    array (pieces, 2) of int64
        Start and end of each.

    Examples
    --------
    >>> cut(5, 2).tolist()
    [[0, 2], [2, 4], [4, 5]]
    """
    bounds = np.empty((-(-n // size), 2), np.int64)
    bounds[:, 0] = np.arange(0, n, size)
    bounds[:, 1] = np.minimum(bounds[:, 0] + size, n)
    return bounds


def spread(source: Source, rows: Array | None = None) -> float:
    """Return the mean squared distance of numbers from their mean, summed over columns; 0 for class codes."""
    if source.y.ndim == 1:
        return 0.0
    y = np.asarray(source.y if rows is None else source.y[rows], dtype=np.float64)
    with np.errstate(all="ignore"):
        return float(((y - y.mean(axis=0)) ** 2).sum(axis=1).mean())


def metric_of(net: Network, score: float, target_spread: float) -> float:
    """Turn the mean score into the metric: accuracy as it is; R2 = 1 - squared error / spread (NaN without spread)."""
    if net.output.metric != "r2":
        return score
    return 1.0 - score / target_spread if target_spread > 0 else float("nan")
