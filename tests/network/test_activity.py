"""Penalties on activations: in training each row adds strength * sum omega(h^(k)) to its loss."""

import itertools

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.network import Layer
from layerwise.network.programs import strength_names

OWN = lw.Penalty.own(0.2, lambda s, h: s.log1p(h * h))
NETWORKS = {
    "L1": lw.Network(4, [Layer(5, "tanh", activity=lw.L1(0.1))], 3),
    "two layers": lw.Network(
        4, [Layer(5, "tanh", activity=lw.L2(0.1)), 3, Layer(4, "gelu", activity=OWN)], 2, output="identity",
    ),
    "several terms": lw.Network(4, [Layer(5, "sigmoid", activity=lw.L1(0.1) + lw.L2(0.2) + OWN + OWN)], 3),
    "stages": lw.Network(
        4, [Layer(5, "tanh", 0.3, True, activity=lw.L1(0.1)), Layer(3, "silu", 0.1, activity=lw.L2(0.3))], 2,
        output="sigmoid", input_dropout=0.2,
    ),
    "tied": lw.Network(4, [Layer(3, "tanh", activity=lw.L2(0.5))], 4, output="identity", tied=True),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", NETWORKS)
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.0, 0.25])
BOTH = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
VALUES = {"l1": np.abs, "l2": np.square, "own": lambda h: np.log1p(h**2)}


@pytest.fixture(scope="module")
def problem(scattered, targets):
    def draw(net, n=8):
        return scattered(net), np.random.default_rng(2).normal(size=(n, net.inputs)), targets(net, n)

    return draw


def of_rows(net, h):
    """The penalty of each row, in plain NumPy."""
    total = 0.0
    for k, layer in enumerate(net.layers, 1):
        for term in layer.activity.terms:
            total = total + term.strength * VALUES[term.name](h[k]).sum(axis=1)
    return total


@EVERY
@BOTH
def test_the_objective(name, weights, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y, lw.L2(0.1), weights, mode="train", key=3)
    counts = 1 if weights is None else weights / weights.mean()
    omega = 0.1 * sum((theta.W[k] ** 2).sum() for k in net.own_weights)
    assert t.penalty == pytest.approx(omega + np.mean(counts * of_rows(net, t.h)), rel=1e-12)
    assert t.objective == pytest.approx(np.mean(counts * t.losses) + t.penalty, rel=1e-12)
    assert t.loss == pytest.approx(np.mean(counts * t.losses), rel=1e-12)
    alone = net.trace(theta, X, y, weights=weights, mode="train", key=3)
    assert alone.penalty == pytest.approx(t.penalty - omega, rel=1e-11)


@EVERY
@BOTH
def test_gradients(name, weights, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    for mode in ("train", "predict"):
        check = lw.check_gradient(net, theta, X, y, lw.L2(0.1), weights, mode, key=(2, 5))
        assert check.max_relative_error < 1e-6, check.relative_error
        t = net.trace(theta, X, y, lw.L2(0.1), weights, mode, key=(2, 5))
        np.testing.assert_allclose(t.gradient, check.analytic, rtol=1e-10, atol=1e-13)


def test_a_kink_of_the_penalty_is_looked_at(problem):
    net = lw.Network(4, [Layer(2, "linear", activity=lw.L1(0.5))], 3)
    theta, X, y = problem(net)
    theta.b[1] -= net.trace(theta, X, y).a[1][0] - 1e-7  # h of the first row is almost 0
    check = lw.check_gradient(net, theta, X, y, mode="train")
    assert check.skipped or check.max_relative_error < 1e-6


@EVERY
@BOTH
def test_the_state_does_what_the_trace_says(name, weights, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    state = lw.start(net, initial=theta, update=lw.SGD(0.1), dtype="float64", seed=6, weight_mean=1.0)
    for _ in range(4):
        t = net.trace(state.parameters, X, y, weights=weights, weight_mean=1.0, mode="train", key=state.key)
        before = state.parameters.vector.copy()
        result = state.step(X, y, weights)
        assert (result.loss, result.penalty) == pytest.approx((t.loss, t.penalty), rel=1e-12)
        assert result.objective == pytest.approx(t.objective, rel=1e-12)
        np.testing.assert_allclose(state.parameters.vector, before - 0.1 * t.gradient, rtol=0, atol=1e-13)


@EVERY
def test_prediction_knows_nothing_of_it(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y)
    assert t.penalty == 0
    assert t.objective == t.loss
    state = lw.start(net, initial=theta, dtype="float64")
    assert lw.Model(net, theta, state.history).evaluate(X, y).loss == pytest.approx(t.loss, rel=1e-12)


@EVERY
def test_examples_have_their_own_losses_without_it(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    rows = lw.per_example_gradients(net, theta, X, y)
    np.testing.assert_allclose(rows.mean(axis=0), net.trace(theta, X, y).gradient, rtol=0, atol=1e-13)
    if not net.normalises:
        plain = lw.Network(
            net.inputs, [Layer(i.units, i.activation, i.dropout) for i in net.layers], net.outputs, output=net.output,
            tied=net.tied,
        )  # fmt: skip
        in_training = lw.per_example_gradients(net, theta, X, y, mode="train", key=1)
        without = plain.trace(lw.Parameters(plain, theta.vector), X, y, mode="train", key=1)
        np.testing.assert_allclose(in_training.mean(axis=0), without.gradient, rtol=0, atol=1e-13)


def test_rows_of_the_trace_have_it(problem):
    """grad_a[k] and grad_h[k] are of the row's loss with its penalty, or grad_W would not follow from them."""
    net = NETWORKS["L1"]
    theta, X, y = problem(net)
    t = net.trace(theta, X, y, weights=WEIGHTS, mode="train")
    from_above = t.grad_a[2] @ theta.W[2]
    np.testing.assert_allclose(t.grad_h[1], from_above + 0.1 * np.sign(t.h[1]), rtol=1e-12)
    counts = WEIGHTS / WEIGHTS.mean() / 8
    np.testing.assert_allclose(t.grad_W[1], (counts[:, None] * t.grad_a[1]).T @ X, rtol=1e-11, atol=1e-15)


@EVERY
def test_second_derivatives(name, problem):
    net = NETWORKS[name]
    theta, X, y = problem(net)
    v = np.random.default_rng(0).normal(size=net.n_parameters)
    ahead, behind = theta.copy(), theta.copy()
    ahead.vector += 1e-6 * v
    behind.vector -= 1e-6 * v
    traces = [net.trace(there, X, y, weights=WEIGHTS, mode="train", key=(2, 5)) for there in (ahead, behind)]
    numeric = (traces[0].gradient - traces[1].gradient) / 2e-6
    product = lw.hessian_vector_product(net, theta, X, y, v, weights=WEIGHTS, mode="train", key=(2, 5))
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())


def test_strengths_are_scalars_of_the_program():
    terms = NETWORKS["several terms"].layers[0].activity
    assert strength_names(terms) == ["lambda_l1", "lambda_l2", "lambda_own", "lambda_own_2"]
    program = NETWORKS["several terms"].program("train_step", penalty=lw.L1(0.1))
    assert set(program.scalars) == {f"{name}^(1)" for name in strength_names(terms)} | {"lambda_l1", "rate"}
    text = str(NETWORKS["L1"].program("train_step"))
    assert "grad_h^(1) = W^(2)' grad_a^(2) + lambda_l1^(1) * (1{0 < h^(1)} - 1{h^(1) < 0}) / n" in text
    assert "penalty = (sum_t (lambda_l1^(1) * (sum_c |h^(1)|))) / n" in text
    assert "lambda" not in str(NETWORKS["L1"].program("evaluate"))


def test_a_strength_of_zero_changes_nothing(problem):
    plain, zero = (
        lw.Network(4, [Layer(5, "tanh", activity=penalty)], 3) for penalty in (None, lw.L1(0.0))
    )  # fmt: skip
    theta, X, y = problem(plain)
    vectors = []
    for net in (plain, zero):
        state = lw.start(net, initial=lw.Parameters(net, theta.vector), dtype="float64")
        for _ in range(3):
            state.step(X, y)
        vectors.append(state.parameters.vector)
    np.testing.assert_allclose(*vectors, rtol=0, atol=1e-13)


@pytest.mark.parametrize("batch_size", [1, 7, "all"])
def test_codes_become_sparse(batch_size):
    X = np.random.default_rng(0).normal(size=(60, 6))
    sizes = {}
    for strength in (0.0, 0.5):
        layers = [Layer(8, "relu", activity=lw.L1(strength))]
        net = lw.Network(6, layers, 6, output="identity")
        model = lw.fit(net, X, X, batch_size=batch_size, epochs=60, update=lw.Adam(0.01))
        sizes[strength] = np.mean(net.trace(model.parameters, X, X).h[1])
        assert (model.history["penalty"][-1] > 0) == (strength > 0)
        total = model.history["train_loss"][-1] + model.history["penalty"][-1]
        assert model.history["objective"][-1] == pytest.approx(total, rel=1e-5)
    assert sizes[0.5] < 0.5 * sizes[0.0]


@pytest.mark.parametrize("activity", [0.1, "l1", lw.L1])
def test_what_cannot_be(activity, refuses):
    with refuses(SpecificationError, "activity", "lw.L1"):
        Layer(3, activity=activity)


def test_layers_with_and_without_are_different():
    layers = [Layer(3), Layer(3, activity=lw.L1(0.1)), Layer(3, activity=lw.L1(0.2)), Layer(3, activity=lw.L2(0.1))]
    assert all(one != other for one, other in itertools.combinations(layers, 2))
    assert Layer(3, activity=lw.Penalty()) == Layer(3)
    assert len({hash(layer) for layer in layers}) == 4
