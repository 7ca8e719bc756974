"""Expressions as LaTeX."""

from __future__ import annotations

from typing import Final

from .expressions import Expression

#: How tightly each form binds: sums, products, negation and atoms.
SUM, PRODUCT, ATOM = 1, 2, 3

FORMS: Final[dict[str, str]] = {
    "max": r"\max({}, {})", "min": r"\min({}, {})", "less": r"\mathbf{{1}}\{{{} < {}\}}", "abs": r"\left|{}\right|",
    "sqrt": r"\sqrt{{{}}}", "exp": r"e^{{{}}}", "expm1": r"\left(e^{{{}}} - 1\right)", "log": r"\log({})",
    "log1p": r"\log(1 + {})", "tanh": r"\tanh({})", "cos": r"\cos({})", "erf": r"\operatorname{{erf}}({})",
    "divide": r"\frac{{{}}}{{{}}}",
    "where": r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
}  # fmt: skip
GREEK: Final = {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "rho", "sigma", "tau"}


def latex(formula: Expression) -> str:
    """Return the results as LaTeX, separated by commas."""
    parts: list[tuple[str, int]] = []

    def wrapped(index: int, tightness: int) -> str:
        text, own = parts[index]
        return text if own >= tightness else rf"\left({text}\right)"

    for kind, *rest in formula.steps:
        if kind == "input":
            name = str(rest[0])
            text = "\\" + name if name in GREEK else name if len(name) == 1 else rf"\mathrm{{{name}}}"
            parts.append((text.replace("_", r"\_"), ATOM))
        elif kind == "constant":
            parts.append((f"{rest[0]:.6g}", ATOM if rest[0] >= 0 else SUM))
        elif kind == "add":
            right = wrapped(rest[1], SUM)
            joined = f"{wrapped(rest[0], SUM)} - {right[1:]}" if right.startswith("-") else None
            parts.append((joined or f"{wrapped(rest[0], SUM)} + {right}", SUM))
        elif kind == "subtract":
            parts.append((f"{wrapped(rest[0], SUM)} - {wrapped(rest[1], PRODUCT)}", SUM))
        elif kind == "multiply" and formula.steps[rest[0]] == ("constant", -1.0):
            parts.append((f"-{wrapped(rest[1], PRODUCT)}", SUM))
        elif kind == "multiply":
            same = rest[0] == rest[1]
            text = (
                f"{wrapped(rest[0], ATOM)}^2"
                if same
                else rf"{wrapped(rest[0], PRODUCT)} \, {wrapped(rest[1], PRODUCT)}"
            )
            parts.append((text, PRODUCT))
        else:
            bare = [parts[i][0] for i in rest]
            if kind == "where" and formula.steps[rest[0]][0] == "less":  # an indicator reads better as its condition
                bare[0] = " < ".join(parts[i][0] for i in formula.steps[rest[0]][1:])
            parts.append((FORMS[kind].format(*bare), ATOM))
    return ", ".join(parts[i][0] for i in formula.outputs)
