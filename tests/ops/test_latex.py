"""Formulas as LaTeX: what they look like, and that they say what is computed."""

from __future__ import annotations

import math
import sys

import pytest

from layerwise.ops import Expression
from layerwise.ops.expressions import PRIMITIVES
from layerwise.ops.printing import LATEX


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda s, a: a, r"a"),
        (lambda s, a: 2 * a, r"2 \, a"),
        (lambda s, a: -a, r"-a"),
        (lambda s, a: -(a + 1), r"-\left(a + 1\right)"),
        (lambda s, a: a - (-a), r"a - \left(-a\right)"),
        (lambda s, a: a + (-2 * a), r"a + \left(-2\right) \, a"),
        (lambda s, a: a + (-a), r"a - a"),
        (lambda s, a: a - (1 - a), r"a - \left(1 - a\right)"),
        (lambda s, a: (a - 1) - a, r"a - 1 - a"),
        (lambda s, a: (1 + a) * (1 - a), r"\left(1 + a\right) \, \left(1 - a\right)"),
        (lambda s, h: h * (1 - h), r"h \, \left(1 - h\right)"),
        (lambda s, a: a**2, r"a^2"),
        (lambda s, a: a**4, r"\left(a^2\right)^2"),
        (lambda s, a: (a + 1) ** 2, r"\left(a + 1\right)^2"),
        (lambda s, a: 1 / (1 + s.exp(-a)), r"\frac{1}{1 + e^{-a}}"),
        (lambda s, a: s.max(a, 0), r"\max(a, 0)"),
        (lambda s, a: s.min(a, 6), r"\min(a, 6)"),
        (lambda s, a: s.abs(a - 1), r"\left|a - 1\right|"),
        (lambda s, a: s.sqrt(a) + s.log(a), r"\sqrt{a} + \log(a)"),
        (lambda s, a: s.log1p(s.exp(a)), r"\log(1 + e^{a})"),
        (lambda s, a: s.expm1(a), r"\left(e^{a} - 1\right)"),
        (lambda s, a: s.tanh(a) * s.cos(a), r"\tanh(a) \, \cos(a)"),
        (lambda s, a: s.erf(a), r"\operatorname{erf}(a)"),
        (lambda s, a: a > 0, r"\mathbf{1}\{0 < a\}"),
        (
            lambda s, a: s.where(a < 0, 0.5 * a, a),
            r"\begin{cases} 0.5 \, a & \text{if } a < 0 \\ a & \text{otherwise} \end{cases}",
        ),
        (lambda s, theta, grad_w, rate: theta - rate * grad_w, r"\theta - \mathrm{rate} \, \mathrm{grad\_w}"),
        (lambda s, a, b: (a + b, a / b), r"a + b, \frac{a}{b}"),
        (lambda s, a: a / 3 + 1 / 3, r"\frac{a}{3} + 0.333333"),
    ],
)
def test_the_text_of_a_formula(function, text):
    assert Expression.trace(function).latex() == text


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda s, a: s.exp(a) ** 2, r"\left(e^{a}\right)^2"),
        (lambda s, a: (a / 3) ** 2, r"\left(\frac{a}{3}\right)^2"),
        (
            lambda s, a: 1 + s.where(a < 0, 1, a),
            r"1 + \left(\begin{cases} 1 & \text{if } a < 0 \\ a & \text{otherwise} \end{cases}\right)",
        ),
    ],
)
def test_parentheses_where_the_reading_would_be_another_or_none(function, text):
    """A square after e^{a} is no LaTeX at all; after a fraction it binds to nothing clear; cases open no bracket."""
    assert Expression.trace(function).latex() == text


@pytest.mark.parametrize(
    ("constant", "text"),
    [(1e-5, r"10^{-5}"), (2.5e-8, r"2.5 \cdot 10^{-8}"), (1e20, r"10^{20}"), (math.inf, r"\infty")],
)
def test_constants_are_written_as_mathematics(constant, text):
    assert Expression.trace(lambda s, a: a + constant).latex() == f"a + {text}"


def test_the_logarithm_of_a_difference():
    assert Expression.trace(lambda s, a: s.log1p(-a)).latex() == r"\log(1 - a)"


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_can_be_printed(name):
    names = ("x", "y", "z")[: PRIMITIVES[name]]
    text = Expression.trace(lambda s, *symbols: s.apply(name, *symbols), inputs=names).latex()
    assert all(letter in text for letter in names)
    assert text.count("{") == text.count("}")
    assert name in LATEX.forms or name in ("add", "subtract", "multiply")


def test_printing_needs_no_sympy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    assert Expression.trace(lambda s, a: s.exp(a) / 2).latex() == r"\frac{e^{a}}{2}"
