"""Features as the network sees them: one array of numbers, made by steps learnt on the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DataError, SpecificationError, closest
from .columns import shorten
from .encoding import NumberColumn, WordColumn
from .fitting import fit_columns
from .tables import as_frame, plain_table

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from .dataset import Features


@dataclass(frozen=True)
class Preparation:
    """The steps from features to the array that a network reads.

    Parameters
    ----------
    numbers : tuple of NumberColumn
        Tables: one input each, first.
    words : tuple of WordColumn
        Tables: their inputs follow, in order.
    left_out : tuple of str
        Tables: columns seen in training that are not used.
    notes : tuple of str
        What the user should know, a line each.
    image_shape : tuple of int or None
        Images: rows and columns of pixels; their inputs are the pixels divided by `pixel_max`.
    pixel_max : float
        Images: the value of a full pixel.

    Examples
    --------
    >>> import polars
    >>> table = polars.DataFrame({"age": [20, 40, None], "job": ["nurse", None, "clerk"]})
    >>> steps = Preparation.fit(table)
    >>> steps.feature_names
    ('age', 'job=clerk', 'job=nurse', 'job=missing')
    >>> steps.transform(table)[:, 1:]
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """

    numbers: tuple[NumberColumn, ...] = ()
    words: tuple[WordColumn, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    pixel_max: float = 1.0

    @classmethod
    def fit(cls, features: pl.DataFrame) -> Preparation:
        """Learn the steps from the training rows of a table.

        Parameters
        ----------
        features : polars.DataFrame
            (n, d), n >= 1, columns of numbers, booleans, dates or words, missing cells null or NaN.

        Returns
        -------
        Preparation
            With a note for every column that is left out: without any value, or of words that look like an identifier.

        Raises
        ------
        DataError
            If there are no rows or no usable columns, or numbers are infinite or too large to standardise.
        InputError
            If the features are no polars.DataFrame.
        """
        numbers, words, left_out, notes = fit_columns(features)
        return cls(numbers, words, left_out, notes)

    @classmethod
    def for_images(cls, shape: tuple[int, int], pixel_max: float) -> Preparation:
        """Return the steps for images, which are known without any rows.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of pixels.
        pixel_max : float
            The value of a full pixel (255, 16 or 1).

        Raises
        ------
        SpecificationError
            If a size is less than 1 or pixel_max is not positive.

        Examples
        --------
        >>> Preparation.for_images((1, 2), 255.0).transform(np.array([[0, 255]], np.uint8))
        array([[0., 1.]], dtype=float32)
        """
        rows, columns = shape
        if rows < 1 or columns < 1 or not 0 < pixel_max < np.inf:
            raise SpecificationError(
                where="images",
                expected="at least one pixel and a positive pixel_max",
                got=f"{rows} x {columns} pixels up to {pixel_max}",
                remedy="take them from the data set (image_shape, pixel_max)",
            )
        return cls(image_shape=(int(rows), int(columns)), pixel_max=float(pixel_max))

    @property
    def kind(self) -> Literal["table", "images"]:
        """What it prepares: "table" or "images"."""
        return "images" if self.image_shape else "table"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the inputs, n_inputs of them: "age", "job=clerk", "job=missing"; of images "pixel 0,0"."""
        if self.image_shape:
            rows, columns = self.image_shape
            return tuple(f"pixel {row},{column}" for row in range(rows) for column in range(columns))
        words = (name for column in self.words for name in column.input_names)
        return (*(column.name for column in self.numbers), *words)

    @property
    def n_inputs(self) -> int:
        """The number of inputs of the network."""
        if self.image_shape:
            return self.image_shape[0] * self.image_shape[1]
        return len(self.numbers) + sum(column.n_inputs for column in self.words)

    def transform(self, features: Features, dtype: str = "float32") -> NDArray[Any]:
        """Turn features into the array that the network reads.

        Parameters
        ----------
        features : polars.DataFrame or ndarray
            A table with the columns of training, in any order; those of `left_out` may be absent. Images: (n, pixels).
        dtype : str
            "float32" or "float64". Tables are computed in float64 and rounded once, images divided in this type.

        Returns
        -------
        ndarray
            (n, n_inputs), C-contiguous.

        Raises
        ------
        DataError
            If columns are missing, unknown or of another kind, a number is infinite or too large for the type, or
            pixels do not fit.
        SpecificationError
            If the dtype is neither.
        InputError
            If the features are neither a polars.DataFrame nor an ndarray.
        """
        if dtype not in ("float32", "float64"):
            raise SpecificationError(
                where="dtype", expected="'float32' or 'float64'", got=shorten(dtype), remedy="choose one of them"
            )
        if isinstance(features, np.ndarray):
            return self._images(features, np.dtype(dtype))
        if self.image_shape:
            raise DataError(
                where="features",
                expected=f"images of {self.n_inputs} pixels, as in training",
                got=f"a table with {as_frame(features).width} columns",
                remedy="give an image folder or an array of pixels",
            )
        return self._table(as_frame(features), np.dtype(dtype))

    def to_data(self) -> dict[str, Any]:
        """Return the steps as a dictionary that JSON holds exactly."""
        if self.image_shape:
            return {"kind": "images", "image_shape": list(self.image_shape), "pixel_max": self.pixel_max}
        return {
            "kind": "table",
            "numbers": [[c.name, c.median, c.mean, c.scale] for c in self.numbers],
            "words": [[c.name, list(c.words), c.missing] for c in self.words],
            "left_out": list(self.left_out),
            "notes": list(self.notes),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Preparation:
        """Rebuild the steps from `to_data`'s dictionary; DataError if that is not what it is."""
        try:
            match data:
                case {"kind": "images", "image_shape": [int(rows), int(columns)], "pixel_max": float(pixel_max)}:
                    return cls.for_images((rows, columns), pixel_max)
                case {"kind": "table", "numbers": numbers, "words": words, "left_out": left_out, "notes": notes}:
                    made = cls(
                        numbers=tuple(NumberColumn.from_data(column) for column in numbers),
                        words=tuple(WordColumn.from_data(column) for column in words),
                        left_out=tuple(map(str, left_out)),
                        notes=tuple(map(str, notes)),
                    )
                    names = [column.name for column in made.numbers] + [column.name for column in made.words]
                    if len(set(names)) == len(names):
                        return made
        except (TypeError, ValueError):
            pass  # not of the form above, as is said next
        raise DataError(
            where="preparation",
            expected="the columns or the image shape of a saved model",
            got=shorten(data),
            remedy="save the model again",
        )

    def _images(self, pixels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        if not self.image_shape:
            got = f"an array of shape {pixels.shape}"
            raise DataError(
                where="features", expected="a table, as in training", got=got, remedy="give a polars.DataFrame"
            )
        if pixels.ndim != 2 or pixels.shape[1] != self.n_inputs or pixels.dtype.kind not in "uif":
            raise DataError(
                where="features",
                expected=f"numbers in {self.n_inputs} columns, one for each pixel",
                got=f"{pixels.dtype} in shape {pixels.shape}",
                remedy="give images of the size used in training, a row each",
            )
        # NaN fails the comparison too; a model for 0..1 given 0..255 would answer nonsense without a word.
        if pixels.size and not (pixels.min() >= 0 and pixels.max() <= self.pixel_max):
            raise DataError(
                where="features",
                expected=f"pixels from 0 to {self.pixel_max:g}, as in training",
                got=f"{pixels.min()} to {pixels.max()}",
                remedy="scale the pixels as in the training data",
            )
        made = np.empty(pixels.shape, dtype)
        np.divide(pixels, dtype.type(self.pixel_max), out=made, dtype=dtype, casting="same_kind")
        return made

    def _table(self, features: pl.DataFrame, dtype: np.dtype[Any]) -> NDArray[Any]:
        table, _ = plain_table(self._known_columns(features), "features")
        made = np.zeros((table.height, self.n_inputs), dtype)
        for place, numbers in enumerate(self.numbers):
            made[:, place] = numbers.transform(table[numbers.name], dtype)
        place = len(self.numbers)
        rows = np.arange(table.height)
        for words in self.words:
            codes = words.codes(table[words.name])
            seen = codes >= 0
            made[rows[seen], place + codes[seen]] = 1
            place += words.n_inputs
        return made

    def _known_columns(self, features: pl.DataFrame) -> pl.DataFrame:
        used = [column.name for column in self.numbers] + [column.name for column in self.words]
        absent = [name for name in used if name not in features.columns]
        if absent:
            others = [name for name in features.columns if name not in used]
            raise DataError(
                where="features",
                expected="the columns used in training",
                got="no column " + ", ".join(map(repr, absent[:5])) + ", ..." * (len(absent) > 5),
                remedy=closest(absent[0], others) if others else "add it (its cells may be empty)",
            )
        known = {*used, *self.left_out}
        unknown = [name for name in features.columns if name not in known]
        if unknown:
            raise DataError(
                where="features",
                expected="only columns used in training",
                got="an unknown column " + ", ".join(map(repr, unknown[:5])) + ", ..." * (len(unknown) > 5),
                remedy="remove it",
            )
        return features.select(used)
