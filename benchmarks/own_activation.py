"""A user's own activation against the built-in one of the same formula: ``python -m benchmarks.own_activation``."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import layerwise as lw

#: As a user would write them, with the derivative that follows from the formula.
OWN: dict[str, Callable[..., Any]] = {
    "relu": lambda s, a: s.max(a, 0),
    "tanh": lambda s, a: s.tanh(a),
    "sigmoid": lambda s, a: 1 / (1 + s.exp(-a)),
    "silu": lambda s, a: a / (1 + s.exp(-a)),
    "elu": lambda s, a: s.where(a > 0, a, s.expm1(s.min(a, 0))),
    "gelu": lambda s, a: a * (0.5 + 0.5 * s.erf(a * math.sqrt(0.5))),
    "softplus": lambda s, a: s.max(a, 0) + s.log1p(s.exp(-s.abs(a))),
    "mish": lambda s, a: a * s.tanh(s.max(a, 0) + s.log1p(s.exp(-s.abs(a)))),
}
ROUNDS = 7


def main() -> None:
    """Print, for each formula and batch size, the ratio of times and how far the parameters are apart."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(6400, 32)).astype(np.float32), generator.integers(0, 10, 6400)
    print("own / built-in, 32-64-64-10, medians of time; largest difference of a parameter")
    for batch_size in (1, 32, 256):
        rows = slice(0, 3000 if batch_size == 1 else 6400)
        for name, formula in OWN.items():
            seconds: dict[str, list[float]] = {"own": [], "built-in": []}
            theta = {}
            for _ in range(ROUNDS):
                for kind, hidden in (("own", formula), ("built-in", name)):
                    net = lw.Network(32, [64, 64], 10, hidden=hidden)
                    started = time.perf_counter()
                    model = lw.fit(net, X[rows], y[rows], update=lw.SGD(0.01), batch_size=batch_size, epochs=2, seed=0)
                    seconds[kind].append(time.perf_counter() - started)
                    theta[kind] = model.parameters.vector
            ratio = statistics.median(seconds["own"]) / statistics.median(seconds["built-in"])
            apart = float(np.abs(theta["own"] - theta["built-in"]).max())
            print(f"B={batch_size:<4} {name:9} {ratio:.2f}x   {apart:.1e}", flush=True)


if __name__ == "__main__":
    main()
