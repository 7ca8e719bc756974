"""Hessian-vector products against central differences of gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.errors import InputError
from layerwise.network import Layer, Network
from layerwise.rules import activations, outputs

X = np.random.default_rng(1).normal(size=(8, 3))
W = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.0, 0.25])
#: Dropout, batch normalisation, mode.
STAGES = {
    "plain": (0.0, False, "predict"),
    "dropout": (0.4, False, "train"),
    "batch norm in prediction": (0.0, True, "predict"),
    "batch norm": (0.0, True, "train"),
    "both": (0.4, True, "train"),
}


def product_by_differences(net, theta, v, step=1e-5, **settings_of_trace):
    gradients = [
        net.trace(lw.Parameters(net, theta.vector + sign * step * v, theta.statistics), **settings_of_trace).gradient
        for sign in (1, -1)
    ]
    return (gradients[0] - gradients[1]) / (2 * step)


@pytest.mark.parametrize("hidden", list(activations.TABLE))
@pytest.mark.parametrize("stage", list(STAGES))
def test_every_activation_and_stage(hidden, stage, scattered, targets, unchanged):
    dropout, batch_norm, mode = STAGES[stage]
    net = Network(3, [Layer(4, hidden, dropout, batch_norm), Layer(3, hidden, dropout, batch_norm)], 2)
    theta, y = scattered(net), targets(net, 8)
    v = np.random.default_rng(2).normal(size=net.n_parameters)
    with unchanged(theta):
        product = lw.hessian_vector_product(net, theta, X, y, v, None, W, mode, key=3)
    numeric = product_by_differences(net, theta, v, X=X, y=y, weights=W, mode=mode, key=3)
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.parametrize("output", list(outputs.TABLE))
@pytest.mark.parametrize("penalty", [None, lw.L1(0.1), lw.L2(0.1), lw.L1(0.1) + lw.L2(0.1)])
@pytest.mark.parametrize(("weights", "mean"), [(None, None), (W, None), (W, 2.0), (W - 1, "as given")])
def test_every_output_penalty_and_weights(output, penalty, weights, mean, scattered, targets):
    net = Network(3, [Layer(4, "tanh", batch_norm=True)], 2, output=output)
    theta, y = scattered(net), targets(net, 8)
    v = np.random.default_rng(2).normal(size=net.n_parameters)
    product = lw.hessian_vector_product(net, theta, X, y, v, penalty, weights, "train", weight_mean=mean)
    numeric = product_by_differences(
        net, theta, v, X=X, y=y, penalty=penalty, weights=weights, mode="train", weight_mean=mean
    )
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-6 * np.abs(numeric).max())


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), stage=st.sampled_from(sorted(STAGES)), hidden=st.sampled_from(["gelu", "sigmoid"]))
def test_symmetric_and_linear(seed, stage, hidden, scattered, targets):
    dropout, batch_norm, mode = STAGES[stage]
    net = Network(3, [Layer(4, hidden, dropout, batch_norm)], 2)
    theta, y = scattered(net, seed), targets(net, 8, seed)
    u, v = np.random.default_rng(seed).normal(size=(2, net.n_parameters))

    def times(direction):
        return lw.hessian_vector_product(net, theta, X, y, direction, lw.L2(0.1), W, mode, key=seed)

    assert u @ times(v) == pytest.approx(v @ times(u), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(times(2 * u - v), 2 * times(u) - times(v), atol=1e-11)
    assert not times(np.zeros(net.n_parameters)).any()


def test_least_squares_has_a_known_hessian(scattered, targets):
    net = Network(3, [], 1, output="identity")
    design = np.column_stack([X, np.ones(8)])
    H = design.T @ design / 8 + 2 * 0.1 * np.diag([1, 1, 1, 0])  # the bias has no penalty
    for column, v in zip(H.T, np.eye(4), strict=True):
        product = lw.hessian_vector_product(net, scattered(net), X, targets(net, 8), v, lw.L2(0.1))
        np.testing.assert_allclose(product, column, atol=1e-14)


def test_float32_parameters_give_float64(scattered, targets, unchanged):
    net = Network(3, [4], 2, hidden="tanh")
    theta, y = scattered(net, dtype="float32"), targets(net, 8)
    with unchanged(theta):
        product = lw.hessian_vector_product(net, theta, X, y, np.ones(net.n_parameters, np.float32))
    wide = lw.hessian_vector_product(net, theta.astype("float64"), X, y, np.ones(net.n_parameters))
    assert product.dtype == np.float64
    assert product.tobytes() == wide.tobytes()


@pytest.mark.parametrize("shape", [(3,), (1, 26), ()])
def test_a_direction_that_does_not_fit(shape, scattered, targets):
    net = Network(3, [4], 2)
    with pytest.raises(InputError, match=r"v: expected shape \(26,\), got .*; give one entry a parameter"):
        lw.hessian_vector_product(net, scattered(net), X, targets(net, 8), np.ones(shape))
