"""Images in folders: IDX files (MNIST and its relatives) and the digit files of the course."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .columns import shorten
from .dataset import DataSet, Part
from .files import listing, read_bytes
from .text import rows_of_text, text_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx([13])-ubyte(\.gz)?", re.IGNORECASE)
_COURSE = re.compile(r"digits(train|valid|test)\.txt(\.gz)?", re.IGNORECASE)
_PARTS = {"train": "train", "valid": "validation", "t10k": "test", "test": "test"}
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: NumPy has 64; more than four are hardly seen.
_MOST_DIMENSIONS = 16
_COURSE_PIXELS = 784


def is_image_file(name: str) -> bool:
    """Say whether a file's name is one of those read from an image folder.

    >>> is_image_file("t10k-labels.idx1-ubyte.gz"), is_image_file("digits.csv")
    (True, False)
    """
    return bool(_IDX.fullmatch(name) or _COURSE.fullmatch(name))


def load_images(folder: Path) -> DataSet:
    """Read a folder of IDX files or of the course's digit files.

    Parameters
    ----------
    folder : Path
        With `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, if there is a test part, `t10k-...` (also with a
        dot before idx, and with .gz); or with `digitstrain.txt`, and `digitsvalid.txt` and `digitstest.txt` if there
        are such parts (also with .gz).

    Returns
    -------
    DataSet
        Features (n, pixels): uint8 from 0 to 255 as in the IDX file, or the course's float64 from 0 to 1; labels int64.

    Raises
    ------
    DataError
        If the folder holds neither, a file of a pair is missing, a file is damaged, or counts differ.
    """
    names = listing(folder)
    idx = {(found[1].lower(), found[2].lower()): found[0] for found in _matches(_IDX, names)}
    course = {(found[1].lower(), ""): found[0] for found in _matches(_COURSE, names)}
    if not idx and not course:
        raise _nothing_here(folder, names)
    shape = (28, 28)
    parts: dict[str, Part] = {}
    for start in ("train", "valid", "t10k", "test"):
        if not any(key[0] == start for key in idx or course):
            continue
        if idx:
            images, labels = (_file(folder, idx, start, what) for what in ("images", "labels"))
            part, shape = _idx_part(images, labels, shape if parts else None)
        else:
            part = _course_part(folder / course[start, ""])
        parts[_PARTS[start]] = part
    if "train" not in parts:
        raise DataError(
            where=str(folder),
            expected="a training part (train-images-idx3-ubyte or digitstrain.txt)",
            got=f"only {', '.join(parts)}",
            remedy="put the training files into the same folder",
        )
    name = folder.resolve().name
    if len(parts) == 1:
        parts = {"all": parts["train"]}
    target_name, pixel_max = ("label", 255.0) if idx else ("digit", 1.0)
    counts = ", ".join(f"{part} {len(rows)}" for part, rows in parts.items())
    notes = (f"{name}: {shape[0]} x {shape[1]} pixels from 0 to {pixel_max:g}; {counts}",)
    return DataSet(name, "images", parts, target_name, notes, pixel_max, shape)


def read_idx(path: Path) -> NDArray[Any]:
    """Read one IDX file.

    Parameters
    ----------
    path : Path
        The file, gzip or not.

    Returns
    -------
    ndarray
        In the shape and type that its header states (big-endian types stay so); read-only.

    Raises
    ------
    DataError
        If it cannot be read, is not IDX, or its length is not what its header states.
    """
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or not 0 < data[3] <= _MOST_DIMENSIONS:
        raise DataError(
            where=path.name,
            expected=f"an IDX file (its first bytes are 0 0, a type and 1 to {_MOST_DIMENSIONS} dimensions)",
            got=f"one beginning with {data[:4].hex(' ')}",
            remedy="copy or download the file again",
        )
    kind, start = np.dtype(_IDX_TYPES[data[2]]), 4 + 4 * data[3]
    shape = tuple(int(size) for size in np.frombuffer(data[4 : min(start, len(data) // 4 * 4)], ">u4"))
    stated = start + math.prod(shape) * kind.itemsize
    if 0 in shape:
        raise DataError(
            where=path.name, expected="at least one value in every dimension", got=" x ".join(map(str, shape)),
            remedy="copy or download the file again",
        )  # fmt: skip
    if len(shape) != data[3] or len(data) != stated:
        raise DataError(
            where=path.name,
            expected=f"{_bytes(stated)}, as its header states" if len(shape) == data[3] else "a complete header",
            got=f"{len(data)} bytes",
            remedy="copy or download the file again",
        )
    return np.frombuffer(data, kind, offset=start).reshape(shape)


def _bytes(number: int) -> str:
    return f"{number} bytes" if number < 1 << 63 else "more bytes than a file can have"


def _matches(pattern: re.Pattern[str], names: list[str]) -> list[re.Match[str]]:
    # Longest first, so that where both exist, the file that needs no unpacking is the one kept.
    return [found for name in sorted(names, key=len, reverse=True) if (found := pattern.fullmatch(name))]


def _file(folder: Path, found: dict[tuple[str, str], str], start: str, what: str) -> Path:
    if (start, what) not in found:
        other = "labels" if what == "images" else "images"
        raise DataError(
            where=str(folder),
            expected=f"{start}-{what} beside {found[start, other]}",
            got="no such file",
            remedy="put it into the folder, under its usual name",
        )
    return folder / found[start, what]


def _idx_part(images: Path, labels: Path, known: tuple[int, int] | None) -> tuple[Part, tuple[int, int]]:
    pixels, target = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DataError(
            where=images.name,
            expected="images of bytes (n x rows x columns)",
            got=f"{' x '.join(map(str, pixels.shape))} of {pixels.dtype.name}",
            remedy="convert them to grey images of one byte a pixel",
        )
    if target.ndim != 1 or target.dtype.kind not in "iu" or len(target) != len(pixels):
        raise DataError(
            where=labels.name,
            expected=f"{len(pixels)} whole numbers, a label for each image of {images.name}",
            got=f"{' x '.join(map(str, target.shape))} of {target.dtype.name}",
            remedy="take both files from the same set",
        )
    shape = (int(pixels.shape[1]), int(pixels.shape[2]))
    if known not in (None, shape):
        raise DataError(
            where=images.name,
            expected="images of the same size as in training",
            got=f"{shape[0]} x {shape[1]} pixels",
            remedy="take all files from the same set",
        )
    return Part(pixels.reshape(len(pixels), -1), target.astype(np.int64)), shape


def _course_part(path: Path) -> Part:
    import polars as pl

    names = [f"pixel {k}" for k in range(1, _COURSE_PIXELS + 1)] + ["label"]
    cells = rows_of_text(text_lines(read_bytes(path), path.name), names, ",", path.name)
    numbers = cells.select(pl.all().str.strip_chars().cast(pl.Float64, strict=False))
    pixels, labels = numbers.drop("label"), numbers["label"]
    table = pixels.to_numpy()
    outside = np.argwhere(~((table >= 0) & (table <= 1)))
    if len(outside):
        row, column = (int(k) for k in outside[0])
        raise _bad_cell(path, "pixels from 0 to 1", cells[row, column], row, names[column])
    target = labels.to_numpy()
    wrong = np.flatnonzero(~((target >= 0) & (target <= 9) & (target == np.floor(target))))
    if len(wrong):
        row = int(wrong[0])
        raise _bad_cell(path, "labels from 0 to 9", cells["label"][row], row, "label")
    return Part(np.ascontiguousarray(table), target.astype(np.int64))


def _bad_cell(path: Path, expected: str, cell: str | None, row: int, column: str) -> DataError:
    return DataError(
        where=path.name,
        expected=expected,
        got=f"{shorten(cell)} in data row {row + 1}, {column}",
        remedy="copy or download the file again",
    )


def _nothing_here(folder: Path, names: list[str]) -> DataError:
    tables = [name for name in names if name.lower().endswith((".csv", ".csv.gz", ".tsv", ".parquet", ".arrow"))]
    return DataError(
        where=str(folder),
        expected="a file, or a folder of IDX (train-images-idx3-ubyte, ...) or digit files (digitstrain.txt, ...)",
        got="a folder without such files",
        remedy=f"name one file, such as {str(folder / tables[0])!r}" if tables else "check the path",
    )
