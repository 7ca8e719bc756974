"""Reading one table: CSV-like text, Parquet or Arrow, into plain columns."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import DataError, InputError
from .columns import check_names, from_text, plain
from .files import ending, read_bytes, table_format
from .text import SEPARATORS, cells_of_text

if TYPE_CHECKING:
    import polars as pl

#: pandas writes its row labels under this name.
_PANDAS_INDEX = "__index_level_0__"
#: Bytes of an Arrow file whose packed buffers are looked at, at most; and what one may always unpack to.
_MOST_CHECKED: Final = 64 << 20
_ALWAYS_UNPACKED: Final = 16 << 20
#: How packed buffers begin: LZ4 and Zstandard.
_PACKED: Final = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
_TRIAL: Final = """
import io, sys
import polars as pl
data = sys.stdin.buffer.read()
(pl.read_ipc if data[:6] == b"ARROW1" else pl.read_ipc_stream)(io.BytesIO(data))
"""
#: Polars panics (a BaseException) on some damage; what it says then is about its own insides.
_PANIC = "its parts contradict each other"


def read_table(path: str | Path, words: Collection[str] = ()) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read a CSV, TSV, Parquet or Arrow file into a table of plain columns.

    Text files need a header line and are separated by commas, semicolons, tabs or bars, whichever the header has most
    of; `columns.from_text` says how cells become numbers or words. Blank lines do not count. A first column without a
    name that numbers the rows (as pandas writes it) is left out with a note.

    Parameters
    ----------
    path : str or Path
        The file.
    words : collection of str
        Columns of a text file to keep as words even if all their cells are numbers.

    Returns
    -------
    tuple
        The table, (n, d) with n >= 1 and d >= 1, and notes for the user.

    Raises
    ------
    DataError
        If the file is missing, damaged, empty, ragged, not UTF-8 or not of an accepted kind, or a column is.
    """
    path = Path(path).expanduser()
    kind, where = table_format(path), path.name
    notes = []
    if kind == "text":
        cells, separator = cells_of_text(read_bytes(path), where, "\t" if ending(path) == ".tsv" else "")
        if separator in ";|":
            notes.append(f"{where}: cells are separated by {SEPARATORS[separator]}s")
        made = [from_text(column, where, words=column.name in words) for column in cells]
    else:
        read = _read_parquet if kind == "parquet" else _read_arrow
        frame = read(read_bytes(path), where)
        frame.columns = check_names(frame.columns, where)
        made = _plain_columns(frame, where)
    table, left_out = without_index(together(made), where)
    check_not_empty(table.height, table.width, where)
    return table, (*notes, *left_out, *(note for _, note in made if note))


def check_not_empty(rows: int, columns: int, where: str) -> None:
    """Raise a DataError for a table without rows or columns."""
    if rows == 0 or columns == 0:
        raise DataError(
            where=where,
            expected="at least one row and one column",
            got=f"{rows} rows and {columns} columns",
            remedy="export the file again",
        )


def as_frame(features: object) -> pl.DataFrame:
    """Return features that are a Polars DataFrame as they are; InputError for anything else."""
    import polars as pl

    if not isinstance(features, pl.DataFrame):
        raise InputError(
            where="features",
            expected="a polars.DataFrame",
            got=type(features).__name__,
            remedy="convert it (polars.DataFrame(...), polars.from_pandas(...))",
        )
    return features


def plain_table(frame: pl.DataFrame, where: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Turn every column of a DataFrame into a plain one; a plain table comes back as it is.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of any type.
    where : str
        What error messages call it.

    Returns
    -------
    tuple
        The table of plain columns and notes for the user.

    Raises
    ------
    DataError
        If a column has no plain meaning or holds an infinite number.
    """
    made = [plain(column, where) for column in frame]
    return together(made), tuple(note for _, note in made if note)


def together(made: list[tuple[pl.Series, str]]) -> pl.DataFrame:
    """Return the columns, without their notes, as a table."""
    import polars as pl

    return pl.DataFrame({column.name: column for column, _ in made})


def without_index(table: pl.DataFrame, where: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a table without the first column that only numbers the rows, and a note if there was one."""
    if _PANDAS_INDEX in table.columns:
        return table.drop(_PANDAS_INDEX), (f"{_PANDAS_INDEX}: left out (row labels of pandas)",)
    if "" not in table.columns:
        return table, ()
    if table[""].dtype.is_integer() and table[""].is_unique().all():
        return table.drop(""), ("the first column: left out (it has no name and numbers the rows)",)
    raise DataError(
        where=where,
        expected="a name for every column",
        got="none for column 1",
        remedy="name it in the header or remove the column",
    )


def _plain_columns(frame: pl.DataFrame, where: str) -> list[tuple[pl.Series, str]]:
    import polars as pl

    try:
        return [plain(column, where) for column in frame]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # values that their type does not allow
        raise _unreadable("Parquet or Arrow", _PANIC, where) from None


def _read_parquet(data: bytes, where: str) -> pl.DataFrame:
    import polars as pl

    if data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise _unreadable("Parquet", "it does not begin and end with PAR1", where)
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable("Parquet", error, where) from None
    except pl.exceptions.PanicException:
        raise _unreadable("Parquet", _PANIC, where) from None


def _read_arrow(data: bytes, where: str) -> pl.DataFrame:
    import polars as pl

    if data[:4] == b"FEA1":
        raise DataError(
            where=where, expected="Arrow or Feather version 2", got="Feather version 1", remedy="export it again"
        )
    # Polars takes a stream that is cut between two batches for a whole one, and panics at a cut file.
    stream = data[:6] != b"ARROW1"
    if not data.endswith(b"\xff\xff\xff\xff\0\0\0\0" if stream else b"ARROW1"):
        raise _unreadable("Arrow", "it has no end mark", where)
    _check_packed_arrow(data, where)
    if any(begin in data for begin in _PACKED) and not _can_be_read(data):
        raise _unreadable("Arrow", "a packed buffer of impossible size", where)
    try:
        if not stream:
            return pl.read_ipc(io.BytesIO(data))
        return pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable("Arrow", error, where) from None
    except pl.exceptions.PanicException:
        raise _unreadable("Arrow", _PANIC, where) from None


def _check_packed_arrow(data: bytes, where: str) -> None:
    """Refuse packed buffers of impossible sizes: Polars asks for the memory that they name, and ends the process.

    Eight bytes before each packed buffer say how large it is unpacked. In larger files than these, numbers that only
    look like the begin of one would be met too often.
    """
    if len(data) > _MOST_CHECKED:
        return
    for begin in _PACKED:
        at = data.find(begin, 8)
        while at >= 0:
            size = int.from_bytes(data[at - 8 : at], "little", signed=True)
            if at % 8 == 0 and not -1 <= size <= max(_ALWAYS_UNPACKED, 10_000 * len(data)):
                raise _unreadable("Arrow", f"a buffer of {size} bytes", where)
            at = data.find(begin, at + 1)


def _can_be_read(data: bytes) -> bool:
    """Have a child read packed Arrow data first: of damaged ones Polars may ask for terabytes, and end its process.

    It takes the time that Polars needs to load, 0.2 s, and to read them once more.
    """
    if not sys.executable:  # Python inside another program: there is none to start
        return True
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL], input=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode >= 0  # an error of its own is found again, and said


def _unreadable(kind: str, reason: object, where: str) -> DataError:
    return DataError(
        where=where,
        expected=f"a complete {kind} file with different column names",
        got=f"one that is cut short or damaged ({' '.join(str(reason).split())[:100]})",
        remedy="copy or export it again",
    )
