"""Per-example gradients, and the gradients of the loss at the output, by their names in the course."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network

X = np.random.default_rng(1).normal(size=(6, 3))
#: Layers and the mode to look at them in.
NETWORKS = {
    "plain": ([4, 3], "predict"),
    "none hidden": ([], "predict"),
    "dropout": ([Layer(4, "tanh", 0.5), Layer(3, "relu", 0.25)], "train"),
    "batch norm": ([Layer(4, "tanh", batch_norm=True), 3], "predict"),
}


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_their_mean_is_the_gradient(output, which, dtype, scattered, targets, unchanged):
    layers, mode = NETWORKS[which]
    net = Network(3, layers, 2, hidden="sigmoid", output=output)
    theta, y = scattered(net, dtype=dtype), targets(net, 6)
    with unchanged(theta):
        gradients = lw.per_example_gradients(net, theta, X, y, mode, key=4)
    assert gradients.shape == (6, net.n_parameters)
    assert gradients.dtype == dtype
    tolerance = (1e-14 if dtype == "float64" else 1e-6) * max(1, np.abs(gradients).max())
    np.testing.assert_allclose(
        gradients.mean(axis=0), net.trace(theta, X, y, mode=mode, key=4).gradient, atol=tolerance
    )
    for t in range(6):  # each is the gradient of that example alone, under its own dropout mask
        alone = net.trace(theta, X[t : t + 1], y[t : t + 1], mode=mode, key=4, rows=[t])
        np.testing.assert_allclose(gradients[t], alone.gradient, atol=tolerance)


def test_they_are_in_the_order_of_theta(scattered, targets):
    net = Network(3, [Layer(4, "tanh", batch_norm=True)], 2)
    theta, y = scattered(net), targets(net, 6)
    trace = net.trace(theta, X, y)
    u = (trace.z[1] - theta.beta[1]) / theta.gamma[1]
    for t, row in enumerate(lw.per_example_gradients(net, theta, X, y)):
        parts = lw.Parameters(net, row.copy())
        np.testing.assert_allclose(parts.W[2], np.outer(trace.grad_a[2][t], trace.h[1][t]), atol=1e-15)
        np.testing.assert_allclose(parts.W[1], np.outer(trace.grad_a[1][t], X[t]), atol=1e-15)
        np.testing.assert_allclose(parts.gamma[1], trace.grad_z[1][t] * u[t], atol=1e-14)
        np.testing.assert_allclose(parts.b[1], trace.grad_a[1][t], atol=1e-15)
        np.testing.assert_allclose(parts.beta[1], trace.grad_z[1][t], atol=1e-15)


def test_refused_where_rows_are_tied(scattered, targets):
    net = Network(3, [Layer(4, batch_norm=True)], 2)
    with pytest.raises(SpecificationError, match='batch normalisation in train mode; use mode="predict"'):
        lw.per_example_gradients(net, scattered(net), X, targets(net, 6), mode="train")


CODES = st.integers(1, 6).flatmap(
    lambda n: st.integers(2, 5).flatmap(
        lambda C: st.tuples(
            st.lists(st.lists(st.floats(0.01, 1), min_size=C, max_size=C), min_size=n, max_size=n),
            st.lists(st.integers(0, C - 1), min_size=n, max_size=n),
        )
    )
)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(drawn=CODES, dtype=st.sampled_from(["float32", "float64"]))
def test_loss_gradients(drawn, dtype):
    f, y = np.array(drawn[0], dtype), np.array(drawn[1])
    e = np.eye(f.shape[1], dtype=dtype)[y]
    at_output, at_preactivation = lw.loss_gradient_at_output(f, y), lw.loss_gradient_at_preactivation(f, y)
    assert at_output.dtype == at_preactivation.dtype == dtype
    np.testing.assert_array_equal(at_output, -e / f)
    np.testing.assert_array_equal(at_preactivation, f - e)
    for t in range(len(y)):  # one example in place of rows of them
        assert (lw.loss_gradient_at_output(f[t], y[t]) == at_output[t]).all()
        assert (lw.loss_gradient_at_preactivation(f[t].tolist(), int(y[t])) == (f[t].astype(float) - e[t])).all()


def test_loss_gradients_are_derivatives():
    a, y = np.array([0.3, -1.2, 0.9]), 2

    def loss(logits):
        return -np.log(np.exp(logits[y]) / np.exp(logits).sum())

    f = np.exp(a) / np.exp(a).sum()
    numeric = [(loss(a + step) - loss(a - step)) / 2e-6 for step in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(lw.loss_gradient_at_preactivation(f, y), numeric, atol=1e-9)
    numeric = [(-np.log((f + step)[y]) + np.log((f - step)[y])) / 2e-6 for step in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(lw.loss_gradient_at_output(f, y), numeric, atol=1e-8)


def test_loss_gradient_at_an_impossible_output_is_infinite():
    assert lw.loss_gradient_at_output([0.0, 1.0], 0).tolist() == [-np.inf, 0.0]
    assert lw.loss_gradient_at_preactivation([0.0, 1.0], 0).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("function", [lw.loss_gradient_at_output, lw.loss_gradient_at_preactivation])
@pytest.mark.parametrize("y", [[0, 2], [-1, 0], [0.0, 1.0], [0], [[0], [1]], "ab"])
def test_wrong_codes(function, y):
    with pytest.raises(InputError, match=r"y: expected 2 class codes 0 to 1, got .*; give one whole number a row"):
        function([[0.5, 0.5], [0.25, 0.75]], y)
