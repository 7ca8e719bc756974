"""A check that cannot fail checks nothing: wrong rules are caught and located; kinks are met and named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import layerwise as lw
from layerwise.network import Layer, Network
from layerwise.ops import expression
from layerwise.rules import activations, outputs
from layerwise.rules.penalties import Penalty, Term

X = np.random.default_rng(1).normal(size=(6, 3))
CAUGHT = 1e-3


@pytest.mark.parametrize("name", list(activations.TABLE))
def test_wrong_derivative_of_an_activation(name, scattered, targets):
    right = activations.TABLE[name]
    wrong = dataclasses.replace(right, derivative=expression(lambda s, a, h: 1.01 * right.derivative(s, a, h)))
    net = Network(3, [Layer(4, wrong), Layer(4, "tanh")], 3)
    check = lw.check_gradient(net, scattered(net), X, targets(net, 6))
    assert check.max_relative_error > CAUGHT
    for array in ("W1", "b1"):  # what lies below the wrong rule is wrong, what lies above it is right
        assert check.relative_error[array] > CAUGHT
    for array in ("W2", "b2", "W3", "b3"):
        assert check.relative_error[array] < 1e-7


@pytest.mark.parametrize("name", list(outputs.TABLE))
def test_wrong_gradient_of_a_loss(name, scattered, targets):
    right = outputs.TABLE[name]

    def wrong(ops, f, y):
        return ops.multiply(right.loss_gradient_at_preactivation(ops, f, y), 1.01)

    wronged = dataclasses.replace(right, loss_gradient_at_preactivation=wrong)
    net = Network(3, [4], 3 * right.columns_per_target, output=wronged)
    check = lw.check_gradient(net, scattered(net), X, targets(net, 6))
    assert min(check.relative_error.values()) > CAUGHT


@pytest.mark.parametrize("slope", [lambda s, w: w, lambda s, w: 2.02 * w, lambda s, w: 0.0])
def test_wrong_slope_of_a_penalty(slope, scattered, targets):
    right = lw.L2(1.0).terms[0]
    wrong = Penalty((Term("l2", 1.0, right.omega, expression(slope)),))
    net = Network(3, [4], 3, hidden="tanh")
    check = lw.check_gradient(net, scattered(net), X, targets(net, 6), wrong)
    assert check.relative_error["W1"] > CAUGHT
    assert check.relative_error["W2"] > CAUGHT
    assert check.relative_error["b1"] < 1e-6


@pytest.mark.parametrize(
    ("rule", "replacement"),
    [
        ("affine_backward", lambda ops, h, g, **_: (ops.matmul(g, h, True), ops.multiply(ops.sum_rows(g), 0.9))),
        ("affine_backward", lambda ops, h, g, **_: (ops.matmul(ops.multiply(g, 1.01), h, True), ops.sum_rows(g))),
        ("affine_input_backward", lambda ops, W, g, **_: ops.multiply(ops.matmul(g, W), -1.0)),
        ("dropout_backward", lambda ops, mask, g: g),
        ("batch_normalisation_backward", lambda ops, u, gamma, d, g: ops.multiply(g, ops.multiply(gamma, d))),
        ("normalisation_parameters_backward", lambda ops, u, g: (ops.sum_rows(g), ops.sum_rows(g))),
    ],
)  # fmt: skip
def test_wrong_rule_of_a_stage(rule, replacement, scattered, targets, monkeypatch):
    layers = [Layer(4, "tanh", 0.3, True), Layer(3, "sigmoid", 0.3, True)]
    net, again = Network(3, layers, 3), Network(3, layers, 3)  # a network keeps the programs that it has recorded
    theta, y = scattered(net), targets(net, 6)
    assert lw.check_gradient(net, theta, X, y, mode="train").max_relative_error < 1e-6
    monkeypatch.setattr(f"layerwise.network.propagation.{rule}", replacement)
    assert lw.check_gradient(again, theta, X, y, mode="train").max_relative_error > CAUGHT


def one_unit(hidden, W, b):
    """One unit that sees x = 1, so that a^(1) = W + b."""
    net = Network(1, [1], 1, hidden=hidden, output="identity")
    theta = net.initialize()
    theta.W[1][...], theta.b[1][...], theta.W[2][...] = W, b, 1.5
    return net, theta


@pytest.mark.parametrize("hidden", ["relu", "leaky_relu", "selu"])
@pytest.mark.parametrize("a", [5e-7, -5e-7])
def test_a_kink_nearby_is_passed_by_smaller_steps(hidden, a, unchanged):
    net, theta = one_unit(hidden, 0.75, -0.75 + a)
    with unchanged(theta):
        check = lw.check_gradient(net, theta, [[1.0]], [3.0])
    assert check.skipped == ()
    assert check.max_relative_error < 1e-6


@pytest.mark.parametrize("hidden", ["relu", "leaky_relu", "selu"])
def test_parameters_on_a_kink_are_named(hidden):
    net, theta = one_unit(hidden, 0.75, -0.75)
    check = lw.check_gradient(net, theta, [[1.0]], [3.0])
    assert check.skipped == (0, 1)  # W1 and b1 move a^(1) = 0; W2 and b2 do not
    assert check.max_relative_error < 1e-7


@pytest.mark.parametrize(
    ("output", "at"), [("absolute", 0.0), (lw.Huber(0.5), 0.5), (lw.Quantile([0.3]), 0.0)], ids=str
)
def test_kinks_of_a_loss(output, at):
    net = Network(1, [], 1, output=output)
    theta = net.initialize()
    theta.W[1][...], theta.b[1][...] = 1.5, 0.25
    check = lw.check_gradient(net, theta, [[2.0], [1.0]], [3.25 - at, 9.0])
    assert check.skipped == (0, 1)
    nearby = lw.check_gradient(net, theta, [[2.0], [1.0]], [3.25 - at + 1e-6, 9.0])
    assert nearby.skipped == ()
    assert nearby.max_relative_error < 1e-6


def test_kinks_of_a_penalty(scattered, targets):
    net = Network(3, [2], 3, hidden="tanh")
    theta, y = scattered(net), targets(net, 6)
    theta.W[1][1, 2] = 0.0
    theta.W[2][0, 0] = 5e-7
    theta.b[1][0] = 0.0
    check = lw.check_gradient(net, theta, X, y, lw.L1(0.1))
    assert check.skipped == (5,)  # W1 in C order: row 1, column 2; biases have no penalty
    assert check.max_relative_error < 1e-6
    assert lw.check_gradient(net, theta, X, y, lw.L2(0.1)).skipped == ()
    assert lw.check_gradient(net, theta, X, y).skipped == ()


def test_a_kink_does_not_hide_a_wrong_neighbour(scattered, targets):
    right = lw.L1(1.0).terms[0]
    wrong = Penalty((Term("l1", 1.0, right.omega, expression(lambda s, w: 1.1 * right.slope(s, w))),))
    net = Network(3, [2], 3, hidden="tanh")
    theta = scattered(net)
    theta.W[1][0, 0] = 0.0
    check = lw.check_gradient(net, theta, X, targets(net, 6), wrong)
    assert check.skipped == (0,)
    assert check.relative_error["W1"] > CAUGHT


@pytest.mark.parametrize("hidden", ["sigmoid", "softplus", "elu", "mish", "silu"])
def test_smooth_activations_have_no_kink_at_zero(hidden, targets):
    net = Network(2, [3], 2, hidden=hidden)  # x = 0 and b = 0, as in XOR with fresh parameters
    check = lw.check_gradient(net, net.initialize(), [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    assert check.skipped == ()
    assert check.max_relative_error < 1e-6
