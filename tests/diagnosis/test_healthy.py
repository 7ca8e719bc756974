"""Models that the default command trains on the bundled sets have no problem; one with labels swapped is told so."""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import pytest

from layerwise.cli import main
from layerwise.data import load


@pytest.fixture(autouse=True)
def workplace(monkeypatch, tmp_path):
    """An empty folder; no pictures, which take longer than the training."""
    monkeypatch.chdir(tmp_path)
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def diagnosed(capsys):
    """Train and diagnose; return the exit code and the findings by name."""

    def command(data, *options):
        assert main(["train", data, "-q", "--out", "m", *options]) == 0
        capsys.readouterr()
        code = main(["diagnose", "m", data, "--json"])
        found = json.loads(capsys.readouterr().out)
        return code, {finding["check"]: finding for finding in found["checks"]}

    return command


@pytest.mark.parametrize(
    ("name", "options"),
    [("digits", ["--epochs", "12"]), ("iris", []), ("diabetes", [])],  # digits to the end takes long
)
def test_no_problem_where_there_is_none(diagnosed, name, options):
    code, findings = diagnosed(name, *options)
    assert code == 0
    assert {check for check, finding in findings.items() if finding["verdict"] != "ok"} <= {
        "suspect targets", "end of training"
    }  # fmt: skip
    assert len(findings) == (15 if name == "diabetes" else 17)


def test_swapped_labels_are_listed(diagnosed):
    part = load("wine").parts["all"]
    labels = part.target.to_list()
    swapped = [3, 60, 140]
    for row in swapped:
        labels[row] = {"class_0": "class_1", "class_1": "class_2", "class_2": "class_0"}[labels[row]]
    part.features.with_columns(pl.Series("y", labels)).write_csv("wine.csv")
    code, findings = diagnosed("wine.csv")
    listed = findings["suspect targets"]["figures"]["rows"]
    assert code == 0
    assert set(swapped) <= {row["row"] for row in listed[:5]}


def test_a_deep_sigmoid_network_is_told_what_is_wrong(diagnosed):
    code, findings = diagnosed("digits", "--activation", "sigmoid", "--hidden", ",".join(["20"] * 9), "--epochs", "2")
    assert code == 1
    problems = {check for check, finding in findings.items() if finding["verdict"] == "problem"}
    assert {"gradients before training", "better than a constant answer", "learning ten rows by heart"} <= problems


def test_noise_is_overfitting(diagnosed):
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.normal(size=400) for i in range(30)}
    pl.DataFrame(columns | {"y": rng.choice(["a", "b"], 400)}).write_csv("noise.csv")
    code, findings = diagnosed("noise.csv", "--patience", "0", "--dropout", "0", "--epochs", "60")
    assert code == 1
    assert findings["training against validation"]["verdict"] == "problem"
    assert findings["training against DATA"]["figures"]["gap"] > 0.2
