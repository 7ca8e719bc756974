"""Every update rule against optax over 20 random steps in float64."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import layerwise as lw
from layerwise.ops import NumpyOps
from layerwise.rules.updates import SGD, TABLE, Adagrad, Adam, AdamW, RMSProp, apply_update

PAIRS = [
    (SGD(0.1), optax.sgd(0.1)),
    (SGD(0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)),
    (SGD(0.05, momentum=0.5), optax.sgd(0.05, momentum=0.5)),
    (SGD(0.05, momentum=0.9, nesterov=True), optax.sgd(0.05, momentum=0.9, nesterov=True)),
    (Adagrad(), optax.adagrad(0.01)),
    (Adagrad(0.1, epsilon=1e-3, initial_squares=0.0), optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-3)),
    (RMSProp(), optax.rmsprop(0.001, decay=0.9, eps=1e-8)),
    (RMSProp(0.02, decay=0.7, epsilon=1e-2), optax.rmsprop(0.02, decay=0.7, eps=1e-2)),
    (Adam(), optax.adam(0.001)),
    (Adam(0.02, 0.8, 0.95, 1e-3), optax.adam(0.02, b1=0.8, b2=0.95, eps=1e-3)),
    (Adam(0.02, 0.0, 0.0, 1e-3), optax.adam(0.02, b1=0.0, b2=0.0, eps=1e-3)),
    (AdamW(decay=0.01), optax.adamw(0.001, weight_decay=0.01)),
    (AdamW(0.02, 0.8, 0.95, 1e-3, decay=0.3), optax.adamw(0.02, b1=0.8, b2=0.95, eps=1e-3, weight_decay=0.3)),
]


def test_every_rule_has_a_peer():
    assert {type(rule) for rule, _ in PAIRS} == set(TABLE.values())


@pytest.mark.parametrize(("rule", "peer"), PAIRS, ids=[str(rule) for rule, _ in PAIRS])
def test_twenty_random_steps(rule, peer):
    generator = np.random.default_rng(0)
    theta = generator.normal(size=(3, 4))
    memory = tuple(np.full(theta.shape, rule.initial_memory) for _ in rule.memory)
    their_theta = jnp.asarray(theta)
    their_memory = peer.init(their_theta)
    for t in range(1, 21):
        grad = generator.normal(size=theta.shape) * 10.0 ** generator.integers(-3, 2, theta.shape)
        theta, memory = apply_update(NumpyOps(), rule, theta, grad, memory, rule.scalars(t, rule.rate, True))
        change, their_memory = peer.update(jnp.asarray(grad), their_memory, their_theta)
        their_theta = optax.apply_updates(their_theta, change)
        assert their_theta.dtype == jnp.float64
        np.testing.assert_allclose(theta, their_theta, rtol=1e-12, atol=1e-13)
    assert np.abs(theta - np.random.default_rng(0).normal(size=(3, 4))).max() > 1e-3


def test_biases_do_not_decay():
    rule, peer = AdamW(0.02, decay=0.3), optax.adam(0.02)
    theta, grad = np.array([2.0, -1.0]), np.array([0.5, 0.25])
    moved, _ = apply_update(
        NumpyOps(), rule, theta, grad, (np.zeros(2), np.zeros(2)), rule.scalars(1, rule.rate, False)
    )
    change, _ = peer.update(jnp.asarray(grad), peer.init(jnp.asarray(theta)), jnp.asarray(theta))
    np.testing.assert_allclose(moved, theta + np.asarray(change), rtol=1e-12)


@pytest.mark.parametrize("limit", [0.05, 1.0, 100.0])
@pytest.mark.parametrize(
    ("rule", "peer"), [(SGD(0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)), (Adam(), optax.adam(0.001))]
)
def test_clipping(rule, peer, limit):
    """Twenty steps of training, with the gradients of our trace given to optax."""
    net = lw.Network(4, [6, 5], 3, hidden="tanh")
    generator = np.random.default_rng(0)
    X, y = 3 * generator.normal(size=(30, 4)), generator.integers(0, 3, 30)
    state = lw.start(net, update=rule, dtype="float64", clip_norm=limit, penalty=lw.L2(0.1))
    chain = optax.chain(optax.clip_by_global_norm(limit), peer)
    theta = jnp.asarray(state.parameters.vector)
    memory = chain.init({"theta": theta})
    for first in range(20):
        rows = slice(first, first + 10)
        gradient = net.trace(state.parameters, X[rows], y[rows], penalty=lw.L2(0.1)).gradient
        change, memory = chain.update({"theta": jnp.asarray(gradient)}, memory)
        theta = optax.apply_updates({"theta": theta}, change)["theta"]
        state.step(X[rows], y[rows])
        np.testing.assert_allclose(state.parameters.vector, theta, rtol=1e-10, atol=1e-12)
