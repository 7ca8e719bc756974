"""The objective and its gradient against JAX's automatic differentiation of a network written a second time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise import (
    L1,
    L2,
    Activation,
    Huber,
    Layer,
    Network,
    Output,
    Penalty,
    Quantile,
    Sigmoid,
    Softmax,
    SoftmaxGroups,
)
from layerwise.rules.activations import TABLE as ACTIVATIONS
from layerwise.rules.outputs import TABLE

OWN = Activation.own(lambda s, a: a * s.tanh(a), name="a tanh a")
OUTPUTS = TABLE | {
    "smoothed softmax": Softmax(0.2),
    "smoothed sigmoid": Sigmoid(0.2),
    "huber 0.3": Huber(0.3),
    "quantiles": Quantile([0.1, 0.5, 0.9]),
    "groups": SoftmaxGroups([3, 2, 18]),
    "own": Output.own(lambda s, f, y: s.log1p((f - y) ** 2), name="cauchy"),
    "own of sigmoid": Output.own(lambda s, f, y: s.abs(f - y) ** 3, "sigmoid", "sigmoid error"),
}
OUTPUT = pytest.mark.parametrize("output", OUTPUTS)
#: Every activation with the outputs of the course, the other outputs with one activation.
PAIRS = [(g, o) for g in [*ACTIVATIONS.values(), OWN] for o in ("softmax", "sigmoid", "identity")]
PAIRS += [(ACTIVATIONS["tanh"], o) for o in OUTPUTS if o not in ("softmax", "sigmoid", "identity")]
ELASTIC = L1(0.02) + L2(0.03) + Penalty.own(0.05, lambda s, w: s.log1p(w * w))
WEIGHTS = np.array([1.0, 0.25, 3.0, 0.0, 2.0, 0.5, 1.5, 4.0])
#: Settings of the network, then of the trace.
VARIANTS = {
    "plain": ({}, {}),
    "dropout, weights and penalties": (
        {"dropout": 0.4},
        {"mode": "train", "key": (3, 4), "weights": WEIGHTS, "penalty": ELASTIC},
    ),
    "all": (
        {"batch_norm": True, "dropout": 0.3},
        {"mode": "train", "key": 5, "weights": WEIGHTS - 1, "weight_mean": "as given", "penalty": ELASTIC},
    ),
}


def compared(make_peer, running, agree, net, theta, X, y, options, transform=jax.jit):
    """Assert that f, every loss, the objective and the gradient are JAX's.

    Compiling a network as a whole is quicker where its shapes are new, running it step by step where they are not.
    """
    t = net.trace(theta, X, y, **options)
    weights = options.get("weights")
    mean = 1.0 if weights is None or options.get("weight_mean") == "as given" else weights.mean()
    peer = make_peer(
        net, y, masks=dict(t.mask), running=None if options.get("mode") == "train" else running(theta),
        counts=1.0 if weights is None else weights / mean, penalty=options.get("penalty"),
        training=options.get("mode") == "train",
    )  # fmt: skip
    vector, X = jnp.asarray(theta.vector), jnp.asarray(t.fed[1])  # x, or what corruption has made of it
    derive = transform(jax.value_and_grad(peer.objective_losses_f, has_aux=True))
    (objective, (losses, f)), gradient = derive(vector, X)
    assert gradient.dtype == jnp.float64
    np.testing.assert_allclose(t.f, f, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(t.losses, losses, rtol=1e-11, atol=1e-13)
    assert abs(t.objective - float(objective)) <= 1e-12 * max(abs(float(objective)), 1e-2)
    agree(net, t.gradient, gradient)
    return t


def network(inputs, layers, targets, output, **settings_of_net):
    """A network with so many raw columns as the targets need."""
    o = OUTPUTS[output]
    return Network(inputs, layers, sum(o.groups) or targets * o.columns_per_target, output=o, **settings_of_net)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("hidden", "output"), PAIRS, ids=[f"{g.name}-{o}" for g, o in PAIRS])
def test_every_activation_with_every_output(make_peer, running, agree, problem, hidden, output, variant):
    settings_of_net, options = VARIANTS[variant]
    net = network(3, [4, 4], 3, hidden=hidden, output=output, **settings_of_net)
    t = compared(make_peer, running, agree, net, *problem(net, 8), options, transform=lambda f: f)
    assert bool(t.mask) == ("dropout" in settings_of_net)
    assert (t.penalty > 0) == ("penalty" in options)


@OUTPUT
def test_running_statistics_instead_of_the_batch_s_own(make_peer, running, agree, problem, output):
    net = network(3, [4, 4], 3, hidden="tanh", output=output, batch_norm=True, dropout=0.3)
    t = compared(make_peer, running, agree, net, *problem(net, 8), {"mode": "predict", "weights": WEIGHTS})
    assert not t.mask


@pytest.mark.parametrize("batch_norm", [False, True])
@OUTPUT
def test_corrupted_inputs(make_peer, running, agree, problem, output, batch_norm):
    corruption = {"input_dropout": 0.3, "input_noise": 0.5}
    net = network(3, [4], 3, hidden="tanh", output=output, batch_norm=batch_norm, dropout=0.2, **corruption)
    theta, X, y = problem(net, 8)
    t = compared(make_peer, running, agree, net, theta, X, y, {"mode": "train", "key": (3, 4), "weights": WEIGHTS})
    assert (t.fed[1] == 0).any()
    assert np.abs(t.fed[1] - X).max() > 0.1


@pytest.mark.parametrize("batch_norm", [False, True])
@OUTPUT
def test_penalties_on_activations(make_peer, running, agree, problem, output, batch_norm):
    layers = [Layer(4, "tanh", 0.3, batch_norm, activity=ELASTIC), 3, Layer(5, OWN, activity=L2(0.1))]
    net = network(3, layers, 3, output=output)
    theta, X, y = problem(net, 8)
    options = {"penalty": ELASTIC, "weights": WEIGHTS}
    with_them = compared(make_peer, running, agree, net, theta, X, y, options | {"mode": "train", "key": (3, 4)})
    without = compared(make_peer, running, agree, net, theta, X, y, options)
    assert with_them.penalty > without.penalty > 0


TIED = {"hidden": "tanh", "tied": True}


@pytest.mark.parametrize(
    "net",
    [
        Network(4, [3], 4, output="identity", **TIED),
        Network(4, [5, 2, 5], 4, output="sigmoid", dropout=0.2, **TIED),
        Network(4, [3], 4, output="softmax", batch_norm=True, dropout=0.2, input_dropout=0.2, **TIED),
    ],
    ids=lambda net: net.output.name,
)
def test_tied_weights(make_peer, running, agree, problem, net):
    options = {"mode": "train", "key": (3, 4), "weights": WEIGHTS, "penalty": ELASTIC}
    theta, X, y = problem(net, 8)
    compared(make_peer, running, agree, net, theta, X, y, options)
    compared(make_peer, running, agree, net, theta, X, y, {"penalty": ELASTIC})


def test_layers_of_different_kinds(make_peer, running, agree, problem):
    layers = [
        Layer(4, "tanh", dropout=0.2),
        Layer(6, "mish", batch_norm=True),
        Layer(3, "elu"),
        Layer(5, OWN, 0.5, True),
    ]
    net = Network(2, layers, 4)
    t = compared(make_peer, running, agree, net, *problem(net, 9), {"mode": "train", "key": (1, 2)})
    assert sorted(t.mask) == [1, 4]
    assert sorted(t.z) == [2, 4]


def test_masks_follow_the_rows_of_the_data_set(make_peer, running, agree, problem):
    net = Network(3, [6], 2, dropout=0.5)
    theta, X, y = problem(net, 8)
    places = np.array([90, 3, 3, 17, 0, 1, 2, 5])
    t = compared(make_peer, running, agree, net, theta, X, y, {"mode": "train", "key": (1, 2), "rows": places})
    np.testing.assert_array_equal(t.mask[1][1], t.mask[1][2])
    assert np.any(t.mask[1] != net.trace(theta, X, y, mode="train", key=(1, 2)).mask[1])


@pytest.mark.parametrize("n", [1, 2, 5])
@OUTPUT
def test_no_hidden_layer_and_few_rows(make_peer, running, agree, problem, output, n):
    net = network(4, [], 2, output=output)
    compared(make_peer, running, agree, net, *problem(net, n), {"penalty": L2(0.5)})


def test_large_preactivations(make_peer, running, agree, problem):
    """Saturated outputs: the losses are hundreds, and neither side takes the logarithm of 0."""
    for output in ("softmax", "sigmoid"):
        net = Network(3, [4], 3, hidden="linear", output=output)
        theta, X, y = problem(net, 6)
        theta.vector *= 30
        t = compared(make_peer, running, agree, net, theta, X, y, {})
        assert t.loss > 100


@settings(deadline=None, derandomize=True, max_examples=8)
@given(
    inputs=st.integers(1, 4), hidden=st.lists(st.integers(1, 4), max_size=3), outputs=st.integers(2, 3),
    n=st.integers(2, 5), activation=st.sampled_from([*ACTIVATIONS]), output=st.sampled_from([*OUTPUTS]),
    batch_norm=st.booleans(), dropout=st.sampled_from([0.0, 0.3]), weighted=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_shape(
    make_peer, running, agree, problem,
    inputs, hidden, outputs, n, activation, output, batch_norm, dropout, weighted, seed,
):  # fmt: skip
    net = network(inputs, hidden, outputs, hidden=activation, output=output, batch_norm=batch_norm, dropout=dropout)
    theta, X, y = problem(net, n, seed)
    options = {"mode": "train", "key": (seed, 1), "penalty": ELASTIC}
    compared(make_peer, running, agree, net, theta, X, y, options | ({"weights": WEIGHTS[:n]} if weighted else {}))


@OUTPUT
def test_float32_is_near(make_peer, problem, output):
    """The same text in single precision, against JAX in double precision."""
    net = network(3, [4, 4], 3, hidden="silu", output=output, batch_norm=True)
    theta, X, y = problem(net, 8)
    theta = theta.astype(np.float32)
    X = X.astype(np.float32).astype(np.float64)
    y = y if net.output.target == "classes" else y.astype(np.float32).astype(np.float64)
    t = net.trace(theta, X, y, mode="train", penalty=L2(0.1))
    assert t.gradient.dtype == np.float32
    peer = make_peer(net, y, penalty=L2(0.1))
    gradient = jax.grad(peer.objective)(jnp.asarray(theta.vector, jnp.float64), jnp.asarray(X))
    assert np.abs(t.gradient - gradient).max() <= 1e-5 * np.abs(gradient).max()
