"""First of all a network must be able to learn a few rows by heart: every update, output and activation."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.network import Layer, Network
from layerwise.rules import activations, schedules

UPDATES = {
    "SGD": lw.SGD(0.5),
    "momentum": lw.SGD(0.1, momentum=0.9),
    "Nesterov": lw.SGD(0.1, momentum=0.9, nesterov=True),
    "Adagrad": lw.Adagrad(0.2),
    "RMSProp": lw.RMSProp(0.01),
    "Adam": lw.Adam(0.02),
    "AdamW": lw.AdamW(0.02, decay=1e-4),
    "own": lw.OwnUpdate.of(
        lambda s, theta, grad, v, rate, keep: (theta - rate * (grad + keep * v), grad + keep * v), rate=0.1, keep=0.9
    ),
}
#: The loss to reach; that of a guess is log 3, 3 log 2, and about 0.7.
SMALL = 0.02


def learned(net, sample, update, epochs=300, dtype="float64", **settings):
    X, y = sample(net, 12)
    model = lw.fit(net, X, y, update=update, batch_size="all", epochs=epochs, dtype=dtype, **settings)
    assert model.history["train_loss"][0] > 20 * SMALL
    return model, X, y


@pytest.mark.parametrize("which", list(UPDATES))
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_every_update_and_output(which, output, sample):
    net = Network(4, [24], 3, hidden="tanh", output=output)
    model, X, y = learned(net, sample, UPDATES[which], epochs=600)
    result = model.evaluate(X, y)
    assert result.loss < SMALL
    assert result.metric > 0.97
    assert model.state.steps == 600


@pytest.mark.parametrize("hidden", [*activations.TABLE, lambda s, a: a / (1 + s.abs(a))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation(hidden, dtype, sample):
    model, X, y = learned(Network(4, [32], 3, hidden=hidden), sample, lw.Adam(0.03), dtype=dtype)
    assert model.parameters.vector.dtype == dtype
    if hidden == "linear":  # a plane need not separate the classes
        assert model.evaluate(X, y).loss < model.history["train_loss"][0] / 4
    else:
        assert model.evaluate(X, y).loss < SMALL


def test_deep(sample):
    net = Network(4, [16, 12, 8], 3, hidden="elu", initialisation="he")
    model, X, y = learned(net, sample, lw.Adam(0.01))
    assert model.evaluate(X, y).loss < SMALL


def test_with_batch_normalisation(sample):
    net = Network(4, [Layer(16, "relu", batch_norm=True), Layer(8, "relu", batch_norm=True)], 3)
    model, X, y = learned(net, sample, lw.Adam(0.02))
    assert model.evaluate(X, y).loss < SMALL  # by the running statistics
    assert model.trace(X, y, mode="train").loss < SMALL  # by those of the batch
    layer_1 = X @ model.parameters.W[1].T + model.parameters.b[1]
    np.testing.assert_allclose(model.parameters.running_mean[1], layer_1.mean(axis=0), atol=0.05)


def test_with_dropout_and_penalty(sample):
    net = Network(4, [64], 3, hidden="relu", dropout=0.3)
    model, X, y = learned(net, sample, lw.Adam(0.02), penalty=lw.L2(1e-4))
    assert model.evaluate(X, y).loss < 0.1
    assert model.evaluate(X, y).metric == 1
    larger, *_ = learned(net, sample, lw.Adam(0.02), penalty=lw.L2(1e-2))
    assert np.square(larger.parameters.W[1]).sum() < 0.5 * np.square(model.parameters.W[1]).sum()


@pytest.mark.parametrize("schedule", list(schedules.TABLE))
def test_every_schedule(schedule, sample):
    net = Network(4, [24], 3, hidden="tanh")
    model, X, y = learned(net, sample, lw.SGD(0.5, momentum=0.5), epochs=400, schedule=schedule)
    assert model.evaluate(X, y).loss < 0.15  # some schedules end long before the last epoch
    rule = schedules.schedule(schedule)
    expected = [0.5 * rule.factor(schedules.Progress(step, 1, 400)) for step in range(400)]
    np.testing.assert_array_equal(model.history["rate"], expected)


def test_decay_is_for_weights_only(sample):
    net = Network(4, [Layer(5, "tanh", batch_norm=True)], 3)
    X, y = sample(net, 12)
    states = [lw.start(net, update=lw.AdamW(0.01, decay=decay), dtype="float64", seed=1) for decay in (0.0, 0.5)]
    start = states[0].parameters.copy()
    for state in states:
        state.step(X, y)
    plain, decayed = (state.parameters for state in states)
    for k in (1, 2):
        np.testing.assert_allclose(decayed.W[k], plain.W[k] - 0.01 * 0.5 * start.W[k], rtol=1e-12)
        assert decayed.b[k].tobytes() == plain.b[k].tobytes()
    assert decayed.gamma[1].tobytes() == plain.gamma[1].tobytes()
