"""`layerwise train`: the model folder says what the answer says, and both say what is true."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import layerwise
from layerwise.cli.experiment import predicted_codes, prepare
from layerwise.data import load as load_data
from layerwise.data import split_rows
from layerwise.storage import load

BUNDLED = {
    "digits": (64, 10, {"train": 1293, "validation": 144, "test": 360}),
    "iris": (4, 3, {"train": 108, "validation": 12, "test": 30}),
    "wine": (13, 3, {"train": 127, "validation": 15, "test": 36}),
    "breast-cancer": (30, 2, {"train": 409, "validation": 46, "test": 114}),
    "diabetes": (10, 1, {"train": 317, "validation": 36, "test": 89}),
}


@pytest.fixture
def trained(run):
    """Train, and return the object that was printed and model.json."""

    def command(*arguments: object) -> tuple[dict, dict]:
        answer = run("train", *arguments, "--json", "--quiet", "--out", "m")
        assert (answer.code, answer.err) == (0, "")
        return json.loads(answer.out), json.loads(Path("m/model.json").read_text())

    return command


def epochs_of(folder: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(folder) / "history.csv").read_text().splitlines()))


def found(experiment, saved, part):
    """The metrics of a part, computed here from the stored model and the prepared rows."""
    f = saved.predict_prepared(experiment.X[part]).astype(np.float64)
    y = experiment.y[part]
    if experiment.target.kind == "classes":
        loss = -np.log(f[np.arange(len(y)), y]).mean()
        return {"accuracy": (f.argmax(axis=1) == y).mean(), "loss": loss}
    true, predicted = experiment.target.decode(y), experiment.target.decode(f[:, 0])
    return {
        "r2": 1 - ((true - predicted) ** 2).sum() / ((true - true.mean()) ** 2).sum(),
        "rmse": np.sqrt(((true - predicted) ** 2).mean()),
        "mae": np.abs(true - predicted).mean(),
        "loss": ((f[:, 0] - y) ** 2).mean() / 2,
    }


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(trained, options, name):
    answer, document = trained(name, "--epochs", 3)
    inputs, outputs, rows = BUNDLED[name]
    saved, experiment = load("m"), prepare(options(name, epochs=3))
    assert list(answer) == ["test", "validation", "train", "epochs", "seconds", "model"]
    assert (answer["epochs"], answer["model"]) == (3, "m")
    assert saved.network.sizes == (inputs, 100, 100, outputs)
    assert document["data"] == {"name": name, "rows": rows}
    for part, count in rows.items():
        assert len(experiment.X[part]) == count
        assert answer[part] == pytest.approx(found(experiment, saved, part), rel=1e-5)
    assert document["results"] == {part: answer[part] for part in rows}
    assert document["training"]["epochs"] == 3
    assert document["training"]["stopped"] == "epochs"
    assert round(document["training"]["seconds"], 3) == answer["seconds"]
    history = epochs_of("m")
    assert [int(line["epoch"]) for line in history] == [1, 2, 3]
    metric = "r2" if name == "diabetes" else "accuracy"
    best = document["training"]["best_epoch"]
    # The model has the best epoch's parameters, so its validation loss is the least of the history.
    losses = [float(line["validation_loss"]) for line in history]
    assert best == int(np.argmin(losses)) + 1
    assert answer["validation"]["loss"] == pytest.approx(losses[best - 1], rel=1e-5)
    assert answer["validation"][metric] == pytest.approx(float(history[best - 1][f"validation_{metric}"]), rel=1e-5)
    assert Path("m/learning_curve.png").read_bytes()[:4] == b"\x89PNG"


def test_the_model_learns(trained, without_pictures):
    answer, _ = trained("iris", "--epochs", 60)
    assert answer["test"]["accuracy"] > 0.85
    assert answer["train"]["loss"] < 0.5 < np.log(3)


def test_the_command_and_the_options_are_kept(trained, without_pictures):
    _, document = trained("wine", "--epochs", 2, "--hidden", "5,4", "--seed", 7)
    assert document["options"]["hidden"] == "5,4"
    assert document["options"]["seed"] == 7
    assert document["command"][0] == "layerwise"
    assert document["layerwise"] == layerwise.__version__
    assert [layer["units"] for layer in document["network"]["layers"]] == [5, 4]


def test_test_and_validation_files(trained, table, without_pictures):
    lines = [f"{k},{k % 7}.5,red,{'yes' if k % 2 else 'no'}" for k in range(50)]
    table("train.csv", lines)
    table("held.csv", lines[:9])
    table("test.csv", lines[:13])
    fast = ("--epochs", 2, "--hidden", "5", "--batch-size", "8")
    answer, document = trained("train.csv", "--test", "test.csv", "--validation", "held.csv", *fast)
    assert document["data"]["rows"] == {"train": 50, "validation": 9, "test": 13}
    assert answer["test"]["accuracy"] * 13 == pytest.approx(round(answer["test"]["accuracy"] * 13))
    _, document = trained("train.csv", "--test", "test.csv", "--overwrite", *fast)
    assert document["data"]["rows"] == {"train": 45, "validation": 5, "test": 13}
    _, document = trained("train.csv", "--validation", "held.csv", "--overwrite", *fast)
    assert document["data"]["rows"] == {"train": 40, "validation": 9, "test": 10}


def test_without_validation_rows(trained, without_pictures):
    answer, document = trained("iris", "--validation", 0, "--epochs", 3, "--hidden", "5")
    assert list(answer) == ["test", "train", "epochs", "seconds", "model"]
    assert document["data"]["rows"] == {"train": 120, "validation": 0, "test": 30}
    assert document["training"]["best_epoch"] is None
    assert all(line["validation_loss"] == "" for line in epochs_of("m"))


def test_groups_stay_together_and_times_in_order(options, table):
    lines = [f"{k // 4},{k // 4},red,{k}.5" for k in range(80)]
    path = str(table("t.csv", lines))
    by_group = prepare(options(path, group="a"))
    sides = {part: set(by_group.X[part][:, 0].tolist()) for part in by_group.X}
    assert sum(map(len, sides.values())) == len(set.union(*sides.values())) == 20
    assert min(map(len, sides.values())) > 0
    by_time = prepare(options(path, time="a"))
    reach = {part: (by_time.y[part].min(), by_time.y[part].max()) for part in by_time.y}
    assert reach["train"][1] < reach["validation"][0] <= reach["validation"][1] < reach["test"][0]
    for experiment in (by_group, by_time):  # the column itself is no input
        assert experiment.preparation.feature_names[0] == "b"
        assert "a" not in experiment.preparation.feature_names


def test_the_column_to_split_by_is_taken_out_of_all_files(trained, table, without_pictures):
    lines = [f"{k // 4},{k},red,{'yes' if k % 2 else 'no'}" for k in range(60)]
    table("train.csv", lines)
    table("test.csv", lines[:8])
    _, document = trained("train.csv", "--test", "test.csv", "--group", "a", "--epochs", 1, "--hidden", "3")
    assert [column[0] for column in document["preparation"]["numbers"]] == ["b"]
    assert document["data"]["rows"]["test"] == 8


def poisoned(lines: list[str], rows: set[int]) -> list[str]:
    return [f"1e6,-1e6,poison,{line.rsplit(',', 1)[1]}" if k in rows else line for k, line in enumerate(lines)]


@pytest.mark.parametrize("target", ["words", "numbers"])
def test_nothing_is_learnt_from_test_rows(trained, table, target, monkeypatch, without_pictures):
    generator = np.random.default_rng(0)
    lines = [
        f"{generator.normal():.3f},{generator.normal():.3f},{'red' if k % 3 else ''},"
        f"{('yes' if k % 2 else 'no') if target == 'words' else round(generator.normal(), 3)}"
        for k in range(100)
    ]
    table("clean.csv", lines)
    sides = {}

    def spy(*arguments, **settings):
        sides["test"] = split_rows(*arguments, **settings).test
        return split_rows(*arguments, **settings)

    monkeypatch.setattr("layerwise.cli.experiment.split_rows", spy)
    fast = ("--epochs", 4, "--hidden", "5")
    _, clean = trained("clean.csv", *fast)
    parameters = Path("m/parameters.safetensors").read_bytes()
    table("poison.csv", poisoned(lines, set(sides["test"].tolist())))
    answer, poison = trained("poison.csv", *fast, "--overwrite")
    assert poison["preparation"] == clean["preparation"]
    assert poison["target"] == clean["target"]
    assert Path("m/parameters.safetensors").read_bytes() == parameters
    assert answer["test"]["loss"] > 100 * clean["results"]["test"]["loss"]  # the poison did arrive there


def test_nothing_is_learnt_from_a_test_file(trained, table, without_pictures):
    lines = [f"{k % 11},{k % 7}.5,{'red' if k % 3 else ''},{'yes' if k % 2 else 'no'}" for k in range(60)]
    table("train.csv", lines)
    table("test.csv", lines[:20])
    table("poison.csv", poisoned(lines[:20], {*range(20)}))
    fast = ("train.csv", "--epochs", 3, "--hidden", "5", "--test")
    _, clean = trained(*fast, "test.csv")
    parameters = Path("m/parameters.safetensors").read_bytes()
    _, poison = trained(*fast, "poison.csv", "--overwrite")
    assert poison["preparation"] == clean["preparation"]
    assert Path("m/parameters.safetensors").read_bytes() == parameters


def test_the_preparation_in_the_folder_is_the_one_of_the_training_rows(trained, options):
    _, document = trained("wine", "--epochs", 1, "--hidden", "3")
    data = load_data("wine").parts["all"]
    codes = np.unique(data.target.to_numpy(), return_inverse=True)[1]
    train = split_rows(178, seed=0, strata=codes).train
    table = data.features[train].to_numpy()
    kept = np.array([column[2:] for column in document["preparation"]["numbers"]])
    np.testing.assert_allclose(kept, np.stack([table.mean(axis=0), table.std(axis=0)], axis=1), rtol=1e-12)


def test_predicted_codes():
    assert predicted_codes(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])).tolist() == [1, 0]
    assert predicted_codes(np.array([[0.4], [0.6], [0.5]])).tolist() == [0, 1, 0]


def test_every_side_has_its_share_of_every_class(options):
    experiment = prepare(options("wine"))
    for part, counts in {"train": [42, 50, 35], "validation": [5, 6, 4], "test": [12, 14, 10]}.items():
        found = np.bincount(experiment.y[part])
        assert np.abs(found - counts).max() <= 1


def test_every_side_has_its_share_of_small_and_large_numbers(options):
    experiment = prepare(options("diabetes"))
    bounds = np.quantile(np.concatenate([*experiment.y.values()]), np.arange(1, 10) / 10)
    for part, target in experiment.y.items():
        found = np.bincount(np.searchsorted(bounds, target), minlength=10)
        assert np.abs(found - len(target) / 10).max() <= 2, part
