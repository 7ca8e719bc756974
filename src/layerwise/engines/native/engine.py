"""The native engine: programs run by the compiled library, whole epochs in one call."""

from __future__ import annotations

import ctypes
import math
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ...errors import InputError, SpecificationError
from ...ops.sparse import SparseRows
from ...program import Program
from .. import interface as engine_interface
from ..checks import check_dtype, check_given, check_run, check_vectors
from ..interface import Array, Engine, EpochTotals, Executable, Prepared, Source, sizes
from . import interface
from .encoding import encode
from .interface import NUMBERS, functions
from .library import code_path, threads
from .prepared import NativeCall

#: The order of `CodePath` in core/kernels.hpp.
CODE_PATHS = ("portable", "avx2", "avx512")
#: Rows converted in one go where the library does not know their type.
STAGED_BYTES = 1 << 22
#: A run that takes less keeps the interpreter's lock: to get it back from another thread takes longer than the run.
BRIEF_SECONDS = 30e-6
#: Roughly what a run takes for each batch, and for each row and number of theta and the other vectors.
SECONDS_A_BATCH, SECONDS_A_NUMBER = 1e-6, 5e-11


@final
class NativeExecutable(Executable):
    """A program that the library has read and checked.

    Parameters
    ----------
    program : Program
    dtype : float32 or float64
    path : str
        The instruction set to run on.

    Raises
    ------
    SpecificationError
        If the library refuses the program.
    """

    def __init__(self, program: Program, dtype: npt.DTypeLike, path: str) -> None:
        self.program = program
        self.dtype = check_dtype(dtype)
        self.code_path = path
        self.encoded = encode(program, self.dtype)
        self._handle = (-1, 0)  # the generation that loaded it, and what the library knows it by
        self._loaded()
        buffers = {buffer.name: buffer for buffer in program.buffers}
        self._given = [buffers[name] for name in self.encoded.given]
        self._numbers = sum(program.vectors.values())

    def _loaded(self) -> int:
        """Return the library's handle; a child of a fork loads its own, as its parent's may be in mid-run."""
        generation, handle = self._handle
        if generation != _generation:
            generation = _generation
            handle = load_plan(self.encoded.code, self.encoded.constants, self.code_path, self.program.name)
            weakref.finalize(self, _unload, handle, generation).atexit = False  # other threads may be running it then
            self._handle = generation, handle
        return handle

    def run(
        self, vectors: Mapping[str, Array], source: Source, order: Array,
        bounds: Sequence[tuple[int, int]] | Array, table: Array, key: tuple[int, int], poll: Callable[[int], bool],
        before: Mapping[str, float] | None = None,
    ) -> EpochTotals:  # fmt: skip
        check_vectors(self.program, self.dtype, vectors)
        batches = check_run(self.program, source, order, bounds, table, key)
        totals = EpochTotals()
        names = [name for name, _ in self.encoded.outputs]
        sums = np.array([before[name] if before else 0.0 for name in names] or [0.0])
        order, table = np.require(order, requirements=("C", "A")), np.require(table, requirements=("C", "A"))
        kept: list[Array] = []  # what the library reads from must live as long
        known = _is_known(source.X) and _is_known(source.y)
        if known:
            (described, kept), places, stop = _remembered(source), order, len(batches)
        while totals.batches < len(batches):
            if not known:
                stop = self._staged_until(source, batches, totals.batches)
                part, places = self._staged(source, order, batches, totals.batches, stop)
                described, kept = _described(part)
            start = totals.batches
            self._run_part(vectors, described, places, batches[:stop], table, key, totals, sums)
            last = totals.batches == len(batches) or not totals.finite
            totals.stopped = bool(poll(totals.batches))
            if last or totals.stopped:
                break
            assert totals.batches > start
        del kept
        if totals.rows:
            totals.sums = dict(zip(names, sums.tolist(), strict=False))
        return totals

    def _run_part(
        self, vectors: Mapping[str, Array], source: interface.Source, order: Array, batches: Array, table: Array,
        key: tuple[int, int], totals: EpochTotals, sums: Array,
    ) -> None:  # fmt: skip
        """Run batches from where the totals are, for the time between two questions; add to the totals."""
        first = totals.batches
        bounds = batches[first:]
        rows = table[first:] if len(table) > 1 else table
        addresses = self._addresses(vectors)
        epoch = interface.Epoch(
            ctypes.addressof(addresses), source, order.ctypes.data, bounds.ctypes.data, len(bounds),
            rows.ctypes.data, len(rows), key[0], key[1] + first, engine_interface.POLL_SECONDS, threads(),
            int(self.program.sums),
        )  # fmt: skip
        done = np.zeros(3, np.int64)
        message = ctypes.create_string_buffer(interface.MESSAGE)
        numbers = int(bounds[-1, 1] - bounds[0, 0]) * self._numbers
        brief = numbers * SECONDS_A_NUMBER + len(bounds) * SECONDS_A_BATCH < BRIEF_SECONDS
        failed = functions(keep_lock=brief).layerwise_run(
            self._loaded(), ctypes.addressof(epoch), sums.ctypes.data, done.ctypes.data, message
        )
        if failed:
            raise self._refused(message)
        totals.batches += int(done[0])
        totals.rows += int(done[1])
        totals.finite = bool(done[2])

    def _staged_until(self, source: Source, batches: Array, first: int) -> int:
        """Return how many batches to have converted after the next stage: as many as fit in a few megabytes."""
        width = 8 * (math.prod(source.X.shape[1:]) + math.prod(source.y.shape[1:]))
        rows = np.cumsum(batches[first:, 1] - batches[first:, 0])
        return first + max(1, int(np.searchsorted(rows * width, STAGED_BYTES)))

    def _staged(self, source: Source, order: Array, batches: Array, first: int, stop: int) -> tuple[Source, Array]:
        """Convert the rows of some batches in NumPy; return them as a source, and the order that leads to them."""
        begin, end = int(batches[first:stop, 0].min()), int(batches[first:stop, 1].max())
        rows = order[begin:end]
        X, y, _ = source.gather(rows, self.dtype)
        places = rows if source.places is None else source.places[rows]
        weights = None if source.weights is None else source.weights[rows]
        staged = np.zeros(end, np.int64)
        staged[begin:] = np.arange(end - begin)
        return Source(X, y, weights, places), staged

    def call(self, vectors: Mapping[str, Array], given: Mapping[str, Any]) -> dict[str, Array]:
        check_vectors(self.program, self.dtype, vectors)
        check_given(self.program, self.dtype, given)
        n = 0
        arrays: list[Array] = []
        for buffer in self._given:
            value = given[buffer.name]
            if buffer.role == "key":
                value = np.array(value, np.uint64)
            elif buffer.shape and isinstance(buffer.shape[0], str):
                n = len(value) // int(buffer.shape[0][:-1] or 1)
            arrays.append(value)
        outputs = {name: np.empty(sizes(shape, n), self.dtype) for name, shape in self.encoded.outputs}
        scalars = (ctypes.c_double * max(len(self.program.scalars), 1))(*(given[s] for s in self.program.scalars))
        addresses = self._addresses(vectors)
        inputs = (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))
        results = (ctypes.c_void_p * max(len(outputs), 1))(*(array.ctypes.data for array in outputs.values()))
        once = interface.Once(
            ctypes.addressof(addresses), ctypes.addressof(inputs), n, ctypes.addressof(scalars),
            ctypes.addressof(results), threads(),
        )  # fmt: skip
        message = ctypes.create_string_buffer(interface.MESSAGE)
        if functions().layerwise_call(self._loaded(), ctypes.addressof(once), message):
            raise self._refused(message)
        return outputs

    def prepare(self, vectors: Mapping[str, Array], n: int) -> Prepared:
        check_vectors(self.program, self.dtype, vectors)
        return NativeCall(self.program, self.dtype, vectors, n, self.encoded, self._loaded, self._refused)

    def _refused(self, message: Any) -> InputError:
        return InputError(
            where=self.program.name, expected="arrays that the program can run on", got=_text(message),
            remedy="correct the array",
        )  # fmt: skip

    def _addresses(self, vectors: Mapping[str, Array]) -> ctypes.Array[ctypes.c_void_p]:
        names = self.encoded.vectors
        return (ctypes.c_void_p * max(len(names), 1))(*(vectors[name].ctypes.data for name in names))


#: How many forks this process is away from the one that imported this module.
_generation = 0


def _forked() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _unload(handle: int, generation: int) -> None:
    if generation == _generation:
        functions().layerwise_unload(handle)


def load_plan(code: Array, constants: Array, path: str, where: str) -> int:
    """Have the library read and check a plan; return its handle.

    Raises
    ------
    SpecificationError
        If the plan is refused.
    """
    message = ctypes.create_string_buffer(interface.MESSAGE)
    handle = functions().layerwise_load(
        code.ctypes.data, len(code), constants.ctypes.data, len(constants), CODE_PATHS.index(path), message
    )
    if not handle:
        raise SpecificationError(
            where=where, expected="a program that the compiled engine can run", got=_text(message),
            remedy="set LAYERWISE_ENGINE=reference to go round it, and report it",
        )  # fmt: skip
    return int(handle)


def _text(message: Any) -> str:
    text: str = message.value.decode(errors="replace")
    return text


def _is_known(array: Array | SparseRows) -> bool:
    return isinstance(array, SparseRows) or (_number(array.dtype) in NUMBERS and array.dtype.isnative)


def _number(dtype: np.dtype[Any]) -> str:
    return "u1" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize}"


def _gather(array: Array, columns: int) -> interface.Gather:
    strides = (array.strides[0], array.strides[1] if array.ndim > 1 else 0)
    return interface.Gather(array.ctypes.data, NUMBERS.index(_number(array.dtype)), *strides, columns, None, 0)


#: Sources as the library sees them: the same one is run over epoch after epoch.
_known_sources: weakref.WeakKeyDictionary[Source, tuple[interface.Source, list[Array]]] = weakref.WeakKeyDictionary()


def _remembered(source: Source) -> tuple[interface.Source, list[Array]]:
    described = _known_sources.get(source)
    if described is None:
        described = _known_sources[source] = _described(source)
    return described


def _described(source: Source) -> tuple[interface.Source, list[Array]]:
    """Return the source as the library sees it, and the arrays that must live as long."""
    described = interface.Source(rows=len(source))
    kept: list[Array] = []

    def address(array: Array, dtype: type[np.generic]) -> int:
        kept.append(np.require(array, dtype, ("C", "A")))
        return kept[-1].ctypes.data

    X: Any = source.X
    if isinstance(X, SparseRows):
        wide = X.columns.dtype.itemsize == 8
        described.features = interface.Gather(columns=X.shape[1])
        described.sparse_start = address(X.starts, X.columns.dtype.type)
        described.sparse_column, described.sparse_wide = X.columns.ctypes.data, int(wide)
        described.sparse_value, described.sparse_number = X.values.ctypes.data, NUMBERS.index(_number(X.values.dtype))
    else:
        described.features = _gather(X, X.shape[1])
    if source.y.ndim == 1:
        described.codes = address(source.y, np.int64)
    else:
        described.targets = _gather(source.y, source.y.shape[1])
    if source.weights is not None:
        described.weights = address(source.weights, np.float64)
    if source.places is not None:
        described.places = address(source.places, np.int64)
    return described, kept


@final
class NativeEngine(Engine):
    """Runs programs in the compiled library."""

    name = "native"

    @property
    def variant(self) -> str:
        """The instruction set."""
        return code_path()

    @property
    def threads(self) -> int:
        """As many as this process, or this thread of it, is allowed."""
        return threads()

    def load(self, program: Program, dtype: npt.DTypeLike) -> Executable:
        return NativeExecutable(program, dtype, code_path())
