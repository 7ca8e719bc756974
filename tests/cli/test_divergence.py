"""A loss that becomes infinite: one line with the epoch and the causes, and the last good parameters are kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from layerwise.storage import load

#: Full batches of a linear network: the error grows at every step, slowly enough for some epochs to end.
GROWING = [
    "train", "diabetes", "--hidden", "none", "--update", "sgd", "--rate", "10", "--batch-size", "all", "--l2", "0",
    "--epochs", "100", "--quiet", "--out", "m",
]  # fmt: skip


def test_in_the_first_epoch_nothing_is_kept(refused):
    refused(
        ["train", "diabetes", "--update", "sgd", "--rate", "1000", "--quiet"],
        "epoch 1: expected a finite loss, got NaN or infinity", "lower the rate (1000)", "nothing was kept",
    )  # fmt: skip


@pytest.mark.parametrize("how", [[], ["--json"]])
@pytest.mark.parametrize("patience", ["0", "1000"])
def test_later_the_last_good_parameters_are_kept(run, patience, how):
    answer = run(*GROWING, "--patience", patience, *how)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    line = re.fullmatch(
        r"layerwise: epoch (\d+): expected a finite loss, got NaN or infinity; lower the rate \(10\); "
        r"the parameters of epoch (\d+) were kept in m\n",
        answer.err,
    )
    assert line
    stopped_in, kept = int(line[1]), int(line[2])
    document = json.loads(Path("m/model.json").read_text())
    assert document["training"]["stopped"] == "diverged"
    assert document["training"]["epochs"] == stopped_in - 1 > 1
    assert len(Path("m/history.csv").read_text().splitlines()) == stopped_in
    assert kept == (stopped_in - 1 if patience == "0" else document["training"]["best_epoch"])
    assert np.isfinite(load("m").predict_prepared(np.zeros((1, 10)))).all()
    assert Path("m/learning_curve.png").is_file()


def test_with_progress_the_epochs_come_first(run):
    answer = run(*(argument for argument in GROWING if argument != "--quiet"))
    lines = answer.err.splitlines()
    assert answer.code == 2
    assert lines[-1].startswith("layerwise: epoch ")
    assert sum(line.split()[0].isdigit() for line in lines) == int(lines[-1].split()[2].rstrip(":")) - 1
