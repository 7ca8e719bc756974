"""How long one row takes, and the first moments of a process: ``python -m benchmarks.latency``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import layerwise as lw

#: The networks by name, and the updates of the steps.
NETWORKS = {
    "784-100-10": lw.Network(784, [100], 10, hidden="sigmoid"),
    "32-64-64-10": lw.Network(32, [64, 64], 10),
}
UPDATES = {"SGD": lw.SGD(0.01), "Adam": lw.Adam(0.001)}
ROUNDS = 25
CALLS = 400
STARTS = 7
START = """
import time
started = time.perf_counter()
import layerwise as lw
imported = time.perf_counter()
lw.Network, lw.fit
named = time.perf_counter()
import numpy as np
X, y = np.random.default_rng(0).normal(size=(100, 32)), np.arange(100) % 10
net = lw.Network(32, [64, 64], 10)
ready = time.perf_counter()
lw.fit(net, X, y, epochs=1)
print(imported - started, named - started, time.perf_counter() - ready)
"""


def row_calls(net: lw.Network, generator: np.random.Generator) -> dict[str, Callable[[], Any]]:
    """Return what is timed for a network, by name; each has been called often enough to be prepared.

    The computation is the engine's call alone, on rows that lie ready: what is above it is the price of Python.
    """
    X, y = generator.normal(size=(1, net.inputs)), np.array([3])
    rows, theta = X.astype(np.float32), net.initialize(seed=0, dtype=np.float32)
    model = lw.Model(net, theta, lw.History(net.output.metric))
    calls: dict[str, Callable[[], Any]] = {
        "predict, float32": lambda: model.predict(rows),
        "predict, float64": lambda: model.predict(X),
        "net.predict, float32": lambda: net.predict(theta, rows),
    }
    computations: dict[str, Callable[[], Any]] = {}
    for name, update in UPDATES.items():
        state, twin = lw.start(net, update=update), lw.start(net, update=update)
        calls[f"step, {name}"] = lambda state=state: state.step(rows, y)
        for _ in range(3):
            twin.step(rows, y)
        computations[f"step, {name}"] = twin._prepared.ready[rows.shape].call.run
    for call in calls.values():
        for _ in range(3):
            call()
    computations["predict"] = theta.prepared[rows.shape][0].call.run
    return calls | {f"computation of {name}": call for name, call in computations.items()}


def microseconds(calls: dict[str, Callable[[], Any]], rounds: int, repeats: int) -> dict[str, float]:
    """Return the median time of each call, measured in turn."""
    seen: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(repeats):
                call()
            seen[name].append((time.perf_counter() - started) / repeats * 1e6)
    return {name: statistics.median(times) for name, times in seen.items()}


def starts(count: int) -> dict[str, float]:
    """Return medians in seconds: importing, with the first names, and the first training, each in a new process."""
    runs = [
        [float(text) for text in subprocess.check_output([sys.executable, "-c", START], text=True).split()]
        for _ in range(count)
    ]
    names = ("import layerwise", "... and Network and fit", "first fit of 100 rows")
    return {name: statistics.median(times) for name, times in zip(names, zip(*runs, strict=True), strict=True)}


def main() -> None:
    """Print microseconds of each call of one row, then milliseconds of a start."""
    generator = np.random.default_rng(0)
    for name, net in NETWORKS.items():
        print(f"{name}, one row: microseconds, medians")
        for what, median in microseconds(row_calls(net, generator), ROUNDS, CALLS).items():
            print(f"  {what:32} {median:7.2f}", flush=True)
    print("a new process: milliseconds, medians")
    for what, median in starts(STARTS).items():
        print(f"  {what:32} {1e3 * median:7.1f}")


if __name__ == "__main__":
    main()
