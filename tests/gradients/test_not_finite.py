"""A derivative that is NaN or infinite never passes a check."""

import numpy as np

import layerwise as lw


def test_a_penalty_without_derivative_at_zero():
    net = lw.Network(2, [3], 2, hidden="tanh")
    theta = net.initialize(seed=0)
    theta.W[2][0, 0] = 0.0
    penalty = lw.Penalty.own(1e-3, lambda s, w: s.sqrt(w * w))
    check = lw.check_gradient(net, theta, np.eye(2), [0, 1], penalty=penalty)
    assert np.isnan(check.analytic).sum() == 1
    assert check.relative_error["W2"] == np.inf
    assert check.max_relative_error == np.inf
    assert check.relative_error["W1"] < 1e-6
