"""Items of the course map that training must reach: rows 1, 8, 20, 25, and digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_digits

import layerwise as lw
from layerwise.network import Network

LINE = Network(5, [], 2, output="identity")
DESCENT = lw.SGD(0.3, momentum=0.9)


def descended(net, X, y, epochs=1500, **settings):
    return lw.fit(net, X, y, update=DESCENT, batch_size="all", epochs=epochs, dtype="float64", **settings)


@pytest.fixture(scope="module")
def regression():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 5))
    return X, X @ generator.normal(size=(5, 2)) + 1.5 + 0.3 * generator.normal(size=(60, 2))


def test_row_1_least_squares(regression):
    """W = (Phi'Phi)^-1 Phi't, with a column of ones for the bias."""
    X, y = regression
    theta = descended(LINE, X, y).parameters
    Phi = np.column_stack([X, np.ones(60)])
    w = np.linalg.solve(Phi.T @ Phi, Phi.T @ y)
    np.testing.assert_allclose(theta.W[1], w[:5].T, rtol=0, atol=1e-10)
    np.testing.assert_allclose(theta.b[1], w[5], rtol=0, atol=1e-10)


@pytest.mark.parametrize("mu", [0.5, 20.0])
def test_row_1_ridge(mu, regression):
    """(mu I + Phi'Phi)^-1 Phi't on centred data, since biases have no penalty.

    T J = 1/2 |Phi w - t|^2 + T lambda |w|^2, so mu = 2 T lambda.
    """
    X, y = regression
    theta = descended(LINE, X, y, penalty=lw.L2(mu / (2 * 60))).parameters
    Phi, t = X - X.mean(axis=0), y - y.mean(axis=0)
    w = np.linalg.solve(mu * np.eye(5) + Phi.T @ Phi, Phi.T @ t)
    np.testing.assert_allclose(theta.W[1], w.T, rtol=0, atol=1e-10)
    np.testing.assert_allclose(theta.b[1], y.mean(axis=0) - X.mean(axis=0) @ w, rtol=0, atol=1e-10)


def test_row_1_weighted_least_squares(regression):
    X, y = regression
    w_t = np.random.default_rng(1).uniform(0, 3, 60)
    theta = descended(LINE, X, y, weights=w_t).parameters
    Phi = np.column_stack([X, np.ones(60)])
    w = np.linalg.solve(Phi.T @ (w_t[:, None] * Phi), Phi.T @ (w_t[:, None] * y))
    np.testing.assert_allclose(theta.W[1], w[:5].T, rtol=0, atol=1e-10)


def test_row_1_basis_functions():
    """A polynomial is linear in its coefficients: least squares on phi(x), and a higher order fits closer."""
    generator = np.random.default_rng(3)
    x = np.linspace(-1, 1, 10)
    t = np.sin(math.pi * x) + 0.2 * generator.normal(size=10)
    losses = []
    for order in (1, 3):
        Phi = np.polynomial.legendre.legvander(x, order)[:, 1:]
        model = descended(Network(order, [], 1, output="identity"), Phi, t)
        coefficients = np.linalg.lstsq(np.column_stack([np.ones(10), Phi]), t, rcond=None)[0]
        np.testing.assert_allclose(model.parameters.W[1][0], coefficients[1:], atol=1e-8)
        losses.append(model.evaluate(Phi, t).loss)
    assert losses[1] < losses[0] / 4


CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(("table", "solvable"), [((0, 0, 0, 1), True), ((0, 1, 1, 1), True), ((0, 1, 1, 0), False)])
def test_row_8_one_neuron(table, solvable):
    """AND and OR, but not XOR: there the best that a plane can say is one half everywhere."""
    net = Network(2, [], 1, output="sigmoid")
    model = descended(net, CORNERS, np.array(table))
    if solvable:
        assert ((model.predict(CORNERS)[:, 0] > 0.5) == np.array(table)).all()
        assert model.evaluate(CORNERS, np.array(table)).loss < 0.05
    else:
        np.testing.assert_allclose(model.predict(CORNERS), 0.5, atol=1e-6)
        assert model.evaluate(CORNERS, np.array(table)).loss == pytest.approx(math.log(2), abs=1e-9)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_row_8_one_hidden_layer_solves_xor(hidden):
    net = Network(2, [8], 2, hidden=hidden)
    model = lw.fit(net, CORNERS, [0, 1, 1, 0], update=lw.SGD(0.5, momentum=0.9), batch_size="all", epochs=800)
    assert model.predict(CORNERS).argmax(axis=1).tolist() == [0, 1, 1, 0]
    assert model.evaluate(CORNERS, [0, 1, 1, 0]).loss < 0.01


@pytest.mark.parametrize("value", ["zeros", 0.0, 0.3])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_row_20_equal_weights_keep_the_units_equal(value, hidden, sample):
    net = Network(4, [5, 3], 3, hidden=hidden, initialisation=value)
    X, y = sample(net, 40)
    model = lw.fit(net, X, y, update=lw.SGD(0.5), epochs=30, dtype="float64")
    theta = model.parameters
    assert model.history["train_loss"][-1] < model.history["train_loss"][0]  # it learns, but as if with one unit
    for k in (1, 2):
        np.testing.assert_allclose(theta.W[k], np.broadcast_to(theta.W[k][0], theta.W[k].shape), rtol=0, atol=1e-12)
        np.testing.assert_allclose(theta.b[k], theta.b[k][0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(theta.W[k + 1] - theta.W[k + 1][:, :1], 0, atol=1e-12)
    random = lw.fit(Network(4, [5, 3], 3, hidden=hidden), X, y, update=lw.SGD(0.5), epochs=30, dtype="float64")
    assert np.linalg.matrix_rank(random.parameters.W[1], tol=1e-3) == 4
    assert random.history["train_loss"][-1] < model.history["train_loss"][-1]


def test_row_20_zeros_under_tanh_leave_only_the_last_bias(sample):
    """With h = tanh(0) = 0 and W = 0 every gradient but that of b^(L+1) is zero, for ever."""
    net = Network(4, [5], 3, hidden="tanh", initialisation="zeros")
    X, y = sample(net, 40)
    theta = lw.fit(net, X, y, update=lw.SGD(0.5), epochs=10).parameters
    assert not theta.W[1].any()
    assert not theta.W[2].any()
    assert not theta.b[1].any()
    assert theta.b[2].any()


@pytest.fixture(scope="module")
def small_digits():
    """scikit-learn's 1797 digits of 8 x 8 pixels: 1200 to learn from, 597 to test on."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order] / 16, y[order]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits(dtype, small_digits):
    X, y = small_digits
    net = Network(64, [48], 10, hidden="relu")
    model = lw.fit(net, X[:1200], y[:1200], update=lw.Adam(0.005), epochs=12, dtype=dtype, seed=0)
    assert model.evaluate(X[1200:], y[1200:]).metric >= 0.95


def test_digits_with_every_stage(small_digits):
    X, y = small_digits
    net = Network(64, [64, 32], 10, hidden="silu", batch_norm=True, dropout=0.1)
    model = lw.fit(
        net, X[:1200], y[:1200], update=lw.SGD(0.1, momentum=0.9), schedule="cosine", penalty=lw.L2(1e-5), epochs=12,
        validation=0.15, patience=12,
    )  # fmt: skip
    assert model.evaluate(X[1200:], y[1200:]).metric >= 0.95


def digits_of_the_course(folder, part):
    rows = np.loadtxt(folder / "digits10707" / f"digits{part}.txt.gz", delimiter=",", dtype=np.float32)
    return rows[:, :784], rows[:, 784].astype(int)


def test_row_25_digits_of_the_course(shared_data):
    """784-100-10, sigmoid, rate 0.1, one example at a time: the first epochs of homework 1, problem 6."""
    X, y = digits_of_the_course(shared_data, "train")
    validation = digits_of_the_course(shared_data, "valid")
    assert (X.shape, validation[0].shape) == ((3000, 784), (1000, 784))
    assert np.bincount(y).tolist() == [300] * 10
    net = Network(784, [100], 10, hidden="sigmoid", output="softmax")
    model = lw.fit(net, X, y, update=lw.SGD(0.1), batch_size=1, epochs=3, validation=validation, seed=0)
    train_loss, validation_loss = model.history["train_loss"], model.history["validation_loss"]
    assert train_loss[0] < math.log(10)  # better than a guess within the first epoch
    assert (np.diff(train_loss) < 0).all()
    assert train_loss[-1] < 0.5 * train_loss[0]
    assert validation_loss[-1] < validation_loss[0]
    assert model.history["validation_metric"][-1] > 0.88
    assert model.state.steps == 9000
