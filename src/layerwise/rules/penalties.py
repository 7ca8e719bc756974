"""Penalties lambda Omega(theta) on the weights W, never on biases (course-map row 19), and on activations h."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ..errors import SpecificationError, check_number
from ..ops import Expression, Operand, Vocabulary, expression


@dataclass(frozen=True)
class Term:
    """strength * sum over all weights w (or activations) of omega(w)."""

    name: str
    strength: float
    omega: Expression
    slope: Expression

    @cached_property
    def grad_plus_slope(self) -> Expression:
        """The sum grad + strength * omega'(w), as one formula of grad, w and strength."""
        return Expression.trace(lambda s, grad, w, strength: grad + strength * self.slope(s, w))

    @cached_property
    def scaled_slope(self) -> Expression:
        """strength * omega'(w), as one formula of w and strength."""
        return Expression.trace(lambda s, w, strength: strength * self.slope(s, w))


@dataclass(frozen=True)
class Penalty:
    """A sum of terms; ``lw.L2(1e-4) + lw.L1(1e-5)`` makes one of both.

    Parameters
    ----------
    terms : tuple of Term
    """

    terms: tuple[Term, ...] = ()

    def __add__(self, other: Penalty) -> Penalty:
        return Penalty(self.terms + other.terms)

    @classmethod
    def own(cls, strength: float, omega: Callable[..., Any], name: str = "own") -> Penalty:
        """Make a penalty of one formula ``lambda s, w: ...``; its gradient follows from the formula."""
        check_number("penalty", strength, at_least=0)
        formula = omega if isinstance(omega, Expression) else Expression.trace(omega)
        if len(formula.inputs) != 1 or len(formula.outputs) != 1:
            raise SpecificationError(
                where="penalty", expected="a formula of one weight w with one result",
                got=f"{len(formula.inputs)} arguments and {len(formula.outputs)} results",
                remedy="write lambda s, w: ...",
            )  # fmt: skip
        return cls((Term(name, float(strength), formula, formula.derivative(formula.inputs[0])),))


def as_penalty(penalty: Penalty | None, where: str = "penalty") -> Penalty:
    """Return the penalty, or one without terms for None.

    Raises
    ------
    SpecificationError
        If it is something else, such as a number.
    """
    if penalty is None:
        return Penalty()
    if isinstance(penalty, Penalty):
        return penalty
    raise SpecificationError(
        where=where, expected="lw.L2(strength), lw.L1(strength) or their sum", got=repr(penalty),
        remedy="write lw.L2(1e-4), say",
    )  # fmt: skip


_square: Final = expression(lambda s, w: w * w)
_square_slope: Final = expression(lambda s, w: 2 * w)
_absolute: Final = expression(lambda s, w: s.abs(w))
_sign: Final = expression(lambda s, w: s.less(0, w) - s.less(w, 0))


def L2(strength: float) -> Penalty:
    r"""Return the penalty strength * sum W^2, with gradient 2 strength W.

    >>> L2(0.5).terms[0].slope.latex()
    '2 \\, w'
    """
    check_number("l2", strength, at_least=0)
    return Penalty((Term("l2", float(strength), _square, _square_slope),))


def L1(strength: float) -> Penalty:
    """Return the penalty strength * sum |W|, with gradient strength * sign W (0 at W = 0)."""
    check_number("l1", strength, at_least=0)
    return Penalty((Term("l1", float(strength), _absolute, _sign),))


_scale: Final = expression(lambda s, omega, strength: strength * omega)


def penalty_forward(ops: Vocabulary, penalty: Penalty, weights: Sequence[Operand], strengths: Sequence[Any]) -> Operand:
    """lambda Omega, summed over terms and over all W.  weights: (d_out, d_in) each -> (1,)"""
    total = None
    for term, strength in zip(penalty.terms, strengths, strict=True):
        for W in weights:
            value = ops.map(_scale, ops.sum_all(ops.map(term.omega, W)), strength)
            total = value if total is None else ops.add(total, value)
    return total


def penalty_backward(
    ops: Vocabulary, penalty: Penalty, W: Operand, grad_W: Operand, strengths: Sequence[Any]
) -> Operand:
    """grad_W + lambda dOmega/dW.  (d_out, d_in) -> (d_out, d_in)"""
    for term, strength in zip(penalty.terms, strengths, strict=True):
        grad_W = ops.map(term.grad_plus_slope, grad_W, W, strength)
    return grad_W


def activity_forward(ops: Vocabulary, penalty: Penalty, h: Operand, strengths: Sequence[Any]) -> Operand:
    """The sum over terms and units of strength omega(h), for every row.  h: (n, d) -> (n, 1)"""
    total = None
    for term, strength in zip(penalty.terms, strengths, strict=True):
        value = ops.map(_scale, ops.sum_columns(ops.map(term.omega, h)), strength)
        total = value if total is None else ops.add(total, value)
    return total


def activity_backward(ops: Vocabulary, penalty: Penalty, h: Operand, strengths: Sequence[Any]) -> Operand:
    """grad_h of `activity_forward`, for every row: the sum over terms of strength omega'(h).  (n, d) -> (n, d)"""
    total = None
    for term, strength in zip(penalty.terms, strengths, strict=True):
        value = ops.map(term.scaled_slope, h, strength)
        total = value if total is None else ops.add(total, value)
    return total
