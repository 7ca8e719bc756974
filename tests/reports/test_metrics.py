"""Metrics against scikit-learn's; intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from layerwise.errors import InputError
from layerwise.reports.metrics import class_quality, number_quality


@pytest.fixture
def predicted():
    rng = np.random.default_rng(0)

    def made(C, n=300):
        P = rng.dirichlet(np.ones(C), size=n).round(2)
        P[:, -1] = np.maximum(1 - P[:, :-1].sum(axis=1), 0)
        y = np.array([rng.choice(C, p=p / p.sum()) for p in P])
        return y, P

    return made


@pytest.mark.parametrize("C", [2, 3, 7])
def test_classes(C, predicted):
    y, P = predicted(C)
    found = class_quality(y, P, resamples=50)
    said = P.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(y, said),
        "balanced_accuracy": sk.balanced_accuracy_score(y, said),
        "macro_f1": sk.f1_score(y, said, average="macro"),
        "brier": np.mean(((P - np.eye(C)[y]) ** 2).sum(axis=1)),
        **({"roc_auc": sk.roc_auc_score(y, P[:, 1])} if C == 2 else {}),
    }
    for name, value in expected.items():
        assert found.metrics[name].value == pytest.approx(value, abs=1e-12)
        assert found.metrics[name].low <= value <= found.metrics[name].high
    sure = P[np.arange(len(y)), y] > 0
    only = class_quality(y[sure], P[sure], resamples=2).metrics["log_loss"].value
    assert only == pytest.approx(-np.log(P[sure, y[sure]]).mean())
    assert np.array_equal(found.confusion, sk.confusion_matrix(y, said, labels=range(C)))
    assert found.calibration.count.sum() == len(y)


def test_a_class_that_does_not_occur():
    found = class_quality([0, 0, 1], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]], resamples=20)
    assert found.metrics["balanced_accuracy"].value == 0.75
    alone = class_quality([0, 0], [[0.8, 0.2], [0.4, 0.6]], resamples=20)
    assert np.isnan(alone.metrics["roc_auc"].value)
    assert np.isnan(alone.metrics["roc_auc"].low)


def test_calibration_error():
    P = np.repeat([[0.75, 0.25], [0.35, 0.65]], 100, axis=0)
    y = np.concatenate([np.zeros(75), np.ones(25), np.ones(45), np.zeros(55)]).astype(int)
    found = class_quality(y, P, resamples=2).calibration
    assert found.error == pytest.approx((0 + 0.2) / 2)


def test_numbers():
    rng = np.random.default_rng(1)
    y = rng.normal(size=200)
    f = y + rng.normal(size=200) / 2
    found = number_quality(y, f, resamples=100)
    assert found.metrics["r2"].value == pytest.approx(sk.r2_score(y, f))
    assert found.metrics["rmse"].value == pytest.approx(sk.root_mean_squared_error(y, f))
    assert found.metrics["mae"].value == pytest.approx(sk.mean_absolute_error(y, f))
    assert found.metrics["bias"].value == pytest.approx((y - f).mean())
    assert np.isnan(number_quality([1.0, 1.0], [1.0, 2.0], resamples=5).metrics["r2"].value)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(2)
    covered = 0
    for round_ in range(200):
        y = (rng.random(150) < 0.8).astype(int)  # a model that always says 1 is right in 80 % of all rows
        metric = class_quality(y, np.tile([0.2, 0.8], (150, 1)), resamples=200, seed=round_).metrics["accuracy"]
        covered += metric.low <= 0.8 <= metric.high
    assert 0.89 <= covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval(predicted):
    y, P = predicted(3)
    assert class_quality(y, P, seed=3).metrics == class_quality(y, P, seed=3).metrics
    assert class_quality(y, P, seed=3).metrics != class_quality(y, P, seed=4).metrics


@pytest.mark.parametrize(("y", "P"), [([0, 2], [[1, 0], [0, 1]]), ([0], [[1, 0], [0, 1]]), ([], np.empty((0, 2)))])
def test_shapes(y, P, refuses):
    with refuses(InputError):
        class_quality(y, P)


def test_number_shapes(refuses):
    with refuses(InputError):
        number_quality([1.0, 2.0], [1.0])
