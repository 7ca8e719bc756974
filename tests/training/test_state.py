"""TrainingState: single steps, online learning, and that fit is nothing but a loop over them."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network

NETWORKS = {
    "plain": Network(4, [6], 3, hidden="tanh"),
    "labels": Network(4, [6], 3, hidden="gelu", output="sigmoid"),
    "numbers": Network(4, [6], 2, output="identity"),
    "none hidden": Network(4, [], 3),
    "all stages": Network(4, [Layer(6, "relu", 0.5, True), Layer(5, "mish", 0.25)], 3),
}
UPDATES = [lw.SGD(0.1), lw.SGD(0.1, momentum=0.9), lw.Adam(0.01), lw.AdamW(0.01), lw.RMSProp(0.01), lw.Adagrad(0.1)]


@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_is_a_loop_over_steps(which, update, dtype, sample):
    net = NETWORKS[which]
    X, y = sample(net)
    settings = {"update": update, "batch_size": 5, "dtype": dtype, "seed": 3, "penalty": lw.L2(0.01)}
    model = lw.fit(net, X, y, epochs=3, schedule=lw.InverseTime(0.5), **settings)
    state = lw.start(net, epochs=3, steps_per_epoch=5, schedule=lw.InverseTime(0.5), **settings)
    for epoch in range(3):
        order = state.order_of(epoch, np.arange(23))
        for start in range(0, 23, 5):
            rows = order[start : start + 5]
            assert state.key == (3, state.steps)
            rate = state.rate
            assert state.step(X[rows], y[rows], rows=rows).rate == rate
        assert model.history[epoch].rate == rate == state.rate_at(state.steps - 1)
    assert state.parameters.vector.tobytes() == model.state.parameters.vector.tobytes()
    assert state.statistics.tobytes() == model.state.statistics.tobytes()
    for name in update.memory:
        assert state.update_state[name].tobytes() == model.state.update_state[name].tobytes()
    assert state.steps == model.state.steps == 15


@pytest.mark.parametrize("which", ["plain", "labels", "numbers"])
def test_online_from_single_rows(which, sample):
    net = NETWORKS[which]
    X, y = sample(net)
    state = lw.start(net, update=lw.SGD(0.1), dtype="float64", seed=1)
    theta = net.initialize(seed=1)
    for x, target in zip(X, y, strict=True):
        trace = net.trace(theta, x[None, :], np.asarray(target)[None])
        result = state.step([x.tolist()], [target.tolist()])
        assert result.loss == pytest.approx(trace.loss, rel=1e-12)
        assert result.objective == result.loss + result.penalty
        assert result.penalty == 0
        assert result.gradient_norm == pytest.approx(np.linalg.norm(trace.gradient), rel=1e-12)
        theta.vector[...] -= 0.1 * trace.gradient
    np.testing.assert_allclose(state.parameters.vector, theta.vector, rtol=0, atol=1e-14)
    assert (state.steps, state.epoch, len(state.history)) == (23, 0, 0)


def test_the_metric_of_a_step(sample):
    net = NETWORKS["plain"]
    X, y = sample(net)
    f = net.predict(net.initialize(seed=0), X)
    assert lw.start(net, dtype="float64").step(X, y).metric == (f.argmax(axis=1) == y).mean()
    net = NETWORKS["numbers"]
    X, y = sample(net)
    f = net.predict(net.initialize(seed=0), X)
    expected = 1 - ((f - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum()
    assert lw.start(net, dtype="float64").step(X, y).metric == pytest.approx(expected, rel=1e-12)
    assert np.isnan(lw.start(net).step(X[:1], y[:1]).metric)


def test_steps_with_weights(sample):
    net = NETWORKS["plain"]
    X, y = sample(net)
    w = np.random.default_rng(1).uniform(0, 3, 23)
    theta = net.initialize(seed=0)
    for mean, divisor in ((None, 1.0), (4.0, 4.0), ("as given", 1.0)):
        state = lw.start(net, update=lw.SGD(0.1), dtype="float64", weight_mean=mean)
        state.step(X, y, w)
        gradient = net.trace(theta, X, y, weights=w, weight_mean=divisor).gradient
        np.testing.assert_allclose(state.parameters.vector, theta.vector - 0.1 * gradient, rtol=0, atol=1e-15)
    state.step(X, y, -w)  # a return may be negative
    with pytest.raises(InputError, match="weights: expected weights of at least 0"):
        lw.start(net).step(X, y, -w)


def test_rows_choose_the_masks(sample):
    net = Network(4, [20], 3, dropout=0.5)
    X, y = sample(net)
    first, named, others = (lw.start(net, dtype="float64") for _ in range(3))
    losses = [
        first.step(X, y).loss, named.step(X, y, rows=np.arange(23)).loss, others.step(X, y, rows=np.arange(23) + 1).loss
    ]  # fmt: skip
    assert losses[0] == losses[1] != losses[2]
    assert losses[0] == pytest.approx(net.trace(net.initialize(seed=0), X, y, mode="train", key=(0, 0)).loss, rel=1e-13)
    theta = first.parameters.copy()
    second = net.trace(theta, X, y, mode="train", key=(0, 1)).loss  # the next step has other masks
    assert first.step(X, y).loss == pytest.approx(second, rel=1e-13)


def test_a_step_moves_running_statistics(sample):
    net = Network(4, [Layer(5, "tanh", batch_norm=True)], 3)
    X, y = sample(net)
    state = lw.start(net, dtype="float64")
    a = net.trace(state.parameters, X, y, mode="train").a[1]
    state.step(X, y)
    np.testing.assert_allclose(state.parameters.running_mean[1], 0.1 * a.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(state.parameters.running_variance[1], 0.9 + 0.1 * a.var(axis=0, ddof=1), atol=1e-14)
    assert state.statistics is state.parameters.statistics


def test_initial_parameters(sample):
    net = NETWORKS["plain"]
    initial = net.initialize(seed=8)
    state = lw.start(net, initial=initial, dtype="float64")
    assert state.parameters.vector.tobytes() == initial.vector.tobytes()
    before = initial.vector.tobytes()
    state.step(*sample(net))
    assert initial.vector.tobytes() == before
    assert lw.start(net, initial=initial).parameters.vector.dtype == np.float32
    with pytest.raises(InputError, match="initial: expected parameters of 4-6-3, got Parameters of 4-6-2"):
        lw.start(net, initial=NETWORKS["numbers"].initialize())


def test_memory_of_the_update(sample):
    net = NETWORKS["plain"]
    state = lw.start(net, update=lw.Adagrad(0.1), dtype="float64")
    assert list(state.update_state) == ["squares"]
    assert (state.update_state["squares"] == 0.1).all()
    X, y = sample(net)
    gradient = net.trace(state.parameters, X, y).gradient
    state.step(X, y)
    np.testing.assert_allclose(state.update_state["squares"], 0.1 + gradient**2, rtol=1e-12)
    assert lw.start(net, update=lw.SGD(0.1)).update_state == {}


@pytest.mark.parametrize(
    ("change", "pieces"),
    [
        (lambda X, y: (X[:, :3], y), ("X:", "n rows of 4 columns", "23x3")),
        (lambda X, y: (X[0], y[0]), ("X:", "got 4", "X[None, :]")),
        (lambda X, y: (X[:0], y[:0]), ("X:", "at least one row")),
        (lambda X, y: (X * np.nan, y), ("X:", "finite numbers", "row 0, column 0")),
        (lambda X, y: (X, y + 5), ("y:", "class codes 0 to 2")),
        (lambda X, y: (X, y[:3]), ("y:", "shape (23,)", "(3,)")),
        (lambda X, y: (X, y, np.ones(3)), ("weights:", "shape (23,)")),
        (lambda X, y: (X, y, None, [1, 2]), ("rows:", "(23,) whole numbers")),
        (lambda X, y: (X, y, None, np.arange(23.0)), ("rows:", "float64")),
    ],
)
def test_wrong_steps_change_nothing(change, pieces, sample, refuses):
    net = NETWORKS["plain"]
    state = lw.start(net)
    before = state.parameters.vector.tobytes()
    with refuses(InputError, *pieces):
        state.step(*change(*sample(net)))
    assert (state.parameters.vector.tobytes(), state.steps) == (before, 0)


def test_one_row_and_batch_normalisation(sample, refuses):
    X, y = sample(NETWORKS["all stages"])
    with refuses(InputError, "batch normalisation:", "two rows or more", "got 1"):
        lw.start(NETWORKS["all stages"]).step(X[:1], y[:1])


@pytest.mark.parametrize("schedule", ["cosine", "coslog4", "step", "inverse-time"])
def test_a_schedule_must_know_the_end(schedule, sample, refuses):
    net = NETWORKS["plain"]
    with refuses(SpecificationError, "schedule:", "epochs and steps_per_epoch"):
        lw.start(net, schedule=schedule).step(*sample(net))
    state = lw.start(net, schedule=schedule, epochs=2, steps_per_epoch=5)
    assert np.isfinite(state.step(*sample(net)).loss)
