"""Forward differentiation of expressions: one line for each primitive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from .expressions import Expression
from .symbols import Symbol, Tracer

TWO_OVER_SQRT_PI: Final = 2.0 / math.sqrt(math.pi)

#: What max, min and where choose between: f(s, *arguments) -> condition, one if it holds, one if not (as positions).
CHOICES: Final[dict[str, Callable[..., tuple[Any, int, int]]]] = {
    "max": lambda s, x, y: (x < y, 1, 0),
    "min": lambda s, x, y: (y < x, 1, 0),
    "where": lambda s, c, x, y: (c, 1, 2),
}

#: The partial derivatives of the others: f(s, result, *arguments) -> one entry for each argument, None for 0.
PARTIALS: Final[dict[str, Callable[..., tuple[Any, ...]]]] = {
    "add": lambda s, r, x, y: (1.0, 1.0),
    "subtract": lambda s, r, x, y: (1.0, -1.0),
    "multiply": lambda s, r, x, y: (y, x),
    "divide": lambda s, r, x, y: (1.0 / y, -(r / y)),
    "less": lambda s, r, x, y: (None, None),
    "abs": lambda s, r, x: (s.less(0.0, x) - s.less(x, 0.0),),
    "sqrt": lambda s, r, x: (0.5 / r,),
    "exp": lambda s, r, x: (r,),
    "expm1": lambda s, r, x: (r + 1.0,),
    "log": lambda s, r, x: (1.0 / x,),
    "log1p": lambda s, r, x: (1.0 / (1.0 + x),),
    "tanh": lambda s, r, x: (1.0 - r * r,),
    "cos": lambda s, r, x: (s.cos(x + math.pi / 2),),
    "erf": lambda s, r, x: (TWO_OVER_SQRT_PI * s.exp(-(x * x)),),
}


def differentiate(formula: Expression, wrt: str) -> Expression:
    """Return d(results)/d(wrt) as an expression of the same inputs.

    A derivative that is structurally zero stays away from the sum, and a choice chooses between tangents instead of
    multiplying them by 0 and 1: no ``0 * infinity`` arises, and the branch not taken cannot leak a NaN.
    """

    def derived(s: Tracer, *symbols: Symbol) -> tuple[Symbol, ...]:
        by_name = dict(zip(formula.inputs, symbols, strict=True))
        values: list[Symbol] = []
        tangents: list[Any] = []  # None where the derivative is zero
        for kind, *rest in formula.steps:
            if kind == "input":
                values.append(by_name[rest[0]])
                tangents.append(s.lift(1.0) if rest[0] == wrt else None)
                continue
            if kind == "constant":
                values.append(s.lift(rest[0]))
                tangents.append(None)
                continue
            arguments = [values[i] for i in rest]
            values.append(s.apply(kind, *arguments))
            tangents.append(_tangent(s, kind, values[-1], arguments, [tangents[i] for i in rest]))
        return tuple(s.lift(0.0) if tangents[i] is None else tangents[i] for i in formula.outputs)

    return Expression.trace(derived, inputs=formula.inputs)


def _tangent(s: Tracer, kind: str, result: Symbol, arguments: list[Symbol], tangents: list[Any]) -> Symbol | None:
    if all(t is None for t in tangents):
        return None
    if kind in CHOICES:
        condition, *chosen = CHOICES[kind](s, *arguments)
        branches = [tangents[i] for i in chosen]
        if all(t is None for t in branches):
            return None
        return s.where(condition, *(0.0 if t is None else t for t in branches))
    total: Symbol | None = None
    for partial, tangent in zip(PARTIALS[kind](s, result, *arguments), tangents, strict=True):
        if partial is not None and tangent is not None:
            term = s.lift(partial) * tangent
            total = term if total is None else total + term
    return total
