"""Ctrl-C: the first ends training after the batch and keeps the model, the second ends everything at once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from layerwise.cli.progress import Silent
from layerwise.storage import load

TRAIN = ["train", "iris", "--epochs", "50", "--hidden", "5", "--patience", "0", "--quiet"]


@pytest.fixture(autouse=True)
def usual_handler():
    """As in a terminal; a test runner in the background may have Ctrl-C switched off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press(monkeypatch, when: str, times: int = 1, epoch: int = 1) -> None:
    """Press Ctrl-C when training reports the end of an epoch, or the way within one."""

    def report(self, state):
        if state.epoch == epoch:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Silent, when, report)


def test_after_an_epoch(run, monkeypatch):
    press(monkeypatch, "epoch", epoch=3)
    answer = run(*TRAIN, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    document = json.loads(Path("models/iris/model.json").read_text())
    assert found["epochs"] in (3, 4)  # asked after the next batch, which may be the last of an epoch
    assert document["training"]["stopped"] == "interrupted"
    assert document["results"]["test"] == found["test"]
    assert load("models/iris").network.sizes == (4, 5, 3)
    assert Path("models/iris/learning_curve.png").is_file()


def test_it_is_said(run, monkeypatch, without_pictures):
    press(monkeypatch, "epoch", epoch=3)
    assert run(*TRAIN).out.splitlines()[0].endswith("; interrupted")


def test_the_best_epoch_is_kept(run, monkeypatch, without_pictures):
    def press_when_it_gets_worse(self, state):
        if state.early_stopping.best_epoch < state.epoch:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Silent, "epoch", press_when_it_gets_worse)
    answer = run(*TRAIN, "--patience", "50", "--rate", "0.3")
    training = json.loads(Path("models/iris/model.json").read_text())["training"]
    assert training["best_epoch"] < training["epochs"]
    assert f"; interrupted; the parameters of epoch {training['best_epoch']}" in answer.out


def test_before_the_first_epoch_ends(run, monkeypatch):
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0)  # ask after every batch
    press(monkeypatch, "batch", epoch=0)
    answer = run(*TRAIN, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["epochs"] == 0
    assert len(Path("models/iris/history.csv").read_text().splitlines()) == 1
    assert load("models/iris").network.sizes == (4, 5, 3)


@pytest.mark.parametrize("out", [[], ["--out", "a/m"]])
def test_twice(run, monkeypatch, tree, out):
    press(monkeypatch, "epoch", times=2, epoch=3)
    answer = run(*TRAIN, *out)
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")
    assert tree() == {}


def test_while_the_data_are_read(run, monkeypatch, tree):
    monkeypatch.setattr("layerwise.cli.experiment.load", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    answer = run(*TRAIN)
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")
    assert tree() == {}


def test_while_the_model_is_written(run, monkeypatch, tree):
    monkeypatch.setattr(Path, "write_bytes", lambda *_: signal.raise_signal(signal.SIGINT))
    answer = run(*TRAIN[:3], "1", "--quiet")
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")
    assert tree() == {}


def test_diagnose(run, monkeypatch):
    monkeypatch.setattr("layerwise.cli.diagnose.gradient_error", lambda *_: signal.raise_signal(signal.SIGINT))
    answer = run("diagnose", "gradients")
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")
