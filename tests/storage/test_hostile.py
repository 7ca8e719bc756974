"""Loading never executes what a folder says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from layerwise.network import Network
from layerwise.storage import load, save


@pytest.fixture
def folder(make_model, tmp_path) -> Path:
    """A model with an activation of its own, which is stored as an expression."""
    save(tmp_path / "m", make_model(Network(2, [3], 2, hidden=lambda s, a: a * s.tanh(a))))
    return tmp_path / "m"


def test_the_interpreter_is_asked_to_run_nothing(folder):
    events: list[str] = []
    watching = False

    def watch(event: str, arguments: object) -> None:
        if watching:
            events.append(event)

    sys.addaudithook(watch)  # for good, hence the switch
    load(folder)  # everything is imported by now
    watching = True
    load(folder)
    exec("pass")
    watching = False
    assert events.count("open") >= 2
    assert events[-1] == "exec"  # that one is ours: such calls are seen
    assert not {"exec", "compile", "import", "pickle.find_class", "os.system", "subprocess.Popen"} & {*events[:-2]}


CALL = "__import__('pathlib').Path('ran').touch()"
INPUT = ["input", "a"]


@pytest.mark.parametrize(
    "steps",
    [
        [CALL],
        [[CALL]],
        [INPUT, [CALL, 0]],
        [INPUT, ["eval", CALL]],
        [INPUT, ["__class__", 0]],
        [INPUT, ["tanh", CALL]],
        [INPUT, ["constant", CALL]],
        [INPUT, ["tanh", 1]],
        [INPUT, ["tanh", 5]],
        [INPUT, ["tanh", -1]],
        [INPUT, ["tanh", True]],
        [INPUT, ["tanh", 0, 0]],
        [["input", "os"]],
        [["constant", 10**400]],
        [INPUT, ["constant", None]],
        [INPUT, [["tanh"], 0]],
        [INPUT, {"tanh": 0}],
        [INPUT, []],
        "ab",
        None,
        [],
    ],
)
@pytest.mark.parametrize("part", ["g", "derivative"])
def test_hostile_expression(folder, tmp_path, monkeypatch, refuses, part, steps):
    monkeypatch.chdir(tmp_path)
    path = folder / "model.json"
    document = json.loads(path.read_text())
    formula = document["network"]["layers"][0]["activation"][part]
    formula["steps"], formula["outputs"] = steps, [max(len(steps or ()) - 1, 0)]
    path.write_text(json.dumps(document))
    with refuses("expected"):
        load(folder)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ["a", "b"]},
        {"inputs": []},
        {"outputs": []},
        {"outputs": [99]},
        {"outputs": [-1]},
        {"outputs": [0, 0]},
        {"outputs": ["x"]},
        {"outputs": 0},
    ],
)
@pytest.mark.parametrize("part", ["g", "derivative"])
def test_expressions_of_another_form(folder, refuses, part, changes):
    path = folder / "model.json"
    document = json.loads(path.read_text())
    document["network"]["layers"][0]["activation"][part].update(changes)
    path.write_text(json.dumps(document))
    with refuses("expected"):
        load(folder)


OWN = {"inputs": ["f", "y"], "steps": [["input", "f"], ["input", "y"], ["subtract", 0, 1]], "outputs": [2]}
MADE = {"maker": "own", "loss": OWN, "link": "exp", "name": "mine"}


@pytest.mark.parametrize(
    "output",
    [
        {},
        {"maker": CALL},
        {"maker": ["huber"]},
        {"maker": "huber", "delta": -1},
        {"maker": "huber", "delta": "1"},
        {"maker": "huber", "delta": float("inf")},
        {"maker": "huber", "delta": 1.0, "loss": OWN},
        {"maker": "quantile"},
        {"maker": "quantile", "levels": 3},
        {"maker": "quantile", "levels": "0.5"},
        {"maker": "quantile", "levels": []},
        {"maker": "quantile", "levels": [0.5, 0.1]},
        {"maker": "quantile", "levels": [0.0, 1.5]},
        {"maker": "quantile", "levels": [0.1, 0.2, 0.3, 0.4]},  # which do not fit the outputs
        {"maker": "softmax", "smoothing": 1.0},
        {"maker": "sigmoid", "smoothing": True},
        {"maker": "softmax_groups", "sizes": [1, 1]},
        {"maker": "softmax_groups", "sizes": [10**400]},
        {"maker": "softmax_groups", "sizes": {"2": 2}},
        MADE | {"loss": CALL},
        MADE | {"loss": None},
        MADE | {"loss": OWN | {"steps": [["input", "f"], ["input", "y"], [CALL, 0, 1]]}},
        MADE | {"loss": OWN | {"inputs": ["f"], "steps": [["input", "f"]], "outputs": [0]}},
        MADE | {"loss": OWN | {"outputs": [0, 1]}},
        MADE | {"link": CALL},
        MADE | {"link": ["exp"]},
        MADE | {"name": 3},
        ["maker", "huber"],
        CALL,
        None,
        3,
    ],
    ids=str,
)
def test_hostile_output(folder, tmp_path, monkeypatch, refuses, output):
    monkeypatch.chdir(tmp_path)
    path = folder / "model.json"
    document = json.loads(path.read_text())
    document["network"]["output"] = output
    path.write_text(json.dumps(document))
    with refuses("expected"):
        load(folder)
    assert not Path("ran").exists()
