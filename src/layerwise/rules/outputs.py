"""Output functions and their losses, one object each: they cannot be paired wrongly (course-map rows 11, 15, 16).

Losses are computed from the pre-activation a^(L+1), not from f, so that they stay exact for logits of +-10^4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ..errors import SpecificationError, closest
from ..ops import Operand, Vocabulary, expression
from .activations import sigmoid


@dataclass(frozen=True)
class Output:
    """An output function o with its loss l, and every gradient between them.

    Parameters
    ----------
    name : str
        Of the output function.
    loss : str
        Of the loss.
    target : {"classes", "labels", "numbers"}
        What y holds: class codes (n,), zeros and ones (n, C), or numbers (n, C).
    forward : rule (ops, a) -> f
        f = o(a).
    backward : rule (ops, f, grad_f) -> grad_a
        Through o alone: the transposed Jacobian of o times any gradient at f.
    losses : rule (ops, a, y) -> (n, 1)
        l(o(a), y) of every row.
    loss_gradient_at_output : rule (ops, f, y) -> (n, C)
        dl/df.
    loss_gradient_at_preactivation : rule (ops, f, y) -> (n, C)
        dl/da, with a the pre-activation a^(L+1).
    scores : rule (ops, a, y) -> (n, 1)
        What the metric averages: 1 for a right answer, or the squared error.
    metric : {"accuracy", "r2"}
    reported : rule (ops, a, y) -> (n, 1), optional
        Another number for every row that a training step averages as it does the losses, and nothing depends on.
    """

    name: str
    loss: str
    target: Literal["classes", "labels", "numbers"]
    forward: Callable[[Vocabulary, Operand], Operand]
    backward: Callable[[Vocabulary, Operand, Operand], Operand]
    losses: Callable[[Vocabulary, Operand, Operand], Operand]
    loss_gradient_at_output: Callable[[Vocabulary, Operand, Operand], Operand]
    loss_gradient_at_preactivation: Callable[[Vocabulary, Operand, Operand], Operand]
    scores: Callable[[Vocabulary, Operand, Operand], Operand]
    metric: Literal["accuracy", "r2"]
    reported: Callable[[Vocabulary, Operand, Operand], Operand] | None = None


# --- softmax and negative log-likelihood:  l = -log f_y ---------------------------------------------------------------

_exp_below: Final = expression(lambda s, a, largest: s.exp(a - largest))
_log_sum_minus: Final = expression(lambda s, total, largest, a_y: s.log(total) + (largest - a_y))
_minus_inverse_where_one: Final = expression(lambda s, e, f: s.where(e, -1 / f, 0))
_minus_difference: Final = expression(lambda s, e, f: -(e - f))
_softmax_slope: Final = expression(lambda s, f, grad_f, mean: f * (grad_f - mean))
_is_largest: Final = expression(lambda s, a, largest: s.where(a < largest, 0, 1))


def softmax_forward(ops: Vocabulary, a: Operand) -> Operand:
    """f_c = e^(a_c) / sum_c' e^(a_c'), shifted by the largest a.  a: (n, C) -> (n, C)"""
    e = ops.map(_exp_below, a, ops.max_columns(a))
    return ops.divide(e, ops.sum_columns(e))


def softmax_backward(ops: Vocabulary, f: Operand, grad_f: Operand) -> Operand:
    """grad_a = f * (grad_f - sum_c f_c grad_f_c), since df_j/da_c = f_j (1{j=c} - f_c).  (n, C) -> (n, C)"""
    return ops.map(_softmax_slope, f, grad_f, ops.sum_columns(ops.multiply(f, grad_f)))


def softmax_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """-log f_y = log sum_c e^(a_c) - a_y.  a: (n, C), y: (n,) codes -> (n, 1)"""
    largest = ops.max_columns(a)
    total = ops.sum_columns(ops.map(_exp_below, a, largest))
    return ops.map(_log_sum_minus, total, largest, ops.pick(a, y))


def softmax_loss_gradient_at_output(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-e(y) / f_y: -1/f_y at c = y and 0 elsewhere.  f: (n, C), y: (n,) -> (n, C)"""
    return ops.map(_minus_inverse_where_one, ops.one_hot(y, f.shape[1]), f)


def softmax_loss_gradient_at_preactivation(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-(e(y) - f).  f: (n, C), y: (n,) -> (n, C)"""
    return ops.map(_minus_difference, ops.one_hot(y, f.shape[1]), f)


def softmax_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """1 if a_y is the largest, 0 if not; k equally large ones share the credit as 1/k each.  -> (n, 1)"""
    winners = ops.map(_is_largest, a, ops.max_columns(a))
    return ops.divide(ops.pick(winners, y), ops.sum_columns(winners))


# --- sigmoid and binary negative log-likelihood:  l = -sum_c (y_c log f_c + (1 - y_c) log(1 - f_c)) -------------------

# max(a, 0) - y a comes first: it is exactly 0 for a right answer, so that the digits of a small loss stay.
_binary_nll: Final = expression(lambda s, a, y: (s.max(a, 0) - y * a) + s.log1p(s.exp(-s.abs(a))))
_binary_slope_at_output: Final = expression(
    lambda s, f, y: s.where(y, -y / f, 0) + s.where(1 - y, (1 - y) / (1 - f), 0)
)
_sigmoid_slope: Final = expression(lambda s, f, grad_f: grad_f * (f * (1 - f)))
_same_side: Final = expression(lambda s, a, y: s.where(a, s.where(a * (y - 0.5) < 0, 0, 1), 0.5))


def sigmoid_forward(ops: Vocabulary, a: Operand) -> Operand:
    """f_c = 1 / (1 + e^(-a_c)).  a: (n, C) -> (n, C)"""
    return ops.map(sigmoid, a)


def sigmoid_backward(ops: Vocabulary, f: Operand, grad_f: Operand) -> Operand:
    """grad_a = grad_f * f (1 - f).  (n, C) -> (n, C)"""
    return ops.map(_sigmoid_slope, f, grad_f)


def sigmoid_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """sum_c log(1 + e^(a_c)) - y_c a_c.  a, y: (n, C) -> (n, 1)"""
    return ops.sum_columns(ops.map(_binary_nll, a, y))


def sigmoid_loss_gradient_at_output(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-y/f + (1 - y)/(1 - f).  f, y: (n, C) -> (n, C)"""
    return ops.map(_binary_slope_at_output, f, y)


def difference_at_preactivation(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-(y - f), as for softmax with y in the place of e(y).  f, y: (n, C) -> (n, C)"""
    return ops.map(_minus_difference, y, f)


def sigmoid_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """The share of the C answers on the right side of 1/2; undecided ones count half.  -> (n, 1)"""
    right = ops.map(_same_side, a, y)
    return ops.divide(ops.sum_columns(right), right.shape[1])


# --- identity and squared error:  l = 1/2 sum_c (f_c - y_c)^2 ---------------------------------------------------------

_half_square: Final = expression(lambda s, f, y: 0.5 * (f - y) ** 2)
_square: Final = expression(lambda s, f, y: (f - y) ** 2)


def identity_forward(ops: Vocabulary, a: Operand) -> Operand:
    """f = a.  (n, C) -> (n, C)"""
    return a


def identity_backward(ops: Vocabulary, f: Operand, grad_f: Operand) -> Operand:
    """grad_a = grad_f.  (n, C) -> (n, C)"""
    return grad_f


def squared_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """1/2 sum_c (a_c - y_c)^2.  a, y: (n, C) -> (n, 1)"""
    return ops.sum_columns(ops.map(_half_square, a, y))


def squared_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """The squared error, summed over columns.  -> (n, 1)"""
    return ops.sum_columns(ops.map(_square, a, y))


TABLE: Final[dict[str, Output]] = {
    output.name: output
    for output in (
        Output("softmax", "negative log-likelihood", "classes", softmax_forward, softmax_backward, softmax_losses,
               softmax_loss_gradient_at_output, softmax_loss_gradient_at_preactivation, softmax_scores, "accuracy"),
        Output("sigmoid", "binary negative log-likelihood", "labels", sigmoid_forward, sigmoid_backward, sigmoid_losses,
               sigmoid_loss_gradient_at_output, difference_at_preactivation, sigmoid_scores, "accuracy"),
        Output("identity", "squared error", "numbers", identity_forward, identity_backward, squared_losses,
               difference_at_preactivation, difference_at_preactivation, squared_scores, "r2"),
    )
}  # fmt: skip


def output(choice: str | Output) -> Output:
    """Return the output of that name.

    Raises
    ------
    SpecificationError
        If the name is unknown; the message lists all.

    Examples
    --------
    >>> output("softmax").loss
    'negative log-likelihood'
    """
    if isinstance(choice, Output):
        return choice
    name = {"linear": "identity", "logistic": "sigmoid"}.get(str(choice).lower(), str(choice).lower())
    if name in TABLE:
        return TABLE[name]
    raise SpecificationError(
        where="output", expected="one of " + ", ".join(TABLE), got=repr(choice), remedy=closest(name, list(TABLE))
    )
