"""Probabilities that mean what they say: one temperature for all logits, found on validation rows (Guo et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from ..network import Parameters
from ..network.programs import predict_rows
from ..rules.outputs import output as output_named
from .perceptron import network_of

Array = npt.NDArray[Any]
#: Between which powers of e the temperature is looked for.
RANGE = (-5.0, 5.0)


def preactivations(theta: Parameters, X: Any) -> Array:
    """Return a^(L+1) of rows that are checked already.  (n, C)"""
    net = theta.network
    linear = network_of(net.inputs, net.layers, net.outputs, output_named("identity"))
    return predict_rows(linear, Parameters(linear, theta.vector, theta.statistics), X)


def probabilities(a: Array, temperature: float, is_softmax: bool) -> Array:
    """Return the probabilities of classes, or of labels, at a temperature.  (n, C) -> (n, C)"""
    cooled = a / a.dtype.type(temperature)
    result: Array = softmax(cooled, axis=1) if is_softmax else expit(cooled)
    return result


def fit_temperature(a: Array, y: Array, weights: Array | None, is_softmax: bool) -> float:
    """Return the temperature T > 0 at which o(a / T) makes the targets most likely.

    Parameters
    ----------
    a : array (n, C)
        Pre-activations.
    y : array (n,) of class codes, or (n, C) of zeros and ones
    weights : array (n,), optional
    is_softmax : bool

    Returns
    -------
    float
        Within e^-5 and e^5: where all rows are right, every lower temperature makes them likelier still.

    Examples
    --------
    Two rows in three are right where a = 1 says 73 percent:

    >>> round(fit_temperature(np.array([[1.0], [1.0], [1.0]]), np.array([[1], [1], [0]]), None, False), 3)
    1.443
    """
    a = a.astype(np.float64)

    def loss(log_temperature: float) -> float:
        cooled = a / np.exp(log_temperature)
        if is_softmax:
            likelihood = log_softmax(cooled, axis=1)[np.arange(len(y)), y]
        else:
            likelihood = np.where(y == 1, log_expit(cooled), log_expit(-cooled)).sum(axis=1)
        return -float(np.average(likelihood, weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=RANGE, method="bounded", options={"xatol": 1e-6}).x))
