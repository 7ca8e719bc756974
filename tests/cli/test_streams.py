"""What goes to standard output, what to standard error, and the exit codes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import layerwise
from layerwise.storage import load

FAST = ["--epochs", "3", "--hidden", "5"]


def no_constant(text: str) -> float:
    raise AssertionError(f"{text} is no JSON")


def test_progress_and_results(run):
    answer = run("train", "iris", *FAST)
    assert answer.code == 0
    notes, lines = answer.err.splitlines()[:4], answer.err.splitlines()[4:]
    assert notes[0] == "iris: 108 train, 12 validation, 30 test rows; target species (3 classes)"
    assert notes[1] == "network: 4-5-3 relu, softmax; 43 parameters"
    assert notes[2].startswith("training: Adam(rate=0.001")
    for setting in (
        "batches of 16",
        "L2 0.0001",
        "dropout 0.2",
        "at most 3 epochs",
        "patience 20",
        "float32",
        "seed 0",
    ):
        assert f", {setting}" in notes[2]
    names = ["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "|gradient|", "rate", "seconds"]
    assert [name.strip() for name in lines[0].split("  ") if name] == names
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert {len(line) for line in lines} == {len(lines[0])}  # columns stand below their names
    out = answer.out.splitlines()
    assert out[0].startswith("3 epochs in ")
    assert out[1].split() == ["accuracy", "loss"]
    assert [line.split()[0] for line in out[2:5]] == ["test", "validation", "train"]
    assert out[5:] == ["model: models/iris"]
    results = json.loads(Path("models/iris/model.json").read_text())["results"]
    assert out[2].split() == ["test", f"{results['test']['accuracy']:.4f}", f"{results['test']['loss']:.4f}"]


def test_json(run):
    answer = run("train", "diabetes", *FAST, "--json")
    assert answer.code == 0
    assert answer.out.count("\n") == 1
    found = json.loads(answer.out, parse_constant=no_constant)
    assert list(found) == ["test", "validation", "train", "epochs", "seconds", "model"]
    assert list(found["test"]) == ["r2", "rmse", "mae", "loss"]
    assert len(answer.err.splitlines()) == 4 + 1 + 3
    assert found["model"] == "models/diabetes"


def test_quiet(run):
    answer = run("train", "diabetes", *FAST, "-q")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[1].split() == ["R2", "rmse", "mae", "loss"]


def test_quiet_json(run):
    answer = run("train", "iris", *FAST, "--json", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["epochs"] == 3


def test_one_epoch_is_singular(run, without_pictures):
    answer = run("train", "iris", "--epochs", "1", "--hidden", "5")
    assert answer.out.startswith("1 epoch in ")
    assert "at most 1 epoch, " in answer.err


def test_why_it_ended(run, without_pictures):
    stopped = run("train", "iris", "--patience", "2", "--rate", "0.3", "--hidden", "5", "-q")
    assert "; no better validation loss since epoch " in stopped.out.splitlines()[0]
    assert "whose parameters were kept" in stopped.out.splitlines()[0]
    ended = run("train", "iris", "--patience", "50", "--rate", "0.3", "--hidden", "5", "-q", "--epochs", "20")
    best = json.loads(Path(ended.out.splitlines()[-1].removeprefix("model: "), "model.json").read_text())["training"]
    assert best["best_epoch"] < 20  # with another seed this may need another rate
    line = ended.out.splitlines()[0]
    assert line.endswith(f"; the parameters of epoch {best['best_epoch']}, the best by validation loss, were kept")
    last = run("train", "iris", "--patience", "0", "--hidden", "5", "-q", "--epochs", "3")
    assert last.out.splitlines()[0].endswith(" s")


def test_numbers_that_do_not_exist(run, table, without_pictures):
    """One validation row has no R2: null in JSON, a dash in the table."""
    table("t.csv", [f"{k},1,red,{k}.5" for k in range(10)])
    answer = run("train", "t.csv", *FAST, "--json", "-q")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out, parse_constant=no_constant)
    assert found["validation"]["r2"] is None
    assert found["validation"]["rmse"] > 0
    assert found["test"]["r2"] is not None
    stored = json.loads(Path("models/t/model.json").read_text(), parse_constant=no_constant)
    assert stored["results"]["validation"]["r2"] is None
    shown = run("train", "t.csv", *FAST, "-q").out.splitlines()
    assert shown[3].split()[:2] == ["validation", "-"]


@pytest.mark.parametrize("name", ["a$b_$c.csv", "[bold]x.csv", "日本.csv", "with space.csv", "größe.csv", "a.b.csv"])
def test_any_file_name(run, table, name):
    table(name)
    answer = run("train", name, *FAST)
    assert answer.code == 0
    title = name.removesuffix(".csv")
    assert answer.err.startswith(f"{title}: 28 train, 4 validation, 8 test rows")
    assert load(Path("models") / title).description["data"]["name"] == title
    assert Path("models", title, "learning_curve.png").is_file()


def test_words_of_all_languages(run, table, without_pictures):
    lines = [f"{k},{k}.5,{['日本', 'naïve', ''][k % 3]},{'да' if k % 2 else 'нет'}" for k in range(40)]
    table("t.csv", lines, "größe,[red]b[/],名前,$y$")
    answer = run("train", "t.csv", *FAST)
    assert answer.code == 0
    assert "target $y$ (2 classes)" in answer.err
    saved = load("models/t")
    assert saved.target.classes == ("да", "нет")
    assert saved.preparation.feature_names == ("größe", "[red]b[/]", "名前=naïve", "名前=日本", "名前=missing")


def test_missing_cells_everywhere(run, table, without_pictures):
    lines = [f"{'' if k % 2 else k},,{'' if k % 3 else 'red'},{'yes' if k % 4 else 'no'}" for k in range(60)]
    table("t.csv", lines)
    answer = run("train", "t.csv", *FAST)
    assert answer.code == 0
    assert "b: left out, no value in any training row" in answer.err.splitlines()


def test_a_wide_table(run, table, without_pictures):
    lines = [",".join([*(f"{(k * j) % 17}" for j in range(800)), "yes" if k % 2 else "no"]) for k in range(30)]
    table("t.csv", lines, ",".join([*(f"c{j}" for j in range(800)), "y"]))
    assert run("train", "t.csv", *FAST, "-q").code == 0
    assert load("models/t").network.inputs == 800


def test_without_matplotlib(run, without_pictures):
    answer = run("train", "iris", *FAST)
    assert answer.code == 0
    assert "no picture: plots: expected matplotlib, got no such package; pip install 'layerwise[plots]'" in answer.err
    names = [path.name for path in sorted(Path("models/iris").iterdir())]
    assert names == ["history.csv", "model.json", "parameters.safetensors"]
    assert load("models/iris").network.sizes == (4, 5, 3)
    assert run("train", "iris", *FAST, "-q").err == ""


def test_no_network_is_needed(run, without_pictures, monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("digits", "iris", "wine", "breast-cancer", "diabetes"):
        assert run("train", name, "--epochs", "1", "--hidden", "2", "-q").code == 0


def test_version(run):
    answer = run("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"layerwise {layerwise.__version__}\n", "")


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2)])
def test_help(run, arguments, code):
    answer = run(*arguments)
    assert (answer.code, answer.err) == (code, "")
    for piece in ("Usage: layerwise", "train", "diagnose", "--version"):
        assert piece in answer.out


def test_help_of_train_names_every_option(run):
    answer = run("train", "--help")
    assert (answer.code, answer.err) == (0, "")
    for option in (
        "target", "test", "validation", "group", "time", "hidden", "activation", "output", "dropout", "batch-norm",
        "update", "rate", "momentum", "schedule", "l2", "l1", "clip-norm", "batch-size", "epochs", "patience", "dtype",
        "seed", "out", "overwrite", "quiet", "json",
    ):  # fmt: skip
        assert f"--{option} " in answer.out
    for piece in ("DATA", "digits, iris, wine, breast-cancer", "layerwise train digits", "Ctrl-C"):
        assert piece in answer.out


def test_help_names_every_choice(run):
    from layerwise.rules import activations, outputs, schedules, updates

    text = " ".join(run("train", "--help").out.replace("│", " ").split())
    for table in (activations.TABLE, outputs.TABLE, schedules.TABLE, updates.TABLE):
        for name in table:
            assert f"{name}," in text or f"{name} " in text or f"{name}." in text


def test_help_of_diagnose(run):
    answer = run("diagnose", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "gradients" in answer.out


def test_python_errors_of_our_own_are_not_hidden(run, monkeypatch):
    def bug(*arguments, **settings):
        raise ZeroDivisionError

    monkeypatch.setattr("layerwise.cli.experiment.fit", bug)
    with pytest.raises(ZeroDivisionError):
        run("train", "iris", *FAST, "-q")
    assert not Path("models").exists()


def test_output_that_cannot_be_written(run, monkeypatch):
    def refuse(*arguments, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("typer.echo", refuse)
    answer = run("train", "iris", *FAST, "-q", "--json")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "to be able to write the output" in answer.err
    assert "No space left" in answer.err
    assert load("models/iris").network.inputs == 4  # the model is kept
