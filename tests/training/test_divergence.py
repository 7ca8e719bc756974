"""Divergence: one line with the epoch and the likely causes, and a model from before it."""

from __future__ import annotations

import os
import pickle
import signal

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import DivergenceError
from layerwise.network import Layer, Network

NET = Network(4, [6], 2, hidden="tanh", output="identity")
LINEAR = Network(4, [6], 2, hidden="linear", output="identity")
NORMALISED = Network(4, [Layer(6, "relu", batch_norm=True)], 2, output="identity")
TOO_FAST = lw.SGD(1.5, momentum=0.5)


def diverged(net, X, y, **settings):
    with pytest.raises(DivergenceError) as caught:
        lw.fit(net, X, y, **{"update": TOO_FAST, "epochs": 400} | settings)
    return caught.value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [12, "all"])
def test_a_huge_rate(dtype, size, sample):
    X, y = sample(LINEAR)
    error = diverged(LINEAR, X, y, dtype=dtype, batch_size=size)
    model = error.model
    last = len(model.history)
    assert last >= 1
    assert str(error) == f"epoch {last + 1}: expected a finite loss, got NaN or infinity; lower the rate (1.5)"
    assert isinstance(error, ArithmeticError)
    assert model.state.stopped == "diverged"
    assert np.isfinite(model.parameters.vector).all()
    assert np.isfinite(model.history["train_loss"]).all()
    before = lw.fit(LINEAR, X, y, update=TOO_FAST, epochs=last, dtype=dtype, batch_size=size)
    assert model.parameters.vector.tobytes() == before.parameters.vector.tobytes()
    assert model.state.parameters.vector.tobytes() == before.parameters.vector.tobytes()


def test_in_the_first_epoch_the_initial_parameters_remain(sample):
    X, y = sample(NET)
    error = diverged(NET, X, y, update=lw.SGD(1e30), batch_size=1, seed=5)
    assert str(error).startswith("epoch 1: ")
    assert len(error.model.history) == 0
    assert error.model.parameters.vector.tobytes() == NET.initialize(seed=5, dtype="float32").vector.tobytes()
    assert np.isfinite(error.model.predict(X)).all()


def test_statistics_go_back_with_the_parameters(sample):
    X, y = sample(NORMALISED)
    X[22] = 1.7e308  # a^(1) is infinite there; the row is met in the fourth epoch only
    settings = {"update": lw.SGD(0.1), "dtype": "float64", "batch_size": 11}
    orders = [np.arange(22), np.arange(22), np.arange(22), np.arange(23)]
    model = diverged(NORMALISED, X, y, order=orders, **settings).model
    before = lw.fit(NORMALISED, X, y, order=orders, epochs=3, **settings)
    assert model.parameters.vector.tobytes() == before.parameters.vector.tobytes()
    assert model.parameters.statistics.tobytes() == before.parameters.statistics.tobytes()
    assert model.history["train_loss"].tobytes() == before.history["train_loss"].tobytes()


@pytest.mark.parametrize(
    ("factors", "update", "causes"),
    [
        ((1, 1), lw.SGD(1e4), ["lower the rate (10000)"]),
        ((1e4, 1), lw.SGD(1e4), ["standardise the inputs (they reach", "lower the rate"]),
        ((1, 1e6), lw.SGD(1e4), ["standardise the targets (they reach 1e+06)", "lower the rate"]),
        ((1, 1), lw.SGD(1e4, momentum=0.99), ["lower the rate", "lower the momentum (0.99)"]),
    ],
)
def test_causes(factors, update, causes, sample):
    X, y = sample(NET)
    message = str(diverged(NET, factors[0] * X, factors[1] * np.sign(y), update=update))
    assert "\n" not in message
    places = [message.index(cause) for cause in causes]
    assert places == sorted(places)
    for cause in ("standardise the inputs", "standardise the targets", "momentum"):
        assert (cause in message) == any(cause in given for given in causes)


def test_the_best_epoch_comes_back_if_asked_for(sample):
    validation = sample(LINEAR, 20, seed=1)
    model = diverged(LINEAR, *sample(LINEAR), validation=validation, patience=1000).model
    assert model.evaluate(*validation).loss == np.nanmin(model.history["validation_loss"])


def test_parameters_that_overflow_after_a_finite_loss(sample):
    X, y = sample(NET)
    error = diverged(NET, X, 100 * y, update=lw.SGD(3e38), batch_size="all", epochs=1)
    assert str(error).startswith("epoch 1: ")
    assert error.model.parameters.vector.tobytes() == NET.initialize(seed=0, dtype="float32").vector.tobytes()


@pytest.mark.parametrize("update", [lw.SGD(1e30), lw.SGD(1e5, momentum=0.9)], ids=["1e30", "momentum"])
@pytest.mark.parametrize("hidden", ["relu", "softplus", "elu"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_no_warning_on_the_way(update, hidden, batch_norm, sample):
    net = Network(4, [6, 6], 3, hidden=hidden, output="identity", batch_norm=batch_norm)
    X, y = sample(net)
    error = diverged(net, X, y, update=update, batch_size=5, penalty=lw.L2(0.1), validation=(X, y))
    assert "\n" not in str(error)  # warnings are errors in all tests


def test_statistics_that_are_not_finite_are_divergence(sample):
    model = diverged(NORMALISED, *sample(NORMALISED), update=lw.SGD(50.0), dtype="float64").model
    assert np.isfinite(model.parameters.statistics).all()


def test_a_validation_loss_that_is_not_finite_is_divergence(sample):
    validation = sample(LINEAR, 20, seed=1)
    model = diverged(LINEAR, *sample(LINEAR), validation=validation).model
    assert np.isfinite(model.evaluate(*validation).loss)


def test_an_infinite_penalty_is_divergence(sample):
    net = Network(4, [6], 3, hidden="tanh")
    diverged(net, *sample(net), update=lw.SGD(1e5, momentum=0.9), penalty=lw.L2(0.1), dtype="float64", epochs=40)


def test_training_can_go_on_with_a_lower_rate(sample):
    state = diverged(NET, *sample(NET), update=lw.SGD(1e4, momentum=0.9)).model.state
    assert all(np.isfinite(memory).all() for memory in state.update_state.values())


def test_the_model_survives_a_pickle(sample):
    error = pickle.loads(pickle.dumps(diverged(NET, *sample(NET), update=lw.SGD(1e4))))
    assert error.model is not None


@pytest.mark.parametrize("update", [lw.SGD(30.0), lw.Adam(1e20)], ids=["SGD", "Adam"])
def test_the_model_is_ready_to_use(update, sample):
    net = Network(4, [6], 2, output="identity")
    X, y = sample(net)
    model = diverged(net, X, y, update=update, batch_size="all").model
    assert np.isfinite(model.evaluate(X, y).loss)


def test_ctrl_c_after_an_update_that_overflowed(sample, usual_handler, after_every_batch):
    X, y = sample(NET)
    press = {"progress": lambda state: os.kill(os.getpid(), signal.SIGINT)}
    model = lw.fit(NET, X, 100 * y, update=lw.SGD(3e38), batch_size=5, epochs=3, **press)
    assert np.isfinite(model.parameters.vector).all()
