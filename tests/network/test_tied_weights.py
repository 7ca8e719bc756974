"""Tied weights: W^(L+2-k) is W^(k)', one array with the gradients of both layers."""

import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer

NETWORKS = {
    "one hidden layer": lw.Network(4, [3], 4, hidden="tanh", output="identity", tied=True),
    "three": lw.Network(4, [5, 2, 5], 4, hidden="sigmoid", output="sigmoid", tied=True),
    "softmax": lw.Network(4, [3], 4, hidden="gelu", tied=True),
    "all of one size": lw.Network(3, [3, 3, 3], 3, hidden="tanh", tied=True),
    "a code of one": lw.Network(4, [1], 4, hidden="linear", output="identity", tied=True),
    "stages": lw.Network(
        4, [Layer(3, "tanh", 0.2, True), Layer(2, "gelu", 0.1), Layer(3, "tanh", 0.0, True)], 4, output="identity",
        tied=True, input_dropout=0.2,
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def problem(scattered, targets):
    def draw(net, n=8, dtype="float64"):
        return scattered(net, dtype=dtype), np.random.default_rng(2).normal(size=(n, net.inputs)), targets(net, n)

    return draw


def untied(net, theta):
    """The same function as a network in which every W is free, and its parameters."""
    free = lw.Network(
        net.inputs, net.layers, net.outputs, output=net.output, input_dropout=net.input_dropout
    )  # fmt: skip
    parameters = lw.Parameters(free, np.empty(free.n_parameters), theta.statistics.astype(float))
    for name in ("W", "b", "gamma", "beta"):
        for k, array in getattr(theta, name).items():
            getattr(parameters, name)[k] = array
    return free, parameters


def test_upper_weights_are_no_parameters():
    net = NETWORKS["three"]
    assert [f"{s.name}{s.k}" for s in net.segments] == ["W1", "b1", "W2", "b2", "b3", "b4"]
    assert net.n_parameters == 5 * 4 + 5 + 2 * 5 + 2 + 5 + 4
    theta = net.initialize(0)
    assert [theta.W[k].shape for k in (1, 2, 3, 4)] == [(5, 4), (2, 5), (5, 2), (4, 5)]
    for k in (1, 2):
        assert np.shares_memory(theta.W[5 - k], theta.vector)
        np.testing.assert_array_equal(theta.W[5 - k], theta.W[k].T)
    theta.W[4] = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(theta.W[1], np.arange(20).reshape(4, 5).T)
    assert list(theta.W) == [1, 2, 3, 4]


@EVERY
@pytest.mark.parametrize("mode", ["predict", "train"])
def test_the_same_function_and_the_sum_of_both_gradients(name, mode, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    free, parameters = untied(net, theta)
    weights = np.arange(1.0, 9.0)
    ours = net.trace(theta, X, y, mode=mode, key=3, weights=weights)
    theirs = free.trace(parameters, X, y, mode=mode, key=3, weights=weights)
    np.testing.assert_allclose(net.predict(theta, X), free.predict(parameters, X), rtol=1e-12)
    np.testing.assert_allclose(ours.f, theirs.f, rtol=1e-12)
    for k in range(1, net.L + 2):
        both = theirs.grad_W[k] + theirs.grad_W[net.L + 2 - k].T
        np.testing.assert_allclose(ours.grad_W[k], both, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(ours.grad_b[k], theirs.grad_b[k], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(ours.grad_h[0], theirs.grad_h[0], rtol=1e-11, atol=1e-14)
    assert ours.gradient.shape == (net.n_parameters,)
    assert np.shares_memory(ours.grad_W[net.L + 1], ours.grad_W[1])


@EVERY
@pytest.mark.parametrize("mode", ["predict", "train"])
def test_gradients(name, mode, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    check = lw.check_gradient(net, theta, X, y, lw.L2(0.1) + lw.L1(0.01), np.arange(1.0, 9.0), mode, key=(2, 5))
    assert check.max_relative_error < 1e-6, check.relative_error
    assert set(check.relative_error) == {f"{s.name}{s.k}" for s in net.segments}


@EVERY
def test_a_penalty_counts_each_w_once(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    squares = sum((theta.W[k] ** 2).sum() for k in range(1, (net.L + 1) // 2 + 1))
    t = net.trace(theta, X, y, penalty=lw.L2(0.3))
    assert t.penalty == pytest.approx(0.3 * squares, rel=1e-12)
    step = lw.start(net, initial=theta, penalty=lw.L2(0.3), dtype="float64").step(X, y)
    assert step.penalty == pytest.approx(t.penalty, rel=1e-12)


@EVERY
def test_the_state_does_what_the_trace_says(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    penalty = lw.L2(0.01)
    state = lw.start(net, initial=theta, update=lw.SGD(0.1), dtype="float64", seed=6, penalty=penalty, clip_norm=0.5)
    for _ in range(4):
        t = net.trace(state.parameters, X, y, penalty, mode="train", key=state.key)
        norm, before = np.linalg.norm(t.gradient), state.parameters.vector.copy()
        assert state.step(X, y).gradient_norm == pytest.approx(norm, rel=1e-12)
        expected = before - 0.1 * min(1, 0.5 / norm) * t.gradient
        np.testing.assert_allclose(state.parameters.vector, expected, rtol=0, atol=1e-13)


@EVERY
def test_gradients_of_single_examples(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    rows = lw.per_example_gradients(net, theta, X, y)
    np.testing.assert_allclose(rows.mean(axis=0), net.trace(theta, X, y).gradient, rtol=0, atol=1e-13)
    for t in range(len(X)):
        alone = net.trace(theta, X[t : t + 1], y[t : t + 1]).gradient
        np.testing.assert_allclose(rows[t], alone, rtol=0, atol=1e-12)


@EVERY
def test_jacobians_and_second_derivatives(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    v = np.random.default_rng(0).normal(size=net.n_parameters)
    ahead, behind = theta.copy(), theta.copy()
    ahead.vector += 1e-6 * v
    behind.vector -= 1e-6 * v
    along = (net.predict(ahead, X) - net.predict(behind, X)) / 2e-6
    np.testing.assert_allclose(lw.jacobian(net, theta, X) @ v, along, rtol=0, atol=1e-7 * np.abs(along).max())
    numeric = (net.trace(ahead, X, y).gradient - net.trace(behind, X, y).gradient) / 2e-6
    product = lw.hessian_vector_product(net, theta, X, y, v)
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())
    free, parameters = untied(net, theta)
    np.testing.assert_allclose(
        lw.input_gradient(net, theta, X), lw.input_gradient(free, parameters, X), rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("batch_size", [1, 7, "all"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training(batch_size, dtype):
    X = np.random.default_rng(0).normal(size=(60, 2)) @ np.random.default_rng(1).normal(size=(2, 6))
    net = lw.Network(6, [4, 2, 4], 6, hidden="tanh", output="identity", tied=True)
    model = lw.fit(net, X, X, batch_size=batch_size, epochs=30, update=lw.Adam(0.01), dtype=dtype)
    assert model.history["train_loss"][-1] < 0.9 * model.history["train_loss"][0]
    np.testing.assert_array_equal(model.parameters.W[4], model.parameters.W[1].T)


def test_principal_components():
    """The best linear autoencoder spans them, and with tied weights W has orthogonal rows of length 1."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 5)) * [3, 2, 0.3, 0.2, 0.1]
    X -= X.mean(axis=0)
    net = lw.Network(5, [2], 5, hidden="linear", output="identity", tied=True)
    model = lw.fit(net, X, X, batch_size="all", epochs=3000, update=lw.SGD(0.02), dtype="float64")
    W = model.parameters.W[1]
    np.testing.assert_allclose(W @ W.T, np.eye(2), atol=1e-6)
    _, _, V = np.linalg.svd(X, full_matrices=False)
    np.testing.assert_allclose(W.T @ W, V[:2].T @ V[:2], atol=1e-6)


def test_sparse_inputs():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 40)) * (generator.random((60, 40)) < 0.2)
    net = lw.Network(40, [7], 40, hidden="tanh", output="identity", tied=True)
    for batch_size in (1, 16):
        settings = {"epochs": 2, "batch_size": batch_size, "dtype": "float64"}
        dense, sparse = (lw.fit(net, given, X, **settings) for given in (X, csr_array(X)))
        np.testing.assert_allclose(sparse.parameters.vector, dense.parameters.vector, rtol=0, atol=1e-12)


@EVERY
def test_copies_keep_the_views(name, problem):
    net = NETWORKS[name]
    theta, *_ = problem(net)
    for other in (theta.copy(), copy.deepcopy(theta), pickle.loads(pickle.dumps(theta)), theta.astype(np.float32)):
        assert other.network == net
        other.vector[...] = 2.0
        assert (other.W[net.L + 1] == 2).all()
        assert not (theta.W[1] == 2).any()


def test_it_is_another_network(problem, refuses):
    net = NETWORKS["one hidden layer"]
    theta, X, _ = problem(net)
    free, parameters = untied(net, theta)
    assert net != free
    with refuses(InputError, "theta"):
        free.predict(theta, X)
    with refuses(InputError, "theta"):
        net.predict(parameters, X)


def test_the_printed_program_shows_both_uses():
    text = str(NETWORKS["one hidden layer"].program("loss_and_gradient"))
    assert "a^(2) = b^(2) + W^(1)' h^(1)" in text
    assert "grad_h^(1) = W^(1) grad_a^(2)" in text
    assert "grad_W^(1) = sum_t h^(1) grad_a^(2)' + sum_t grad_a^(1) h^(0)'" in text
    assert "W^(2)" not in text


def test_initial_weights_are_those_of_the_lower_layers():
    free = lw.Network(4, [5, 2, 5], 4, hidden="sigmoid", output="sigmoid").initialize(3)
    theta = NETWORKS["three"].initialize(3)
    for k in (1, 2):
        np.testing.assert_array_equal(theta.W[k], free.W[k])


@pytest.mark.parametrize("sizes", [(4, 3), (4, 4), (4, 3, 3, 4), (4, 3, 5), (4, 3, 2, 5, 4), (4, 3, 2, 3, 5)])
def test_what_cannot_be_tied(sizes, refuses):
    inputs, *layers, outputs = sizes
    with refuses(SpecificationError, "tied", "odd number", "-".join(map(str, sizes))):
        lw.Network(inputs, layers, outputs, tied=True)
