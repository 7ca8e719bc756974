"""The peak: operations a second of a large matrix product, the best of NumPy's and Layerwise's own.

Either may take slow kernels on some processor; dividing by the slower one would raise the floor and flatter the shares.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from layerwise.engines import Executable, engine
from layerwise.program import Recorder

from .cases import Array
from .machine import seconds

#: Inner size and columns of both products.
PRODUCT = 1024
#: Rows of NumPy's product, and of Layerwise's: so many that packing W at the beginning of a call does not show.
NUMPY_ROWS, OWN_ROWS = 1024, 4096
NUMPY, OWN = "NumPy", "Layerwise"


def product_peaks(repetitions: int = 2) -> dict[str, float]:
    """Return float32 operations a second of both products, by whose they are: the best of several repetitions."""
    return {NUMPY: numpy_product(repetitions), OWN: own_product(repetitions)}


def greatest(peaks: dict[str, float]) -> tuple[str, float]:
    """Return whose product is the fastest, and its operations a second."""
    return max(peaks.items(), key=lambda item: item[1])


def numpy_product(repetitions: int) -> float:
    """Return operations a second of NumPy's product."""
    a, b = _operands(NUMPY_ROWS)
    out = np.empty((NUMPY_ROWS, PRODUCT), np.float32)
    return _operations(NUMPY_ROWS) / min(seconds(lambda: np.matmul(a, b, out=out)) for _ in range(repetitions))


def own_product(repetitions: int) -> float:
    """Return operations a second of Layerwise's product, on the engine that it takes by itself."""
    h, W = _operands(OWN_ROWS)
    program = _loaded(engine().variant)
    return _operations(OWN_ROWS) / min(
        seconds(lambda: program.call({}, {"h": h, "W": W})) for _ in range(repetitions)
    )  # fmt: skip


@cache
def _loaded(variant: str) -> Executable:
    """Return W h ready to run; its entries are summed at once, so that no time goes into handing them to Python."""
    recorder = Recorder()
    h, W = recorder.buffer("h", ("n", PRODUCT), "input"), recorder.buffer("W", (PRODUCT, PRODUCT), "parameter")
    a = recorder.matmul(h, W, transpose_b=True)
    return engine().load(recorder.program("product", {"sum": recorder.sum_all(a)}), np.float32)


@cache
def _operands(rows: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    return (
        generator.standard_normal((rows, PRODUCT), dtype=np.float32),
        generator.standard_normal((PRODUCT, PRODUCT), dtype=np.float32),
    )


def _operations(rows: int) -> int:
    return 2 * rows * PRODUCT**2
