"""What cannot be used is refused, in scikit-learn's words where it has some, and never answered wrongly in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import neural_network as scikit

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
#: scikit-learn's own sum over X warns where the numbers of X are that large.
LARGE = pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered in reduce:RuntimeWarning")


def classifier(made=lw.MLPClassifier, **settings):
    return made(**{"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0} | settings)


def regressor(made=lw.MLPRegressor, **settings):
    return classifier(made, **settings)


def assert_refused_alike(act, made=classifier, kinds=(scikit.MLPClassifier, lw.MLPClassifier)):
    """Both estimators raise the same kind of error with the same words; return them."""
    raised = []
    for kind in kinds:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any, but twice the same
            act(made(kind))
        raised.append(caught.value)
    theirs, ours = raised
    assert type(ours) is type(theirs)
    assert str(ours) == str(theirs)
    return str(ours)


# --- NaN and infinity ------------------------------------------------------------------------------------------------

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
