"""scikit-learn's mathematics where it is not Layerwise's, so that results match; no other part knows of it.

Per batch of weights w_t (1 each without weights), with s their sum and B the rows of the batch:

    J = sum_t (w_t / s) l_t + (alpha / 2) sum W^2 / s

A row therefore counts w_t B / s in Layerwise's mean over B rows, and the penalty's strength is divided by s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import check_number
from ..network import Network, Parameters
from ..ops import Expression, Operand, Vocabulary
from ..rules.outputs import Output, squared_losses
from ..rules.outputs import output as output_named
from ..rules.outputs.classes import sigmoid_forward, softmax_forward
from ..rules.updates import SGD, Adam, Update

Array = npt.NDArray[Any]


# --- updates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScikitAdam(Adam):
    """Adam with epsilon beside the uncorrected root.

    Delta = -c m / (sqrt(v) + epsilon), c = sqrt(1 - beta2^t) / (1 - beta1^t).
    """

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        correction = (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t)
        return {**super().scalars(t, rate, is_weight), "mean_correction": correction, "squares_correction": 1.0}


@dataclass(frozen=True)
class ScikitSGD(SGD):
    """SGD whose momentum may be 1.

    There the velocity has the rate in it, -rate v. With the rate constant that is the same; where it changes,
    `rescaled` carries the velocity over.
    """

    def __post_init__(self) -> None:
        check_number("rate", self.rate, above=0)
        check_number("momentum", self.momentum, at_least=0, at_most=1)


def with_rate(update: Update, rate: float) -> Update:
    """Return the update with another rate."""
    changed: Update = replace(cast(Any, update), rate=rate)
    return changed


def rescaled(velocity: Array, old_rate: float, new_rate: float) -> None:
    """Change v so that rate v stays what it is when the rate changes."""
    velocity *= old_rate / new_rate


# --- initial parameters -----------------------------------------------------------------------------------------------


def draw_parameters(net: Network, dtype: npt.DTypeLike, random_state: np.random.RandomState) -> Parameters:
    """Draw W' and b of layer after layer from U[-s, s], s = sqrt(6 / (H_(k-1) + H_k)); 2 instead of 6 for the sigmoid.

    The output layer goes by the activation of the last hidden one (Glorot and Bengio 2010).
    """
    theta = net.initialize(0, np.float64)
    for k in range(1, net.L + 2):
        layers = net.layers[max(min(k, net.L) - 1, 0) :]
        factor = 2.0 if layers and layers[0].activation.name == "sigmoid" else 6.0
        d_out, d_in = theta.W[k].shape
        bound = math.sqrt(factor / (d_in + d_out))
        if k in net.own_weights:
            theta.W[k] = random_state.uniform(-bound, bound, (d_in, d_out)).T
        theta.b[k] = random_state.uniform(-bound, bound, d_out)
    return theta.astype(dtype)


# --- losses as they are reported --------------------------------------------------------------------------------------


def with_reported_loss(output: Output, dtype: npt.DTypeLike, columns: int) -> Output:
    """Return the output, reporting what scikit-learn calls the loss.

    Probabilities are clipped to [eps, 1 - eps] there, and squared errors are averaged over the columns of y.
    """
    if output == output_named("identity"):
        return output if columns == 1 else replace(output, reported=mean_over_columns)
    if output in (output_named("sigmoid"), output_named("softmax")):
        return replace(output, reported=ClippedLoss(output.name, np.dtype(dtype).name))
    return output


def mean_over_columns(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """l / C.  a, y: (n, C) -> (n, 1)"""
    return ops.divide(squared_losses(ops, a, y), a.shape[1])


@dataclass(frozen=True)
class ClippedLoss:
    """The rule for a negative log-likelihood whose probabilities are clipped to [eps, 1 - eps].

    Parameters
    ----------
    output : {"softmax", "sigmoid"}
    dtype : {"float32", "float64"}
        Whose eps.
    """

    output: str
    dtype: str

    def __call__(self, ops: Vocabulary, a: Operand, y: Operand) -> Operand:
        """-log f_y, or -sum_c (y_c log f_c + (1 - y_c) log(1 - f_c)).  a: (n, C) -> (n, 1)

        It is taken from f, as there: where 1 - f has few digits left, so has what is reported.
        """
        if self.output == "softmax":
            return ops.map(_clipped_nll(self.dtype), ops.pick(softmax_forward(ops, a), y))
        return ops.sum_columns(ops.map(_clipped_binary_nll(self.dtype), sigmoid_forward(ops, a), y))


@cache
def _clipped_nll(dtype: str) -> Expression:
    eps = float(np.finfo(dtype).eps)
    return Expression.trace(lambda s, f: -s.log(s.min(s.max(f, eps), 1 - eps)))


@cache
def _clipped_binary_nll(dtype: str) -> Expression:
    eps = float(np.finfo(dtype).eps)

    def formula(s: Any, f: Any, y: Any) -> Any:
        f = s.min(s.max(f, eps), 1 - eps)
        return -s.log(s.where(y, f, 1 - f))

    return Expression.trace(formula)


# --- batches ----------------------------------------------------------------------------------------------------------


class CumulativeShuffle:
    """The order of epoch after epoch: each shuffles the one before it, by a generator that is shared with others.

    Parameters
    ----------
    n : int
    random_state : RandomState, optional
        None leaves the rows in their order.
    """

    def __init__(self, n: int, random_state: np.random.RandomState | None) -> None:
        self.order = np.arange(n)
        self.random_state = random_state

    def next(self) -> Array:
        """Return the order of the next epoch."""
        if self.random_state is not None:
            indices = np.arange(len(self.order))
            self.random_state.shuffle(indices)
            self.order = self.order[indices]
        return self.order


def batch_weights(weights: Array | None, order: Array, bounds: Array) -> tuple[Array | None, Array]:
    """Return what each row counts in its batch, w_t B / s, and by what the penalty's strength is multiplied, 1 / s.

    Parameters
    ----------
    weights : array (n,), optional
    order : array of int
        Rows in the order of the epoch.
    bounds : array (batches, 2)
        Start and end of each batch, in `order`.

    Returns
    -------
    counts : array (n,), or None
        0 in a batch whose weights are all zero: only the penalty's strength would be infinite there, and is 0 too.
    factors : array (batches,)
    """
    sizes = bounds[:, 1] - bounds[:, 0]
    if weights is None:
        return None, 1.0 / sizes
    sums = np.add.reduceat(weights[order], bounds[:, 0])
    factors = np.divide(1.0, sums, out=np.zeros(len(sums)), where=sums != 0)
    counts = np.zeros(len(weights))
    counts[order] = weights[order] * np.repeat(sizes * factors, sizes)
    return counts, factors
