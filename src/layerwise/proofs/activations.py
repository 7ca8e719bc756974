"""The derivative of every activation, from the formulas that the library itself computes with (course-map row 7)."""

from __future__ import annotations

from typing import Any, Final

from ..ops.printing import TEXT, render
from ..rules.activations import SELU_ALPHA, SELU_LAMBDA, TABLE, Activation
from .derivation import Claim, Derivation, Point, Step
from .formulas import to_sympy
from .numbers import exact, nonzero

#: A pre-activation on each side of 0, where the formulas have their pieces.
SIDES: Final = ("positive", "negative")

#: What to differentiate with; no more than a hint to the reader.
REASONS: Final = {
    "linear": "the slope of a line",
    "sigmoid": "quotient rule, and 1 - h = e^-a / (1 + e^-a)",
    "tanh": "quotient rule on (e^a - e^-a) / (e^a + e^-a)",
    "relu": "a line on each side of 0; at 0 the value is a choice",
    "leaky_relu": "a line on each side of 0; at 0 the value is a choice",
    "elu": "for a < 0 the derivative of e^a - 1 is e^a = h + 1",
    "selu": "as for elu, scaled; at 0 the value is a choice",
    "softplus": "chain rule, and e^-h = 1 / (1 + e^a)",
    "gelu": "product rule; the distribution's derivative is the density",
    "silu": "product rule with the sigmoid's derivative",
    "mish": "product and chain rule; the derivative of softplus is the sigmoid",
}


def formulas(sp: Any, row: Activation, a: Any) -> tuple[Any, Any]:
    """Return h = g(a) and g'(a) in SymPy, as the library states them."""
    # Python has multiplied these two already when the formula is traced, and rounded.
    scaled = sp.Rational(repr(SELU_LAMBDA)) * sp.Rational(repr(SELU_ALPHA))
    constants = {SELU_LAMBDA * SELU_ALPHA: scaled}
    h = to_sympy(row.g, {"a": a}, constants)
    return h, sp.sympify(to_sympy(row.derivative, {"a": a, "h": h}, constants))


def preactivation(sp: Any, side: str) -> Any:
    """The symbol a, known to be positive or negative."""
    return sp.Symbol("a", **{side: True})


def _step(row: Activation) -> Step:
    def claims(sp: Any) -> list[Claim]:
        made = []
        for sign, side in enumerate(SIDES):
            a = preactivation(sp, side)
            h, slope = formulas(sp, row, a)
            made.append(Claim(sp.Derivative(h, a), slope, {"side": sign}))
            if not row.kinks:  # then the derivative from this side goes on to 0, and g' states its value there
                stated = formulas(sp, row, sp.Integer(0))[1]
                made.append(Claim(sp.limit(sp.Derivative(h, a).doit(), a, 0), stated, {"side": 2}))
        return made

    ((g, _),), ((slope, _),) = (render(formula, TEXT, {}) for formula in (row.g, row.derivative))
    return Step(
        f"{row.name}: d/da [{g}] = {slope}",
        rf"\frac{{\partial}}{{\partial a}} \left({row.g.latex()}\right) = {row.derivative.latex()}",
        REASONS.get(row.name, "each piece by itself"), claims, sizes=({},),
    )  # fmt: skip


def _at_a(sp: Any, a: Any) -> Point:
    value = exact(sp, "a", a)
    nonzero("a", value)
    side = "positive" if value > 0 else "negative"
    return Point({}, {preactivation(sp, side): value}, case={"side": SIDES.index(side)})


activation_derivatives: Final = Derivation(
    "activation_derivatives",
    "Derivatives of the activation functions",
    {r"a": "pre-activation", r"h = g(a)": "activation", r"g'(a)": "its derivative, from a and h"},
    tuple(_step(row) for row in TABLE.values()),
    _at_a,
)
