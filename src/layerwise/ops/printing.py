"""Expressions as LaTeX and as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import SpecificationError
from .expressions import Expression

#: How tightly each form binds: choices, sums, products, what may not be squared without brackets, and the rest.
CHOICE, SUM, PRODUCT, FACTOR, ATOM = range(5)
#: The longest formula that is written out.
LONGEST: Final = 20_000
GREEK: Final = {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "rho", "sigma", "tau"}


@dataclass(frozen=True)
class Style:
    """How formulas are written: a form for each primitive (those that are no atoms: ``loose``), brackets and so on."""

    forms: Mapping[str, str]
    loose: Mapping[str, int]
    brackets: str
    product: str
    square: str
    name: Callable[[str], str]
    number: Callable[[float], str]


def _latex_number(value: float) -> str:
    digits, _, power = f"{value:.6g}".replace("inf", r"\infty").partition("e")
    if not power:
        return digits
    return ("" if digits == "1" else rf"{digits} \cdot ") + f"10^{{{int(power)}}}"


def _latex_name(name: str) -> str:
    text = "\\" + name if name in GREEK else name if len(name) == 1 else rf"\mathrm{{{name}}}"
    return text.replace("_", r"\_")


LATEX: Final = Style(
    {
        "max": r"\max({}, {})", "min": r"\min({}, {})", "less": r"\mathbf{{1}}\{{{} < {}\}}",
        "abs": r"\left|{}\right|", "sqrt": r"\sqrt{{{}}}", "exp": r"e^{{{}}}", "expm1": r"\left(e^{{{}}} - 1\right)",
        "log": r"\log({})", "log1p": r"\log({})", "tanh": r"\tanh({})", "cos": r"\cos({})",
        "erf": r"\operatorname{{erf}}({})", "divide": r"\frac{{{}}}{{{}}}",
        "where": r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    },
    {"where": CHOICE, "exp": FACTOR, "divide": FACTOR},
    r"\left({}\right)", r" \, ", "{}^2", _latex_name, _latex_number,
)  # fmt: skip

TEXT: Final = Style(
    {
        "max": "max({}, {})", "min": "min({}, {})", "less": "1{{{} < {}}}", "abs": "|{}|", "sqrt": "sqrt({})",
        "exp": "exp({})", "expm1": "expm1({})", "log": "log({})", "log1p": "log1p({})", "tanh": "tanh({})",
        "cos": "cos({})", "erf": "erf({})", "where": "({1} if {0} else {2})",
    },
    {}, "({})", " * ", "{}^2", str, "{:.6g}".format,
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

    def added(left: str, right: int) -> str:
        text = wrapped(right, SUM)
        return f"{left} - {text[1:]}" if text.startswith("-") else f"{left} + {text}"

    for kind, *rest in formula.steps:
        if kind == "input":
            parts.append(operands.get(rest[0], (style.name(rest[0]), ATOM)))
        elif kind == "constant":
            number = style.number(rest[0])
            parts.append((number, SUM if number.startswith("-") else FACTOR if "^" in number else ATOM))
        elif kind == "add":
            parts.append((added(wrapped(rest[0], SUM), rest[1]), SUM))
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
            if kind == "log1p" and style is LATEX:
                bare[0] = added("1", rest[0])
            parts.append((style.forms[kind].format(*bare), style.loose.get(kind, ATOM)))
        if len(parts[-1][0]) > LONGEST:  # shared steps are written out each time, which can grow without bounds
            raise SpecificationError(
                where="expression", expected=f"a formula that prints in {LONGEST} characters", got="a longer one",
                remedy="look at its steps instead",
            )  # fmt: skip
    return [parts[i] for i in formula.outputs]
