"""How the gradient changes on its way back through the layers: vanishing and exploding gradients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_targets
from ..training.evaluation import cut
from .finding import Finding, Verdict, judged, worst

#: Factors by which grad_a of a layer may differ from that of the output: beyond the first is unusual, beyond the second
#: a layer learns at a wholly different pace.
LOOK: Final = 1e3
PROBLEM: Final = 1e5


def gradient_flow(net: Network, theta: Parameters, X: Any, y: Any, where: str = "gradients by layer") -> Finding:
    """Compare the root mean square of grad_a^(k), k = 1..L, with that of the output layer (course-map row 17).

    Hochreiter (1991) and Glorot and Bengio (2010) describe why they vanish or explode with depth.

    Parameters
    ----------
    net : Network
    theta : Parameters
        Trained ones, or those that training starts from.
    X : array (n, inputs)
    y : array (n,) of class codes, or (n, targets)
    where : str
        The name of the check.

    Returns
    -------
    Finding
        figures: "layers" (k), "rms_grad_a", "rms_grad_W", "grad_W_to_W" (the ratio of their root mean squares, None
        where W is 0) and "ratio" (rms of grad_a^(k) to that of the output layer, None where that is 0).

    Raises
    ------
    InputError
        If theta, X or y cannot be used.

    Examples
    --------
    >>> net = Network(2, [3, 3], 2, hidden="sigmoid")
    >>> theta = net.initialize(seed=0)
    >>> theta.W[3][...] *= 1e-7  # then next to nothing comes back through it
    >>> gradient_flow(net, theta, [[0.5, -1.0], [2.0, 0.1]], [0, 1]).verdict
    'problem'
    """
    X = check_inputs(X, net)
    y = check_targets(y, net, len(X))
    last = net.L + 1
    squares = dict.fromkeys(range(1, last + 1), 0.0)
    grad_W = {k: np.zeros(theta.W[k].shape) for k in squares}
    with np.errstate(all="ignore"):
        for first, end in cut(len(X), net.piece):
            trace = net.trace(theta, X[first:end], y[first:end])
            for k in squares:
                squares[k] += float(np.square(trace.grad_a[k], dtype=np.float64).sum())
                grad_W[k] += trace.grad_W[k] * ((end - first) / len(X))
        rms_a = [float(np.sqrt(squares[k] / (len(X) * net.sizes[k]))) for k in squares]
        rms_W = [float(np.sqrt(np.square(grad_W[k]).mean())) for k in squares]
        weights = [float(np.sqrt(np.square(theta.W[k], dtype=np.float64).mean())) for k in squares]
    ratios = [value / rms_a[-1] if rms_a[-1] else None for value in rms_a]
    figures = {
        "layers": list(squares), "rms_grad_a": rms_a, "rms_grad_W": rms_W, "ratio": ratios,
        "grad_W_to_W": [g / w if w else None for g, w in zip(rms_W, weights, strict=True)],
    }  # fmt: skip
    verdicts: list[Verdict] = ["ok"]
    vanishing = exploding = False
    for value in rms_a:
        if not np.isfinite(value):
            verdicts, exploding = ["problem"], True
    if rms_a[-1] and not exploding:
        for ratio in (value / rms_a[-1] for value in rms_a):
            vanishing, exploding = vanishing or ratio < 1 / LOOK, exploding or ratio > LOOK
            outside = max(ratio, 1 / ratio if ratio else np.inf)
            verdicts.append("ok" if outside <= LOOK else "look" if outside <= PROBLEM else "problem")
    seen = "rms of grad_a from layer 1 to the output: " + ", ".join(f"{value:.1e}" for value in rms_a)
    if not rms_a[-1]:
        seen += " (no loss is left, so nothing flows)"
    meaning = (
        "The gradient grows by orders of magnitude on its way back, so that one rate cannot suit all layers."
        if exploding else "Hardly any gradient reaches the first layers, so that they learn next to nothing."
    )  # fmt: skip
    remedy = (
        "--clip-norm 1, a lower --rate, --batch-norm" if exploding
        else "--activation relu, --batch-norm, or fewer layers in --hidden"
    )  # fmt: skip
    return judged(where, worst(verdicts), seen, figures, meaning, remedy)
