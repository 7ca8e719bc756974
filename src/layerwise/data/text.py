"""CSV-like text into cells: separators, quotes, the header line and ragged rows."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from .columns import check_names

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def cells_of_text(data: bytes, where: str, separator: str = "") -> tuple[pl.DataFrame, str]:
    r"""Part a text file with a header line into cells.

    Parameters
    ----------
    data : bytes
        The whole file.
    where : str
        What error messages call it.
    separator : str
        One character; "" for whichever of `SEPARATORS` the header has most of.

    Returns
    -------
    tuple
        (n, d) strings with n >= 1 under distinct names, of which only the first may be empty; and the separator.

    Raises
    ------
    DataError
        If it is not UTF-8 text, has no header line or no rows, or is ragged, or names repeat.

    Examples
    --------
    >>> cells_of_text(b"a; b\n1;x\n", "t.csv")[0].to_dicts()
    [{'a': '1', 'b': 'x'}]
    """
    data = text_lines(data, where)
    end = first_line_end(data)
    if end < 0:
        raise _stray_quote(where, "in the header")
    header, body = data[:end].decode("utf-8"), data[end + 1 :]
    separator = separator or max(SEPARATORS, key=re.sub('"[^"]*"', "", header).count)
    try:
        names = check_names(next(csv.reader([header], delimiter=separator, skipinitialspace=True)), where)
    except csv.Error:
        raise _stray_quote(where, "in the header") from None
    _refuse_numbers_as_names(names, where)
    if not body:
        raise DataError(
            where=where,
            expected="a header line and data rows",
            got="one line only",
            remedy="add the rows; if that line is data, put a line with the column names above it",
        )
    del data  # by now there are two copies of the file
    return rows_of_text(body, names, separator, where), separator


def rows_of_text(body: bytes, names: list[str], separator: str, where: str) -> pl.DataFrame:
    """Read the data lines of a text file, all cells as strings.

    Parameters
    ----------
    body : bytes
        UTF-8 lines ending in a newline each, without the header and without blank lines.
    names : list of str
        Distinct column names.
    separator : str
        One character.
    where : str
        What error messages call the file.

    Returns
    -------
    polars.DataFrame
        (n, len(names)) strings; empty cells are null.

    Raises
    ------
    DataError
        If a row has more or fewer cells than there are names, or a quote is never closed.
    """
    import polars as pl

    # Polars fills short rows with nulls, which would hide a damaged file.
    _check_widths(body, len(names), separator, where)
    try:
        return pl.read_csv(body, has_header=False, schema=dict.fromkeys(names, pl.String), separator=separator)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        line = next((n for n, text in enumerate(body.split(b"\n"), 1) if text.count(b'"') % 2), None)
        raise _stray_quote(where, f"near data row {line}" if line else "in some row") from None


def text_lines(data: bytes, where: str) -> bytes:
    r"""Return UTF-8 text with \n line ends, without byte order mark and blank lines; DataError for anything else."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        raise DataError(where=where, expected="UTF-8 text", got="UTF-16 or binary data", remedy="save it as UTF-8 text")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        if not data.isascii():
            data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            where=where,
            expected="UTF-8 text",
            got=f"byte 0x{data[error.start]:02x} in line {line}",
            remedy="save the file with UTF-8 encoding",
        ) from None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data[:1] == b"\n" or data[-1:] != b"\n" or data[-2:] == b"\n\n":
        data = data.strip(b"\n") + b"\n"
    if data.isspace():
        raise DataError(where=where, expected="data", got="blank lines only", remedy="copy or export the file again")
    if b"\n\n" in data:
        raw = np.frombuffer(data, np.uint8)
        newline = (raw == ord("\n")) & ~quoted(raw)
        data = raw[~(newline & np.roll(newline, 1))].tobytes()
    return data


def first_line_end(data: bytes) -> int:
    r"""Return the place of the first newline outside quotes, -1 if there is none.

    >>> first_line_end(b'"a\nb",c\n1,2\n')
    7
    """
    end = data.find(b"\n")
    if end < 0 or data.count(b'"', 0, end) % 2 == 0:
        return end
    raw = np.frombuffer(data, np.uint8)
    ends = (raw == ord("\n")) & ~quoted(raw)
    return int(ends.argmax()) if ends.any() else -1


def _refuse_numbers_as_names(names: list[str], where: str) -> None:
    # Whole numbers alone are fine (pandas names columns 0, 1, 2, ... by default); measurements are rows, not names.
    numbers = [name for name in names if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", name)]
    if 2 * len(numbers) > len(names) and not all(name.isdecimal() for name in numbers):
        raise DataError(
            where=where,
            expected="a header line with column names",
            got=f"numbers ({', '.join(numbers[:3])}{', ...' if len(numbers) > 3 else ''})",
            remedy="add a first line with the names",
        )


def quoted(raw: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the bytes inside quotes; a doubled quote inside a cell closes and opens again, which is right."""
    return np.bitwise_xor.accumulate(raw == ord('"'))


def _check_widths(body: bytes, width: int, separator: str, where: str) -> None:
    raw = np.frombuffer(body, np.uint8)
    marks = (raw == ord("\n")) | (raw == ord(separator))
    if b'"' in body:
        marks &= ~quoted(raw)  # which leaves the last newline inside, if a quote is never closed
    ends = raw[marks] == ord("\n")
    # In a regular file every width-th mark, and no other, ends a line: no need to look at cells one by one.
    if marks[-1] and len(ends) % width == 0:
        table = ends.reshape(-1, width)
        if table[:, -1].all() and not table[:, :-1].any():
            return
    row = 0
    reader = csv.reader(io.StringIO(body.decode("utf-8"), newline=""), delimiter=separator, strict=True)
    try:
        for row, cells in enumerate(reader, 1):
            if len(cells) != width:
                raise DataError(
                    where=where,
                    expected=f"{width} cells in every row",
                    got=f"{len(cells)} in data row {row}",
                    remedy="correct that row, or quote cells that contain the separator",
                )
    except csv.Error as error:
        raise DataError(
            where=where,
            expected=f"{width} cells in every row",
            got=f"data row {row + 1}, which cannot be parted into cells ({error})",
            remedy="look for a quote that is opened and not closed",
        ) from None


def _stray_quote(where: str, place: str) -> DataError:
    return DataError(
        where=where,
        expected='quotes around whole cells, and doubled inside them (as in "6"" pipe")',
        got=f"a stray quote {place}",
        remedy="double it or remove it",
    )
