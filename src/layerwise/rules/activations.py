"""Activation functions: one row each, g beside g' (course-map row 7).

g' is written by hand in terms of the pre-activation a and of h = g(a), whichever the course uses. Adding an activation
means adding a row to ``TABLE``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from ..errors import SpecificationError, closest
from ..ops import Expression, Operand, Vocabulary, expression


@dataclass(frozen=True)
class Activation:
    r"""A hidden activation function g with its derivative.

    Parameters
    ----------
    name : str
    g : Expression of a
    derivative : Expression of a and h
        g'(a), given the pre-activation a and h = g(a); it may use either.
    range : pair of float
        The values that g can take (limits included).
    kinks : tuple of (a, g'(a)), or None
        Where g has no derivative, and the value taken there; None where that is not known.

    Examples
    --------
    >>> activation("sigmoid").derivative.latex()
    'h \\, \\left(1 - h\\right)'
    >>> activation(lambda s, a: a * s.tanh(a)).name
    'own'
    """

    name: str
    g: Expression
    derivative: Expression
    range: tuple[float, float] = (-math.inf, math.inf)
    kinks: tuple[tuple[float, float], ...] | None = None

    @property
    def needs(self) -> frozenset[str]:
        """Which of a and h the derivative is computed from."""
        return self.derivative.needs

    @cached_property
    def grad_times_slope(self) -> Expression:
        """The product grad_h * g'(a), as one formula of grad_h, a and h."""
        return Expression.trace(lambda s, grad_h, a, h: grad_h * self.derivative(s, a, h))

    @classmethod
    def own(cls, g: Expression | Callable[..., Any], name: str = "own") -> Activation:
        """Make an activation of one formula; its derivative follows from the formula.

        Parameters
        ----------
        g : callable or Expression
            ``lambda s, a: ...`` in the primitives of ``s``.
        name : str
        """
        formula = g if isinstance(g, Expression) else Expression.trace(g)
        if len(formula.inputs) != 1 or len(formula.outputs) != 1:
            raise SpecificationError(
                where="activation", expected="a formula of one scalar a with one result",
                got=f"{len(formula.inputs)} arguments and {len(formula.outputs)} results",
                remedy="write lambda s, a: ...",
            )  # fmt: skip
        slope = formula.derivative(formula.inputs[0])
        return cls(name, formula, Expression.trace(lambda s, a, h: slope(s, a)))


def activation_forward(ops: Vocabulary, g: Activation, a: Operand) -> Operand:
    """h = g(a).  a: (n, d) -> (n, d)"""
    return ops.map(g.g, a)


def activation_backward(ops: Vocabulary, g: Activation, a: Operand, h: Operand, grad_h: Operand) -> Operand:
    """grad_a = grad_h * g'(a).  a, h = g(a), grad_h: (n, d) -> (n, d)"""
    return ops.map(g.grad_times_slope, grad_h, a, h)


LEAK: Final = 0.01
ELU_ALPHA: Final = 1.0
# Klambauer, Unterthiner, Mayr and Hochreiter (2017), arXiv 1706.02515: the fixed point of mean 0 and variance 1.
SELU_LAMBDA: Final = 1.0507009873554804934193349852946
SELU_ALPHA: Final = 1.6732632423543772848170429916717
# The least values of g for the last three rows, at a = -0.751791, -1.278465 and -1.192471.
GELU_MINIMUM: Final = -0.16997120747990369
SILU_MINIMUM: Final = -0.27846454276107380
MISH_MINIMUM: Final = -0.30884341301725060


@expression
def sigmoid(s: Any, a: Any) -> Any:
    """1 / (1 + e^-a), with an exponential that cannot overflow."""
    e = s.exp(-s.abs(a))
    return s.where(a < 0, e, 1) / (1 + e)


@expression
def softplus(s: Any, a: Any) -> Any:
    """log(1 + e^a), with an exponential that cannot overflow."""
    return s.max(a, 0) + s.log1p(s.exp(-s.abs(a)))


def _normal_distribution(s: Any, a: Any) -> Any:
    return 0.5 + 0.5 * s.erf(a * math.sqrt(0.5))


def _normal_density(s: Any, a: Any) -> Any:
    return s.exp(-0.5 * a * a) * (1 / math.sqrt(2 * math.pi))


def _mish_slope(s: Any, a: Any, h: Any) -> Any:
    t = s.tanh(softplus(s, a))
    return t + a * sigmoid(s, a) * (1 - t * t)


def _silu_slope(s: Any, a: Any, h: Any) -> Any:
    sigma = sigmoid(s, a)
    return sigma + h * (1 - sigma)


def _row(
    name: str, g: Callable[..., Any] | Expression, slope: Callable[..., Any], range: tuple[float, float],
    kinks: tuple[tuple[float, float], ...] = (),
) -> Activation:  # fmt: skip
    formula = g if isinstance(g, Expression) else expression(g)
    return Activation(name, replace(formula, name=name), expression(slope), range, kinks)


EVERYTHING: Final = (-math.inf, math.inf)

TABLE: Final[dict[str, Activation]] = {
    row.name: row
    for row in (
        _row("linear", lambda s, a: a, lambda s, a, h: 1.0, EVERYTHING),
        _row("sigmoid", sigmoid, lambda s, a, h: h * (1 - h), (0.0, 1.0)),
        _row("tanh", lambda s, a: s.tanh(a), lambda s, a, h: 1 - h * h, (-1.0, 1.0)),
        _row("relu", lambda s, a: s.max(a, 0), lambda s, a, h: h > 0, (0.0, math.inf), ((0.0, 0.0),)),
        _row("leaky_relu", lambda s, a: s.max(a, LEAK * a), lambda s, a, h: s.where(h > 0, 1, LEAK), EVERYTHING,
             ((0.0, LEAK),)),
        _row("elu", lambda s, a: s.where(a > 0, a, ELU_ALPHA * s.expm1(s.min(a, 0))),
             lambda s, a, h: s.where(h > 0, 1, h + ELU_ALPHA), (-ELU_ALPHA, math.inf)),
        _row("selu", lambda s, a: SELU_LAMBDA * s.where(a > 0, a, SELU_ALPHA * s.expm1(s.min(a, 0))),
             lambda s, a, h: s.where(h > 0, SELU_LAMBDA, h + SELU_LAMBDA * SELU_ALPHA),
             (-SELU_LAMBDA * SELU_ALPHA, math.inf), ((0.0, SELU_LAMBDA * SELU_ALPHA),)),
        _row("softplus", softplus, lambda s, a, h: -s.expm1(-h), (0.0, math.inf)),
        _row("gelu", lambda s, a: a * _normal_distribution(s, a),
             lambda s, a, h: _normal_distribution(s, a) + a * _normal_density(s, a), (GELU_MINIMUM, math.inf)),
        _row("silu", lambda s, a: a * sigmoid(s, a), _silu_slope, (SILU_MINIMUM, math.inf)),
        _row("mish", lambda s, a: a * s.tanh(softplus(s, a)), _mish_slope, (MISH_MINIMUM, math.inf)),
    )
}  # fmt: skip

SYNONYMS: Final = {"identity": "linear", "logistic": "sigmoid", "swish": "silu"}


def activation(choice: str | Activation | Expression | Callable[..., Any]) -> Activation:
    """Return the activation of that name, or one made of a user's formula.

    Parameters
    ----------
    choice : str, Activation, Expression or callable
        A name of ``TABLE`` (or identity, logistic, swish), or ``lambda s, a: ...``.

    Raises
    ------
    SpecificationError
        If the name is unknown; the message lists all.
    """
    if isinstance(choice, Activation):
        return choice
    if isinstance(choice, str):
        name = SYNONYMS.get(choice.lower().replace("-", "_"), choice.lower().replace("-", "_"))
        if name in TABLE:
            return TABLE[name]
        hint = closest(name, list(TABLE))
        raise SpecificationError(
            where="activation", expected="one of " + ", ".join(TABLE), got=repr(choice),
            remedy=hint if hint.startswith("did") else "choose one of them, or give lambda s, a: ...",
        )  # fmt: skip
    if callable(choice):
        return Activation.own(choice)
    raise SpecificationError(
        where="activation", expected="a name, or lambda s, a: ...", got=type(choice).__name__,
        remedy="choose one of " + ", ".join(TABLE),
    )  # fmt: skip
