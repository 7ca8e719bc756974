"""The benchmark of one row: what it times is prepared, and it tells all that it should. Nothing depends on time."""

from __future__ import annotations

import numpy as np
from benchmarks import latency

import layerwise as lw


def test_what_is_timed_is_prepared():
    calls = latency.row_calls(lw.Network(5, [4], 4), np.random.default_rng(0))
    assert {name.removeprefix("computation of ") for name in calls} >= {"predict", "step, SGD", "step, Adam"}
    assert [np.shape(call()) for name, call in calls.items() if "predict, " in name] == [(1, 4)] * 3
    assert calls["step, Adam"]().rate == 0.001
    assert set(latency.microseconds(calls, 1, 2)) == set(calls)


def test_the_first_moments_of_a_process():
    seconds = latency.starts(1)
    assert list(seconds) == ["import layerwise", "... and Network and fit", "first fit of 100 rows"]
    assert all(value > 0 for value in seconds.values())
