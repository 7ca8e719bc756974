"""Named arrays in a safetensors file, whose header is checked before an array is made."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import numpy as np
import numpy.typing as npt

from .reading import check_digest, opened, parsed, refusal, refusing, size_of

Array = npt.NDArray[Any]
#: A shape, or None for a row of any length.
Shape = tuple[int, ...] | None
DTYPES: Final = {"F32": "float32", "F64": "float64"}
#: Bytes of a header, at most: a hundred thousand arrays have less.
MOST_HEADER: Final = 16 << 20


def tensors_to_bytes(tensors: Mapping[str, Array]) -> bytes:
    """Return named arrays of float32 or float64 as the content of a safetensors file."""
    import safetensors.numpy

    return bytes(safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))


@dataclass(frozen=True)
class Entry:
    """Where one array lies: bytes from `start`, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@final
class TensorFile:
    """An open file with its entries; none of its arrays is read before it is asked for.

    Attributes
    ----------
    entries : dict of str to Entry
    """

    def __init__(self, file: BinaryIO, where: Path) -> None:
        self._file, self.where = file, where
        total = size_of(file)
        length = struct.unpack("<Q", file.read(8))[0] if total >= 8 else total
        if length > min(total - 8, MOST_HEADER):
            raise refusal(where, "a safetensors file", f"{total} bytes with a header of {length}")
        self._begin = 8 + length
        header = parsed(file.read(length), where)
        with refusing(where, "a safetensors file"):
            header.pop("__metadata__", None)
            self.entries = {name: _entry(data) for name, data in header.items()}
        place = 0
        for name, entry in sorted(self.entries.items(), key=lambda item: (item[1].start, item[1].size)):
            if entry.start != place:
                raise refusal(where, "arrays one after the other", f"{name} at {entry.start}, not {place}")
            place += entry.size
        if self._begin + place != total:
            raise refusal(where, f"{self._begin + place} bytes, as the header says", total)

    def check(self, dtype: str, wanted: Mapping[str, Shape]) -> None:
        """Refuse the file unless it has exactly these arrays of one type."""
        found = {name: entry.shape for name, entry in self.entries.items()}
        fits = found.keys() == wanted.keys() and all(
            found[name] == shape or (shape is None and len(found[name]) == 1) for name, shape in wanted.items()
        )
        if not fits or any(entry.dtype != dtype for entry in self.entries.values()):
            raise refusal(self.where, f"the {dtype} arrays {wanted}", found)

    def read_into(self, name: str, array: Array) -> None:
        """Fill a contiguous array of the type and size of the one in the file."""
        entry = self.entries[name]
        assert array.flags.c_contiguous
        assert (array.size, array.dtype.name) == (math.prod(entry.shape), entry.dtype)
        self._file.seek(self._begin + entry.start)
        if array.size and self._file.readinto(array.data.cast("B")) != entry.size:  # type: ignore[attr-defined]
            raise refusal(self.where, f"{entry.size} bytes of {name}", "fewer")

    def read(self, name: str) -> Array:
        """Return one array, which may hold anything."""
        entry = self.entries[name]
        array = np.empty(entry.shape, entry.dtype)
        self.read_into(name, array)
        return array


@contextmanager
def tensor_file(folder: Path, name: str, digest: str | None, most: int) -> Iterator[TensorFile]:
    """Open a file of arrays, once its checksum is found to be right; `most` bytes of arrays are expected in it."""
    with opened(folder, name) as file:
        if (size := size_of(file)) > most + MOST_HEADER:  # a hole of terabytes takes no disk, but time to read
            raise refusal(folder / name, f"at most {most + MOST_HEADER} bytes", size)
        check_digest(file, digest, folder / name)
        yield TensorFile(file, folder / name)


def _entry(data: Any) -> Entry:
    match data:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(start), int(stop)]} if dtype in DTYPES:
            if (
                len(shape) < 3
                and all(type(n) is int and n >= 0 for n in shape)
                and type(start) is type(stop) is int
                and start >= 0
            ):
                made = Entry(DTYPES[dtype], tuple(shape), start)
                if made.start + made.size == stop:
                    return made
    raise ValueError(data)


def finite(array: Array, where: Path) -> None:
    """Refuse parameters with NaN or infinity among them."""
    if not np.isfinite(array).all():
        raise refusal(where, "finite parameters", "NaN or infinity")
