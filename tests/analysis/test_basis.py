"""Least squares: the closed form, and that a network with no hidden layer reaches it."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError

analysis = lw.analysis
x = np.linspace(-1, 1, 30)
t = np.sin(3 * x) + 0.1 * np.random.default_rng(0).standard_normal(30)


def test_design_matrices():
    np.testing.assert_allclose(analysis.polynomial(x, 3), np.column_stack([x**0, x, x**2, x**3]))
    np.testing.assert_allclose(analysis.gaussian_bumps(x, [0.5, -0.5], 0.1)[:, 2], np.exp(-50 * (x + 0.5) ** 2))
    phi = analysis.sigmoids(x, [0.25], 4.0)
    np.testing.assert_allclose(phi[:, 1], 1 / (1 + np.exp(-4 * (x - 0.25))))
    assert (phi[:, 0] == 1).all()
    assert analysis.sigmoids([1e6, -1e6], [0.0], 1e3)[:, 1].tolist() == [1.0, 0.0]  # and no overflow


@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("targets", [t, np.column_stack([t, x, t * x])], ids=["one", "three"])
def test_the_formula(penalty, targets):
    Phi = analysis.polynomial(x, 4)
    expected = np.linalg.inv(penalty * np.eye(5) + Phi.T @ Phi) @ Phi.T @ targets
    found = analysis.least_squares(Phi, targets, penalty)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_high_orders_stay_accurate():
    points = np.linspace(0, 1, 40)
    w = np.arange(1.0, 15.0)
    Phi = analysis.polynomial(points, 13)
    of_normal_equations = np.linalg.solve(Phi.T @ Phi, Phi.T @ (Phi @ w))
    assert np.abs(of_normal_equations - w).max() > 1e-2
    assert np.abs(analysis.least_squares(Phi, Phi @ w) - w).max() < 1e-5


def test_the_shortest_of_many_solutions():
    np.testing.assert_allclose(analysis.least_squares([[1.0, 1.0]], [2.0]), [1.0, 1.0])


def network_weights(Phi, targets, penalty=None):
    """The weights of a network on the columns but the first, whose weight is its bias; after many full batches."""
    net = lw.Network(Phi.shape[1] - 1, [], 1, output="identity", initialisation="zeros")
    model = lw.fit(
        net, Phi[:, 1:], targets, update=lw.SGD(0.5, momentum=0.9), batch_size="all", epochs=2000, dtype="float64",
        penalty=penalty, shuffle=False,
    )  # fmt: skip
    return np.concatenate([model.parameters.b[1], model.parameters.W[1][0]])


@pytest.mark.parametrize("Phi", [analysis.polynomial(x, 3), analysis.gaussian_bumps(x, [-0.7, 0, 0.7], 0.4)])
def test_a_network_reaches_the_closed_form(Phi):
    np.testing.assert_allclose(network_weights(Phi, t), analysis.least_squares(Phi, t), atol=1e-8)


@pytest.mark.parametrize("strength", [1e-3, 0.1])
def test_a_network_reaches_ridge_with_the_factor_of_the_docstring(strength):
    Phi = analysis.polynomial(x, 3)
    expected = analysis.least_squares(Phi, t, penalty=2 * len(x) * strength, free_constant=True)
    found = network_weights(Phi, t, lw.L2(strength))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.abs(found - analysis.least_squares(Phi, t, strength, free_constant=True)).max() > 1e-4  # without it


def test_a_penalised_constant_is_a_weight_without_bias():
    Phi = np.column_stack([np.ones(30), x])
    w = analysis.least_squares(Phi, t + 1, 3.0)
    gradient = Phi.T @ (Phi @ w - t - 1) + 3.0 * w
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_bad_input(refuses):
    with refuses(InputError, "t"):
        analysis.least_squares(np.ones((3, 1)), [1.0, 2.0])
    with refuses(InputError, "x"):
        analysis.polynomial([[1.0]], 2)
    with refuses(SpecificationError, "order"):
        analysis.polynomial(x, -1)
    with refuses(SpecificationError, "penalty"):
        analysis.least_squares(np.ones((3, 1)), [1.0, 2.0, 3.0], -1.0)
    with refuses(SpecificationError, "width"):
        analysis.gaussian_bumps(x, [0.0], 0)
