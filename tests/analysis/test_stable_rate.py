"""The largest stable rate: against the whole Hessian, and by running just below and just above it."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError

largest_curvature, largest_stable_rate = lw.analysis.largest_curvature, lw.analysis.largest_stable_rate
generator = np.random.default_rng(0)
X = generator.standard_normal((40, 4)) * [1.0, 2.0, 0.5, 3.0] + 1.0
t = X @ [1.0, -1.0, 2.0, 0.5] + 0.1 * generator.standard_normal(40)


def hessian(net, theta, X, y, **settings):
    P = net.n_parameters
    return np.column_stack([lw.hessian_vector_product(net, theta, X, y, v, **settings) for v in np.eye(P)])


@pytest.mark.parametrize("penalty", [None, lw.L2(0.3)])
@pytest.mark.parametrize(("layers", "output"), [([], "identity"), ([5], "identity"), ([6, 5], "softmax")])
def test_the_largest_eigenvalue(layers, output, penalty):
    net = lw.Network(4, layers, 2 if output == "softmax" else 1, hidden="tanh", output=output)
    theta, y = net.initialize(seed=1), (t > 0).astype(int) if output == "softmax" else t
    expected = np.linalg.eigvalsh(hessian(net, theta, X, y, penalty=penalty))
    assert largest_curvature(net, theta, X, y, penalty=penalty) == pytest.approx(expected[-1], rel=1e-5)


def test_weights_count():
    net = lw.Network(4, [], 1, output="identity")
    weights = np.arange(40) % 3 + 0.5
    expected = np.linalg.eigvalsh(hessian(net, net.initialize(), X, t, weights=weights))[-1]
    assert largest_curvature(net, net.initialize(), X, t, weights=weights) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_just_below_it_converges_and_just_above_it_diverges(momentum):
    net = lw.Network(4, [], 1, output="identity")
    theta = net.initialize()
    limit = (1 + momentum) * largest_stable_rate(net, theta, X, t)
    Phi = np.column_stack([np.ones(40), X])
    best = 0.5 * ((Phi @ lw.analysis.least_squares(Phi, t) - t) ** 2).mean()
    losses = {}
    for factor in (0.98, 1.02):
        update = lw.SGD(factor * limit, momentum=momentum)
        state = lw.start(net, update=update, batch_size="all", dtype="float64", initial=theta)
        losses[factor] = [state.step(X, t).loss - best for _ in range(1500)]
    assert losses[0.98][-1] < 1e-6 * losses[0.98][0]
    assert losses[1.02][-1] > 1e6 * losses[1.02][0]


def test_where_nothing_curves_up():
    net = lw.Network(2, [3], 1, hidden="relu", output="identity")
    theta = net.initialize()
    theta.vector[...] = 0.0
    theta.b[1][...] = -1.0  # no unit is active
    assert largest_stable_rate(net, theta, [[1.0, 2.0]], [0.0]) == pytest.approx(2.0)  # the output's bias alone
    step = lw.Network(1, [], 1, output="absolute")
    assert largest_stable_rate(step, step.initialize(), [[1.0]], [9.0]) == float("inf")


def test_bad_input(refuses):
    net = lw.Network(4, [], 1, output="identity")
    with refuses(InputError, "y"):
        largest_stable_rate(net, net.initialize(), X, t[:3])
