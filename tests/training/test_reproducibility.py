"""The same seed gives the same bits: again, in pieces, and after pickling in the middle of an epoch."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.network import Layer, Network
from layerwise.training.fit import train
from layerwise.training.state import TrainingData

NETWORKS = {
    "plain": Network(4, [6], 3, hidden="tanh"),
    "regression": Network(4, [6], 2, output="identity"),
    "all stages": Network(4, [Layer(6, "relu", 0.5, True), Layer(5, "mish", 0.25)], 3),
    "own activation": Network(4, [6], 3, hidden=lambda s, a: a * s.tanh(a)),
}
UPDATES = [lw.SGD(0.05, momentum=0.9, nesterov=True), lw.Adam(0.01), lw.Adagrad(0.05), lw.RMSProp(0.01), lw.AdamW()]


def same(one, other):
    """Whether two trainings agree in every bit, times of the clock aside."""
    assert one.parameters.vector.dtype == other.parameters.vector.dtype
    assert one.parameters.vector.tobytes() == other.parameters.vector.tobytes()
    assert one.parameters.statistics.tobytes() == other.parameters.statistics.tobytes()
    mine, theirs = (one.state or one), (other.state or other)
    for name in mine.update_state:
        assert mine.update_state[name].tobytes() == theirs.update_state[name].tobytes()
    assert (mine.steps, mine.epoch, mine.position) == (theirs.steps, theirs.epoch, theirs.position)
    timeless = [[dataclasses.replace(record, seconds=0.0) for record in model.history] for model in (one, other)]
    assert timeless[0] == timeless[1]


def data_for(net, sample, validation=True):
    X, y = sample(net)
    Xv, yv = sample(net, 9, seed=5)
    return TrainingData(Source(X, y), np.arange(len(X)), Source(Xv, yv) if validation else None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("which", list(NETWORKS))
def test_same_seed_same_bits(which, dtype, sample):
    net = NETWORKS[which]
    X, y = sample(net)
    first, again, other = (
        lw.fit(net, X, y, epochs=3, batch_size=5, dtype=dtype, seed=seed, validation=0.2) for seed in (3, 3, 4)
    )
    same(first, again)
    assert first.parameters.vector.tobytes() != other.parameters.vector.tobytes()
    assert first.parameters.vector.dtype == dtype


def test_the_seed_is_behind_every_draw(sample):
    net = Network(4, [40], 3, dropout=0.5)
    X, y = sample(net)
    initial = net.initialize(seed=0)
    runs = {
        seed: lw.fit(net, X, y, epochs=1, batch_size="all", seed=seed, initial=initial, shuffle=False)
        for seed in (1, 2)
    }
    assert runs[1].parameters.vector.tobytes() != runs[2].parameters.vector.tobytes()  # masks
    plain = Network(4, [40], 3)
    initial = plain.initialize(seed=0)
    runs = {seed: lw.fit(plain, X, y, epochs=1, batch_size=5, seed=seed, initial=initial) for seed in (1, 2)}
    assert runs[1].parameters.vector.tobytes() != runs[2].parameters.vector.tobytes()  # order of the rows
    assert lw.start(plain, seed=1).parameters.vector.tobytes() != lw.start(plain, seed=2).parameters.vector.tobytes()


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
@pytest.mark.parametrize("which", list(NETWORKS))
def test_epochs_in_two_calls(which, update, sample):
    net = NETWORKS[which]
    data = data_for(net, sample)
    whole, pieces = (lw.start(net, update=update, batch_size=5, seed=2) for _ in range(2))
    at_once = train(whole, data, 5, restore_best=False)
    train(pieces, data, 2, restore_best=False)
    assert pieces.epoch == 2
    same(at_once, train(pieces, data, 5, restore_best=False))


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("duplicate", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy], ids=["pickle", "copy"])
def test_going_on_from_a_pickle_between_epochs(which, update, duplicate, sample):
    net = NETWORKS[which]
    data = data_for(net, sample)
    state = lw.start(net, update=update, batch_size=5, seed=2)
    train(state, data, 2, restore_best=False)
    twin = duplicate(state)
    one = train(state, data, 5, restore_best=False)
    assert twin.epoch == 2  # nothing is shared
    same(one, train(twin, data, 5, restore_best=False))


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("which", list(NETWORKS))
def test_going_on_from_a_pickle_within_an_epoch(which, batches, sample, after_every_batch):
    net = NETWORKS[which]
    data = data_for(net, sample)
    whole, stopped = (lw.start(net, update=lw.Adam(0.01), batch_size=5, seed=2) for _ in range(2))
    at_once = train(whole, data, 3, restore_best=False)
    train(stopped, data, 1, restore_best=False)
    asked = iter([False] * (batches - 1) + [True])
    assert stopped.train_epoch(data, lambda: next(asked))
    assert (stopped.epoch, stopped.position, stopped.steps) == (1, 5 * batches, 5 + batches)
    twin = pickle.loads(pickle.dumps(stopped))
    resumed = train(twin, data, 3, restore_best=False)
    timeless = [dataclasses.replace(record, seconds=0.0) for record in resumed.history]
    for record, expected in zip(timeless, at_once.history, strict=True):
        for name in ("train_loss", "train_metric", "objective", "gradient_norm"):  # added up in two parts
            assert getattr(record, name) == pytest.approx(getattr(expected, name), rel=1e-12)
    assert resumed.parameters.vector.tobytes() == at_once.parameters.vector.tobytes()
    assert resumed.history["validation_loss"].tobytes() == at_once.history["validation_loss"].tobytes()


def test_early_stopping_survives_a_pickle(sample):
    net = NETWORKS["plain"]
    data = data_for(net, sample)
    whole, pieces = (lw.start(net, update=lw.Adam(0.3), batch_size=5, patience=4) for _ in range(2))
    at_once = train(whole, data, 100, restore_best=True)
    assert at_once.state.stopped == "patience"
    train(pieces, data, 2, restore_best=True)
    resumed = train(pickle.loads(pickle.dumps(pieces)), data, 100, restore_best=True)
    same(at_once, resumed)
    assert resumed.state.early_stopping.best_epoch == at_once.state.early_stopping.best_epoch


def test_models_pickle(sample):
    net = NETWORKS["all stages"]
    X, y = sample(net)
    model = lw.fit(net, X, y, epochs=2, validation=0.2, patience=5)
    twin = pickle.loads(pickle.dumps(model))
    assert twin.predict(X).tobytes() == model.predict(X).tobytes()
    assert list(twin.history) == list(model.history)
    assert twin.network == net
