"""What tracing refuses, each with one line that says what to write instead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from layerwise.ops import Expression

trace = Expression.trace


@pytest.mark.parametrize(
    "function",
    [
        lambda s, a: a if a > 0 else 0,
        lambda s, a: max(a, 0),
        lambda s, a: sorted([a, 1])[0],
        lambda s, a: a > 0 and a,
        lambda s, a: not a,
        lambda s, a: np.where(a > 0, a, 0),
        lambda s, a: 0 < a < 1,
    ],
)
def test_branching_on_a_symbol(refused, function):
    refused(lambda: trace(function), "without branches", "s.where(condition, if_true, if_false)")


@pytest.mark.parametrize(
    "function",
    [lambda s, a: s.where(a == 0, 1, a), lambda s, a: s.where(a != 0, a, 1), lambda s, a: a if a == 0 else -a],
)
def test_comparing_a_symbol_for_equality(refused, function):
    """Python would quietly answer False, and the formula would lose a branch."""
    refused(lambda: trace(function), "expression")


@pytest.mark.parametrize(
    "function",
    [lambda s, a: math.exp(a), lambda s, a: float(a) + 1, lambda s, a: math.floor(a), lambda s, a: math.hypot(a, 1)],
)
def test_functions_of_the_math_module(refused, function):
    refused(lambda: trace(function), "s.exp(a) instead of math.exp(a)")


@pytest.mark.parametrize(
    "function",
    [
        lambda s, a: np.exp(a),
        lambda s, a: np.maximum(a, 0),
        lambda s, a: np.sum(a),
        lambda s, a: special.erf(a),
        lambda s, a: np.array([1.0, 2.0]) * a,
    ],
)
def test_functions_of_numpy_and_scipy(refused, function):
    refused(lambda: trace(function), "s.exp", "s.erf")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda s, a: s.sin(a), "sin"),
        (lambda s, a: a % 2, "%"),
        (lambda s, a: 2**a, "**"),
        (lambda s, a: a[0], "subscriptable"),
        (lambda s, a: None, "NoneType"),
        (lambda s, a: [a, a], "list"),
        (lambda s, a: "a", "'a'"),
        (lambda s, a: s.exp(a, a), "arguments"),
        (lambda s, a: trace(lambda s, p: s.exp(p))(s), "argument"),
    ],
)
def test_what_is_no_scalar_formula(refused, function, word):
    refused(lambda: trace(function), word, "s.tanh")


@pytest.mark.parametrize("power", [0, -1, 0.5, 2.0, True])
def test_powers_that_are_not_whole(refused, power):
    refused(lambda: trace(lambda s, a: a**power), repr(power), "s.sqrt")


def test_a_symbol_of_another_function(refused):
    refused(lambda: trace(lambda s, a: trace(lambda inner, b: a + b)), "another one", "argument")


def test_a_function_without_arguments(refused):
    refused(lambda: trace(lambda: 1.0), "argument")


@pytest.mark.parametrize("function", [max, np.tanh, math.tanh])
def test_a_ready_made_function_instead_of_a_formula(refused, function):
    refused(lambda: trace(function), "expression")


def test_no_result(refused):
    refused(lambda: trace(lambda s, a: ()), "expression")
