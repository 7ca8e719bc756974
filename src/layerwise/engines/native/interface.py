"""The C interface of the compiled engine, as ctypes sees it: the structures of core/execute.hpp and core/staged.cpp."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

from .library import library

#: The order of `Number` in core/kernels.hpp.
NUMBERS: Final = ("f4", "f8", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
MESSAGE: Final = 256

_pointer = ctypes.c_void_p
_index = ctypes.c_int64


class Gather(ctypes.Structure):
    """Rows of a strided array."""

    _fields_ = [
        ("data", _pointer), ("number", ctypes.c_int32), ("row_stride", _index), ("column_stride", _index),
        ("columns", _index), ("rows", _pointer), ("count", _index),
    ]  # fmt: skip


class Source(ctypes.Structure):
    """The rows of a data set."""

    _fields_ = [
        ("rows", _index), ("features", Gather), ("targets", Gather), ("sparse_start", _pointer),
        ("sparse_column", _pointer), ("sparse_value", _pointer), ("sparse_number", ctypes.c_int32),
        ("sparse_wide", ctypes.c_int32),
        ("codes", _pointer), ("weights", _pointer), ("places", _pointer),
    ]  # fmt: skip


class Epoch(ctypes.Structure):
    """A run over batches."""

    _fields_ = [
        ("vectors", _pointer), ("source", Source), ("order", _pointer), ("bounds", _pointer), ("batches", _index),
        ("table", _pointer), ("table_rows", _index), ("seed", ctypes.c_uint64), ("first_step", ctypes.c_uint64),
        ("seconds", ctypes.c_double), ("threads", ctypes.c_int), ("sums", ctypes.c_int),
    ]  # fmt: skip


class Once(ctypes.Structure):
    """A single run on given arrays."""

    _fields_ = [
        ("vectors", _pointer), ("given", _pointer), ("n", _index), ("scalars", _pointer), ("outputs", _pointer),
        ("threads", ctypes.c_int),
    ]  # fmt: skip


class Staged(ctypes.Structure):
    """Numbers that are converted on their way into a call; see core/staged.cpp."""

    _fields_ = [
        ("numbers", _pointer), ("to", _pointer), ("count", _index), ("bytes", ctypes.c_int32),
        ("to_bytes", ctypes.c_int32),
    ]  # fmt: skip


@cache
def functions(keep_lock: bool = False) -> ctypes.CDLL:
    """Return the library with the types of its functions declared; there must be one.

    Its functions give up the interpreter's lock while they run, unless it is to be kept.
    """
    loaded = library()
    assert loaded is not None
    if keep_lock:
        loaded = ctypes.PyDLL(loaded._name, handle=loaded._handle)
    loaded.layerwise_load.argtypes = (_pointer, _index, _pointer, _index, ctypes.c_int, ctypes.c_char_p)
    loaded.layerwise_load.restype = _pointer
    loaded.layerwise_unload.argtypes, loaded.layerwise_unload.restype = (_pointer,), None
    loaded.layerwise_run.argtypes = (_pointer, _pointer, _pointer, _pointer, ctypes.c_char_p)
    loaded.layerwise_call.argtypes = (_pointer, _pointer, ctypes.c_char_p)
    loaded.layerwise_call_staged.argtypes = (_pointer, _pointer, _pointer, ctypes.c_char_p)
    return loaded
