"""What became of the weights: how much they grew, and whether one input has all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..network import Network, Parameters
from ..network.inputs import check_inputs
from .finding import Finding, Verdict, judged, worst

#: Factors by which the norm of a layer's W may have changed, in either direction.
GROWN_LOOK: Final = 10.0
GROWN_PROBLEM: Final = 100.0
#: The share of one input, among so many inputs at least.
DOMINANT: Final = 0.5
INPUTS: Final = 5


def weight_growth(net: Network, theta: Parameters, seed: int = 0) -> Finding:
    """Compare the norm of each W^(k) with that of initial weights; also find numbers that are not finite.

    Parameters
    ----------
    net : Network
    theta : Parameters
    seed : int
        That of training gives exactly the weights that it started from; any other, weights of the same size.

    Returns
    -------
    Finding
        figures: "layers" (k), "norms", "initial_norms" and "growth", their ratios (None where W started at 0).

    Examples
    --------
    >>> net = Network(2, [3], 2)
    >>> theta = net.initialize(seed=0)
    >>> theta.W[2][...] *= 256
    >>> weight_growth(net, theta).figures["growth"]
    [1.0, 256.0]
    """
    initial = net.initialize(seed)
    layers = list(range(1, net.L + 2))
    norms = [_norm(theta.W[k]) for k in layers]
    before = [_norm(initial.W[k]) for k in layers]
    growth = [now / then if then else None for now, then in zip(norms, before, strict=True)]
    figures = {"layers": layers, "norms": norms, "initial_norms": before, "growth": growth}
    if not (np.isfinite(theta.vector).all() and np.isfinite(theta.statistics).all()):
        return judged(
            "size of the weights", "problem", "numbers that are not finite", figures,
            "Training has overflowed; nothing that the network says means anything.", "a lower --rate, --clip-norm 1",
        )  # fmt: skip
    verdicts: list[Verdict] = []
    shrunk = False
    for factor in (value for value in growth if value is not None):
        change = max(factor, 1 / factor if factor else np.inf)
        shrunk = shrunk or factor < 1 / GROWN_LOOK
        verdicts.append("ok" if change < GROWN_LOOK else "look" if change < GROWN_PROBLEM else "problem")
    seen = ", ".join(
        f"layer {k}: {norm:.3g}" + (f" ({factor:.2g} of the initial)" if factor is not None else "")
        for k, norm, factor in zip(layers, norms, growth, strict=True)
    )
    return judged(
        "size of the weights", worst(verdicts), f"norm of W, {seen}", figures,
        "Weights have shrunk to next to nothing: the penalty is stronger than the gradient that reaches them."
        if shrunk else
        "Weights have grown far beyond where they started: small changes of the input change the answer abruptly.",
        "less --l2 and --l1" if shrunk else "more --l2, a lower --rate, fewer --epochs (or --patience)",
    )  # fmt: skip


def dominant_input(net: Network, theta: Parameters, X: Any, names: Sequence[str] = ()) -> Finding:
    """Find an input that has most of what reaches the first layer: the norm of its column of W^(1) times its spread.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)
    names : sequence of str, optional
        Of the inputs.

    Returns
    -------
    Finding
        figures: "input" (its number), "name" and "share", of the sum of squares; only judged with 5 inputs or more.

    Raises
    ------
    InputError
        If X cannot be used.

    Examples
    --------
    >>> net = Network(6, [3], 2)
    >>> theta = net.initialize(seed=0)
    >>> theta.W[1][:, 2] = 10.0
    >>> found = dominant_input(net, theta, np.random.default_rng(0).normal(size=(50, 6)))
    >>> found.verdict, found.figures["input"]
    ('look', 2)
    """
    X = check_inputs(X, net)
    spread = np.asarray(X, np.float64).std(axis=0) if net.inputs * len(X) < 1 << 22 else _spread(X)
    parts = np.square(theta.W[1], dtype=np.float64).sum(axis=0) * spread**2
    whole = float(parts.sum())
    place = int(parts.argmax())
    share = float(parts[place] / whole) if whole > 0 else 0.0
    name = names[place] if names else f"input {place}"
    return judged(
        "share of the largest input", "look" if share > DOMINANT and net.inputs >= INPUTS else "ok",
        f"{name}: {share:.1%} of what reaches the first layer ({net.inputs} inputs)",
        {"input": place, "name": name, "share": share},
        "One input outweighs all others together. That may be right, or the column gives the target away: would it be "
        "known when predictions are needed?",
        "training without that column, to see what it is worth",
    )  # fmt: skip


def _norm(W: Any) -> float:
    return float(np.linalg.norm(np.asarray(W, np.float64)))


def _spread(X: Any) -> Any:
    """Return the standard deviation of every column, a block of columns at a time."""
    return np.concatenate([
        np.asarray(X[:, first : first + 256], np.float64).std(axis=0) for first in range(0, X.shape[1], 256)
    ])  # fmt: skip
