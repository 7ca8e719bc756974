"""Loss and metric over any number of rows, in pieces of fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines import ReferenceEngine, Source
from ..network import Network, Parameters
from ..network.specification import PIECE
from ..network.steps import Batch, evaluate_step

Array = npt.NDArray[Any]


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
    order = np.arange(len(source)) if rows is None else rows
    engine = ReferenceEngine(theta.vector.dtype)

    def step(ops: Any, X: Array, y: Array, weights: Array | None, places: Array) -> tuple[float, float]:
        _, loss, score = evaluate_step(ops, net, theta, Batch(X, y, weights))
        return float(loss[0]) / len(X), float(score[0]) / len(X)

    bounds = [(start, min(start + PIECE, len(order))) for start in range(0, len(order), PIECE)]
    totals = engine.run(step, source, order, bounds, stop=lambda end: False)
    if len(totals.means) == 0 or not totals.finite:
        return Evaluation(float("nan"), float("nan"))
    loss, score = totals.means
    return Evaluation(loss, metric_of(net, score, spread(source, order) if target_spread is None else target_spread))


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
