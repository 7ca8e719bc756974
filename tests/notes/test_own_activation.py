"""What a reader types as an activation: the formula's values, the right slope, and a line for what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError
from layerwise.notes import activation_of
from layerwise.notes.formula import FUNCTIONS, evaluate
from layerwise.ops.numpy_ops import evaluate as evaluate_expression

PLACES = np.array([-2.3, -1.1, -0.4, 0.3, 0.7, 1.9])
FORMULAS = [
    "a", "a^2", "a**3 - a", "2^a", "(a^2 + 1)^0.5", "(a^2 + 1)^-2", "(1 + a^2)^(a/3)", "a^0", "-a/(1 + abs(a))",
    "max(a, a/10)", "min(a, 1) + pi", "relu(a) - relu(-a)", "a*sigmoid(a)", "sin(a) + cos(2*a)",
    "tanh(log(1 + exp(a)))", "sqrt(a^2 + 0.1)", "exp(-a^2)", "3", "max(2, 3) * a * sigmoid(1) ^ 2",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_it_is_the_formula_and_its_derivative(text):
    own = activation_of(text)
    h = np.broadcast_to(evaluate_expression(own.g, [PLACES]), PLACES.shape)
    np.testing.assert_allclose(h, np.broadcast_to(evaluate(text, a=PLACES), PLACES.shape), rtol=1e-12, atol=1e-12)
    slope = np.broadcast_to(evaluate_expression(own.derivative, [PLACES, h]), PLACES.shape)
    difference = (evaluate(text, a=PLACES + 1e-6) - evaluate(text, a=PLACES - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope, np.broadcast_to(difference, PLACES.shape), rtol=1e-6, atol=1e-8)


def test_every_function_can_be_used():
    for name in FUNCTIONS:
        inner = "a, 1" if name in ("max", "min") else "2 + tanh(a)"
        assert activation_of(f"{name}({inner})").name == "own"


def test_a_network_trains_with_it():
    net = lw.Network(2, [6], 2, hidden=activation_of("a * tanh(exp(a))"))
    X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), [0, 1, 1, 0]
    assert lw.check_gradient(net, net.initialize(seed=0), X, y).max_relative_error < 1e-6
    history = lw.fit(net, X, y, update=lw.Adam(0.05), epochs=100, seed=0).history
    assert history[-1].train_loss < 0.1 * history[0].train_loss


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a number or a formula"),
        ("a +", "expected a number or a formula"),
        ("x + 1", "the name 'x'"),
        ("__import__('os')", "__import__('os')"),
        ("a.real", "'a.real'"),
        ("(lambda: a)()", "lambda"),
        ("exp(a, a)", "exp of 2 values"),
        ("a if a > 0 else 0", "if"),
        ("log(a)", "got nan at a = -6"),
        ("1/a", "at a = 0"),
        ("sqrt(abs(a))", "at a = 0"),
        ("1/0", "got inf"),
        ("exp(exp(exp(a)))", "got inf"),
        ("a^999", "expected powers up to 32"),
        ("pi/(pi - pi)", "got inf"),
        ("a" + "+a" * 200, "at most 200 characters"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, said):
    with pytest.raises(InputError) as problem:
        activation_of(text)
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)
