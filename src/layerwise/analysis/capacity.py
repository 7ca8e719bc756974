"""What one neuron can compute of boolean inputs, and what takes a hidden layer (course-map row 8)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.special import expit

from ..errors import InputError, LayerwiseError, SpecificationError, check_number
from ..network import Network, Parameters
from ..rules.activations import Activation

Array = npt.NDArray[Any]
#: The lead |w'x + b| of the row that is nearest to the boundary: that of AND with w = (1, 1) and b = -3/2.
LEAD = 0.5
#: Inputs of a neuron, at most: the table has 2^d rows.
MOST_INPUTS = 12


@final
@dataclass(frozen=True, eq=False)
class BooleanNeuron:
    """What `find_weights` found: a neuron h = g(b + w'x) with this truth table, or why there is none.

    Attributes
    ----------
    table : array (2^d,) of int
    separable : bool
        Whether there is such a neuron.
    w : array (d,), or None
    b : float, or None
    activation : {"step", "sigmoid"}
    witness : array (2^d,), or None
        Where there is no neuron, the proof: shares of the rows, adding up to 1 over those with output 1 and to 1 over
        those with output 0, such that both have the same mean of x. A neuron would need w'x + b > 0 at the one mean and
        < 0 at the other.
    """

    table: Array
    separable: bool
    w: Array | None
    b: float | None
    activation: Literal["step", "sigmoid"]
    witness: Array | None

    def __repr__(self) -> str:
        if self.w is None:
            return "BooleanNeuron(not separable: no weights)"
        return f"BooleanNeuron(w={self.w.round(4).tolist()}, b={round(float(self.b or 0), 4)}, {self.activation})"

    def __call__(self, X: Any) -> Array:
        """Return h of every row; raise a SpecificationError if there is no neuron.

        Parameters
        ----------
        X : array (n, d)

        Returns
        -------
        array (n,)
        """
        if self.w is None or self.b is None:
            raise SpecificationError(
                where="neuron", expected="a table that is separable", got=str(self.table.tolist()),
                remedy="take a hidden layer, as xor_network does",
            )  # fmt: skip
        a = np.asarray(X, dtype=np.float64) @ self.w + self.b
        return np.asarray(expit(a) if self.activation == "sigmoid" else np.where(a > 0, 1.0, 0.0))


def boolean_inputs(d: int) -> Array:
    """Return all rows of d zeros and ones, counting up; the last input changes fastest.

    >>> boolean_inputs(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    check_number("d", d, at_least=1, at_most=MOST_INPUTS, whole=True)
    return (np.arange(2**d)[:, None] >> np.arange(d - 1, -1, -1) & 1).astype(np.float64)


def find_weights(
    table: Any, *, activation: Literal["step", "sigmoid"] = "step", tolerance: float = 0.01
) -> BooleanNeuron:
    """Find the weights of one neuron with a given truth table, or prove that there are none.

    A linear programme finds the w of smallest sum |w| for which w'x + b is at least 1/2 where the table has 1, and at
    most -1/2 where it has 0: AND gets the textbook's w = (1, 1), b = -3/2. If there is none, a second one finds a point
    that is a mean of rows with 1 as well as of rows with 0.

    Parameters
    ----------
    table : array (2^d,) of 0 and 1
        Outputs in the order of `boolean_inputs`: for two inputs those of 00, 01, 10, 11.
    activation : {"step", "sigmoid"}
        g: 1{a > 0}, or the sigmoid. For the sigmoid, weights and bias are scaled up until h is within `tolerance` of
        the table.
    tolerance : float
        Below 1/2.

    Returns
    -------
    BooleanNeuron

    Raises
    ------
    InputError, SpecificationError
        If the table is not one, or a setting cannot be.

    Examples
    --------
    >>> find_weights([0, 0, 0, 1])
    BooleanNeuron(w=[1.0, 1.0], b=-1.5, step)
    >>> find_weights([0, 1, 1, 0])
    BooleanNeuron(not separable: no weights)
    >>> find_weights([0, 1, 1, 0]).witness.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    outputs = _check_table(table)
    if activation not in ("step", "sigmoid"):
        raise SpecificationError(
            where="activation", expected='"step" or "sigmoid"', got=repr(activation), remedy="choose one of them"
        )
    check_number("tolerance", tolerance, above=0, below=0.5)
    d = len(outputs).bit_length() - 1
    rows = boolean_inputs(d)
    signs = np.where(outputs == 1, 1.0, -1.0)[:, None]
    # w is the difference of two vectors of at least 0, so that the sum |w| is linear; b has no price.
    leads = signs * np.column_stack([rows, -rows, np.ones(len(rows))])
    price = np.append(np.ones(2 * d), 0.0)
    bounds = [(0, None)] * (2 * d) + [(None, None)]
    result = linprog(price, A_ub=-leads, b_ub=np.full(len(rows), -LEAD), bounds=bounds, method="highs")
    if result.status == 2:
        return BooleanNeuron(outputs, False, None, None, activation, _witness(rows, outputs))
    if result.status != 0:
        raise _without_answer(result)
    w, b = result.x[:d] - result.x[d : 2 * d], float(result.x[-1])
    if not w.any():  # a constant: any b of the right sign, so the nearest
        b = LEAD if outputs[0] else -LEAD
    if activation == "sigmoid":
        scale = math.log((1 - tolerance) / tolerance) / LEAD
        w, b = scale * w, scale * b
    return BooleanNeuron(outputs, True, w, b, activation, None)


def count_neurons(d: int) -> int:
    """Count the boolean functions of d inputs that one neuron computes, of 2^(2^d) in all.

    Each is asked for by `find_weights`, but for the negation of another: that has weights and bias of the other sign.

    Parameters
    ----------
    d : int
        1 to 3; of 4 inputs there are 65536 functions.

    Returns
    -------
    int

    Raises
    ------
    SpecificationError
        If d is not 1, 2 or 3.

    Examples
    --------
    >>> count_neurons(2)  # all but XOR and its negation
    14
    """
    check_number("d", d, at_least=1, at_most=3, whole=True)
    rows = 2**d
    half = (np.arange(2 ** (rows - 1))[:, None] >> np.arange(rows)) & 1  # the last output is 0
    return 2 * sum(find_weights(table).separable for table in half)


def truth_table(model: Network | Callable[[Array], Any], theta: Parameters | None = None, inputs: int = 2) -> Array:
    """Return the output for every row of `boolean_inputs`.

    Parameters
    ----------
    model : Network or callable (X) -> array (n,)
        With a network give theta. A `BooleanNeuron` is callable.
    theta : Parameters, optional
    inputs : int
        Of a callable; a network knows its own.

    Returns
    -------
    array (2^d,), or (2^d, outputs) of a network with several

    Raises
    ------
    SpecificationError
        If a network comes without theta.

    Examples
    --------
    >>> truth_table(*xor_network()).tolist()
    [0.0, 1.0, 1.0, 0.0]
    >>> truth_table(find_weights([0, 1, 1, 1], activation="sigmoid")).round(2).tolist()
    [0.01, 0.99, 0.99, 1.0]
    """
    if not isinstance(model, Network):
        return np.asarray(model(boolean_inputs(inputs)))
    if theta is None:
        raise SpecificationError(
            where="theta", expected="the parameters of the network", got="none", remedy="give them after the network"
        )
    f = model.predict(theta, boolean_inputs(model.inputs))
    return f[:, 0] if model.outputs == 1 else f


def xor_network() -> tuple[Network, Parameters]:
    """Build a network that computes XOR exactly, with a hidden layer of OR and AND: XOR is OR and not AND.

    Returns
    -------
    net : Network
        2 inputs, 2 hidden units with g(a) = 1{a > 0}, 1 linear output: f = OR - AND.
    theta : Parameters

    Examples
    --------
    >>> net, theta = xor_network()
    >>> net.predict(theta, [[0, 1], [1, 1]]).tolist()
    [[1.0], [0.0]]
    """
    step = Activation.own(lambda s, a: s.less(0, a), "step")
    net = Network(2, [2], 1, hidden=step, output="identity")
    theta = net.initialize()
    theta.W[1][...] = 1.0
    theta.b[1][...] = -0.5, -1.5  # OR, AND
    theta.W[2][...] = 1.0, -1.0
    return net, theta


def _witness(rows: Array, outputs: Array) -> Array:
    """Return shares of the rows: the same mean of those with output 1 and of those with 0."""
    ones = outputs == 1
    signs = np.where(ones, 1.0, -1.0)
    equations = np.vstack([(signs[:, None] * rows).T, ones, ~ones])
    right = np.append(np.zeros(rows.shape[1]), [1.0, 1.0])
    result = linprog(np.zeros(len(rows)), A_eq=equations, b_eq=right, bounds=(0, None), method="highs")
    if result.status != 0:
        raise _without_answer(result)
    return np.asarray(result.x)


def _without_answer(result: Any) -> LayerwiseError:
    return LayerwiseError(
        where="find_weights", expected="a linear programme with an answer", got=result.message.splitlines()[0],
        remedy="give a table of fewer inputs",
    )  # fmt: skip


def _check_table(table: Any) -> Array:
    outputs = np.asarray(table)
    n = len(outputs) if outputs.ndim == 1 else 0
    if n < 2 or n & (n - 1) or n > 2**MOST_INPUTS or not np.isin(outputs, [0, 1]).all():
        raise InputError(
            where="table", expected=f"2^d outputs of 0 and 1, with d from 1 to {MOST_INPUTS}", got=repr(table),
            remedy="give one output a row of boolean_inputs(d)",
        )  # fmt: skip
    return outputs.astype(np.int64)
