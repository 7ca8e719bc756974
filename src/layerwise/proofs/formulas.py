"""Expressions as SymPy has them: the one place where the primitives of formulas get their SymPy meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..ops import Expression
from .algebra import load_sympy


def primitives() -> dict[str, Callable[..., Any]]:
    """Return what each primitive means in SymPy.

    Comparisons are decided where the assumptions on the symbols do (a is positive, say), and stay open elsewhere.

    >>> import sympy
    >>> primitives()["max"](sympy.Symbol("a", negative=True), sympy.Integer(0))
    0
    """
    sp = load_sympy()

    def choice(x: Any, y: Any, if_less: Any, otherwise: Any) -> Any:
        return sp.Piecewise((if_less, _less(sp, x, y)), (otherwise, True))

    return {
        "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
        "divide": lambda x, y: x / y, "max": lambda x, y: choice(x, y, y, x), "min": lambda x, y: choice(y, x, y, x),
        "less": lambda x, y: choice(x, y, sp.Integer(1), sp.Integer(0)),
        "where": lambda c, x, y: sp.Piecewise((x, sp.Ne(c, 0)), (y, True)), "abs": sp.Abs, "sqrt": sp.sqrt,
        "exp": sp.exp, "expm1": lambda x: sp.exp(x) - 1, "log": sp.log, "log1p": lambda x: sp.log(1 + x),
        "tanh": sp.tanh, "cos": sp.cos, "erf": sp.erf,
    }  # fmt: skip


def to_sympy(formula: Expression, operands: Mapping[str, Any], constants: Mapping[float, Any] | None = None) -> Any:
    """Write a formula with one result in SymPy.

    Constants are taken as the decimals that they are written as (0.01 is 1/100), and sqrt(1/2) and 1/sqrt(2 pi) as
    themselves: rounded they would differ from what SymPy derives.

    Parameters
    ----------
    formula : Expression
    operands : mapping of input name to SymPy expression
    constants : mapping of float to SymPy expression, optional
        Other constants that are rounded values of something.

    Examples
    --------
    >>> import sympy
    >>> a = sympy.Symbol("a")
    >>> to_sympy(Expression.trace(lambda s, a: 0.01 * s.exp(-a)), {"a": a})
    exp(-a)/100
    """
    sp = load_sympy()
    meaning = primitives()
    known = {math.sqrt(0.5): 1 / sp.sqrt(2), 1 / math.sqrt(2 * math.pi): 1 / sp.sqrt(2 * sp.pi), **(constants or {})}
    values: list[Any] = []
    for kind, *rest in formula.steps:
        if kind == "input":
            values.append(operands[rest[0]])
        elif kind == "constant":
            values.append(known[rest[0]] if rest[0] in known else sp.Rational(repr(rest[0])))
        else:
            values.append(meaning[kind](*(values[i] for i in rest)))
    return values[formula.outputs[0]]


def _less(sp: Any, x: Any, y: Any) -> Any:
    """Return x < y; SymPy leaves open that e^a < 1 where a is negative, which is decided here."""
    condition = sp.sympify(x) < y
    if condition in (sp.true, sp.false):
        return condition
    negative = sorted((a for a in (y - x).free_symbols if a.is_negative), key=str)
    below_one = {sp.exp(a): 1 / (1 + sp.Symbol(f"t_{a}", positive=True)) for a in negative}
    gap = sp.factor(sp.together(sp.expand(y - x).subs(below_one)))
    return condition if gap.is_positive is None else sp.true if gap.is_positive else sp.false
