"""Checks of networks: each finds the fault that a network was made to have, and nothing in one that is in order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from layerwise import diagnosis
from layerwise.errors import InputError
from layerwise.network import Layer, Network
from layerwise.rules.activations import TABLE


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(300, 6))


@pytest.fixture
def y():
    return np.random.default_rng(1).integers(0, 3, 300)


def made(hidden="relu", layers=(20, 10), **settings):
    net = Network(6, list(layers), 3, hidden=hidden, **settings)
    return net, net.initialize(seed=0)


def test_dead_units_are_counted_by_layer(X):
    net, theta = made()
    before = diagnosis.dead_units(net, theta, X)
    assert (before.verdict, before.figures["dead"]) == ("ok", [0, 0])
    theta.b[1][:6] = -1e3
    found = diagnosis.dead_units(net, theta, X)
    assert (found.verdict, found.figures["layers"], found.figures["dead"]) == ("look", [1, 2], [6, 0])
    assert "layer 1: 6 of 20" in found.seen
    assert "--activation" in found.remedy
    theta.b[1][:16] = -1e3
    assert diagnosis.dead_units(net, theta, X).verdict == "problem"


def test_a_unit_that_one_row_of_a_later_piece_wakes_is_not_dead():
    net, theta = made()
    X = np.full((net.piece + 10, 6), -1.0)
    X[-1] = 1.0
    theta.W[1][...], theta.b[1][...] = 1.0, 0.0
    assert diagnosis.dead_units(net, theta, X).figures["dead"][0] == 0
    assert diagnosis.dead_units(net, theta, X[:-1]).figures["dead"][0] == 20


def test_after_batch_normalisation_it_is_the_normalised_that_counts(X):
    net, theta = made(batch_norm=True)
    theta.b[1][...] = -1e3
    theta.running_mean[1][...] = -1e3
    assert diagnosis.dead_units(net, theta, X).figures["dead"] == [0, 0]
    theta.beta[1][...] = -1e3
    assert diagnosis.dead_units(net, theta, X).figures["dead"][0] == 20


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_saturated_units(X, hidden):
    net, theta = made(hidden)
    assert diagnosis.saturated_units(net, theta, X).verdict == "ok"
    theta.W[1][:16] *= 1e4
    found = diagnosis.saturated_units(net, theta, X)
    assert (found.verdict, found.figures["saturated"]) == ("problem", [16, 0])
    assert diagnosis.dead_units(net, theta, X).figures["layers"] == []


@pytest.mark.parametrize("hidden", [name for name in TABLE if name != "relu"])
def test_no_activation_is_saturated_or_dead_where_it_starts(X, hidden):
    net, theta = made(hidden)
    for check in (diagnosis.dead_units, diagnosis.saturated_units, diagnosis.constant_units):
        assert check(net, theta, X).verdict == "ok"


def test_constant_units(X):
    net, theta = made("tanh")
    assert diagnosis.constant_units(net, theta, X).verdict == "ok"
    theta.W[2][:8], theta.b[2][:8] = 0.0, 0.3
    found = diagnosis.constant_units(net, theta, X)
    assert (found.verdict, found.figures["constant"]) == ("problem", [0, 8])
    assert diagnosis.constant_units(net, theta, X[:1]).verdict == "ok"  # of one row, nothing can be said


def test_no_hidden_layers(X, y):
    net = Network(6, [], 3)
    theta = net.initialize()
    for check in (diagnosis.dead_units, diagnosis.saturated_units, diagnosis.constant_units):
        assert check(net, theta, X).verdict == "ok"
    assert diagnosis.gradient_flow(net, theta, X, y).verdict == "ok"


def test_vanishing_and_exploding_gradients(X, y):
    assert diagnosis.gradient_flow(*made(), X, y).verdict == "ok"
    vanishing = diagnosis.gradient_flow(*made("sigmoid", [20] * 12), X, y)
    assert vanishing.verdict == "problem"
    assert "Hardly any gradient" in vanishing.meaning
    net, theta = made("linear", [20] * 6)
    for k in range(2, 8):
        theta.W[k][...] *= 20
    exploding = diagnosis.gradient_flow(net, theta, X, y)
    assert exploding.verdict == "problem"
    assert "--clip-norm" in exploding.remedy


def test_the_figures_of_the_flow_are_those_of_the_trace(X, y):
    net, theta = made()
    X = np.tile(X, (8, 1))  # more than one piece
    y = np.tile(y, 8)
    assert len(X) > net.piece
    figures = diagnosis.gradient_flow(net, theta, X, y).figures
    trace = net.trace(theta, X, y)
    for place, k in enumerate(figures["layers"]):
        assert figures["rms_grad_a"][place] == pytest.approx(np.sqrt((trace.grad_a[k] ** 2).mean()))
        assert figures["rms_grad_W"][place] == pytest.approx(np.sqrt((trace.grad_W[k] ** 2).mean()))
        ratio = np.sqrt((trace.grad_W[k] ** 2).mean() / (theta.W[k] ** 2).mean())
        assert figures["grad_W_to_W"][place] == pytest.approx(ratio)


def test_nothing_flows_where_no_loss_is_left():
    net = Network(2, [3], 1, output="identity")
    theta = net.initialize()
    theta.W[2][...] = 0.0
    found = diagnosis.gradient_flow(net, theta, np.eye(2), np.zeros((2, 1)))
    assert (found.verdict, found.figures["ratio"]) == ("ok", [None, None])
    assert found.figures["grad_W_to_W"][1] is None


@pytest.mark.parametrize(
    ("net", "y", "reference"),
    [
        (Network(6, [8], 3), [0, 1, 2] * 100, math.log(3)),
        (Network(6, [8], 1, output="sigmoid"), [0, 1, 1] * 100, math.log(2)),
        (Network(6, [8], 1, output="identity"), [-1.0, 1.0, 0.0] * 100, 1 / 3),
        (Network(6, [8], 1, output="poisson"), [0, 1, 2] * 100, None),
    ],
)
def test_initial_loss_against_what_knows_nothing(X, net, y, reference):
    found = diagnosis.initial_loss(net, X, y)
    assert found.verdict == "ok"
    assert len(found.figures["losses"]) == 5
    assert len(set(found.figures["losses"])) == 5
    if reference is not None:
        assert found.figures["reference"] == pytest.approx(reference, rel=1e-6)
    assert diagnosis.initial_loss(net, 300 * X, y).verdict == "problem"
    assert diagnosis.initial_loss(net, 300 * X[:5], y[:5]).verdict == "ok"  # too few rows to judge


def test_initial_loss_leaves_dropout_out_and_takes_batch_moments(X, y):
    layers = [Layer(8, "relu", dropout=0.5), Layer(8, "relu")]
    assert diagnosis.initial_loss(Network(6, layers, 3), X, y).figures == (
        diagnosis.initial_loss(Network(6, [8, 8], 3), X, y).figures
    )
    assert diagnosis.initial_loss(Network(6, [8, 8], 3, batch_norm=True), 300 * X, y).verdict == "ok"


def test_ten_rows_are_learnt_by_heart_by_a_network_that_can(X, y):
    for output, targets in ((3, y), (1, X[:, :1] * X[:, 1:2])):
        net = Network(6, [20], output, output="softmax" if output == 3 else "identity", dropout=0.5)
        found = diagnosis.few_rows(net, X, targets)
        assert found.verdict == "ok"
        assert found.figures["rows"] == 10
        assert found.figures["left"] < 0.05


def test_ten_rows_are_not_learnt_by_one_that_cannot(X, y):
    net = Network(6, [20], 3, initialisation="zeros")  # all units stay equal, and relu(0) lets nothing back
    found = diagnosis.few_rows(net, X, y, steps=100)
    assert found.verdict == "problem"
    assert found.figures["steps"] == 100
    plain = diagnosis.few_rows(Network(6, [], 3), np.ones((300, 6)) * np.arange(300)[:, None], y, steps=50)
    assert plain.verdict == "look"
    assert "Without hidden layers" in plain.meaning


def test_ten_rows_with_one_target_say_nothing(X):
    found = diagnosis.few_rows(Network(6, [20], 3), X, np.zeros(300, int))
    assert (found.verdict, "nothing to learn" in found.seen) == ("ok", True)
    same = diagnosis.few_rows(Network(6, [20], 3), np.ones((300, 6)), np.arange(300) % 3)
    assert same.figures["rows"] == 1


@pytest.mark.parametrize(("factor", "verdict", "word"), [
    (1.0, "ok", ""), (30.0, "look", "grown"), (300.0, "problem", "grown"), (1 / 30, "look", "shrunk"),
    (0.0, "problem", "shrunk"),
])  # fmt: skip
def test_growth_of_weights(factor, verdict, word):
    net, theta = made()
    theta.W[2][...] *= factor
    found = diagnosis.weight_growth(net, theta)
    assert found.verdict == verdict
    assert word in found.meaning
    assert found.figures["growth"] == pytest.approx([1.0, factor, 1.0])


def test_weights_that_are_no_numbers():
    net, theta = made()
    theta.b[1][0] = np.nan
    found = diagnosis.weight_growth(net, theta)
    assert (found.verdict, "not finite" in found.seen) == ("problem", True)


def test_weights_that_start_at_zero_have_no_growth():
    net = Network(6, [3], 3, initialisation="zeros")
    assert diagnosis.weight_growth(net, net.initialize()).figures["growth"] == [None, None]


def test_an_input_that_outweighs_all_others(X):
    net, theta = made()
    assert diagnosis.dominant_input(net, theta, X).verdict == "ok"
    theta.W[1][:, 4] *= 20
    found = diagnosis.dominant_input(net, theta, X, ["a", "b", "c", "d", "leak", "f"])
    assert (found.verdict, found.figures["name"]) == ("look", "leak")
    still = X * [1, 1, 1, 1, 0, 1]  # a weight counts by what its input varies
    assert diagnosis.dominant_input(net, theta, still).figures["input"] != 4


def test_wrong_arrays_are_refused(refuses):
    net, theta = made()
    with refuses(InputError, "6"):
        diagnosis.dead_units(net, theta, np.ones((3, 5)))
    with refuses(InputError, "y"):
        diagnosis.gradient_flow(net, theta, np.ones((3, 6)), [0, 1])
