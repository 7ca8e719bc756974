"""The table of scalars: what each step's row is, that a step's bits do not depend on its neighbours, and its size."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.network import Layer, Network
from layerwise.rules.schedules import Schedule
from layerwise.rules.updates import TABLE, Update
from layerwise.training.scalars import fewest_scalars
from layerwise.training.state import TrainingData

NET = Network(4, [Layer(6, "relu", 0.5), Layer(5, "tanh"), Layer(4, "tanh", 0.25)], 3)
UPDATES = [*(make() for make in TABLE.values()), lw.SGD(0.1, momentum=0.9), lw.Adam(0.1, 0.0, 0.7)]
EVERY = pytest.mark.parametrize("update", UPDATES, ids=str)


def columns(state, first=0, count=1):
    table = state.scalar_table(first, count)
    assert table.dtype == np.float64
    assert table.flags.c_contiguous
    names = NET.program("train_step", update=state.settings.update, penalty=state.settings.penalty).scalars
    assert table.shape == (count, len(names))
    return dict(zip(names, table.T, strict=True))


def test_every_column():
    state = lw.start(NET, update=lw.AdamW(0.01, 0.8, 0.5, 1e-3, 0.3), penalty=lw.L2(0.1) + lw.L1(0.2))
    found = columns(state, 4, 3)
    t = np.array([5, 6, 7])
    expected = {
        "p^(1)": 0.5, "p^(3)": 0.25, "lambda_l2": 0.1, "lambda_l1": 0.2, "rate": 0.01, "beta1": 0.8,
        "one_minus_beta1": 1 - 0.8, "beta2": 0.5, "one_minus_beta2": 0.5, "epsilon": 1e-3,
        "mean_correction": 1 / (1 - 0.8**t), "squares_correction": 1 / (1 - 0.5**t), "decay_W": 0.3, "decay_b": 0.0,
    }  # fmt: skip
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-15, err_msg=name)


def test_one_minus_beta_is_exact_in_float32():
    state = lw.start(NET, update=lw.Adam(beta2=0.999))
    assert np.float32(columns(state)["one_minus_beta2"][0]) == np.float32(0.001)
    assert np.float32(1) - np.float32(0.999) != np.float32(0.001)


@EVERY
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_the_bits_of_a_row_are_those_of_its_step(update, schedule):
    state = lw.start(NET, update=update, schedule=schedule, epochs=3, steps_per_epoch=1000)
    whole = state.scalar_table(0, 3000)
    for step in (*range(70), 500, 1023, 1024, 2998, 2999):
        assert state.scalar_table(step, 1)[0].tobytes() == whole[step].tobytes(), step
    for first, count in ((1, 2), (3, 5), (17, 100), (1000, 2000)):
        assert state.scalar_table(first, count).tobytes() == whole[first : first + count].tobytes()


@EVERY
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_one_row_where_it_holds_for_all_steps(update, schedule):
    penalty = lw.L2(1e-3) + lw.L1(1e-4)
    state = lw.start(NET, update=update, schedule=schedule, penalty=penalty, epochs=3, steps_per_epoch=10)
    names = NET.program("train_step", update=update, penalty=penalty).scalars
    found = fewest_scalars(NET, state.settings, names, 3, 7, 0)
    table = state.scalar_table(3, 7)
    assert len(found) == (1 if (table == table[0]).all() else 7)
    assert np.broadcast_to(found, table.shape).tobytes() == table.tobytes()


@EVERY
def test_rows_are_what_the_rule_says(update):
    state = lw.start(NET, update=update, schedule="cosine", epochs=2, steps_per_epoch=10)
    found = columns(state, 3, 2)
    for i in (0, 1):
        rate = state.rate_at(3 + i)
        assert found["rate"][i] == rate
        said = update.scalars(4 + i, rate, True)
        for name in set(found) & set(said):
            assert found[name][i] == pytest.approx(said[name], rel=1e-15)


def test_rates_are_those_of_the_schedule():
    state = lw.start(NET, schedule=lw.InverseTime(0.5), epochs=3, steps_per_epoch=7, update=lw.SGD(0.3))
    assert columns(state, 0, 21)["rate"].tolist() == [state.rate_at(step) for step in range(21)]


def test_a_schedule_is_not_asked_beyond_the_steps():
    class Given(Schedule):
        def factor(self, progress):
            return [1.0, 0.5, 0.25][progress.step]

    state = lw.start(NET, schedule=Given(), update=lw.SGD(0.4))
    assert columns(state, 2)["rate"].tolist() == [0.1]
    assert columns(state, 0, 3)["rate"].tolist() == [0.4, 0.2, 0.1]


def test_a_rule_that_takes_no_arrays():
    class Warm(Update):
        rate = 0.5
        formula = lw.SGD(0.1).formula

        def scalars(self, t, rate, is_weight):
            return {"rate": rate * min(t / 4, 1.0)}

    state = lw.start(NET, update=Warm())
    assert columns(state, 0, 5)["rate"].tolist() == [0.125, 0.25, 0.375, 0.5, 0.5]
    assert columns(state, 1)["rate"].tolist() == [0.25]


def test_memory_that_started_afresh_counts_from_there():
    state = lw.start(NET, update=lw.Adam())
    state.memory_since = 10
    fresh = lw.start(NET, update=lw.Adam())
    assert state.scalar_table(10, 5).tobytes() == fresh.scalar_table(0, 5).tobytes()


@pytest.mark.parametrize("update", [lw.SGD(0.05), lw.Adam(0.01)], ids=str)
def test_an_epoch_in_several_tables(update, sample, monkeypatch):
    net = Network(4, [6], 3, dropout=0.5)
    X, y = sample(net)

    def trained():
        state = lw.start(net, update=update, batch_size=2, schedule="cosine", epochs=3, steps_per_epoch=12)
        data = TrainingData(Source(X, y), np.arange(23))
        for _ in range(3):
            assert state.train_epoch(data)
        return state

    whole = trained()
    monkeypatch.setattr("layerwise.training.state.TABLE_ROWS", 5)
    pieces = trained()
    assert whole.parameters.vector.tobytes() == pieces.parameters.vector.tobytes()
    assert (pieces.steps, pieces.epoch, pieces.position) == (36, 3, 0)
    for one, other in zip(whole.history, pieces.history, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-12)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-12)
