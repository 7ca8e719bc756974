"""`layerwise diagnose MODEL DATA`: what is printed, exit codes, samples of rows, and what users get wrong."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from layerwise.cli import main
from layerwise.cli.models import UsedModel
from layerwise.cli.sample import read_sample
from layerwise.data import streams
from layerwise.training.fit import fit


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n).round(2)
    return pl.DataFrame({"age": age, "job": rng.choice(["clerk", "smith"], n), "y": np.where(age > 40, "old", "young")})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a model of classes, m, and the table t.csv."""
    folder = tmp_path_factory.mktemp("trained")
    people(100).write_csv(folder / "t.csv")
    command = [
        "train",
        str(folder / "t.csv"),
        "--hidden",
        "16",
        "--epochs",
        "20",
        "--batch-size",
        "8",
        "--rate",
        "0.02",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)  # no pictures
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert main([*command, "-q", "--out", str(folder / "m")]) == 0
    return folder


@pytest.fixture
def model(trained, workplace, capsys):
    """The same in the current folder."""
    shutil.copytree(trained, workplace, dirs_exist_ok=True)
    capsys.readouterr()


@pytest.mark.usefixtures("model")
def test_what_is_printed(run):
    answer = run("diagnose", "m", "t.csv")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "m on t.csv: 100 rows"
    assert " 0 problem" in lines[-1]
    for check in (
        "columns", "class balance", "suspect targets", "initial loss", "gradients before training",
        "learning ten rows by heart", "better than a constant answer", "training against validation",
        "training against DATA", "end of training", "dead units", "saturated units", "constant units",
        "gradients after training", "size of the weights", "share of the largest input", "calibration",
    ):  # fmt: skip
        assert any(line.startswith(("ok ", "look ")) and f" {check}: " in line for line in lines), check


@pytest.mark.usefixtures("model")
def test_json_says_the_same(run):
    found = json.loads(run("diagnose", "m", "t.csv", "--json").out)
    assert (found["rows"], found["rows_looked_at"], found["verdict"] != "problem") == (100, 100, True)
    assert sum(found["counts"].values()) == len(found["checks"])
    for finding in found["checks"]:
        assert set(finding) == {"check", "verdict", "seen", "figures", "meaning", "remedy"}
        assert bool(finding["remedy"]) == bool(finding["meaning"]) == (finding["verdict"] != "ok")
    assert found == json.loads(run("diagnose", "m", "t.csv", "--json").out)


@pytest.mark.usefixtures("model")
def test_a_problem_of_the_data_ends_with_1(run):
    people(100).with_columns(pl.col("age") * 365, pl.col("job") + "s").write_csv("days.csv")
    answer = run("diagnose", "m", "days.csv")
    assert answer.code == 1
    assert "problem column age: mean" in answer.out
    assert "problem column job: 100.0% words that training did not know" in answer.out
    assert "Try: " in answer.out


@pytest.mark.usefixtures("model")
def test_a_sample_of_pieces_is_one_of_the_whole(monkeypatch):
    people(3000, seed=1).write_csv("long.csv")
    used = UsedModel.at(Path("m"))
    whole = read_sample(used, "long.csv", 100_000, 0)
    assert (len(whole.X), whole.total) == (3000, 3000)
    monkeypatch.setattr(streams.table_pieces, "__defaults__", ((), 3000))
    sample = read_sample(used, "long.csv", 500, 0)
    assert (len(sample.X), sample.total) == (500, 3000)
    assert (np.diff(sample.rows) > 0).all()
    np.testing.assert_array_equal(sample.X, whole.X[sample.rows])
    np.testing.assert_array_equal(sample.y, whole.y[sample.rows])
    assert sample.frame.equals(whole.frame[sample.rows])
    assert 1300 < sample.rows.mean() < 1700
    assert (read_sample(used, "long.csv", 500, 1).rows != sample.rows).any()


@pytest.mark.usefixtures("model")
def test_rows_and_seed_are_options(run):
    found = json.loads(run("diagnose", "m", "t.csv", "--rows", "50", "--seed", "3", "--json").out)
    assert (found["rows"], found["rows_looked_at"]) == (100, 50)
    assert "100 rows, 50 of them looked at" in run("diagnose", "m", "t.csv", "--rows", "50").out


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("options", ["x", [1], {"group": ["a"], "time": 3}])
def test_options_that_cannot_be_do_not_matter_to_who_predicts(run, options):
    path = Path("m/model.json")
    document = json.loads(path.read_text(encoding="utf-8")) | {"options": options}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert run("predict", "m", "t.csv", "-q").code == 0


@pytest.mark.usefixtures("model")
def test_a_folder_that_says_less_is_diagnosed_too(run):
    path = Path("m/model.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document |= {"options": {"hidden": 3}, "results": [], "training": {"best_epoch": "x"}, "data": None}
    path.write_text(json.dumps(document), encoding="utf-8")
    answer = run("diagnose", "m", "t.csv")
    assert answer.code == 0
    assert answer.err == "the folder does not say how the model was trained: networks are trained by default settings\n"
    assert "training against" not in answer.out


def test_one_row_of_numbers(run, without_pictures):
    assert run("train", "diabetes", "--hidden", "5", "--epochs", "20", "--update", "sgd", "-q", "--out", "r").code == 0
    people = pl.DataFrame(
        {"age": [50.0], "sex": [1.0], "bmi": [25.0], "bp": [90.0], "s1": [180.0], "s2": [100.0], "s3": [50.0],
         "s4": [4.0], "s5": [4.6], "s6": [90.0], "progression": [150.0]}
    )  # fmt: skip
    people.write_csv("one.csv")
    found = json.loads(run("diagnose", "r", "one.csv", "--json").out)
    assert found["rows"] == 1
    checks = {finding["check"]: finding for finding in found["checks"]}
    assert checks["length of updates"]["figures"]["ratio"] > 0
    assert checks["suspect targets"]["figures"]["held_out"] is False


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["m"], ["expected gradients, or MODEL and DATA", "layerwise diagnose m DATA"]),
        (["nowhere", "t.csv"], ["nowhere", "model folder"]),
        (["m", "nowhere.csv"], ["nowhere.csv"]),
        (["m", "bare.csv"], ["bare.csv: expected the target 'y'", "none of that name"]),
        (["m", "digits"], ["expected a table"]),
        (["m", "t.csv", "--rows", "5"], ["--rows"]),
        (["m", "t.csv", "--seed", "-1"], ["--seed", "at least 0"]),
        (["gradients", "t.csv"], ["gradients", "model folder"]),
        (["m", "new.csv"], ["'ancient'", "one of the 2 classes"]),
    ],
)
def test_mistakes_are_one_line(refused, arguments, pieces):
    people(20).drop("y").write_csv("bare.csv")
    people(20).with_columns(y=pl.lit("ancient")).write_csv("new.csv")
    refused(["diagnose", *arguments], *pieces)


@pytest.mark.usefixtures("model")
def test_a_damaged_history_is_refused(refused):
    Path("m/history.csv").write_text("epoch\n", encoding="utf-8")
    refused(["diagnose", "m", "t.csv"], "history.csv", "another or damaged one")


@pytest.mark.usefixtures("model")
def test_ctrl_c_ends_all_of_it(run, monkeypatch):
    def pressed(*arguments, **settings):
        return fit(*arguments, **settings | {"callbacks": [lambda state: signal.raise_signal(signal.SIGINT)]})

    monkeypatch.setattr("layerwise.diagnosis.fitting.fit", pressed)
    answer = run("diagnose", "m", "t.csv")
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")


@pytest.mark.usefixtures("model")
def test_columns_that_mean_nothing_are_named(run):
    people(100).with_columns(shoe=pl.lit(43)).write_csv("more.csv")
    assert run("diagnose", "m", "more.csv").err == "not used: shoe (the model was not trained on it)\n"


def test_help_names_both_uses(run):
    text = run("diagnose", "--help").out
    for piece in ("MODEL", "[DATA]", "gradients", "Exit codes", "--rows", "--json"):
        assert piece in text
