"""The gradients of L2 and L1, from the formulas that the library computes with (course-map row 19)."""

from __future__ import annotations

from typing import Any, Final

from ..rules.penalties import L1, L2, Term
from .derivation import Claim, Derivation, Point, Size, Step
from .formulas import to_sympy
from .numbers import exact, matrix, nonzero

SIZES: Final[tuple[Size, ...]] = tuple({"d_out": d_out, "d_in": d_in} for d_out in (2, 3) for d_in in (2, 3))
#: One term of each, as the library has it; their strength is a symbol here.
(SQUARES,), (ABSOLUTES,) = L2(1.0).terms, L1(1.0).terms


def weights(sp: Any, d_out: int, d_in: int) -> Any:
    """The symbols of W."""
    return sp.Matrix(d_out, d_in, lambda i, j: sp.Symbol(f"W_{i}{j}", real=True))


def strength(sp: Any) -> Any:
    """The symbol lambda."""
    return sp.Symbol("lambda", nonnegative=True)


def penalty(sp: Any, term: Term, W: Any) -> Any:
    """Lambda times the sum of omega over all weights, as the library states omega."""
    return strength(sp) * sp.Add(*(to_sympy(term.omega, {"w": w}) for w in W))


def _entries(sp: Any, term: Term, d_out: int, d_in: int) -> list[Claim]:
    """The gradient in each W_ij is lambda times the slope that the library states."""
    W = weights(sp, d_out, d_in)
    total = penalty(sp, term, W)
    return [
        Claim(sp.Derivative(total, W[i, j]), strength(sp) * to_sympy(term.slope, {"w": W[i, j]}), {"i": i, "j": j})
        for i in range(d_out)
        for j in range(d_in)
    ]


def _squares(sp: Any, d_out: int, d_in: int) -> list[Claim]:
    return _entries(sp, SQUARES, d_out, d_in)


def _absolutes(sp: Any, d_out: int, d_in: int) -> list[Claim]:
    return _entries(sp, ABSOLUTES, d_out, d_in)


def _twice(sp: Any, d_out: int, d_in: int) -> list[Claim]:
    W = weights(sp, d_out, d_in)
    total = penalty(sp, SQUARES, W)
    return [Claim(W.applyfunc(lambda w: sp.Derivative(total, w)), 2 * strength(sp) * W)]


def _signs(sp: Any, d_out: int, d_in: int) -> list[Claim]:
    W = weights(sp, d_out, d_in)
    total = penalty(sp, ABSOLUTES, W)
    return [Claim(W.applyfunc(lambda w: sp.Derivative(total, w)), strength(sp) * W.applyfunc(sp.sign))]


def _at_weights(sp: Any, W: Any, strength: Any = 1) -> Point:
    rows = matrix(sp, "W", W)
    values = [value for row in rows for value in row]
    for value in values:
        nonzero("W", value, "L1 has no derivative")
    size = {"d_out": len(rows), "d_in": len(rows[0])}
    symbols = dict(zip(weights(sp, **size), values, strict=True))
    return Point(size, symbols | {sp.Symbol("lambda", nonnegative=True): exact(sp, "strength", strength)})


_D = r"\frac{\partial}{\partial W_{ij}}"
_SUM = r"\sum_{i',j'}"

penalties: Final = Derivation(
    "penalties",
    "Gradients of the penalties L2 and L1",
    {r"W": "the weights of a layer; biases are not penalised", r"\lambda": "strength of the penalty"},
    (
        Step(
            "d/dW_ij lambda sum W^2 = 2 lambda W_ij",
            rf"{_D} \, \lambda {_SUM} W_{{i'j'}}^2 = 2 \, \lambda \, W_{{ij}}",
            "power rule; the other terms do not depend on W_ij",
            _squares,
            SIZES,
        ),
        Step(
            "grad_W lambda sum W^2 = 2 lambda W",
            r"\nabla_W \, \lambda \sum W^2 = 2 \, \lambda \, W",
            "all entries i, j in one matrix",
            _twice,
            SIZES,
        ),
        Step(
            "d/dW_ij lambda sum |W| = lambda sign(W_ij)",
            rf"{_D} \, \lambda {_SUM} \left|W_{{i'j'}}\right| = \lambda \, \operatorname{{sign}}(W_{{ij}})",
            "|w| is w above 0 and -w below; at 0 the value 0 is a choice",
            _absolutes,
            SIZES,
        ),
        Step(
            "grad_W lambda sum |W| = lambda sign(W)",
            r"\nabla_W \, \lambda \sum \left|W\right| = \lambda \, \operatorname{sign}(W)",
            "all entries i, j in one matrix",
            _signs,
            SIZES,
        ),
    ),
    _at_weights,
)
