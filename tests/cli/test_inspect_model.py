"""`layerwise inspect MODEL`: what is shown is what the model is; --trace shows what Network.trace computes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import layerwise as lw
from layerwise.cli import main
from layerwise.storage import load_history


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a model of classes, m, of a table with numbers and words."""
    folder = tmp_path_factory.mktemp("trained")
    lines = [f"{k},{k * 7 % 5}.5,{'red' if k % 3 else 'blue'},{'yes' if k < 20 else 'no'}" for k in range(40)]
    (folder / "t.csv").write_text("\n".join(["a,b,colour,y", *lines]) + "\n", encoding="utf-8")
    settings = ["--hidden", "5,3", "--epochs", "4", "--activation", "tanh", "--batch-norm", "--dropout", "0.1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)  # no pictures
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert main(["train", str(folder / "t.csv"), *settings, "-q", "--out", str(folder / "m")]) == 0
    return folder


@pytest.fixture
def model(trained, workplace, capsys):
    """The same in the current folder."""
    shutil.copytree(trained, workplace, dirs_exist_ok=True)
    capsys.readouterr()


@pytest.mark.usefixtures("model")
def test_facts_are_those_of_the_model(run):
    answer = run("inspect", "m", "--json")
    assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", 1)
    facts = json.loads(answer.out)
    saved = lw.load("m")
    net, theta = saved.network, saved.parameters
    assert facts["network"]["parameters"] == net.n_parameters
    assert [layer["units"] for layer in facts["network"]["layers"]] == [5, 3, 2]
    assert sum(layer["parameters"] for layer in facts["network"]["layers"]) == net.n_parameters
    for layer in facts["network"]["layers"]:
        W = theta.W[layer["k"]].astype(np.float64)
        assert layer["norm_W"] == pytest.approx(np.sqrt((W**2).sum()))
        assert (layer["smallest_W"], layer["largest_W"]) == (W.min(), W.max())
    assert [(layer["activation"], layer["batch_norm"]) for layer in facts["network"]["layers"]] == [
        ("tanh", True), ("tanh", True), ("softmax", False)
    ]  # fmt: skip
    assert facts["target"] == {"kind": "classes", "name": "y", "classes": ["no", "yes"]}
    a, b = facts["columns"]["numbers"]
    assert (a["name"], b["name"]) == ("a", "b")
    assert a["scale"] == pytest.approx(saved.preparation.numbers[0].scale)
    assert facts["columns"]["words"] == [{"name": "colour", "categories": ["blue", "red"], "missing": False}]
    assert facts["training"]["epochs"] == 4 == len(load_history("m"))
    assert facts["training"]["options"]["hidden"] == "5,3"
    assert set(facts["results"]) == {"train", "validation", "test"}
    assert facts["versions"]["layerwise"] == lw.__version__


@pytest.mark.usefixtures("model")
def test_it_is_shown(run):
    answer = run("inspect", "m")
    assert (answer.code, answer.err) == (0, "")
    net = lw.load("m").network
    for piece in (
        "y (2 classes: no, yes)", f"{net.n_parameters} parameters", "range of W", "batch norm", "tanh", "softmax",
        "median", "colour", "blue, red", "hidden=5,3", "4 epochs", "validation", "accuracy", "layerwise",
    ):  # fmt: skip
        assert piece in answer.out


@pytest.mark.usefixtures("model")
def test_trace_is_that_of_the_row(run):
    answer = run("inspect", "m", "--trace", "7", "--data", "t.csv", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    assert (found["row"], found["features"]["a"], found["target"]) == (7, 7, "yes")
    saved = lw.load("m")
    import polars as pl

    row = pl.DataFrame({"a": [7], "b": [float(f"{7 * 7 % 5}.5")], "colour": ["red"]})
    X = saved.preparation.transform(row)
    trace = saved.network.trace(saved.parameters, X, [1])
    quantities = found["quantities"]
    assert quantities["loss"] == trace.loss
    for name, array in trace.quantities().items():
        if isinstance(array, np.ndarray) and name != "losses":
            shown = np.array(quantities[name.replace("[", "^(").replace("]", ")")])
            wanted = array if name.startswith(("grad_W", "grad_b[", "grad_gamma", "grad_beta")) else array[0]
            np.testing.assert_array_equal(shown.astype(array.dtype), wanted)
    assert found["prediction"] == ["no", "yes"][int(trace.f[0].argmax())]


@pytest.mark.usefixtures("model")
def test_trace_is_printed_by_the_names_of_the_course(run):
    answer = run("inspect", "m", "--trace", "0", "--data", "t.csv")
    assert (answer.code, answer.err) == (0, "")
    names = [line.split()[0] for line in answer.out.splitlines()]
    order = ["h^(0)", "a^(1)", "z^(1)", "h^(1)", "a^(3)", "f", "loss", "grad_f", "grad_a^(3)", "grad_W^(3)",
             "grad_b^(3)", "grad_h^(2)", "grad_a^(1)", "grad_h^(0)"]  # fmt: skip
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    assert "counted from 0" in answer.out
    assert "norm" in answer.out


def test_trace_of_numbers_and_of_images_in_a_later_piece(run, without_pictures):
    assert run("train", "diabetes", "--epochs", "2", "--hidden", "3", "-q", "--out", "r").code == 0
    found = json.loads(run("inspect", "r", "--trace", "0", "--data", "diabetes", "--json").out)
    assert found["target"] == 151.0
    saved = lw.load("r")
    f = found["quantities"]["f"][0]
    assert found["prediction"] == pytest.approx(f * saved.target.scale + saved.target.mean)
    assert found["quantities"]["loss"] == pytest.approx((f - (151 - saved.target.mean) / saved.target.scale) ** 2 / 2)
    assert "progression (a number, mean" in run("inspect", "r").out
    assert run("train", "digits", "--epochs", "1", "--hidden", "3", "-q", "--out", "d").code == 0
    answer = run("inspect", "d", "--trace", "1796", "--data", "digits")
    assert answer.code == 0
    assert " ...   norm " in answer.out  # 64 pixels are shortened
    assert "8 x 8 pixels, divided by 16" in run("inspect", "d").out


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["nowhere"], ["nowhere", "model folder"]),
        (["m", "--trace", "40", "--data", "t.csv"], ["from 0 to 39", "got 40", "counted from 0"]),
        (["m", "--trace", "-1", "--data", "t.csv"], ["--trace", "at least 0"]),
        (["m", "--trace", "1"], ["--trace: expected --data with it"]),
        (["m", "--data", "t.csv"], ["--data: expected --trace with it"]),
        (["m", "--trace", "one", "--data", "t.csv"], ["'--trace'", "integer"]),
        (["m", "--engine"], ["got both"]),
        (["m", "--trace", "0", "--data", "iris"], ["iris: expected the target 'y'"]),
        (["m", "--trace", "0", "--data", "bare.csv"], ["the target 'y'", "none of that name"]),
        (["m", "--trace", "0", "--data", "nowhere.csv"], ["nowhere.csv"]),
    ],
)
def test_mistakes_are_one_line(refused, table, arguments, pieces):
    table("bare.csv", ["1,2.5,red", "2,0.5,blue"], "a,b,colour")
    refused(["inspect", *arguments], *pieces)


@pytest.mark.usefixtures("model")
def test_a_model_that_says_less_is_shown_too(run):
    path = Path("m/model.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    for name in ("results", "command", "training", "data", "layerwise"):
        del document[name]
    document["options"] = [1, None]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert "not recorded" in run("inspect", "m").out
    assert json.loads(run("inspect", "m", "--json").out)["training"] == {"options": {}}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("damage", ["", "epoch,steps\n1,2\n"])
def test_a_damaged_history_is_refused(damage):
    assert load_history("m").metric == "accuracy"
    Path("m/history.csv").write_text(damage, encoding="utf-8")
    with pytest.raises(lw.LayerwiseError, match=r"history\.csv: expected the file that was saved"):
        load_history("m")
