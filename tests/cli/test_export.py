"""`layerwise export`: files that other programs read, with what users get wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest

import layerwise as lw
from layerwise.cli import main
from layerwise.rules.activations import TABLE
from layerwise.storage import onnx_formulas


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n).round(2)
    return pl.DataFrame(
        {"age": [None if hole else a for hole, a in zip(rng.random(n) < 0.1, age.tolist(), strict=True)],
         "job": [["clerk", "smith", None][k] for k in rng.integers(3, size=n)],
         "y": np.where(age + rng.normal(0, 5, n) > 40, "old", "young")}
    )  # fmt: skip


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with a model of words, one of numbers, and a table that the first can read."""
    folder = tmp_path_factory.mktemp("trained")
    people(300).write_csv(folder / "train.csv")
    people(500, seed=1).with_columns(id=pl.int_range(500)).write_csv(folder / "t.csv")
    few = ["--hidden", "6", "--epochs", "3", "--quiet", "--out"]
    for data, name in ((str(folder / "train.csv"), "m"), ("iris", "i")):
        assert main(["train", data, *few, str(folder / name)]) == 0
    return folder


@pytest.fixture
def model(trained, workplace):
    """The folder's content in the current one."""
    shutil.copytree(trained, workplace, dirs_exist_ok=True)


@pytest.mark.usefixtures("model")
def test_onnx_on_the_users_own_rows(run, tree):
    before = set(tree())
    answer = run("export", "m", "--onnx", "people.onnx", "--check", "t.csv")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("wrote people.onnx: largest difference from Layerwise ")
    assert answer.out.endswith(", on 500 rows of t.csv\n")
    assert set(tree()) - before == {"people.onnx"}
    table = pl.read_csv("t.csv")
    given = {"age": table["age"].fill_null(np.nan).to_numpy()[:, None],
             "job": np.array(table["job"].fill_null("").to_list(), dtype=object)[:, None]}  # fmt: skip
    session = onnxruntime.InferenceSession("people.onnx", providers=["CPUExecutionProvider"])
    prediction, probabilities = session.run(["prediction", "probabilities"], given)
    assert run("predict", "m", "t.csv", "-q").out.splitlines()[1:] == prediction.tolist()
    assert np.allclose(probabilities, lw.load("m").predict(table.select("age", "job")), rtol=1e-5, atol=1e-5)
    told = {entry.key: entry.value for entry in onnx.load("people.onnx").metadata_props}
    assert told == {"layerwise": lw.__version__, "model": "m", "target": "y", "classes": '["old", "young"]'}


@pytest.mark.usefixtures("model")
def test_without_data_rows_are_drawn(run):
    assert run("export", "m", "--onnx", "m.onnx").out.endswith(", on 256 random rows\n")
    answer = run("export", "m", "--onnx", "m.onnx")
    assert answer.code == 2
    assert "--overwrite" in answer.err
    assert run("export", "m", "--onnx", "m.onnx", "--overwrite", "-q") == type(answer)(0, "", "")


@pytest.mark.usefixtures("model")
def test_c(run):
    assert run("export", "i", "--c", "iris.h").out == "wrote iris.h: layerwise_predict and layerwise_class\n"
    answer = run("export", "i", "--c", "other.hpp", "--prefix", "flower")
    assert answer.out == "wrote other.hpp: flower_predict and flower_class\n"
    header = Path("other.hpp").read_text()
    assert "i: 4-6-3, float" in header
    assert "layerwise_" not in header


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("arguments", "piece"),
    [(["m"], "got neither"), (["m", "--onnx", "a.onnx", "--c", "a.h"], "got both"),
     (["m", "--onnx", "a.txt"], "ending in .onnx"), (["m", "--c", "a.onnx"], "ending in .h or .hpp"),
     (["m", "--onnx", "no/a.onnx"], "no such file or directory"), (["nowhere", "--onnx", "a.onnx"], "nowhere"),
     (["t.csv", "--onnx", "a.onnx"], "t.csv"), (["m", "--c", "a.h"], "column 'job'"),
     (["i", "--c", "a.h", "--prefix", "2 x"], "--prefix"), (["i", "--c", "a.h", "--check", "iris"], "--check"),
     (["i", "--onnx", "a.onnx", "--prefix", "flower"], "--prefix"),
     (["m", "--onnx", "a.onnx", "--check", "nowhere.csv"], "nowhere.csv"),
     (["m", "--onnx", "a.onnx", "--check", "digits"], "expected a table"),
     (["m", "--onnx", "a.onnx", "--check", "iris"], "'age'"), ([], "MODEL"),
     (["m", "--onx", "a.onnx"], "--onnx"), (["m", "--onnx"], "--onnx")],
)  # fmt: skip
def test_mistakes_are_one_line(arguments, piece, refused):
    refused(["export", *arguments], piece)


@pytest.mark.usefixtures("model")
def test_a_model_that_says_something_else_is_not_written(run, monkeypatch, tree):
    before = set(tree())
    monkeypatch.setitem(onnx_formulas.NATIVE, TABLE["relu"].g, ("Abs", {}, True))
    answer = run("export", "i", "--onnx", "i.onnx", "--check", "iris")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("layerwise: i.onnx: expected ")
    assert answer.err.count("\n") == 1
    assert set(tree()) == before


@pytest.mark.usefixtures("model")
def test_without_the_extra(refused, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(["export", "m", "--onnx", "a.onnx"], "onnxruntime", "pip install 'layerwise[onnx]'")
    assert run("export", "i", "--c", "a.h").code == 0  # needs neither


def test_images_and_numbers(run, without_pictures):
    few = ("--hidden", "6", "--epochs", "2", "--quiet", "--out")
    for name in ("digits", "diabetes"):
        assert run("train", name, *few, name[:3]).code == 0
        answer = run("export", name[:3], "--onnx", f"{name}.onnx", "--check", name)
        assert (answer.code, answer.err) == (0, "")
        assert run("export", name[:3], "--c", f"{name}.h").code == 0
    told = {entry.key: entry.value for entry in onnx.load("digits.onnx").metadata_props}
    assert told["image"] == "8 x 8 pixels from 0 to 16"


def test_help_has_examples_and_exit_codes(run):
    shown = " ".join(run("export", "--help").out.split())
    for piece in ("Exit codes: 0 done; 1 ", "--onnx people.onnx --check people.csv", "--c digits.h", "NaN"):
        assert piece in shown


def test_commands_do_not_load_onnx_before_they_need_it():
    code = "import sys, layerwise.cli.app; print(sorted({'onnx', 'onnxruntime'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"
