"""Checks of the arrays that a user gives: one error that names the row and the column, instead of a wrong answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, check_number
from ..ops.sparse import SparseRows

if TYPE_CHECKING:
    from .parameters import Parameters
    from .specification import Network

Array = npt.NDArray[Any]
#: Elements looked at in one go, so that checking a memory map needs little memory.
CHUNK = 1 << 20


def check_inputs(X: Any, net: Network, where: str = "X", sparse: bool = False) -> Array:
    """Return X as a 2-D numeric array without copying one that is; refuse NaN and infinity.

    Sparse matrices become `SparseRows` where `sparse` allows them: those too have a length, a shape, a dtype and rows.

    Raises
    ------
    InputError
        If X is not (n, inputs), is empty, is not numeric, or has a value that is not finite (row and column named).
    """
    array: Any = (
        SparseRows(X) if sparse and hasattr(X, "tocsr") else X if isinstance(X, SparseRows) else _numeric(X, where)
    )
    if array.ndim != 2 or array.shape[1] != net.inputs:
        shape = "x".join(str(size) for size in array.shape) or "a single number"
        remedy = "write X[None, :] for one row" if array.shape == (net.inputs,) else "give one column a feature"
        raise InputError(where=where, expected=f"n rows of {net.inputs} columns", got=shape, remedy=remedy)
    if len(array) == 0:
        raise InputError(where=where, expected="at least one row", got="none", remedy="give some rows")
    if isinstance(array, SparseRows):
        _check_finite_entries(array, where)
    else:
        check_finite(array, where)
    return array  # type: ignore[no-any-return]


def check_training_inputs(X: Any, net: Network) -> Array:
    """Return what `check_inputs` does, sparse matrices too, unless the network corrupts its inputs.

    Raises
    ------
    InputError
        Also if X is sparse and would not be once it is corrupted.
    """
    if net.corrupts and (hasattr(X, "tocsr") or isinstance(X, SparseRows)):
        raise InputError(
            where="X", expected="dense rows, since input_dropout and input_noise change them", got="a sparse matrix",
            remedy="give X.toarray(), or take a network without the two",
        )  # fmt: skip
    return check_inputs(X, net, sparse=True)


def _check_finite_entries(rows: SparseRows, where: str) -> None:
    for start in range(0, len(rows.values), CHUNK):
        finite = np.isfinite(rows.values[start : start + CHUNK])
        if not finite.all():
            entry = start + int(np.argmin(finite))
            row, column = rows.place(entry)
            raise InputError(
                where=where, expected="finite numbers", got=f"{rows.values[entry]} in row {row}, column {column}",
                remedy="remove the row or fill in the value",
            )  # fmt: skip


def check_targets(y: Any, net: Network, n: int, where: str = "y") -> Array:
    """Return y as (n,) int64 codes, or as (n, targets) numbers, after what the output expects.

    Raises
    ------
    InputError
        If y has another length or shape, or values that the output cannot have (row named).
    """
    array = _numeric(y, where)
    if array.shape == (n, 1) or (array.shape == (n,) and net.output.target != "classes" and net.targets == 1):
        array = array.reshape(n) if net.output.target == "classes" else array.reshape(n, 1)
    wanted = (n,) if net.output.target == "classes" else (n, net.targets)
    if array.shape != wanted:
        raise InputError(
            where=where, expected=f"shape {wanted} for {net.output.name}", got=str(array.shape),
            remedy=_target_remedy(net, array.shape == (n, net.outputs)),
        )  # fmt: skip
    check_finite(array, where)
    if net.output.target == "classes":
        return _class_codes(array, net.outputs, where)
    if net.output.target == "several classes":
        for column, C in enumerate(net.output.groups):
            _class_codes(array[:, column], C, f"{where}, column {column}")
        return array
    low, high = net.output.target_range
    outside = np.argwhere((array < low) | (array > high))
    if len(outside):
        row, column = outside[0]
        raise InputError(
            where=where, expected=_range(low, high) + f" for {net.output.name}",
            got=f"{array[row, column]} in row {row}" + f", column {column}" * (net.targets > 1),
            remedy="write 0 for no and 1 for yes" if net.output.target == "labels" else "take another output",
        )  # fmt: skip
    return array


def _range(low: float, high: float) -> str:
    """Name a range of numbers.

    >>> _range(0.0, 1.0), _range(0.0, float("inf"))
    ('values from 0 to 1', 'values of at least 0')
    """
    if np.isfinite(low) and np.isfinite(high):
        return f"values from {low:g} to {high:g}"
    return f"values of at least {low:g}" if np.isfinite(low) else f"values of at most {high:g}"


def _target_remedy(net: Network, looks_one_hot: bool) -> str:
    if net.output.target == "several classes":
        return "give a code for each group of columns in each row"
    if net.output.target != "classes":
        return "give one target a row" if net.targets == 1 else f"give {net.targets} targets a row"
    return "give the code of its class for each row" + (": y.argmax(axis=1)" if looks_one_hot else "")


def check_weights(
    weights: Any, n: int, weight_mean: float | Literal["as given"] | None, where: str = "weights"
) -> tuple[Array | None, float]:
    """Return the weights (n,) in float64 and w_mean.

    Raises
    ------
    InputError
        If a weight is NaN, infinite or (unless "as given") negative, or all are zero.
    """
    if isinstance(weight_mean, str) and weight_mean != "as given":
        raise SpecificationError(
            where="weight_mean",
            expected='a number, None or "as given"',
            got=repr(weight_mean),
            remedy="choose one of them",
        )
    if weight_mean is not None and not isinstance(weight_mean, str):
        check_number("weight_mean", weight_mean, above=0)
    as_given = weight_mean == "as given"
    if weights is None:
        return None, 1.0
    array = _numeric(weights, where).astype(np.float64)
    if array.shape != (n,):
        raise InputError(where=where, expected=f"shape ({n},)", got=str(array.shape), remedy="give one weight a row")
    check_finite(array, where)
    if not as_given and (array < 0).any():
        row = int(np.argmax(array < 0))
        raise InputError(
            where=where, expected="weights of at least 0", got=f"{array[row]} in row {row}",
            remedy='give weight_mean="as given" if negative weights are meant',
        )  # fmt: skip
    mean = 1.0 if as_given else float(array.mean()) if weight_mean is None else float(weight_mean)
    if not mean > 0:
        raise InputError(where=where, expected="a positive mean weight", got=str(mean), remedy="give some rows weight")
    return array, mean


def check_parameters(theta: Parameters, net: Network, where: str = "theta") -> None:
    """Raise an InputError unless the parameters have the layout of the network."""
    given: Any = getattr(theta, "network", None)
    layout = getattr(given, "segments", None), getattr(given, "statistic_segments", None)
    if given is not net and layout != (net.segments, net.statistic_segments):
        raise InputError(
            where=where, expected="parameters of " + "-".join(map(str, net.sizes)), got=repr(theta),
            remedy="initialize this network",
        )  # fmt: skip


def check_finite(array: Array, where: str) -> None:
    """Raise an InputError that names the row and the column of the first NaN or infinity."""
    if array.dtype.kind != "f":
        return
    width = max(array.size // max(len(array), 1), 1)
    step = max(CHUNK // width, 1)
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            row, *column = (int(i) for i in np.argwhere(~finite)[0])
            place = f"row {start + row}" + (f", column {column[0]}" if column else "")
            raise InputError(
                where=where, expected="finite numbers", got=f"{array[(start + row, *column)]} in {place}",
                remedy="remove the row or fill in the value",
            )  # fmt: skip


def _numeric(values: Any, where: str) -> Array:
    if hasattr(values, "tocsr"):
        raise InputError(where=where, expected="a dense array", got="a sparse one", remedy=f"give {where}.toarray()")
    subclass = isinstance(values, np.ndarray) and type(values) is not np.ndarray  # np.ma takes long to load: only then
    if subclass and isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(
            where=where, expected="no masked values", got=f"{int(np.ma.getmaskarray(values).sum())} of them",
            remedy="fill them in",
        )  # fmt: skip
    try:
        array: Array = np.asarray(values)
    except ValueError as problem:  # rows of different lengths
        raise InputError(
            where=where, expected="rows of one length", got=str(problem), remedy="give a rectangular array"
        ) from problem
    if array.dtype.kind not in "fiub":
        example = array.ravel()[0] if array.size else array.dtype
        raise InputError(
            where=where, expected="numbers", got=f"{array.dtype} such as {example!r}",
            remedy="encode words as numbers first; `layerwise train` does that by itself",
        )  # fmt: skip
    return array


def _class_codes(array: Array, outputs: int, where: str) -> Array:
    wrong = (array != np.floor(array)) | (array < 0) | (array >= outputs) if array.dtype != bool else array >= outputs
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            where=where, expected=f"class codes 0 to {outputs - 1}", got=f"{array[row]} in row {row}",
            remedy="number the classes from 0, or give the network more outputs",
        )  # fmt: skip
    return array.astype(np.int64)
