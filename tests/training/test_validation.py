"""Validation rows and early stopping: what is measured, when training ends, which parameters come back."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.data.splits import split_rows
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.training.stopping import EarlyStopping

NET = Network(4, [24], 3, hidden="tanh")
UPDATE = lw.Adam(0.05)


@pytest.fixture(scope="module")
def rows(sample):
    """Training rows with wrong labels among them, so that the validation loss rises in the end."""
    X, y = sample(NET, 60)
    y = y.copy()
    y[:15] = (y[:15] + 1) % 3
    return X, y, *sample(NET, 40, seed=1)


def trained(rows, epochs=60, **settings):
    X, y, Xv, yv = rows
    return lw.fit(NET, X, y, update=UPDATE, epochs=epochs, **{"validation": (Xv, yv)} | settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_last_record_is_that_of_the_last_parameters(dtype, rows):
    model = trained(rows, epochs=3, dtype=dtype)
    result = model.evaluate(*rows[2:])
    assert model.history[-1].validation_loss == result.loss
    assert model.history[-1].validation_metric == result.metric
    accuracy = (model.predict(rows[2]).argmax(axis=1) == rows[3]).mean()
    assert result.metric == pytest.approx(accuracy, rel=1e-7 if dtype == "float32" else 1e-15)
    assert result.loss == pytest.approx(model.trace(*rows[2:]).loss, rel=1e-5 if dtype == "float32" else 1e-12)


def test_validation_changes_nothing(rows):
    one, other = trained(rows, epochs=3), trained(rows, epochs=3, validation=None)
    assert one.parameters.vector.tobytes() == other.parameters.vector.tobytes()
    assert np.isnan(other.history["validation_loss"]).all()
    assert other.history[0].validation_metric is None


def test_validation_is_prediction(sample):
    net = Network(4, [Layer(12, "relu", 0.5, True)], 3)
    X, y = sample(net)
    model = lw.fit(net, X, y, epochs=4, validation=(X, y), dtype="float64")
    assert model.history[-1].validation_loss == pytest.approx(net.trace(model.parameters, X, y).loss, rel=1e-12)


def test_validation_with_weights(rows):
    Xv, yv = rows[2:]
    w = np.random.default_rng(1).uniform(0, 2, 40)
    model = trained(rows, epochs=2, validation=(Xv, yv, w), dtype="float64")
    expected = model.trace(Xv, yv, weights=w).loss
    assert model.history[-1].validation_loss == pytest.approx(expected, rel=1e-12)
    assert model.history[-1].validation_metric == model.evaluate(Xv, yv).metric  # never weighted
    scaled = trained(rows, epochs=2, validation=[Xv, yv, 7 * w], dtype="float64")
    np.testing.assert_allclose(scaled.history["validation_loss"], model.history["validation_loss"], rtol=1e-12)


@pytest.mark.parametrize("fraction", [0.1, 0.25, np.float32(0.5)])
def test_a_fraction_is_held_out_in_proportion_to_the_classes(fraction, sample):
    net = Network(4, [6], 2)
    X = sample(net, 100)[0]
    y = np.repeat([0, 1], [80, 20])
    parts = split_rows(100, seed=3, test=0, validation=float(fraction), strata=y)
    assert len(parts.validation) == round(100 * fraction)
    assert (y[parts.validation] == 1).sum() == round(20 * fraction)
    assert sorted([*parts.train, *parts.validation]) == list(range(100))
    model = lw.fit(net, X, y, epochs=2, validation=fraction, seed=3, order=[parts.train], dtype="float64")
    apart = lw.fit(
        net, X[parts.train], y[parts.train], epochs=2, seed=3, shuffle=False, dtype="float64",
        validation=(X[parts.validation], y[parts.validation]),
    )  # fmt: skip
    assert model.parameters.vector.tobytes() == apart.parameters.vector.tobytes()
    for column in ("train_loss", "validation_loss", "validation_metric", "steps"):
        assert model.history[column].tobytes() == apart.history[column].tobytes()


def test_a_fraction_of_a_regression(sample):
    net = Network(4, [6], 2, output="identity")
    X, y = sample(net, 30)
    model = lw.fit(net, X, y, epochs=2, validation=0.2, seed=1, dtype="float64")
    held_out = split_rows(30, seed=1, test=0, validation=0.2).validation
    assert len(held_out) == 6
    assert model.history[-1].validation_loss == pytest.approx(model.evaluate(X[held_out], y[held_out]).loss, rel=1e-12)
    assert model.history[-1].validation_metric == pytest.approx(
        model.evaluate(X[held_out], y[held_out]).metric, rel=1e-12
    )


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, True, "0.1", np.nan])
def test_fractions_that_cannot_be(fraction, rows, refuses):
    with refuses(SpecificationError, "validation:", "fraction between 0 and 1", repr(fraction)):
        trained(rows, validation=fraction)


@pytest.mark.parametrize(
    ("change", "kind", "pieces"),
    [
        (lambda X, y: (X,), SpecificationError, ("validation:", "got 1 arrays")),
        (lambda X, y: (X, y, y, y), SpecificationError, ("validation:", "got 4 arrays")),
        (lambda X, y: (X[:, :2], y), InputError, ("validation X:", "4 columns")),
        (lambda X, y: (X, y + 1), InputError, ("validation y:", "class codes 0 to 2")),
        (lambda X, y: (X, y[:5]), InputError, ("validation y:", "(40,)", "(5,)")),
        (lambda X, y: (X, y, -np.ones(40)), InputError, ("validation weights:", "at least 0")),
        (lambda X, y: (np.where(X > 1, np.nan, X), y), InputError, ("validation X:", "finite", "row")),
    ],
)
def test_validation_rows_that_cannot_be(change, kind, pieces, rows, refuses):
    with refuses(kind, *pieces):
        trained(rows, validation=change(*rows[2:]))


@pytest.mark.parametrize("monitor", ["loss", "metric"])
def test_the_best_epoch_comes_back(monitor, rows):
    model = trained(rows, patience=8, monitor=monitor, epochs=500)
    assert model.state.stopped == "patience"
    values = model.history[f"validation_{monitor}"]
    best = values.argmin() if monitor == "loss" else values.argmax()  # the first of equals
    assert len(model.history) == best + 1 + 8
    result = model.evaluate(*rows[2:])
    assert (result.loss, result.metric) == (
        model.history[int(best)].validation_loss,
        model.history[int(best)].validation_metric,
    )
    assert model.state.early_stopping.best_epoch == best + 1
    assert model.state.early_stopping.waited == 8
    assert model.parameters.vector.tobytes() == trained(rows, epochs=int(best) + 1).parameters.vector.tobytes()
    assert model.parameters.vector.tobytes() == model.state.best.vector.tobytes()
    assert model.parameters.vector.tobytes() != model.state.parameters.vector.tobytes()


def test_statistics_come_back_too(sample):
    net = Network(4, [Layer(24, "tanh", batch_norm=True)], 3)
    (X, y), validation = sample(net, 30), sample(net, 20, seed=3)
    model = lw.fit(net, X, y, validation=validation, patience=3, epochs=300, update=lw.Adam(0.1))
    assert model.state.stopped == "patience"
    assert model.evaluate(*validation).loss == model.history["validation_loss"].min()
    assert model.parameters.statistics.tobytes() != model.state.statistics.tobytes()


def test_restoring_without_patience(rows):
    best, last = trained(rows, restore_best=True), trained(rows)
    assert best.state.stopped is None
    assert len(best.history) == len(last.history) == 60
    assert best.evaluate(*rows[2:]).loss == best.history["validation_loss"].min()
    assert last.evaluate(*rows[2:]).loss == last.history["validation_loss"][-1] > last.history["validation_loss"].min()


def test_patience_without_restoring(rows):
    model = trained(rows, patience=4, restore_best=False, epochs=500)
    assert model.state.stopped == "patience"
    assert model.evaluate(*rows[2:]).loss == model.history["validation_loss"][-1]


def test_min_improvement(rows):
    losses = trained(rows).history["validation_loss"]
    model = trained(rows, patience=5, min_improvement=0.05)
    expected, best, waited = 0, np.inf, 0
    for expected, loss in enumerate(losses, 1):  # noqa: B007
        best, waited = (loss, 0) if loss < best - 0.05 else (best, waited + 1)
        if waited == 5:
            break
    assert len(model.history) == expected < len(trained(rows, patience=5).history)


def test_early_stopping_by_itself():
    theta = NET.initialize()
    stopping = EarlyStopping("metric", patience=2)
    values = [0.5, 0.7, 0.7, float("nan"), 0.9]
    assert [stopping.see(epoch, 1.0, value, theta) for epoch, value in enumerate(values[:4], 1)] == [False] * 3 + [True]
    assert (stopping.best_epoch, stopping.best_value, stopping.waited) == (2, -0.7, 2)
    stopping.see(5, 1.0, values[4], theta)
    assert (stopping.best_epoch, stopping.waited) == (5, 0)
    theta.vector[...] = 0
    assert stopping.best_parameters.vector.any()  # a copy


@pytest.mark.parametrize(
    ("settings", "pieces"),
    [
        ({"patience": 3, "validation": None}, ("patience:", "validation data", "validation=0.1")),
        ({"restore_best": True, "validation": None}, ("validation data", "validation=0.1")),
        ({"patience": 0}, ("patience:", "at least 1", "got 0")),
        ({"patience": 2.5}, ("patience:", "whole")),
        ({"monitor": "accuracy"}, ("monitor:", '"loss" or "metric"', "'accuracy'")),
        ({"min_improvement": -1}, ("min_improvement:", "at least 0")),
        ({"epochs": 0}, ("epochs:", "at least 1")),
        ({"epochs": 1.5}, ("epochs:", "whole")),
        ({"seed": -1}, ("seed:", "at least 0")),
        ({"schedule": "cosin"}, ("schedule:", "did you mean 'cosine'?")),
    ],
)
def test_settings_that_cannot_be(settings, pieces, rows, refuses):
    with refuses(SpecificationError, *pieces):
        trained(rows, **settings)


@pytest.mark.parametrize("settings", [{"penalty": 1e-4}, {"penalty": "l2"}, {"update": 0.1}, {"update": "adm"}])
def test_settings_of_the_wrong_kind(settings, sample, refuses):
    (name, value), *_ = settings.items()
    with refuses(SpecificationError, f"{name}:", repr(value)):
        lw.fit(NET, *sample(NET), **settings)
