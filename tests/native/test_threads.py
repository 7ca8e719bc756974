"""The same bits for any number of threads, run after run, and when several threads of Python work at the same time."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines.native import engine as native
from layerwise.network import Layer, Network

#: More than most machines have processors, and odd, so that parts of work do not come out even.
COUNTS = (2, 3, 5)
#: Large enough that threads share a step: what they do not share cannot differ.
TRAININGS = {
    "784-100-10": (
        Network(784, [100], 10, hidden="sigmoid"), 330, {"update": lw.SGD(0.1, momentum=0.5), "batch_size": 32},
    ),
    "40-256-256-2": (
        Network(40, [256, 256], 2, dropout=0.2, batch_norm=True), 530,
        {"update": lw.Adam(0.003), "batch_size": 256, "penalty": lw.L2(1e-4)},
    ),
    "300-513-7, clipped": (
        Network(300, [513], 7, dropout=0.2), 200, {"update": lw.SGD(0.5), "batch_size": 40, "clip_norm": 0.5},
    ),
    "corrupted": (
        Network(300, [513], 7, input_dropout=0.2, input_noise=0.3), 200, {"update": lw.SGD(0.5), "batch_size": 40},
    ),
    "tied": (
        Network(300, [257], 300, output="identity", tied=True, input_dropout=0.2), 200,
        {"update": lw.Adam(), "batch_size": 40, "clip_norm": 1.0},
    ),
    "activity": (
        Network(300, [Layer(513, activity=lw.L1(1e-3)), Layer(70, "tanh", activity=lw.L2(1e-2))], 7), 330,
        {"update": lw.SGD(0.1), "batch_size": 64},
    ),
    "300-513-7": (Network(300, [513], 7, hidden="gelu", output="identity"), 1001, {"batch_size": "all"}),
}  # fmt: skip


def data(net, n):
    X = np.random.default_rng(n).normal(size=(n, net.inputs))
    f = X[:, : net.outputs] + np.roll(X, -net.outputs, axis=1)[:, : net.outputs] ** 2
    return X, f.argmax(axis=1) if net.output.target == "classes" else f


def together(*actions):
    """Let each action go on a thread of its own, all at the same moment; return what they return."""
    gate = threading.Barrier(len(actions))
    results = [None] * len(actions)

    def run(place, action):
        gate.wait(60)
        results[place] = action()

    threads = [threading.Thread(target=run, args=given, daemon=True) for given in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TRAININGS)
def test_any_number_of_threads(name, dtype, fit_on, same_bits):
    net, n, settings = TRAININGS[name]
    validation = data(net, 301)
    settings = settings | {"epochs": 3, "seed": 1, "dtype": dtype, "validation": validation}
    alone = fit_on("native", net, *data(net, n), threads=1, **settings)
    for count in COUNTS:
        assert same_bits(fit_on("native", net, *data(net, n), threads=count, **settings), alone), count


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 17, 31, 33, 49, 64, 65, 257])
def test_any_number_of_rows(rows, normalised, fit_on, same_bits):
    net = Network(150, [200, 90], 5, hidden="elu", batch_norm=normalised and rows > 1)
    X, y = data(net, 2 * rows + 1)
    settings = {"batch_size": rows, "epochs": 2, "update": "nesterov"}
    alone = fit_on("native", net, X, y, threads=1, **settings)
    for count in COUNTS:
        assert same_bits(fit_on("native", net, X, y, threads=count, **settings), alone), count


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_any_instruction_set(path, dtype, fit_on, same_bits, monkeypatch):
    monkeypatch.setenv("LAYERWISE_CODE_PATH", path)
    net = Network(130, [257, 100], 5, dropout=0.2, batch_norm=True)  # new: a network keeps its first one
    settings = {"batch_size": 100, "epochs": 2, "dtype": dtype}
    alone = fit_on("native", net, *data(net, 250), threads=1, **settings)
    for count in COUNTS:
        assert same_bits(fit_on("native", net, *data(net, 250), threads=count, **settings), alone), count


def test_run_after_run(fit_on, same_bits):
    net, n, settings = TRAININGS["40-256-256-2"]
    X, y = data(net, n)
    first, *others = (fit_on("native", net, X, y, threads=3, epochs=2, **settings) for _ in range(6))
    assert all(same_bits(other, first) for other in others)


def test_over_and_over(fit_on):
    """Many steps on more threads than most machines have to spare for tests: a worker may come late, but not err."""
    net = Network(784, [100], 10)
    X, y = data(net, 320)
    settings = {"update": lw.SGD(0.1), "batch_size": 32, "epochs": 30}
    alone = fit_on("native", net, X, y, threads=1, **settings).parameters.vector.tobytes()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert fit_on("native", net, X, y, threads=3, **settings).parameters.vector.tobytes() == alone


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux lists the threads of a process there")
def test_as_many_threads_as_asked_for_are_used(child):
    script = """
import os
import numpy as np
import layerwise as lw
net = lw.Network(300, [300], 10)
X, y = np.random.default_rng(0).normal(size=(512, 300)), np.arange(512) % 10
lw.start(net).step(X[:1], y[:1])
before = len(os.listdir("/proc/self/task"))
for count in "13251":
    os.environ["LAYERWISE_THREADS"] = count
    lw.fit(net, X, y, batch_size=256, epochs=1)
    print(len(os.listdir("/proc/self/task")) - before)
"""
    assert child(script, LAYERWISE_THREADS="1").split() == ["0", "2", "2", "4", "4"]


@pytest.mark.parametrize("names", [("784-100-10", "784-100-10"), ("784-100-10", "40-256-256-2")], ids=["one", "two"])
def test_two_trainings_at_the_same_time(names, fit_on, same_bits, monkeypatch):
    """Of one network, which then share what the engine has made of it, and of two."""
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    actions, alone = [], []
    for seed, name in enumerate(names):
        net, n, settings = TRAININGS[name]
        settings = settings | {"epochs": 12, "seed": seed}
        alone.append(fit_on("native", net, *data(net, n), threads=1, **settings))
        actions.append(lambda net=net, n=n, settings=settings: lw.fit(net, *data(net, n), **settings))
    for both in together(*actions), together(*actions):
        assert all(same_bits(found, expected) for found, expected in zip(both, alone, strict=True))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_predictions_at_the_same_time(threads, built, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    monkeypatch.setenv("LAYERWISE_THREADS", threads)
    net, n, settings = TRAININGS["784-100-10"]
    X, y = data(net, n)
    model = lw.fit(net, X, y, epochs=1, **settings)
    pieces = [X[:1], X[:7], X[5:300], np.repeat(X, 8, axis=0)]
    expected = [model.predict(piece) for piece in pieces]
    everyone = [lambda piece=piece: [model.predict(piece) for _ in range(20)] for piece in pieces]
    *found, (loss,) = together(*everyone, lambda: {model.evaluate(X, y).loss for _ in range(20)})
    assert loss == model.evaluate(X, y).loss
    for many, once in zip(found, expected, strict=True):
        assert {one.tobytes() for one in many} == {once.tobytes()}


def test_training_and_prediction_at_the_same_time(built, monkeypatch, same_bits):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    monkeypatch.setenv("LAYERWISE_THREADS", "2")
    net, n, settings = TRAININGS["40-256-256-2"]
    X, y = data(net, n)
    settings = settings | {"epochs": 20, "validation": (X, y)}
    alone = lw.fit(net, X, y, **settings)
    expected = alone.predict(X).tobytes()
    model, found = together(
        lambda: lw.fit(net, X, y, **settings), lambda: {alone.predict(X).tobytes() for _ in range(50)}
    )
    assert same_bits(model, alone)
    assert found == {expected}


def test_only_runs_of_some_length_give_up_the_interpreters_lock(built, monkeypatch):
    """Both ways lead to the same bits; a brief run would wait longer for the lock than it takes itself."""
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    kept, functions = [], native.functions
    monkeypatch.setattr(native, "functions", lambda keep_lock=False: kept.append(keep_lock) or functions(keep_lock))
    small, (large, n, settings) = Network(4, [5], 3), TRAININGS["784-100-10"]
    for net, rows, brief in ((small, 20, True), (large, n, False)):
        kept.clear()
        one = lw.fit(net, *data(net, rows), epochs=2, **settings).parameters.vector
        assert any(kept) is brief
        monkeypatch.setattr(native, "BRIEF_SECONDS", 0.0 if brief else 1e9)
        kept.clear()
        other = lw.fit(net, *data(net, rows), epochs=2, **settings).parameters.vector
        assert any(kept) is not brief
        monkeypatch.setattr(native, "BRIEF_SECONDS", 30e-6)
        assert one.tobytes() == other.tobytes()
