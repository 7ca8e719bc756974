"""How one column of a table becomes inputs of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .columns import first, first_word, is_words, shorten

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers or booleans: x -> (x - mean)/scale, the median for a missing x, always 0 if scale is 0.

    Parameters
    ----------
    name : str
        The column.
    median, mean, scale : float
        Of the training rows, mean and standard deviation (divided by n) after the missing ones were filled. The scale
        is 0 where all training rows are the same.
    """

    name: str
    median: float
    mean: float
    scale: float

    @classmethod
    def from_data(cls, data: Any) -> NumberColumn:
        """Rebuild a column from the list of its fields; ValueError if it is none."""
        match data:
            case [str(name), float(median), float(mean), float(scale)]:
                if np.isfinite([median, mean, scale]).all() and scale >= 0:
                    return cls(name, median, mean, scale)
        raise ValueError(data)

    def transform(self, column: pl.Series, dtype: np.dtype[Any]) -> NDArray[np.float64]:
        """Return the input, (n,) float64 that fits into `dtype`; DataError for words and numbers too large."""
        import polars as pl

        if is_words(column) and column.null_count() < len(column):
            row = first_word(column)
            raise DataError(
                where=f"column {self.name!r}",
                expected="numbers, as in training",
                got=f"the word {shorten(column[row])} in data row {row + 1}",
                remedy="correct the cell or leave it empty (missing)",
            )
        if self.scale == 0:
            return np.zeros(len(column))
        values = column.cast(pl.Float64).fill_null(self.median).to_numpy(writable=True)
        with np.errstate(over="ignore"):
            values -= self.mean
            values /= self.scale
        large = np.flatnonzero(np.abs(values) > np.finfo(dtype).max)
        if len(large):
            raise DataError(
                where=f"column {self.name!r}",
                expected=f"numbers that {dtype} holds once standardised",
                got=f"{column[int(large[0])]} in data row {large[0] + 1} (in training {self.mean:g} +- {self.scale:g})",
                remedy="correct the cell or leave it empty (missing)",
            )
        return values


@dataclass(frozen=True)
class WordColumn:
    """A column of words: an input for each word seen in training, 1 where the row has it; unseen words give zeros.

    Parameters
    ----------
    name : str
        The column.
    words : tuple of str
        Sorted.
    missing : bool
        Whether a missing word was seen in training; it then has an input of its own, after the others.
    """

    name: str
    words: tuple[str, ...]
    missing: bool

    @classmethod
    def from_data(cls, data: Any) -> WordColumn:
        """Rebuild a column from the list of its fields; ValueError if it is none."""
        match data:
            case [str(name), [*words], bool(missing)] if all(isinstance(word, str) for word in words):
                if len(set(words)) == len(words):
                    return cls(name, tuple(words), missing)
        raise ValueError(data)

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return len(self.words) + self.missing

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs: "job=clerk", "job=missing"."""
        # The word "missing" itself may be among the words; the parentheses then tell the two apart.
        missing = "(missing)" if "missing" in self.words else "missing"
        return [f"{self.name}={word}" for word in self.words + (missing,) * self.missing]

    def codes(self, column: pl.Series) -> NDArray[np.int64]:
        """Return which input is 1 for each row, (n,), -1 for none; DataError for numbers."""
        import polars as pl

        if not is_words(column):
            if column.null_count() < len(column):
                row = first(column.is_not_null()) or 0
                raise DataError(
                    where=f"column {self.name!r}",
                    expected="words, as in training",
                    got=f"{column[row]} in data row {row + 1}",
                    remedy="read the column as words",
                )
            column = column.cast(pl.String)
        codes = column.replace_strict(
            pl.Series(self.words, dtype=pl.String),
            pl.int_range(len(self.words), eager=True),
            default=-1,
            return_dtype=pl.Int64,
        )
        missing = pl.Series([len(self.words) if self.missing else -1], dtype=pl.Int64)
        return codes.zip_with(column.is_not_null(), missing).to_numpy()
