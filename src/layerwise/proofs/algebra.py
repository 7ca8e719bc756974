"""SymPy, when a proof is asked for: loading it, deciding whether something is 0, and putting in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from ..errors import MissingExtraError

#: Digits that numbers are computed with, so that what differs in float64's last digit is no rounding of ours.
DIGITS: Final = 30


def load_sympy() -> Any:
    """Import SymPy, when it is needed and not before.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module("sympy")
    except ImportError as problem:
        raise MissingExtraError(
            where="proofs", expected="SymPy", got="no such package", remedy="pip install 'layerwise[notes]'"
        ) from problem


def indicator(condition: bool) -> int:
    """1{condition}."""
    return int(condition)


def vanishes(quantity: Any) -> bool:
    """Return whether SymPy finds an expression, or every entry of a matrix, to be 0.

    Where it has pieces, such as |w| does, real symbols are taken to be above 0 and below 0, and not 0 itself.

    Examples
    --------
    >>> import sympy
    >>> x = sympy.Symbol("x", real=True)
    >>> vanishes(sympy.Derivative(sympy.exp(2 * x), x) - 2 * sympy.exp(x) ** 2), vanishes(x - 1)
    (True, False)
    """
    sp = load_sympy()
    return all(_is_zero(sp, entry) for entry in entries(sp.sympify(quantity)))


def entries(quantity: Any) -> list[Any]:
    """Return the entries of a matrix row by row, or the expression itself."""
    return list(quantity) if getattr(quantity, "is_Matrix", False) else [quantity]


def number(quantity: Any, symbols: Mapping[Any, Any], functions: Mapping[Any, Callable[..., Any]]) -> list[float]:
    """Return an expression, or the entries of a matrix, as numbers.

    Parameters
    ----------
    quantity : SymPy expression or matrix
    symbols : mapping of symbol to number
    functions : mapping of SymPy function to what it stands for, a callable
    """
    values = []
    for entry in entries(quantity):
        for function, meaning in functions.items():
            entry = entry.replace(function, meaning)
        # Derivatives first: after the numbers there is nothing left to differentiate by.
        values.append(float(entry.doit().subs(symbols).evalf(DIGITS)))
    return values


def _is_zero(sp: Any, entry: Any) -> bool:
    difference = entry.doit()
    if difference == 0:
        return True
    pieces = difference.atoms(sp.Piecewise, sp.Abs, sp.sign)
    open_signs = {s for piece in pieces for s in piece.free_symbols if s.is_extended_real and s.is_nonzero is None}
    if open_signs:  # the pieces of |w| meet at 0: each side by itself
        symbol = min(open_signs, key=str)
        size = sp.Symbol(f"{symbol}", positive=True)
        return all(_is_zero(sp, difference.subs(symbol, side)) for side in (size, -size))
    if not pieces:
        # Of quotients of exponentials this decides, some hundred times faster than simplify.
        if sp.cancel(sp.together(sp.expand(difference, power_base=False, log=False))) == 0:
            return True
        # A real number is 0 if its exponential is 1; so sums of logarithms become quotients.
        if difference.has(sp.log) and difference.is_extended_real:
            ratio = sp.exp(sp.expand_log(difference))
            if sp.cancel(sp.together(sp.expand(ratio - 1, log=False))) == 0:
                return True
    return bool(sp.simplify(difference) == 0)
