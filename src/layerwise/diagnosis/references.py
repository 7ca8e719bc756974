"""What a loss is compared with: that of a network which knows nothing, and that of the best constant answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..network import Network
from ..network.inputs import check_targets
from ..ops import NumpyOps

Array = npt.NDArray[Any]


def uninformed_loss(net: Network, y: Any) -> float:
    """Return the mean loss at a^(L+1) = 0, where a network that has learnt nothing is: log C for classes.

    For squared error it is half the mean square, which for standardised targets is half the variance, 1/2.

    Parameters
    ----------
    net : Network
    y : array (n,) of class codes, or (n, targets)

    Returns
    -------
    float

    Raises
    ------
    InputError
        If y cannot be used.

    Examples
    --------
    >>> round(uninformed_loss(Network(2, [3], 10), [0, 9]), 3)
    2.303
    """
    y = check_targets(y, net, len(y))
    y = y if net.output.target == "classes" else np.asarray(y, np.float64)
    return float(net.output.losses(NumpyOps(np.float64), np.zeros((len(y), net.outputs)), y).mean())


def constant_loss(net: Network, y: Any) -> float:
    """Return the mean loss of the best answer that is the same for every row: class shares, mean, median, ...

    Parameters
    ----------
    net : Network
    y : array (n,) of class codes, or (n, targets)

    Returns
    -------
    float
        Of classes the entropy of their shares; else the least loss over a^(L+1), searched from the mean and the median.

    Raises
    ------
    InputError
        If y cannot be used.

    Examples
    --------
    >>> round(constant_loss(Network(2, [3], 2), [0, 0, 0, 1]), 4)  # -3/4 log 3/4 - 1/4 log 1/4
    0.5623
    >>> round(constant_loss(Network(2, [3], 1, output="absolute"), [0.0, 1.0, 5.0]), 4)
    1.6667
    """
    y = check_targets(y, net, len(y))
    if net.output.target == "classes":
        shares = np.bincount(y) / len(y)
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())
    from scipy.optimize import minimize

    ops = NumpyOps(np.float64)
    y = np.asarray(y, np.float64)

    def loss(a: Array) -> tuple[float, Array]:
        rows = np.tile(a, (len(y), 1))
        f = net.output.forward(ops, rows)
        gradient = net.output.loss_gradient_at_preactivation(ops, f, y).mean(axis=0)
        return float(net.output.losses(ops, rows, y).mean()), np.asarray(gradient, np.float64)

    starts = [np.zeros(net.outputs)]
    if net.output.target == "numbers" and net.targets == net.outputs:
        starts += [y.mean(axis=0), np.median(y, axis=0)]
    with np.errstate(all="ignore"):
        found = [loss(start)[0] for start in starts]
        best = starts[int(np.nanargmin(found))]
        return min(*found, float(minimize(loss, best, jac=True, method="L-BFGS-B").fun))
