"""Splitting rows into training, validation and test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, SpecificationError
from .columns import as_series, first, shorten

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Values = pl.Series | NDArray[Any]

#: With fewer training rows nothing can be standardised and batch norm cannot run.
LEAST_TRAINING_ROWS = 2


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers (0-based, int64, ascending) of each side; together they are all rows, each once.

    Parameters
    ----------
    train, validation, test : ndarray
        Validation and test are empty where their fraction is 0.
    notes : tuple of str
        What the user should know, a line each.
    """

    train: Rows
    validation: Rows
    test: Rows
    notes: tuple[str, ...] = ()


def split_rows(
    n: int,
    *,
    seed: int,
    test: float = 0.2,
    validation: float = 0.1,
    strata: NDArray[np.int64] | None = None,
    groups: Values | None = None,
    times: Values | None = None,
) -> Split:
    """Split rows into test, validation (of the rest) and training (what remains).

    Counts are rounded up, as scikit-learn's `train_test_split` does, and so are the rows the same.

    Parameters
    ----------
    n : int
        The number of rows.
    seed : int
        From 0 to 2**32 - 1; the same seed gives the same split.
    test, validation : float
        Fractions from 0 to below 1: of all rows (groups), and of the rows (groups) that the test leaves.
    strata : ndarray, optional
        (n,) class numbers; each class then has the same share on every side. Classes with one row stay in training.
    groups : Series or ndarray, optional
        (n,) values without missing ones; the rows of a group stay on one side. Fractions are of groups then, and strata
        do not count.
    times : Series or ndarray, optional
        (n,) numbers or dates without missing ones. The latest rows are the test, the latest of the rest the
        validation. Rows of the same time stay together, at the cut that is nearest to the fraction.

    Returns
    -------
    Split
        The row numbers of each side and notes.

    Raises
    ------
    SpecificationError
        If a fraction, n or the seed cannot be, or both groups and times are given.
    DataError
        If there are too few rows, groups or different times, or a group or time is missing.

    Examples
    --------
    >>> parts = split_rows(10, seed=0)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (7, 1, 2)
    """
    _check_options(n, seed, test, validation)
    if groups is not None and times is not None:
        raise SpecificationError(
            where="split", expected="groups or times", got="both", remedy="choose the one that new data will differ in"
        )
    rows = np.arange(n, dtype=np.int64)
    notes: list[str] = []
    if groups is not None:
        codes = _ranks(groups, n, "groups")
        _check_enough(int(codes.max()) + 1, test, validation, least=1, what="groups")
    elif times is not None:
        order = _times(times, n)
    elif strata is not None and len(strata) != n:
        raise SpecificationError(
            where="strata", expected=f"{n} class numbers", got=str(len(strata)), remedy="give one for each row"
        )
    if strata is not None and (groups is not None or times is not None):
        notes.append(f"split by {'groups' if groups is not None else 'time'}: classes are not balanced between sides")
    _check_enough(n, test, validation, least=LEAST_TRAINING_ROWS, what="rows")

    sides = {}
    rest = rows
    for name, fraction in (("test", test), ("validation", validation)):
        if fraction == 0:
            sides[name] = rows[:0]
        elif groups is not None:
            rest, sides[name] = _by_group(rest, codes, fraction, seed)
        elif times is not None:
            rest, sides[name] = _by_time(rest, order, fraction, name)
        else:
            rest, sides[name] = _at_random(rest, strata, fraction, seed, name, notes)
        wanted = math.ceil(fraction * (len(rest) + len(sides[name])))
        if (groups is not None or times is not None) and len(sides[name]) != wanted:
            why = "groups" if groups is not None else "rows of the same time"
            notes.append(f"{name}: {len(sides[name])} rows, not {wanted}, as {why} stay together")
    if len(rest) < LEAST_TRAINING_ROWS:
        raise DataError(
            where="split",
            expected=f"at least {LEAST_TRAINING_ROWS} rows left for training",
            got=f"{len(rest)} of {n}, as rows of the same group or time stay together",
            remedy="add rows, or lower the fractions (0 takes none)",
        )
    return Split(rest, sides["validation"], sides["test"], tuple(notes))


def _check_options(n: int, seed: int, test: float, validation: float) -> None:
    for name, fraction in (("test", test), ("validation", validation)):
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction < 1:
            raise SpecificationError(
                where=name,
                expected="a fraction from 0 to below 1",
                got=shorten(fraction),
                remedy="give a share of the rows, such as 0.2, or 0 for none",
            )
    for name, value, least, limit in (("n", n, 1, 2**63), ("seed", seed, 0, 2**32)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value < limit:
            raise SpecificationError(
                where=name,
                expected=f"a whole number from {least} to {limit - 1}",
                got=shorten(value),
                remedy="choose another one",
            )


def _check_enough(count: int, test: float, validation: float, *, least: int, what: str) -> None:
    n_test = math.ceil(count * test)
    n_validation = math.ceil((count - n_test) * validation)
    if count - n_test - n_validation < least:
        raise DataError(
            where="split",
            expected=f"at least {least} {what} left for training",
            got=f"{count - n_test - n_validation} of {count} after {n_test} for test and {n_validation} for validation",
            remedy="add rows, or lower the fractions (0 takes none)",
        )


def _at_random(
    rows: Rows, strata: NDArray[np.int64] | None, fraction: float, seed: int, name: str, notes: list[str]
) -> tuple[Rows, Rows]:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    count = math.ceil(len(rows) * fraction)
    if strata is not None:
        _, codes, sizes = np.unique(np.asarray(strata)[rows], return_inverse=True, return_counts=True)
        alone = sizes[codes] == 1
        kinds = int((sizes > 1).sum())
        if kinds <= count and kinds <= len(rows) - alone.sum() - count and kinds > 0:
            splitter = StratifiedShuffleSplit(n_splits=1, test_size=count, random_state=seed)
            left, taken = next(splitter.split(rows[~alone], codes[~alone]))
            if alone.any():
                notes.append(f"{name}: classes with one row stay in training ({alone.sum()} of {len(sizes)})")
            pool = rows[~alone]
            return np.sort(np.concatenate([pool[left], rows[alone]])), np.sort(pool[taken])
        notes.append(f"{name}: at random, as {count} rows cannot hold all {len(sizes)} classes in their shares")
    left, taken = next(ShuffleSplit(n_splits=1, test_size=count, random_state=seed).split(rows))
    return np.sort(rows[left]), np.sort(rows[taken])


def _by_group(rows: Rows, codes: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=seed)
    left, taken = next(splitter.split(rows, groups=codes[rows]))
    return np.sort(rows[left]), np.sort(rows[taken])


def _by_time(rows: Rows, times: Rows, fraction: float, name: str) -> tuple[Rows, Rows]:
    _, starts = np.unique(np.sort(times[rows]), return_index=True)
    if len(starts) < 2:
        raise DataError(
            where="split",
            expected=f"at least two different times to part {name} from training",
            got="one",
            remedy="choose another column, or split at random",
        )
    wanted = len(rows) - math.ceil(len(rows) * fraction)
    cuts = starts[1:]  # rows before the cut stay
    # Of two cuts equally near, the later one leaves more for training.
    cut = int(cuts[::-1][np.argmin(np.abs(cuts[::-1] - wanted))])
    late = times[rows] >= np.sort(times[rows])[cut]
    return rows[~late], rows[late]


def _times(times: Values, n: int) -> Rows:
    column = as_series(times, "times")
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        raise DataError(
            where="times",
            expected="numbers or dates",
            got=", ".join(shorten(value) for value in column.head(2)),
            remedy="write the times as ISO dates (2024-01-31) or as numbers",
        )
    return _ranks(column, n, "times")


def _ranks(values: Values, n: int, what: str) -> Rows:
    """Number the different values from 0 in ascending order."""
    column = as_series(values, what)
    if len(column) != n:
        raise SpecificationError(
            where=what, expected=f"{n} values", got=str(len(column)), remedy="give one for each row"
        )
    if column.dtype.is_float():
        column = column.fill_nan(None)
    row = first(column.is_null())
    if row is not None:
        raise DataError(
            where=what,
            expected="a value in every row",
            got=f"a missing one in data row {row + 1} ({column.null_count()} in all)",
            remedy="fill or remove these rows, or choose another column",
        )
    return np.array(column.rank("dense"), np.int64) - 1
