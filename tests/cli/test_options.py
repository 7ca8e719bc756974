"""Every option of `layerwise train` does what it says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from layerwise.rules import activations, schedules
from layerwise.storage import load

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture
def trained(run):
    """Train a small network, and return the object that was printed."""

    def command(data: object, *arguments: object) -> dict:
        answer = run("train", data, "--hidden=6", *arguments, "--json", "--quiet", "--out", "m", "--overwrite")
        assert (answer.code, answer.err) == (0, "")
        return json.loads(answer.out)

    return command


def description() -> dict:
    return json.loads(Path("m/model.json").read_text())


def history(column: str) -> list[float]:
    return [float(line[column]) for line in csv.DictReader(Path("m/history.csv").read_text().splitlines())]


UPDATES = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "SGD"]


@pytest.mark.parametrize("update", UPDATES)
def test_update(trained, update):
    answer = trained("iris", "--update", update, "--epochs", 4, "--dropout", 0)
    losses = history("train_loss")
    assert losses[-1] < losses[0]
    assert np.isfinite(answer["test"]["loss"])
    assert description()["options"]["update"] == update


def test_updates_differ(trained):
    found = set()
    for update in UPDATES[:-1]:
        trained("iris", "--update", update, "--epochs", 1)
        found.add(Path("m/parameters.safetensors").read_bytes())
    assert len(found) == len(UPDATES) - 1


def test_rate_and_momentum(trained):
    trained("iris", "--update", "sgd", "--rate", 0.03, "--momentum", 0.5, "--epochs", 2)
    assert history("rate") == [0.03, 0.03]
    with_momentum = Path("m/parameters.safetensors").read_bytes()
    trained("iris", "--update", "sgd", "--rate", 0.03, "--epochs", 2)
    assert Path("m/parameters.safetensors").read_bytes() != with_momentum


@pytest.mark.parametrize("schedule", [*schedules.TABLE])
def test_schedule(trained, schedule):
    trained("iris", "--schedule", schedule, "--update", "sgd", "--rate", 0.1, "--epochs", 12, "--patience", 0)
    rates = history("rate")
    assert len(rates) == 12
    assert 0 < max(rates) <= 0.1
    assert (rates[-1] < max(rates)) == (schedule != "constant")


@pytest.mark.parametrize("activation", [*activations.TABLE])
def test_activation(trained, activation):
    trained("iris", "--activation", activation, "--epochs", 2)
    assert [layer.activation.name for layer in load("m").network.layers] == [activation]


@pytest.mark.parametrize(
    ("data", "output", "name", "outputs"),
    [
        ("breast-cancer", "sigmoid", "sigmoid", 1),
        ("breast-cancer", "softmax", "softmax", 2),
        ("breast-cancer", "Softmax", "softmax", 2),
        ("diabetes", "identity", "identity", 1),
        ("diabetes", "Identity", "identity", 1),
        ("diabetes", "linear", "identity", 1),
        ("diabetes", "absolute", "absolute", 1),
        ("diabetes", "huber", "huber", 1),
        ("digits", "identity", "identity", 1),
    ],
)
def test_output(trained, data, output, name, outputs):
    answer = trained(data, "--output", output, "--epochs", 2)
    net = load("m").network
    assert (net.output.name, net.outputs) == (name, outputs)
    assert ("accuracy" in answer["test"]) == (net.output.metric == "accuracy")
    assert ("r2" in answer["test"]) == (net.output.metric == "r2")


def test_two_classes_by_sigmoid(trained):
    """As good as softmax, and the accuracy is that of the side of 1/2."""
    answer = trained("breast-cancer", "--output", "sigmoid", "--epochs", 20)
    assert answer["test"]["accuracy"] > 0.9
    assert answer["validation"]["accuracy"] == pytest.approx(max(history("validation_accuracy")), abs=0.1)


def test_whole_numbers_as_numbers(trained, table):
    lines = [f"{k},{k % 5}.5,red,{k % 4}" for k in range(60)]
    table("t.csv", lines)
    assert "accuracy" in trained("t.csv", "--epochs", 1)["test"]
    assert "rmse" in trained("t.csv", "--epochs", 1, "--output", "identity")["test"]


@pytest.mark.parametrize(
    ("given", "sizes"), [("none", (4, 3)), ("NONE", (4, 3)), ("5", (4, 5, 3)), (" 7 , 5,3", (4, 7, 5, 3, 3))]
)
def test_hidden(trained, given, sizes):
    trained("iris", f"--hidden={given}", "--epochs", 1)
    assert load("m").network.sizes == sizes


def test_layers_of_all_kinds(trained):
    trained("iris", "--hidden", "6,5", "--batch-norm", "--dropout", 0.4, "--epochs", 3, "--batch-size", 7)
    layers = load("m").network.layers
    assert [(layer.batch_norm, layer.dropout) for layer in layers] == [(True, 0.4)] * 2
    assert not np.array_equal(load("m").parameters.statistics, np.tile([0.0, 1.0], 11))


def test_penalties(trained):
    def size_of_weights(*arguments: object) -> tuple[float, float]:
        trained("iris", *arguments, "--epochs", 30, "--patience", 0, "--dropout", 0)
        return float(np.abs(load("m").parameters.W[1]).sum()), history("penalty")[-1]

    free, nothing = size_of_weights("--l2", 0)
    small, squares = size_of_weights("--l2", 0.1)
    sparse, absolute = size_of_weights("--l2", 0, "--l1", 0.05)
    both, sum_of_both = size_of_weights("--l2", 0.1, "--l1", 0.05)
    assert nothing == 0
    assert min(squares, absolute, sum_of_both) > 0
    assert max(small, sparse, both) < free


@pytest.mark.parametrize(("l2", "l1"), [(0.0, 0.0), (0.125, 0.0), (0.0, 0.25), (0.125, 0.25)])
def test_the_penalty_is_of_the_weights_that_the_step_starts_from(trained, l2, l1):
    trained("iris", "--l2", l2, "--l1", l1, "--batch-size", "all", "--epochs", 1, "--dtype", "float64")
    W = load("m").network.initialize(seed=0).W.values()
    wanted = sum(l2 * (w**2).sum() + l1 * np.abs(w).sum() for w in W)
    assert history("penalty") == [pytest.approx(wanted, rel=1e-12)]


def test_clip_norm(trained):
    def movement(*arguments: object) -> float:
        trained("iris", "--update", "sgd", "--rate", 0.5, "--batch-size", "all", "--epochs", 1, *arguments)
        before = load("m").network.initialize(seed=0).vector
        return float(np.linalg.norm(load("m").parameters.vector - before))

    free = movement()
    assert free == pytest.approx(0.5 * history("gradient_norm")[0], rel=1e-5)
    assert free > 0.05
    assert movement("--clip-norm", 0.01) == pytest.approx(0.005, rel=1e-4)
    assert history("gradient_norm")[0] == pytest.approx(2 * free, rel=1e-5)  # the norm before
    assert description()["options"]["clip_norm"] == 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(trained, dtype):
    answer = trained("iris", "--dtype", dtype, "--epochs", 2)
    assert load("m").parameters.vector.dtype == dtype
    assert description()["dtype"] == dtype
    assert answer["test"]["loss"] > 0


@pytest.mark.parametrize(
    ("given", "steps"), [("1", 108), ("50", 3), ("107", 2), ("108", 1), ("all", 1), ("100000", 1), ("auto", 7)]
)
def test_batch_size(trained, given, steps):
    trained("iris", "--batch-size", given, "--epochs", 1)
    assert history("steps") == [steps]


def test_batch_norm_never_meets_a_row_alone(trained):
    trained("iris", "--batch-size", 107, "--batch-norm", "--epochs", 1)
    assert history("steps") == [1]


def test_patience(trained):
    trained("iris", "--patience", 0, "--epochs", 6, "--rate", 0.3)
    assert (len(history("epoch")), description()["training"]["stopped"]) == (6, "epochs")
    assert description()["training"]["best_epoch"] is None
    last = load("m").predict_prepared(np.zeros((1, 4)))
    answer = trained("iris", "--patience", 2, "--epochs", 60, "--rate", 0.3)
    training, losses = description()["training"], history("validation_loss")
    assert training["stopped"] == "patience"
    assert answer["epochs"] == training["epochs"] == len(losses) < 60
    assert training["best_epoch"] == len(losses) - 2 == int(np.argmin(losses)) + 1
    assert answer["validation"]["loss"] == pytest.approx(min(losses), rel=1e-5)
    assert not np.array_equal(load("m").predict_prepared(np.zeros((1, 4))), last)


def test_without_patience_the_last_parameters_are_kept(trained):
    answer = trained("iris", "--patience", 0, "--epochs", 6, "--rate", 0.3)
    assert answer["validation"]["loss"] == pytest.approx(history("validation_loss")[-1], rel=1e-5)


@pytest.mark.parametrize(
    "arguments", [[], ["--dtype", "float64", "--batch-norm"], ["--update", "sgd", "--batch-size", "1"]]
)
def test_the_same_seed_gives_the_same_bytes(trained, arguments):
    files = []
    for seed in (3, 3, 4):
        trained("iris", "--epochs", 2, "--seed", seed, *arguments)
        files.append(Path("m/parameters.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_the_seed_is_also_that_of_the_training(trained, table):
    for name in ("train.csv", "held.csv", "test.csv"):
        table(name)
    files = []
    for seed in (0, 0, 1):
        trained("train.csv", "--validation", "held.csv", "--test", "test.csv", "--epochs", 1, "--seed", seed)
        files.append(Path("m/parameters.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_the_seed_chooses_the_rows(trained):
    rows = []
    for seed in (0, 0, 1, 2**32 - 1):
        trained("iris", "--epochs", 1, "--seed", seed)
        rows.append(json.dumps(description()["preparation"]))
    assert rows[0] == rows[1]
    assert len(set(rows)) == 3


def test_another_target_of_a_bundled_set(trained):
    answer = trained("iris", "--target", "petal width (cm)", "--epochs", 40, "--dropout", 0)
    assert answer["test"]["r2"] > 0.5
    assert [column[0] for column in description()["preparation"]["words"]] == ["species"]
