"""Expressions as LaTeX and as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .expressions import Expression

#: How tightly each form binds: sums, products, and what needs no brackets.
SUM, PRODUCT, ATOM = 1, 2, 3
GREEK: Final = {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "rho", "sigma", "tau"}


@dataclass(frozen=True)
class Style:
    """How formulas are written: a form for each primitive, brackets, products, squares and names."""

    forms: Mapping[str, str]
    brackets: str
    product: str
    square: str
    name: Callable[[str], str]


def _latex_name(name: str) -> str:
    text = "\\" + name if name in GREEK else name if len(name) == 1 else rf"\mathrm{{{name}}}"
    return text.replace("_", r"\_")


LATEX: Final = Style(
    {
        "max": r"\max({}, {})", "min": r"\min({}, {})", "less": r"\mathbf{{1}}\{{{} < {}\}}",
        "abs": r"\left|{}\right|", "sqrt": r"\sqrt{{{}}}", "exp": r"e^{{{}}}", "expm1": r"\left(e^{{{}}} - 1\right)",
        "log": r"\log({})", "log1p": r"\log(1 + {})", "tanh": r"\tanh({})", "cos": r"\cos({})",
        "erf": r"\operatorname{{erf}}({})", "divide": r"\frac{{{}}}{{{}}}",
        "where": r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    },
    r"\left({}\right)", r" \, ", "{}^2", _latex_name,
)  # fmt: skip

TEXT: Final = Style(
    {
        "max": "max({}, {})", "min": "min({}, {})", "less": "1{{{} < {}}}", "abs": "|{}|", "sqrt": "sqrt({})",
        "exp": "exp({})", "expm1": "expm1({})", "log": "log({})", "log1p": "log1p({})", "tanh": "tanh({})",
        "cos": "cos({})", "erf": "erf({})", "where": "({1} if {0} else {2})",
    },
    "({})", " * ", "{}^2", str,
)  # fmt: skip


def latex(formula: Expression) -> str:
    """Return the results as LaTeX, separated by commas."""
    return ", ".join(text for text, _ in render(formula, LATEX, {}))


def render(formula: Expression, style: Style, operands: Mapping[str, tuple[str, int]]) -> list[tuple[str, int]]:
    """Return each result as text, with how tightly it binds.

    Parameters
    ----------
    formula : Expression
    style : Style
    operands : mapping of input name to (text, tightness)
        What to write for inputs; by default their names.
    """
    parts: list[tuple[str, int]] = []

    def wrapped(index: int, tightness: int) -> str:
        text, own = parts[index]
        return text if own >= tightness else style.brackets.format(text)

    def added(left: int, right: int) -> str:
        text = wrapped(right, SUM)
        return f"{wrapped(left, SUM)} - {text[1:]}" if text.startswith("-") else f"{wrapped(left, SUM)} + {text}"

    for kind, *rest in formula.steps:
        if kind == "input":
            parts.append(operands.get(rest[0], (style.name(rest[0]), ATOM)))
        elif kind == "constant":
            parts.append((f"{rest[0]:.6g}", ATOM if rest[0] >= 0 else SUM))
        elif kind == "add":
            parts.append((added(*rest), SUM))
        elif kind == "subtract":
            parts.append((f"{wrapped(rest[0], SUM)} - {wrapped(rest[1], PRODUCT)}", SUM))
        elif kind == "multiply" and formula.steps[rest[0]] == ("constant", -1.0):
            parts.append((f"-{wrapped(rest[1], PRODUCT)}", SUM))
        elif kind == "multiply" and rest[0] == rest[1]:
            parts.append((style.square.format(wrapped(rest[0], ATOM)), PRODUCT))
        elif kind == "multiply":
            parts.append((style.product.join(wrapped(i, PRODUCT) for i in rest), PRODUCT))
        elif kind == "divide" and kind not in style.forms:
            parts.append((f"{wrapped(rest[0], PRODUCT)} / {wrapped(rest[1], ATOM)}", PRODUCT))
        else:
            bare = [parts[i][0] for i in rest]
            if kind == "where" and formula.steps[rest[0]][0] == "less":  # an indicator reads better as its condition
                bare[0] = " < ".join(parts[i][0] for i in formula.steps[rest[0]][1:])
            parts.append((style.forms[kind].format(*bare), ATOM))
    return [parts[i] for i in formula.outputs]
