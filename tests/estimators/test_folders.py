"""Estimators as model folders: the same bits come back, and training goes on exactly or says why it does not."""

from __future__ import annotations

import importlib.util
import json
import pickle
import warnings
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import layerwise as lw
from layerwise.errors import SpecificationError, StorageError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FAST = {"hidden_layer_sizes": (6,), "learning_rate_init": 0.05, "max_iter": 5, "random_state": 0}


def classifier(**settings):
    return lw.MLPClassifier(**FAST | settings)


def regressor(**settings):
    return lw.MLPRegressor(**FAST | settings)


def autoencoder(**settings):
    return lw.Autoencoder(**FAST | {"hidden_layer_sizes": (4, 2)} | settings)


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(90, 4))


def rows(X):
    """The row numbers, in an order that has nothing to do with X."""
    return np.arange(len(X)) * 7 % 90


CLASSES = {
    "words": lambda X: np.array(["b", "ccc", "a"])[rows(X) % 3],
    "objects": lambda X: np.array(["b", "ccc", "a"], dtype=object)[rows(X) % 3],
    "two words": lambda X: np.array(["no", "yes"])[rows(X) % 2],
    "whole numbers": lambda X: np.array([-5, 2, 9], np.int16)[rows(X) % 3],
    "floats": lambda X: np.array([-1.0, 0.0, 3.0])[rows(X) % 3],
    "truth values": lambda X: rows(X) % 2 == 0,
    "labels": lambda X: np.array([[0, 1, 1], [1, 0, 1], [0, 0, 0]])[rows(X) % 3],
    "several answers": lambda X: np.column_stack([rows(X) % 3, rows(X) % 4]),
    "words and numbers": lambda X: pd.DataFrame({"w": np.array(["x", "y"])[rows(X) % 2], "n": rows(X) % 3}),
    "a single class": lambda X: np.array(["only"] * len(X)),
}
KINDS = {
    "adam": classifier, "sgd": lambda **s: classifier(solver="sgd", learning_rate="adaptive", tol=0.5, **s),
    "invscaling": lambda **s: classifier(solver="sgd", learning_rate="invscaling", **s),
    "lbfgs": lambda **s: classifier(solver="lbfgs", **s),
    "dropout": lambda **s: classifier(dropout=[0.3, 0.1], **s | {"hidden_layer_sizes": [5, 4]}),
    "batch norm": lambda **s: classifier(batch_norm=True, **s),
    "early stopping": lambda **s: classifier(early_stopping=True, metric="balanced_accuracy", **s),
    "calibrated": lambda **s: classifier(early_stopping=True, calibrate=True, label_smoothing=0.1, **s),
    "ensemble": lambda **s: classifier(n_ensemble=3, early_stopping=True, **s),
    "scheduled": lambda **s: classifier(schedule=lw.StepDecay(0.5, every=2), clip_norm=0.5, **s),
    "no hidden layer": lambda **s: classifier(**s | {"hidden_layer_sizes": ()}),
    "own activation": lambda **s: classifier(activation=lambda s, a: a * s.tanh(a), l1=1e-3, **s),
    "weighted": lambda **s: classifier(class_weight={"a": 2.0, "b": 1, "ccc": np.float32(0.5)}, **s),
    "types of numpy": lambda **s: classifier(
        alpha=np.float32(0.01), batch_size=np.int64(20), tol=np.float64(0), **s | {"hidden_layer_sizes": np.array([3])}
    ),
}  # fmt: skip
LOSSES = {
    "squared": {}, "poisson": {"loss": "poisson"}, "absolute": {"loss": "absolute_error"},
    "huber": {"loss": "huber", "huber_delta": 0.3}, "quantiles": {"loss": "quantile", "quantiles": (0.1, 0.5, 0.8)},
    "gaussian": {"loss": "gaussian_nll"}, "own": {"loss": lambda s, f, y: s.log1p((f - y) ** 2)},
    "output": {"loss": lw.Output.own(lambda s, f, y: (f - y) ** 2, "softplus", "mine")},
    "ensemble": {"n_ensemble": 2}, "activation": {"activation": lw.Activation.own(lambda s, a: s.max(a, 0.1 * a))},
}  # fmt: skip


SCHEMA = json.loads((files("layerwise.storage") / "model.schema.json").read_text())


def through(est, tmp_path):
    """Save, see that the schema describes what was written, and load."""
    est.save(tmp_path / "m", overwrite=True)
    if importlib.util.find_spec("jsonschema"):
        from jsonschema import Draft202012Validator

        Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "m" / "model.json").read_text()))
    return lw.load(tmp_path / "m")


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes() if one.dtype != object else one.tolist() == other.tolist()
    else:
        assert one == other or one != one


def shown(est):
    """Every fitted attribute that the documentation names, with what is kept for going on."""
    names = [name for name in vars(est) if name.endswith("_") and name not in ("theta_", "members_", "history_")]
    values = {name: getattr(est, name) for name in sorted(names)}
    if "theta_" in vars(est):
        values |= {"vector": est.theta_.vector, "statistics": est.theta_.statistics, "coefs": list(est.coefs_)}
        values |= {"out": getattr(est, "out_activation_", None), "rate": vars(est).get("_rate_given")}
        assert est.network_ == est.theta_.network
    if "history_" in vars(est):
        values |= {"history": list(est.history_), "metric": est.history_.metric}
    if hasattr(est, "classes_"):
        values["classes"] = est.classes_
    return values


def assert_same(loaded, est, X, y):
    assert type(loaded) is type(est)
    found, kept = shown(loaded), shown(est)
    assert found.keys() == kept.keys()
    for name in kept:
        same(found[name], kept[name])
    for one, other in zip(vars(loaded).get("members_", []), vars(est).get("members_", []), strict=True):
        assert_same(one, other, X, y)
    for method in ("predict", "predict_proba", "predict_log_proba", "transform", "reconstruct"):
        if hasattr(est, method):
            with np.errstate(divide="ignore"):
                same(getattr(loaded, method)(X), getattr(est, method)(X))
    if hasattr(est, "inverse_transform"):
        same(loaded.inverse_transform(est.transform(X)), est.inverse_transform(est.transform(X)))
    assert loaded.score(X, y) == est.score(X, y)


def assert_same_parameters(loaded, est, but=()):
    found, kept = loaded.get_params(), est.get_params()
    assert found.keys() == kept.keys()
    for name in kept.keys() - set(but):
        same(found[name], kept[name])


def goes_on_the_same(loaded, est, X, y):
    for made in (loaded, est):
        made.set_params(warm_start=True)
        made.fit(X, y)
    assert_same_after_training(loaded, est, X, y)
    if est.solver == "lbfgs" or est.early_stopping or est.get_params().get("schedule"):
        return  # these have no partial_fit, or not without more
    for part in (slice(0, 90), slice(0, 30), slice(7, 57)):
        for made in (loaded, est):
            made.partial_fit(X[part], y[part] if not isinstance(y, pd.DataFrame) else y.iloc[part])
    assert_same_after_training(loaded, est, X, y)


def assert_same_after_training(loaded, est, X, y):
    """The clock apart."""
    for made in (loaded, est):
        for one in vars(made).get("members_", [made]):
            if "history_" in vars(one):
                one.history_._records = [type(record)(**vars(record) | {"seconds": 0.0}) for record in one.history_]
    assert_same(loaded, est, X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_classifiers(X, tmp_path, kind):
    y = CLASSES["words"](X)
    est = KINDS[kind]().fit(X, y)
    loaded = through(est, tmp_path)
    assert_same(loaded, est, X, y)
    assert_same_parameters(loaded, est, but=["activation"] if kind == "own activation" else [])
    assert_same(pickle.loads(pickle.dumps(loaded)), est, X, y)
    assert_same(through(loaded, tmp_path), est, X, y)
    goes_on_the_same(loaded, est, X, y)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("ensemble", [1, 2])
def test_classes(X, tmp_path, classes, ensemble):
    y = CLASSES[classes](X)
    est = classifier(n_ensemble=ensemble).fit(X, y)
    loaded = through(est, tmp_path)
    assert_same(loaded, est, X, y)
    goes_on_the_same(loaded, est, X, y)


def test_sparse_labels_come_back_sparse(X, tmp_path):
    from scipy import sparse

    est = classifier().fit(X, sparse.csr_matrix(CLASSES["labels"](X)))
    found, kept = through(est, tmp_path).predict(X), est.predict(X)
    assert sparse.issparse(kept)
    assert type(found) is type(kept)
    assert (found != kept).nnz == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("targets", "dtype"), [(1, np.float32), (2, np.float64)])
def test_regressors(X, tmp_path, loss, targets, dtype):
    X = X.astype(dtype)
    y = np.abs(X[:, :targets]) if targets > 1 else np.abs(X[:, 0])
    est = regressor(**LOSSES[loss]).fit(X, y)
    loaded = through(est, tmp_path)
    assert_same(loaded, est, X, y)
    assert_same_parameters(loaded, est, but=["loss"] if loss == "own" else [])
    if loss in ("gaussian", "ensemble"):
        same(loaded.predict(X, return_std=True), est.predict(X, return_std=True))
    goes_on_the_same(loaded, est, X, y)


AUTOENCODERS = [
    {}, {"tied": True, "masking": 0.2}, {"sparsity": 0.1, "noise": 0.1, "batch_norm": True}, {"early_stopping": True},
    {"activation": ["relu", lw.Activation.own(lambda s, a: s.tanh(a) + a, "bent"), "tanh"]},
]  # fmt: skip


@pytest.mark.parametrize("settings", AUTOENCODERS)
def test_autoencoders(X, tmp_path, settings):
    est = autoencoder(**settings).fit(X)
    loaded = through(est, tmp_path)
    assert_same(loaded, est, X, X)
    assert_same_parameters(loaded, est)
    for made in (loaded, est):
        made.set_params(warm_start=True)
        made.fit(X)
    assert_same_after_training(loaded, est, X, X)


def test_single_rows_go_on_the_same(X, tmp_path):
    y = CLASSES["words"](X)
    est = classifier()
    for t in range(5):
        est.partial_fit(X[t : t + 1], y[t : t + 1], classes=["a", "b", "ccc"] if t == 0 else None)
    loaded = through(est, tmp_path)
    for t in range(5, 90):
        for made in (loaded, est):
            made.partial_fit(X[t : t + 1], y[t : t + 1])
    assert_same(loaded, est, X, y)


def test_an_adaptive_rate_that_has_come_down_stays_down(X, tmp_path):
    y = CLASSES["words"](X)
    est = classifier(solver="sgd", learning_rate="adaptive", tol=10.0, n_iter_no_change=1)
    for _ in range(6):
        est.partial_fit(X, y, classes=["a", "b", "ccc"])
    rate = est._state.settings.update.rate
    assert rate < est.learning_rate_init
    loaded = through(est, tmp_path)
    assert loaded._state.settings.update.rate == rate
    for made in (loaded, est):
        made.partial_fit(X, y)
    assert_same_after_training(loaded, est, X, y)


def test_frames_and_set_output(X, tmp_path):
    frame = pd.DataFrame(X, columns=["größe", "b", "c", "d"])
    est = classifier().fit(frame, rows(X) % 2).set_output(transform="pandas")
    loaded = through(est, tmp_path)
    same(loaded.feature_names_in_, est.feature_names_in_)
    pd.testing.assert_frame_equal(loaded.transform(frame), est.transform(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame.rename(columns={"b": "other"}))


def test_weights_written_by_hand_are_stored(X, tmp_path):
    est = regressor().fit(X, X[:, 0])
    est.coefs_[0][...] = 0.5
    same(through(est, tmp_path).predict(X), est.predict(X))


# --- what is left out -------------------------------------------------------------------------------------------------


def watching(state):
    """A callback."""


def accuracy(est, X, y):
    """A metric of one's own."""
    return est.score(X, y)


LEFT_OUT = {
    "callbacks": ([watching], "Python functions"),
    "metric": (accuracy, "a Python function"),
    "random_state": (np.random.RandomState(3), "a generator"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("ensemble", [1, 2])
def test_what_is_left_out_is_asked_for_before_training_goes_on(X, tmp_path, name, ensemble):
    y = CLASSES["words"](X)
    value, what = LEFT_OUT[name]
    settings = {"early_stopping": True, "validation_split": "stratified", "warm_start": True, "n_ensemble": ensemble}
    est = classifier(**settings, **{name: value}).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est.save(tmp_path / "m")
        loaded = lw.load(tmp_path / "m")
    document = json.loads((tmp_path / "m" / "model.json").read_text())
    assert document["estimator"]["left_out"] == {name: what}
    same(loaded.predict_proba(X), est.predict_proba(X))
    assert_same_parameters(loaded, est, but=[name])
    before = loaded.predict_proba(X)
    for again in (loaded, pickle.loads(pickle.dumps(loaded)), through(loaded, tmp_path)):
        for train in (again.fit, again.partial_fit):
            with pytest.raises(SpecificationError, match=rf"{name}: expected {what}.*set_params\({name}=...\)"):
                train(X, y)
        same(again.predict_proba(X), before)
    if name != "random_state":  # that one has moved on
        loaded.set_params(**{name: value}).fit(X, y)
        est.fit(X, y)
        assert_same_after_training(loaded, est, X, y)
    lw.load(tmp_path / "m").set_params(**{name: None}).fit(X, y)
    by_hand = lw.load(tmp_path / "m")
    setattr(by_hand, name, 5 if name == "random_state" else "loss" if name == "metric" else ())
    by_hand.fit(X, y)
    clone(by_hand).fit(X, y)


class Strange:
    """Nothing that a folder holds."""

    def __len__(self):
        return 1

    def __iter__(self):
        return iter([0.5])


@pytest.mark.parametrize(
    ("settings", "name", "got"),
    [
        ({"dropout": Strange()}, "dropout", "of type Strange"),
        ({"activation": [lambda s, a: float(a)]}, "activation", "expected"),
        ({"quantiles": pd.Series([0.1, 0.9])}, "quantiles", "of type Series"),
        ({"hidden_layer_sizes": range(2, 3)}, "hidden_layer_sizes", "of type range"),
        ({"alpha": -1}, "parameters", "alpha"),
        ({"loss": np.hypot}, "loss", "expected"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(X, tmp_path, settings, name, got):
    est = regressor().fit(X, X[:, 0]).set_params(**settings)
    with pytest.raises(StorageError, match=f"^{name}: .*{got}.*; ") as caught:
        est.save(tmp_path / "m")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_an_output_of_python_functions_is_refused(X, tmp_path):
    from dataclasses import replace

    est = regressor().fit(X, X[:, 0])
    output = replace(est.network_.output, losses=lambda ops, a, y: a)
    est = regressor(loss=output)
    with pytest.raises(StorageError, match="output"):
        est.fit(X, X[:, 0]).save(tmp_path / "m")


def test_dates_as_classes_are_refused(X, tmp_path):
    est = classifier().fit(X, rows(X) % 2)
    est._labels.classes = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
    with pytest.raises(StorageError, match="classes_: expected words, numbers"):
        est.save(tmp_path / "m")


@pytest.mark.parametrize("make", [classifier, regressor, autoencoder])
def test_what_is_not_fitted_is_not_stored(tmp_path, make):
    with pytest.raises(NotFittedError):
        make().save(tmp_path / "m")


def test_a_folder_is_replaced_only_on_request(X, tmp_path):
    est = regressor().fit(X, X[:, 0])
    est.save(str(tmp_path / "m"))
    with pytest.raises(StorageError, match="a new folder"):
        est.save(tmp_path / "m")
    est.save(tmp_path / "m", overwrite=True)
    (tmp_path / "m" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"'mine.txt' too"):
        est.save(tmp_path / "m", overwrite=True)


def test_an_estimator_is_no_saved_model(X, tmp_path):
    from layerwise.storage import load

    regressor().fit(X, X[:, 0]).save(tmp_path / "m")
    with pytest.raises(StorageError, match=r"an estimator; read it with lw\.load"):
        load(tmp_path / "m")
