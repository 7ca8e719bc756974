"""What a reader types: numbers, rows of numbers and formulas, read without executing anything."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError

Array = npt.NDArray[Any]
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "abs": np.abs,
    "sigmoid": lambda a: 1 / (1 + np.exp(-np.asarray(a, dtype=np.float64))),
    "relu": lambda a: np.maximum(a, 0), "max": np.maximum, "min": np.minimum,
}  # fmt: skip
NAMES: Final = {"pi": np.float64(np.pi), "e": np.float64(np.e)}  # so that pi/(pi - pi) is nan and no error
BINARY: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
_SIGNS: Final[dict[type, Callable[[Any], Any]]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
#: Longer answers are mistakes, and deep ones would exhaust the stack.
LONGEST: Final = 200


def evaluate(text: str, **variables: Any) -> Any:
    """Compute a formula such as ``-log(f)`` or ``g*(1 - g)`` from numbers or arrays.

    Parameters
    ----------
    text : str
        Numbers, the variables, + - * / ** (or ^), brackets and the functions exp, log, sqrt, tanh, sigmoid, relu, sin,
        cos, abs, max and min.
    **variables : float or array
        What the names in it stand for.

    Returns
    -------
    float or array
        In float64; infinite or nan where the formula is.

    Raises
    ------
    InputError
        If it is not such a formula.

    Examples
    --------
    >>> float(evaluate("2^3 - 1/2"))
    7.5
    >>> evaluate("g*(1 - g)", g=np.array([0.5, 1.0])).tolist()
    [0.25, 0.0]
    >>> evaluate("f - y", f=1.0)
    Traceback (most recent call last):
    layerwise.errors.InputError: answer: expected a formula of f, got the name 'y'; write it with those names only
    """
    tree = parsed(text)
    known = NAMES | {name: np.asarray(value, dtype=np.float64) for name, value in variables.items()}
    with np.errstate(all="ignore"):
        return value_of(tree, known, sorted(variables), FUNCTIONS, BINARY)


def number(text: str) -> float:
    """Return the number that a text such as ``0.25``, ``1/3`` or ``-log(2)`` stands for.

    Raises
    ------
    InputError
        If it is no finite number.

    Examples
    --------
    >>> number("1/4")
    0.25
    """
    value = float(evaluate(text))
    if not np.isfinite(value):
        raise InputError(where="answer", expected="a finite number", got=repr(text), remedy="check the sum")
    return value


def parsed(text: str) -> ast.expr:
    """Return the tree of a formula; InputError if it is too long or none."""
    if len(text) > LONGEST:
        raise InputError(
            where="answer", expected=f"at most {LONGEST} characters", got=str(len(text)), remedy="write it shorter"
        )
    try:
        return ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise InputError(
            where="answer", expected="a number or a formula, such as 1/3 or exp(-a)", got=repr(text),
            remedy="check brackets and signs",
        ) from problem  # fmt: skip


def value_of(
    node: ast.expr, known: Mapping[str, Any], names: list[str], functions: Mapping[str, Callable[..., Any]],
    binary: Mapping[type, Callable[[Any, Any], Any]],
) -> Any:  # fmt: skip
    """Return what a tree stands for, with these meanings of names, functions and signs; InputError if it has others."""

    def of(inner: ast.expr) -> Any:
        return value_of(inner, known, names, functions, binary)

    match node:
        case ast.Constant(value=int() | float() as constant) if not isinstance(constant, bool):
            return np.float64(_as_float(constant))
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](of(inner))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in binary:
            return binary[type(sign)](of(left), of(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in functions:
            wanted = 2 if name in ("max", "min") else 1
            if len(arguments) == wanted:
                return functions[name](*(of(one) for one in arguments))
            raise _not_such(f"{name} of {len(arguments)} values", names)
        case ast.Name(id=name):
            raise _not_such(f"the name {name!r}", names)
        case _:
            raise _not_such(repr(ast.unparse(node)), names)


def _as_float(constant: int | float) -> float:
    try:
        return float(constant)
    except OverflowError:
        return float("inf")


def _not_such(got: str, names: list[str]) -> InputError:
    expected = f"a formula of {', '.join(names)}" if names else "a number"
    remedy = "write it with those names only" if names else "write one, such as 1/3"
    return InputError(where="answer", expected=expected, got=got, remedy=remedy)
