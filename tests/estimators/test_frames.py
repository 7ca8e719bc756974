"""Data frames of pandas, Polars and PyArrow: the same bits as arrays, and names that are looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_diabetes, load_wine

import layerwise as lw

#: From columns by their names to a frame, of every library.
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
#: From an array to a column of its own, of every library.
SERIES = {
    "pandas": pd.Series, "polars": lambda y: pl.Series("y", y), "pyarrow": pa.array,
    "pyarrow chunks": lambda y: pa.chunked_array([y[:50], y[50:]]),
}  # fmt: skip


@pytest.fixture(scope="session")
def wine():
    """13 columns with names, and three classes."""
    data = load_wine()
    return (data.data - data.data.mean(axis=0)) / data.data.std(axis=0), data.target, list(data.feature_names)


@pytest.fixture(params=FRAMES)
def frame(request):
    """From X and names to a frame of a library."""
    return lambda X, names: FRAMES[request.param](dict(zip(names, X.T, strict=True)))


def classifier(**settings):
    return lw.MLPClassifier(**{"hidden_layer_sizes": 8, "max_iter": 3, "random_state": 0, "tol": 0} | settings)


pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")


def test_the_same_bits_as_arrays(wine, frame):
    X, y, names = wine
    table = frame(X, names)
    ours, expected = classifier().fit(table, y), classifier().fit(X, y)
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    for method in ("predict", "predict_proba", "predict_log_proba", "transform"):
        np.testing.assert_array_equal(getattr(ours, method)(table), getattr(expected, method)(X))
    assert ours.score(table, y) == expected.score(X, y)


def test_the_same_bits_in_a_regressor():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    ours, expected = (lw.MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0) for _ in range(2))
    ours.fit(X, y)
    expected.fit(X.to_numpy(), y.to_numpy())
    np.testing.assert_array_equal(ours.predict(X), expected.predict(X.to_numpy()))


def test_partial_fit_with_frames(wine, frame):
    X, y, names = wine
    ours, expected = classifier(), classifier()
    for rows in (slice(0, 90), slice(90, 178), slice(5, 6), slice(6, 7)):
        ours.partial_fit(frame(X[rows], names), y[rows], classes=[0, 1, 2])
        expected.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)


@pytest.mark.parametrize("metric", [None, "balanced_accuracy", "loss"])
def test_validation_rows_in_a_frame(wine, frame, metric):
    X, y, names = wine
    ours, expected = (classifier(early_stopping=True, metric=metric) for _ in range(2))
    ours.fit(frame(X[::2], names), y[::2], validation=(frame(X[1::2], names), y[1::2]))
    expected.fit(X[::2], y[::2], validation=(X[1::2], y[1::2]))
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    assert ours.validation_scores_ == expected.validation_scores_
    assert ours.feature_names_in_.tolist() == names


def test_an_ensemble_of_frames(wine, frame):
    X, y, names = wine
    ours, expected = classifier(n_ensemble=2).fit(frame(X, names), y), classifier(n_ensemble=2).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(frame(X, names)), expected.predict_proba(X))
    assert ours.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names should match"):
        ours.predict(frame(X[:, ::-1], names[::-1]))


def test_names_are_kept(wine, frame):
    X, y, names = wine
    fitted = classifier().fit(frame(X, names), y)
    assert fitted.feature_names_in_.tolist() == names
    assert fitted.n_features_in_ == 13
    assert not hasattr(fitted.fit(X, y), "feature_names_in_")


def test_columns_without_names_have_none(wine):
    X, y, _ = wine
    assert not hasattr(classifier().fit(pd.DataFrame(X), y), "feature_names_in_")


def test_names_that_are_numbers_and_words_are_refused(wine):
    X, y, names = wine
    with pytest.raises(TypeError, match="only supported if all input features have string names"):
        classifier().fit(pd.DataFrame(X, columns=[0, *names[1:]]), y)


@pytest.mark.parametrize("way", ["predict", "predict_proba", "transform", "partial_fit", "validation", "warm start"])
@pytest.mark.parametrize("change", ["another name", "another order"])
def test_other_names_are_refused(wine, frame, way, change):
    X, y, names = wine
    ours = classifier(warm_start=True).fit(frame(X, names), y)
    if change == "another name":
        refused = frame(X, ["hue angle" if name == "hue" else name for name in names])
        words = "(?s)feature names should match.*unseen at fit time:\n- hue angle\n.*yet now missing:\n- hue"
    else:
        refused, words = frame(X[:, ::-1], names[::-1]), "(?s)feature names should match.*must be in the same order"
    act = {
        "partial_fit": lambda: ours.partial_fit(refused, y),
        "validation": lambda: ours.fit(frame(X, names), y, validation=(refused, y)),
        "warm start": lambda: ours.fit(refused, y),
    }.get(way, lambda: getattr(ours, way)(refused))
    with pytest.raises(ValueError, match=words):
        act()


def test_a_missing_column_is_refused(wine, frame):
    X, y, names = wine
    ours = classifier().fit(frame(X, names), y)
    with pytest.raises(ValueError, match=r"(?s)feature names should match.*yet now missing:\n- proline"):
        ours.predict(frame(X[:, :-1], names[:-1]))
    with pytest.raises(ValueError, match="X has 12 features, but MLPClassifier is expecting 13 features as input"):
        classifier().fit(X, y).predict(X[:, :-1])


def test_names_on_one_side_only_give_scikit_learn_s_warnings(wine, frame):
    X, y, names = wine
    with pytest.warns(UserWarning, match="X does not have valid feature names, but MLPClassifier was fitted with"):
        classifier().fit(frame(X, names), y).predict(X)
    with pytest.warns(UserWarning, match="X has feature names, but MLPClassifier was fitted without"):
        classifier().fit(X, y).predict(frame(X, names))


@pytest.mark.parametrize("library", SERIES)
@pytest.mark.parametrize("kind", ["numbers", "words"])
def test_labels_in_a_series(wine, library, kind):
    X, y, _ = wine
    y = y if kind == "numbers" else np.array(["Barolo", "Grignolino", "Barbera"])[y].astype(object)
    ours, expected = classifier().fit(X, SERIES[library](y)), classifier().fit(X, y)
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    np.testing.assert_array_equal(ours.predict(X), expected.predict(X))
    assert ours.score(X, SERIES[library](y)) == expected.score(X, y)


@pytest.mark.parametrize("library", SERIES)
def test_numbers_and_weights_in_a_series(library):
    X, y = load_diabetes(return_X_y=True)
    weights = np.linspace(0, 2, len(y))
    ours, expected = (lw.MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0) for _ in range(2))
    ours.fit(X, SERIES[library](y), SERIES[library](weights))
    expected.fit(X, y, weights)
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "made",
    [
        lambda words: pd.Categorical(words),
        lambda words: pd.Series(words, dtype="category"),
        lambda words: pd.Series(words, dtype="string"),
        lambda words: pl.Series(words, dtype=pl.Categorical),
        lambda words: pl.Series(words, dtype=pl.Enum(["Barbera", "Barolo", "Grignolino"])),
        lambda words: words.tolist(),
    ],
    ids=["Categorical", "category", "string", "polars categorical", "polars enum", "list"],
)
def test_labels_of_categories(wine, made, early_stopping):
    X, y, _ = wine
    words = np.array(["Barolo", "Grignolino", "Barbera"])[y]
    settings = {"early_stopping": early_stopping, "learning_rate_init": 0.05}
    ours, expected = classifier(**settings).fit(X, made(words)), classifier(**settings).fit(X, words)
    assert ours.classes_.tolist() == ["Barbera", "Barolo", "Grignolino"]
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    np.testing.assert_array_equal(ours.predict(X), expected.predict(X))
    assert ours.score(X, made(words)) > 0.7


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "float32", "int8", "boolean", "float64[pyarrow]"])
def test_kinds_of_pandas_columns(wine, dtype):
    X, y, names = wine
    X = X.round() if dtype in ("Int64", "int8") else X > 0 if dtype == "boolean" else X
    table = pd.DataFrame(X, columns=names).astype(dtype)
    plain = X.astype(np.float32 if dtype == "float32" else np.float64)
    ours, expected = classifier().fit(table, y), classifier().fit(plain, y)
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    np.testing.assert_array_equal(ours.predict_proba(table), expected.predict_proba(plain))


def test_columns_of_several_kinds(wine):
    X, y, names = wine
    table = pd.DataFrame(X, columns=names)
    table["hue"], table["ash"] = (X[:, 10] > 0), (X[:, 2].round().astype(int))
    plain = table.astype(np.float64).to_numpy()
    np.testing.assert_array_equal(classifier().fit(table, y).predict(table), classifier().fit(plain, y).predict(plain))


@pytest.mark.parametrize("library", [*FRAMES, "nullable"])
def test_a_missing_value_is_refused(wine, library):
    X, y, names = wine
    columns = {name: column.tolist() for name, column in zip(names, X.T, strict=True)}
    columns["hue"][3] = None
    table = pd.DataFrame(columns).astype("Float64") if library == "nullable" else FRAMES[library](columns)
    with pytest.raises(ValueError, match=r"^Input X contains NaN.\nThe first is in row 3, column 'hue', counted"):
        classifier().fit(table, y)


@pytest.mark.parametrize(
    "made",
    [list, pd.Series, pl.Series, pa.array, lambda y: pd.Series(y, dtype="string"), lambda y: np.array(y, dtype=object)],
    ids=["list", "pandas", "polars", "pyarrow", "pandas string", "objects"],
)
def test_a_missing_label_is_refused(wine, made):
    X, y, _ = wine
    words = [None if t == 7 else "abc"[label] for t, label in enumerate(y)]
    for act in (
        lambda: classifier().fit(X, made(words)),
        lambda: classifier().partial_fit(X, made(words), classes=list("abc")),
        lambda: classifier().fit(X, np.array(list("abc"))[y], validation=(X, made(words))),
    ):
        with pytest.raises(ValueError, match=r"Input (y )?contains NaN\.?\nThe first is in row 7, counted from 0"):
            act()


def test_a_missing_number_among_labels_is_refused(wine):
    X, y, _ = wine
    labels = pd.Series(y, dtype="Int64")
    labels[7] = pd.NA
    with pytest.raises(ValueError, match=r"^Input y contains NaN.\nThe first is in row 7, counted from 0"):
        classifier().fit(X, labels)


@pytest.mark.parametrize("library", FRAMES)
def test_a_column_of_text_is_refused(wine, library):
    X, y, names = wine
    columns = dict(zip(names, X.T, strict=True)) | {"hue": ["red"] * len(X)}
    with pytest.raises(ValueError, match="could not convert string to float: 'red'"):
        classifier().fit(FRAMES[library](columns), y)


def test_several_labels_in_a_frame(labels):
    X, Y = labels
    table = pd.DataFrame(Y, columns=["even", "small", "prime"])
    ours, expected = classifier().fit(X, table), classifier().fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), expected.predict_proba(X))


def test_several_numbers_in_a_frame(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, y**2])
    ours, expected = (lw.MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0) for _ in range(2))
    for made in (pd.DataFrame(Y, columns=["y", "y²"]), pl.DataFrame(Y, schema=["y", "y²"])):
        ours.fit(X, made)
        np.testing.assert_array_equal(ours.predict(X), expected.fit(X, Y).predict(X))


def test_an_index_means_nothing(wine):
    X, y, names = wine
    table = pd.DataFrame(X, columns=names, index=np.arange(len(X))[::-1])
    labels = pd.Series(y, index=np.arange(len(X)) * 7)
    np.testing.assert_array_equal(classifier().fit(table, labels).predict(table), classifier().fit(X, y).predict(X))
