"""Outputs of classes: softmax and sigmoid with their negative log-likelihoods (course-map rows 11, 15, 16).

Losses are computed from the pre-activation a^(L+1), not from f, so that they stay exact for logits of +-10^4.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from ...errors import check_number
from ...ops import Expression, Operand, Vocabulary, expression
from ..activations import sigmoid
from .elementwise import difference_at_preactivation, minus_difference, of_formulas
from .output import Given, Output

# --- softmax and negative log-likelihood:  l = -log f_y ---------------------------------------------------------------

exp_below: Final = expression(lambda s, a, largest: s.exp(a - largest))
log_sum_minus: Final = expression(lambda s, total, largest, a_y: s.log(total) + (largest - a_y))
minus_inverse_where_one: Final = expression(lambda s, e, f: s.where(e, -1 / f, 0))
_softmax_slope: Final = expression(lambda s, f, grad_f, mean: f * (grad_f - mean))
is_largest: Final = expression(lambda s, a, largest: s.where(a < largest, 0, 1))


def softmax_forward(ops: Vocabulary, a: Operand) -> Operand:
    """f_c = e^(a_c) / sum_c' e^(a_c'), shifted by the largest a.  a: (n, C) -> (n, C)"""
    e = ops.map(exp_below, a, ops.max_columns(a))
    return ops.divide(e, ops.sum_columns(e))


def softmax_backward(ops: Vocabulary, f: Operand, grad_f: Operand) -> Operand:
    """grad_a = f * (grad_f - sum_c f_c grad_f_c), since df_j/da_c = f_j (1{j=c} - f_c).  (n, C) -> (n, C)"""
    return ops.map(_softmax_slope, f, grad_f, ops.sum_columns(ops.multiply(f, grad_f)))


def softmax_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """-log f_y = log sum_c e^(a_c) - a_y.  a: (n, C), y: (n,) codes -> (n, 1)"""
    largest = ops.max_columns(a)
    total = ops.sum_columns(ops.map(exp_below, a, largest))
    return ops.map(log_sum_minus, total, largest, ops.pick(a, y))


def softmax_loss_gradient_at_output(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-e(y) / f_y: -1/f_y at c = y and 0 elsewhere.  f: (n, C), y: (n,) -> (n, C)"""
    return ops.map(minus_inverse_where_one, ops.one_hot(y, f.shape[1]), f)


def softmax_loss_gradient_at_preactivation(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-(e(y) - f).  f: (n, C), y: (n,) -> (n, C)"""
    return ops.map(minus_difference, ops.one_hot(y, f.shape[1]), f)


def softmax_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """1 if a_y is the largest, 0 if not; k equally large ones share the credit as 1/k each.  -> (n, 1)"""
    winners = ops.map(is_largest, a, ops.max_columns(a))
    return ops.divide(ops.pick(winners, y), ops.sum_columns(winners))


SOFTMAX: Final = Output(
    "softmax", "negative log-likelihood", "classes", softmax_forward, softmax_backward, softmax_losses,
    softmax_loss_gradient_at_output, softmax_loss_gradient_at_preactivation, softmax_scores, "accuracy",
)  # fmt: skip


# --- softmax with smoothed labels:  l = -sum_c p_c log f_c,  p = (1 - e) e(y) + e / C ---------------------------------

_log: Final = expression(lambda s, total: s.log(total))


@lru_cache(maxsize=64)
def _smoothed(smoothing: float, C: int) -> tuple[Expression, Expression, Expression]:
    """The formulas of -p_c log f_c, -p_c / f_c and f_c - p_c, with c's entry of e(y)."""

    def p(hot: Any) -> Any:
        return (1 - smoothing) * hot + smoothing / C

    return (
        expression(lambda s, hot, log_total, largest, a: p(hot) * (log_total + (largest - a))),
        expression(lambda s, hot, f: -p(hot) / f),
        expression(lambda s, hot, f: f - p(hot)),
    )


def smoothed_losses(ops: Vocabulary, smoothing: float, a: Operand, y: Operand) -> Operand:
    """-sum_c p_c (a_c - log sum_c' e^(a_c')).  a: (n, C), y: (n,) codes -> (n, 1)"""
    C, largest = a.shape[1], ops.max_columns(a)
    log_total = ops.map(_log, ops.sum_columns(ops.map(exp_below, a, largest)))
    terms = _smoothed(smoothing, C)[0]
    return ops.sum_columns(ops.map(terms, ops.one_hot(y, C), log_total, largest, a))


def smoothed_gradient_at_output(ops: Vocabulary, smoothing: float, f: Operand, y: Operand) -> Operand:
    """-p / f.  f: (n, C), y: (n,) codes -> (n, C)"""
    C = f.shape[1]
    return ops.map(_smoothed(smoothing, C)[1], ops.one_hot(y, C), f)


def smoothed_gradient_at_preactivation(ops: Vocabulary, smoothing: float, f: Operand, y: Operand) -> Operand:
    """f - p.  f: (n, C), y: (n,) codes -> (n, C)"""
    C = f.shape[1]
    return ops.map(_smoothed(smoothing, C)[2], ops.one_hot(y, C), f)


def Softmax(smoothing: float = 0.0) -> Output:
    """Return softmax with negative log-likelihood of smoothed labels p = (1 - e) e(y) + e / C.

    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), arXiv 1512.00567. The score counts right answers as ever.

    Parameters
    ----------
    smoothing : float
        e, from 0 to below 1.

    Examples
    --------
    >>> Softmax(0.0) == SOFTMAX
    True
    """
    check_number("smoothing", smoothing, at_least=0, below=1)
    if smoothing == 0:
        return SOFTMAX
    e = float(smoothing)
    return Output(
        "softmax", "negative log-likelihood of smoothed labels", "classes", softmax_forward, softmax_backward,
        Given(smoothed_losses, (e,)), Given(smoothed_gradient_at_output, (e,)),
        Given(smoothed_gradient_at_preactivation, (e,)), softmax_scores, "accuracy",
        maker="softmax", settings=(("smoothing", e),),
    )  # fmt: skip


# --- sigmoid and binary negative log-likelihood:  l = -sum_c (y_c log f_c + (1 - y_c) log(1 - f_c)) -------------------

# max(a, 0) - y a comes first: it is exactly 0 for a right answer, so that the digits of a small loss stay.
binary_nll: Final = expression(lambda s, a, y: (s.max(a, 0) - y * a) + s.log1p(s.exp(-s.abs(a))))
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
    return ops.sum_columns(ops.map(binary_nll, a, y))


def sigmoid_loss_gradient_at_output(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-y/f + (1 - y)/(1 - f).  f, y: (n, C) -> (n, C)"""
    return ops.map(_binary_slope_at_output, f, y)


def sigmoid_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """The share of the C answers on the right side of 1/2; undecided ones count half.  -> (n, 1)"""
    right = ops.map(_same_side, a, y)
    return ops.divide(ops.sum_columns(right), right.shape[1])


SIGMOID: Final = Output(
    "sigmoid", "binary negative log-likelihood", "labels", sigmoid_forward, sigmoid_backward, sigmoid_losses,
    sigmoid_loss_gradient_at_output, difference_at_preactivation, sigmoid_scores, "accuracy", target_range=(0.0, 1.0),
)  # fmt: skip


def Sigmoid(smoothing: float = 0.0) -> Output:
    """Return sigmoid with binary negative log-likelihood of smoothed labels p = (1 - e) y + e / 2.

    Parameters
    ----------
    smoothing : float
        e, from 0 to below 1.

    Examples
    --------
    >>> Sigmoid(0.0) == SIGMOID
    True
    """
    check_number("smoothing", smoothing, at_least=0, below=1)
    if smoothing == 0:
        return SIGMOID
    e = float(smoothing)

    def p(y: Any) -> Any:
        return (1 - e) * y + 0.5 * e

    return of_formulas(
        "sigmoid", "binary negative log-likelihood of smoothed labels", "sigmoid",
        lambda s, a, y: binary_nll(s, a, p(y)), lambda s, f, y: _binary_slope_at_output(s, f, p(y)),
        lambda s, f, y: f - p(y), target="labels", scores=sigmoid_scores, target_range=(0.0, 1.0), maker="sigmoid",
        settings=(("smoothing", e),),
    )  # fmt: skip
