"""What every engine asks of its arguments before it touches anything: one error that names what does not fit."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError
from ..program import Buffer, Program
from .interface import WHOLE, Array, Source

#: Roles that a run fills from its source, order and table.
FROM_SOURCE = ("features", "targets", "codes", "weights", "rows", "key", "scalar")
#: A sum of squares that float32 holds as well as any that is less: see `copied`.
SMALL_SQUARES = 1e37
FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def check_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype; raise a SpecificationError for others."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise SpecificationError(
            where="dtype", expected="float32 or float64", got=str(np.dtype(dtype)), remedy="choose one of them"
        )
    return np.dtype(dtype)


def copied(array: Array, place: Array) -> bool:
    """Copy numbers into a place of their shape if they are plainly finite, there too; say whether it was done.

    The test is quick: a sum of squares that is small proves that every entry is finite, and that float32 holds it.
    """
    if array.dtype not in FLOATS:
        return whole_numbers(array, place)
    if not np.vdot(array, array) < SMALL_SQUARES:  # NaN neither
        return False
    place[...] = array
    return True


def whole_numbers(array: Array, place: Array) -> bool:
    """Copy whole numbers or bools into a place of their shape; say whether they are such."""
    if array.dtype.kind not in "iub":
        return False
    place[...] = array
    return True


def check_vectors(program: Program, dtype: np.dtype[Any], vectors: Mapping[str, Array]) -> None:
    """Raise an InputError unless every flat vector is there, long enough, of the dtype and in one piece."""
    for name, size in program.vectors.items():
        vector = vectors.get(name)
        if (
            vector is None or vector.ndim != 1 or len(vector) < size or vector.dtype != dtype
            or not (vector.flags.c_contiguous and vector.flags.aligned)
        ):  # fmt: skip
            got = "none" if vector is None else _described(vector)
            raise _wrong(program, name, f"a contiguous vector of {size} {dtype}", got)
        if not vector.flags.writeable and name in program.vectors_written:
            raise _wrong(program, name, "a vector that may be written", "a read-only one")


def check_given(program: Program, dtype: np.dtype[Any], given: Mapping[str, Any]) -> None:
    """Raise an InputError unless every buffer that is no slice is given, of the right type and shape."""
    rows: int | None = None
    for buffer in program.buffers:
        if buffer.vector:
            continue
        if buffer.name not in given:
            raise _wrong(program, buffer.name, "a value", "none")
        value = given[buffer.name]
        if buffer.role == "scalar":
            if not isinstance(value, numbers.Real):
                raise _wrong(program, buffer.name, "a number", repr(value))
        elif buffer.role == "key":
            check_key(value, 1)
        else:
            rows = _check_array(program, buffer, dtype, value, rows)


def check_key(key: Any, steps: int) -> None:
    """Raise an InputError unless the key is (seed, step), and the steps from there on can be counted."""
    whole = isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, numbers.Integral) for part in key)
    if not whole or not 0 <= key[0] < 2**64 or not 0 <= key[1] <= 2**32 - steps:
        raise InputError(
            where="key", expected="(seed, step) below 2^64 and 2^32", got=repr(key), remedy="give two whole numbers"
        )


def check_run(
    program: Program, source: Source, order: Array, bounds: Sequence[tuple[int, int]] | Array, table: Array,
    key: tuple[int, int],
) -> Array:  # fmt: skip
    """Return the bounds as an array (batches, 2) of int64.

    Raises
    ------
    InputError, SpecificationError
        If the program cannot run over batches, or a source, order, bound or table does not fit it.
    """
    for name, value in program.outputs:
        if program.shapes[value] != (1,):
            raise SpecificationError(
                where=f"{program.name}: {name}", expected="a mean over rows, of shape (1,)",
                got=str(program.shapes[value]), remedy="call the program once instead of running it over batches",
            )  # fmt: skip
    _check_source(program, source)
    if source.weights is not None and not any(buffer.role == "weights" for buffer in program.buffers):
        raise _wrong(program, "weights", "none", "some", "record the program with weights")
    if order.dtype != np.int64 or order.ndim != 1 or not _within(order, len(source) - 1):
        raise _wrong(program, "order", f"int64 positions of {len(source)} rows", _described(order))
    batches = np.ascontiguousarray(bounds, np.int64).reshape(-1, 2)
    start, end = batches[:, 0], batches[:, 1]
    if not _within(batches, len(order)) or np.count_nonzero(start >= end):
        raise _wrong(program, "bounds", f"batches within 0 to {len(order)}, none of them empty", "others")
    shape = len(batches), len(program.scalars)
    if table.dtype != np.float64 or table.shape not in (shape, (1, shape[1])):
        raise _wrong(program, "table", f"{shape} float64", _described(table))
    check_key(key, len(batches))
    return batches


def _check_array(program: Program, buffer: Buffer, dtype: np.dtype[Any], value: Any, rows: int | None) -> int | None:
    """Check an array of its own; return the number of rows n that it shows, or the one known before."""
    expected = np.dtype(np.int64) if buffer.role in WHOLE else dtype
    if not isinstance(value, np.ndarray) or value.dtype != expected or value.ndim != len(buffer.shape):
        got = _described(value) if isinstance(value, np.ndarray) else repr(type(value))
        raise _wrong(program, buffer.name, f"{_shape(buffer)} {expected}", got)
    for size, found in zip(buffer.shape, value.shape, strict=True):
        times = int(size[:-1] or 1) if isinstance(size, str) else 0
        if times and rows is None and found % times == 0:
            rows = found // times
        if found != (times * rows if times and rows is not None else size) or found == 0:
            known = "" if rows is None else f", n = {rows}"
            raise _wrong(program, buffer.name, f"{_shape(buffer)} {expected}{known}", _described(value))
    if not (value.flags.c_contiguous and value.flags.aligned):
        raise _wrong(
            program,
            buffer.name,
            "an aligned array in C order",
            "another order",
            "give np.require(it, requirements='CA')",
        )
    if buffer.name in program.written and not value.flags.writeable:
        raise _wrong(program, buffer.name, "an array that may be written", "a read-only one")
    return rows


def _check_source(program: Program, source: Source) -> None:
    n = len(source)
    arrays = {
        "features": source.X, "targets": source.y, "codes": source.y, "weights": source.weights, "rows": source.places,
    }  # fmt: skip
    for buffer in program.buffers:
        if buffer.vector:
            continue
        if buffer.role not in FROM_SOURCE:
            raise SpecificationError(
                where=f"{program.name}: {buffer.name}", expected="features, targets or other parts of a source",
                got=buffer.role, remedy="call the program once instead of running it over batches",
            )  # fmt: skip
        if buffer.role == "weights" and source.weights is None:
            raise _wrong(program, buffer.name, f"({n},) weights", "none", "give the source weights")
        array = arrays.get(buffer.role)
        if array is None:
            continue
        shape = (n, *buffer.shape[1:]) if buffer.role in ("features", "targets") else (n,)
        kinds = "iu" if buffer.role in WHOLE else "fiub"
        if array.shape != shape or array.dtype.kind not in kinds:
            expected = "x".join(str(size) for size in shape)
            raise _wrong(program, buffer.name, f"{expected} {'whole ' * (kinds == 'iu')}numbers", _described(array))


def _within(whole: Array, most: int) -> bool:
    """Whether all of these whole numbers are from 0 to `most`."""
    if not whole.size:
        return True
    return bool(np.minimum.reduce(whole, axis=None) >= 0 and np.maximum.reduce(whole, axis=None) <= most)


def _shape(buffer: Buffer) -> str:
    return "(" + ", ".join(str(size) for size in buffer.shape) + ")"


def _described(array: Array) -> str:
    return f"{array.shape} {array.dtype}" + " not in one piece" * (not array.flags.c_contiguous)


def _wrong(program: Program, name: str, expected: str, got: str, remedy: str = "give one that fits") -> InputError:
    return InputError(where=f"{program.name}: {name}", expected=expected, got=got, remedy=remedy)
