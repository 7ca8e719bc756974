"""Learning the columns of a `Preparation` with scikit-learn's transformers, whose fitted numbers are read out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from .columns import is_words
from .encoding import NumberColumn, WordColumn
from .tables import as_frame, plain_table

if TYPE_CHECKING:
    import polars as pl


#: A column of words is left out if it has more different words than this and they differ in over half of the rows.
MOST_WORDS = 1000


def fit_columns(
    features: pl.DataFrame,
) -> tuple[tuple[NumberColumn, ...], tuple[WordColumn, ...], tuple[str, ...], tuple[str, ...]]:
    """Learn the steps for a table.

    Parameters
    ----------
    features : polars.DataFrame
        The training rows, (n, d).

    Returns
    -------
    tuple
        The columns of numbers and of words, the names of those left out, and notes; see `preparation.Preparation`.

    Raises
    ------
    DataError
        If there are no rows or no usable columns, or numbers are infinite or too large to standardise.
    InputError
        If it is no polars.DataFrame.
    """
    if as_frame(features).height == 0:
        raise DataError(where="features", expected="at least one training row", got="none", remedy="add rows")
    table, notes = plain_table(features, "features")
    left_out: dict[str, str] = {}
    wide: list[str] = []
    for column in table:
        if column.null_count() == len(column):
            left_out[column.name] = "no value in any training row"
        elif is_words(column):
            different = column.drop_nulls().n_unique()
            if different > MOST_WORDS:
                if 2 * different > len(column):
                    left_out[column.name] = f"{different} different words in {len(column)} rows"
                else:
                    wide.append(f"{column.name}: {different} different words, an input for each")
    used = table.drop(list(left_out))
    if used.width == 0:
        raise DataError(
            where="features",
            expected="at least one usable column",
            got="; ".join(f"{name!r}: {why}" for name, why in list(left_out.items())[:3]) or "no columns",
            remedy="add columns with numbers or with words that repeat",
        )
    numbers = _fit_numbers(used.select(column for column in used if not is_words(column)))
    words = _fit_words(used.select(column for column in used if is_words(column)))
    notes += (*(f"{name}: left out, {why}" for name, why in left_out.items()), *wide)
    return numbers, words, tuple(left_out), notes


def _fit_numbers(table: pl.DataFrame) -> tuple[NumberColumn, ...]:
    import polars as pl
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    if table.width == 0:
        return ()
    raw = table.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        imputer = SimpleImputer(strategy="median").fit(raw)
        filled = imputer.transform(raw)
        scaler = StandardScaler().fit(filled)
    # scikit-learn writes scale 1 where it finds no variance beyond rounding; 0 says so without doubt.
    constant = (filled.min(axis=0) == filled.max(axis=0)) | (scaler.scale_ != np.sqrt(scaler.var_))
    made = []
    for k, name in enumerate(table.columns):
        mean, scale = float(scaler.mean_[k]), float(scaler.scale_[k])
        if not np.isfinite(mean) or not np.isfinite(scaler.var_[k]):
            raise DataError(
                where=f"column {name!r}",
                expected="numbers whose squares can be held",
                got=f"values from {np.nanmin(raw[:, k]):g} to {np.nanmax(raw[:, k]):g}",
                remedy="give them in a larger unit, or leave wrong cells empty (missing)",
            )
        made.append(NumberColumn(name, float(imputer.statistics_[k]), mean, 0.0 if constant[k] else scale))
    return tuple(made)


def _fit_words(table: pl.DataFrame) -> tuple[WordColumn, ...]:
    from sklearn.preprocessing import OneHotEncoder

    if table.width == 0:
        return ()
    encoder = OneHotEncoder(handle_unknown="ignore").fit(table.to_numpy())
    made = []
    for name, seen in zip(table.columns, encoder.categories_, strict=True):
        words = tuple(str(word) for word in seen if word is not None)
        made.append(WordColumn(name, words, missing=len(words) < len(seen)))
    return tuple(made)
