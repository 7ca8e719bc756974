"""The gradient f - y of sigmoid with binary negative log-likelihood and of identity with squared error (rows 11, 16).

The target y is any number, so that smoothed labels are covered too.
"""

from __future__ import annotations

from typing import Any, Final

from ..errors import check_number
from ..rules.outputs.classes import binary_nll
from .activations import SIDES, preactivation
from .derivation import Claim, Derivation, Point, Size, Step
from .formulas import to_sympy
from .numbers import exact, nonzero

#: Nothing to choose but the numbers.
NO_SIZE: Final[tuple[Size, ...]] = ({},)


def _any_a(sp: Any) -> Any:
    return sp.Symbol("a", real=True)


def _target(sp: Any) -> Any:
    return sp.Symbol("y", real=True)


def _output(sp: Any) -> Any:
    return sp.Symbol("f", positive=True)


def _sigmoid(sp: Any, a: Any) -> Any:
    return 1 / (1 + sp.exp(-a))


def _loss(sp: Any, f: Any) -> Any:
    """-y log f - (1 - y) log(1 - f)"""
    y = _target(sp)
    return -y * sp.log(f) - (1 - y) * sp.log(1 - f)


def _slope_of_sigmoid(sp: Any) -> list[Claim]:
    a = _any_a(sp)
    f = _sigmoid(sp, a)
    return [Claim(sp.Derivative(f, a), f * (1 - f))]


def _at_output(sp: Any) -> list[Claim]:
    f, y = _output(sp), _target(sp)
    return [Claim(sp.Derivative(_loss(sp, f), f), -y / f + (1 - y) / (1 - f))]


def _cancelled(sp: Any) -> list[Claim]:
    f, y = _output(sp), _target(sp)
    return [Claim((-y / f + (1 - y) / (1 - f)) * f * (1 - f), f - y)]


def _of_the_stable_loss(sp: Any) -> list[Claim]:
    """From the formula that the library computes, on either side of 0."""
    claims = []
    for sign, side in enumerate(SIDES):
        a = preactivation(sp, side)
        loss = to_sympy(binary_nll, {"a": a, "y": _target(sp)})
        claims.append(Claim(sp.Derivative(loss, a), _sigmoid(sp, a) - _target(sp), {"side": sign}))
    return claims


def _of_the_square(sp: Any) -> list[Claim]:
    a, y = _any_a(sp), _target(sp)
    return [Claim(sp.Derivative((a - y) ** 2 / 2, a), a - y)]


def _unpaired(sp: Any) -> list[Claim]:
    a, y = _any_a(sp), _target(sp)
    f = _sigmoid(sp, a)
    return [Claim(sp.Derivative((f - y) ** 2 / 2, a), (f - y) * f * (1 - f))]


def _at(sp: Any, a: Any, y: Any) -> Point:
    check_number("y", y)
    value = exact(sp, "a", a)
    nonzero("a", value, "the formula that the library computes has two pieces")
    side = "positive" if value > 0 else "negative"
    symbols = {_any_a(sp): value, preactivation(sp, side): value, _target(sp): exact(sp, "y", y)}
    return Point({}, symbols | {_output(sp): _sigmoid(sp, value)}, case={"side": SIDES.index(side)})


_A, _F = r"\frac{\partial}{\partial a}", r"\frac{\partial}{\partial f}"

other_outputs: Final = Derivation(
    "other_outputs",
    "Loss gradients of sigmoid and identity",
    {
        r"a": "pre-activation of the output unit",
        r"f": "1 / (1 + e^-a) for the sigmoid, a for the identity",
        r"y": "the target, 0 or 1 for the sigmoid",
    },
    (
        Step(
            "d/da 1/(1 + e^-a) = f (1 - f)",
            rf"{_A} \, \frac{{1}}{{1 + e^{{-a}}}} = f \left(1 - f\right)",
            "quotient rule; the slope of the sigmoid",
            _slope_of_sigmoid,
            NO_SIZE,
        ),
        Step(
            "d/df (-y log f - (1 - y) log(1 - f)) = -y/f + (1 - y)/(1 - f)",
            rf"{_F} \left(-y \log f - (1 - y) \log(1 - f)\right) = -\frac{{y}}{{f}} + \frac{{1 - y}}{{1 - f}}",
            "the loss of a yes or no, at the output",
            _at_output,
            NO_SIZE,
        ),
        Step(
            "(-y/f + (1 - y)/(1 - f)) f (1 - f) = f - y",
            r"\left(-\frac{y}{f} + \frac{1 - y}{1 - f}\right) f \left(1 - f\right) = f - y",
            "chain rule; the denominators cancel",
            _cancelled,
            NO_SIZE,
        ),
        Step(
            "d/da (max(a, 0) - y a + log(1 + e^-|a|)) = f - y",
            rf"{_A} \left(\max(a, 0) - y \, a + \log(1 + e^{{-\left|a\right|}})\right) = f - y",
            "the same loss as the library computes it, with no large exponential",
            _of_the_stable_loss,
            NO_SIZE,
        ),
        Step(
            "d/da 1/2 (a - y)^2 = f - y",
            rf"{_A} \, \frac{{1}}{{2}} \left(a - y\right)^2 = f - y",
            "identity with the squared error: f = a",
            _of_the_square,
            NO_SIZE,
        ),
        Step(
            "d/da 1/2 (1/(1 + e^-a) - y)^2 = (f - y) f (1 - f)",
            rf"{_A} \, \frac{{1}}{{2}} \left(\frac{{1}}{{1 + e^{{-a}}}} - y\right)^2"
            r" = \left(f - y\right) f \left(1 - f\right)",
            "a sigmoid with the squared error: its slope does not cancel",
            _unpaired,
            NO_SIZE,
        ),
    ),
    _at,
)
