"""Who is timed: each peer makes a function that trains one epoch of a case and returns its mean loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import layerwise as lw

from .cases import Case

Epoch = Callable[[], float]
Array = npt.NDArray[Any]


def layerwise(case: Case, X: Array, y: Array) -> Epoch:
    """Layerwise, on the engine that it takes by itself."""
    net, update = network(case), lw.Adam(case.rate) if case.update == "adam" else lw.SGD(case.rate)

    def epoch() -> float:
        model = lw.fit(net, X, y, update=update, batch_size=case.batch_size, epochs=1, shuffle=False, seed=0)
        return float(model.history[-1].train_loss)

    return epoch


def numpy(case: Case, X: Array, y: Array) -> Epoch:
    """A loop written by hand for this network alone."""
    start = network(case).initialize(seed=0, dtype="float32")
    L = len(case.sizes) - 1

    def epoch() -> float:
        theta = start.copy()
        memory = (np.zeros_like(theta.vector), np.zeros_like(theta.vector))
        gradient = start.copy()
        total = 0.0
        for t, begin in enumerate(range(0, len(X), case.batch_size), 1):
            h = [X[begin : begin + case.batch_size]]
            codes = y[begin : begin + case.batch_size]
            for k in range(1, L + 1):
                a = h[-1] @ theta.W[k].T + theta.b[k]
                h.append(np.maximum(a, 0) if k < L else a)
            f = np.exp(h[-1] - h[-1].max(axis=1, keepdims=True))
            f /= f.sum(axis=1, keepdims=True)
            rows = np.arange(len(codes))
            total -= float(np.log(f[rows, codes]).sum())
            f[rows, codes] -= 1
            grad = f / len(codes)
            for k in range(L, 0, -1):
                gradient.W[k][...] = grad.T @ h[k - 1]
                gradient.b[k][...] = grad.sum(axis=0)
                if k > 1:
                    grad = (grad @ theta.W[k]) * (h[k - 1] > 0)
            _step(case, theta.vector, gradient.vector, memory, t)
        return total / len(X)

    return epoch


def _step(case: Case, theta: Array, gradient: Array, memory: tuple[Array, Array], t: int) -> None:
    if case.update == "sgd":
        theta -= np.float32(case.rate) * gradient
        return
    mean, squares = memory
    mean += np.float32(0.1) * (gradient - mean)
    squares += np.float32(0.001) * (gradient * gradient - squares)
    rate = np.float32(case.rate / (1 - 0.9**t))
    theta -= rate * mean / (np.sqrt(squares * np.float32(1 / (1 - 0.999**t))) + np.float32(1e-8))


def scikit_learn(case: Case, X: Array, y: Array) -> Epoch:
    """scikit-learn's MLPClassifier: its own initial weights, so its loss is its own too."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    solver: dict[str, Any] = (
        {"solver": "adam"} if case.update == "adam" else {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False}
    )

    def epoch() -> float:
        model = MLPClassifier(
            case.sizes[1:-1], batch_size=case.batch_size, max_iter=1, alpha=0.0, shuffle=False, random_state=0,
            learning_rate_init=case.rate, **solver,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        return float(model.loss_curve_[-1])

    return epoch


def network(case: Case) -> lw.Network:
    """Return the case's network."""
    return lw.Network(case.sizes[0], case.sizes[1:-1], case.sizes[-1], hidden="relu", output="softmax")


#: Peers whose loss must agree with Layerwise's, then those that start elsewhere.
SAME_LOSS = {"layerwise": layerwise, "numpy": numpy}
OWN_START = {"scikit-learn": scikit_learn}
