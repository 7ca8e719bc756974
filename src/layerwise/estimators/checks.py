"""scikit-learn's checks of what is given, with the place of the first number that is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, _get_feature_names, validate_data

Array = npt.NDArray[Any]
#: How scikit-learn speaks of NaN and infinity; labels of Python's objects are not called by their name.
NOT_FINITE: Final = re.compile(r"Input (?:(X|y|sample_weight) )?contains (NaN|infinity)[^\n]*")


def checked(est: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Return what scikit-learn's `validate_data` does; its error says in which row and column too.

    >>> from sklearn.base import BaseEstimator
    >>> checked(BaseEstimator(), [[0.0, 1.0], [2.0, np.inf]])
    Traceback (most recent call last):
    ValueError: Input X contains infinity or a value too large for dtype('float64').
    The first is in row 1, column 1, counted from 0.
    """
    with _places({"X": X, "y": y}):
        result = validate_data(est, X, y, **options)
        words = result[1] if isinstance(result, tuple) else None
        if words is not None and words.dtype == object and any(map(_is_missing, words.flat)):
            raise ValueError("Input y contains NaN.")  # which is how scikit-learn calls a None among numbers
    return result


def checked_weights(weights: Any, X: Any) -> Array:
    """Return the weights of rows that are checked already."""
    with _places({"sample_weight": weights}):
        array: Array = _check_sample_weight(weights, X)
    return array


def checked_numbers(y: Any) -> Array:
    """Return y as an array of numbers, which `validate_data` leaves open where they are objects, words or sparse."""
    y = y.toarray() if sparse.issparse(y) else y
    with _places({"y": y}):
        array: Array = check_array(y, ensure_2d=False, input_name="y")
    return array


def kind_of(y: Any) -> str:
    """Return what scikit-learn calls the kind of these targets: "binary", "multiclass", "multilabel-indicator", ..."""
    with _places({"y": y}):
        return str(type_of_target(y))


def all_finite(outputs: Array) -> Array:
    """Return what a network has made of rows, if all of it is finite."""
    if not np.isfinite(outputs).all():
        row = int(np.argmin(np.isfinite(outputs).all(axis=1)))
        raise ValueError(
            f"The outputs for row {row} are not finite, counted from 0: X contains a value too large for the "
            "parameters and their type, or the parameters are not finite."
        )
    return outputs


@contextmanager
def _places(given: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except ValueError as problem:
        found = NOT_FINITE.match(str(problem))
        if found:
            message, place = str(problem), _place(given[found[1] or "y"], np.isnan if found[2] == "NaN" else np.isinf)
            problem.args = (message[: found.end()] + place + message[found.end() :],)
        raise
    except TypeError as problem:  # None and NA among words can be neither compared nor sorted
        place = _place(given["y"], np.isnan) if "y" in given else ""
        if not place:
            raise
        raise ValueError(f"Input y contains NaN.{place}") from problem


def _place(given: Any, is_bad: Callable[[Array], Array]) -> str:
    """Return a line that says where the first NaN, or the first infinity, is; nothing if there is none."""
    places = _of_entries(given.tocoo(), is_bad) if sparse.issparse(given) else np.argwhere(_bad_numbers(given, is_bad))
    if not len(places):
        return ""
    row, *column = places[0].tolist()
    names = _get_feature_names(given)
    where = "" if not column else f", column {column[0] if names is None else repr(names[column[0]])}"
    return f"\nThe first is in row {row}{where}, counted from 0."


def _of_entries(entries: Any, is_bad: Callable[[Array], Array]) -> Array:
    """Return the places of such entries of a sparse matrix, by row and column."""
    places = np.stack([coordinates[is_bad(entries.data)] for coordinates in entries.coords], axis=1)
    return places[np.lexsort(places.T[::-1])]


def _bad_numbers(given: Any, is_bad: Callable[[Array], Array]) -> Array:
    try:
        numbers = check_array(given, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, ensure_min_samples=0)
    except (ValueError, TypeError):  # words, among which something is missing
        words = np.asarray(given, dtype=object)
        return np.reshape([_is_missing(word) for word in words.flat], words.shape)
    bad: Array = is_bad(numbers)
    return bad


def _is_missing(word: Any) -> bool:
    return word is None or type(word).__name__ == "NAType" or (isinstance(word, float) and math.isnan(word))
