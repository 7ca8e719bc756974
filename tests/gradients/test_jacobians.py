"""df/dx and df/dtheta against central differences of predict."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.rules import activations, outputs

X = np.random.default_rng(1).normal(size=(5, 3))
SMOOTH = [name for name, row in activations.TABLE.items() if not row.kinks]


def network(hidden, output):
    return Network(3, [Layer(4, hidden, dropout=0.5), Layer(3, "tanh", batch_norm=True)], 2, output=output)


def differences(function, center, step=1e-6):
    """One column a coordinate of the flat center."""
    columns = []
    for i in range(center.size):
        above, below = center.copy(), center.copy()
        above.flat[i] += step
        below.flat[i] -= step
        columns.append((function(above) - function(below)) / (2 * step))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("hidden", SMOOTH)
@pytest.mark.parametrize("output", list(outputs.TABLE))
def test_input_gradient(hidden, output, scattered, unchanged):
    net = network(hidden, output)
    theta = scattered(net)
    with unchanged(theta):
        gradient = lw.input_gradient(net, theta, X)
    assert gradient.shape == (5, 2, 3)
    for t in range(5):
        numeric = differences(lambda x: net.predict(theta, x[None, :])[0], X[t])
        np.testing.assert_allclose(gradient[t], numeric, atol=1e-8)
    for c in range(2):
        assert lw.input_gradient(net, theta, X, output=c).tobytes() == gradient[:, c].tobytes()


@pytest.mark.parametrize("hidden", ["relu", "leaky_relu", "selu"])
def test_input_gradient_away_from_kinks(hidden, scattered):
    net = network(hidden, "identity")
    theta = scattered(net)
    assert min(np.abs(a).min() for a in net.trace(theta, X, np.zeros((5, 2))).a.values()) > 1e-3
    for t in range(5):
        numeric = differences(lambda x: net.predict(theta, x[None, :])[0], X[t])
        np.testing.assert_allclose(lw.input_gradient(net, theta, X)[t], numeric, atol=1e-8)


@pytest.mark.parametrize("output", list(outputs.TABLE))
def test_jacobian(output, scattered, unchanged):
    net = network("sigmoid", output)
    theta = scattered(net)
    with unchanged(theta):
        jacobian = lw.jacobian(net, theta, X)
    assert jacobian.shape == (5, 2, net.n_parameters)
    numeric = differences(lambda v: net.predict(lw.Parameters(net, v, theta.statistics), X), theta.vector)
    np.testing.assert_allclose(jacobian, numeric, atol=1e-8)


def test_jacobian_makes_the_loss_gradient(scattered, targets):
    """dl/dtheta = dl/df df/dtheta, with the loss gradient at the output that the course names."""
    net = network("tanh", "softmax")
    theta, y = scattered(net), targets(net, 5)
    chained = np.einsum("nc,ncp->np", lw.loss_gradient_at_output(net.predict(theta, X), y), lw.jacobian(net, theta, X))
    np.testing.assert_allclose(chained, lw.per_example_gradients(net, theta, X, y), atol=1e-13)
    at_input = np.einsum("nc,nci->ni", net.trace(theta, X, y).grad_f, lw.input_gradient(net, theta, X))
    np.testing.assert_allclose(at_input, net.trace(theta, X, y).grad_h[0], atol=1e-13)


def test_linear_network_is_its_own_gradient(scattered):
    net = Network(3, [], 2, output="identity")
    theta = scattered(net)
    for row in lw.input_gradient(net, theta, X):
        assert (row == theta.W[1]).all()
    for x, row in zip(X, lw.jacobian(net, theta, X), strict=True):
        for c in range(2):
            parts = lw.Parameters(net, row[c].copy())
            expected = np.zeros((2, 3))
            expected[c] = x
            assert (parts.W[1] == expected).all()
            assert parts.b[1].tolist() == [c == 0, c == 1]


def test_float32(scattered):
    net = network("gelu", "softmax")
    theta = scattered(net)
    narrow = theta.astype("float32")
    for function in (lw.input_gradient, lw.jacobian):
        assert function(net, narrow, X).dtype == np.float32
        np.testing.assert_allclose(function(net, narrow, X), function(net, theta, X), atol=1e-5)


@pytest.mark.parametrize("c", [2, -1, 0.5])
def test_an_output_that_is_not_there(c, scattered):
    net = network("tanh", "identity")
    with pytest.raises(SpecificationError, match=f"output: expected a whole number of at least 0 and below 2, got {c}"):
        lw.input_gradient(net, scattered(net), X, output=c)


def test_wrong_inputs(scattered):
    net = network("tanh", "identity")
    for function in (lw.input_gradient, lw.jacobian):
        with pytest.raises(InputError, match="X: expected n rows of 3 columns, got 5x2"):
            function(net, scattered(net), X[:, :2])
