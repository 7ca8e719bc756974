"""The reference engine: programs run step by step in NumPy, one batch after the other."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from types import TracebackType
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from ..ops import NumpyOps
from ..program import Program
from . import interface
from .checks import check_dtype, check_given, check_run, check_vectors, copied
from .interface import Array, Engine, EpochTotals, Executable, Prepared, Source


@final
class _OneThread(AbstractContextManager[None]):
    """Limits NumPy's matrix products to one thread until the last of those who asked for it is done."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.limit: Any = None

    @cached_property
    def libraries(self) -> ThreadpoolController:
        """NumPy's; all loaded libraries are looked through for them, so once."""
        return ThreadpoolController()

    def __enter__(self) -> None:
        with self.lock:
            if self.users == 0:
                self.limit = self.libraries.limit(limits=1, user_api="blas")
            self.users += 1

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limit.restore_original_limits()


_ONE_THREAD: Final = _OneThread()  # two of them, made by two threads at once, would undo each other's limits


def one_thread() -> _OneThread:
    """Keep NumPy's matrix products on one thread: their sums depend on the number, and a seed's bits must not."""
    return _ONE_THREAD


@final
class ReferenceExecutable(Executable):
    """A program that runs in NumPy.

    Parameters
    ----------
    program : Program
    dtype : float32 or float64
    """

    def __init__(self, program: Program, dtype: npt.DTypeLike) -> None:
        self.program = program
        self.dtype = check_dtype(dtype)
        self.ops = NumpyOps(self.dtype)
        self._slices = [buffer for buffer in program.buffers if buffer.vector]
        buffers = {buffer.name for buffer in program.buffers}
        self._shared = {name for name, value in program.outputs if value in buffers or value in program.views}
        self._own = [(buffer.name, buffer.role) for buffer in program.buffers if not buffer.vector]

    def run(
        self, vectors: Mapping[str, Array], source: Source, order: Array,
        bounds: Sequence[tuple[int, int]] | Array, table: Array, key: tuple[int, int], poll: Callable[[int], bool],
        before: Mapping[str, float] | None = None,
    ) -> EpochTotals:  # fmt: skip
        check_vectors(self.program, self.dtype, vectors)
        batches = check_run(self.program, source, order, bounds, table, key)
        totals = EpochTotals()
        sums = {name: before[name] if before else 0.0 for name, _ in self.program.outputs}
        views = self._views(vectors)
        asked = time.monotonic()
        with one_thread():
            for i, (start, end) in enumerate(batches.tolist()):
                rows = order[start:end]
                scalars = dict(zip(self.program.scalars, table[min(i, len(table) - 1)].tolist(), strict=True))
                given = self._gathered(source, rows, scalars, (key[0], key[1] + i))
                outputs = self.program.run(self.ops, views | given)
                numbers = {name: float(value[0]) for name, value in outputs.items()}
                counts = 1 if self.program.sums else len(rows)
                sums = {name: total + counts * numbers[name] for name, total in sums.items()}
                totals.batches += 1
                totals.rows += len(rows)
                totals.finite = math.isfinite(next(iter(numbers.values()), 0.0))
                last = totals.batches == len(batches) or not totals.finite
                if last or time.monotonic() - asked >= interface.POLL_SECONDS:
                    totals.stopped = poll(totals.batches)
                    asked = time.monotonic()
                if last or totals.stopped:
                    break
        if totals.rows:
            totals.sums = sums
        return totals

    def call(self, vectors: Mapping[str, Array], given: Mapping[str, Any]) -> dict[str, Array]:
        check_vectors(self.program, self.dtype, vectors)
        check_given(self.program, self.dtype, given)
        with one_thread():
            results = self.program.run(self.ops, {**given, **self._views(vectors)})
        return {name: np.array(value) if name in self._shared else np.asarray(value) for name, value in results.items()}

    def prepare(self, vectors: Mapping[str, Array], n: int) -> Prepared:
        check_vectors(self.program, self.dtype, vectors)
        return _ReferenceCall(self, vectors, n)

    def _views(self, vectors: Mapping[str, Array]) -> dict[str, Any]:
        return {buffer.name: buffer.view(vectors[buffer.vector]) for buffer in self._slices}

    def _gathered(
        self, source: Source, rows: Array, scalars: Mapping[str, float], key: tuple[int, int]
    ) -> dict[str, Any]:
        X, y, weights = source.gather(rows, self.dtype)
        by_role: dict[str, Any] = {
            "features": X, "targets": y, "codes": y, "weights": weights, "key": key,
            "rows": rows if source.places is None else source.places[rows],
        }  # fmt: skip
        return {name: scalars[name] if role == "scalar" else by_role[role] for name, role in self._own}


@final
class _ReferenceCall(Prepared):
    """A call that is simply made again."""

    def __init__(self, executable: ReferenceExecutable, vectors: Mapping[str, Array], n: int) -> None:
        super().__init__(executable.program, executable.dtype, vectors, n)
        self._executable = executable
        self._keys = [buffer.name for buffer in self.program.buffers if buffer.role == "key"]

    def run(self) -> None:
        scalars = dict(zip(self.program.scalars, self.scalars.tolist(), strict=True))
        keys = {name: tuple(self.given[name].tolist()) for name in self._keys}
        for name, value in self._executable.call(self.vectors, {**self.given, **scalars, **keys}).items():
            self.outputs[name][...] = value

    def run_on(self, X: Array) -> bool:
        if not copied(X, self.features):
            return False
        self.run()
        return True


@final
class ReferenceEngine(Engine):
    """Runs programs in NumPy: the definition that other engines are tested against.

    On one thread, also for several networks: NumPy's calls are so short that threads would mostly wait for the
    interpreter's lock (two take up to 1.8 times as long as one).
    """

    name = "reference"

    def load(self, program: Program, dtype: npt.DTypeLike) -> Executable:
        return ReferenceExecutable(program, dtype)
