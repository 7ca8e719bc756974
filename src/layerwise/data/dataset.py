"""What a source brings: its parts, each with features and a target, and what the user should know about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Features: TypeAlias = pl.DataFrame | NDArray[Any]
    Target: TypeAlias = pl.Series | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """Rows that belong together: all of a source, or its training, validation or test rows.

    Parameters
    ----------
    features : polars.DataFrame or ndarray
        Tables: n rows of plain columns (see `columns`). Images: (n, pixels), in the type of the file.
    target : polars.Series or ndarray
        n values, none missing or infinite.
    """

    features: Features
    target: Target

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target)


@dataclass(frozen=True, eq=False)
class DataSet:
    """A source that has been read.

    Parameters
    ----------
    name : str
        The bundled name, or the file's or folder's name without ending.
    kind : str
        "table" or "images".
    parts : dict of str to Part
        Either "all" alone, or "train" and what else the source brings of "validation" and "test".
    target_name : str
        The target's column name.
    notes : tuple of str
        Decisions made while reading that the user should see, a line each.
    pixel_max : float or None
        Images: the value of a full pixel (255, 16 or 1).
    image_shape : tuple of int or None
        Images: rows and columns of pixels.
    """

    name: str
    kind: Literal["table", "images"]
    parts: dict[str, Part]
    target_name: str
    notes: tuple[str, ...] = ()
    pixel_max: float | None = None
    image_shape: tuple[int, int] | None = None
