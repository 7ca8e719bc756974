"""Columns made plain: every column of a table becomes numbers, booleans or words, or is refused by name.

A plain column is a Polars series of an integer type, Float32, Float64, Boolean or String; a missing cell is null, never
NaN, and no number is infinite.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..errors import DataError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

#: Cells of a text file that stand for "missing" once spaces around them are gone. "None" is not among them: it is a
#: word in too many tables ("Fence: None"). "NA" and "?" may be words too (Namibia), but a missing word is a category
#: of its own, so nothing is lost in a feature; in a target it is an error that names the row.
MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "NaT", "null", "NULL", "Null")

_DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
_DATE_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f")
_MICROSECONDS_A_DAY = 86_400_000_000
_DATE_NOTE = "taken as days since 1970-01-01"


def shorten(value: object) -> str:
    """Return a value's repr on one line, cut to 60 characters.

    >>> shorten("a")
    "'a'"
    """
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:56] + " ..."


def is_words(column: pl.Series) -> bool:
    """Say whether a plain column holds words (else numbers or booleans)."""
    import polars as pl

    return column.dtype == pl.String


def as_series(values: pl.Series | NDArray[Any], name: str) -> pl.Series:
    """Return a column of values as a Polars series; DataError for more dimensions or a mixture of types.

    >>> import numpy as np
    >>> as_series(np.array(["a", None], dtype=object), "job").to_list()
    ['a', None]
    """
    import polars as pl

    if isinstance(values, pl.Series):
        return values.rename(name)
    if values.ndim != 1:
        raise DataError(
            where=repr(name),
            expected="one value a row",
            got=f"an array of shape {values.shape}",
            remedy="give one column",
        )
    if values.dtype.kind in "mM":  # Polars knows few of NumPy's units of time
        values = values.astype(f"{values.dtype.kind}8[us]")
    try:
        # Only through a list does Polars see what objects are.
        return pl.Series(name, values.tolist() if values.dtype == object else values)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        raise DataError(
            where=repr(name),
            expected="all words, all numbers, all booleans or all dates",
            got=f"a mixture or another kind ({values.dtype})",
            remedy="convert the values to one type",
        ) from None


def first(mask: pl.Series) -> int | None:
    """Return the 0-based position of the first true value, None if there is none."""
    place = mask.fill_null(False).arg_true()
    return int(place[0]) if len(place) else None


def check_names(names: list[str], where: str) -> list[str]:
    """Remove needless spaces from column names; DataError if they repeat or one but the first is empty.

    >>> check_names(["age", " yearly  income "], "people.csv")
    ['age', 'yearly income']
    """
    stripped = [" ".join(name.split()) for name in names]
    seen: dict[str, int] = {}
    for number, name in enumerate(stripped, 1):
        if not name and number > 1:
            raise DataError(
                where=where,
                expected="a name for every column",
                got=f"none for column {number}",
                remedy="name it in the header or remove the column",
            )
        if name in seen:
            raise DataError(
                where=where,
                expected="different column names",
                got=f"{shorten(name)} for columns {seen[name]} and {number}",
                remedy="rename one of them; if the file has no header line, add one",
            )
        seen[name] = number
    return stripped


def first_word(column: pl.Series) -> int:
    """Return the 0-based row of the first cell that keeps a column of words from being numbers or dates."""
    import polars as pl

    words = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    row = first(words & ~column.str.contains(_DATE))
    return row if row is not None else first(words) or 0


def plain(column: pl.Series, where: str) -> tuple[pl.Series, str]:
    """Turn a typed column into a plain one.

    Parameters
    ----------
    column : polars.Series
        A column of any type, as found in a Parquet or Arrow file or a DataFrame.
    where : str
        What error messages call its table.

    Returns
    -------
    tuple
        The plain column and a note to the user, "" if nothing needs saying.

    Raises
    ------
    DataError
        If the type has no plain meaning (lists, structs, bytes, objects) or a number is infinite.

    Examples
    --------
    >>> import datetime, polars
    >>> column, note = plain(polars.Series("born", [datetime.date(1970, 1, 3)]), "people.parquet")
    >>> column.to_list(), note
    ([2.0], 'born: taken as days since 1970-01-01')
    """
    import polars as pl

    kind, note = column.dtype, ""
    if kind in (pl.String, pl.Boolean):
        return column, note
    if kind in (pl.Categorical, pl.Enum):
        return column.cast(pl.String), note
    if kind.is_integer():
        # 128 bits have no NumPy counterpart, and a network reads at most 53 of them.
        return (column.cast(pl.Float64) if kind in _wide_integers() else column), note
    if kind.is_float() or kind.is_decimal() or kind == pl.Null:
        if kind not in (pl.Float32, pl.Float64):
            column = column.cast(pl.Float64)
    elif kind == pl.Date or kind == pl.Datetime:
        # A date is a number of days, of which Polars makes no moment in years beyond 262,143.
        column = column.to_physical().cast(pl.Float64) if kind == pl.Date else _days(column)
        note = _DATE_NOTE
    elif kind == pl.Duration or kind == pl.Time:
        span = column if kind == pl.Duration else column.cast(pl.Duration("us"))
        column, note = _in_days(span.dt.total_microseconds()), "taken as days"
    else:
        raise DataError(
            where=f"{where}, column {column.name!r}",
            expected="numbers, words, booleans or dates",
            got=str(kind),
            remedy="leave the column out or spread it over several columns",
        )
    return _finite(column, where), f"{column.name}: {note}" if note else ""


def from_text(column: pl.Series, where: str, *, words: bool = False) -> tuple[pl.Series, str]:
    """Turn the cells of a text file into a plain column, by one rule that looks at all of them.

    Spaces around a cell do not count, nor do quotes; `MISSING` cells are null. The column is integers if every other
    cell is one, else decimal numbers, else booleans (true and false in any case), else ISO dates (as days), else words.

    Parameters
    ----------
    column : polars.Series
        The cells as strings.
    where : str
        What error messages call the file.
    words : bool
        Keep the cells as words whatever they look like ("007" stays "007").

    Returns
    -------
    tuple
        The plain column and a note to the user, "" if nothing needs saying.

    Raises
    ------
    DataError
        If a number is infinite, or all cells are numbers with a decimal comma.

    Examples
    --------
    >>> import polars
    >>> from_text(polars.Series("age", ["39", " NA", "50"]), "adult.csv")[0].to_list()
    [39, None, 50]
    """
    import polars as pl

    if not words:
        # Most columns of most files need nothing but this, and stripping first would double their cost.
        numbers = _numbers(column)
        if numbers is not None:
            return _finite(numbers, where), ""
    column = column.str.strip_chars()
    column = column.zip_with(~column.is_in(MISSING), pl.Series([None], dtype=pl.String))
    if words:
        return column, ""
    numbers = _numbers(column)
    if numbers is not None:
        return _finite(numbers, where), ""
    lower = column.str.to_lowercase()
    if lower.is_in(["true", "false"]).all():
        return lower == "true", ""
    if _all_match(column, _DECIMAL_COMMA):
        raise DataError(
            where=f"{where}, column {column.name!r}",
            expected="numbers with a decimal point",
            got=f"{column.drop_nulls()[0]!r}",
            remedy="replace the commas inside the numbers (by a point, or by nothing if they part thousands)",
        )
    days = _dates(column)
    return (column, "") if days is None else (days, f"{column.name}: {_DATE_NOTE}")


def _numbers(column: pl.Series) -> pl.Series | None:
    import polars as pl

    if column.null_count() == len(column):
        return column.cast(pl.Float64)
    for kind in (pl.Int64, pl.Float64):
        read = column.cast(kind, strict=False)
        if read.null_count() == column.null_count():
            return read
    return None


def _dates(column: pl.Series) -> pl.Series | None:
    if not _all_match(column, _DATE):
        return None
    text = column.str.replace("T", " ", literal=True)
    for layout in _DATE_FORMATS:
        for zone, suffix in ((None, ""), ("UTC", "%#z")):
            read = text.str.to_datetime(layout + suffix, time_unit="us", time_zone=zone, strict=False)
            if read.null_count() == column.null_count():
                return _days(read)
    return None  # a 31st of February or several ways of writing: they stay words


def _days(moments: pl.Series) -> pl.Series:
    return _in_days(moments.dt.timestamp("us"))


def _in_days(microseconds: pl.Series) -> pl.Series:
    # Polars divides by multiplying with the reciprocal, which alone would leave some whole days not quite whole.
    whole = microseconds // _MICROSECONDS_A_DAY
    return whole + (microseconds - whole * _MICROSECONDS_A_DAY) / _MICROSECONDS_A_DAY


def _all_match(column: pl.Series, pattern: str) -> bool:
    start = column[column.is_not_null().arg_max() or 0]  # one look spares most columns of words the full search
    return re.match(pattern, start) is not None and bool(column.str.contains(pattern).all())


def _finite(column: pl.Series, where: str) -> pl.Series:
    if not column.dtype.is_float():
        return column
    row = first(column.is_infinite())
    if row is not None:
        raise DataError(
            where=f"{where}, column {column.name!r}",
            expected="finite numbers",
            got=f"{column[row]} in data row {row + 1}",
            remedy="correct the cell or leave it empty (missing)",
        )
    return column.fill_nan(None) if column.is_nan().any() else column


def _wide_integers() -> tuple[object, ...]:
    import polars as pl

    # UInt128 is younger than the oldest Polars that Layerwise accepts.
    return tuple(getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name))
