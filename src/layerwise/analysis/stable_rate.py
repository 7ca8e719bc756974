"""The largest learning rate at which gradient descent does not diverge: 2 over the largest curvature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator, eigsh

from ..gradients import hessian_vector_product
from ..network import Network, Parameters
from ..rules.penalties import Penalty

Array = npt.NDArray[Any]


def largest_curvature(
    net: Network, theta: Parameters, X: Any, y: Any, *, penalty: Penalty | None = None, weights: Any = None
) -> float:
    """Return the largest eigenvalue of the Hessian of the objective at theta.

    By Lanczos's method (SciPy's), which needs products H v only and is a power iteration that forgets nothing; H is not
    formed. Some twenty products for a few digits, more where eigenvalues lie close together.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)
    y : array (n,) of class codes, or (n, targets)
    penalty : Penalty, optional
    weights : array (n,), optional

    Returns
    -------
    float
        Negative where the objective curves down in every direction.

    Raises
    ------
    InputError
        If an array cannot be used.

    Examples
    --------
    >>> net = Network(1, [], 1, output="identity")
    >>> round(largest_curvature(net, net.initialize(), [[-1.0], [1.0]], [0.0, 0.0]), 6)
    1.0
    """
    P = net.n_parameters

    def product(v: Array) -> Array:
        return hessian_vector_product(net, theta, X, y, np.ravel(v), penalty, weights)

    start = np.random.default_rng(0).standard_normal(P)
    if not product(start).any():  # no curvature in a direction at random, so none at all; Lanczos needs some
        return 0.0
    operator = LinearOperator((P, P), matvec=product, dtype=np.float64)
    return float(eigsh(operator, k=1, which="LA", v0=start, tol=1e-6, return_eigenvectors=False)[0])


def largest_stable_rate(
    net: Network, theta: Parameters, X: Any, y: Any, *, penalty: Penalty | None = None, weights: Any = None
) -> float:
    """Return the rate beyond which gradient descent on all rows diverges: 2 / lambda_max of the Hessian at theta.

    A step changes the distance from a minimum by the factor 1 - rate * lambda in the direction of each eigenvector,
    which stays within -1 .. 1 as long as rate <= 2 / lambda. That is exact for a network with no hidden layer and
    squared error, where the Hessian is the same everywhere. Otherwise it holds near theta: training starts to swing
    there, and may settle where the curvature is smaller. With momentum m the limit of a quadratic objective is
    (1 + m) times as large. Mini-batches have curvatures of their own, some of them larger.

    Parameters
    ----------
    net, theta, X, y, penalty, weights
        As for `largest_curvature`.

    Returns
    -------
    float
        Infinite where no direction curves up.

    Raises
    ------
    InputError
        If an array cannot be used.

    Examples
    --------
    >>> net = Network(1, [], 1, output="identity")
    >>> round(largest_stable_rate(net, net.initialize(), [[-3.0], [3.0]], [0.0, 0.0]), 6)
    0.222222
    """
    curvature = largest_curvature(net, theta, X, y, penalty=penalty, weights=weights)
    return 2.0 / curvature if curvature > 0 else float("inf")
