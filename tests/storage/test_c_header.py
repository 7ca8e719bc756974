"""C headers: compiled, they say what Layerwise says, on real rows; what cannot be is refused by name."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import scale

import layerwise as lw
from layerwise.data.bundled import load_bundled
from layerwise.data.preparation import Preparation
from layerwise.data.targets import TargetCoding
from layerwise.errors import SpecificationError, StorageError
from layerwise.rules import activations, outputs
from layerwise.storage import SavedModel
from layerwise.storage.c_formulas import comment, number, string

IRIS = scale(load_iris().data)
OWN = lw.Activation.own(
    lambda s, a: s.where(a < 0, s.log1p(a * a), s.erf(a)) + s.expm1(-a * a) * s.cos(a) + s.min(s.sqrt(s.abs(a)), 2)
    + s.where(s.max(a, -0.0), s.tanh(a), -1e-9) / (2 + s.exp(-s.abs(a))) + s.log(1 + s.abs(a))
)  # fmt: skip
ACTIVATIONS = {**activations.TABLE, "own": OWN, "constant": lw.Activation.own(lambda s, a: 0.25)}
OUTPUTS = {
    **outputs.TABLE, "quantile": lw.Quantile([0.1, 0.5, 0.9]), "groups": lw.SoftmaxGroups([2, 4]),
    "own_link": lw.Output.own(lambda s, f, y: s.abs(f - y), "softplus"),
}  # fmt: skip
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2"]
ASK = """
void {p}_ask(const double *rows, int n, {f} *f, int *classes) {{
  for (int t = 0; t < n; ++t) {{
    {p}_predict(rows + t * {P}_INPUTS, f + t * {P}_OUTPUTS);
    {choose}
  }}
}}
"""


@pytest.fixture(scope="session", autouse=True)
def compilers():
    if shutil.which("gcc") is None or shutil.which("g++") is None:
        pytest.skip("there is no gcc here")


class Compiled:
    """Headers in one library, by their prefixes."""

    def __init__(self, folder, models):
        self.headers = {}
        text = ""
        for prefix, model in models.items():
            lw.export_c(model, folder / f"{prefix}.h", prefix=prefix)
            header = self.headers[prefix] = (folder / f"{prefix}.h").read_text()
            assert header.isascii()
            choose = f"classes[t] = {prefix}_class(rows + t * {prefix.upper()}_INPUTS);"
            choose = choose if f"int {prefix}_class(const double *row) {{" in header else "(void)classes;"
            kind = "float" if self.kind(prefix) is np.float32 else "double"
            text += f'#include "{prefix}.h"\n' + ASK.format(p=prefix, P=prefix.upper(), f=kind, choose=choose)
        (folder / "all.c").write_text(text)
        library = folder / "all.so"
        for command in (
            ["g++", "-x", "c++", *FLAGS, "-c", "all.c", "-o", "all.o"],
            ["gcc", "-std=c99", *FLAGS, "-shared", "-fPIC", "all.c", "-o", str(library), "-lm"],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
        self.library = ctypes.CDLL(str(library))

    def kind(self, prefix):
        return (
            np.float32 if f"void {prefix}_predict(const double *row, float *f)" in self.headers[prefix] else np.float64
        )

    def __call__(self, prefix, rows):
        """f (n, outputs), and the place of the class that is chosen for each row."""
        rows = np.ascontiguousarray(rows, np.float64)
        define = f"#define {prefix.upper()}_OUTPUTS "
        (columns,) = (int(line[len(define) :]) for line in self.headers[prefix].splitlines() if line.startswith(define))
        f, classes = np.full((len(rows), columns), np.nan, self.kind(prefix)), np.full(len(rows), -1, np.int32)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (f, classes))
        getattr(self.library, f"{prefix}_ask")(ctypes.c_void_p(rows.ctypes.data), len(rows), *pointers)
        return f, classes


def close(there, here):
    return there.shape == here.shape and (np.abs(there - here) <= 1e-5 + 1e-5 * np.abs(here)).all()


def test_every_activation(make_model, tmp_path):
    models = {}
    for name, g in ACTIVATIONS.items():
        net = lw.Network(4, [lw.Layer(7, g, batch_norm=True), lw.Layer(5, g)], 3)
        models |= {f"{name}_{dtype}": make_model(net, dtype) for dtype in ("float32", "float64")}
    compiled = Compiled(tmp_path, models)
    for prefix, model in models.items():
        f, classes = compiled(prefix, 3 * IRIS)
        here = model.predict(3 * IRIS)
        assert f.dtype == here.dtype
        assert close(f, here), prefix
        assert (classes == f.argmax(axis=1)).all()
        if here.dtype == np.float64:
            assert np.abs(f - here).max() < 1e-13


def test_every_output(make_model, tmp_path):
    models = {
        name: make_model(lw.Network(4, [5], 6, hidden="tanh", output=output), "float64")
        for name, output in OUTPUTS.items()
    }
    compiled = Compiled(tmp_path, models)
    for name, model in models.items():
        assert close(compiled(name, IRIS)[0], model.predict(IRIS)), name


def test_large_and_missing_inputs(make_model, tmp_path):
    """Softmax does not overflow; NaN is not lost on the way, as it would be in fmax."""
    model = make_model(lw.Network(4, [5], 3), "float32")
    model.parameters.vector *= 1e4
    f, _ = Compiled(tmp_path, {"large": model})("large", np.vstack([IRIS * 1e3, np.full((1, 4), np.nan)]))
    assert close(f[:-1], model.predict(IRIS * 1e3))
    assert np.isnan(f[-1]).all()


def fitted(est, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return est.fit(X, y)


def test_estimators(tmp_path):
    few = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}
    X, cancer = scale(load_breast_cancer().data), load_breast_cancer().target
    D, y = scale(load_diabetes().data).astype(np.float32), load_diabetes().target / 100
    models = {
        "two": fitted(lw.MLPClassifier(**few), X, np.array(["no", 'ja "??/" é'])[cancer]),
        "cool": fitted(lw.MLPClassifier(**few, calibrate=True, early_stopping=True, n_ensemble=3), X, cancer),
        "one": fitted(lw.MLPClassifier(**few), X, np.zeros(len(X))),
        "labels": fitted(lw.MLPClassifier(**few), X, np.column_stack([cancer, 1 - cancer])),
        "mean": fitted(lw.MLPRegressor("gaussian_nll", **few, n_ensemble=2), D, np.column_stack([y, y**2])),
        "bands": fitted(lw.MLPRegressor("quantile", **few), D, np.column_stack([y, y**2])),
        "code": fitted(lw.Autoencoder(**few | {"hidden_layer_sizes": 3}, tied=True), D, None),
    }
    compiled = Compiled(tmp_path, models)
    for name, est in models.items():
        rows = D if name in ("mean", "bands", "code") else X
        f, classes = compiled(name, rows)
        if hasattr(est, "predict_proba"):
            assert close(f, est.predict_proba(rows)), name
            assert name == "labels" or (est.classes_[classes] == est.predict(rows)).all()
        else:
            here = est.reconstruct(rows) if name == "code" else est.predict(rows)
            assert close(f, here.reshape(len(rows), -1)), name
    assert r'"ja \"\?\?/\" \303\251"' in compiled.headers["two"]


def saved(name, dtype="float32"):
    """A model of a bundled set, trained for a moment."""
    found = load_bundled(name)
    features, target = found.parts["all"].features, found.parts["all"].target
    images = found.kind == "images"
    steps = Preparation.for_images(found.image_shape, found.pixel_max) if images else Preparation.fit(features)
    coding = TargetCoding.fit(target)
    classes = len(coding.classes)
    net = lw.Network(steps.n_inputs, [9], classes or 1, output="softmax" if classes else "identity", batch_norm=True)
    y = coding.encode(target)
    y = y if classes else y[:, None]
    theta = lw.fit(net, steps.transform(features, dtype), y, epochs=2, dtype=dtype).parameters
    return features, SavedModel(net, theta, steps, coding, {})


def test_real_data_with_missing_numbers(tmp_path):
    rows, models = {}, {}
    for name in ("iris", "wine", "diabetes", "digits"):
        rows[name], models[name] = saved(name, "float64" if name == "wine" else "float32")
        if name != "digits":
            holes = np.random.default_rng(0).random(rows[name].shape) < 0.1
            rows[name] = pl.DataFrame(
                {column: [None if hole else float(value) for value, hole in zip(values, holes[:, k], strict=True)]
                 for k, (column, values) in enumerate(rows[name].to_dict().items())}
            )  # fmt: skip
    compiled = Compiled(tmp_path, models)
    for name, model in models.items():
        given = rows[name] if name == "digits" else rows[name].to_numpy().astype(np.float64)
        f, classes = compiled(name, given)
        assert close(f, model.predict(rows[name])), name
        assert name == "diabetes" or (classes == f.argmax(axis=1)).all()
    lines = compiled.headers["iris"].splitlines()
    assert " *     1: sepal width (cm)" in lines
    assert [line.strip(' ,"') for line in lines if line.startswith('  "')] == ["setosa", "versicolor", "virginica"]
    assert compiled.headers["iris"].count("#include") == 1


def test_a_constant_column_counts_nothing(tmp_path):
    table = pl.DataFrame({"same": [7.0] * 20, "x */ ??/": np.arange(20.0)})
    steps, coding = Preparation.fit(table), TargetCoding.fit(pl.Series(np.arange(20.0) / 3), "numbers")
    theta = lw.Network(2, [3], 1, output="identity").initialize(0, "float32")
    model = SavedModel(theta.network, theta, steps, coding, {})
    asked = np.array([[7.0, 1.0], [1e9, 2.0], [np.nan, np.nan]])
    here = model.predict(pl.DataFrame({"same": asked[:, 0], "x */ ??/": asked[:, 1]}))
    assert close(Compiled(tmp_path, {"c": model})("c", asked)[0], here)


def test_what_cannot_be_is_refused_by_name(make_model, tmp_path, refuses):
    def message(model, **settings):
        with pytest.raises(SpecificationError) as caught:
            lw.export_c(model, tmp_path / "m.h", **settings)
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value)

    table = pl.DataFrame({"age": [1.0, 2.0], "job": ["a", "b"]})
    theta = lw.Network(3, [2], 2).initialize(0, "float32")
    words = SavedModel(theta.network, theta, Preparation.fit(table), TargetCoding("classes", "y", ("a", "b")), {})
    assert message(words).startswith("column 'job': expected numbers")

    def centred(ops, a):
        return ops.subtract(a, ops.sum_rows(a))

    own = replace(outputs.TABLE["identity"], name="centred", forward=centred)
    assert "output 'centred'" in message(make_model(lw.Network(4, [5], 6, output=own)))
    model = make_model(lw.Network(4, [5], 2))
    for prefix in ("", "2x", "a-b", "a b", "é", "a\n"):
        assert "--prefix" in message(model, prefix=prefix)
    assert list(tmp_path.iterdir()) == []
    lw.export_c(model, tmp_path / "m.h", prefix="p_2")
    with refuses("m.h", "--overwrite"):
        lw.export_c(model, tmp_path / "m.h")
    lw.export_c(model, tmp_path / "m.h", overwrite=True)
    with pytest.raises(StorageError, match="a folder"):
        lw.export_c(model, tmp_path, overwrite=True)
    assert "p_2" not in (tmp_path / "m.h").read_text()


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 0.1, 1e-5, 123456789.123, 1e16, 1e-300, 3e38, 5e-324, np.pi])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_keep_their_digits(value, dtype):
    text = number(value, dtype)
    assert text.endswith("f") == (dtype == "float32")
    assert "." in text or "e" in text
    assert np.dtype(dtype).type(text.rstrip("f")) == np.dtype(dtype).type(value)
    assert [number(v, dtype) for v in (np.inf, -np.inf, np.nan)] == ["INFINITY", "-INFINITY", "NAN"]
    assert number(1e39, "float32") == "INFINITY"


def test_texts_stay_within_their_quotes():
    assert comment("a */ /* b\\") == "a * / / * b"
    assert comment("*//* ??/\n é") == r"* // * ? ?/ \xe9"
    assert string('"\\?\n\0a') == r'"\"\\\?\012\000a"'
