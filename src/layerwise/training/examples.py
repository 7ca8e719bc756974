"""The rows that a user gives: checked once, then divided into those that train and those that validate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..engines import Source
from ..errors import InputError, SpecificationError
from ..network import Network
from ..network.inputs import check_inputs, check_targets, check_training_inputs, check_weights
from ..ops.sparse import SparseRows
from .batches import TrainingData

Array = npt.NDArray[Any]
WeightMean = float | Literal["as given"] | None


@dataclass(frozen=True)
class Examples:
    """Rows that are known to fit a network.

    Attributes
    ----------
    net : Network
    X : array or SparseRows (n, inputs)
    y : array (n,) of int64 codes, or (n, targets)
    weights : array (n,) of float64, or None
    weight_mean : float, "as given" or None
        How w_mean is to be found; see `fit`.
    """

    net: Network
    X: Array
    y: Array
    weights: Array | None
    weight_mean: WeightMean

    @classmethod
    def check(cls, net: Network, X: Any, y: Any, weights: Any, weight_mean: WeightMean) -> Examples:
        """Return the rows; raise an InputError if one cannot be used."""
        X = check_training_inputs(X, net)
        y = check_targets(y, net, len(X))
        return cls(net, X, y, check_weights(weights, len(X), weight_mean)[0], weight_mean)

    def mean_weight(self, rows: Array | None) -> float:
        """Return w_mean of these training rows; raise an InputError if it is not positive."""
        w = self.weights if self.weights is None or rows is None else self.weights[rows]
        return check_weights(w, len(self.X) if rows is None else len(rows), self.weight_mean)[1]

    def training_data(
        self, validation: float | Source | None, seed: int, chosen: Array | None = None,
        validation_rows: Array | None = None,
    ) -> tuple[TrainingData, WeightMean]:  # fmt: skip
        """Divide the rows.

        Parameters
        ----------
        validation : float or Source, optional
            The fraction to hold out by `seed`, or other rows to validate on.
        seed : int
        chosen : array of int, optional
            Take these rows for all that there are, in this order.
        validation_rows : array of int, optional
            Rows to validate on, in place of `validation`.

        Returns
        -------
        data : TrainingData
        weight_mean : float, "as given" or None
            w_mean as `start` takes it.
        """
        n = len(self.X) if chosen is None else len(chosen)
        rows = np.arange(n)
        if isinstance(validation, float):
            rows, held_out = self._split(validation, seed, chosen)
            validation_rows = held_out if chosen is None else chosen[held_out]
        mean = self.mean_weight(rows if chosen is None else chosen[rows])
        source = Source(self.X, self.y, None if self.weights is None else self.weights / mean)
        others = validation if isinstance(validation, Source) else None
        if validation_rows is not None:
            others = self._held_out(validation_rows)
        if chosen is not None and self.net.draws:
            source, chosen = _renumbered(source, chosen)
        fixed = self.weight_mean if self.weights is None or self.weight_mean == "as given" else mean
        return TrainingData(source, rows, others, validation_rows, chosen), fixed

    def _split(self, fraction: float, seed: int, chosen: Array | None) -> tuple[Array, Array]:
        """Return training rows and validation rows, as positions in `chosen`."""
        from ..data.splits import split_rows

        y = self.y if chosen is None else self.y[chosen]
        strata = y if self.net.output.target == "classes" else None
        parts = split_rows(len(y), seed=seed, test=0, validation=fraction, strata=strata)
        if len(parts.train) == 0 or len(parts.validation) == 0:
            raise InputError(
                where="validation", expected="at least one row on each side", got=f"{fraction} of {len(y)} rows",
                remedy="give more rows or another fraction",
            )  # fmt: skip
        return parts.train, parts.validation

    def _held_out(self, rows: Array) -> Source:
        """Return the source for validation rows: their weights have a mean of 1, so that their loss is a mean too."""
        if self.weights is None:
            return Source(self.X, self.y)
        w = self.weights[rows]
        mean = check_weights(w, len(w), _own_mean(self.weight_mean), "weights of validation rows")[1]
        return Source(self.X, self.y, self.weights / mean)


def check_validation(net: Network, validation: Any, weight_mean: WeightMean) -> float | Source | None:
    """Return rows to validate on as a source, or the fraction to hold out.

    Raises
    ------
    InputError, SpecificationError
        If it is neither, or the rows cannot be used.
    """
    if validation is None:
        return None
    if not isinstance(validation, tuple | list):
        number = isinstance(validation, float | int | np.floating) and not isinstance(validation, bool)
        if not number or not 0 < validation < 1:
            raise SpecificationError(
                where="validation", expected="(X, y), (X, y, weights) or a fraction between 0 and 1",
                got=repr(validation), remedy="give one of them",
            )  # fmt: skip
        return float(validation)
    if len(validation) not in (2, 3):
        raise SpecificationError(
            where="validation", expected="(X, y) or (X, y, weights)", got=f"{len(validation)} arrays",
            remedy="give two or three",
        )  # fmt: skip
    X = check_inputs(validation[0], net, "validation X", sparse=True)
    y = check_targets(validation[1], net, len(X), "validation y")
    given = validation[2] if len(validation) == 3 else None
    w, mean = check_weights(given, len(X), _own_mean(weight_mean), "validation weights")
    return Source(X, y, None if w is None else w / mean)


def _own_mean(weight_mean: WeightMean) -> Literal["as given"] | None:
    return "as given" if weight_mean == "as given" else None


def _renumbered(source: Source, chosen: Array) -> tuple[Source, Array | None]:
    """Call each row by its position in `chosen` when masks are drawn, as if there were no others.

    A row that was chosen twice has two masks: then the rows are copied, since a source has one name for a row.
    """
    places = np.full(len(source), -1)
    places[chosen] = np.arange(len(chosen))
    if np.array_equal(places[chosen], np.arange(len(chosen))):
        return Source(source.X, source.y, source.weights, places), chosen
    weights = None if source.weights is None else source.weights[chosen]
    X: Any = source.X
    X = X.take(chosen) if isinstance(X, SparseRows) else X[chosen]
    return Source(X, source.y[chosen], weights), None
