"""Outputs of one formula: every column has one target, and its loss stands beside its slope.

    f_c = o(a_c),   l = sum_c l_c(a_c, y_c)

Losses are formulas of the pre-activation a, so that they stay exact where f overflows or runs into 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...errors import SpecificationError, check_number, closest
from ...ops import Expression, Operand, Vocabulary, expression
from ..activations import sigmoid, softplus
from .output import Output, Target, elementwise, summed

# --- links: f = o(a), and o' as a formula of f ------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """An output function that works element by element.

    Parameters
    ----------
    o : Expression of a
    slope : Expression of f
        o'(a), given f = o(a).
    forward, backward : rule
        See `Output`.
    """

    o: Expression
    slope: Expression
    forward: Callable[[Vocabulary, Operand], Operand]
    backward: Callable[[Vocabulary, Operand, Operand], Operand]


def identity_forward(ops: Vocabulary, a: Operand) -> Operand:
    """f = a.  (n, C) -> (n, C)"""
    return a


def identity_backward(ops: Vocabulary, f: Operand, grad_f: Operand) -> Operand:
    """grad_a = grad_f.  (n, C) -> (n, C)"""
    return grad_f


def _link(o: Callable[..., Any], slope: Callable[..., Any]) -> Link:
    formula, slope_of_f = expression(o), expression(slope)
    backward = expression(lambda s, f, grad_f: grad_f * slope_of_f(s, f))
    return Link(formula, slope_of_f, elementwise(formula), elementwise(backward))


LINKS: Final[dict[str, Link]] = {
    "identity": Link(expression(lambda s, a: a), expression(lambda s, f: 1.0), identity_forward, identity_backward),
    "exp": _link(lambda s, a: s.exp(a), lambda s, f: f),
    "sigmoid": _link(lambda s, a: sigmoid(s, a), lambda s, f: f * (1 - f)),
    "softplus": _link(lambda s, a: softplus(s, a), lambda s, f: -s.expm1(-f)),
    "tanh": _link(lambda s, a: s.tanh(a), lambda s, f: 1 - f * f),
}


def of_formulas(
    name: str, loss: str, link: str, losses: Callable[..., Any], at_output: Callable[..., Any],
    at_preactivation: Callable[..., Any], *, target: Target = "numbers", scores: Callable[..., Any] | None = None,
    **more: Any,
) -> Output:  # fmt: skip
    """Return an output of formulas.

    Parameters
    ----------
    name, loss, target
        See `Output`.
    link : str
        A name of ``LINKS``.
    losses : lambda s, a, y: ...
    at_output, at_preactivation : lambda s, f, y: ...
        dl/df and dl/da.
    scores : rule, optional
        For an accuracy; by default the metric is R2 of f.
    more
        Further fields of `Output`.
    """
    chosen = LINKS[link]
    squares = summed(expression(lambda s, a, y: (chosen.o(s, a) - y) ** 2))
    return Output(
        name, loss, target, chosen.forward, chosen.backward, summed(expression(losses)),
        elementwise(expression(at_output)), elementwise(expression(at_preactivation)), scores or squares,
        "accuracy" if scores else "r2", **more,
    )  # fmt: skip


# --- identity and squared error:  l = 1/2 sum_c (f_c - y_c)^2 ---------------------------------------------------------

_half_square: Final = expression(lambda s, f, y: 0.5 * (f - y) ** 2)
_square: Final = expression(lambda s, f, y: (f - y) ** 2)
minus_difference: Final = expression(lambda s, e, f: -(e - f))


def squared_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """1/2 sum_c (a_c - y_c)^2.  a, y: (n, C) -> (n, 1)"""
    return ops.sum_columns(ops.map(_half_square, a, y))


def squared_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """The squared error, summed over columns.  -> (n, 1)"""
    return ops.sum_columns(ops.map(_square, a, y))


def difference_at_preactivation(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """-(y - f), as for softmax with y in the place of e(y).  f, y: (n, C) -> (n, C)"""
    return ops.map(minus_difference, y, f)


IDENTITY: Final = Output(
    "identity", "squared error", "numbers", identity_forward, identity_backward, squared_losses,
    difference_at_preactivation, difference_at_preactivation, squared_scores, "r2",
)  # fmt: skip


# --- identity and absolute error:  l = sum_c |f_c - y_c| --------------------------------------------------------------


def _sign(s: Any, f: Any, y: Any) -> Any:
    """The sign of f - y; 0, a subgradient, where they are equal."""
    return s.less(y, f) - s.less(f, y)


ABSOLUTE: Final = of_formulas(
    "absolute", "absolute error", "identity", lambda s, a, y: s.abs(a - y), _sign, _sign, kinks=True
)


# --- identity and Huber's loss ----------------------------------------------------------------------------------------


def Huber(delta: float = 1.0) -> Output:
    """Return identity with Huber's loss (1964): r = f - y, l = r^2 / 2 where |r| < delta, else delta (|r| - delta / 2).

    >>> Huber(0.5).loss
    'Huber loss'
    """
    check_number("delta", delta, above=0)
    delta = float(delta)

    def losses(s: Any, a: Any, y: Any) -> Any:
        r = s.abs(a - y)
        return s.where(r < delta, 0.5 * r * r, delta * (r - 0.5 * delta))

    def slope(s: Any, f: Any, y: Any) -> Any:
        return s.max(s.min(f - y, delta), -delta)

    return of_formulas(
        "huber",
        "Huber loss",
        "identity",
        losses,
        slope,
        slope,
        kinks=True,
        maker="huber",
        settings=(("delta", delta),),
    )


# --- exp and half the Poisson deviance:  l = sum_c y_c log(y_c / f_c) - y_c + f_c -------------------------------------


def _half_deviance(s: Any, a: Any, y: Any) -> Any:
    """e^a - y a + (y log y - y), with d = a - log y: y (e^d - 1 - d) keeps the digits of a small loss.

    Beyond d = 1 nothing cancels, and e^a does not overflow before the loss itself does.
    """
    f, d = s.exp(a), a - s.log(s.where(y, y, 1))
    near = y * (s.expm1(d) - d)
    return s.where(y, s.where(d < 1, near, f - y * (1 + d)), f)


POISSON: Final = of_formulas(
    "poisson", "half the Poisson deviance", "exp", _half_deviance, lambda s, f, y: s.where(y, 1 - y / f, 1),
    lambda s, f, y: f - y, target_range=(0.0, math.inf),
)  # fmt: skip


# --- a user's own loss ------------------------------------------------------------------------------------------------


def own(loss: Expression | Callable[..., Any], link: str = "identity", name: str = "own") -> Output:
    """Return an output of one formula of f and y; see `Output.own`."""
    if not isinstance(link, str) or link not in LINKS:
        raise SpecificationError(
            where="link", expected="one of " + ", ".join(LINKS), got=repr(link), remedy=closest(str(link), list(LINKS))
        )
    if not isinstance(name, str) or not name:
        raise SpecificationError(where="name", expected="a word", got=repr(name), remedy="give the output a name")
    formula = loss if isinstance(loss, Expression) else Expression.trace(loss)
    if len(formula.inputs) != 2 or len(formula.outputs) != 1:
        raise SpecificationError(
            where="loss", expected="a formula of two scalars f and y with one result",
            got=f"{len(formula.inputs)} arguments and {len(formula.outputs)} results",
            remedy="write lambda s, f, y: ...",
        )  # fmt: skip
    chosen, slope = LINKS[link], formula.derivative(formula.inputs[0])
    return of_formulas(
        name, "own loss", link, lambda s, a, y: formula(s, chosen.o(s, a), y), lambda s, f, y: slope(s, f, y),
        lambda s, f, y: slope(s, f, y) * chosen.slope(s, f), kinks=formula.branches() is not None, maker="own",
        settings=(("loss", formula), ("link", link), ("name", name)),
    )  # fmt: skip
