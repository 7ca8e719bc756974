"""The forward pass against a plain loop, written from the formulas of the course with NumPy alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.network import Layer, Network

erf = np.vectorize(math.erf)
SELU = 1.0507009873554805, 1.6732632423543772

G = {
    "linear": lambda a: a,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)),
    "relu": lambda a: np.where(a > 0, a, 0),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "elu": lambda a: np.where(a > 0, a, np.exp(a) - 1),
    "selu": lambda a: SELU[0] * np.where(a > 0, a, SELU[1] * (np.exp(a) - 1)),
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "gelu": lambda a: a * (1 + erf(a / math.sqrt(2))) / 2,
    "silu": lambda a: a / (1 + np.exp(-a)),
    "mish": lambda a: a * np.tanh(np.log(1 + np.exp(a))),
}


def softmax(a):
    return np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


O = {  # noqa: E741  # the course's o with its l
    "softmax": (softmax, lambda f, y: np.array([-math.log(row[code]) for row, code in zip(f, y, strict=True)])),
    "sigmoid": (sigmoid, lambda f, y: -(y * np.log(f) + (1 - y) * np.log(1 - f)).sum(axis=1)),
    "identity": (lambda a: a, lambda f, y: 0.5 * ((f - y) ** 2).sum(axis=1)),
}


def plain_forward(net, theta, X, masks=None, batch=False):
    """a, z, h by layer, and f, one example and one unit's formula at a time where the rows are not tied."""
    a, z, h, fed = {}, {}, {0: X}, X
    for k in range(1, net.L + 2):
        a[k] = np.array([[theta.b[k][i] + W_i @ x for i, W_i in enumerate(theta.W[k])] for x in fed])
        if k == net.L + 1:
            break
        layer, before_g = net.layers[k - 1], a[k]
        if layer.batch_norm:
            mean = a[k].mean(axis=0) if batch else theta.running_mean[k]
            variance = ((a[k] - mean) ** 2).mean(axis=0) if batch else theta.running_variance[k]
            before_g = z[k] = theta.gamma[k] * (a[k] - mean) / np.sqrt(variance + 1e-5) + theta.beta[k]
        h[k] = fed = G[layer.activation.name](before_g)
        if masks is not None and k in masks:
            fed = masks[k] * h[k]
    f = h[net.L + 1] = O[net.output.name][0](a[net.L + 1])
    return a, z, h, f


def agree(trace, expected, y):
    a, z, h, f = expected
    assert set(trace.a) == set(a)
    assert set(trace.z) == set(z)
    assert set(trace.h) == set(h)
    for found, wanted in ((trace.a, a), (trace.z, z), (trace.h, h)):
        for k in wanted:
            np.testing.assert_allclose(found[k], wanted[k], rtol=1e-12, atol=1e-13)
    losses = O[trace.network.output.name][1](f, y)
    np.testing.assert_allclose(trace.f, f, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trace.losses, losses, rtol=1e-11, atol=1e-13)
    assert trace.loss == pytest.approx(losses.mean(), rel=1e-12)


@pytest.mark.parametrize(("hidden", "output"), list(itertools.product(G, O)))
def test_every_activation_and_output(hidden, output, scattered, targets):
    net = Network(4, [5, 3], 3, hidden=hidden, output=output)
    theta, X, y = scattered(net), np.random.default_rng(1).normal(size=(6, 4)), targets(net, 6)
    trace = net.trace(theta, X, y)
    agree(trace, plain_forward(net, theta, X), y)
    np.testing.assert_allclose(net.predict(theta, X), trace.f, rtol=1e-12, atol=1e-15)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    n=st.integers(1, 9),
    hidden=st.sampled_from(sorted(G)),
    seed=st.integers(0, 99),
)
def test_any_depth_and_width(sizes, n, hidden, seed, scattered, targets):
    inputs, *layers, outputs = sizes
    net = Network(inputs, layers, outputs, hidden=hidden, output="identity")
    theta, X, y = scattered(net, seed), np.random.default_rng(seed).normal(size=(n, inputs)), targets(net, n, seed)
    agree(net.trace(theta, X, y), plain_forward(net, theta, X), y)


MIXED = Network(4, [Layer(5, "tanh", 0.4, True), Layer(3, "relu", 0.0, True), Layer(4, "elu", 0.25)], 3)


def test_prediction_normalises_by_the_running_statistics(scattered, targets):
    theta, X, y = scattered(MIXED), np.random.default_rng(1).normal(size=(6, 4)), targets(MIXED, 6)
    trace = MIXED.trace(theta, X, y)
    agree(trace, plain_forward(MIXED, theta, X), y)
    assert set(trace.z) == {1, 2}
    assert not trace.mask


def test_training_normalises_by_the_batch_and_masks(scattered, targets):
    theta, X, y = scattered(MIXED), np.random.default_rng(1).normal(size=(6, 4)), targets(MIXED, 6)
    trace = MIXED.trace(theta, X, y, mode="train", key=7)
    assert set(trace.mask) == {1, 3}
    agree(trace, plain_forward(MIXED, theta, X, trace.mask, batch=True), y)
    np.testing.assert_allclose(((trace.z[1] - theta.beta[1]) / theta.gamma[1]).mean(axis=0), 0, atol=1e-12)


def test_no_hidden_layer_is_linear_regression(scattered, targets):
    net = Network(4, [], 2, output="identity")
    theta, X, y = scattered(net), np.random.default_rng(1).normal(size=(6, 4)), targets(net, 6)
    agree(net.trace(theta, X, y), plain_forward(net, theta, X), y)


def test_own_activation(scattered, targets):
    net = Network(4, [5], 2, hidden=lambda s, a: a * a / (1 + a * a))
    theta, X, y = scattered(net), np.random.default_rng(1).normal(size=(6, 4)), targets(net, 6)
    trace = net.trace(theta, X, y)
    np.testing.assert_allclose(trace.h[1], trace.a[1] ** 2 / (1 + trace.a[1] ** 2), rtol=1e-13)


@pytest.mark.parametrize("output", list(O))
def test_float32_stays_float32(output, scattered, targets):
    net = Network(4, [Layer(5, "gelu", 0.5), Layer(4, "softplus", batch_norm=True)], 3, output=output)
    theta, X, y = scattered(net), np.random.default_rng(1).normal(size=(6, 4)), targets(net, 6)
    narrow, wide = (net.trace(theta.astype(dtype), X, y, mode="train", key=1) for dtype in ("float32", "float64"))
    assert all(array.dtype == np.float32 for array in narrow.quantities().values() if isinstance(array, np.ndarray))
    assert net.predict(theta.astype("float32"), X).dtype == np.float32
    for name, value in wide.quantities().items():
        scale = np.abs(value).max() + 1e-2
        np.testing.assert_allclose(narrow.quantities()[name], value, atol=2e-5 * scale, rtol=0, err_msg=name)


def test_inputs_of_any_numeric_type(scattered):
    net = Network(3, [4], 2)
    theta = scattered(net)
    whole = np.random.default_rng(0).integers(0, 9, (5, 3))
    expected = net.predict(theta, whole.astype(np.float64)).tobytes()
    for X in (whole, whole.astype(np.uint8), whole.astype(np.float32), whole.tolist(), whole.astype(">i4")):
        assert net.predict(theta, X).tobytes() == expected
    kept = whole.astype(np.float64)
    kept.setflags(write=False)
    assert net.predict(theta, kept).tobytes() == expected
