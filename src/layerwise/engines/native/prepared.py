"""A call of the compiled library made ready once: every address is known, so that nothing is left but to call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import numpy as np

from ...program import Program
from ..checks import check_vectors, whole_numbers
from ..interface import Array, Prepared
from . import interface
from .encoding import Encoded
from .interface import functions
from .library import threads

#: Products of rows and entries of vectors up to which several threads would not share the work (core/execute.hpp), so
#: that their number need not be looked up. What writes vectors goes over each entry several times more.
ALONE: Final = 1 << 17
ALONE_WRITING: Final = 3 << 13


@final
class NativeCall(Prepared):
    """A program, its vectors and a number of rows, with everything that `layerwise_call` takes.

    Parameters
    ----------
    program, dtype, vectors, n
        See `Executable.prepare`.
    encoded : Encoded
    loaded : callable () -> int
        The handle of the program in this process.
    refused : callable (message) -> Exception
    """

    def __init__(
        self, program: Program, dtype: np.dtype[Any], vectors: Mapping[str, Array], n: int, encoded: Encoded,
        loaded: Callable[[], int], refused: Callable[[Any], Exception],
    ) -> None:  # fmt: skip
        super().__init__(program, dtype, vectors, n)
        self._loaded, self._refused = loaded, refused
        self._written = [self.vectors[name] for name in program.vectors_written]
        self._addresses = [
            _addresses(self.vectors[name] for name in encoded.vectors),
            _addresses(self.given[name] for name in encoded.given),
            _addresses(self.outputs.values()),
        ]
        of_vectors, of_given, of_outputs = (ctypes.addressof(array) for array in self._addresses)
        self._once = interface.Once(of_vectors, of_given, n, self.scalars.ctypes.data, of_outputs, 1)
        self._where = ctypes.c_void_p(ctypes.addressof(self._once))
        self._message = ctypes.create_string_buffer(interface.MESSAGE)
        library = functions()
        self._call, self._call_staged = library.layerwise_call, library.layerwise_call_staged
        self._stages = {np.dtype(kind).char: _Stage(kind, self.features) for kind in (np.float32, np.float64)}
        work = n * sum(program.vectors.values())
        self._alone = work <= (ALONE_WRITING if self._written else ALONE)

    def run(self) -> None:
        self._check()
        if self._call(self._loaded(), self._where, self._message):
            raise self._refused(self._message)

    def run_on(self, X: Array) -> bool:
        stage = self._stages.get(X.dtype.char)
        if stage is None:
            if not whole_numbers(X, self.features):
                return False
            self.run()
            return True
        stage.numbers[...] = X
        self._check()
        failed = self._call_staged(self._loaded(), self._where, stage.where, self._message)
        if failed == 1:
            raise self._refused(self._message)
        return not failed

    def _check(self) -> None:
        for vector in self._written:
            if not vector.flags.writeable:
                check_vectors(self.program, self.dtype, self.vectors)
        if not self._alone:
            self._once.threads = threads()


@final
class _Stage:
    """Where numbers of one type wait to be converted into an array of the call."""

    def __init__(self, kind: type[np.floating[Any]], to: Array) -> None:
        self.numbers = np.zeros(to.shape, kind)
        self.described = interface.Staged(
            self.numbers.ctypes.data, to.ctypes.data, to.size, self.numbers.itemsize, to.itemsize
        )
        self.where = ctypes.c_void_p(ctypes.addressof(self.described))


def _addresses(arrays: Any) -> ctypes.Array[ctypes.c_void_p]:
    addresses = [array.ctypes.data for array in arrays]
    return (ctypes.c_void_p * max(len(addresses), 1))(*addresses)
