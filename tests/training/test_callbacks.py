"""Callbacks and progress, Ctrl-C, and training away from the main thread."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.network import Network
from layerwise.training.fit import train
from layerwise.training.state import TrainingData

NET = Network(4, [6], 3, hidden="tanh", dropout=0.2)
#: Far more epochs than any of these tests wants to see.
MANY = 50_000


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_callbacks_once_an_epoch(sample):
    seen = []
    model = lw.fit(
        NET, *sample(NET), epochs=4, batch_size=5,
        callbacks=[
            lambda state: seen.append((state.epoch, len(state.history), state.steps, state.position)),
            lambda state: seen.append(state.history[-1].epoch),
        ],
    )  # fmt: skip
    assert seen == [(1, 1, 5, 0), 1, (2, 2, 10, 0), 2, (3, 3, 15, 0), 3, (4, 4, 20, 0), 4]
    assert model.state.stopped is None


def test_callbacks_see_the_parameters_of_their_epoch(sample):
    X, y = sample(NET)
    kept = []
    lw.fit(NET, X, y, epochs=3, callbacks=[lambda state: kept.append(state.parameters.vector.copy())])
    for epochs, vector in enumerate(kept, 1):
        assert vector.tobytes() == lw.fit(NET, X, y, epochs=epochs).parameters.vector.tobytes()


def test_a_callback_ends_training(sample):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, epochs=MANY, callbacks=[lambda state: state.epoch == 3 and state.stop()])
    assert model.state.stopped == "callback"
    assert len(model.history) == 3
    assert model.parameters.vector.tobytes() == lw.fit(NET, X, y, epochs=3).parameters.vector.tobytes()
    reasons = lw.fit(NET, X, y, epochs=MANY, callbacks=[lambda state: state.stop("good enough")])
    assert (reasons.state.stopped, len(reasons.history)) == ("good enough", 1)


def test_an_error_in_a_callback_is_the_callers(sample, usual_handler):
    def broken(state):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lw.fit(NET, *sample(NET), epochs=2, callbacks=[broken])


def test_progress_is_called_within_epochs(sample, monkeypatch, after_every_batch):
    monkeypatch.setattr("layerwise.training.fit.TICK", 0.0)
    X, y = sample(NET)
    positions = []
    model = lw.fit(NET, X, y, epochs=2, batch_size=10, progress=lambda state: positions.append(state.position))
    assert positions == [10, 20, 23, 10, 20, 23]
    assert model.parameters.vector.tobytes() == lw.fit(NET, X, y, epochs=2, batch_size=10).parameters.vector.tobytes()


def test_progress_is_called_now_and_then(sample, monkeypatch, after_every_batch):
    clock = iter(np.arange(0, 1e6) / 50)  # two looks at the clock a batch, more for epochs: a tick is some batches
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    calls = []
    lw.fit(NET, *sample(NET), epochs=20, batch_size=1, progress=calls.append)
    assert 40 < len(calls) < 460 / 2


def test_ctrl_c_from_a_callback(sample, usual_handler):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, epochs=MANY, callbacks=[lambda state: state.epoch == 3 and press_ctrl_c()])
    assert model.state.stopped == "interrupted"
    assert len(model.history) == 3
    assert model.parameters.vector.tobytes() == lw.fit(NET, X, y, epochs=3).parameters.vector.tobytes()


def test_ctrl_c_within_an_epoch(sample, usual_handler, after_every_batch):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, epochs=MANY, batch_size=5, progress=lambda state: press_ctrl_c())
    state = model.state
    assert (state.stopped, state.epoch, state.position, state.steps) == ("interrupted", 0, 5, 1)
    assert len(model.history) == 0
    assert np.isfinite(model.predict(X)).all()
    assert model.parameters.vector.tobytes() == state.parameters.vector.tobytes()
    state.stopped = None  # and training can go on from there, to the same end
    resumed = train(state, TrainingData(Source(X, y), np.arange(23)), 2, restore_best=False)
    whole = lw.fit(NET, X, y, epochs=2, batch_size=5)
    assert resumed.parameters.vector.tobytes() == whole.parameters.vector.tobytes()


def long_epoch(epoch):
    """An order that no engine gets through before it is asked."""
    return np.tile(np.arange(23), 100_000)


def test_ctrl_c_within_a_long_epoch_answers_soon(sample, usual_handler):
    pressed = []

    def press():
        pressed.append(time.monotonic())
        press_ctrl_c()

    timer = threading.Timer(0.2, press)
    timer.start()
    model = lw.fit(NET, *sample(NET), epochs=2, batch_size=1, order=long_epoch)
    answered = time.monotonic()
    timer.join()
    state = model.state
    assert (state.stopped, state.epoch) == ("interrupted", 0)
    assert 0 < state.position == state.steps < 2_300_000
    assert answered - pressed[0] < 1  # it is 20 ms or so, on a machine that does nothing else


def test_questions_do_not_come_after_every_batch(sample):
    X, y = sample(NET)
    state = lw.start(NET, batch_size=1, order=long_epoch)
    seen = []

    def stop():
        seen.append((state.steps, state.position, state.seconds))
        return len(seen) == 10

    state.train_epoch(TrainingData(Source(X, y), np.arange(23)), stop)
    steps, positions, seconds = zip(*seen, strict=True)
    assert steps == positions
    assert list(steps) == sorted(set(steps))
    assert (state.steps, state.position) == (steps[-1], positions[-1])
    assert list(seconds) == sorted(set(seconds))
    assert steps[-1] > 2 * len(steps)


def test_ctrl_c_from_elsewhere(sample, usual_handler):
    started = threading.Event()

    def press():
        started.wait(60)
        press_ctrl_c()

    thread = threading.Thread(target=press)
    thread.start()
    model = lw.fit(NET, *sample(NET), epochs=MANY, callbacks=[lambda state: started.set()])
    thread.join()
    assert model.state.stopped == "interrupted"
    assert 1 <= len(model.history) < MANY


def test_ctrl_c_with_early_stopping_returns_the_best(sample, usual_handler):
    (X, y), validation = sample(NET, 20), sample(NET, 20, seed=1)
    model = lw.fit(
        NET, X, y, epochs=MANY, validation=validation, patience=MANY, update=lw.Adam(0.3),
        callbacks=[lambda state: state.early_stopping.waited == 5 and press_ctrl_c()],
    )  # fmt: skip
    assert model.state.stopped == "interrupted"
    assert model.evaluate(*validation).loss == model.history["validation_loss"].min()
    assert model.parameters.vector.tobytes() == model.state.best.vector.tobytes()


def test_ctrl_c_twice_ends_at_once(sample, usual_handler):
    def twice(state):
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        lw.fit(NET, *sample(NET), epochs=MANY, progress=twice)


def test_another_handler_keeps_its_place(sample, usual_handler):
    pressed = []

    def own(number, frame):
        pressed.append(number)

    signal.signal(signal.SIGINT, own)
    try:
        model = lw.fit(NET, *sample(NET), epochs=3, callbacks=[lambda state: press_ctrl_c()])
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert pressed == [signal.SIGINT] * 3
    assert model.state.stopped is None


def test_in_a_worker_thread(sample):
    X, y = sample(NET)
    before = signal.getsignal(signal.SIGINT)
    models = []
    threads = [threading.Thread(target=lambda: models.append(lw.fit(NET, X, y, epochs=5))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = lw.fit(NET, X, y, epochs=5).parameters.vector.tobytes()
    assert [model.parameters.vector.tobytes() for model in models] == [expected] * 2
    assert signal.getsignal(signal.SIGINT) is before
