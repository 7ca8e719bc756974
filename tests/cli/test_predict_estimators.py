"""`predict` and `evaluate` on estimators that were saved in Python."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris

import layerwise as lw

FEW = {"hidden_layer_sizes": 6, "max_iter": 5, "tol": 0.0, "random_state": 0, "early_stopping": False}


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    frame = pl.DataFrame(X, schema=["sl", "sw", "pl", "pw"])
    frame.with_columns(species=pl.Series(names), id=pl.Series([f"{i:03}" for i in range(len(X))])).write_csv("iris.csv")
    return frame, names


def fitted(estimator, X, y=None):
    with pytest.warns(UserWarning, match="converge"):
        return estimator.fit(X, y)


def test_a_classifier_with_names(run, iris):
    frame, names = iris
    estimator = fitted(lw.MLPClassifier(**FEW), frame.to_pandas(), names)
    estimator.save("m")
    answer = run("predict", "m", "iris.csv", "--probabilities", "--keep", "id", "-q")
    found = pl.read_csv(answer.out.encode(), schema_overrides={"id": pl.String})
    assert found["id"][7] == "007"
    assert found["prediction"].to_list() == estimator.predict(frame.to_pandas()).tolist()
    assert np.allclose(found.drop("id", "prediction").to_numpy(), estimator.predict_proba(frame.to_pandas()))
    assert "not used: species, id" in run("predict", "m", "iris.csv").err
    quality = json.loads(run("evaluate", "m", "iris.csv", "--target", "species", "--json").out)
    assert quality["metrics"]["accuracy"]["value"] == pytest.approx(estimator.score(frame.to_pandas(), names))


def test_a_regressor_without_names_takes_all_columns(run):
    X, y = load_diabetes(return_X_y=True)
    estimator = fitted(lw.MLPRegressor(**FEW), X, y)
    estimator.save("m")
    pl.DataFrame(X).with_columns(target=y).write_csv("t.csv")
    found = pl.read_csv(run("predict", "m", "t.csv", "-q").out.encode())["prediction"]
    assert np.allclose(found.to_numpy(), estimator.predict(X))
    quality = json.loads(run("evaluate", "m", "t.csv", "--json").out)
    assert quality["metrics"]["r2"]["value"] == pytest.approx(estimator.score(X, y))


def test_images(run):
    X, y = load_digits(return_X_y=True)
    estimator = fitted(lw.MLPClassifier(**FEW), X, y)
    estimator.save("m")
    quality = json.loads(run("evaluate", "m", "digits", "--json").out)
    assert quality["metrics"]["accuracy"]["value"] == pytest.approx(estimator.score(X, y))


def test_mistakes(run, iris):
    frame, names = iris
    fitted(lw.MLPClassifier(**FEW), frame.to_pandas(), names).save("m")
    fitted(lw.MLPRegressor(**FEW), frame.to_numpy(), frame["sl"].to_numpy()).save("r")
    frame.drop("sw").write_csv("narrow.csv")
    frame.with_columns(sw=pl.lit("wide")).write_csv("words.csv")
    frame.with_columns(sw=pl.when(pl.col("sl") > 5).then(pl.col("sw"))).write_csv("holes.csv")
    fitted(lw.Autoencoder((2,), max_iter=2, tol=0.0, random_state=0), frame.to_numpy()).save("a")
    for arguments, piece in [
        (["predict", "m", "narrow.csv"], "no column 'sw'"), (["predict", "m", "words.csv"], "got words"),
        (["predict", "m", "holes.csv"], "missing"), (["predict", "r", "iris.csv"], "4 columns of features"),
        (["evaluate", "m", "iris.csv"], "--target"), (["evaluate", "m", "iris.csv", "--target", "id"], "the class"),
        (["predict", "a", "iris.csv"], "Autoencoder"), (["predict", "m", "digits"], "expected"),
    ]:  # fmt: skip
        answer = run(*arguments)
        assert answer.code == 2, arguments
        assert len(answer.err.splitlines()) == 1
        assert piece in answer.err, answer.err


def test_a_trained_folder_knows_its_target(run):
    assert run("train", "iris", "--epochs", "2", "--quiet", "--out", "t", "--no-report").code == 0
    assert "leave it out" in run("predict", "t", "iris", "--target", "sepal").err


def test_export_and_inspect(run, iris, workplace):
    pytest.importorskip("onnxruntime")
    frame, names = iris
    fitted(lw.MLPClassifier(**FEW), frame.to_pandas(), names).save("m")
    assert run("export", "m", "--onnx", "m.onnx").code == 0
    assert (workplace / "m.onnx").is_file()
    facts = json.loads(run("inspect", "m", "--json").out)
    assert facts["estimator"] == "MLPClassifier"
    assert facts["network"]["sizes"] == [4, 6, 3]
    assert facts["parameters"]["max_iter"] == "5"
    assert facts["feature_names"] == ["sl", "sw", "pl", "pw"]
    shown = run("inspect", "m").out
    for piece in ("MLPClassifier", "4-6-3", "5 epochs", "setosa"):
        assert piece in shown
    assert run("inspect", "m", "--trace", "0", "--data", "iris.csv").code == 2


def test_a_regressor_wants_numbers(run):
    X, y = load_diabetes(return_X_y=True)
    fitted(lw.MLPRegressor(**FEW), X, y).save("m")
    frame = pl.DataFrame(X[:5])
    frame.with_columns(y=pl.Series([1.0, None, 2.0, 3.0, 4.0])).write_csv("hole.csv")
    frame.with_columns(y=pl.Series(["a", "b", "c", "d", "e"])).write_csv("word.csv")
    for name in ("hole.csv", "word.csv"):
        answer = run("evaluate", "m", name, "--target", "y")
        assert answer.code == 2
        assert len(answer.err.splitlines()) == 1
        assert name in answer.err


def test_features_may_be_kept(run, iris):
    frame, names = iris
    fitted(lw.MLPClassifier(**FEW), frame.to_pandas(), names).save("m")
    found = pl.read_csv(run("predict", "m", "iris.csv", "--keep", "sl", "-q").out.encode())
    assert found["sl"].to_list() == frame["sl"].to_list()
