"""What cannot be used is refused, in scikit-learn's words where it has some, and never answered wrongly in silence."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import neural_network as scikit

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = (scikit.MLPClassifier, lw.MLPClassifier)


def classifier(made=lw.MLPClassifier, **settings):
    return made(**{"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0} | settings)


def regressor(made=lw.MLPRegressor, **settings):
    return classifier(made, **settings)


def assert_refused_alike(act, made=classifier, kinds=BOTH):
    """Both estimators raise the same kind of error with the same words; return them."""
    raised = []
    for kind in kinds:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any, but twice the same
            act(made(kind))
        raised.append(caught.value)
    theirs, ours = raised
    assert type(ours) is type(theirs)
    # Choices are sets, which are printed in any order.
    words = [re.sub(r"\{.*?\}", lambda found: str(sorted(found[0])), str(error)) for error in raised]
    assert words[0] == words[1]
    return str(ours)


# --- NaN and infinity -------------------------------------------------------------------------------------------------

TABLES = {
    "array": np.array, "list": np.ndarray.tolist, "objects": lambda X: X.astype(object), "csr": sparse.csr_array,
    "csc": sparse.csc_matrix, "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "nullable": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("Float64"), "single": np.float32,
}  # fmt: skip
WAYS = {
    "fit": lambda made, X, bad, y: made.fit(bad, y),
    "fit an ensemble": lambda made, X, bad, y: made.set_params(n_ensemble=2).fit(bad, y),
    "partial_fit": lambda made, X, bad, y: made.partial_fit(bad, y, classes=[0, 1, 2]),
    "validation": lambda made, X, bad, y: made.fit(X, y, validation=(bad, y)),
    "predict": lambda made, X, bad, y: made.fit(X, y).predict(bad),
    "predict_proba": lambda made, X, bad, y: made.fit(X, y).predict_proba(bad),
    "transform": lambda made, X, bad, y: made.fit(X, y).transform(bad),
    "score": lambda made, X, bad, y: made.fit(X, y).score(bad, y),
}


@pytest.mark.parametrize("value", ["NaN", "infinity"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("way", WAYS)
def test_not_finite_in_X(iris, way, table, value):
    X, y = iris
    bad = X.copy()
    bad[5, 1] = np.inf if value == "infinity" else np.nan
    if value == "NaN":
        bad[3, 0] = np.inf  # NaN is what scikit-learn speaks of first
    with pytest.raises(ValueError, match=rf"^Input X contains {value}") as caught:
        WAYS[way](classifier(), TABLES[table](X), TABLES[table](bad), y)
    column = "'b'" if table in ("pandas", "polars", "nullable") else "1"
    assert f".\nThe first is in row 5, column {column}, counted from 0." in str(caught.value)
    if value == "NaN":
        assert "MLPClassifier does not accept missing values encoded as NaN natively" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
@pytest.mark.parametrize("columns", [1, 2])
def test_not_finite_in_y(diabetes, value, columns):
    X, y = diabetes
    y = np.column_stack([y] * columns).astype(object if value is None else float)
    y[7, -1] = value
    where = ", column 1" if columns > 1 else ""
    name = "infinity" if value == np.inf else "NaN"
    for given in (y, pd.DataFrame(y)):
        given = given if columns > 1 else np.asarray(given).ravel()
        with pytest.raises(ValueError, match=rf"^Input y contains {name}[^\n]*\nThe first is in row 7{where}, counted"):
            regressor().fit(X, given)


@pytest.mark.parametrize("made", [list, np.array, pd.Series, lambda y: np.array(y, dtype=object)])
def test_not_finite_among_classes(iris, made):
    y = iris[1].astype(float)
    y[7] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN\.?\nThe first is in row 7, counted from 0"):
        classifier().fit(iris[0], made(y))


def test_a_missing_word_among_classes(iris):
    y = np.array(["a", "b", "c"], dtype=object)[iris[1]]
    y[7] = np.nan
    with pytest.raises(ValueError, match="contains NaN\nThe first is in row 7, counted from 0"):
        classifier().fit(iris[0], y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_weights(iris, value):
    X, y = iris
    weights = np.ones(150)
    weights[2] = value
    for act in (
        lambda: classifier().fit(X, y, weights),
        lambda: classifier().partial_fit(X, y, weights, classes=[0, 1, 2]),
        lambda: classifier().fit(X, y, validation=(X, y, weights)),
    ):
        with pytest.raises(ValueError, match=r"Input sample_weight contains .*\nThe first is in row 2, counted from 0"):
            act()


@pytest.mark.parametrize("row", [[np.nan, 0, 0, 0], [0, 0, 0, np.inf], [0, 0, 0, -np.inf]])
def test_not_finite_in_a_single_row_after_others(iris, row):
    """That goes a shorter way, with checks of its own."""
    X, y = iris
    made = classifier().partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[1:2], y[1:2])
    before = made.theta_.copy()
    with pytest.raises(ValueError, match="Input X contains"):
        made.partial_fit(np.array([row]), y[:1])
    np.testing.assert_array_equal(made.theta_.vector, before.vector)
    assert made.t_ == 2


# --- parameters -------------------------------------------------------------------------------------------------------

OUT_OF_RANGE = {
    "alpha": [-1, "a", None], "batch_size": [0, -3, 2.5, "all"], "learning_rate": ["cosine", 0.1],
    "learning_rate_init": [0, -0.1, "a"], "power_t": [-1], "max_iter": [0, 2.5], "shuffle": ["yes", 3],
    "random_state": [-1, "a", 2.5], "tol": [-1], "verbose": [-1, "a"], "warm_start": [2], "momentum": [-0.1, 1.1],
    "nesterovs_momentum": [2], "early_stopping": ["yes"], "validation_fraction": [-0.1, 1.0, 3],
    "beta_1": [1.0, -0.1], "beta_2": [1.0, -0.1], "epsilon": [0, -1], "n_iter_no_change": [0, 2.5], "max_fun": [0, 2.5],
    "solver": ["lbgfs", None], "hidden_layer_sizes": [0, -1, 2.5, "100", None, 1e3, b"10"],
}  # fmt: skip
OURS_OUT_OF_RANGE = {
    "activation": ["rlu", 3, None], "dropout": [1.0, -0.1, np.nan, "a", None], "batch_norm": ["yes"], "l1": [-1, "a"],
    "class_weight": ["even", 3], "metric": [3], "validation_split": ["first"], "calibrate": [2], "callbacks": ["a", 3],
    "n_ensemble": [0, 2.5],
}  # fmt: skip


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_parameters_out_of_range(iris, name):
    for value in OUT_OF_RANGE[name]:
        words = assert_refused_alike(lambda made, value=value: made.set_params(**{name: value}).fit(*iris))
        assert f"The '{name}' parameter of MLPClassifier must be" in words
        assert_refused_alike(lambda made, value=value: made.set_params(**{name: value}).partial_fit(*iris, [0, 1, 2]))


@pytest.mark.parametrize("name", OURS_OUT_OF_RANGE)
def test_our_own_parameters_out_of_range(iris, name):
    for value in OURS_OUT_OF_RANGE[name]:
        for act in ("fit", "partial_fit"):
            with pytest.raises(ValueError, match=f"^The '{name}' parameter of MLPClassifier must be .* Got .* instead"):
                getattr(classifier(**{name: value}), act)(*iris)


@pytest.mark.parametrize("sizes", [[0], [3, -1], (0, 3), np.array([4, 0])])
def test_sizes_that_are_not_positive(iris, sizes):
    assert_refused_alike(lambda made: made.set_params(hidden_layer_sizes=sizes).fit(*iris))


@pytest.mark.parametrize("sizes", [[2.5], ["a"], [None], [[3, 4]], [4, [3]], [np.nan], [True], True, np.array([3.0])])
def test_sizes_that_are_not_whole_numbers(iris, sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be whole numbers, one a layer, got"):
        classifier(hidden_layer_sizes=sizes).fit(*iris)


@pytest.mark.parametrize("sizes", [(), [], 3, (3,), [4, 3], np.array([4, 3]), np.int64(3), (3,) * 5])
def test_sizes_of_many_kinds(iris, sizes):
    theirs, ours = (classifier(made, hidden_layer_sizes=sizes).fit(*iris) for made in BOTH)
    assert [W.shape for W in ours.coefs_] == [W.shape for W in theirs.coefs_]


@pytest.mark.parametrize(("settings", "words"), [
    ({"activation": ["relu", "tanh"]}, "activation has 2 entries for 1 hidden layers"),
    ({"activation": []}, "activation has 0 entries for 1 hidden layers"),
    ({"activation": ["rlu"]}, "activation: expected one of .*, got 'rlu'; did you mean 'relu'"),
    ({"activation": [None]}, "activation"),
    ({"activation": np.tanh}, "expected a formula of scalars"),
    ({"activation": lambda x: x}, "expected a formula of scalars"),
    ({"activation": lambda s, a: np.tanh(a)}, "expected a formula of scalars"),
    ({"dropout": [0.1, 0.2]}, "dropout has 2 entries for 1 hidden layers"),
    ({"dropout": [1.0]}, "dropout: expected a number of at least 0 and below 1, got 1.0"),
    ({"dropout": ["a"]}, "dropout: expected a number"),
    ({"class_weight": {0: -1}}, "class_weight has to be finite and at least 0 for every class"),
    ({"class_weight": {0: np.nan}}, "class_weight has to be finite"),
    ({"class_weight": {7: 1}}, "are not in class_weight"),
    ({"class_weight": {0: 0, 1: 0, 2: 0}}, "Sample weights must contain at least one non-zero number"),
    ({"calibrate": True}, "calibrate=True needs rows to validate on"),
    ({"calibrate": True, "early_stopping": True, "solver": "lbfgs"}, "calibrate=True needs solver='sgd' or"),
    ({"solver": "lbfgs", "dropout": 0.1}, "need solver='sgd' or 'adam', not 'lbfgs'"),
    ({"solver": "lbfgs", "batch_norm": True}, "need solver='sgd' or 'adam', not 'lbfgs'"),
    ({"batch_norm": True, "batch_size": 1}, "batch normalisation: expected two rows or more in training, got 1"),
    ({"metric": "acc", "early_stopping": True}, "'acc' is not a valid scoring value"),
    ({"validation_split": "groups", "early_stopping": True}, "needs the group of each row"),
    ({"validation_fraction": 0.0, "early_stopping": True}, "test_size=0.0 should be either positive"),
    ({"validation_fraction": 0.001, "early_stopping": True}, "The validation set is too small"),
    ({"validation_fraction": 0.999, "early_stopping": True, "validation_split": "last"}, "No rows are left to train"),
])  # fmt: skip
def test_parameters_that_do_not_fit_together(iris, settings, words):
    made = classifier(**settings)
    with pytest.raises(ValueError, match=words):
        made.fit(*iris)
    with pytest.raises(ValueError, match="not fitted yet"):  # nothing half done is left
        made.predict(iris[0])


# --- rows and targets that do not fit ---------------------------------------------------------------------------------

ONE_HOT = np.eye(3, dtype=int)
REFUSED = {
    "y of another length": lambda X, y: (X, y[:9]), "no rows": lambda X, y: (X[:0], y[:0]),
    "no columns": lambda X, y: (X[:, :0], y), "one dimension": lambda X, y: (X[:, 0], y),
    "three dimensions": lambda X, y: (X[:, :, None], y), "a number": lambda X, y: (np.float64(3), y),
    "complex X": lambda X, y: (X + 1j, y), "complex y": lambda X, y: (X, y + 1j), "no y": lambda X, y: (X, None),
    "a matrix": lambda X, y: (np.asmatrix(X), y), "words": lambda X, y: (np.where(X > 0, "a", "b"), y),
    "words as objects": lambda X, y: (np.where(X > 0, "a", "b").astype(object), y),
    "a dictionary": lambda X, y: ({"a": X}, y), "numbers for classes": lambda X, y: (X, y + 0.5),
    "bytes": lambda X, y: (X, np.array([b"a", b"b", b"c"])[y]), "y of objects": lambda X, y: (X, y.astype(object)),
    "y with three dimensions": lambda X, y: (X, y[:, None, None]),
    "weights of another length": lambda X, y: (X, y, np.ones(9)), "no weight": lambda X, y: (X, y, np.zeros(150)),
    "weights in a column": lambda X, y: (X, y, np.ones((150, 1))), "words as weights": lambda X, y: (X, y, ["a"] * 150),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_as_scikit_learn_does(iris, case, way):
    X, y, *weights = REFUSED[case](*iris)
    more = {} if way == "fit" else {"classes": [0, 1, 2]}
    assert_refused_alike(lambda made: getattr(made, way)(X, y, *weights, **more))


@pytest.mark.parametrize("case", [
    "y of another length", "no rows", "no columns", "one dimension", "three dimensions", "complex X", "complex y",
    "weights of another length", "no weight",
])  # fmt: skip
def test_a_regressor_refuses_as_scikit_learn_s_does(iris, case):
    X, y, *weights = REFUSED[case](*iris)
    assert_refused_alike(lambda made: made.fit(X, y, *weights), regressor, (scikit.MLPRegressor, lw.MLPRegressor))


@pytest.mark.parametrize("act", [
    lambda made, X, y: made.fit(X, y).predict(X[:, :2]),
    lambda made, X, y: made.fit(X, y).predict_proba(X[0]),
    lambda made, X, y: made.fit(X, y).predict(X[:0]),
    lambda made, X, y: made.fit(X, y).predict(X + 1j),
    lambda made, X, y: made.fit(X, y).score(X, y[:9]),
    lambda made, X, y: made.predict(X),
    lambda made, X, y: made.predict_proba(X),
    lambda made, X, y: made.score(X, y),
    lambda made, X, y: made.partial_fit(X, y),
    lambda made, X, y: made.partial_fit(X, y, classes=[0, 1]),
    lambda made, X, y: made.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y + 1),
    lambda made, X, y: made.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y, classes=[0, 1, 3]),
    lambda made, X, y: made.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X[:, :2], y),
    lambda made, X, y: made.partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[:1, :2], y[:1]),
    lambda made, X, y: made.partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[0], y[:1]),
    lambda made, X, y: made.partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[:1], [5]),
    lambda made, X, y: made.partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[:1], y[:2]),
    lambda made, X, y: made.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, ONE_HOT[y]),
    lambda made, X, y: made.partial_fit(X, ONE_HOT[y], classes=[0, 1, 2]).partial_fit(X, ONE_HOT[y][:, :2]),
    lambda made, X, y: made.set_params(warm_start=True).fit(X, y).fit(X, y % 2),
    lambda made, X, y: made.set_params(warm_start=True).fit(X, y).fit(X[:, :2], y),
    lambda made, X, y: made.set_params(warm_start=True).fit(X, y).fit(X, ONE_HOT[y]),
    lambda made, X, y: made.set_params(solver="lbfgs").partial_fit(X, y, classes=[0, 1, 2]),
    lambda made, X, y: made.set_params(early_stopping=True).fit(X[:10], y[:10]),
])  # fmt: skip
def test_a_second_step_refused_as_scikit_learn_does(iris, act):
    assert_refused_alike(lambda made: act(made, *iris))


@pytest.mark.parametrize(("act", "words"), [
    (lambda made, X, y: made.fit(X, y, validation=X), r"validation has to be \(X, y\) or \(X, y, sample_weight\)"),
    (lambda made, X, y: made.fit(X, y, validation=(X[:0], y[:0])), r"Found array with 0 sample\(s\)"),
    (lambda made, X, y: made.fit(X, y, validation=(X, y[:9])), "inconsistent numbers of samples"),
    (lambda made, X, y: made.fit(X, y, validation=(X[:, :2], y)), "X has 2 features, but MLPClassifier is expecting 4"),
    (lambda made, X, y: made.fit(X, y, validation=(X, y + 1)), r"has classes not in `self.classes_`"),
    (lambda made, X, y: made.fit(X, y, validation=(X, ONE_HOT[y])), "was not fitted with multilabel input"),
    (lambda made, X, y: made.fit(X, ONE_HOT[y], validation=(X, ONE_HOT[y][:, :2])), "mismatch with the labels"),
    (lambda made, X, y: made.fit(X, y, validation=(X, y, 0 * y)), "at least one non-zero number"),
    (lambda made, X, y: made.set_params(solver="lbfgs").fit(X, y, validation=(X, y)), "need solver='sgd'"),
    (lambda made, X, y: made.set_params(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2]),
     "^partial_fit does not support early_stopping=True"),
    (lambda made, X, y: made.set_params(early_stopping=True).fit(X, y, groups=[1, 2]), "inconsistent numbers of sam"),
    (lambda made, X, y: made.set_params(early_stopping=True).fit(X, y, groups=0 * y), "groups has one group; two are"),
    (lambda made, X, y: made.set_params(early_stopping=True).fit(X, np.arange(150) == 0), "have only 1 member"),
    (lambda made, X, y: made.fit(X, y).transform(X, 5), "layer has to be one of 0 to 1, got 5"),
    (lambda made, X, y: made.fit(X, y).transform(X, -1), "layer has to be one of 0 to 1, got -1"),
    (lambda made, X, y: made.transform(X), "is not fitted yet"),
    (lambda made, X, y: made.get_feature_names_out(), "is not fitted yet"),
    (lambda made, X, y: made.set_params(warm_start=True).fit(X, y).set_params(hidden_layer_sizes=9).fit(X, y),
     r"the network that is there, \(4, 8, 3\); .* ask for \(4, 9, 3\) or other layers"),
    (lambda made, X, y: made.partial_fit(X, y, classes=[0, 1, 2]).set_params(activation="tanh").partial_fit(X, y),
     r"the network that is there, \(4, 8, 3\)"),
    (lambda made, X, y: setattr(made.fit(X, y), "coefs_", [np.zeros((4, 9)), np.zeros((8, 3))]),
     r"Expected an array of shape \(4, 8\), got \(4, 9\)"),
    (lambda made, X, y: setattr(made.fit(X, y), "coefs_", [np.zeros((4, 8))]), "Expected 2 arrays, one a layer; got 1"),
    (lambda made, X, y: setattr(made.fit(X, y), "intercepts_", [np.zeros(8), np.zeros(4)]), r"\(3,\), got \(4,\)"),
    (lambda made, X, y: made.fit(X, y).coefs_.__setitem__(0, np.zeros((8, 4))), r"shape \(4, 8\), got \(8, 4\)"),
    (lambda made, X, y: setattr(made.fit(X, y), "coefs_", ["a", "b"]), "could not convert string to float"),
])  # fmt: skip
def test_refused_in_our_own_words(iris, act, words):
    with pytest.raises(ValueError, match=words):
        act(classifier(), *iris)


@pytest.mark.parametrize("y", [["a"] * 442, ["1"] * 442, np.array([b"1"] * 442)])
def test_words_for_a_regressor(diabetes, y):
    with pytest.raises(ValueError, match="dtype='numeric' is not compatible with arrays of bytes/strings"):
        regressor().fit(diabetes[0], y)


def test_another_number_of_targets(diabetes):
    X, y = diabetes
    for act in (
        lambda: regressor().partial_fit(X, y).partial_fit(X, np.column_stack([y, y])),
        lambda: regressor(warm_start=True).fit(X, y).fit(X, np.column_stack([y, y])),
    ):
        with pytest.raises(ValueError, match="y asks for 2 columns of outputs; 1 are trained"):
            act()
    with pytest.raises(ValueError, match="y of the validation rows has 2 columns; 1 are trained on"):
        regressor().fit(X, y, validation=(X, np.column_stack([y, y])))


def test_parts_without_weight(iris):
    X, y = iris
    made = classifier(early_stopping=True, validation_split="last")
    for weights in (np.arange(150) < 135, np.arange(150) >= 135):  # 15 rows are held out
        with pytest.raises(ValueError, match="all have a weight of zero"):
            made.fit(X, y, weights.astype(float))


def test_a_class_that_the_validation_rows_lack(iris):
    X, y = iris
    order = np.argsort(y)
    with pytest.warns(UserWarning, match="None of the rows that are validated on is of class 0, 1") as caught:
        made = classifier(early_stopping=True, validation_split="last").fit(X[order], y[order])
    assert sum("None of the rows" in str(warning.message) for warning in caught) == 1
    assert made.predict_proba(X).shape == (150, 3)


@pytest.mark.filterwarnings("ignore:None of the rows that are validated on:UserWarning")
def test_a_class_that_the_training_rows_lack(iris):
    X, y = iris
    order = np.argsort(y)
    words = np.array(list("abc"))[y[order]]
    with pytest.warns(UserWarning, match="None of the rows that train is of class 'c'"):
        made = classifier(early_stopping=True, validation_split="last", validation_fraction=0.4).fit(X[order], words)
    assert made.classes_.tolist() == ["a", "b", "c"]


def test_a_batch_larger_than_the_data(iris):
    X, y = iris
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size. It is going to be"):
        clipped = classifier(batch_size=1000).fit(X, y)
    np.testing.assert_array_equal(clipped.theta_.vector, classifier(batch_size=150).fit(X, y).theta_.vector)


def test_weights_below_zero_count_as_they_do_there(iris):
    X, y = iris
    weights = np.where(np.arange(150) % 3, 1, -0.1)
    theirs, ours = (classifier(made).fit(X, y, weights) for made in BOTH)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


# --- one estimator after another way of fitting -----------------------------------------------------------------------


def test_epochs_after_lbfgs(iris):
    """With warm_start, epochs go on where lbfgs has ended."""
    X, y = iris
    made = classifier(solver="lbfgs", warm_start=True, max_iter=20).fit(X, y)
    loss = made.loss_
    made.set_params(solver="adam").fit(X, y)
    assert made.loss_curve_[0] == pytest.approx(loss, rel=0.2)
    assert len(made.loss_curve_) == len(made.history_) == made.n_iter_
    made.set_params(solver="lbfgs").fit(X, y)
    assert made.loss_ < loss


@pytest.mark.parametrize("early_stopping", [False, True])
def test_early_stopping_switched_between_fits(iris, early_stopping):
    X, y = iris
    made = classifier(warm_start=True, early_stopping=early_stopping).fit(X, y)
    made.set_params(early_stopping=not early_stopping).fit(X, y)
    assert len(made.validation_scores_) == made.n_iter_
    assert np.isfinite(made.theta_.vector).all()


def test_a_batch_of_fewer_classes_with_warm_start(iris):
    """Only `fit` needs all classes; a batch of `partial_fit` may have some of them."""
    X, y = iris
    made = classifier(warm_start=True).fit(X, y)
    before = made.theta_.copy()
    made.partial_fit(X[y == 1], y[y == 1])
    assert (made.theta_.vector != before.vector).any()


def test_one_network_becomes_an_ensemble_and_one_again(iris):
    X, y = iris
    made = classifier().partial_fit(X[:1], y[:1], classes=[0, 1, 2]).partial_fit(X[:1], y[:1])
    made.set_params(n_ensemble=2).fit(X, y)
    left = {name for name in vars(made) if name.endswith("_")}
    assert left == {"members_", "n_features_in_", "n_outputs_", "n_layers_", "n_iter_"}
    with pytest.raises(AttributeError, match="is an ensemble; look at its members_"):
        _ = made.coefs_
    with pytest.raises(ValueError, match="go on with the networks that are there, 2; n_ensemble=1 asks for others"):
        made.set_params(n_ensemble=1).partial_fit(X[:1], y[:1])
    made.fit(X, y)
    assert not hasattr(made, "members_")
    np.testing.assert_array_equal(made.theta_.vector, classifier().fit(X, y).theta_.vector)
