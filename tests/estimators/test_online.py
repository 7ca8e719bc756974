"""partial_fit with one row after the other: the quick way gives what the long one does, and knows when not to."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import layerwise as lw
from layerwise.estimators import online

SETTINGS = [
    {}, {"solver": "sgd", "momentum": 0.0},
    {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 9},
    {"dropout": 0.3, "l1": 0.01}, {"clip_norm": 0.5, "alpha": 1.0}, {"hidden_layer_sizes": ()},
]  # fmt: skip


@pytest.fixture
def quick_steps(monkeypatch):
    """Counts how many rows went the quick way."""
    counted = []
    step = online.OneRow.step
    monkeypatch.setattr(online.OneRow, "step", lambda *given: counted.append(done := step(*given)) or done)
    return counted


def without_quick_steps(made, X, y, classes):
    """The long way: a new object for every row has nothing prepared."""
    for i in range(len(X)):
        made = pickle.loads(pickle.dumps(made))
        made.partial_fit(X[i : i + 1], y[i : i + 1], **classes)
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["classes", "two classes", "words", "numbers", "several numbers"])
def test_the_same_bits(digits, diabetes, quick_steps, kind, settings, dtype):
    X, y = {
        "classes": lambda: digits, "two classes": lambda: (digits[0], digits[1] > 4),
        "words": lambda: (digits[0], np.array(["a", "b", "c"])[digits[1] % 3]), "numbers": lambda: diabetes,
        "several numbers": lambda: (diabetes[0], np.column_stack([diabetes[1], -diabetes[1]])),
    }[kind]()  # fmt: skip
    X, y = X[:25].astype(dtype), y[:25]
    made = lw.MLPRegressor if "numbers" in kind else lw.MLPClassifier
    classes = {} if "numbers" in kind else {"classes": np.unique(y)}
    settings = {"hidden_layer_sizes": 7, "random_state": 1} | settings
    expected = without_quick_steps(made(**settings), X, y, classes)
    assert not any(quick_steps)
    model = made(**settings).partial_fit(X[:1], y[:1], **classes)
    for i in range(1, 25):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    assert sum(quick_steps) == 24
    np.testing.assert_allclose(model.theta_.vector, expected.theta_.vector, rtol=1e-5 if dtype == "float32" else 1e-12)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5 if dtype == "float32" else 1e-12)
    for name in ("n_iter_", "t_", "stopped_"):
        assert getattr(model, name) == getattr(expected, name)
    assert model.best_loss_ == min(model.loss_curve_)


@pytest.fixture
def prepared(digits):
    X, y = digits
    model = lw.MLPClassifier(6, random_state=0).partial_fit(X[:1], y[:1], classes=range(10))
    return model.partial_fit(X[1:2], y[1:2])


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.full((1, 64), np.nan), [0], "NaN"), (np.full((1, 64), np.inf), [0], "infinity"),
        (np.zeros((1, 63)), [0], "63 features"), (np.zeros(64), [0], "Expected 2D array"),
        (np.zeros((1, 64)), [11], "classes not in"), (np.zeros((1, 64)), [0, 1], "inconsistent numbers of samples"),
        (np.zeros((1, 64)), ["3"], "Mix of label input types"), (np.zeros((1, 64), complex), [0], "Complex data"),
        (np.array([["x"] * 64]), [0], "could not convert string"), (np.zeros((0, 64)), [], "0 sample"),
    ],
)  # fmt: skip
def test_every_check_is_made(prepared, X, y, words):
    before = prepared.theta_.vector.copy()
    with pytest.raises((ValueError, TypeError), match=words):
        prepared.partial_fit(X, np.array(y))
    np.testing.assert_array_equal(prepared.theta_.vector, before)
    assert prepared.t_ == 2


def test_whatever_changes_is_heeded(digits, prepared, quick_steps):
    X, y = digits
    row = X[2:3], y[2:3]
    for change in (
        lambda: prepared.set_params(learning_rate_init=0.5), lambda: prepared.set_params(alpha=3.0),
        lambda: prepared.set_params(solver="sgd"), lambda: prepared.set_params(verbose=0),
    ):  # fmt: skip
        change()
        other = without_quick_steps(prepared, *row, {})
        prepared.partial_fit(*row)
        np.testing.assert_allclose(prepared.theta_.vector, other.theta_.vector, rtol=1e-12)
    assert not any(quick_steps)
    prepared.partial_fit(*row)
    assert quick_steps[-1]
    prepared.coefs_ = [np.zeros_like(W) for W in prepared.coefs_]
    prepared.partial_fit(*row)
    assert quick_steps[-1]
    prepared.fit(X[:50], y[:50] % 3)
    with pytest.raises(ValueError, match="classes not in"):
        prepared.partial_fit(X[:1], np.array([7]))


def test_weights_and_classes_go_the_long_way(digits, prepared, quick_steps):
    X, y = digits
    prepared.partial_fit(X[2:3], y[2:3], [2.0])
    prepared.partial_fit(X[2:3], y[2:3], classes=range(10))
    prepared.partial_fit(X[2:4], y[2:4])
    assert not any(quick_steps)


def test_copies_do_not_share_what_is_prepared(digits, prepared):
    X, y = digits
    other = copy.deepcopy(prepared)
    prepared.partial_fit(X[2:3], y[2:3])
    assert (other.theta_.vector != prepared.theta_.vector).any()
    other.partial_fit(X[2:3], y[2:3])
    np.testing.assert_allclose(other.theta_.vector, prepared.theta_.vector, rtol=1e-12)


def test_parameters_that_become_infinite_are_told(diabetes):
    X, y = diabetes
    model = lw.MLPRegressor(hidden_layer_sizes=5, solver="sgd", learning_rate_init=1e200, momentum=0, random_state=0)

    def train():
        for i in range(50):
            model.partial_fit(1e3 * X[i : i + 1], 1e3 * y[i : i + 1])

    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        train()
