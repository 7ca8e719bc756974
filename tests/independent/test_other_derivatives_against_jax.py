"""Hessian-vector products, Jacobians, gradients at the input and of single examples against JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise import (
    L1,
    L2,
    Layer,
    Network,
    hessian_vector_product,
    input_gradient,
    jacobian,
    loss_gradient_at_output,
    loss_gradient_at_preactivation,
    per_example_gradients,
)
from layerwise.rules.activations import TABLE as ACTIVATIONS
from layerwise.rules.outputs import TABLE as OUTPUTS

OUTPUT = pytest.mark.parametrize("output", OUTPUTS)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
WEIGHTS = np.array([1.0, 0.25, 3.0, 0.0, 2.0, 0.5, 1.5, 4.0])


def hessian_times(peer, theta, X, v):
    """The derivative of the gradient along v."""
    X = jnp.asarray(X)
    return jax.jvp(lambda vector: jax.grad(peer.objective)(vector, X), (jnp.asarray(theta.vector),), (jnp.asarray(v),))[
        1
    ]


@pytest.mark.parametrize(
    ("hidden", "output"), [(g, "softmax") for g in ACTIVATIONS] + [("tanh", o) for o in OUTPUTS if o != "softmax"]
)
def test_hessian_vector_products(make_peer, running, agree, problem, hidden, output):
    net = Network(3, [4], 3 * OUTPUTS[output].columns_per_target, hidden=hidden, output=output)
    theta, X, y = problem(net, 8)
    v = np.random.default_rng(1).normal(size=theta.vector.shape)
    ours = hessian_vector_product(net, theta, X, y, v, penalty=L2(0.05) + L1(0.1), weights=WEIGHTS)
    peer = make_peer(net, y, counts=WEIGHTS / WEIGHTS.mean(), penalty=L2(0.05) + L1(0.1))
    agree(net, ours, hessian_times(peer, theta, X, v), 1e-9)


@pytest.mark.parametrize("mode", ["train", "predict"])
@OUTPUT
def test_hessian_vector_products_with_batch_norm_and_dropout(make_peer, running, agree, problem, output, mode):
    raw = 3 * OUTPUTS[output].columns_per_target
    net = Network(3, [4, 4], raw, hidden="tanh", output=output, batch_norm=True, dropout=0.3)
    theta, X, y = problem(net, 8)
    before = theta.statistics.copy()
    v = np.random.default_rng(1).normal(size=theta.vector.shape)
    ours = hessian_vector_product(net, theta, X, y, v, mode=mode, key=(7, 8))
    t = net.trace(theta, X, y, mode=mode, key=(7, 8))
    peer = make_peer(net, y, masks=dict(t.mask), running=None if mode == "train" else running(theta))
    agree(net, ours, hessian_times(peer, theta, X, v), 1e-9)
    np.testing.assert_array_equal(theta.statistics, before)


def test_the_hessian_is_symmetric_and_linear(problem):
    net = Network(2, [3], 2, hidden="softplus")
    theta, X, y = problem(net, 5)
    H = np.array([hessian_vector_product(net, theta, X, y, e) for e in np.eye(net.n_parameters)])
    np.testing.assert_allclose(H, H.T, rtol=1e-12, atol=1e-15)
    v = np.random.default_rng(0).normal(size=net.n_parameters)
    np.testing.assert_allclose(hessian_vector_product(net, theta, X, y, v), H @ v, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("batch_norm", [False, True])
@OUTPUT
def test_gradients_at_the_input(make_peer, running, problem, output, batch_norm):
    net = Network(3, [4, 5], 2, hidden="gelu", output=output, batch_norm=batch_norm, dropout=0.3)
    theta, X, _ = problem(net, 4)
    peer = make_peer(net, running=running(theta))
    vector = jnp.asarray(theta.vector)
    expected = jax.jit(jax.vmap(jax.jacrev(lambda x: peer.f(vector, x[None])[0])))(jnp.asarray(X))
    ours = input_gradient(net, theta, X)
    assert ours.shape == (4, 2, 3)
    np.testing.assert_allclose(ours, expected, **CLOSE)
    for c in range(2):
        np.testing.assert_allclose(input_gradient(net, theta, X, output=c), expected[:, c], **CLOSE)


@pytest.mark.parametrize("batch_norm", [False, True])
@OUTPUT
def test_jacobians(make_peer, running, problem, output, batch_norm):
    net = Network(3, [4, 5], 2, hidden="silu", output=output, batch_norm=batch_norm, dropout=0.3)
    theta, X, _ = problem(net, 4)
    peer = make_peer(net, running=running(theta))
    expected = jax.jit(jax.jacrev(peer.f))(jnp.asarray(theta.vector), jnp.asarray(X))
    ours = jacobian(net, theta, X)
    assert ours.shape == (4, 2, net.n_parameters)
    np.testing.assert_allclose(ours, expected, **CLOSE)


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}, {"dropout": 0.4}], ids=str)
@OUTPUT
def test_gradients_of_single_examples(make_peer, running, problem, output, options):
    net = Network(3, [4, 5], 2, hidden="elu", output=output, **options)
    theta, X, y = problem(net, 4)
    mode = "train" if "dropout" in options else "predict"
    ours = per_example_gradients(net, theta, X, y, mode=mode, key=(1, 2))
    t = net.trace(theta, X, y, mode=mode, key=(1, 2))
    peer = make_peer(net, y, masks=dict(t.mask), running=running(theta))
    expected = jax.jit(jax.jacrev(peer.losses))(jnp.asarray(theta.vector), jnp.asarray(X))
    np.testing.assert_allclose(ours, expected, **CLOSE)
    np.testing.assert_allclose(ours.mean(axis=0), t.gradient, **CLOSE)


@OUTPUT
def test_hessian_vector_products_with_penalties_on_activations(make_peer, agree, problem, output):
    raw = 3 * OUTPUTS[output].columns_per_target
    layer = Layer(4, "tanh", batch_norm=True, activity=L2(0.1) + L1(0.05))
    net = Network(raw, [layer], raw, output=output, tied=True)
    theta, X, y = problem(net, 8)
    v = np.random.default_rng(1).normal(size=theta.vector.shape)
    ours = hessian_vector_product(net, theta, X, y, v, weights=WEIGHTS, mode="train")
    peer = make_peer(net, y, counts=WEIGHTS / WEIGHTS.mean(), training=True)
    agree(net, ours, hessian_times(peer, theta, X, v), 1e-9)


@pytest.mark.parametrize("batch_norm", [False, True])
@OUTPUT
def test_all_of_them_with_tied_weights(make_peer, running, agree, problem, output, batch_norm):
    raw = 3 * OUTPUTS[output].columns_per_target
    net = Network(raw, [4, 2, 4], raw, hidden="tanh", output=output, tied=True, batch_norm=batch_norm)
    theta, X, y = problem(net, 4)
    peer, vector = make_peer(net, y, running=running(theta)), jnp.asarray(theta.vector)
    expected = jax.jit(jax.jacrev(peer.f))(vector, jnp.asarray(X))
    np.testing.assert_allclose(jacobian(net, theta, X), expected, **CLOSE)
    expected = jax.jit(jax.jacrev(peer.losses))(vector, jnp.asarray(X))
    np.testing.assert_allclose(per_example_gradients(net, theta, X, y), expected, **CLOSE)
    expected = jax.jit(jax.vmap(jax.jacrev(lambda x: peer.f(vector, x[None])[0])))(jnp.asarray(X))
    np.testing.assert_allclose(input_gradient(net, theta, X), expected, **CLOSE)
    v = np.random.default_rng(1).normal(size=theta.vector.shape)
    penalised = make_peer(net, y, running=running(theta), penalty=L2(0.05))
    ours = hessian_vector_product(net, theta, X, y, v, penalty=L2(0.05))
    agree(net, ours, hessian_times(penalised, theta, X, v), 1e-9)


@OUTPUT
def test_gradients_of_every_row_at_its_input(make_peer, problem, output):
    """t.grad_h[0] is that of the row's own loss, whatever the penalty and the weights."""
    net = Network(3, [4], 2, hidden="tanh", output=output)
    theta, X, y = problem(net, 8)
    t = net.trace(theta, X, y, penalty=L2(0.1), weights=WEIGHTS)
    peer, vector = make_peer(net, y), jnp.asarray(theta.vector)
    at_input = jax.jit(jax.grad(lambda X: jnp.sum(peer.losses(vector, X))))(jnp.asarray(X))
    np.testing.assert_allclose(t.grad_h[0], at_input, **CLOSE)


def test_the_two_gradients_of_the_course():
    """Rows 15 and 16 of the course map, differentiated by JAX from -log f_y and from softmax."""
    f = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])
    y = np.array([2, 0])
    loss_of_f = jax.jit(jax.grad(lambda f: -jnp.sum(jnp.log(f[jnp.arange(2), y]))))
    loss_of_a = jax.jit(jax.grad(lambda a: -jnp.sum(jnp.log(jax.nn.softmax(a)[jnp.arange(2), y]))))
    np.testing.assert_allclose(loss_gradient_at_output(f, y), loss_of_f(jnp.asarray(f)), rtol=1e-14, atol=0)
    np.testing.assert_allclose(loss_gradient_at_preactivation(f, y), loss_of_a(jnp.log(f)), rtol=1e-14)
