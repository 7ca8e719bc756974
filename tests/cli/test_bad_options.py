"""Options that cannot be: one line, exit code 2, nothing written."""

from __future__ import annotations

import pytest

ACTIVATIONS = "linear, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, gelu, silu, mish"
REFUSED = [
    ("--activation rellu", ["activation", f"one of {ACTIVATIONS}", "'rellu'", "did you mean 'relu'"]),
    ("--hidden none --activation rellu", ["activation", "'rellu'"]),
    ("--output softmx", ["output", "one of softmax, sigmoid, identity", "'softmx'", "did you mean 'softmax'?"]),
    ("--output sigmoid", ["--output", "two classes for sigmoid", "got 3", "use --output softmax"]),
    ("--output identity", ["'species'", "numbers (regression)", "the word 'setosa' in data row 1"]),
    ("--update adm", ["update", "one of sgd", "'adm'", "did you mean 'adam'"]),
    ("--schedule cosin", ["schedule", "constant, step, inverse-time, cosine, coslog4", "did you mean 'cosine'?"]),
    ("--dtype float16", ["--dtype", "float32 or float64", "'float16'"]),
    ("--rate -1", ["--rate", "a number above 0", "got -1.0"]),
    ("--rate 0", ["--rate", "a number above 0", "got 0.0"]),
    ("--rate 1e400", ["--rate", "got inf"]),
    ("--rate nan", ["--rate", "got nan"]),
    ("--rate abc", ["--rate", "number", "see layerwise train --help"]),
    ("--l2 -1", ["--l2", "at least 0", "got -1.0"]),
    ("--l2 nan", ["--l2", "got nan"]),
    ("--l1 -0.5", ["--l1", "at least 0", "got -0.5"]),
    ("--l1 inf", ["--l1", "got inf"]),
    ("--clip-norm 0", ["--clip-norm", "above 0", "got 0"]),
    ("--dropout 1", ["--dropout", "at least 0 and below 1", "got 1.0"]),
    ("--dropout -0.1", ["--dropout", "got -0.1"]),
    ("--hidden none --dropout 2", ["--dropout", "got 2.0"]),
    ("--momentum 0.5", ["momentum", "0.5 with adam", "take sgd or nesterov"]),
    ("--update sgd --momentum 1", ["momentum", "below 1", "got 1.0"]),
    ("--update sgd --momentum -1", ["momentum", "at least 0", "got -1.0"]),
    ("--update nesterov --momentum 0", ["nesterov", "a momentum above 0"]),
    *((f"--hidden {given}", ["--hidden", "layers of at least 1 unit", f"'{given}'", "none for no hidden layer"])
      for given in ("0", "10,0", "-5", "abc", "10,,5", "1.5", "\N{SUPERSCRIPT TWO}", "1e3")),
    ("--hidden 1000000000000,1000000000000", ["--hidden", "at most 1e+13 weights", "got 1e+24", "fewer units"]),
    (f"--hidden {2**70}", ["--hidden", "weights"]),
    *((f"--batch-size {given}", ["--batch-size", "at least 1, or all", f"'{given}'"])
      for given in ("0", "-3", "x", "1.5", "\N{SUPERSCRIPT TWO}")),
    ("--batch-size 1 --batch-norm", ["batch normalisation", "two rows", "got 1"]),
    ("--epochs 0", ["--epochs", "at least 1", "got 0"]),
    ("--epochs -1", ["--epochs", "got -1"]),
    ("--epochs 1.5", ["--epochs", "integer", "see layerwise train --help"]),
    ("--patience -1", ["--patience", "at least 0", "got -1"]),
    *((f"--validation {given}", ["--validation", "at least 0 and below 1", f"got {float(given)}"])
      for given in ("1.5", "1", "-0.1", "nan")),
    ("--validation missing.csv", ["missing.csv", "an existing file", "nothing of that name"]),
    ("--test missing.csv", ["missing.csv", "an existing file", "nothing of that name"]),
    ("--seed -1", ["--seed", "at least 0", "got -1"]),
    ("--seed 4294967296", ["--seed", "got 4294967296"]),
    ("--seed abc", ["--seed", "integer"]),
    ("--target petal", ["iris", "the target among the columns", "no column 'petal'"]),
    ("--target specise", ["no column 'specise'", "did you mean 'species'?"]),
    ("--group specise", ["--group", "a column of the data", "'specise'", "choose one of 'sepal length (cm)'"]),
    ("--time zzz", ["--time", "a column of the data", "'zzz'", "choose one of"]),
    ("--frobnicate", ["No such option", "--frobnicate", "see layerwise train --help"]),
    ("--hiden 3", ["--hiden", "--hidden"]),
    ("wine", ["wine", "see layerwise train --help"]),
    ("--rate", ["--rate", "requires an argument", "--help"]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "pieces"), REFUSED, ids=[given for given, _ in REFUSED])
def test_refused(refused, given, pieces):
    refused(["train", "iris", "--quiet", *given.split()], *pieces)


@pytest.mark.parametrize("output", ["poisson", "gaussian"])
def test_outputs_of_numbers_that_are_not_standardised(refused, output):
    refused(["train", "diabetes", "--quiet", "--output", output], "--output", f"got {output}", "huber", "from Python")


def test_two_ways_to_split(refused):
    arguments = ["train", "iris", "--quiet", "--group", "sepal width (cm)", "--time", "petal width (cm)"]
    refused(arguments, "groups or times", "got both")


@pytest.mark.parametrize(
    ("given", "pieces"),
    [
        (["train"], ["DATA", "see layerwise train --help"]),
        (["diagnose"], ["MODEL", "see layerwise diagnose --help"]),
        (["iris"], ["No such command 'iris'", "see layerwise --help"]),
        (["trian", "iris"], ["No such command 'trian'"]),
        ([""], ["No such command ''"]),
        (["--foo"], ["--foo", "see layerwise --help"]),
        (["diagnose", "gradient"], ["expected gradients", "'gradient'", "did you mean 'gradients'?"]),
        (["diagnose", "gradients", "--seed", "-1"], ["--seed", "at least 0", "got -1"]),
    ],
    ids=str,
)
def test_commands(refused, given, pieces):
    refused(given, *pieces)


def test_images_have_no_columns_and_no_further_files(refused, table):
    refused(["train", "digits", "--group", "a"], "--group", "images have no columns")
    refused(["train", "digits", "--test", table()], "put the files of all parts into one folder")
    refused(["train", "digits", "--target", "x"], "'digit'")


def test_a_network_past_all_memory(refused, monkeypatch):
    def too_much(*arguments, **settings):
        raise MemoryError("Unable to allocate 58.2 TiB")

    monkeypatch.setattr("layerwise.cli.experiment.fit", too_much)
    refused(["train", "iris", "--quiet"], "fit into memory", "58.2 TiB", "fewer units")


def test_memory_errors_without_words(refused, monkeypatch):
    def too_much(*arguments, **settings):
        raise MemoryError

    monkeypatch.setattr("layerwise.cli.experiment.fit", too_much)
    refused(["train", "iris", "--quiet"], "more than there is")
