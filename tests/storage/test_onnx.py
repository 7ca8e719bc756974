"""ONNX files: onnxruntime says what Layerwise says, on real rows, of every kind of model; what cannot be is refused."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import scale

import layerwise as lw
from layerwise.data.bundled import load_bundled
from layerwise.data.preparation import Preparation
from layerwise.data.tables import read_table
from layerwise.data.targets import TargetCoding
from layerwise.errors import ExportError, MissingExtraError, SpecificationError, StorageError
from layerwise.ops.numpy_ops import evaluate
from layerwise.ops.symbols import PRIMITIVES
from layerwise.rules import activations, outputs
from layerwise.storage import SavedModel, onnx_formulas
from layerwise.storage.exported import UNSEEN, class_names, exported
from layerwise.storage.onnx_check import export_onnx

IRIS = scale(load_iris().data)
OWN = lw.Activation.own(
    lambda s, a: s.where(a < 0, s.log1p(a * a), s.erf(a)) + s.expm1(-a * a) * s.cos(a) + s.min(s.sqrt(s.abs(a)), 2)
    + s.where(s.max(a, 0), s.tanh(a), -1) / (2 + s.exp(-s.abs(a))) + s.log(1 + s.abs(a))
)  # fmt: skip


def own_loss(s, f, y):
    return s.log1p((f - y) ** 2)


ACTIVATIONS = {**activations.TABLE, "own": OWN, "constant": lw.Activation.own(lambda s, a: 0.25)}
OUTPUTS = {
    **outputs.TABLE, "smoothed softmax": lw.Softmax(0.1), "smoothed sigmoid": lw.Sigmoid(0.1),
    "quantile": lw.Quantile([0.1, 0.5, 0.9]), "groups": lw.SoftmaxGroups([2, 4]),
    **{f"own, {link}": lw.Output.own(lambda s, f, y: s.abs(f - y), link)
       for link in ("identity", "exp", "sigmoid", "softplus", "tanh")},
}  # fmt: skip


def session_of(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def answers(path, **inputs):
    """What onnxruntime says, by the names of the results."""
    session = session_of(path)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


def close(there, here):
    return here.shape == there.shape and (np.abs(there - here) <= 1e-5 + 1e-5 * np.abs(here)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name, dtype, make_model, tmp_path):
    net = lw.Network(4, [lw.Layer(7, ACTIVATIONS[name], batch_norm=True), lw.Layer(5, ACTIVATIONS[name])], 3)
    model = make_model(net, dtype)
    X = (3 * IRIS).astype(dtype)
    export_onnx(model, tmp_path / "m.onnx")
    found = answers(tmp_path / "m.onnx", X=X)
    f = model.predict(X)
    assert found["probabilities"].dtype == f.dtype == dtype
    assert close(found["probabilities"], f)
    assert (found["prediction"] == f.argmax(axis=1)).all()
    if dtype == "float64":  # nothing on the way is rounded to float32
        assert np.abs(found["probabilities"] - f).max() < 1e-13


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_primitive_as_numpy_computes_it(dtype):
    """At signs, sizes and infinities of all kinds, with every digit that a small result has."""
    values = np.array([0, 1e-30, 1e-9, 1e-4, 0.1, 0.5, 1, 2, 3.7, 10, 40, 88, 200, np.inf])
    a, b = (x.ravel()[:, None].astype(dtype) for x in np.meshgrid(*[np.concatenate([values, -values, [np.nan]])] * 2))
    names = ["a", "b", "c"]
    formulas = {
        kind: lw.Expression(tuple(names[:count]), (*(("input", name) for name in names[:count]),
                                                   (kind, *range(count))), (count,))
        for kind, count in PRIMITIVES.items()
    }  # fmt: skip
    graph = onnx_formulas.Graph(dtype, [*names, *formulas])
    for kind, formula in formulas.items():
        (result,) = onnx_formulas.formula_nodes(graph, formula, names[: len(formula.inputs)])
        graph.node("Identity", result, out=kind)
    number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs, results = (
        [onnx.helper.make_tensor_value_info(name, number, ["N", 1]) for name in group] for group in (names, formulas)
    )
    made = onnx.helper.make_graph(graph.nodes, "primitives", inputs, results, graph.initializers)
    proto = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"a": a, "b": b, "c": a - 3}
    for kind, found in zip(formulas, session.run(list(formulas), given), strict=True):
        here = evaluate(formulas[kind], [given[name] for name in formulas[kind].inputs], dtype)
        with np.errstate(all="ignore"):
            same = (found == here) | (np.isnan(found) & np.isnan(here))
            near = np.abs(found - here) <= (1e-5 if dtype == "float32" else 1e-13) * np.abs(here)
        assert (same | near).all(), kind


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output(name, make_model, tmp_path):
    net = lw.Network(4, [5], 6, hidden="tanh", output=OUTPUTS[name])
    model = make_model(net, "float64")
    export_onnx(model, tmp_path / "m.onnx")
    found, f = answers(tmp_path / "m.onnx", X=IRIS), model.predict(IRIS)
    if net.output.target == "several classes":
        assert sorted(found) == ["prediction_0", "prediction_1", "probabilities_0", "probabilities_1"]
        assert close(found["probabilities_0"], f[:, :2])
        assert close(found["probabilities_1"], f[:, 2:])
        assert (found["prediction_1"] == f[:, 2:].argmax(axis=1)).all()
    elif net.output.target == "labels":
        assert close(found["probabilities"], f)
        assert (found["prediction"] == (f > 0.5)).all()
    elif net.output.target == "classes":
        assert close(found["probabilities"], f)
        assert (found["prediction"] == f.argmax(axis=1)).all()
    else:
        assert list(found) == ["prediction"]
        assert found["prediction"].dtype == np.float64
        assert close(found["prediction"], f)


def test_an_output_of_own_rules(make_model, tmp_path, refuses_by_name):
    def halves(ops, a):
        """A softmax of each half, its largest entry given once more."""
        parts = [outputs.classes.softmax_forward(ops, ops.slice_columns(a, k, k + 3)) for k in (0, 3)]
        return ops.join_columns(ops.split_columns(ops.concatenate(*parts), 2), 2)

    identity = outputs.TABLE["identity"]
    model = make_model(lw.Network(4, [5], 6, output=replace(identity, name="halves", forward=halves)), "float64")
    export_onnx(model, tmp_path / "m.onnx")
    assert close(answers(tmp_path / "m.onnx", X=IRIS)["prediction"], model.predict(IRIS))

    def centred(ops, a):
        return ops.subtract(a, ops.sum_rows(a))

    rows_together = make_model(lw.Network(4, [5], 6, output=replace(identity, name="centred", forward=centred)))
    with refuses_by_name("output 'centred'", "'sum_rows'"):
        export_onnx(rows_together, tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()


# --- estimators -------------------------------------------------------------------------------------------------------


def several_answers():
    y = load_wine().target
    words = np.array(["a", "b", "c"], dtype=object)[y]
    return np.column_stack([words, np.where(y > 0, 7, 3).astype(object)])


FEW = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "tol": 0.0}
CLASSIFIERS = {
    "two classes": (lw.MLPClassifier(**FEW), load_breast_cancer().target_names[load_breast_cancer().target],
                    load_breast_cancer().data),
    "classes": (lw.MLPClassifier(**FEW, batch_norm=True, dropout=0.2), load_wine().target.astype(float), None),
    "booleans": (lw.MLPClassifier(**FEW), load_wine().target == 1, None),
    "labels": (lw.MLPClassifier(**FEW), np.eye(3, dtype=int)[load_wine().target] | [0, 0, 1], None),
    "ensemble": (lw.MLPClassifier(**FEW, n_ensemble=3, activation="gelu"), load_wine().target_names[load_wine().target],
                 None),
    "temperature": (lw.MLPClassifier(**FEW, calibrate=True, early_stopping=True, n_ensemble=2), load_wine().target,
                    None),
    "temperature of two": (lw.MLPClassifier(**FEW, calibrate=True, early_stopping=True), load_wine().target == 2, None),
    "one class": (lw.MLPClassifier(**FEW), np.full(178, "all"), None),
}  # fmt: skip


def fitted(est, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return est.fit(X, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name, dtype, tmp_path):
    est, y, X = CLASSIFIERS[name]
    X = scale(load_wine().data if X is None else X).astype(dtype)
    est = fitted(est, X, y)
    assert not name.startswith("temperature") or all(
        "temperature_" in m.__dict__ for m in getattr(est, "members_", [est])
    )
    export_onnx(est, tmp_path / "m.onnx", rows=X)
    found = answers(tmp_path / "m.onnx", X=X)
    assert close(found["probabilities"], est.predict_proba(X))
    assert found["prediction"].tolist() == est.predict(X).tolist()


def test_several_answers(tmp_path):
    X, y = scale(load_wine().data), several_answers()
    est = fitted(lw.MLPClassifier(**FEW), X, y)
    export_onnx(est, tmp_path / "m.onnx")
    found = answers(tmp_path / "m.onnx", X=X)
    for t, probabilities in enumerate(est.predict_proba(X)):
        assert close(found[f"probabilities_{t}"], probabilities)
        assert found[f"prediction_{t}"].tolist() == est.predict(X)[:, t].tolist()
    assert found["prediction_0"].dtype == object
    assert found["prediction_1"].dtype == np.int64


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": "poisson"}, {"loss": "absolute_error"}, {"loss": "huber"}, {"loss": "gaussian_nll"},
     {"loss": "quantile"}, {"loss": "quantile", "quantiles": [0.3]}, {"n_ensemble": 3, "loss": "quantile"},
     {"n_ensemble": 2}, {"loss": own_loss}],
    ids=lambda settings: "own" if settings.get("loss") is own_loss else str(settings),
)  # fmt: skip
def test_regressors(settings, targets, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    y = np.column_stack([y, y**0.5])[:, :targets]
    y = y[:, 0] if targets == 1 else y
    est = fitted(lw.MLPRegressor(**FEW | settings), scale(X), y / 100)
    export_onnx(est, tmp_path / "m.onnx")
    assert close(answers(tmp_path / "m.onnx", X=scale(X))["prediction"], est.predict(scale(X)))


@pytest.mark.parametrize("settings", [{}, {"tied": True, "masking": 0.2}, {"loss": "log_loss", "activation": "elu"}])
def test_autoencoders(settings, tmp_path):
    X = (load_digits().data / 16).astype(np.float32)
    est = fitted(lw.Autoencoder(**FEW | {"hidden_layer_sizes": (20, 8), "max_iter": 2} | settings), X, None)
    export_onnx(est, tmp_path / "m.onnx")
    assert close(answers(tmp_path / "m.onnx", X=X)["prediction"], est.reconstruct(X))


# --- tables and images ------------------------------------------------------------------------------------------------


def saved(features, target, epochs=2, dtype="float32", **settings):
    """A model of a table, trained for a moment."""
    preparation, coding = Preparation.fit(features), TargetCoding.fit(target)
    y = coding.encode(target)
    classes = len(coding.classes)
    columns = settings.pop("columns", classes or 1)
    net = lw.Network(
        preparation.n_inputs, [8], columns, output=settings.pop("output", "softmax" if classes else "identity")
    )
    X = preparation.transform(features, dtype)
    model = lw.fit(net, X, y if net.output.target == "classes" else y[:, None], epochs=epochs, dtype=dtype)
    return SavedModel(net, model.parameters, preparation, coding, {})


def columns_of(features, preparation):
    words = {column.name for column in preparation.words}
    return {
        name: np.array([cell or "" for cell in features[name]], dtype=object)[:, None] if name in words
        else np.array([[np.nan if cell is None else float(cell)] for cell in features[name]])
        for name in features.columns
    }  # fmt: skip


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes"])
def test_tables(name, tmp_path):
    part = load_bundled(name).parts["all"]
    model = saved(part.features, part.target)
    export_onnx(model, tmp_path / "m.onnx", rows=part.features)
    found, here = (
        answers(tmp_path / "m.onnx", **columns_of(part.features, model.preparation)),
        model.predict(part.features),
    )
    if model.target.kind == "numbers":
        assert found["prediction"].dtype == np.float64
        assert close(found["prediction"], here[:, 0])
    else:
        assert close(found["probabilities"], here)
        assert found["prediction"].tolist() == model.target.decode(here.argmax(axis=1)).tolist()


def test_two_classes_of_one_column(tmp_path):
    part = load_bundled("breast-cancer").parts["all"]
    model = saved(part.features, part.target, output="sigmoid", columns=1)
    export_onnx(model, tmp_path / "m.onnx")
    found, here = (
        answers(tmp_path / "m.onnx", **columns_of(part.features, model.preparation)),
        model.predict(part.features),
    )
    assert close(found["probabilities"], np.hstack([1 - here, here]))
    assert found["prediction"].tolist() == model.target.decode((here[:, 0] > 0.5).astype(int)).tolist()


def test_digits(tmp_path):
    digits = load_bundled("digits")
    pixels, y = digits.parts["all"].features, digits.parts["all"].target
    preparation = Preparation.for_images((8, 8), 16.0)
    net = lw.Network(64, [20], 10)
    theta = lw.fit(net, preparation.transform(pixels), y, epochs=3).parameters
    model = SavedModel(net, theta, preparation, TargetCoding.fit(y), {})
    export_onnx(model, tmp_path / "m.onnx", rows=pixels)
    found = answers(tmp_path / "m.onnx", image=pixels.astype(np.float32))
    assert close(found["probabilities"], model.predict(pixels))
    assert (found["prediction"] == model.predict(pixels).argmax(axis=1)).all()


def test_adult_with_missing_words(shared_data, tmp_path):
    table, _ = read_table(shared_data / "adult" / "adult_train.csv.gz")
    table = table.head(3000)
    features, target = table.drop("income"), table["income"]
    assert features["workclass"].null_count() > 50
    model = saved(features, target)
    parity = export_onnx(model, tmp_path / "m.onnx", rows=features)
    assert parity.rows == 3000
    found = answers(tmp_path / "m.onnx", **columns_of(features, model.preparation))
    assert close(found["probabilities"], model.predict(features))
    assert {i.name for i in session_of(tmp_path / "m.onnx").get_inputs()} == set(features.columns)


TABLE = pl.DataFrame(
    {"": [1.5, None, 2.0, 9.0] * 4, "same": [3] * 16, "flag": [True, False, None, True] * 4,
     "job": ["smith", "Ärztin", None, "clerk"] * 4, "town": ["x", "y", "x", "y"] * 4}
)  # fmt: skip


def test_cells_of_every_kind(tmp_path):
    """Missing numbers and words, words never seen, a constant column, one without a name, one without missing words."""
    model = saved(TABLE, pl.Series(["no", "yes"] * 8), dtype="float64")
    asked = pl.DataFrame(
        {"": [1.0, None, 1e9], "same": [3, 4, None], "flag": [None, True, False], "job": ["Ärztin", None, UNSEEN],
         "town": [None, UNSEEN, "y"]}
    )  # fmt: skip
    parity = export_onnx(model, tmp_path / "m.onnx", rows=asked)
    assert parity.rows == 3
    assert parity.largest < 1e-14
    given = columns_of(asked, model.preparation)
    given["unnamed"] = given.pop("")
    found = answers(tmp_path / "m.onnx", **given)
    assert np.abs(found["probabilities"] - model.predict(asked)).max() < 1e-14


def test_random_rows_ask_for_everything():
    made = exported(saved(TABLE, pl.Series(["no", "yes"] * 8)))
    rows = made.random_rows()
    assert rows.columns == list(made.columns)
    assert {*rows["job"].to_list()} == {"smith", "Ärztin", "clerk", None, UNSEEN}
    assert 5 < rows[""].is_nan().sum() < 60
    assert rows["same"].n_unique() > 5


def test_what_the_file_says_of_itself(tmp_path):
    model = saved(TABLE, pl.Series("answer", ["no", "yes"] * 8))
    export_onnx(model, tmp_path / "m.onnx")
    proto = onnx.load(str(tmp_path / "m.onnx"))
    onnx.checker.check_model(proto, full_check=True)
    assert proto.ir_version == 8
    assert {entry.domain: entry.version for entry in proto.opset_import} == {"": 17, "ai.onnx.ml": 3}
    told = {entry.key: entry.value for entry in proto.metadata_props}
    assert told["layerwise"] == proto.producer_version == lw.__version__
    assert json.loads(told["classes"]) == ["no", "yes"]
    kinds = {i.name: (i.type, i.shape) for i in session_of(tmp_path / "m.onnx").get_inputs()}
    assert kinds == {name: ("tensor(string)" if name in ("job", "town") else "tensor(double)", ["N", 1])
                     for name in ("unnamed", "same", "flag", "job", "town")}  # fmt: skip
    results = {o.name: (o.type, o.shape) for o in session_of(tmp_path / "m.onnx").get_outputs()}
    assert results == {"probabilities": ("tensor(float)", ["N", 2]), "prediction": ("tensor(string)", ["N"])}


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.fixture
def refuses_by_name():
    @contextmanager
    def block(*pieces, kind=SpecificationError):
        with pytest.raises(kind) as caught:
            yield
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        for piece in (caught.value.expected, caught.value.got, caught.value.remedy, *pieces):
            assert piece in str(caught.value)

    return block


def test_a_model_that_says_something_else_is_not_written(make_model, tmp_path, refuses_by_name, monkeypatch):
    relu = activations.TABLE["relu"].g
    monkeypatch.setitem(onnx_formulas.NATIVE, relu, ("Abs", {}, True))
    for output in ("softmax", "identity", "sigmoid"):
        model = make_model(lw.Network(4, [5], 3, output=output))
        with refuses_by_name("m.onnx", "onnxruntime", "row ", kind=ExportError):
            export_onnx(model, tmp_path / "m.onnx", rows=IRIS)
    monkeypatch.setitem(onnx_formulas.NATIVE, relu, ("NoSuchOperator", {}, True))
    with refuses_by_name("NoSuchOperator", kind=ExportError):
        export_onnx(model, tmp_path / "m.onnx")
    monkeypatch.setitem(onnx_formulas.NATIVE, activations.TABLE["elu"].g, ("Elu", {}, True))
    with refuses_by_name("Elu", kind=ExportError):  # the checker finds nothing wrong, but there is no kernel
        export_onnx(make_model(lw.Network(4, [5], 3, hidden="elu"), "float64"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rounding_may_decide_between_equal_classes(make_model, tmp_path):
    model = make_model(lw.Network(4, [5], 2))
    model.parameters.W[2][1] = model.parameters.W[2][0]
    model.parameters.b[2][:] = [0.0, 1e-7]
    export_onnx(model, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra(missing, make_model, tmp_path, monkeypatch, refuses_by_name):
    monkeypatch.setitem(sys.modules, missing, None)
    with refuses_by_name(missing, "pip install 'layerwise[onnx]'", kind=MissingExtraError):
        export_onnx(make_model(lw.Network(4, [5], 2)), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_places(make_model, tmp_path, refuses_by_name):
    model, place = make_model(lw.Network(4, [5], 2)), tmp_path / "m.onnx"
    place.write_text("mine")
    with refuses_by_name("m.onnx", "--overwrite", kind=StorageError):
        export_onnx(model, place)
    assert place.read_text() == "mine"
    export_onnx(model, place, overwrite=True)
    assert session_of(place).get_inputs()[0].name == "X"
    with refuses_by_name("no such file", kind=StorageError):
        export_onnx(model, tmp_path / "nowhere" / "m.onnx")
    with refuses_by_name("a folder", kind=StorageError):
        export_onnx(model, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_what_cannot_be_is_refused_by_name(tmp_path, refuses_by_name):
    y = pl.Series(["no", "yes"] * 8)
    with refuses_by_name("column 'job'", "empty word"):
        export_onnx(saved(pl.DataFrame({"job": ["", None, "a", "b"] * 4}), y), tmp_path / "m.onnx")
    with refuses_by_name("column 'prediction'"):
        export_onnx(saved(pl.DataFrame({"prediction": range(16)}), y), tmp_path / "m.onnx")
    with refuses_by_name("got int"):
        export_onnx(3, tmp_path / "m.onnx")
    for names in ([1, "a"], [1, 2**70]):
        with refuses_by_name("classes", repr(names[1])):
            class_names(np.array(names, dtype=object))
    assert list(tmp_path.iterdir()) == []
