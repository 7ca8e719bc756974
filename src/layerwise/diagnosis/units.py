"""Hidden units that do nothing: dead, saturated or constant over the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_parameters
from ..network.propagation import Values, forward
from ..ops import NumpyOps
from ..rules.activations import Activation
from ..training.evaluation import cut
from .finding import Finding, above, judged

Array = npt.NDArray[Any]
#: Shares of a layer's units from which on it is looked at, and from which on it is a problem.
LOOK: Final = 0.25
PROBLEM: Final = 0.75
#: A unit is saturated where |g'| is below this share of 1 in so many of the rows.
SLOPE: Final = 0.02
ROWS: Final = 0.95
#: h is constant if it varies by less than this, relative to its largest value.
VARIES: Final = 1e-6
#: Where g' is asked for to find out whether g has a dead side; tanh' there is far from 0 in float64.
FAR: Final = 5.0


def dead_units(net: Network, theta: Parameters, X: Any) -> Finding:
    """Find units with g'(a) = 0 for every row: ReLUs that are never active, which no gradient can wake up.

    Only layers whose g has a side without slope (relu) are counted.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)

    Returns
    -------
    Finding
        figures: "layers" (k), "dead" and "units" of each.

    Raises
    ------
    InputError
        If theta or X cannot be used.

    Examples
    --------
    >>> net = Network(1, [2], 1, output="identity")
    >>> theta = net.initialize()
    >>> theta.W[1][...], theta.b[1][...] = [[1.0], [1.0]], [0.0, -5.0]
    >>> dead_units(net, theta, [[1.0], [2.0]]).figures["dead"]
    [1]
    """
    layers = [k for k, layer in enumerate(net.layers, 1) if has_dead_side(layer.activation)]
    active = {k: np.zeros(net.sizes[k], bool) for k in layers}
    for values in _pieces(net, theta, X):
        for k in layers:
            active[k] |= (slopes(net, values, k) != 0).any(axis=0)
    return _shares(
        "dead units", net, {k: ~active[k] for k in layers}, "dead", "none of the layers can have any",
        "These units give 0 for every row, so their weights get no gradient: the network is smaller than it looks.",
        "--activation leaky_relu (or elu), a lower --rate, or --batch-norm",
    )  # fmt: skip


def saturated_units(net: Network, theta: Parameters, X: Any) -> Finding:
    """Find units with |g'(a)| below 0.02 in 95 % of the rows: sigmoid and tanh units at the flat ends of g.

    Layers that can have dead units (relu) are not counted here: a ReLU that is rarely active is just selective.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)

    Returns
    -------
    Finding
        figures: "layers" (k), "saturated" and "units" of each.

    Raises
    ------
    InputError
        If theta or X cannot be used.

    Examples
    --------
    >>> net = Network(1, [2], 1, hidden="tanh", output="identity")
    >>> theta = net.initialize()
    >>> theta.W[1][...] = [[1.0], [100.0]]
    >>> saturated_units(net, theta, [[1.0], [-1.0]]).figures["saturated"]
    [1]
    """
    layers = [k for k, layer in enumerate(net.layers, 1) if not has_dead_side(layer.activation)]
    flat = {k: np.zeros(net.sizes[k], np.int64) for k in layers}
    rows = 0
    for values in _pieces(net, theta, X):
        rows += len(values.h[0])
        for k in layers:
            flat[k] += (np.abs(slopes(net, values, k)) < SLOPE).sum(axis=0)
    return _shares(
        "saturated units", net, {k: flat[k] >= ROWS * rows for k in layers}, "saturated",
        "none of the layers can have any",
        "These units sit at the flat end of g for nearly every row: they hardly tell rows apart, and hardly learn.",
        "a lower --rate, --batch-norm, more --l2, or --activation relu; are the inputs on a sensible scale?",
    )  # fmt: skip


def constant_units(net: Network, theta: Parameters, X: Any) -> Finding:
    """Find units whose h is the same for every row although they are not dead: they act as a second bias.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)
        Two rows or more; of one, nothing can be said.

    Returns
    -------
    Finding
        figures: "layers" (k), "constant" and "units" of each.

    Raises
    ------
    InputError
        If theta or X cannot be used.

    Examples
    --------
    >>> net = Network(1, [2], 1, output="identity")
    >>> theta = net.initialize()
    >>> theta.W[1][...], theta.b[1][...] = [[1.0], [0.0]], [0.0, 1.0]
    >>> constant_units(net, theta, [[1.0], [2.0]]).figures["constant"]
    [1]
    """
    layers = range(1, net.L + 1)
    low = {k: np.full(net.sizes[k], np.inf) for k in layers}
    high = {k: np.full(net.sizes[k], -np.inf) for k in layers}
    rows = 0
    for values in _pieces(net, theta, X):
        rows += len(values.h[0])
        for k in layers:
            low[k], high[k] = np.minimum(low[k], values.h[k].min(axis=0)), np.maximum(high[k], values.h[k].max(axis=0))
    constant = {}
    for k in layers:
        size = np.maximum(np.abs(low[k]), np.abs(high[k]))
        dead = has_dead_side(net.layers[k - 1].activation) & (size == 0)
        constant[k] = (high[k] - low[k] <= VARIES * size) & ~dead & (rows > 1)
    return _shares(
        "constant units", net, constant, "constant", "there are no hidden layers",
        "These units give the same number for every row: whatever they learnt, it does not depend on the input.",
        "a lower --rate, less --l2 or --l1 (weights may have been shrunk to 0), or fewer units in --hidden",
    )  # fmt: skip


def has_dead_side(g: Activation) -> bool:
    """Say whether g' is exactly 0 on a whole side, as of relu.

    >>> from layerwise.rules.activations import TABLE
    >>> [name for name, g in TABLE.items() if has_dead_side(g)]
    ['relu']
    """
    a = np.array([[-FAR, FAR]])
    ops = NumpyOps(np.float64)
    slope = np.broadcast_to(ops.map(g.derivative, a, ops.map(g.g, a)), a.shape)
    return bool((slope == 0).any())


def slopes(net: Network, values: Values, k: int) -> Array:
    """Return g'(a^(k)) of every row and unit, of the normalised a where there is normalisation.  (n, d)"""
    layer = net.layers[k - 1]
    a = values.z[k] if layer.batch_norm else values.a[k]
    return np.broadcast_to(NumpyOps(a.dtype).map(layer.activation.derivative, a, values.h[k]), a.shape)


def _pieces(net: Network, theta: Parameters, X: Any) -> Iterator[Values]:
    """Yield the values of the forward pass, piece by piece."""
    check_parameters(theta, net)
    X = check_inputs(X, net)
    dtype = theta.vector.dtype
    with np.errstate(all="ignore"):  # what is not finite shows in other checks
        for first, end in cut(len(X), net.piece):
            yield forward(NumpyOps(dtype), net, theta, np.asarray(X[first:end], dtype))


def _shares(
    check: str, net: Network, units: dict[int, Array], word: str, none: str, meaning: str, remedy: str
) -> Finding:  # fmt: skip
    """Judge a check by the layer with the largest share of such units."""
    counts = [int(found.sum()) for found in units.values()]
    sizes = [net.sizes[k] for k in units]
    share = max((count / size for count, size in zip(counts, sizes, strict=True)), default=0.0)
    parts = [f"layer {k}: {count} of {size}" for k, count, size in zip(units, counts, sizes, strict=True)]
    figures = {"layers": list(units), word: counts, "units": sizes, "largest_share": share}
    return judged(check, above(share, LOOK, PROBLEM), ", ".join(parts) or none, figures, meaning, remedy)
