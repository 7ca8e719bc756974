"""What an epoch goes through, and how it is cut into batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy.typing as npt

from ..engines import Source
from ..network import Network
from ..network.trace import check_rows_for_normalisation
from .evaluation import cut, spread

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingData:
    """What an epoch goes through: the source, which of its rows train, and what to validate on.

    Parameters
    ----------
    source : Source
    rows : array of int
        Rows to train on.
    validation : Source, optional
    validation_rows : array of int, optional
        Rows of `validation`; all by default.
    chosen : array of int, optional
        If given, `rows` are positions in it, and it has the rows of the source: training goes as if the source had
        these rows alone.
    penalty_factors : array (batches,), optional
        What the strengths of the penalty are multiplied by, batch by batch; 1 by default.
    """

    source: Source
    rows: Array
    validation: Source | None = None
    validation_rows: Array | None = None
    chosen: Array | None = None
    penalty_factors: Array | None = None

    def in_source(self, rows: Array) -> Array:
        """Return which rows of the source these are."""
        return rows if self.chosen is None else self.chosen[rows]

    @cached_property
    def spread(self) -> float:
        """The spread of the training targets; see `spread`."""
        return spread(self.source, self.in_source(self.rows))

    @cached_property
    def validation_spread(self) -> float:
        """The spread of the validation targets."""
        return 0.0 if self.validation is None else spread(self.validation, self.validation_rows)


def batch_bounds(n: int, batch_size: int | None, net: Network) -> Array:
    """Cut n rows into batches; a last row alone joins the batch before it if the network normalises batches.

    Returns
    -------
    array (batches, 2) of int64
        Start and end of each.

    Examples
    --------
    >>> batch_bounds(5, 2, Network(1, [2], 2)).tolist()
    [[0, 2], [2, 4], [4, 5]]
    >>> batch_bounds(5, 2, Network(1, [2], 2, batch_norm=True)).tolist()
    [[0, 2], [2, 5]]
    """
    size = n if batch_size is None else min(batch_size, n)
    check_rows_for_normalisation(net, size)
    bounds = cut(n, size)
    if net.normalises and n - bounds[-1, 0] == 1:
        bounds = bounds[:-1]
        bounds[-1, 1] = n
    return bounds
