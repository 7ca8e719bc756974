"""What each of many networks has of its own: seed, rate, penalty and rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, check_number
from ..rules.penalties import Penalty, as_penalty
from ..rules.updates import Update
from .examples import Examples

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Member:
    """One of many networks.

    Attributes
    ----------
    seed : int
    update : Update
    penalty : Penalty
    rows, validation_rows : array of int64, or None
        Rows of the examples that it has, and that it validates on; None for all, and for none of its own.
    """

    seed: int
    update: Update
    penalty: Penalty
    rows: Array | None = None
    validation_rows: Array | None = None


def members_of(
    examples: Examples, common: Member, *, seeds: Any, rates: Any, penalties: Any, rows: Any, validation_rows: Any
) -> list[Member]:
    """Return what each network has: an entry of what is given one a network, and else what is common to all.

    Raises
    ------
    InputError, SpecificationError
        If lengths do not agree, nothing has a length, or an entry cannot be used.
    """
    check_number("seed", common.seed, at_least=0, below=2**64, whole=True)
    if isinstance(seeds, int | np.integer):
        check_number("seeds", seeds, at_least=1, whole=True)
        seeds = range(common.seed, common.seed + int(seeds))
    one_a_network = {
        "seeds": _entries("seeds", seeds),
        "rates": _entries("rates", None if np.isscalar(rates) else rates),
        "penalties": _entries("penalties", None if isinstance(penalties, Penalty) else penalties),
        "rows": _entries("rows", None if _is_one_array(rows) else rows),
        "validation_rows": _entries("validation_rows", None if _is_one_array(validation_rows) else validation_rows),
    }
    for_all = {
        "seeds": common.seed, "rates": rates, "penalties": common.penalty if penalties is None else penalties,
        "rows": rows, "validation_rows": validation_rows,
    }  # fmt: skip
    lengths = {name: len(entries) for name, entries in one_a_network.items() if entries is not None}
    if not lengths or len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise SpecificationError(
            where="fit_many", expected="seeds, rates, penalties or rows with one entry for each network",
            got=" and ".join(f"{count} {name}" for name, count in lengths.items()) or "none of them",
            remedy="give as many of each" if lengths else "give seeds=8, say, for eight networks",
        )  # fmt: skip
    count = next(iter(lengths.values()))
    columns = [[for_all[name]] * count if entries is None else entries for name, entries in one_a_network.items()]
    return [_member(k, examples, common.update, *entries) for k, entries in enumerate(zip(*columns, strict=True))]


def _entries(name: str, values: Any) -> list[Any] | None:
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SpecificationError(
            where=name, expected="a sequence with one entry for each network", got=repr(values), remedy="give a list"
        )
    return list(values)


def _is_one_array(rows: Any) -> bool:
    """Whether these are the rows of one network, not of several."""
    if isinstance(rows, np.ndarray):
        return rows.ndim == 1 and rows.dtype != object
    return isinstance(rows, list | tuple | range) and len(rows) > 0 and np.isscalar(rows[0])


def _member(
    k: int, examples: Examples, update: Update, seed: Any, rate: Any, penalty: Any, rows: Any, validation_rows: Any
) -> Member:
    check_number(f"seeds[{k}]", seed, at_least=0, below=2**64, whole=True)
    rows = _rows(f"rows[{k}]", rows, len(examples.X))
    examples.mean_weight(rows)
    return Member(
        int(seed), update if rate is None else _with_rate(update, rate), as_penalty(penalty), rows,
        _rows(f"validation_rows[{k}]", validation_rows, len(examples.X)),
    )  # fmt: skip


def _rows(where: str, rows: Any, n: int) -> Array | None:
    """Return row numbers, also of a mask; raise an InputError unless they are some of 0 to n - 1."""
    if rows is None:
        return None
    array = np.asarray(rows)
    if array.dtype == bool and array.shape == (n,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array) or not 0 <= array.min() <= array.max() < n:
        inside = array.ndim == 1 and array.dtype.kind in "iu" and len(array) > 0
        raise InputError(
            where=where, expected=f"row numbers from 0 to {n - 1}",
            got=f"{array.min()} to {array.max()}" if inside else f"{array.shape} of {array.dtype}",
            remedy="give the numbers of some rows of X, or a mask",
        )  # fmt: skip
    return array.astype(np.int64)


def _with_rate(update: Any, rate: Any) -> Any:
    """Return the same update with another rate."""
    names = {field.name for field in fields(update) if field.init} if is_dataclass(update) else set()
    if "rate" not in names:
        raise SpecificationError(
            where="rates", expected="an update whose rate can be replaced", got=repr(update),
            remedy="make it a dataclass with the field rate",
        )  # fmt: skip
    check_number("rates", rate, above=0)
    return replace(update, rate=rate)
