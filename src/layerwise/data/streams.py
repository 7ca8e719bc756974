"""Tables piece by piece, for files larger than memory; each piece is read by the rules for whole files."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np

from ..errors import DataError
from .columns import check_names, from_text
from .files import check_unpacked, ending, missing, probe, read_bytes, table_format
from .tables import check_not_empty, plain_table, read_table, together, without_index
from .text import cells_of_text, first_line_end, quoted

if TYPE_CHECKING:
    import polars as pl

#: Bytes of text, and rows of other files, that are read at once.
PIECE: Final = 8 << 20
ROWS: Final = 50_000
#: A line longer than this is taken for a quote that is never closed.
_LONGEST_LINE: Final = 64 << 20
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows of a table.

    Parameters
    ----------
    frame : polars.DataFrame
        Plain columns.
    first_row : int
        How many rows came before.
    done : float
        How much of the file has been read by now, from 0 to 1.
    """

    frame: pl.DataFrame
    first_row: int
    done: float


def table_pieces(path: str | Path, words: Collection[str] = (), piece: int = PIECE) -> Iterator[Piece]:
    """Read a CSV, TSV, Parquet or Arrow file as `read_table` does, but never all of it at once.

    Each column is read by what its cells in the piece look like, so columns of words have to be named.

    Parameters
    ----------
    path : str or Path
    words : collection of str
        Columns of a text file to keep as words even if all their cells in a piece are numbers.
    piece : int
        Bytes of text to read at once.

    Yields
    ------
    Piece
        In the order of the file.

    Raises
    ------
    DataError
        As `read_table`; rows are counted from the beginning of the piece that the message names.
    """
    path = Path(path).expanduser()
    if probe(path) != "file":
        read_bytes(path)  # says what is wrong
        raise missing(path)
    kind = table_format(path)
    if kind == "text":
        yield from _text_pieces(path, words, piece)
    elif kind == "parquet":
        yield from _parquet_pieces(path)
    else:
        frame, _ = read_table(path)
        yield Piece(frame, 0, 1.0)


def _text_pieces(path: Path, words: Collection[str], size: int) -> Iterator[Piece]:
    header, separator, rows = b"", "\t" if ending(path) == ".tsv" else "", 0
    begun = b""
    for block, done in _line_blocks(path, size):
        where = path.name if rows == 0 else f"{path.name}, rows from {rows + 1} on"
        if header and not block.strip():
            continue
        text = block
        if not header:
            begun += block
            header, text = _header(begun)
            if not text.strip():  # blank lines, or a header before a very long row
                header = b""
                continue
        cells, separator = cells_of_text(header + text, where, separator)
        made = [from_text(column, where, words=column.name in words) for column in cells]
        frame, _ = without_index(together(made), where)
        yield Piece(frame, rows, done)
        rows += frame.height
    if begun and not header:
        cells_of_text(begun, path.name, separator)  # says what is missing


def _header(text: bytes) -> tuple[bytes, bytes]:
    r"""Part the header line, with its end, from the rest.

    >>> _header(b'\n"a\nb",c\r\n1,2\n')
    (b'"a\nb",c\n', b'1,2\n')
    """
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    end = first_line_end(text)
    return text[: end + 1], text[end + 1 :]


def _line_blocks(path: Path, size: int) -> Iterator[tuple[bytes, float]]:
    """Yield whole lines of about `size` bytes together, and how much of the file they end."""
    whole = max(os.path.getsize(path), 1)
    held = b""
    empty, unpacked = True, 0
    with _opened(path) as (file, raw):
        while True:
            block = _read(file, path, max(size, len(held)))  # twice as much each time, while no line ends
            empty = empty and not block
            held += block
            unpacked += len(block)
            check_unpacked(unpacked, raw.tell(), path.name)
            if not block:
                break
            cut = _last_line_end(held)
            if cut:
                yield held[:cut], min(raw.tell() / whole, 1.0)
                held = held[cut:]
            elif len(held) > _LONGEST_LINE:
                raise DataError(
                    where=path.name, expected=f"lines of at most {_LONGEST_LINE >> 20} MiB", got="a longer one",
                    remedy="look for a quote that is opened and not closed",
                )  # fmt: skip
    if empty:
        read_bytes(path)  # says that it is empty
    if held:
        yield held, 1.0


def _last_line_end(text: bytes) -> int:
    r"""Return how many bytes end with the last line end outside quotes; 0 if there is none.

    >>> _last_line_end(b'a,b\n1,"x\ny"\n2,"z\n')
    12
    """
    newline = b"\n" if b"\n" in text else b"\r"
    end = text.rfind(newline)
    if newline == b"\r" and end == len(text) - 1:  # perhaps the first half of \r\n
        end = text.rfind(newline, 0, end)
    if end >= 0 and text.count(b'"', 0, end) % 2:  # inside quotes, which may be millions of lines ago
        raw = np.frombuffer(text, np.uint8, end)
        ends = (raw == ord(newline)) & ~quoted(raw)
        end = int(len(ends) - 1 - ends[::-1].argmax()) if ends.any() else -1
    return end + 1


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file, through gzip if it is that; and the file below it, whose position tells how far reading is."""
    try:
        raw = path.open("rb")
    except OSError:
        read_bytes(path)  # says what is wrong
        raise
    with raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if packed:
            with gzip.open(raw) as file:
                yield cast(BinaryIO, file), raw
        else:
            yield raw, raw


def _read(file: BinaryIO, path: Path, size: int) -> bytes:
    try:
        return file.read(size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise DataError(
            where=path.name, expected="a whole gzip file", got=f"one that is cut short or damaged ({problem})",
            remedy="copy it again",
        ) from None  # fmt: skip
    except OSError as problem:
        raise DataError(
            where=path.name, expected="a file that can be read", got=(problem.strerror or str(problem)).lower(),
            remedy="check the disk, or copy the file again",
        ) from None  # fmt: skip


def _is_utf8(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _parquet_pieces(path: Path) -> Iterator[Piece]:
    import polars as pl

    if not _is_utf8(path):  # which Polars takes for no name at all
        yield Piece(read_table(path)[0], 0, 1.0)
        return
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        if start != b"PAR1" or file.read(4) != b"PAR1":
            read_table(path)  # says what is wrong
    try:
        lazy = pl.scan_parquet(path, glob=False)
        rows = int(lazy.select(pl.len()).collect().item())
        names = check_names(lazy.collect_schema().names(), path.name)
        check_not_empty(rows, len(names), path.name)
        place = 0
        for frame in lazy.collect_batches(chunk_size=ROWS, maintain_order=True):
            frame.columns = names
            where = path.name if place == 0 else f"{path.name}, rows from {place + 1} on"
            table, _ = without_index(plain_table(frame, where)[0], where)
            place += table.height
            if table.height:
                yield Piece(table, place - table.height, min(place / rows, 1.0))
        check_not_empty(place, len(names), path.name)  # the number in the file may be wrong
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        said = " ".join(str(problem).split())[:100]
        raise DataError(
            where=path.name, expected="a complete Parquet file", got=f"one that is cut short or damaged ({said})",
            remedy="copy or export it again",
        ) from None  # fmt: skip
