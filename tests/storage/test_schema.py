"""model.schema.json describes every model.json, and nothing that no folder may say."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

import layerwise as lw
from layerwise.network import Layer, Network
from layerwise.rules.initialisation import Initialisation
from layerwise.rules.penalties import Penalty
from layerwise.storage import save

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = json.loads((files("layerwise.storage") / "model.schema.json").read_text(encoding="utf-8"))
FIXTURES = Path(__file__).parent / "fixtures"
VALID = jsonschema.Draft202012Validator(SCHEMA)


def described(folder):
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("folder", sorted(FIXTURES.glob("v*/")), ids=lambda folder: folder.name)
def test_fixtures(folder):
    VALID.validate(described(folder))


OUTPUTS = [
    lw.Huber(0.1), lw.Quantile([0.1, 0.9]), lw.Sigmoid(0.2), lw.Softmax(0.1), lw.SoftmaxGroups([2, 2]), "gaussian",
    "poisson", lw.Output.own(lambda s, f, y: s.where(f < y, float("inf"), f), "exp", "mine"),
]  # fmt: skip


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_networks(make_model, tmp_path, output):
    layers = [
        Layer(3, lw.Activation.own(lambda s, a: a * a), 0.5, True, Initialisation("mine", "normal", 0.5, "mean")),
        Layer(2, activity=lw.L1(0.1) + Penalty.own(0.3, lambda s, h: h * h * h)),
    ]
    net = Network(2, layers, 4, output=output, input_dropout=0.1, input_noise=0.5)
    save(tmp_path / "m", make_model(net), description={"more": [1, {"a": None}]})
    VALID.validate(described(tmp_path / "m"))


def at(*path):
    """What changes one value of a description."""

    def change(document, value):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (at("version"), 3),
        (at("version"), 1),
        (at("format"), "other"),
        (at("dtype"), "float16"),
        (at("sha256"), {"../x": "0" * 64}),
        (at("sha256", "parameters.safetensors"), "0"),
        (at("network", "inputs"), 0),
        (at("network", "inputs"), "4"),
        (at("network", "layers", 0, "dropout"), 1),
        (at("network", "layers", 0, "more"), 1),
        (at("network", "layers", 0, "activation", "g", "steps"), [[]]),
        (at("network", "output"), {"maker": "eval"}),
        (at("target"), {"kind": "classes", "name": "y", "classes": ["a", 1]}),
        (at("preparation"), {"kind": "table"}),
        (at("estimator", "class"), "Popen"),
        (at("estimator", "parameters", "alpha"), {"pickle": "..."}),
        (at("estimator", "labels", "classes", 0, "array"), "V1000000000"),
        (at("estimator", "networks"), []),
        (at("estimator", "networks", 0, "fitted", "t_"), -1),
        (at("estimator", "networks", 0, "fitted", "history"), "/etc/passwd"),
    ],
)
def test_what_no_folder_may_say(change, value):
    document = described(FIXTURES / "v2-classifier")
    VALID.validate(document)
    change(document, value)
    assert not VALID.is_valid(document)


def test_loading_needs_no_schema(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jsonschema", None)
    lw.load(FIXTURES / "v2-classifier")
