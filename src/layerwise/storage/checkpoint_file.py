"""The file of a checkpoint: safetensors with JSON in its header, and a checksum over both."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import StorageError
from .reading import one_line

Array = npt.NDArray[Any]
#: (document, name to shape of the arrays in the file) -> what is wanted: name to (type, shape); None is any length.
Wanted = Callable[[dict[str, Any], dict[str, tuple[int, ...]]], dict[str, tuple[str, Any]]]

FORMAT: Final = "layerwise-checkpoint"
VERSION: Final = 1
#: Bytes of the header that are looked at, and numbers in an array that may have any number of rows.
MOST_HEADER, MOST_NUMBERS = 2**22, 10**8
TYPES: Final = {"F32": "float32", "F64": "float64", "I64": "int64", "BOOL": "bool"}
REMEDY: Final = "begin anew or restore the file"


@dataclass(frozen=True)
class Content:
    """What was read: the JSON document, and the arrays by name."""

    document: dict[str, Any]
    arrays: dict[str, Array]


def to_bytes(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Return the file of a document and arrays.

    >>> to_bytes({"epoch": 3}, {"theta": np.zeros(2)})[8:24]
    b'{"__metadata__":'
    """
    import safetensors.numpy

    document = {"format": FORMAT, "version": VERSION, **document}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return safetensors.numpy.save(whole, {"checkpoint": text, "sha256": _checksum(text, whole)})


def _checksum(text: str, arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def read_file(path: Path, wanted: Wanted) -> Content:
    """Read a checkpoint; no more than the wanted arrays is ever brought into memory.

    Parameters
    ----------
    path : Path
    wanted : callable
        Given what is there, returns which arrays there have to be; or raises.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or something else.
    """
    import safetensors

    where = str(path)
    try:
        if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # a pipe would be waited for
            raise StorageError(where=where, expected="a checkpoint", got="something that is no file", remedy=REMEDY)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEADER:
            raise StorageError(where=where, expected="a checkpoint", got=f"a header of {length} bytes", remedy=REMEDY)
        with safetensors.safe_open(path, "numpy") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            shapes = {name: tuple(part.get_shape()) for name, part in found.items()}
            types = {name: TYPES.get(part.get_dtype(), part.get_dtype()) for name, part in found.items()}
            texts = file.metadata() or {}
            document = _document(where, texts)
            _check(where, shapes, types, wanted(document, shapes))
            arrays = {name: file.get_tensor(name) for name in found}
    except safetensors.SafetensorError as problem:
        raise StorageError(where=where, expected="a checkpoint", got=one_line(problem), remedy=REMEDY) from problem
    except OSError as problem:
        if isinstance(problem, StorageError):
            raise
        got = (problem.strerror or str(problem)).lower()
        raise StorageError(where=where, expected="a checkpoint", got=got, remedy="check the path") from problem
    if _checksum(texts["checkpoint"], arrays) != texts.get("sha256"):
        raise StorageError(where=where, expected="the file that was written", got="a damaged one", remedy=REMEDY)
    return Content(document, arrays)


def _document(where: str, texts: Mapping[str, str]) -> dict[str, Any]:
    try:
        document = json.loads(texts.get("checkpoint", "null"))
    except (ValueError, RecursionError) as problem:
        raise StorageError(where=where, expected="JSON", got=one_line(problem), remedy=REMEDY) from problem
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StorageError(where=where, expected="a checkpoint", got="something else", remedy=REMEDY)
    if document.get("version") != VERSION:
        got = repr(document.get("version"))[:40]
        raise StorageError(where=where, expected=f"version {VERSION}", got=got, remedy="update Layerwise")
    return document


def _check(
    where: str, shapes: dict[str, tuple[int, ...]], types: dict[str, str], wanted: dict[str, tuple[str, Any]]
) -> None:
    """Raise a StorageError unless names, types and shapes are the wanted ones."""
    for name in sorted({*shapes, *wanted}):
        expected, got = wanted.get(name), (types[name], shapes[name]) if name in shapes else None
        if expected is None or got is None or not _fits(got, expected):
            raise StorageError(
                where=where, expected=_said(name, expected), got=_said(name, got),
                remedy="give the network and settings that it was written with, or begin anew",
            )  # fmt: skip


def _said(name: str, what: tuple[str, Any] | None) -> str:
    if what is None:
        return f"no {name[:40]}"
    return f"{name[:40]} of {what[0]} {'x'.join('n' if size is None else str(size) for size in what[1])}"


def _fits(got: tuple[str, tuple[int, ...]], wanted: tuple[str, Any]) -> bool:
    if got[0] != wanted[0] or len(got[1]) != len(wanted[1]):
        return False
    return all(size is None or n == size for n, size in zip(got[1], wanted[1], strict=True)) and (
        None not in wanted[1] or math.prod(got[1]) <= MOST_NUMBERS
    )
