"""Weights: J = (1/T) sum_t (w_t / w_mean) l_t + lambda Omega, in every batch."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.data.splits import split_rows
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network

NET = Network(4, [6], 3, hidden="tanh")
UPDATE = lw.SGD(0.3, momentum=0.5)


def trained(X, y, weights=None, net=NET, **settings):
    return lw.fit(net, X, y, weights=weights, update=UPDATE, dtype="float64", **{"epochs": 20} | settings)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("penalty", [None, lw.L2(1e-2)])
def test_whole_weights_are_repeated_rows(output, penalty, sample):
    net = Network(4, [6], 3, hidden="tanh", output=output)
    X, y = sample(net)
    w = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = trained(X, y, w, net, batch_size="all", penalty=penalty)
    repeated = trained(np.repeat(X, w, axis=0), np.repeat(y, w, axis=0), None, net, batch_size="all", penalty=penalty)
    np.testing.assert_allclose(weighted.parameters.vector, repeated.parameters.vector, rtol=0, atol=1e-12)
    for column in ("train_loss", "penalty", "objective", "gradient_norm"):
        np.testing.assert_allclose(weighted.history[column], repeated.history[column], rtol=1e-10)
    assert np.abs(weighted.parameters.vector - trained(X, y, None, net).parameters.vector).max() > 1e-3


@pytest.mark.parametrize("size", [1, 5, "all"])
def test_a_constant_factor_changes_nothing(size, sample):
    X, y = sample(NET)
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    one, four, third = (trained(X, y, factor * w, batch_size=size) for factor in (1, 4, 1 / 3))
    assert one.parameters.vector.tobytes() == four.parameters.vector.tobytes()
    np.testing.assert_allclose(one.parameters.vector, third.parameters.vector, rtol=0, atol=1e-9)
    equal, none = trained(X, y, np.full(len(X), 0.25), batch_size=size), trained(X, y, batch_size=size)
    assert equal.parameters.vector.tobytes() == none.parameters.vector.tobytes()


def test_weights_matter_at_batch_size_one(sample):
    X, y = sample(NET, 2)
    w = np.array([1.0, 3.0])  # mean 2: the rows count 0.5 and 1.5
    model = lw.fit(NET, X, y, weights=w, update=lw.SGD(0.1), batch_size=1, epochs=1, shuffle=False, dtype="float64")
    theta = NET.initialize(seed=0)
    for t, share in enumerate((0.5, 1.5)):
        theta.vector[...] -= 0.1 * share * NET.trace(theta, X[t : t + 1], y[t : t + 1]).gradient
    np.testing.assert_allclose(model.parameters.vector, theta.vector, rtol=0, atol=1e-15)


def test_weight_mean_is_that_of_the_training_rows(sample):
    X, y = sample(NET)
    w = np.arange(23.0)
    model = trained(X, y, w, batch_size=5, validation=0.2, epochs=3)
    seen = []
    state = lw.start(NET, update=UPDATE, batch_size=5, dtype="float64")
    parts = split_rows(23, seed=0, test=0, validation=0.2, strata=y)
    rows, held_out = parts.train, parts.validation
    assert len(held_out) == 5
    for epoch in range(3):
        order = state.order_of(epoch, rows)
        for start in range(0, len(order), 5):
            batch = order[start : start + 5]
            seen.append(state.step(X[batch], y[batch], w[batch] / w[rows].mean(), rows=batch))
    assert state.parameters.vector.tobytes() == model.parameters.vector.tobytes()
    theta = model.parameters
    assert model.history["validation_loss"][-1] == pytest.approx(
        NET.trace(theta, X[held_out], y[held_out], weights=w[held_out]).loss, rel=1e-12
    )


def test_a_weight_mean_of_ones_own(sample):
    X, y = sample(NET)
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    by_4 = trained(X, y, w, weight_mean=4.0, batch_size=5, epochs=1, penalty=lw.L2(0.01), shuffle=False)
    state = lw.start(NET, update=UPDATE, batch_size=5, dtype="float64", penalty=lw.L2(0.01), weight_mean=4.0)
    for start in range(0, 23, 5):
        state.step(X[start : start + 5], y[start : start + 5], w[start : start + 5])
    assert by_4.parameters.vector.tobytes() == state.parameters.vector.tobytes()
    assert by_4.history["train_loss"][0] < trained(X, y, w, batch_size=5, epochs=1).history["train_loss"][0]


def test_as_given(sample):
    X, y = sample(NET)
    returns = np.random.default_rng(1).normal(size=len(X))  # as in policy gradient
    model = trained(X, y, returns, weight_mean="as given", batch_size="all", epochs=1)
    theta = NET.initialize(seed=0)
    trace = NET.trace(theta, X, y, weights=returns, weight_mean="as given")
    assert model.history["train_loss"][0] == pytest.approx((returns * trace.losses).mean(), rel=1e-12)
    np.testing.assert_allclose(model.parameters.vector, theta.vector - 0.3 * trace.gradient, rtol=0, atol=1e-14)


def test_a_zero_weight_is_an_absent_row(sample):
    X, y = sample(NET)
    w = np.ones(23)
    w[20:] = 0
    wrong = y.copy()
    wrong[20:] = (y[20:] + 1) % 3
    one, other = trained(X, y, w, batch_size=5), trained(X, wrong, w, batch_size=5)
    assert one.parameters.vector.tobytes() == other.parameters.vector.tobytes()


def test_with_batch_normalisation(sample):
    net = Network(4, [Layer(6, "tanh", batch_norm=True)], 3)
    X, y = sample(net)
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    model = trained(X, y, w, net, batch_size="all", epochs=1)
    theta = net.initialize(seed=0)
    gradient = net.trace(theta, X, y, weights=w, mode="train").gradient
    np.testing.assert_allclose(model.parameters.vector, theta.vector - 0.3 * gradient, rtol=0, atol=1e-14)


def test_evaluate_weighs_the_loss_not_the_metric(sample):
    X, y = sample(NET)
    model = trained(X, y, epochs=5)
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    weighted, plain = model.evaluate(X, y, w), model.evaluate(X, y)
    losses = model.trace(X, y).losses
    assert weighted.loss == pytest.approx(w @ losses / w.sum(), rel=1e-12)
    assert plain.loss == pytest.approx(losses.mean(), rel=1e-12)
    assert weighted.metric == plain.metric == (model.predict(X).argmax(axis=1) == y).mean()


@pytest.mark.parametrize(
    ("weights", "mean", "kind", "pieces"),
    [
        (-np.ones(23), None, InputError, ("weights:", "got -1.0 in row 0", '"as given"')),
        (np.zeros(23), None, InputError, ("weights:", "positive mean weight")),
        (np.ones(22), None, InputError, ("weights:", "(23,)", "(22,)")),
        (np.ones(23), "given", SpecificationError, ("weight_mean:", "'given'")),
        (None, 0, SpecificationError, ("weight_mean:", "above 0")),
    ],
)
def test_weights_that_cannot_be(weights, mean, kind, pieces, sample, refuses):
    with refuses(kind, *pieces):
        trained(*sample(NET), weights, weight_mean=mean)


def test_single_steps_after_a_fit_as_given(sample):
    X, y = sample(NET)
    model = trained(X, y, -np.ones(23), weight_mean="as given", epochs=1)
    assert model.state.step(X, y, -np.ones(23)).loss < 0


@pytest.mark.parametrize("mean", [4.0, "as given"])
def test_exact_train_loss_with_a_given_mean(mean, sample):
    X, y = sample(NET)
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    model = trained(X, y, w, weight_mean=mean, exact_train_loss=True, epochs=2)
    exact = model.trace(X, y, weights=w, weight_mean=mean).loss
    assert model.history["exact_train_loss"][-1] == pytest.approx(exact, rel=1e-12)
