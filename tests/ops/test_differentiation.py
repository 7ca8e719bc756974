"""Derivatives of expressions: against SymPy, against central differences, and where neither exists."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy

from layerwise.ops import Expression
from layerwise.ops.expressions import PRIMITIVES
from layerwise.proofs.formulas import primitives

trace = Expression.trace
NAMES = ("x", "y", "z")
POSITIVE = (0.25, 0.7, 1.3, 2.6)
EVERYWHERE = (-2.6, -1.3, -0.7, -0.25, *POSITIVE)
#: Where a primitive is differentiable; a new one is tried on positive numbers.
DOMAINS = (
    dict.fromkeys(PRIMITIVES, EVERYWHERE) | dict.fromkeys(("log", "sqrt"), POSITIVE) | {"log1p": (-0.7, *POSITIVE)}
)
SYMPY = primitives()


def formula_of(primitive):
    """The expression that is this primitive alone."""
    names = NAMES[: PRIMITIVES[primitive]]
    return trace(lambda s, *symbols: s.apply(primitive, *symbols), inputs=names)


def points_of(primitive):
    """Arguments at which the primitive is differentiable: no two of them equal."""
    tuples = itertools.product(DOMAINS[primitive], repeat=PRIMITIVES[primitive])
    return [point for point in tuples if len(set(point)) == len(point)]


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_primitive_against_sympy(value, primitive):
    formula = formula_of(primitive)
    symbols = sympy.symbols(formula.inputs, real=True)
    for name, symbol in zip(formula.inputs, symbols, strict=True):
        exact = sympy.diff(SYMPY[primitive](*symbols), symbol)
        for point in points_of(primitive):
            expected = exact.subs(dict(zip(symbols, map(sympy.Float, point), strict=True))).evalf(25)
            assert value(formula.derivative(name), *point) == pytest.approx(float(expected), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_primitive_against_central_differences(value, derivative_along, primitive):
    formula = formula_of(primitive)
    points = np.array(points_of(primitive))
    for place, name in enumerate(formula.inputs):
        direction = np.eye(len(formula.inputs))[place]
        numeric = derivative_along(lambda rows: value(formula, *rows.T), points, direction)
        analytic = np.broadcast_to(value(formula.derivative(name), *points.T), numeric.shape)
        np.testing.assert_allclose(analytic, numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("outer", [name for name, arguments in PRIMITIVES.items() if arguments == 1])
@pytest.mark.parametrize("inner", [name for name, arguments in PRIMITIVES.items() if arguments == 1])
def test_the_chain_rule(value, outer, inner):
    chain = trace(lambda s, x: s.apply(outer, 2 + s.apply(inner, x)))
    slope, outer_slope, inner_slope = (f.derivative("x") for f in (chain, formula_of(outer), formula_of(inner)))
    for x in POSITIVE:
        between = 2 + value(formula_of(inner), x)
        assert value(slope, x) == pytest.approx(value(outer_slope, between) * value(inner_slope, x), rel=1e-14)


def test_a_shared_step_counts_every_time_it_is_used(value):
    formula = trace(lambda s, x: (lambda t: t * t + t / (1 + t))(s.exp(x)))
    for x in EVERYWHERE:
        t = math.exp(x)
        assert value(formula.derivative("x"), x) == pytest.approx(2 * t * t + t / (1 + t) ** 2, rel=1e-14)


def test_several_results_have_a_derivative_each(value):
    slopes = trace(lambda s, x, y: (x * y, y, 3, s.exp(x) / y)).derivative("x")
    assert slopes.inputs == ("x", "y")
    assert value(slopes, 0.5, 4.0) == (4.0, 0.0, 0.0, math.exp(0.5) / 4)


def test_second_derivatives(value):
    formula = trace(lambda s, x: s.tanh(x) * s.cos(x) + s.log1p(x * x))
    x = sympy.Symbol("x")
    exact = sympy.diff(sympy.tanh(x) * sympy.cos(x) + sympy.log(1 + x**2), x, 2)
    for point in EVERYWHERE:
        expected = float(exact.subs(x, point).evalf(25))
        assert value(formula.derivative("x").derivative("x"), point) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("function", [lambda s, x, y: y * y, lambda s, x, y: s.less(x, y), lambda s, x, y: 7])
def test_what_does_not_depend_on_the_variable_has_derivative_zero(value, function):
    slope = trace(function).derivative("x")
    assert slope.steps == (("constant", 0.0),)
    assert value(slope, math.inf, math.nan) == 0.0


def test_a_derivative_stays_as_small_as_by_hand():
    assert trace(lambda s, x: x).derivative("x").steps == (("constant", 1.0),)
    assert trace(lambda s, x: 3 * x + 5).derivative("x").steps == (("constant", 3.0),)
    assert trace(lambda s, x: s.exp(x)).derivative("x") == trace(lambda s, x: s.exp(x))
    assert len(trace(lambda s, x: s.max(x, 0)).derivative("x").steps) <= 5


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda s, x: s.max(x, 0), 1.0),
        (lambda s, x: s.max(0, x), 0.0),
        (lambda s, x: s.min(x, 0), 1.0),
        (lambda s, x: s.min(0, x), 0.0),
        (lambda s, x: s.max(x, 2 * x), 1.0),
        (lambda s, x: s.abs(x), 0.0),
        (lambda s, x: s.where(x < 0, 5 * x, x), 1.0),
    ],
)
def test_the_value_at_a_kink_is_as_documented(value, function, slope):
    """Equal values follow the first argument of max and min; abs gives 0."""
    assert value(trace(function).derivative("x"), 0.0) == slope


@pytest.mark.parametrize(
    ("function", "point", "slope"),
    [
        (lambda s, x: s.where(x > 0, s.log(x), 0), 0.0, 0.0),
        (lambda s, x: s.where(x > 0, s.sqrt(x), x), -1.0, 1.0),
        (lambda s, x: s.where(x > 0, x, s.expm1(x)), 1e4, 1.0),
        (lambda s, x: s.where(x > 0, 1 / x, 2 * x), 0.0, 2.0),
        (lambda s, x: s.min(s.exp(x), 1), 1e4, 0.0),
        (lambda s, x: s.max(s.log(x), -5), 0.0, 0.0),
        (lambda s, x: s.max(-1 / x, 3 * x), 0.0, 3.0),
    ],
)
def test_the_branch_not_taken_leaks_nothing(value, function, point, slope):
    """Its own derivative is NaN or infinite there, and 0 times that would be NaN."""
    assert value(trace(function).derivative("x"), point) == slope
