"""The reference engine: rules run eagerly in NumPy, one batch after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, final

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from ..ops import NumpyOps, Vocabulary

Array = npt.NDArray[Any]
#: A step: (ops, X, y, weights, rows) -> numbers of the batch, the first of which must stay finite.
Step = Callable[[Vocabulary, Array, Array, Array | None, Array], Sequence[float]]


@cache
def _matrix_library() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, so once


def one_thread() -> AbstractContextManager[Any]:
    """Keep NumPy's matrix products on one thread: their sums depend on the number, and a seed's bits must not."""
    context: AbstractContextManager[Any] = _matrix_library().limit(limits=1, user_api="blas")
    return context


@dataclass(frozen=True)
class Source:
    """The rows of a data set; they are converted while they are gathered, never as a whole.

    Parameters
    ----------
    X : array (n, inputs)
        Of any numeric type and memory order; a memory map is fine.
    y : array (n,) of codes, or (n, outputs)
    weights : array (n,), optional
        w_t / w_mean.
    """

    X: Array
    y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def gather(self, rows: Array | slice, dtype: npt.DTypeLike) -> tuple[Array, Array, Array | None]:
        """Return the rows in C order and of the given type: X, y, and the weights as a column."""
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the loss will show
            X = np.ascontiguousarray(self.X[rows], dtype=dtype)
            y = self.y[rows] if self.y.ndim == 1 else np.ascontiguousarray(self.y[rows], dtype=dtype)
        weights = None if self.weights is None else self.weights[rows].astype(dtype)[:, None]
        return X, y, weights


@dataclass
class EpochTotals:
    """What `ReferenceEngine.run` adds up.

    Attributes
    ----------
    batches, rows : int
        Finished in this call.
    means : list of float
        The step's numbers, averaged over rows.
    finite : bool
        False if the step's first number became NaN or infinite; the run ends there.
    stopped : bool
        True if it was asked to end early.
    """

    batches: int = 0
    rows: int = 0
    means: list[float] = field(default_factory=list)
    finite: bool = True
    stopped: bool = False


@final
class ReferenceEngine:
    """Runs steps in NumPy.

    Parameters
    ----------
    dtype : float32 or float64
    """

    name = "reference"

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.ops = NumpyOps(dtype)

    def run(
        self, step: Step, source: Source, order: Array, bounds: Sequence[tuple[int, int]],
        stop: Callable[[int], bool],
    ) -> EpochTotals:  # fmt: skip
        """Run a step on each batch ``order[start:end]``.

        Parameters
        ----------
        step : callable
        source : Source
        order : array of int
            Rows of the source, in the order of training.
        bounds : sequence of (start, end)
        stop : callable
            Asked after every batch, with the end of that batch; True ends the run.
        """
        with one_thread():
            return self._run(step, source, order, bounds, stop)

    def _run(
        self, step: Step, source: Source, order: Array, bounds: Sequence[tuple[int, int]], stop: Callable[[int], bool]
    ) -> EpochTotals:
        totals = EpochTotals()
        sums: list[float] = []
        for start, end in bounds:
            rows = order[start:end]
            X, y, weights = source.gather(rows, self.ops.dtype)
            numbers = step(self.ops, X, y, weights, rows)
            sums = [s + len(rows) * x for s, x in zip(sums or [0.0] * len(numbers), numbers, strict=True)]
            totals.batches += 1
            totals.rows += len(rows)
            if not math.isfinite(numbers[0]):
                totals.finite = False
                break
            if stop(end):
                totals.stopped = True
                break
        totals.means = [s / totals.rows for s in sums]
        return totals
