"""Networks whose inputs are corrupted in training: what is read, what is differentiated, and what stays as it is."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer

NETWORKS = {
    "masked": lw.Network(4, [5], 3, hidden="tanh", input_dropout=0.4),
    "noisy": lw.Network(4, [5], 3, hidden="tanh", input_noise=0.3),
    "both": lw.Network(4, [Layer(5, "gelu", 0.2)], 4, output="identity", input_dropout=0.4, input_noise=0.3),
    "normalised": lw.Network(4, [5], 3, hidden="tanh", batch_norm=True, input_dropout=0.4, input_noise=0.3),
    "no hidden layer": lw.Network(4, [], 3, output="sigmoid", input_dropout=0.4, input_noise=0.3),
}
EVERY = pytest.mark.parametrize("name", NETWORKS)
PLAIN = lw.Network(4, [5], 3, hidden="tanh")


@pytest.fixture(scope="module")
def problem(scattered, targets):
    def draw(net, n=8):
        return scattered(net), np.random.default_rng(2).normal(size=(n, net.inputs)), targets(net, n)

    return draw


def test_masked_components_are_0_and_the_others_as_they_were(problem):
    net = NETWORKS["masked"]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y, mode="train", key=(3, 4))
    assert set(np.unique(t.mask[0])) == {0.0, 1.0}
    np.testing.assert_array_equal(t.h[0], X)
    np.testing.assert_array_equal(t.fed[1], t.mask[0] * X)
    np.testing.assert_allclose(t.a[1], theta.b[1] + t.fed[1] @ theta.W[1].T, rtol=1e-12)
    np.testing.assert_allclose(t.grad_W[1], t.grad_a[1].T @ t.fed[1] / len(X), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(t.grad_h[0], t.mask[0] * (t.grad_a[1] @ theta.W[1]), rtol=1e-12, atol=1e-15)
    assert [name for name in t.quantities() if name.endswith("[0]")] == ["h[0]", "mask[0]", "grad_h[0]"]
    assert "fed[1]" in repr(t)


def test_noise_is_as_large_as_asked_for(problem):
    theta, X, y = problem(NETWORKS["noisy"], 3000)
    noise = {}
    for strength in (0.3, 0.6):
        net = lw.Network(4, [5], 3, hidden="tanh", input_noise=strength)
        noise[strength] = net.trace(lw.Parameters(net, theta.vector), X, y, mode="train").fed[1] - X
        assert noise[strength].std() == pytest.approx(strength, rel=0.05)
    np.testing.assert_allclose(noise[0.6], 2 * noise[0.3], atol=1e-12)


def test_masked_components_have_no_noise(problem):
    net = NETWORKS["both"]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y, mode="train", key=1)
    assert (t.fed[1][t.mask[0] == 0] == 0).all()
    assert (t.fed[1][t.mask[0] == 1] != X[t.mask[0] == 1]).all()


@EVERY
def test_prediction_reads_x(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y)
    assert t.fed[1] is t.h[0]
    assert not t.mask
    np.testing.assert_allclose(net.predict(theta, X), t.f, rtol=1e-12)
    state = lw.start(net, initial=theta, dtype="float64")
    assert lw.Model(net, theta, state.history).evaluate(X, y).loss == pytest.approx(t.loss, rel=1e-12)


@EVERY
def test_gradients(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    check = lw.check_gradient(net, theta, X, y, lw.L2(0.1), mode="train", key=(2, 5))
    assert check.max_relative_error < 1e-6
    assert check.skipped == ()


@EVERY
def test_the_state_does_what_the_trace_says(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    state = lw.start(net, initial=theta, update=lw.SGD(0.1), dtype="float64", seed=6)
    places = np.array([7, 0, 1, 2, 3, 4, 5, 9])
    for rows in (None, None, None, places):
        t = net.trace(state.parameters, X, y, mode="train", key=state.key, rows=rows)
        before = state.parameters.vector.copy()
        assert state.step(X, y, rows=rows).loss == pytest.approx(t.loss, rel=1e-12)
        np.testing.assert_allclose(state.parameters.vector, before - 0.1 * t.gradient, rtol=0, atol=1e-13)


@EVERY
def test_gradients_of_single_examples(name, problem, refuses):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    if net.normalises:
        with refuses(SpecificationError, "batch normalisation"):
            lw.per_example_gradients(net, theta, X, y, mode="train")
        return
    gradients = lw.per_example_gradients(net, theta, X, y, mode="train", key=(2, 5))
    t = net.trace(theta, X, y, mode="train", key=(2, 5))
    np.testing.assert_allclose(gradients.mean(axis=0), t.gradient, rtol=0, atol=1e-13)
    plain = lw.per_example_gradients(net, theta, X, y)
    np.testing.assert_allclose(plain.mean(axis=0), net.trace(theta, X, y).gradient, rtol=0, atol=1e-13)


@EVERY
def test_second_derivatives(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    v = np.random.default_rng(0).normal(size=net.n_parameters)
    product = lw.hessian_vector_product(net, theta, X, y, v, mode="train", key=(2, 5))
    ahead, behind = theta.copy(), theta.copy()
    ahead.vector += 1e-6 * v
    behind.vector -= 1e-6 * v
    traces = [net.trace(there, X, y, mode="train", key=(2, 5)) for there in (ahead, behind)]
    numeric = (traces[0].gradient - traces[1].gradient) / 2e-6
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())


def test_masks_of_layers_stay_what_they_are(problem):
    theta, X, y = problem(PLAIN)
    with_layers = [lw.Network(4, [5], 3, hidden="tanh", dropout=0.5, input_dropout=p) for p in (0.0, 0.4)]
    one, other = (net.trace(lw.Parameters(net, theta.vector), X, y, mode="train") for net in with_layers)
    np.testing.assert_array_equal(one.mask[1], other.mask[1])


@pytest.mark.parametrize("batch_size", [1, 7, "all"])
def test_training_gets_better_and_is_reproducible(batch_size):
    X = np.random.default_rng(0).normal(size=(60, 2)) @ np.random.default_rng(1).normal(size=(2, 6))
    net = lw.Network(6, [4], 6, hidden="tanh", output="identity", input_dropout=0.2, input_noise=0.1)
    one, other = (
        lw.fit(net, X, X, batch_size=batch_size, epochs=20, validation=(X, X), update=lw.Adam(0.01)) for _ in range(2)
    )
    assert one.parameters.vector.tobytes() == other.parameters.vector.tobytes()
    losses = one.history["validation_loss"]
    assert losses[-1] < losses[0]


def test_rows_chosen_for_many_networks_are_called_by_their_place():
    X = np.random.default_rng(0).normal(size=(30, 4))
    y = (X[:, 0] > 0).astype(int)
    net = lw.Network(4, [5], 2, input_noise=0.5)
    rows = np.arange(29, 9, -1)
    (model,) = lw.fit_many(net, X, y, rows=[rows], epochs=2)
    alone = lw.fit(net, X[rows], y[rows], epochs=2)
    assert model.parameters.vector.tobytes() == alone.parameters.vector.tobytes()


@EVERY
def test_sparse_rows_cannot_be_corrupted(name, problem, refuses):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    for train in (
        lambda: lw.fit(net, csr_array(X), y, epochs=1),
        lambda: lw.fit_many(net, csr_array(X), y, seeds=2, epochs=1),
        lambda: lw.start(net).step(csr_array(X), y),
    ):
        with refuses(InputError, "X", "dense rows", "toarray"):
            train()
    np.testing.assert_allclose(net.predict(theta, csr_array(X)), net.predict(theta, X), rtol=1e-12)


def test_programs_without_corruption_are_as_they_were():
    assert str(lw.Network(4, [5], 3, hidden="tanh", input_dropout=0.0).program("train_step")) == str(
        PLAIN.program("train_step")
    )
    text = str(NETWORKS["both"].program("train_step"))
    assert "mask^(0) = (0 if uniform(rows, key, d=4, layer=0, purpose=1) < p^(0) else 1)" in text
    assert "s^(0) * " in text
    assert "uniform" not in str(NETWORKS["both"].program("predict"))
    assert "uniform" not in str(NETWORKS["both"].program("evaluate"))


def test_the_specification_keeps_both():
    net = lw.Network(4, [5], 3, input_dropout=0.25, input_noise=2)
    assert (net.input_dropout, net.input_noise) == (0.25, 2.0)
    assert net == pickle.loads(pickle.dumps(net)) != lw.Network(4, [5], 3, input_dropout=0.25)


@pytest.mark.parametrize(
    ("name", "value"), [("input_dropout", 1.0), ("input_dropout", -0.1), ("input_noise", -1), ("input_noise", np.inf)]
)
def test_what_cannot_be(name, value, refuses):
    with refuses(SpecificationError, name):
        lw.Network(4, [5], 3, **{name: value})
