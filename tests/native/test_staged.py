"""Rows that are converted on their way into a call: the numbers that NumPy makes of them, or a refusal and no run."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.engines.native.engine import NativeExecutable
from layerwise.ops import expression
from layerwise.program import Recorder

LARGEST = float(np.finfo("f4").max)
ROUNDED_TO_INFINITY = 3.4028235677973366e38  # halfway from the largest float32 to what would be the next one
COLUMNS = 37


@pytest.fixture(scope="module")
def same(path, dtype):
    """A call that returns its features, and writes 1 into a vector when it runs."""
    recorder = Recorder()
    h = recorder.buffer("h", ("n", COLUMNS), "features")
    ran = recorder.buffer("ran", (1,), "memory", "ran", 0)
    recorder.write(ran, recorder.map(expression(lambda s, x: 0 * x + 1), ran))
    program = recorder.program("same", {"h": recorder.map(expression(lambda s, x: x * 1), h)})
    vectors = {"ran": np.zeros(1, dtype)}
    return NativeExecutable(program, dtype, path).prepare(vectors, 2), vectors["ran"]


def rows(seed=0, kind="f8"):
    return np.random.default_rng(seed).normal(size=(2, COLUMNS)).astype(kind)


@pytest.mark.parametrize("kind", ["f4", "f8", ">f4", ">f8", "i8", "u1", "?"])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2]])
def test_numbers_are_those_that_numpy_makes(kind, layout, same, dtype):
    call, ran = same
    ran[0] = 0
    X = layout((3 * rows()).astype(kind))
    assert call.run_on(X)
    assert ran[0] == 1
    assert call.outputs["h"].tobytes() == (X.astype(dtype) * dtype.type(1)).tobytes()


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, -1e-46, 5e-324, 1e-40, LARGEST, -LARGEST, 3.40282351e38])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_ends_of_what_is_finite(value, kind, same, dtype):
    call, _ = same
    X = rows(1, kind)
    X[1, -1] = value
    assert call.run_on(X)
    assert call.features.tobytes() == X.astype(dtype).tobytes()


@pytest.mark.parametrize("at", [0, 15, 36, 37, 73])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_what_is_not_finite_does_not_run(value, at, kind, same):
    call, ran = same
    ran[0] = 0
    X = rows(2, kind)
    X.flat[at] = value
    assert not call.run_on(X)
    assert ran[0] == 0


@pytest.mark.parametrize("value", [ROUNDED_TO_INFINITY, -1e39, 1e308])
def test_too_large_for_float32(value, same, dtype):
    call, ran = same
    ran[0] = 0
    X = rows(3)
    X[0, 5] = value
    assert call.run_on(X) == (dtype == np.float64)
    assert ran[0] == (dtype == np.float64)


@pytest.mark.parametrize("kind", ["f2", "g", "c16", "O", "U3"])
def test_other_types_are_left_to_others(kind, same):
    call, ran = same
    ran[0] = 0
    assert not call.run_on(rows().astype(kind))
    assert ran[0] == 0
