"""Paths and bytes: everything that can go wrong before the contents of a file matter."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import Final, Literal, NoReturn

from ..errors import DataError, closest

#: What a file's ending (without .gz) says about its contents.
FORMATS: dict[str, Literal["text", "parquet", "arrow"]] = {
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
#: Data pack to a tenth of their size, hardly ever to a hundredth: what unpacks to more than so many times its own
#: size, and to more than so many bytes, is taken for a file that is made to fill the memory.
MOST_TIMES: Final = 100
ALWAYS_UNPACKED: Final = 8 << 20
_PIECE: Final = 4 << 20
_ACCEPTED = ".csv, .tsv, .txt (each also with .gz), .parquet, .arrow, .feather or .ipc"


def probe(path: Path) -> Literal["file", "folder", "missing"]:
    """Say what stands at a path.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    str
        "file", "folder" or "missing".

    Raises
    ------
    DataError
        If the path cannot be looked at, or is a device, a socket or a pipe.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except (OSError, ValueError) as error:
        _refuse(path, error)
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise DataError(
            where=str(path),
            expected="a file",
            got="a device, socket or pipe",
            remedy="save the data to a file first and give its name",
        )
    return "file"


def listing(folder: Path) -> list[str]:
    """Return the sorted names in a folder; DataError if it may not be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        _refuse(folder, error)


def ending(path: Path) -> str:
    """Return a file's last ending in lower case, looking through .gz.

    >>> ending(Path("Adult.CSV.gz"))
    '.csv'
    """
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def table_format(path: Path) -> Literal["text", "parquet", "arrow"]:
    """Return the format that a file's ending stands for; DataError listing the accepted ones if none."""
    known = FORMATS.get(ending(path))
    if known is None:
        raise DataError(
            where=path.name,
            expected=f"a file ending in {_ACCEPTED}",
            got=repr(path.suffix) if path.suffix else "no ending",
            remedy="convert the file to one of these or rename it",
        )
    return known


def missing(path: Path, others: tuple[str, ...] = ()) -> DataError:
    """Return the error for a path where nothing is, naming what has a similar name.

    Parameters
    ----------
    path : Path
        What was asked for.
    others : tuple of str
        Further names that would have been accepted (the bundled sets).
    """
    folder = path.parent
    if probe(folder) != "folder":
        return DataError(
            where=str(path), expected="an existing file", got=f"no folder {str(folder)!r}", remedy="check the path"
        )
    hint = closest(path.name, [*others, *(name for name in listing(folder) if not name.startswith("."))])
    if not hint.startswith("did you mean"):
        # Without a near name, the whole folder would be noise; the bundled names are few enough to list.
        hint = closest(path.name, list(others)) + " or give the path of a file" if others else "check the path"
    what = "a bundled set or an existing file" if others else "an existing file"
    return DataError(where=str(path), expected=what, got="nothing of that name", remedy=hint)


def read_bytes(path: Path) -> bytes:
    """Return the contents of a file, uncompressed if they are gzip.

    Parameters
    ----------
    path : Path
        A file; whether it is gzip is seen from its first bytes.

    Returns
    -------
    bytes
        At least one byte.

    Raises
    ------
    DataError
        If there is no such file, it is a folder, may not be read, is empty, or is gzip cut short or damaged.
    """
    found = probe(path)
    if found == "missing":
        raise missing(path)
    if found == "folder":
        raise DataError(where=str(path), expected="a file", got="a folder", remedy="name one file inside it")
    try:
        data = path.read_bytes()
    except OSError as error:
        _refuse(path, error)
    if data[:2] == b"\x1f\x8b":
        data = _unzip(data, path)
    elif data and path.suffix.lower() == ".gz":
        raise DataError(
            where=path.name,
            expected="a gzip file, as the ending .gz says",
            got="something else",
            remedy="remove .gz from its name if it is not compressed, or copy the file again",
        )
    if not data:
        raise DataError(where=path.name, expected="data", got="an empty file", remedy="copy or export the file again")
    return data


def check_unpacked(size: int, packed: int, where: str) -> None:
    """Raise a DataError if so many bytes cannot be data that came out of so few.

    Parameters
    ----------
    size, packed : int
        Bytes unpacked by now, and bytes of the file that they came from.
    where : str
        What the message calls it.
    """
    if size > max(ALWAYS_UNPACKED, MOST_TIMES * packed):
        raise DataError(
            where=where, expected=f"a gzip file that unpacks to at most {MOST_TIMES} times its size",
            got=f"{size >> 20} MiB out of its first {packed} bytes",
            remedy="unpack it yourself (gunzip) if that is right, or download the file again",
        )  # fmt: skip


def _unzip(data: bytes, path: Path) -> bytes:
    pieces, size = [], 0
    try:
        with io.BytesIO(data) as raw, gzip.open(raw) as file:
            while piece := file.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                check_unpacked(size, raw.tell(), path.name)
    except EOFError:
        got = "one that ends too early"
    except (gzip.BadGzipFile, zlib.error) as error:
        got = f"a damaged one ({error})"
    else:
        return b"".join(pieces) if len(pieces) != 1 else pieces[0]
    raise DataError(
        where=path.name, expected="a complete gzip file", got=got, remedy="copy or download the file again"
    ) from None


def _refuse(path: Path, error: OSError | ValueError) -> NoReturn:
    if isinstance(error, PermissionError):
        got, remedy = "no permission to read it", "change its permissions or copy it to where you may read it"
    else:
        got = getattr(error, "strerror", None) or str(error)
        remedy = "check the path"
    raise DataError(where=str(path), expected="something that can be read", got=got, remedy=remedy) from None
