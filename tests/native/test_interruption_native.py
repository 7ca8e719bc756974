"""Ctrl-C and progress while the native engine is inside an epoch that takes long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.network import Network
from layerwise.training.fit import train
from layerwise.training.state import TrainingData

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals between processes")
#: Network, rows, batch size: of trainings that go through the rows so often in one epoch that it would take seconds.
TRAININGS = {
    "one row at a time": (Network(32, [64, 64], 10), 500, 1),
    "small batches": (Network(784, [100], 10, hidden="sigmoid"), 500, 32),
    "large steps": (Network(784, [512, 512], 10, dropout=0.2, batch_norm=True), 500, 256),
}


def data(net, n, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n, net.inputs)).astype(dtype), np.arange(n) % net.outputs


#: Times that a long epoch goes through its 500 rows.
TIMES = 4000


def long_epoch(epoch):
    return np.tile(np.arange(500), TIMES)


class CtrlC:
    """Presses Ctrl-C, as in a terminal."""

    def __init__(self) -> None:
        self.timers: list[threading.Timer] = []
        self.pressed: list[float] = []

    def after(self, seconds: float) -> None:
        """Press it then, if it is not to be pressed already."""
        if len(self.timers) == len(self.pressed):
            self.timers.append(threading.Timer(seconds, self._press))
            self.timers[-1].start()

    def during(self, action: Callable[[], object], seconds: float) -> None:
        """Press it so many seconds into the action."""
        self.after(seconds)
        action()

    def _press(self) -> None:
        self.pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def seconds_ago(self) -> float:
        """Return the time since it was pressed last."""
        return time.monotonic() - self.pressed[-1]


@pytest.fixture
def ctrl_c(built, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    key = CtrlC()
    yield key
    after = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a late one must not end the tests
    for timer in key.timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", TRAININGS)
def test_within_an_epoch(name, dtype, ctrl_c, record_property):
    """Also where rows are converted by the megabyte before the engine sees them (float16)."""
    net, n, size = TRAININGS[name]
    X, y = data(net, n, dtype)
    lw.fit(net, X, y, batch_size=size, epochs=1)  # what is made once is made
    model = lw.fit(net, X, y, batch_size=size, epochs=2, order=long_epoch, progress=lambda state: ctrl_c.after(0.15))
    seconds = ctrl_c.seconds_ago()
    record_property("seconds", seconds)
    print(f"{name}, {dtype}: answered after {seconds:.3f} s")
    assert seconds < 2  # mostly 0.02: this is for machines that do much else
    state = model.state
    assert (state.stopped, state.epoch) == ("interrupted", 0)
    assert 0 < state.position == state.steps * size < 500 * TIMES
    assert np.isfinite(model.parameters.vector).all()
    assert all(np.isfinite(memory).all() for memory in state.update_state.values())


def test_going_on_leads_to_the_same_end(ctrl_c, arrays_of, monkeypatch):
    """Wherever the epoch was cut; only the sums behind the history's means then have their terms in other brackets."""
    net = Network(60, [40], 5, dropout=0.3, batch_norm=True)
    X, y = data(net, 500)
    settings = {"batch_size": 7, "epochs": 2, "order": lambda epoch: np.tile(np.arange(500), 40), "update": "adamw"}
    whole = arrays_of(lw.fit(net, X, y, **settings).state)
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0005)
    positions = []

    def press_three_times(state):
        if len(positions) < 3:
            positions.append(state.position)
            os.kill(os.getpid(), signal.SIGINT)

    model = lw.fit(net, X, y, **settings, progress=press_three_times)
    while model.state.stopped == "interrupted":
        rows = TrainingData(Source(X, y), np.arange(500))
        model = train(model.state, rows, 2, restore_best=False, progress=press_three_times)
    assert len(set(positions)) == 3
    found = arrays_of(model.state)
    history = {name for name, array in found.items() if array.dtype == np.float64}
    assert {name for name in found if found[name].tobytes() != whole[name].tobytes()} <= history
    for name in history:
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-12)


def test_progress_within_a_long_epoch(built, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    net, n, size = TRAININGS["small batches"]
    X, y = data(net, n)
    seen = []

    def progress(state):
        seen.append((time.monotonic(), state.position, state.steps))
        if len(seen) == 8:
            raise StopIteration("seen enough")

    with pytest.raises(StopIteration, match="seen enough"):
        lw.fit(net, X, y, batch_size=size, epochs=1, order=long_epoch, progress=progress)
    times, positions, steps = zip(*seen, strict=True)
    assert list(positions) == sorted(set(positions))
    assert list(positions) == [size * count for count in steps]
    between = np.diff(times)
    assert between.min() > 0.05
    assert np.median(between) < 1  # 0.1 to 0.12 where nothing else runs


def test_an_error_from_a_question_does_no_harm(built, monkeypatch, same_bits):
    """What progress raises leaves the engine, and what it has made of the network, as good as new."""
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    net, n, size = TRAININGS["small batches"]
    X, y = data(net, n)
    settings = {"batch_size": size, "epochs": 2, "seed": 1}
    expected = lw.fit(net, X, y, **settings)

    def progress(state):
        raise KeyError("mine")

    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            lw.fit(net, X, y, **settings, progress=progress)
    assert same_bits(lw.fit(net, X, y, **settings), expected)


#: A KeyboardInterrupt may come at any moment here, also in what runs the tests: so in a process of its own.
UNEXPECTED = """
import os, signal, threading, time
import numpy as np
import layerwise as lw
from layerwise.engines import Source
from layerwise.training.batches import TrainingData

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored by what they start in the background

def interrupted(action, seconds):
    pressed = []
    def press():
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(seconds, press)
    try:
        timer.start()
        action()
        raise AssertionError("nobody was interrupted")
    except KeyboardInterrupt:
        assert time.monotonic() - pressed[0] < 2

net = lw.Network(784, [100], 10, hidden="sigmoid")
X = np.random.default_rng(0).normal(size=(500, 784)).astype("float32")
y = np.arange(500) % 10
settings = {"batch_size": 32, "epochs": 2, "seed": 1}
expected = lw.fit(net, X, y, **settings).parameters.vector
data = TrainingData(Source(X, y), np.arange(500))
for seconds in (0.01, 0.05, 0.1, 0.2):
    state = lw.start(net, batch_size=32, order=lambda epoch: np.tile(np.arange(500), 4000))
    interrupted(lambda: state.train_epoch(data, lambda: False), seconds)
    assert np.isfinite(state.parameters.vector).all()
    assert np.isfinite(state.step(X[:5], y[:5]).loss)
    model = lw.fit(net, X, y, **settings)
    assert np.array_equal(model.parameters.vector, expected)
before = model.evaluate(X, y)
many = np.broadcast_to(X[:1], (3_000_000, 784))
interrupted(lambda: model.evaluate(many, np.zeros(3_000_000, int)), 0.5)
assert model.evaluate(X, y) == before
print("as before")
"""


def test_keyboard_interrupts_where_nobody_expects_them(built):
    done = subprocess.run([sys.executable, "-c", UNEXPECTED], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "as before\n", done.stderr[-2000:]
