"""Finite differences of the reported objective for every activation, output, stage, penalty and kind of weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.network import Layer, Network
from layerwise.rules import activations, outputs

HIDDEN = {**{name: name for name in activations.TABLE}, "own": lambda s, a: a * s.exp(-(a * a)) + s.cos(a)}
#: Dropout, batch normalisation, mode.
STAGES = {
    "plain": (0.0, False, "predict"),
    "dropout": (0.4, False, "train"),
    "batch norm": (0.0, True, "train"),
    "both": (0.4, True, "train"),
}
PENALTIES = {"none": None, "L1": lw.L1(0.02), "L2": lw.L2(0.1), "both": lw.L1(0.02) + lw.L2(0.1)}
WEIGHTS = {
    "none": (None, None),
    "weights": ([1.0, 2.5, 0.5, 3.0, 1.5, 1.0, 0.25, 2.0], None),
    "a zero weight": ([1.0, 0.0, 0.5, 3.0, 1.5, 1.0, 0.25, 2.0], None),
    "negative as given": ([1.0, -2.0, 0.5, -0.25, 1.5, 1.0, -1.0, 2.0], "as given"),
}


CASES = list(itertools.product(PENALTIES.values(), WEIGHTS.values()))
#: Inputs, units of the hidden layers, outputs, rows, seed.
SMALLEST = st.tuples(st.just(1), st.just([1]), st.just(2), st.integers(5, 8), st.integers(0, 2**32))
LARGER = st.tuples(
    st.integers(1, 3), st.lists(st.integers(1, 3), min_size=2, max_size=2), st.integers(2, 3), st.integers(5, 8),
    st.integers(0, 2**32),
)  # fmt: skip
EVERY = pytest.mark.parametrize(("hidden", "output", "stage"), list(itertools.product(HIDDEN, outputs.TABLE, STAGES)))


def example(net, n, seed, scattered, targets):
    """Draw until no unit has nearly the same a in all rows: 1 / sqrt(variance) bends too much for differences there."""
    for attempt in itertools.count(seed):
        theta, y = scattered(net, attempt), targets(net, n, attempt)
        X = np.random.default_rng(attempt).normal(size=(n, net.inputs))
        a = net.trace(theta, X, y, mode="train", key=attempt).a
        if not net.normalises or min(a[k].var(axis=0).min() for k in range(1, net.L + 1)) > 0.02:
            return theta, X, y, attempt


def check_one(hidden, output, stage, shape, penalty, weights_and_mean, scattered, targets, unchanged):
    dropout, batch_norm, mode = STAGES[stage]
    inputs, units, C, n, seed = shape
    weights, mean = weights_and_mean
    layers = [Layer(d, HIDDEN[hidden], dropout, batch_norm) for d in units]
    net = Network(inputs, layers, C * outputs.TABLE[output].columns_per_target, output=output)
    theta, X, y, key = example(net, n, seed, scattered, targets)
    w = None if weights is None else weights[:n]
    with unchanged(theta):
        check = lw.check_gradient(net, theta, X, y, penalty, w, mode, key, weight_mean=mean)
    assert check.skipped == ()
    assert check.max_relative_error < 1e-6, check.relative_error
    assert set(check.relative_error) == {f"{s.name}{s.k}" for s in net.segments}
    assert check.max_relative_error == max(check.relative_error.values())
    assert check.analytic.shape == check.numeric.shape == (net.n_parameters,)
    assert check.numeric.any()


def settled(count):
    """Return settings without shrinking: what fails here fails for the smallest networks too, and shrinking is slow."""
    return settings(derandomize=True, deadline=None, max_examples=count, phases=[Phase.generate])


@EVERY
@settled(1)
@given(shapes=st.lists(SMALLEST, min_size=len(CASES), max_size=len(CASES)))
def test_every_penalty_and_weights(hidden, output, stage, shapes, scattered, targets, unchanged):
    assume(len(set(map(str, shapes))) > len(CASES) // 2)  # the first example repeats one shape and seed
    for shape, (penalty, weights) in zip(shapes, CASES, strict=True):
        check_one(hidden, output, stage, shape, penalty, weights, scattered, targets, unchanged)


@EVERY
@settled(2)
@given(shape=LARGER, penalty=st.sampled_from(list(PENALTIES.values())), weights=st.sampled_from(list(WEIGHTS.values())))
def test_larger_networks(hidden, output, stage, shape, penalty, weights, scattered, targets, unchanged):
    check_one(hidden, output, stage, shape, penalty, weights, scattered, targets, unchanged)


def test_small_weights_before_batch_normalisation(scattered, targets):
    net = Network(2, [Layer(3, "tanh", batch_norm=True)], 2)
    theta, X = scattered(net), np.random.default_rng(0).normal(size=(6, 2))
    theta.W[1][...] *= 0.02
    check = lw.check_gradient(net, theta, X, targets(net, 6), mode="train")
    assert check.max_relative_error < 1e-6


@pytest.mark.parametrize("output", list(outputs.TABLE))
@pytest.mark.parametrize("penalty", list(PENALTIES))
def test_no_hidden_layer_and_a_single_output(output, penalty, scattered, targets):
    net = Network(4, [], 2 if output == "softmax" else outputs.TABLE[output].columns_per_target, output=output)
    X, y = np.random.default_rng(1).normal(size=(5, 4)), targets(net, 5)
    check = lw.check_gradient(net, scattered(net), X, y, PENALTIES[penalty], [1, 2, 0, 1, 5])
    assert check.skipped == ()
    assert check.max_relative_error < 1e-7


@pytest.mark.parametrize(
    ("output", "raw"),
    [
        (lw.Huber(0.3), 2), (lw.Quantile([0.1, 0.5, 0.9]), 6), (lw.Softmax(0.2), 3), (lw.Sigmoid(0.2), 2),
        (lw.SoftmaxGroups([3, 2]), 5), (lw.Output.own(lambda s, f, y: s.log1p((f - y) ** 2)), 2),
        (lw.Output.own(lambda s, f, y: s.abs(f - y) ** 3, "sigmoid"), 2),
    ],
    ids=str,
)  # fmt: skip
def test_outputs_with_settings(output, raw, scattered, targets):
    net = Network(3, [Layer(4, "tanh", 0.3, True)], raw, output=output)
    X, y = np.random.default_rng(1).normal(size=(6, 3)), targets(net, 6)
    check = lw.check_gradient(net, scattered(net), X, y, lw.L2(0.1), [1, 2, 0, 1, 5, 1], "train")
    assert check.skipped == ()
    assert check.max_relative_error < 1e-6


@pytest.mark.parametrize("hidden", list(HIDDEN))
def test_batch_normalisation_in_prediction(hidden, scattered, targets):
    net = Network(3, [Layer(3, HIDDEN[hidden], 0.5, True)], 2)
    X, y = np.random.default_rng(2).normal(size=(4, 3)), targets(net, 4)
    check = lw.check_gradient(net, scattered(net), X, y, lw.L2(0.1), [1, 2, 0, 1])
    assert check.skipped == ()
    assert check.max_relative_error < 1e-7


def test_what_it_compares(scattered, targets):
    net = Network(3, [4], 3, hidden="tanh")
    theta, X, y = scattered(net), np.random.default_rng(3).normal(size=(5, 3)), targets(net, 5)
    w = [1, 2, 0.5, 0, 3]
    check = lw.check_gradient(net, theta, X, y, lw.L2(0.1), w)
    np.testing.assert_allclose(check.analytic, net.trace(theta, X, y, lw.L2(0.1), w).gradient, rtol=1e-12, atol=1e-15)
    for i in range(net.n_parameters):
        above, below = theta.copy(), theta.copy()
        above.vector[i] += 1e-4
        below.vector[i] -= 1e-4
        slope = (
            net.trace(above, X, y, lw.L2(0.1), w).objective - net.trace(below, X, y, lw.L2(0.1), w).objective
        ) / 2e-4
        assert check.numeric[i] == pytest.approx(slope, abs=1e-7)


def test_float32_parameters_are_checked_in_float64(scattered, targets, unchanged):
    net = Network(3, [4], 3, hidden="sigmoid")
    theta, X, y = scattered(net, dtype="float32"), np.random.default_rng(3).normal(size=(5, 3)), targets(net, 5)
    with unchanged(theta):
        check = lw.check_gradient(net, theta, X.astype(np.float32), y)
    assert check.analytic.dtype == np.float64
    assert check.max_relative_error < 1e-7


def test_a_network_as_in_the_course(targets):
    net = Network(20, [15], 10, hidden="sigmoid")
    X, y = np.random.default_rng(4).uniform(size=(8, 20)), targets(net, 8)
    check = lw.check_gradient(net, net.initialize(seed=0), X, y, lw.L2(1e-4))
    assert check.skipped == ()
    assert check.max_relative_error < 1e-7
