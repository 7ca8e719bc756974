"""An activation function that a reader types: its formula becomes an expression, nothing in it is executed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from ..errors import InputError
from ..ops import Expression
from ..ops.numpy_ops import evaluate
from ..rules.activations import Activation, sigmoid
from .formula import BINARY, NAMES, parsed, value_of

#: Where it has to have a value and a slope.
REACH: Final = np.linspace(-6.0, 6.0, 1201)
#: Whole powers beyond it are mistakes.
HIGHEST_POWER: Final = 32


def activation_of(text: str) -> Activation:
    r"""Make an activation function of a formula of a, such as ``a * tanh(exp(a))``; its derivative follows from it.

    Parameters
    ----------
    text : str
        As for `formula.evaluate`, with the variable a.

    Returns
    -------
    Activation
        For ``lw.Network(..., hidden=...)``; at kinks of max, min, abs and relu see `Expression.derivative`.

    Raises
    ------
    InputError
        If it is not such a formula, or g or g' is not finite somewhere between -6 and 6.

    Examples
    --------
    >>> activation_of("a^2 / 2").derivative.latex()
    '\\frac{1}{2} \\, \\left(a + a\\right)'
    >>> activation_of("log(a)")
    Traceback (most recent call last):
    layerwise.errors.InputError: g: expected a number for every a from -6 to 6, got nan at a = -6; try ...
    """
    tree = parsed(text)

    def formula(s: Any, a: Any) -> Any:
        functions = {name: partial(_lifted, s, function) for name, function in _traced(s).items()}
        return s.lift(value_of(tree, NAMES | {"a": a}, ["a"], functions, BINARY | {ast.Pow: partial(_power, s)}))

    with np.errstate(all="ignore"):
        made = Activation.own(Expression.trace(formula))
        h = np.broadcast_to(evaluate(made.g, [REACH]), REACH.shape)
        slope = np.broadcast_to(evaluate(made.derivative, [REACH, h]), REACH.shape)
    for name, values in (("g", h), ("g'", slope)):
        if not (finite := np.isfinite(values)).all():
            at = int(np.flatnonzero(~finite)[0])
            raise InputError(
                where=name, expected=f"a number for every a from {REACH[0]:g} to {REACH[-1]:g}",
                got=f"{values[at]:g} at a = {round(REACH[at], 2):g}",
                remedy="try max, abs or exp to keep away from there",
            )  # fmt: skip
    return made


def _traced(s: Any) -> dict[str, Callable[..., Any]]:
    """Return the functions of `FUNCTIONS` in the primitives of a tracer."""
    return {
        "exp": s.exp, "log": s.log, "sqrt": s.sqrt, "tanh": s.tanh, "sin": lambda x: s.cos(x - np.pi / 2),
        "cos": s.cos, "abs": s.abs, "sigmoid": lambda x: sigmoid(s, x), "relu": lambda x: s.max(x, 0), "max": s.max,
        "min": s.min,
    }  # fmt: skip


def _lifted(s: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*(s.lift(one) for one in arguments))


def _power(s: Any, base: Any, exponent: Any) -> Any:
    """Return base ** exponent: products for whole exponents, else exp(exponent log(base))."""
    if not isinstance(exponent, float):
        return s.exp(exponent * s.log(base))
    if isinstance(base, float):
        return np.power(base, exponent)
    if exponent != round(exponent) or not np.isfinite(exponent):
        return s.exp(exponent * s.log(base))
    if abs(exponent) > HIGHEST_POWER:
        raise InputError(
            where="answer", expected=f"powers up to {HIGHEST_POWER}", got=f"{exponent:g}", remedy="take a smaller one"
        )
    whole = base ** abs(int(exponent)) if exponent else s.lift(1.0)
    return whole if exponent >= 0 else 1 / whole
