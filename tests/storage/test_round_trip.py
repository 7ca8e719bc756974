"""What is saved comes back: bit for bit, with the preparation and the coding of the target."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.data import Preparation, TargetCoding
from layerwise.errors import InputError
from layerwise.network import Layer, Network
from layerwise.rules import activations, initialisation
from layerwise.rules.initialisation import Initialisation
from layerwise.rules.penalties import L1, L2, Penalty
from layerwise.storage import load, save
from layerwise.storage.specification import network_from_data, network_to_data
from layerwise.training.fit import fit

TABLE = pl.DataFrame({"age": [20.0, 40.0, None, 31.0], "job": ["nurse", None, "clerk", "clerk"]})
NETWORKS = {
    "softmax": Network(3, [5, 4], 3, hidden="tanh"),
    "no hidden layer": Network(3, [], 2),
    "identity": Network(2, [4], 2, hidden="gelu", output="identity"),
    "sigmoid": Network(2, [3], 2, output="sigmoid"),
    "batch norm and dropout": Network(3, [4, 4], 3, hidden="selu", batch_norm=True, dropout=0.4),
    "layers of all kinds": Network(
        3, [Layer(2, "elu", 0.1), Layer(3, "mish", batch_norm=True, initialisation="he")], 2
    ),
    "corrupted inputs": Network(3, [4], 3, output="identity", input_dropout=0.3, input_noise=0.1),
    "tied": Network(3, [2], 3, hidden="tanh", output="identity", tied=True),
    "penalties on activations": Network(
        3,
        [Layer(4, "tanh", activity=L1(0.1) + L2(0.2)), 2, Layer(3, activity=Penalty.own(0.3, lambda s, h: h * h * h))],
        2,
    ),
    "own activation": Network(3, [4], 2, hidden=lambda s, a: s.where(a > 0, a, 0.2 * s.tanh(a))),
    "own activation by another's name": Network(
        3, [Layer(4, activations.Activation.own(lambda s, a: a * a, "relu"))], 2
    ),
    "constant weights": Network(3, [4], 2, initialisation=0.25),
    "absolute": Network(2, [4], 2, output="absolute"),
    "huber": Network(2, [4], 2, output="huber"),
    "huber with a setting": Network(2, [4], 2, output=lw.Huber(0.1)),
    "poisson": Network(2, [4], 2, output="poisson"),
    "gaussian": Network(2, [4], 4, output="gaussian"),
    "quantiles": Network(2, [4], 6, output=lw.Quantile([0.1, 0.5, 0.9])),
    "smoothed softmax": Network(2, [4], 3, output=lw.Softmax(0.1)),
    "smoothed sigmoid": Network(2, [4], 3, output=lw.Sigmoid(0.3)),
    "several classes": Network(2, [4], 5, output=lw.SoftmaxGroups([3, 2])),
    "own loss": Network(2, [4], 2, output=lw.Output.own(lambda s, f, y: s.log1p((f - y) ** 2), "exp", "mine")),
    "own loss by another's name": Network(2, [4], 2, output=lw.Output.own(lambda s, f, y: f - y, name="huber")),
    "own initialisation": Network(3, [4], 2, initialisation=Initialisation("mine", "normal", 0.5, "mean")),
}


def assert_same(saved, model):
    theta = model.parameters
    assert saved.network == model.network
    assert saved.parameters.network == model.network
    for found, kept in ((saved.parameters.vector, theta.vector), (saved.parameters.statistics, theta.statistics)):
        assert found.dtype == kept.dtype
        assert found.tobytes() == kept.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(make_model, tmp_path, name, dtype):
    model = make_model(NETWORKS[name], dtype)
    save(tmp_path / "m", model)
    saved = load(tmp_path / "m")
    assert_same(saved, model)
    X = np.random.default_rng(1).normal(size=(6, model.network.inputs))
    assert saved.predict_prepared(X).tobytes() == model.predict(X).tobytes()
    assert (saved.preparation, saved.target) == (None, None)


def test_files_from_before_networks_had_all_settings():
    net = NETWORKS["layers of all kinds"]
    data = network_to_data(net)
    del data["input_dropout"], data["input_noise"], data["tied"]
    for layer in data["layers"]:
        del layer["activity"]
    assert network_from_data(data) == net


SLOTS = st.one_of(st.sampled_from([*initialisation.TABLE]), st.floats(-2, 2))
LAYERS = st.builds(
    Layer, st.integers(1, 4), st.sampled_from([*activations.TABLE]), st.floats(0, 0.9), st.booleans(), SLOTS
)


@settings(max_examples=60, deadline=None)
@given(
    inputs=st.integers(1, 4), layers=st.lists(LAYERS, max_size=3), outputs=st.integers(2, 3), initialisation=SLOTS,
    output=st.sampled_from(["softmax", "sigmoid", "identity"]), dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_any_network(make_model, inputs, layers, outputs, initialisation, output, dtype, seed):
    model = make_model(Network(inputs, layers, outputs, output=output, initialisation=initialisation), dtype, seed)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "m", model)
        saved = load(Path(folder) / "m")
    assert_same(saved, model)
    assert saved.network.initialize(seed).vector.tobytes() == model.network.initialize(seed).vector.tobytes()


def test_denormal_and_extreme_parameters(make_model, tmp_path):
    model = make_model(NETWORKS["softmax"])
    model.parameters.vector[:5] = np.array([-0.0, 1e-45, 3.4e38, -3.4e38, np.nextafter(1, 2)], np.float32)
    save(tmp_path / "m", model)
    assert_same(load(tmp_path / "m"), model)


def test_table_and_classes(make_model, tmp_path):
    preparation = Preparation.fit(TABLE)
    coding = TargetCoding.fit(np.array(["no", "yes", "no", "yes"]), name="Größe")
    model = make_model(Network(preparation.n_inputs, [5], 2))
    save(tmp_path / "m", model, preparation=preparation, target=coding)
    saved = load(tmp_path / "m")
    assert saved.preparation == preparation
    assert saved.target == coding
    new = pl.DataFrame({"job": ["nurse", "pilot", None], "age": [None, 1e3, 31.0]})
    found = saved.predict(new)
    assert found.dtype == np.float32
    assert found.tobytes() == saved.predict_prepared(preparation.transform(new)).tobytes()
    assert found.tobytes() == model.predict(preparation.transform(new)).tobytes()
    assert set(saved.target.decode(found.argmax(axis=1))) <= {"no", "yes"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_raw_rows_are_prepared_in_the_precision_of_the_parameters(make_model, tmp_path, dtype):
    preparation = Preparation.fit(TABLE)
    coding = TargetCoding.fit(np.array([0.25, 1.5, -3.0, 8.0]))
    model = make_model(Network(preparation.n_inputs, [3], 1, output="identity"), dtype)
    save(tmp_path / "m", model, preparation=preparation, target=coding)
    saved = load(tmp_path / "m")
    assert saved.target == coding
    f = model.predict(preparation.transform(TABLE, dtype))
    assert saved.predict_prepared(preparation.transform(TABLE, dtype)).tobytes() == f.tobytes()
    assert saved.predict(TABLE).tobytes() == coding.decode(f).tobytes()  # in the units of the target


def test_images(make_model, tmp_path):
    preparation = Preparation.for_images((2, 3), 16.0)
    model = make_model(Network(6, [3], 2))
    save(tmp_path / "m", model, preparation=preparation)
    saved = load(tmp_path / "m")
    pixels = np.random.default_rng(0).integers(0, 17, (5, 6)).astype(np.uint8)
    assert saved.preparation == preparation
    assert saved.predict(pixels).tobytes() == model.predict(pixels / np.float32(16)).tobytes()


def test_raw_rows_without_preparation_are_the_inputs(make_model, tmp_path):
    save(tmp_path / "m", make_model(NETWORKS["softmax"]))
    saved = load(tmp_path / "m")
    X = np.arange(6.0).reshape(2, 3)
    assert saved.predict(X).tobytes() == saved.predict_prepared(X).tobytes()
    with pytest.raises(InputError, match="n rows of 3 columns"):
        saved.predict_prepared(X[:, :2])


def test_a_trained_model(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    net = Network(3, [6], 2, batch_norm=True, dropout=0.2)
    model = fit(net, X, (X[:, 0] > 0).astype(int), epochs=3, batch_size=8)
    save(tmp_path / "m", model)
    saved = load(str(tmp_path / "m"))
    assert_same(saved, model)
    assert saved.predict_prepared(X).tobytes() == model.predict(X).tobytes()
    lines = (tmp_path / "m" / "history.csv").read_text().splitlines()
    assert lines == model.history.to_csv().splitlines()
    assert len(lines) == 4


def test_what_lies_in_the_folder(make_model, tmp_path):
    files = {"learning_curve.png": b"picture", "report.html": b"<p>"}
    save(tmp_path / "m", make_model(NETWORKS["softmax"]), description={"data": {"name": "häuser"}}, files=files)
    names = ["history.csv", "learning_curve.png", "model.json", "parameters.safetensors", "report.html"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == names
    text = (tmp_path / "m" / "model.json").read_text(encoding="utf-8")
    assert "häuser" in text
    document = json.loads(text)
    assert (document["format"], document["version"], document["dtype"]) == ("layerwise-model", 2, "float32")
    assert document["data"] == {"name": "häuser"}
    assert sorted(document["sha256"]) == [name for name in names if name != "model.json"]
    for name, digest in document["sha256"].items():
        assert hashlib.sha256((tmp_path / "m" / name).read_bytes()).hexdigest() == digest
    assert load(tmp_path / "m").description["data"] == {"name": "häuser"}


def test_log_variances_have_other_units_than_the_target(make_model, tmp_path, refuses):
    model, coding = make_model(NETWORKS["gaussian"]), TargetCoding.fit(np.array([0.25, 1.5, -3.0, 8.0]))
    with refuses("target", "log variances", "decode the means"):
        save(tmp_path / "m", model, target=coding)
    assert not (tmp_path / "m").exists()
