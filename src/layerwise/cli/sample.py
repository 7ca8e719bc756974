"""A sample of rows of data of any size, read piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .models import Rows, UsedModel

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows of the data, in their order.

    Parameters
    ----------
    X : array (n, inputs)
        As the network reads them.
    y : array (n,)
        Class codes, or standardised numbers.
    rows : array (n,) of int
        Which rows of the data they are, counted from 0.
    frame : polars.DataFrame or None
        The columns as they came, numbers as Float64 (NaN where missing); None for images.
    total : int
        Rows of the data.
    """

    X: Array
    y: Array
    rows: Array
    frame: pl.DataFrame | None
    total: int


def read_sample(used: UsedModel, data: str, most: int, seed: int) -> Sample:
    """Read all rows and keep at most so many of them, each with the same chance; memory does not grow with the data.

    Every row gets a random number by seed, and those with the smallest stay.

    Raises
    ------
    DataError
        If the data cannot be read, have no rows, or lack the target.
    """
    import polars as pl

    rng = np.random.default_rng(seed)
    kept: tuple[Array, Array, Array, Array] | None = None
    frame: pl.DataFrame | None = None
    total = 0
    for rows in used.rows(data):
        used.check_target(rows, data)
        X, y = used.prepare(rows), used.codes(rows)
        fresh = (X, y, np.arange(total, total + len(y)), rng.random(len(y)))
        total += len(y)
        features = _plain(used, rows)
        if kept is not None:
            X, y, numbers, keys = (np.concatenate(pair) for pair in zip(kept, fresh, strict=True))
            features = None if features is None or frame is None else pl.concat([frame, features])
        else:
            X, y, numbers, keys = fresh
        if len(y) > most:
            chosen = np.sort(np.argpartition(keys, most)[:most])
            X, y, numbers, keys = X[chosen], y[chosen], numbers[chosen], keys[chosen]
            features = None if features is None else features[chosen]
        kept, frame = (X, y, numbers, keys), features
    if kept is None or not total:
        raise DataError(where=data, expected="rows", got="none", remedy="give data with at least one row")
    return Sample(kept[0], kept[1], kept[2], frame, total)


def _plain(used: UsedModel, rows: Rows) -> pl.DataFrame | None:
    """Return the columns that the model reads, of the same types in every piece."""
    import polars as pl

    preparation = used.saved.preparation
    assert preparation is not None
    if preparation.kind == "images":
        return None
    numbers = [pl.col(c.name).cast(pl.Float64).fill_null(float("nan")) for c in preparation.numbers]
    features: pl.DataFrame = rows.features
    return features.select(*numbers, *(pl.col(c.name).cast(pl.String) for c in preparation.words))
