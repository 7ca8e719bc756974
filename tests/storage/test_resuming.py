"""A training that is cut and goes on ends with the bits of one that is not: parameters, memory and history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

import layerwise as lw
from layerwise.errors import DivergenceError, StorageError
from layerwise.network import Layer, Network
from layerwise.training.evaluation import cut
from layerwise.training.fit import Model

ROWS, HELD_OUT = 57, 19
PLAIN = Network(4, [6], 3, hidden="tanh")
SMOOTH = {"epochs": 5, "batch_size": 8, "seed": 3, "update": lw.Adam(0.01)}
OWN = lw.OwnUpdate.of(lambda s, theta, grad, m, rate: (theta - rate * m, grad + m / 2), 0.1)
#: Network and settings beside SMOOTH.
TRAININGS: dict[str, tuple[Network, dict[str, Any]]] = {
    "sgd": (PLAIN, {"update": lw.SGD(0.1)}),
    "momentum": (PLAIN, {"update": lw.SGD(0.1, momentum=0.9)}),
    "nesterov": (PLAIN, {"update": lw.SGD(0.1, momentum=0.9, nesterov=True)}),
    "adam": (PLAIN, {}),
    "adamw, float64": (PLAIN, {"update": lw.AdamW(0.01), "dtype": "float64"}),
    "rmsprop": (PLAIN, {"update": lw.RMSProp(0.01)}),
    "adagrad": (PLAIN, {"update": lw.Adagrad(0.1)}),
    "own update": (PLAIN, {"update": OWN}),
    "step decay": (PLAIN, {"schedule": lw.StepDecay(0.5, every=0.5)}),
    "inverse time": (PLAIN, {"schedule": "inverse-time", "update": lw.SGD(0.1)}),
    "cosine": (PLAIN, {"schedule": "cosine"}),
    "coslog4": (PLAIN, {"schedule": "coslog4", "dtype": "float64"}),
    "dropout": (Network(4, [16, 9], 3, dropout=0.4), {}),
    "noise": (Network(4, [6], 3, input_noise=0.1, input_dropout=0.1), {}),
    "batch normalisation": (Network(4, [Layer(6, "relu", 0.5, True), Layer(5, "mish", 0.25)], 3), {}),
    "one row at a time": (PLAIN, {"batch_size": 1, "update": lw.SGD(0.05)}),
    "one row at a time, float64": (PLAIN, {"batch_size": 1, "dtype": "float64"}),
    "batches of 32": (PLAIN, {"batch_size": 32}),
    "clip norm": (PLAIN, {"clip_norm": 0.1}),
    "penalty": (PLAIN, {"penalty": lw.L2(0.01) + lw.L1(0.001)}),
    "numbers": (Network(4, [6], 2, output="identity"), {"exact_train_loss": True}),
    "gaussian": (Network(4, [6], 2, output="gaussian"), {"dtype": "float64"}),
    "no shuffling": (PLAIN, {"shuffle": False}),
    "own order": (PLAIN, {"order": [np.arange(ROWS)[::-1], np.arange(40), np.arange(ROWS)]}),
    "early stopping": (PLAIN, {"patience": 2, "update": lw.Adam(0.3), "epochs": 60}),
    "early stopping by the metric": (PLAIN, {"patience": 3, "monitor": "metric", "epochs": 60, "update": lw.SGD(0.3)}),
    "weights": (PLAIN, {"weights": np.linspace(0.5, 2, ROWS)}),
}


class Power(Exception):
    """The power went."""


class Failing:
    """A checkpoint whose machine fails right after it was written at some moment."""

    def __init__(self, checkpoint: lw.Checkpoint, moment: Callable[[Any, int], bool]) -> None:
        self.checkpoint, self.moment = checkpoint, moment
        self.asked, self.now = 0, False

    def begin(self, state, data):
        self.state = state
        return self.checkpoint.begin(state, data)

    def due(self):
        order = self.state.order
        self.asked = self.asked + 1 if order is not None and self.state.position == len(order) else 0
        self.now = self.now or self.moment(self.state, self.asked)
        return self.now

    def write(self, state):
        self.checkpoint.write(state)
        if self.now:
            raise Power


#: (state, how often it was asked after the last batch of the epoch) -> whether the power goes.
MOMENTS = {
    "in the middle of an epoch": lambda state, asked: state.epoch == 1 and state.position > 0,
    "further on": lambda state, asked: state.epoch == 1 and state.position > 32,
    "before validation": lambda state, asked: state.epoch == 2 and asked == 1,
    "during validation": lambda state, asked: state.epoch == 3 and asked == 3,
    "after an epoch": lambda state, asked: state.epoch == 4 and state.position == 0,
}


@pytest.fixture
def after_every_batch(monkeypatch):
    """Every batch is asked after, and every few rows of the validation."""
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0)
    monkeypatch.setattr("layerwise.training.evaluation.cut", lambda n, size: cut(n, 5))
    monkeypatch.setattr("os.fsync", lambda handle: None)  # no power goes here; there is a test that it is asked for


@pytest.fixture
def fit() -> Callable[..., Model]:
    """Train one of TRAININGS."""

    def train(which: str, **more: Any) -> Model:
        net, changes = TRAININGS[which]
        X, y = rows(net, ROWS, 0)
        return lw.fit(net, X, y, validation=rows(net, HELD_OUT, 1), **{**SMOOTH, **changes, **more})

    return train


def rows(net: Network, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, net.inputs))
    f = np.tanh(X @ np.random.default_rng(99).normal(size=(net.inputs, net.targets + 2)) * 2)
    return X, f.argmax(axis=1) if net.output.target == "classes" else f[:, : net.targets]


def everything(model: Model) -> dict[str, Any]:
    """All that a training ends with, as bytes and numbers; but for the time that it took."""
    state = model.state
    assert state is not None
    stopping, best = state.early_stopping, state.early_stopping.best_parameters
    return {
        "model": (model.parameters.vector.tobytes(), model.parameters.statistics.tobytes()),
        "theta": (state.parameters.vector.tobytes(), state.statistics.tobytes()),
        "memory": {name: array.tobytes() for name, array in state.update_state.items()},
        "history": [replace(record, seconds=0.0) for record in model.history],
        "counters": (state.steps, state.epoch, state.position, state.memory_since, state.stopped, state.key),
        "stopping": (stopping.best_epoch, stopping.best_value, stopping.waited),
        "best": None if best is None else best.vector.tobytes(),
        "seen": repr(state.seen),  # NaN is not what it is
    }


@pytest.mark.usefixtures("after_every_batch")
@pytest.mark.parametrize("which", list(TRAININGS))
def test_a_training_that_was_cut_again_and_again(which, fit, tmp_path):
    path = tmp_path / "state"
    cuts = 0
    for moment in MOMENTS.values():
        try:
            fit(which, checkpoint=Failing(lw.Checkpoint(path), moment))
        except Power:
            cuts += 1
    assert cuts == len(MOMENTS)
    resumed = fit(which, checkpoint=lw.Checkpoint(path, resume=True))
    assert everything(resumed) == everything(fit(which))
    if "stopping" in which:
        assert resumed.state.stopped == "patience"
    again = fit(which, checkpoint=lw.Checkpoint(path, resume=True))  # nothing is left to do
    assert everything(again) == everything(resumed)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.usefixtures("after_every_batch")
@pytest.mark.parametrize("moment", list(MOMENTS))
def test_each_moment_alone(moment, fit, tmp_path):
    path = tmp_path / "state"
    with pytest.raises(Power):
        fit("adam", checkpoint=Failing(lw.Checkpoint(path), MOMENTS[moment]))
    assert everything(fit("adam", checkpoint=lw.Checkpoint(path))) == everything(fit("adam"))


@pytest.mark.usefixtures("after_every_batch")
def test_without_validation(tmp_path):
    X, y = rows(PLAIN, ROWS, 0)
    path = tmp_path / "state"
    for moment in (MOMENTS["in the middle of an epoch"], MOMENTS["after an epoch"]):
        with pytest.raises(Power):
            lw.fit(PLAIN, X, y, **SMOOTH, checkpoint=Failing(lw.Checkpoint(path), moment))
    assert everything(lw.fit(PLAIN, X, y, **SMOOTH, checkpoint=lw.Checkpoint(path))) == everything(
        lw.fit(PLAIN, X, y, **SMOOTH)
    )


@pytest.mark.usefixtures("after_every_batch")
def test_sparse_rows(tmp_path):
    X, y = rows(PLAIN, ROWS, 0)
    X = csr_array(np.where(X > 0, X, 0.0))
    path = tmp_path / "state"
    with pytest.raises(Power):
        lw.fit(PLAIN, X, y, **SMOOTH, checkpoint=Failing(lw.Checkpoint(path), MOMENTS["in the middle of an epoch"]))
    X.data[-1] *= 2
    with pytest.raises(StorageError, match="checksum"):
        lw.fit(PLAIN, X, y, **SMOOTH, checkpoint=lw.Checkpoint(path))
    X.data[-1] /= 2
    assert everything(lw.fit(PLAIN, X, y, **SMOOTH, checkpoint=lw.Checkpoint(path))) == everything(
        lw.fit(PLAIN, X, y, **SMOOTH)
    )


@pytest.mark.usefixtures("after_every_batch")
def test_writing_after_every_batch_changes_nothing(fit, tmp_path):
    written = []

    class Eager(Failing):
        def write(self, state):
            self.checkpoint.write(state)
            written.append((state.epoch, state.position))

    kept = fit("dropout", checkpoint=Eager(lw.Checkpoint(tmp_path / "state"), lambda state, asked: True))
    assert everything(kept) == everything(fit("dropout"))
    assert len(written) == 5 * 8  # once an update, and so training comes to its end
    assert kept.state.last_finite is None


def test_without_end_of_checkpoints_training_goes_on(fit, tmp_path):
    checkpoint = lw.Checkpoint(tmp_path / "state", every=1e-9)
    assert everything(fit("adam", checkpoint=checkpoint)) == everything(fit("adam"))


@pytest.mark.usefixtures("after_every_batch")
def test_a_divergence_comes_again(tmp_path):
    """Also from within the epoch: what is returned to are the parameters from before it."""
    net = Network(4, [6], 1, output="identity")
    X, y = rows(net, ROWS, 0)
    settings = {"update": lw.SGD(3.0), "batch_size": 4, "epochs": 30}

    def diverged(**more: Any) -> tuple[str, Model]:
        with pytest.raises(DivergenceError) as caught:
            lw.fit(net, X, y, **settings, **more)
        return str(caught.value), caught.value.model

    message, model = diverged()
    last = len(model.history)
    assert last < 30
    path = tmp_path / "state"
    with pytest.raises(Power):
        lw.fit(
            net, X, y, **settings,
            checkpoint=Failing(lw.Checkpoint(path), lambda state, asked: state.epoch == last and state.position > 3),
        )  # fmt: skip
    again, resumed = diverged(checkpoint=lw.Checkpoint(path))
    assert again == message
    assert everything(resumed) == everything(model)


@pytest.mark.usefixtures("after_every_batch")
def test_callbacks_that_stop(fit, tmp_path):
    def stop(state):
        if state.epoch == 3:
            state.stop("enough")

    path = tmp_path / "state"
    stopped = fit("adam", callbacks=stop, checkpoint=lw.Checkpoint(path))
    assert everything(stopped) == everything(fit("adam", callbacks=stop))
    again = fit("adam", callbacks=stop, checkpoint=lw.Checkpoint(path))
    assert (again.state.stopped, len(again.history)) == ("enough", 3)


def test_single_steps(tmp_path):
    X, y = rows(PLAIN, ROWS, 0)
    first, second = (lw.start(PLAIN, update=lw.Adam(0.01), seed=2) for _ in range(2))
    for _ in range(5):
        first.step(X[:8], y[:8])
    lw.Checkpoint(tmp_path / "state").write(first)
    lw.Checkpoint(tmp_path / "state").read(second)
    assert second.steps == 5
    assert [first.step(X, y) for _ in range(3)] == [second.step(X, y) for _ in range(3)]
    assert first.parameters.vector.tobytes() == second.parameters.vector.tobytes()
