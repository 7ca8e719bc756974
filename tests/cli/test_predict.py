"""`layerwise predict` and `layerwise evaluate`, on tables and images, in pieces, with what users get wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import layerwise as lw
from layerwise.data import streams


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n).round(2)
    return pl.DataFrame(
        {"id": [f"{i:05}" for i in range(n)], "age": age, "job": rng.choice(["clerk", "smith", "none, yet"], n),
         "y": np.where(age + rng.normal(0, 5, n) > 40, "old", "young")}
    )  # fmt: skip


@pytest.fixture
def model(run):
    """A model of classes in the folder m, trained without the column id, and the table t.csv with it."""
    people(300).drop("id").write_csv("train.csv")
    people(700, seed=1).write_csv("t.csv")
    assert run("train", "train.csv", "--hidden", "8", "--epochs", "5", "--quiet", "--out", "m").code == 0


@pytest.mark.usefixtures("model")
def test_pieces_give_what_the_whole_gives(run, monkeypatch):
    whole = run("predict", "m", "t.csv", "--probabilities", "--keep", "id", "-q")
    assert whole.code == 0
    assert whole.err == ""
    monkeypatch.setattr(streams.table_pieces, "__defaults__", ((), 3000))
    assert run("predict", "m", "t.csv", "--probabilities", "--keep", "id", "-q") == whole
    found = pl.read_csv(whole.out.encode(), schema_overrides={"id": pl.String})
    assert found.columns == ["id", "prediction", "probability_old", "probability_young"]
    assert found["id"].to_list() == people(700)["id"].to_list()
    f = lw.load("m").predict(people(700, seed=1).select("age", "job"))
    assert np.allclose(found.select("probability_old", "probability_young").to_numpy(), f, atol=1e-6)
    assert found["prediction"].to_list() == [["old", "young"][k] for k in f.argmax(axis=1)]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "arrow"])
def test_files(ending, run, monkeypatch, tree):
    monkeypatch.setattr(streams.table_pieces, "__defaults__", ((), 3000))
    before = set(tree())
    assert run("predict", "m", "t.csv", "-o", f"o.{ending}", "--probabilities", "-q").code == 0
    assert set(tree()) - before == {f"o.{ending}"}
    read = {"csv": pl.read_csv, "tsv": lambda path: pl.read_csv(path, separator="\t"), "parquet": pl.read_parquet,
            "arrow": pl.read_ipc}[ending]  # fmt: skip
    printed = pl.read_csv(run("predict", "m", "t.csv", "--probabilities", "-q").out.encode())
    found = read(f"o.{ending}")
    assert found["prediction"].to_list() == printed["prediction"].to_list()
    assert np.allclose(found["probability_old"], printed["probability_old"], atol=1e-6)
    again = run("predict", "m", "t.csv", "-o", f"o.{ending}", "-q")
    assert again.code == 2
    assert "--overwrite" in again.err
    assert run("predict", "m", "t.csv", "-o", f"o.{ending}", "--overwrite", "-q").code == 0
    assert read(f"o.{ending}").columns == ["prediction"]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_error_in_a_later_piece_leaves_nothing(ending, run, monkeypatch, tree):
    monkeypatch.setattr(streams.table_pieces, "__defaults__", ((), 3000))
    frame = people(700).with_columns(pl.col("age").cast(pl.String))
    frame[600, "age"] = "abc"
    frame.write_csv("bad.csv")
    before = set(tree())
    answer = run("predict", "m", "bad.csv", "-o", f"o.{ending}")
    assert answer.code == 2
    assert "bad.csv, rows from" in answer.err
    assert "'abc'" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert set(tree()) == before


@pytest.mark.usefixtures("model")
def test_what_is_not_used_is_said(run):
    answer = run("predict", "m", "t.csv")
    assert answer.err.splitlines() == ["not used: id (the model was not trained on it)"]
    assert len(answer.out.splitlines()) == 701


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("arguments", "piece"),
    [(["m", "nowhere.csv"], "nowhere.csv"), (["nowhere", "t.csv"], "nowhere"), (["m", "digits"], "expected a table"),
     (["m", "t.csv", "-o", "o.xls"], "ending in"), (["m", "t.csv", "-o", "no/o.csv"], "folder"),
     (["m", "t.csv", "-o", "m"], "ending in"), (["m", "t.csv", "--keep", "idd"], "did you mean 'id'?"),
     (["m", "iris"], "no column 'age'"), (["m"], "DATA"), (["t.csv", "m"], "t.csv")],
)  # fmt: skip
def test_mistakes_are_one_line(arguments, piece, run, tree):
    before = set(tree())
    answer = run("predict", *arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert piece in answer.err
    assert set(tree()) == before


@pytest.mark.usefixtures("model")
def test_whoever_reads_may_stop(workplace):
    people(20000).write_csv("long.csv")
    command = f"{sys.executable} -m layerwise predict m long.csv -q | head -2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=workplace, timeout=120)
    assert done.stdout.splitlines()[0] == "prediction"
    assert done.stderr == ""


def test_images_and_numbers(run):
    assert run("train", "digits", "--epochs", "3", "--quiet", "--out", "d").code == 0
    answer = run("predict", "d", "digits", "--probabilities", "-q")
    assert len(answer.out.splitlines()) == 1798
    assert answer.out.splitlines()[0].startswith("prediction,probability_0,")
    assert run("train", "diabetes", "--epochs", "3", "--quiet", "--out", "r").code == 0
    numbers = pl.read_csv(run("predict", "r", "diabetes", "-q").out.encode())["prediction"]
    assert 50 < numbers.mean() < 250
    assert "leave it out" in run("predict", "r", "diabetes", "--probabilities").err
    assert "images" in run("predict", "d", "iris").err


@pytest.mark.usefixtures("model")
def test_evaluate_says_what_the_results_say(run):
    answer = run("evaluate", "m", "t.csv", "--json")
    found = json.loads(answer.out)
    assert found["rows"] == 700
    f = lw.load("m").predict(people(700, seed=1).select("age", "job"))
    right = np.array([["old", "young"][k] for k in f.argmax(axis=1)]) == people(700, seed=1)["y"].to_numpy()
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(right.mean())
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert sum(map(sum, found["confusion"])) == 700
    shown = run("evaluate", "m", "t.csv").out
    for piece in ("700 rows", "accuracy", "ROC AUC", "confusion", "young", "calibration"):
        assert piece in shown
    assert run("evaluate", "m", "t.csv", "--json", "--seed", "1").out != answer.out


@pytest.mark.usefixtures("model")
def test_evaluate_needs_the_target(run):
    people(50).drop("y").write_csv("bare.csv")
    answer = run("evaluate", "m", "bare.csv")
    assert answer.code == 2
    assert "expected the target 'y'" in answer.err
    people(50).with_columns(y=pl.lit("ancient")).write_csv("unseen.csv")
    answer = run("evaluate", "m", "unseen.csv")
    assert answer.code == 2
    assert "'ancient'" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_evaluate_numbers(run):
    assert run("train", "diabetes", "--epochs", "30", "--quiet", "--out", "r").code == 0
    found = json.loads(run("evaluate", "r", "diabetes", "--json").out)
    assert set(found["metrics"]) == {"r2", "rmse", "mae", "bias"}
    assert 0.3 < found["metrics"]["r2"]["value"] < 0.8
    assert 40 < found["metrics"]["rmse"]["value"] < 70  # in the target's units
    assert "in the units of progression" in run("evaluate", "r", "diabetes").out


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
def test_a_kept_number_is_of_one_type_in_all_pieces(ending, run, monkeypatch):
    monkeypatch.setattr(streams.table_pieces, "__defaults__", ((), 3000))
    whole = pl.Series([str(k) for k in range(350)] + [f"{k}.5" for k in range(350)])
    people(700).with_columns(age=whole).write_csv("mixed.csv")
    assert run("predict", "m", "mixed.csv", "--keep", "age", "-o", f"o.{ending}", "-q").code == 0


@pytest.mark.usefixtures("model")
def test_the_data_are_not_replaced(run):
    answer = run("predict", "m", "t.csv", "-o", "t.csv", "--overwrite")
    assert answer.code == 2
    assert "another file than DATA" in answer.err
    assert pl.read_csv("t.csv").height == 700


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("command", [["predict", "m", "none.parquet"], ["evaluate", "m", "none.parquet"]])
def test_no_rows(command, run):
    people(5).clear().write_parquet("none.parquet")
    answer = run(*command)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("signal_number", [2, 15])
@pytest.mark.usefixtures("model")
def test_what_ends_it_leaves_nothing(signal_number, workplace, tree):
    people(200_000).write_csv("long.csv")
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.argv = ['layerwise', 'predict', 'm', 'long.csv', '-o', 'o.parquet', '-q']; "
        "from layerwise.cli import run; run()"
    )
    before = set(tree())
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=workplace)
    while process.poll() is None and not [name for name in set(tree()) - before if name.startswith(".o.parquet")]:
        pass
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert "Traceback" not in err
    assert set(tree()) == before
