"""History: its columns, its CSV, and the definition of every number in it, checked by hand."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.training.history import COLUMNS, History, Record

NET = Network(4, [6], 3, hidden="tanh")
REGRESSION = Network(4, [6], 2, hidden="tanh", output="identity")
NUMBERS = (
    "epoch", "steps", "rate", "train_loss", "train_metric", "penalty", "objective", "gradient_norm",
    "exact_train_loss", "validation_loss", "validation_metric", "seconds",
)  # fmt: skip


@pytest.fixture(scope="module")
def history(sample):
    X, y = sample(NET)
    return lw.fit(NET, X, y, epochs=4, batch_size=5, validation=0.2, penalty=lw.L2(0.01), schedule="cosine").history


def test_columns(history):
    assert COLUMNS == NUMBERS
    for name in NUMBERS:
        values = history[name]
        assert values.dtype == np.float64
        assert values.shape == (4,)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["steps"].tolist() == [4, 8, 12, 16]
    assert np.isnan(history["exact_train_loss"]).all()
    assert np.isfinite(history["validation_loss"]).all()
    assert (np.diff(history["seconds"]) > 0).all()
    np.testing.assert_allclose(history["objective"], history["train_loss"] + history["penalty"], rtol=1e-6)


def test_a_sequence_of_records(history):
    assert len(history) == 4
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    assert history[-1] is history[3]
    assert history[1:3] == [history[1], history[2]]
    assert history[-1].train_loss == history["train_loss"][3]
    assert history[0].exact_train_loss is None
    assert "4 epochs" in repr(history)
    with pytest.raises(IndexError):
        history[4]


def test_unknown_column(history, refuses):
    with refuses(SpecificationError, "history:", "'validation_los'", "did you mean 'validation_loss'"):
        history["validation_los"]


@pytest.mark.parametrize(("net", "metric"), [(NET, "accuracy"), (REGRESSION, "r2")])
def test_csv_round_trip(net, metric, sample):
    X, y = sample(net)
    history = lw.fit(net, X, y, epochs=3, exact_train_loss=True, update=lw.SGD(0.1)).history
    text = history.to_csv()
    assert "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [name.replace("metric", metric) for name in NUMBERS]
    assert list(rows[0]) == names
    for row, record in zip(rows, history, strict=True):
        kinds = (int, int, *[float] * 10)
        values = [kind(row[name]) if row[name] else None for kind, name in zip(kinds, names, strict=True)]
        assert Record(*values) == record  # every digit is there
        assert row["validation_loss"] == ""
    assert lw.History(metric, list(history)).to_csv() == text
    assert lw.History(metric).to_csv() == ",".join(names) + "\n"


def test_csv_of_a_rate_from_numpy(sample):
    history = lw.fit(NET, *sample(NET), epochs=1, update=lw.SGD(np.logspace(-1, -2, 2)[0])).history
    assert float(next(csv.DictReader(io.StringIO(history.to_csv())))["rate"]) == 0.1


@pytest.mark.parametrize("size", [1, 5, 23])
@pytest.mark.parametrize("w", [None, np.random.default_rng(1).uniform(0, 3, 23)], ids=["no weights", "weights"])
def test_running_means_by_hand(size, w, sample):
    X, y = sample(NET)
    settings = {
        "update": lw.SGD(0.3, momentum=0.5),
        "batch_size": size,
        "penalty": lw.L2(0.01) + lw.L1(0.02),
        "dtype": "float64",
    }
    model = lw.fit(NET, X, y, weights=w, epochs=2, **settings)
    state = lw.start(NET, **settings)
    relative = np.ones(23) if w is None else w / w.mean()
    for epoch in range(2):
        order = state.order_of(epoch, np.arange(23))
        results, counts = [], []
        for start in range(0, 23, size):
            rows = order[start : start + size]
            before = state.parameters.copy()
            results.append(state.step(X[rows], y[rows], relative[rows], rows=rows))
            counts.append(len(rows))
            trace = NET.trace(
                before, X[rows], y[rows], settings["penalty"], relative[rows], weight_mean=1.0
            )  # the loss is taken before the update, of the batch alone
            assert results[-1].loss == pytest.approx(trace.loss, rel=1e-12)
            assert results[-1].penalty == pytest.approx(trace.penalty, rel=1e-12)
            assert results[-1].gradient_norm == pytest.approx(np.linalg.norm(trace.gradient), rel=1e-12)
            assert results[-1].metric == (trace.f.argmax(axis=1) == y[rows]).mean()
        record = model.history[epoch]
        for mine, theirs in (
            ("train_loss", "loss"), ("train_metric", "metric"), ("penalty", "penalty"), ("objective", "objective"),
            ("gradient_norm", "gradient_norm"),
        ):  # fmt: skip
            expected = np.average([getattr(result, theirs) for result in results], weights=counts)
            assert getattr(record, mine) == pytest.approx(expected, rel=1e-12), mine
        assert record.rate == 0.3
    assert state.parameters.vector.tobytes() == model.parameters.vector.tobytes()


def test_gradient_norm_counts_every_parameter(sample):
    net = Network(4, [Layer(6, "tanh", 0.3, True)], 3)
    X, y = sample(net)
    model = lw.fit(net, X, y, batch_size="all", epochs=1, dtype="float64", penalty=lw.L2(0.1), shuffle=False, seed=2)
    trace = net.trace(net.initialize(seed=2), X, y, lw.L2(0.1), mode="train", key=(2, 0))
    assert model.history[0].gradient_norm == pytest.approx(math.sqrt((trace.gradient**2).sum()), rel=1e-12)
    assert model.history[0].objective == pytest.approx(trace.objective, rel=1e-12)


@pytest.mark.parametrize("w", [None, np.random.default_rng(1).uniform(0, 3, 23)], ids=["no weights", "weights"])
def test_exact_train_loss(w, sample):
    net = Network(4, [Layer(6, "tanh", 0.5)], 3)
    X, y = sample(net)
    model = lw.fit(net, X, y, epochs=3, weights=w, exact_train_loss=True, batch_size=5, dtype="float64")
    exact = model.history["exact_train_loss"]
    assert exact[-1] == pytest.approx(net.trace(model.parameters, X, y, weights=w).loss, rel=1e-12)
    assert exact[-1] == pytest.approx(model.evaluate(X, y, w).loss, rel=1e-12)
    assert (exact != model.history["train_loss"]).all()


def test_exact_train_loss_leaves_the_validation_rows_out(sample):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, epochs=2, validation=0.3, exact_train_loss=True, dtype="float64")
    everything, held_out = model.evaluate(X, y).loss, model.history[-1].validation_loss
    n = 23 - 7
    assert (n * model.history[-1].exact_train_loss + 7 * held_out) / 23 == pytest.approx(everything, rel=1e-12)


def test_r2_of_training(sample):
    X, y = sample(REGRESSION)
    model = lw.fit(REGRESSION, X, y, batch_size="all", epochs=1, dtype="float64")
    f = REGRESSION.predict(REGRESSION.initialize(seed=0), X)
    expected = 1 - ((f - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum()
    assert model.history[0].train_metric == pytest.approx(expected, rel=1e-12)
    constant = lw.fit(REGRESSION, X, np.ones((23, 2)), epochs=1)
    assert np.isnan(constant.history["train_metric"]).all()  # no spread to explain


def test_csv_is_read_back_exactly(history):
    again = History.from_csv(history.to_csv())
    assert list(again) == list(history)
    assert again.metric == history.metric
    assert list(History.from_csv(History("r2").to_csv())) == []


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        (lambda text: "", "columns of a history"),
        (lambda text: text.replace("epoch,", "turn,", 1), "columns of a history"),
        (lambda text: text + "5,20\n", "epoch 5"),
        (lambda text: text.replace("\n1,", "\none,", 1), "epoch 1"),
        (lambda text: text.replace("\n2,8,", "\n2,,", 1), "epoch 2"),
    ],
)
def test_other_text_is_refused(history, refuses, change, piece):
    with refuses(InputError, "history", piece):
        History.from_csv(change(history.to_csv()))
