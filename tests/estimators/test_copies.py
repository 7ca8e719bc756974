"""Copies, stored estimators, processes and threads: the same bits, and nothing that is not needed."""

from __future__ import annotations

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(made=lw.MLPClassifier, **settings):
    """A classifier that learns iris in a moment."""
    return made(**{"hidden_layer_sizes": 8, "learning_rate_init": 0.05, "max_iter": 15, "random_state": 0} | settings)


def regressor(**settings):
    return classifier(lw.MLPRegressor, **settings)


COPIES = {
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "joblib": lambda made: joblib.load(stored(made)),
    "deepcopy": copy.deepcopy,
}
KINDS = {
    "adam": {}, "momentum": {"solver": "sgd", "learning_rate": "adaptive"}, "dropout": {"dropout": 0.3},
    "batch norm": {"batch_norm": True}, "float32": {}, "early stopping": {"early_stopping": True},
    "calibrated": {"early_stopping": True, "calibrate": True}, "ensemble": {"n_ensemble": 2},
}  # fmt: skip


def stored(made):
    file = io.BytesIO()
    joblib.dump(made, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_the_same_and_goes_on_the_same(iris, way, kind):
    X, y = iris[0].astype(np.float32 if kind == "float32" else np.float64), iris[1]
    original = classifier(warm_start=True, max_iter=5, **KINDS[kind]).fit(X, y)
    copied = COPIES[way](original)
    np.testing.assert_array_equal(copied.predict_proba(X), original.predict_proba(X))
    np.testing.assert_array_equal(copied.transform(X), original.transform(X))
    before = original.predict_proba(X)
    copied.fit(X, y)
    np.testing.assert_array_equal(original.predict_proba(X), before)  # they have nothing in common
    original.fit(X, y)
    np.testing.assert_array_equal(copied.predict_proba(X), original.predict_proba(X))
    if not original.early_stopping:
        for rows in (slice(0, 150), slice(0, 50), slice(7, 57)):
            for made in (original, copied):
                made.partial_fit(X[rows], y[rows])
        np.testing.assert_array_equal(copied.predict_proba(X), original.predict_proba(X))


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_taken_between_single_rows_goes_on_the_same(iris, way):
    X, y = iris
    original = classifier()
    for t in range(5):
        original.partial_fit(X[t : t + 1], y[t : t + 1], classes=[0, 1, 2] if t == 0 else None)
    copied = COPIES[way](original)
    for t in range(5, 10):
        original.partial_fit(X[t : t + 1], y[t : t + 1])
        copied.partial_fit(X[t : t + 1], y[t : t + 1])
    np.testing.assert_array_equal(copied.theta_.vector, original.theta_.vector)
    assert copied.loss_curve_ == original.loss_curve_
    assert copied.t_ == original.t_ == 10


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_has_no_training_data(kind):
    """100 000 numbers are trained on; parameters, memories of Adam and curves are some thousands."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(5000, 20)), np.arange(5000) % 3
    made = classifier(max_iter=2, **KINDS[kind])
    made.fit(X, y)
    assert len(pickle.dumps(made)) < 60_000
    if kind == "adam":
        assert len(pickle.dumps(made.fit(X, y, np.ones(5000), validation=(X, y)))) < 60_000
        assert len(pickle.dumps(made.partial_fit(X, y))) < 60_000
        assert len(pickle.dumps(made.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1]))) < 60_000
    if kind == "momentum":
        assert len(pickle.dumps(regressor(max_iter=2).fit(X, y))) < 60_000


def test_a_clone_is_not_fitted_and_has_the_same_parameters(iris):
    made = classifier(activation=lambda s, a: s.max(a, 0), callbacks=[print_nothing], hidden_layer_sizes=[4, 3])
    for original in (made, made.fit(*iris)):
        cloned = clone(original)
        assert cloned.get_params() == original.get_params()
        assert not [name for name in vars(cloned) if name.endswith("_")]
    np.testing.assert_array_equal(cloned.fit(*iris).theta_.vector, made.theta_.vector)


def print_nothing(state):
    """A callback that can be pickled."""


# --- processes and threads --------------------------------------------------------------------------------------------


def threads_of_the_engine():
    """How many threads the engine would use here."""
    from layerwise.engines import engine

    return engine().threads


def test_workers_share_the_processors(monkeypatch):
    monkeypatch.delenv("LAYERWISE_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(threads_of_the_engine)() for _ in range(2))
    assert max(found) <= max(1, joblib.cpu_count() // 2)


STRATIFIED = {"early_stopping": True, "validation_split": "stratified", "metric": "f1_macro"}


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.2, "batch_norm": True}, STRATIFIED])
@pytest.mark.parametrize("prefer", ["threads", "processes"])
def test_two_fits_at_once_give_the_bits_of_one(digits, settings, prefer):
    X, y = digits

    def fit(seed):
        made = classifier(random_state=seed, max_iter=8, tol=1, n_iter_no_change=20, **settings)
        return made.fit(X, y).theta_.vector

    alone = [fit(seed) for seed in range(4)]
    together = joblib.Parallel(n_jobs=2, prefer=prefer)(joblib.delayed(fit)(seed) for seed in range(4))
    np.testing.assert_array_equal(together, alone)
