"""Activation functions: g and g' of every row against each other, against SymPy, and at the edges of the numbers."""

from __future__ import annotations

import math
import warnings

import mpmath
import numpy as np
import pytest
import sympy

from layerwise.ops import Expression, NumpyOps
from layerwise.ops.numpy_ops import evaluate
from layerwise.rules.activations import (
    SYNONYMS,
    TABLE,
    Activation,
    activation,
    activation_backward,
    activation_forward,
)

ROWS = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
NEAR = np.setdiff1d(np.linspace(-9, 9, 145), [0.0])
FAR = np.array([-1e4, -300, -40, -20, 20, 40, 300, 1e4])
POINTS = np.concatenate([NEAR, FAR])
a = sympy.Symbol("a", real=True)
SIGMA, SOFTPLUS = 1 / (1 + sympy.exp(-a)), sympy.log(1 + sympy.exp(a))
SELU_SCALE, SELU_ALPHA = sympy.Float("1.05070098735548049342"), sympy.Float("1.67326324235437728482")
#: g as textbooks write it.
TEXTBOOK = {
    "linear": a,
    "sigmoid": SIGMA,
    "tanh": (sympy.exp(a) - sympy.exp(-a)) / (sympy.exp(a) + sympy.exp(-a)),
    "relu": sympy.Piecewise((a, a > 0), (0, True)),
    "leaky_relu": sympy.Piecewise((a, a > 0), (a / 100, True)),
    "elu": sympy.Piecewise((a, a > 0), (sympy.exp(a) - 1, True)),
    "selu": SELU_SCALE * sympy.Piecewise((a, a > 0), (SELU_ALPHA * (sympy.exp(a) - 1), True)),
    "softplus": SOFTPLUS,
    "gelu": a * (1 + sympy.erf(a / sympy.sqrt(2))) / 2,
    "silu": a * SIGMA,
    "mish": a * sympy.tanh(SOFTPLUS),
}


def values(row, points, dtype=np.float64):
    """g(a) and the hand-written g'(a)."""
    points = np.asarray(points, dtype)
    h = evaluate(row.g, [points], dtype)
    return h, np.broadcast_to(evaluate(row.derivative, [points, h], dtype), points.shape)


def exactly(formula, points):
    """A SymPy formula of a at points, computed with 60 digits."""
    function = sympy.lambdify(a, formula, "mpmath")
    with mpmath.workdps(60):
        return np.array([float(function(mpmath.mpf(float(point)))) for point in points])


# --- g' ---------------------------------------------------------------------------------------------------------------


@ROWS
def test_the_derivative_by_hand_is_the_differentiated_one(row):
    differentiated = np.broadcast_to(evaluate(row.g.derivative("a"), [POINTS]), POINTS.shape)
    np.testing.assert_allclose(values(row, POINTS)[1], differentiated, rtol=1e-14, atol=2e-15)


@ROWS
def test_the_derivative_is_that_of_g(row):
    numeric = (values(row, NEAR + 1e-6)[0] - values(row, NEAR - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(values(row, NEAR)[1], numeric, rtol=1e-7, atol=1e-8)


@ROWS
def test_g_and_its_derivative_against_the_textbook(row):
    """SymPy differentiates. A new row needs a line in TEXTBOOK."""
    h, slope = values(row, POINTS)
    np.testing.assert_allclose(h, exactly(TEXTBOOK[row.name], POINTS), rtol=2e-15, atol=2e-15)
    np.testing.assert_allclose(slope, exactly(sympy.diff(TEXTBOOK[row.name], a), POINTS), rtol=2e-15, atol=4e-15)


@ROWS
def test_the_value_at_zero(row):
    """Rows with a kink state the value there; the others are smooth, so both one-sided slopes are g'(0)."""
    _, (slope,) = values(row, [0.0])
    below, at, above = values(row, [-1e-7, 0.0, 1e-7])[0]
    left, right = (at - below) / 1e-7, (above - at) / 1e-7
    if row.kinks:
        assert row.kinks == ((0.0, slope),)
        assert abs(left - right) > 1e-3
        assert min(left, right) - 1e-6 <= slope <= max(left, right) + 1e-6
    else:
        assert left == pytest.approx(right, abs=1e-6)
        assert slope == pytest.approx(left, abs=1e-6)


@ROWS
def test_needs_names_what_the_derivative_reads(row):
    h, slope = values(row, NEAR)
    for name, operands in (("a", [NEAR + 0.5, h]), ("h", [NEAR, h + 0.5])):
        changed = np.broadcast_to(evaluate(row.derivative, operands), NEAR.shape)
        assert (name in row.needs) == bool(np.any(changed != slope)), name


def test_what_the_course_writes_with_h_reads_only_h():
    assert [name for name, row in TABLE.items() if row.needs <= {"h"}] == [
        "linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus",
    ]  # fmt: skip


# --- g ----------------------------------------------------------------------------------------------------------------


@ROWS
def test_the_range_is_kept_and_reached(row):
    low, high = row.range
    coarse, fine = np.linspace(-1e3, 1e3, 20001), np.linspace(-3, 3, 600001)
    h = values(row, np.concatenate([coarse, fine, FAR]))[0]
    assert h.min() >= low
    assert h.max() <= high
    assert h.min() == pytest.approx(low, abs=1e-9) if math.isfinite(low) else h.min() <= -99
    assert h.max() == pytest.approx(high, abs=1e-9) if math.isfinite(high) else h.max() >= 9999


@ROWS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_numbers_do_no_harm(row, dtype):
    points = np.array([-1e30, -1e4, -100, -89, 89, 100, 1e4, 1e30], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        h, slope = values(row, points, dtype)
        differentiated = np.broadcast_to(evaluate(row.g.derivative("a"), [points], dtype), points.shape)
    assert h.dtype == slope.dtype == dtype
    assert np.isfinite(h).all()
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(differentiated, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu"])
def test_the_left_tail_keeps_its_digits(name):
    """Both g and its derivative fall to 1e-44 there, far below the rounding of 1."""
    tail = np.array([-100.0, -70.0, -40.0])
    h, slope = values(TABLE[name], tail)
    np.testing.assert_allclose(h, exactly(TEXTBOOK[name], tail), rtol=1e-14)
    np.testing.assert_allclose(slope, exactly(sympy.diff(TEXTBOOK[name], a), tail), rtol=1e-13)


@ROWS
def test_float32_is_float64_rounded(row):
    points = NEAR.astype(np.float32)
    for narrow, wide in zip(values(row, points, np.float32), values(row, points.astype(np.float64)), strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=1e-6, atol=5e-7)


@ROWS
def test_nan_stays_nan(row):
    assert np.isnan(values(row, [math.nan])[0]).all()


@ROWS
def test_the_rules_apply_g_and_times_its_derivative(row, rows):
    ops, pre, grad_h = NumpyOps(), rows(4, 3), rows(4, 3, seed=1)
    h, slope = values(row, pre)
    np.testing.assert_array_equal(activation_forward(ops, row, pre), h)
    np.testing.assert_allclose(activation_backward(ops, row, pre, h, grad_h), grad_h * slope, rtol=1e-15)


# --- choosing one -----------------------------------------------------------------------------------------------------


@ROWS
def test_a_name_stands_for_its_row(row):
    assert activation(row.name) is row
    assert activation(row.name.upper()) is row
    assert activation(row.name.replace("_", "-")) is row
    assert activation(row) is row


@pytest.mark.parametrize(("other", "name"), SYNONYMS.items())
def test_synonyms(other, name):
    assert activation(other) is TABLE[name]


@pytest.mark.parametrize("name", ["bananas", "", "a b"])
def test_an_unknown_name_lists_all(refused, name):
    refused(lambda: activation(name), repr(name), *TABLE)


def test_a_name_nearly_right_gets_a_hint(refused):
    refused(lambda: activation("sigmoyd"), "did you mean 'sigmoid'?", *TABLE)


@pytest.mark.parametrize("choice", [None, 3, 0.5, ["relu"], {"relu"}])
def test_what_is_no_activation(refused, choice):
    refused(lambda: activation(choice), type(choice).__name__, *TABLE)


# --- a user's own -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "g", "slope"),
    [
        (lambda s, a: a * s.tanh(a), lambda x: x * np.tanh(x), lambda x: np.tanh(x) + x / np.cosh(x) ** 2),
        (lambda s, a: s.exp(-a * a), lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x)),
        (lambda s, a: s.max(a, 0) ** 2, lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
        (lambda s, t: s.where(s.abs(t) < 1, t, 0), lambda x: x * (abs(x) < 1), lambda x: 1.0 * (abs(x) < 1)),
        (lambda s, a: 0.5, lambda x: 0.5 + 0 * x, lambda x: 0 * x),
    ],
)
def test_an_own_formula_gets_its_derivative(function, g, slope):
    for own in (activation(function), activation(Expression.trace(function)), Activation.own(function)):
        h, own_slope = values(own, NEAR)
        np.testing.assert_allclose(h, g(NEAR), rtol=1e-14)
        np.testing.assert_allclose(own_slope, slope(NEAR), rtol=1e-12, atol=1e-14)
        assert own.range == (-math.inf, math.inf)


def test_an_own_formula_has_a_name():
    assert activation(lambda s, a: a).name == "own"
    assert Activation.own(lambda s, a: a, name="mine").name == "mine"


@pytest.mark.parametrize("function", [lambda s: 1.0, lambda s, a, b: a + b, lambda s, a: (a, a)])
def test_an_own_formula_has_one_argument_and_one_result(refused, function):
    refused(lambda: activation(function), "write lambda s, a: ...")


def test_an_own_formula_that_branches(refused):
    refused(lambda: activation(lambda s, a: a if a > 0 else 0), "s.where")
