"""Bias, variance and noise: their sum is the error on new targets."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError

analysis = lw.analysis
x = np.linspace(-1, 1, 40)


def target(x):
    return np.sin(3 * x)


def order(m, penalty=0.0):
    def fit_and_predict(x, t, new):
        return analysis.polynomial(new, m) @ analysis.least_squares(analysis.polynomial(x, m), t, penalty)

    return fit_and_predict


@pytest.mark.parametrize("m", [0, 3])
def test_the_total_is_the_error_on_new_targets(m):
    found = analysis.bias_variance(order(m), target, x, 0.4, rows=25, repeats=400)
    assert found.total == pytest.approx(found.bias_squared + found.variance + found.noise)
    assert found.noise == pytest.approx(0.16)
    fresh = target(x) + 0.4 * np.random.default_rng(99).standard_normal((400, 40))
    assert ((found.predictions - fresh) ** 2).mean() == pytest.approx(found.total, rel=0.03)


def test_a_constant_fit_is_known_exactly():
    """The mean of 25 targets: its variance is (var(target) + noise^2) / 25."""
    found = analysis.bias_variance(order(0), target, x, 0.5, rows=25, repeats=4000)
    truth = target(x)
    assert found.variance == pytest.approx((truth.var() + 0.25) / 25, rel=0.08)
    assert found.bias_squared == pytest.approx(truth.var(), rel=0.01)


def test_orders_trade_bias_for_variance():
    found = [analysis.bias_variance(order(m), target, x, 0.3, rows=30) for m in (0, 1, 3, 5)]
    assert (np.diff([one.bias_squared for one in found[:3]]) < 0).all()
    assert found[3].variance > 2 * found[2].variance
    assert found[2].total < found[0].total  # and neither end is best
    assert found[2].total < found[3].total


def test_a_penalty_lowers_the_variance():
    free, tied = (analysis.bias_variance(order(6, penalty), target, x, 0.3, rows=30) for penalty in (0.0, 1.0))
    assert tied.variance < free.variance
    assert tied.bias_squared > free.bias_squared


def test_a_network_of_two_inputs():
    points = np.random.default_rng(0).uniform(-1, 1, (30, 2))

    def network(X, t, new):
        net = lw.Network(2, [4], 1, hidden="tanh", output="identity")
        return lw.fit(net, X, t, epochs=3).predict(new)

    found = analysis.bias_variance(network, lambda X: X[:, 0] * X[:, 1], points, 0.1, rows=20, repeats=3)
    assert found.predictions.shape == (3, 30)
    np.testing.assert_array_equal(found.target, points[:, 0] * points[:, 1])


def test_seeds():
    one, same, other = (analysis.bias_variance(order(2), target, x, 0.1, rows=9, repeats=3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.predictions, same.predictions)
    assert not np.array_equal(one.predictions, other.predictions)


def test_bad_input(refuses):
    with refuses(InputError, "fit_and_predict"):
        analysis.bias_variance(lambda x, t, new: new[:3], target, x, 0.1, rows=5)
    with refuses(InputError, "target"):
        analysis.bias_variance(order(1), lambda x: x * np.nan, x, 0.1, rows=5)
    with refuses(SpecificationError, "repeats"):
        analysis.bias_variance(order(1), target, x, 0.1, rows=5, repeats=1)
    with refuses(SpecificationError, "noise"):
        analysis.bias_variance(order(1), target, x, -0.1, rows=5)
