"""Checks of data, predictions and training: each finds the fault that was made, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise import diagnosis
from layerwise.data.encoding import NumberColumn, WordColumn
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Network

AGE = NumberColumn("age", 40.0, 40.0, 10.0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def two_groups(rng):
    """Rows of two classes that are far apart."""
    y = np.arange(200) % 2
    return rng.normal(size=(200, 3)) + 4 * y[:, None], y


def test_wrong_labels_are_found_by_networks_that_did_not_see_them(two_groups):
    X, y = two_groups
    wrong = y.copy()
    flipped = [7, 50, 121]
    wrong[flipped] = 1 - wrong[flipped]
    net = Network(3, [10], 2)
    settings = {"update": "nesterov", "batch_size": 8, "epochs": 20}
    f, epochs = diagnosis.held_out_predictions(net, X, wrong, **settings)
    assert epochs == 20
    found = diagnosis.label_suspects(wrong, f, names=["no", "yes"], rows=np.arange(1000, 1200))
    listed = found.figures["rows"]
    assert found.verdict == "look"
    assert {row["row"] for row in listed} == {1000 + i for i in flipped}
    assert all(row["p_given"] < 0.02 and row["given"] != row["predicted"] for row in listed)
    assert [row["p_given"] for row in listed] == sorted(row["p_given"] for row in listed)
    right, _ = diagnosis.held_out_predictions(net, X, y, **settings)
    assert diagnosis.label_suspects(y, right).figures["suspects"] == 0


def test_held_out_means_held_out():
    """Targets at random: a network that had seen the rows would know them, the others cannot."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(150, 20)), rng.integers(0, 2, 150)
    f, _ = diagnosis.held_out_predictions(Network(20, [50], 2), X, y, update="nesterov", batch_size=8, epochs=40)
    assert np.isfinite(f).all()
    assert (f.argmax(axis=1) == y).mean() < 0.65


def test_held_out_work_is_bounded(monkeypatch, two_groups):
    monkeypatch.setattr("layerwise.diagnosis.predictions.WORK", 1.0)
    assert diagnosis.held_out_predictions(Network(3, [5], 2), *two_groups, epochs=50)[1] == 1


def test_numbers_far_off_are_suspects(rng):
    y = rng.normal(size=100)
    predicted = y + 0.1 * rng.normal(size=100)
    assert diagnosis.label_suspects(y, predicted).verdict == "ok"
    y[17] += 3
    (row,) = diagnosis.label_suspects(y, predicted).figures["rows"]
    assert (row["row"], row["given"]) == (17, y[17])
    assert row["deviations"] > 10


def test_many_suspects_are_no_suspects(rng):
    P = np.tile([0.999, 0.001], (100, 1))
    found = diagnosis.label_suspects(np.ones(100, int), P)
    assert (found.figures["suspects"], found.figures["rows"]) == (100, [])
    assert "predictions themselves" in found.meaning


def test_rows_without_prediction_are_left_out():
    found = diagnosis.label_suspects([0, 1], [[np.nan, np.nan], [0.999, 0.001]])
    assert "1 of 1 rows" in found.seen


@pytest.mark.parametrize(
    ("change", "verdict", "piece"),
    [
        (lambda v: v, "ok", "like that of training"),
        (lambda v: v + 15, "look", "mean 5"),
        (lambda v: v * 365, "problem", "mean 1"),
        (lambda v: 40 + (v - 40) * 5, "look", "standard deviation"),
        (lambda v: 40 + (v - 40) / 100, "problem", "standard deviation"),
        (lambda v: np.full_like(v, 40.0), "look", "the same in all rows"),
        (lambda v: np.where(np.arange(len(v)) < 80, np.nan, v), "look", "40% missing"),
        (lambda v: np.full_like(v, np.nan), "problem", "100% missing"),
        (lambda v: np.where(np.arange(len(v)) < 4, 1e4, v), "look", "far outside"),
    ],
)
def test_columns_of_numbers(rng, change, verdict, piece):
    found = diagnosis.number_column(AGE, change(rng.normal(40, 10, 200)))
    assert found.verdict in (verdict, "problem") if piece == "far outside" else found.verdict == verdict
    assert piece in found.seen
    assert bool(found.remedy) == (found.verdict != "ok")


def test_chance_is_no_shift():
    assert diagnosis.number_column(AGE, np.array([60.0])).verdict == "ok"
    assert diagnosis.number_column(AGE, np.array([60.0, 61.0])).verdict == "ok"


def test_a_column_that_training_could_not_use():
    found = diagnosis.number_column(NumberColumn("one", 1.0, 1.0, 0.0), np.ones(50))
    assert (found.verdict, "ignores it" in found.seen) == ("look", True)


@pytest.mark.parametrize(("unknown", "missing", "known", "verdict"), [
    (0, 0, False, "ok"), (10, 0, False, "look"), (60, 0, False, "problem"), (0, 1, False, "look"), (0, 1, True, "ok"),
    (0, 40, True, "look"),
])  # fmt: skip
def test_columns_of_words(unknown, missing, known, verdict):
    column = WordColumn("job", ("clerk", "nurse"), known)
    assert diagnosis.word_column(column, unknown, missing, 100).verdict == verdict


def test_images(rng):
    X = rng.random((50, 16))
    assert diagnosis.pixels(X).verdict == "ok"
    assert diagnosis.pixels(X / 255).verdict == "problem"
    X[:3] = 0.5
    found = diagnosis.pixels(X)
    assert (found.verdict, found.figures["empty"]) == ("look", 0.06)


def test_calibration_is_judged_beyond_chance(rng):
    sure = np.array([0.55, 0.75, 0.95])
    count = np.array([300, 300, 300])
    right = rng.binomial(count, sure) / count
    assert diagnosis.calibration(count, sure, right).verdict == "ok"
    assert diagnosis.calibration(count, sure, sure - 0.1).verdict == "look"
    found = diagnosis.calibration(count, sure, sure - 0.3)
    assert (found.verdict, found.meaning) == ("problem", "The model is surer than it is right.")
    assert found.figures["error"] == pytest.approx(0.3)
    modest = diagnosis.calibration(count, sure - 0.5, sure)
    assert (modest.verdict, "more often right" in modest.meaning) == ("look", True)
    few = diagnosis.calibration([2, 2, 2], sure, sure - 0.1)
    assert few.verdict == "ok"  # six rows cannot tell


def test_by_chance_is_what_chance_gives():
    rng = np.random.default_rng(5)
    sure, count = np.array([0.6, 0.8]), np.array([100, 400])
    errors = [np.abs(rng.binomial(count, sure) / count - sure) @ count / 500 for _ in range(4000)]
    assert diagnosis.calibration(count, sure, sure).figures["by_chance"] == pytest.approx(np.mean(errors), rel=0.05)


def test_class_balance():
    assert diagnosis.class_balance([0, 0, 1], ["a", "b"]).verdict == "ok"
    found = diagnosis.class_balance([0] * 30 + [1], ["a", "b"])
    assert (found.verdict, found.figures["ratio"]) == ("look", 30)
    assert diagnosis.class_balance([0, 0], ["a", "b"]).figures["ratio"] is None


def test_underfitting():
    reference = diagnosis.constant_loss(Network(2, [3], 2), [0, 0, 0, 1])
    assert diagnosis.learnt_something(0.3, reference).verdict == "ok"
    assert diagnosis.learnt_something(0.9 * reference, reference).verdict == "look"
    assert diagnosis.learnt_something(reference, reference).verdict == "problem"
    assert "astray" in diagnosis.learnt_something(5.0, reference).meaning
    assert diagnosis.learnt_something(0.1, 0.0).verdict == "ok"  # all targets are the same
    assert diagnosis.learnt_something(float("nan"), reference).verdict == "problem"


def test_overfitting():
    assert diagnosis.generalisation(0.3, 0.35, 0.7, 100).verdict == "ok"
    assert diagnosis.generalisation(0.01, 0.4, 0.7, 100).verdict == "look"
    assert diagnosis.generalisation(0.01, 1.4, 0.7, 100).verdict == "problem"
    few = diagnosis.generalisation(0.01, 1.4, 0.7, 10)
    assert (few.verdict, "rough" in few.seen) == ("look", True)


@pytest.mark.parametrize(
    ("train", "validation", "settings", "verdict", "piece"),
    [
        (np.linspace(1, 0.1, 50), np.linspace(1, 0.2, 50), {}, "look", "--epochs 100"),
        (np.linspace(1, 0.1, 50), None, {}, "look", "--epochs 100"),
        (np.geomspace(1, 1e-3, 50), np.r_[1, 0.3, np.full(48, 0.4)], {"stopped": "patience", "best_epoch": 2}, "look",
         "--rate"),
        (np.geomspace(1, 1e-3, 50), np.r_[np.geomspace(1, 0.1, 30), np.full(20, 0.1)],
         {"stopped": "patience", "best_epoch": 30}, "ok", ""),
        ([0.7, 0.3, 5.0], None, {}, "problem", "--rate"),
        ([0.7, float("nan")], None, {}, "problem", "--rate"),
        ([0.7, 0.5], [0.7, 0.6], {"stopped": "interrupted"}, "look", "to its end"),
        ([0.7], [float("nan")], {}, "ok", ""),
    ],
)  # fmt: skip
def test_end_of_training(train, validation, settings, verdict, piece):
    found = diagnosis.end_of_training(train, validation, **settings)
    assert found.verdict == verdict
    assert piece in found.remedy


def test_length_of_updates():
    assert diagnosis.step_size(0.1, 1.0, 30.0).verdict == "ok"
    assert diagnosis.step_size(0.1, 30.0, 30.0).verdict == "look"
    assert diagnosis.step_size(10.0, 30.0, 30.0).verdict == "problem"
    assert diagnosis.step_size(1e-8, 1.0, 30.0).remedy == "a higher --rate"


@pytest.mark.parametrize(
    ("output", "y", "loss"),
    [
        ("identity", [1.0, 2.0, 6.0], 14 / 6), ("absolute", [1.0, 2.0, 6.0], 5 / 3),
        ("sigmoid", [0, 0, 0, 1], 0.5623351446), ("huber", [5.0, 5.0, 5.1], None),
    ],
)  # fmt: skip
def test_constant_loss_is_the_least_that_a_constant_reaches(output, y, loss):
    net = Network(1, [], 1, output=output)
    found = diagnosis.constant_loss(net, y)
    if loss is not None:
        assert found == pytest.approx(loss, rel=1e-5)
    theta = net.initialize()
    theta.W[1][...] = 0.0
    for b in np.linspace(-2, 6, 401):
        theta.b[1][...] = b
        assert net.trace(theta, np.zeros((len(y), 1)), y).loss >= found - 1e-9


def test_wrong_arguments_are_refused(refuses, two_groups):
    with refuses(InputError, "count"):
        diagnosis.calibration([0], [0.5], [0.5])
    with refuses(InputError, "predicted"):
        diagnosis.label_suspects([0, 1], [[0.5, 0.5]])
    with refuses(InputError, "train_loss"):
        diagnosis.end_of_training([])
    with refuses(InputError, "at least one"):
        diagnosis.class_balance([], ["a"])
    with refuses(InputError, "images"):
        diagnosis.pixels(np.ones((0, 4)))
    with refuses(SpecificationError, "folds"):
        diagnosis.held_out_predictions(Network(3, [5], 2), *two_groups, folds=1)
    with refuses(InputError, "at least 6 rows"):
        diagnosis.held_out_predictions(Network(3, [5], 2), two_groups[0][:5], two_groups[1][:5])
