"""The target as the network sees it: class numbers or standardised numbers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DataError, InputError, SpecificationError
from .columns import as_series, first, first_word, is_words, plain, shorten

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from .dataset import Target

#: Whole numbers with at most so many different values are taken for classes unless the user says otherwise.
MOST_WHOLE_CLASSES = 20


@dataclass(frozen=True)
class TargetCoding:
    """How a target column becomes what the network is trained on.

    Parameters
    ----------
    kind : str
        "classes" or "numbers".
    name : str
        The column, for error messages.
    classes : tuple
        Classes: the distinct values, sorted; all str, all int or all bool. Class number k stands for classes[k].
    mean, scale : float
        Numbers: mean and standard deviation (divided by n) of the training rows, in the target's unit.

    Examples
    --------
    >>> coding = TargetCoding.fit(np.array(["no", "yes", "no", "yes"]))
    >>> coding.classes, coding.encode(np.array(["yes", "no"]))
    (('no', 'yes'), array([1, 0]))
    """

    kind: Literal["classes", "numbers"]
    name: str = "target"
    classes: tuple[str, ...] | tuple[int, ...] | tuple[bool, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(
        cls, target: Target, wanted: Literal["classes", "numbers"] | None = None, name: str = "target"
    ) -> TargetCoding:
        """Decide between classes and numbers and learn the coding from the training rows.

        Words, booleans and whole numbers with at most 20 different values are classes, other numbers are numbers.

        Parameters
        ----------
        target : polars.Series or ndarray
            n training values.
        wanted : str, optional
            "classes" or "numbers", to decide otherwise.
        name : str
            The column, for error messages.

        Returns
        -------
        TargetCoding
            The coding.

        Raises
        ------
        DataError
            If a value is missing or infinite, all are the same, words are wanted as numbers, fractions as classes, or
            the words differ in more than half of the rows (an identifier).
        SpecificationError
            If `wanted` is something else.
        """
        if wanted not in (None, "classes", "numbers"):
            raise SpecificationError(
                where="wanted", expected="'classes' or 'numbers'", got=shorten(wanted), remedy="choose one of them"
            )
        column = _checked(target, name)
        if len(column) == 0:
            raise DataError(where=f"target {name!r}", expected="at least one row", got="none", remedy="add rows")
        whole = _whole(column)
        if wanted == "numbers" or (wanted is None and not _looks_like_classes(column, whole)):
            mean, scale = _moments(column, name)
            return cls("numbers", name, mean=mean, scale=scale)
        if whole is None:
            row = first(~_are_whole(column)) or 0
            raise DataError(
                where=f"target {name!r}",
                expected="words or whole numbers, to be classes",
                got=f"{column[row]} in data row {row + 1}",
                remedy="treat it as numbers (regression), or write the classes as words",
            )
        classes = whole.unique().sort().to_list()
        if len(classes) == 1:
            raise DataError(
                where=f"target {name!r}",
                expected="at least two classes",
                got=f"a target with one class, {shorten(classes[0])}",
                remedy="add rows of another class or choose another target",
            )
        if is_words(whole) and 2 * len(classes) > len(whole):
            raise DataError(
                where=f"target {name!r}",
                expected="classes that repeat",
                got=f"{len(classes)} different words in {len(whole)} rows, which looks like an identifier",
                remedy="choose another target",
            )
        return cls("classes", name, tuple(classes))

    def encode(self, target: Target) -> NDArray[np.int64] | NDArray[np.float64]:
        """Turn target values into what the network is trained on.

        Parameters
        ----------
        target : polars.Series or ndarray
            n values.

        Returns
        -------
        ndarray
            (n,) class numbers (int64), or (target - mean)/scale (float64).

        Raises
        ------
        DataError
            If a value is missing or infinite, of another kind than in training, or a class not seen there.
        """
        import polars as pl

        column = _checked(target, self.name)
        if self.kind == "numbers":
            return (_floats(column, self.name) - self.mean) / self.scale
        # Class 1 is the same class whether a file writes 1 or 1.0, but "1" and true are not it.
        known = pl.Series(self.classes)
        values = _whole(column)
        if values is None:
            fraction = first(~_are_whole(column)) or 0
            raise self._unseen(column[fraction], fraction + 1)
        if (is_words(values), values.dtype == pl.Boolean) != (is_words(known), known.dtype == pl.Boolean):
            if len(values) == 0:
                return np.zeros(0, np.int64)
            raise self._unseen(values[0], 1)
        codes = values.cast(known.dtype).replace_strict(
            known, pl.int_range(len(known), eager=True), default=None, return_dtype=pl.Int64
        )
        row = first(codes.is_null())
        if row is not None:
            raise self._unseen(column[row], row + 1)
        return np.array(codes, np.int64)

    def decode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn class numbers, or standardised numbers, back into target values.

        Parameters
        ----------
        values : ndarray
            (n,) class numbers as integers from 0 to the number of classes - 1, or standardised numbers of any shape.

        Returns
        -------
        ndarray
            Of the same shape: words, whole numbers or booleans; or float64 in the target's unit.

        Raises
        ------
        InputError
            If a class number is none.
        """
        if self.kind == "numbers":
            return np.asarray(values, np.float64) * self.scale + self.mean
        codes = np.asarray(values)
        if codes.dtype.kind not in "iu" or (codes.size and not 0 <= codes.min() <= codes.max() < len(self.classes)):
            raise InputError(
                where="values",
                expected=f"whole numbers from 0 to {len(self.classes) - 1}",
                got=f"{codes.dtype} from {codes.min()} to {codes.max()}" if codes.size else str(codes.dtype),
                remedy="give class numbers (np.argmax of the network's output)",
            )
        return np.take(np.array(self.classes), codes)

    def to_data(self) -> dict[str, Any]:
        """Return the coding as a dictionary that JSON holds exactly."""
        if self.kind == "classes":
            return {"kind": self.kind, "name": self.name, "classes": list(self.classes)}
        return {"kind": self.kind, "name": self.name, "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> TargetCoding:
        """Rebuild a coding from `to_data`'s dictionary; DataError if that is not what it is."""
        match data:
            case {"kind": "classes", "name": str(name), "classes": [*classes]}:
                alike = any(all(type(c) is kind for c in classes) for kind in (str, int, bool))
                if len(classes) >= 2 and alike and len(set(classes)) == len(classes) and not _too_large(classes):
                    return cls("classes", name, tuple(classes))
            case {"kind": "numbers", "name": str(name), "mean": float(mean), "scale": float(scale)}:
                if np.isfinite(mean) and 0 < scale < np.inf:
                    return cls("numbers", name, mean=mean, scale=scale)
        raise DataError(
            where="target coding",
            expected="classes, or a mean and a scale",
            got=shorten(data),
            remedy="save the model again",
        )

    def _unseen(self, value: object, row: int) -> DataError:
        few = ", ".join(map(repr, self.classes[:10])) + (", ..." if len(self.classes) > 10 else "")
        return DataError(
            where=f"target {self.name!r}",
            expected=f"one of the {len(self.classes)} classes seen in training ({few})",
            got=f"{shorten(value)} in data row {row}",
            remedy="correct the cell, or add rows of that class to the training data",
        )


def _too_large(classes: list[Any]) -> bool:
    return type(classes[0]) is int and not -(1 << 63) <= min(classes) <= max(classes) < 1 << 63


def _checked(target: Target, name: str) -> pl.Series:
    """Return the target as a plain column without missing values."""
    column, _ = plain(as_series(target, name), "target")
    row = first(column.is_null())
    if row is not None:
        raise DataError(
            where=f"target {name!r}",
            expected="a value in every row",
            got=f"a missing one in data row {row + 1}",
            remedy="remove the rows without target",
        )
    return column


def _whole(column: pl.Series) -> pl.Series | None:
    """Return words, booleans and whole numbers (as Int64) as they can be classes; None for other numbers."""
    import polars as pl

    if is_words(column) or column.dtype == pl.Boolean:
        return column
    return column.cast(pl.Int64) if _are_whole(column).all() else None


def _are_whole(numbers: pl.Series) -> pl.Series:
    import polars as pl

    return (numbers.cast(pl.Int64, strict=False) == numbers).fill_null(False)


def _looks_like_classes(column: pl.Series, whole: pl.Series | None) -> bool:
    import polars as pl

    if whole is None:
        return False
    return is_words(column) or column.dtype == pl.Boolean or whole.n_unique() <= MOST_WHOLE_CLASSES


def _floats(column: pl.Series, name: str) -> NDArray[np.float64]:
    import polars as pl

    if is_words(column):
        row = first_word(column)
        raise DataError(
            where=f"target {name!r}",
            expected="numbers (regression)",
            got=f"the word {shorten(column[row])} in data row {row + 1}",
            remedy="treat it as classes, or correct the cell",
        )
    return np.array(column.cast(pl.Float64), np.float64)


def _moments(column: pl.Series, name: str) -> tuple[float, float]:
    values = _floats(column, name)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(values.mean()), float(values.std())
    if values.min() == values.max() or scale == 0:
        raise DataError(
            where=f"target {name!r}",
            expected="a target that varies",
            got=f"{values[0]} in all {len(values)} rows",
            remedy="choose another target",
        )
    if not np.isfinite(scale):
        raise DataError(
            where=f"target {name!r}",
            expected="numbers whose squares can be held",
            got=f"values from {values.min():g} to {values.max():g}",
            remedy="give them in a larger unit",
        )
    return mean, scale
