"""What training with each loss comes to: what the loss is least at, found by other means."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

import layerwise as lw
from layerwise.network import Network

X = np.random.default_rng(7).uniform(-1, 1, (400, 2))


def settled(net, X, y, rate=0.05, steps=1500):
    """The parameters after many steps on all rows, at a rate that falls to zero."""
    settings = {"update": lw.Adam(rate), "schedule": "cosine", "batch_size": "all", "epochs": steps, "dtype": "float64"}
    return lw.fit(net, X, y, **settings).parameters


def test_poisson_regression_is_that_of_scikit_learn():
    y = np.random.default_rng(1).poisson(np.exp(X @ [1.0, -0.5] + 0.7))
    theta = settled(Network(2, [], 1, output="poisson"), X, y)
    peer = PoissonRegressor(alpha=0, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(theta.W[1][0], peer.coef_, rtol=1e-5)
    np.testing.assert_allclose(theta.b[1][0], peer.intercept_, rtol=1e-5)


@pytest.mark.parametrize(("output", "levels"), [("absolute", [0.5]), (lw.Quantile([0.1, 0.5, 0.9]), [0.1, 0.5, 0.9])])
def test_constants_become_quantiles(output, levels):
    y = np.random.default_rng(2).exponential(size=(401, 2))
    net = Network(1, [], 2 * len(levels), output=output)
    f = net.predict(settled(net, np.zeros((401, 1)), y), np.zeros((1, 1)))
    np.testing.assert_allclose(net.output.by_target(f)[0], np.quantile(y, levels, axis=0).T, atol=0.02)


def test_mean_and_variance_are_those_of_the_data():
    y = np.random.default_rng(3).normal([3.0, -1.0], [0.1, 4.0], size=(400, 2))
    net = Network(1, [], 4, output="gaussian")
    f = net.predict(settled(net, np.zeros((400, 1)), y), np.zeros((1, 1)))
    mean, log_variance = net.output.by_target(f)[0].T
    np.testing.assert_allclose(mean, y.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(np.exp(log_variance), y.var(axis=0), rtol=1e-2)


def test_groups_without_a_hidden_layer_are_networks_of_their_own():
    y = np.stack([np.digitize(X[:, 0], [-0.3, 0.4]), X[:, 1] > 0.1], axis=1).astype(int)
    settings = {"update": lw.SGD(0.5), "batch_size": 40, "epochs": 5, "dtype": "float64", "seed": 3}
    both = lw.fit(Network(2, [], 5, output=lw.SoftmaxGroups([3, 2]), initialisation="zeros"), X, y, **settings)
    one, other = (
        lw.fit(Network(2, [], C, initialisation="zeros"), X, y[:, j], **settings) for j, C in enumerate((3, 2))
    )
    W = np.vstack([one.parameters.W[1], other.parameters.W[1]])
    np.testing.assert_allclose(both.parameters.W[1], W, rtol=1e-12)
    assert both.evaluate(X, y).loss == pytest.approx(one.evaluate(X, y[:, 0]).loss + other.evaluate(X, y[:, 1]).loss)
    accuracies = one.evaluate(X, y[:, 0]).metric, other.evaluate(X, y[:, 1]).metric
    assert both.evaluate(X, y).metric == pytest.approx(np.mean(accuracies))
    assert min(accuracies) > 0.8
