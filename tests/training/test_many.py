"""fit_many: every network is to the last bit what fit alone gives, for any settings and any number of threads."""

from __future__ import annotations

import inspect
import os
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import layerwise as lw
from layerwise.engines import engine
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.training.history import COLUMNS

NET = Network(5, [8, 6], 3, hidden="tanh", dropout=0.2)
DIVERGES = Network(4, [6], 2, hidden="linear", output="identity")
#: Far more epochs than any of these tests wants to see.
MANY = 50_000
N = 41


@pytest.fixture(params=["1", "2", "3"])
def threads(request, monkeypatch):
    """How many the engine uses, when it is told to use so many."""
    monkeypatch.setenv("LAYERWISE_THREADS", request.param)
    return engine().threads


def assert_same(found: lw.Model, expected: lw.Model) -> None:
    """Both models, and where both trainings are, are the same to the last bit, except for the time that they took."""
    ours, theirs = found.state, expected.state
    assert ours is not None
    assert theirs is not None
    pairs = [(found.parameters, expected.parameters), (ours.parameters, theirs.parameters)]
    for one, other in pairs:
        assert one.vector.tobytes() == other.vector.tobytes()
        assert one.statistics.tobytes() == other.statistics.tobytes()
    assert ours.update_state.keys() == theirs.update_state.keys()
    assert all(ours.update_state[name].tobytes() == theirs.update_state[name].tobytes() for name in ours.update_state)
    assert (ours.epoch, ours.steps, ours.stopped, ours.key) == (theirs.epoch, theirs.steps, theirs.stopped, theirs.key)
    assert ours.early_stopping.best_epoch == theirs.early_stopping.best_epoch
    assert len(found.history) == len(expected.history)
    for name in set(COLUMNS) - {"seconds"}:
        assert found.history[name].tobytes() == expected.history[name].tobytes(), name


def alone(net, X, y, rows=None, validation_rows=None, weights=None, **given):
    """What fit gives on these rows alone, a diverged model too."""
    if validation_rows is not None:
        parts = (X, y) if weights is None else (X, y, weights)
        given["validation"] = tuple(part[validation_rows] for part in parts)
    if rows is not None:
        X, y, weights = X[rows], y[rows], None if weights is None else weights[rows]
    try:
        return lw.fit(net, X, y, weights=weights, **given)
    except lw.DivergenceError as problem:
        model: lw.Model = problem.model
        return model


NETWORKS = {
    "dropout": NET,
    "batch norm": Network(5, [Layer(8, "relu", batch_norm=True), Layer(6, "tanh", dropout=0.3)], 3),
    "numbers": Network(5, [8], 2, hidden="gelu", output="identity"),
    "labels": Network(5, [7], 2, hidden=lambda s, a: a * s.tanh(a), output="sigmoid", dropout=0.1),
    "none hidden": Network(5, [], 3),
}
UPDATES = {
    "sgd": "sgd", "momentum": lw.SGD(0.05, momentum=0.8), "adam": lw.Adam(0.01), "adamw": lw.AdamW(0.01, decay=0.1),
    "own": lw.OwnUpdate.of(
        lambda s, theta, grad, m, rate, keep: (theta - rate * (keep * m + grad), keep * m + grad), rate=0.02, keep=0.5
    ),
}  # fmt: skip
PENALTIES = [None, lw.L2(1e-3), lw.L1(1e-3) + lw.L2(1e-4), lw.Penalty.own(1e-3, lambda s, w: s.log1p(w * w))]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_each_is_what_fit_gives(draw, sample, monkeypatch):
    """Any settings that go together; two epochs of batches of a few rows."""
    choose = lambda *options: draw.draw(st.sampled_from(options))  # noqa: E731
    monkeypatch.setenv("LAYERWISE_THREADS", choose("1", "2", "3", "5"))
    net = NETWORKS[choose(*NETWORKS)]
    X, y = sample(net, N)
    X = X.astype(choose("float64", "float32", "float16", "int8"), order=choose("C", "F"))
    if choose(False, False, True) and X.dtype in (np.float32, np.float64):
        X = csr_array(np.where(np.abs(X) < 0.7, 0, X))
    count = draw.draw(st.integers(1, 5))
    generator = np.random.default_rng(draw.draw(st.integers(0, 99)))
    kind = choose("all", "folds", "repeated")
    rows = {
        "all": None,
        "folds": [np.flatnonzero(np.arange(N) % (count + 1) != k) for k in range(count)],
        "repeated": [generator.integers(0, N, generator.integers(10, 60)) for _ in range(count)],
    }[kind]
    own = {
        "seeds": choose(None, [7 * k for k in range(count)]),
        "rates": choose(None, [0.03 / (k + 1) for k in range(count)]),
        "penalties": choose(None, [PENALTIES[k % len(PENALTIES)] for k in range(count)]),
        "rows": rows,
        "validation_rows": choose(None, [generator.permutation(N)[: 5 + k] for k in range(count)]),
    }
    if all(values is None for values in own.values()):
        own["seeds"] = list(range(count))
    common = {
        "update": UPDATES[choose(*UPDATES)], "batch_size": choose(1, 4, 16, "all"), "epochs": choose(1, 3),
        "dtype": choose("float32", "float64"), "schedule": choose("constant", "cosine", "inverse-time"),
        "weights": choose(None, generator.uniform(0.1, 2.0, N)), "shuffle": choose(True, False),
        "exact_train_loss": choose(True, False),
    }  # fmt: skip
    if net.normalises and common["batch_size"] == 1:
        common["batch_size"] = 2
    if own["validation_rows"] is None:
        common["validation"] = choose(None, 0.25, sample(net, 9, seed=3))
    if own["validation_rows"] is not None or common["validation"] is not None:
        common |= choose({}, {"patience": 1}, {"patience": 1, "monitor": "metric", "restore_best": False})
    models = lw.fit_many(net, X, y, **own, **common)
    assert len(models) == count
    for k, model in enumerate(models):
        given = dict(common)
        given["update"] = lw.SGD() if given["update"] == "sgd" else given["update"]
        if own["rates"] is not None:
            given["update"] = with_rate(given["update"], own["rates"][k])
        if own["seeds"] is not None:
            given["seed"] = own["seeds"][k]
        if own["penalties"] is not None:
            given["penalty"] = own["penalties"][k]
        for name in ("rows", "validation_rows"):
            given[name] = None if own[name] is None else own[name][k]
        assert_same(model, alone(net, X, y, **given))


def with_rate(update, rate):
    """The same update with another rate, made anew."""
    settings = {name: getattr(update, name) for name in inspect.signature(type(update)).parameters}
    return type(update)(**settings | {"rate": rate})


def test_more_networks_than_threads_and_fewer(threads, sample):
    X, y = sample(NET, N)
    for count in (1, 2, 7):
        models = lw.fit_many(NET, X, y, seeds=count, seed=4, epochs=2, batch_size=8)
        assert [model.state.settings.seed for model in models] == list(range(4, 4 + count))
        for k, model in enumerate(models):
            assert_same(model, lw.fit(NET, X, y, seed=4 + k, epochs=2, batch_size=8))


def test_a_network_that_nothing_was_made_of(threads, sample):
    """Programs are recorded and loaded by the first who needs them; threads that come together do not disturb it."""
    X, y = sample(NET, N)
    expected = [lw.fit(NET, X, y, seed=k, epochs=1) for k in range(3)]
    for _ in range(10):
        net = Network(5, [8, 6], 3, hidden="tanh", dropout=0.2)
        for model, other in zip(lw.fit_many(net, X, y, seeds=3, epochs=1), expected, strict=True):
            assert_same(model, other)


def test_order_has_positions_in_the_rows(threads, sample):
    X, y = sample(NET, N)
    rows = [np.arange(30), np.arange(40)[::-2]]
    order = [np.array([3, 0, 7, 7, 12]), np.arange(18)]
    models = lw.fit_many(NET, X, y, rows=rows, order=order, epochs=3, batch_size=2)
    for model, chosen in zip(models, rows, strict=True):
        assert_same(model, lw.fit(NET, X[chosen], y[chosen], order=order, epochs=3, batch_size=2))
    with pytest.raises(InputError, match="order: expected positions of training rows"):
        lw.fit_many(NET, X, y, rows=rows, order=[np.arange(25)], epochs=1)  # the second has 20 rows


def test_training_goes_on_where_it_ended(sample):
    X, y = sample(NET, N)
    rows = [np.arange(30), np.arange(20, 41)]
    for model, chosen in zip(lw.fit_many(NET, X, y, rows=rows, epochs=2), rows, strict=True):
        longer = lw.fit(NET, X[chosen], y[chosen], epochs=2)
        for state in model.state, longer.state:
            state.step(X[:3], y[:3])
        assert model.state.parameters.vector.tobytes() == longer.state.parameters.vector.tobytes()


def test_what_stands_for_all(sample):
    X, y = sample(NET, N)
    rows = np.arange(30)
    for chosen in rows, rows.tolist(), np.arange(N) < 30:
        models = lw.fit_many(
            NET, X, y, seeds=[1, 2], rates=0.02, penalties=lw.L2(1e-3), rows=chosen, update="sgd", epochs=1
        )
        for seed, model in zip((1, 2), models, strict=True):
            expected = lw.fit(NET, X[:30], y[:30], seed=seed, update=lw.SGD(0.02), penalty=lw.L2(1e-3), epochs=1)
            assert_same(model, expected)


def test_X_is_not_copied(threads, sample, monkeypatch):
    """Folds read the one array that was given."""
    X, y = sample(NET, N)
    sources = []
    from layerwise.training import many

    train = many.run_epochs
    monkeypatch.setattr(many, "run_epochs", lambda state, data, *rest: (sources.append(data.source.X), train(
        state, data, *rest))[1])  # fmt: skip
    lw.fit_many(NET, X, y, rows=[np.arange(30), np.arange(11, 41)], epochs=1)
    assert all(source is X for source in sources)
    assert len(sources) == 2


# --- divergence, failures, Ctrl-C -------------------------------------------------------------------------------------


def test_one_divergence_leaves_the_others_alone(threads, sample):
    X, y = sample(DIVERGES, N)
    models = lw.fit_many(DIVERGES, X, y, rates=[0.01, 1.5, 0.02], update=lw.SGD(0.1, momentum=0.5), epochs=300)
    assert [model.state.stopped for model in models] == [None, "diverged", None]
    for rate, model in zip((0.01, 0.02), models[::2], strict=True):
        assert_same(model, lw.fit(DIVERGES, X, y, update=lw.SGD(rate, momentum=0.5), epochs=300))
    with pytest.raises(lw.DivergenceError) as caught:
        lw.fit(DIVERGES, X, y, update=lw.SGD(1.5, momentum=0.5), epochs=300)
    assert_same(models[1], caught.value.model)
    assert np.isfinite(models[1].predict(X)).all()


def test_an_error_in_a_callback_ends_all(threads, sample, usual_handler):
    class MineError(Exception):
        pass

    epochs, reached = (MANY if threads > 1 else 5), {}  # on one thread the first network comes to its end

    def broken(state):
        reached[state.settings.seed] = state.epoch
        if state.settings.seed == 1 and state.epoch == 3:
            raise MineError("of the second network")

    X, y = sample(NET)
    before = threading.active_count()
    with pytest.raises(MineError, match="of the second network"):
        lw.fit_many(NET, X, y, seeds=5, epochs=epochs, callbacks=broken)
    assert threading.active_count() == before
    assert reached.pop(1) == 3
    assert all(threads == 1 or epoch < MANY for epoch in reached.values())
    assert len(reached) <= threads


def test_callbacks_never_come_two_at_a_time(threads, sample):
    X, y = sample(NET)
    inside, most, seen = [], [], []

    def look(state):
        inside.append(state)
        time.sleep(0.001)  # lets the other threads come, if they could
        most.append(len(inside))
        seen.append((state.settings.seed, state.epoch, engine().threads))
        assert inside.pop() is state

    lw.fit_many(NET, X, y, seeds=6, epochs=4, callbacks=[look, look], progress=look)
    assert set(most) == {1}
    assert {(seed, epoch) for seed, epoch, _ in seen} >= {(seed, epoch) for seed in range(6) for epoch in range(1, 5)}
    assert all(1 <= count <= threads for _, _, count in seen)


def test_ctrl_c_ends_all_and_returns_what_there_is(threads, sample, usual_handler, after_every_batch):
    X, y = sample(NET)

    def press(state):
        if state.epoch == 2 and state.settings.seed == 0:
            os.kill(os.getpid(), signal.SIGINT)

    models = lw.fit_many(NET, X, y, seeds=8, epochs=MANY, batch_size=1, callbacks=press)
    assert [model.state.stopped for model in models] == ["interrupted"] * 8
    assert models[0].state.epoch >= 2
    assert [model.state.steps for model in models[-3:]] == [0] * 3
    assert models[-1].parameters.vector.tobytes() == NET.initialize(seed=7, dtype="float32").vector.tobytes()
    assert all(np.isfinite(model.predict(X)).all() for model in models)


def test_a_second_ctrl_c_stops_at_once(threads, sample, usual_handler):
    X, y = sample(NET)
    before = threading.active_count()
    pressed = []

    def press(state):
        """Twice, the second time when the first has been heard."""
        if pressed:
            return
        pressed.append(state)
        main = threading.main_thread().ident  # which may wait for this callback to end, and hears only its own signals
        while signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        lw.fit_many(NET, X, y, seeds=8, epochs=MANY, callbacks=press)
    while True:
        try:
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and thread.name.startswith("layerwise"):
                    thread.join(60)
            time.sleep(0.05)
            break
        except KeyboardInterrupt:  # the last press, where an earlier one was the second already
            continue
    assert threading.active_count() == before


def test_away_from_the_main_thread(sample):
    X, y = sample(NET)
    found = []
    thread = threading.Thread(target=lambda: found.extend(lw.fit_many(NET, X, y, seeds=3, epochs=2)))
    thread.start()
    thread.join()
    for k, model in enumerate(found):
        assert_same(model, lw.fit(NET, X, y, seed=k, epochs=2))
    assert len(found) == 3


def test_many_within_many(threads, sample):
    X, y = sample(NET)
    within = []

    def more(state):
        within.append(lw.fit_many(NET, X, y, seeds=2, epochs=1))

    lw.fit_many(NET, X, y, seeds=2, epochs=1, callbacks=more)
    for models in within:
        for k, model in enumerate(models):
            assert_same(model, lw.fit(NET, X, y, seed=k, epochs=1))
    assert len(within) == 2


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({}, SpecificationError, ["got none of them", "seeds=8"]),
        ({"seeds": 0}, SpecificationError, ["seeds", "at least 1"]),
        ({"seeds": [1, -1]}, SpecificationError, ["seeds[1]", "-1"]),
        ({"seeds": [1, 1.5]}, SpecificationError, ["seeds[1]", "1.5"]),
        ({"seeds": []}, SpecificationError, ["0 seeds"]),
        ({"seeds": "abc"}, SpecificationError, ["seeds", "'abc'", "give a list"]),
        ({"seeds": 3, "rates": [0.1, 0.2]}, SpecificationError, ["3 seeds and 2 rates", "give as many of each"]),
        ({"rates": [0.1, 0.0]}, SpecificationError, ["rate", "above 0"]),
        ({"rates": [0.1, "fast"]}, SpecificationError, ["rate", "'fast'"]),
        ({"rates": 0.1}, SpecificationError, ["got none of them"]),
        ({"penalties": [0.1]}, SpecificationError, ["penalty", "lw.L2"]),
        ({"rows": [[0, 1], [2, 23]]}, InputError, ["rows[1]", "0 to 22", "2 to 23"]),
        ({"rows": [[0, 1], [-1, 2]]}, InputError, ["rows[1]", "-1 to 2"]),
        ({"rows": [[0, 1], []]}, InputError, ["rows[1]", "(0,)"]),
        ({"rows": [[0.5, 1.0]]}, InputError, ["rows[0]", "float64"]),
        ({"rows": [np.zeros(22, bool)]}, InputError, ["rows[0]", "(22,) of bool"]),
        ({"seeds": 2, "validation_rows": [[0], [99]]}, InputError, ["validation_rows[1]", "99"]),
        ({"validation_rows": [[0]], "validation": 0.2}, SpecificationError, ["validation_rows", "both"]),
        ({"seeds": 2, "patience": 3}, SpecificationError, ["patience", "validation data"]),
        ({"seeds": 2, "epochs": 0}, SpecificationError, ["epochs"]),
        ({"seeds": 2, "dtype": "int8"}, SpecificationError, ["dtype"]),
        ({"seeds": 2, "schedule": "cosin"}, SpecificationError, ["schedule", "'cosine'"]),
        ({"seeds": 2, "validation": 2.0}, SpecificationError, ["validation", "fraction"]),
        (
            {"rows": [[0, 1], [2, 3]], "weights": [1.0] * 2 + [0.0] * 21}, InputError, ["weights", "positive mean"],
        ),
    ],
)  # fmt: skip
def test_refused(given, kind, words, sample, refuses):
    X, y = sample(NET)
    with refuses(kind, *words):
        lw.fit_many(NET, X, y, **given)


def test_an_update_whose_rate_cannot_be_replaced(sample, refuses):
    class Bare(lw.SGD.__bases__[0]):
        rate = 0.1
        formula = lw.SGD().formula

        def scalars(self, t, rate, is_weight):
            return {"rate": rate}

    X, y = sample(NET)
    with refuses(SpecificationError, "rates", "dataclass"):
        lw.fit_many(NET, X, y, update=Bare(), rates=[0.1, 0.2])
    models = lw.fit_many(NET, X, y, update=Bare(), seeds=2, epochs=1)
    assert (
        models[1].parameters.vector.tobytes()
        == lw.fit(NET, X, y, update=lw.SGD(0.1), seed=1, epochs=1).parameters.vector.tobytes()
    )


def test_it_takes_what_fit_takes():
    ours, theirs = (inspect.signature(function).parameters for function in (lw.fit_many, lw.fit))
    own = ["seeds", "rates", "penalties", "rows", "validation_rows"]
    common = [name for name in theirs if name != "checkpoint"]  # a file holds one training
    assert [name for name in ours if name not in own] == common
    assert all(ours[name] == theirs[name] for name in common)
