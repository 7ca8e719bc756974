"""Checkpoints and going on: no work is lost, and the end is that of a training which nobody disturbed."""

from __future__ import annotations

import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli.progress import Silent
from layerwise.storage import load, unfinished

#: That which the fixture `left` has cut.
TRAIN = ["train", "iris", "--epochs", "6", "--hidden", "5", "--quiet"]
KEEP = ["--checkpoint-every", "1s"]
MODEL = ["history.csv", "model.json", "parameters.safetensors"]
RESUME = ["train", "--resume", "m", "--quiet"]

pytestmark = pytest.mark.usefixtures("without_pictures", "always_due")


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def end_of(folder: str) -> dict[str, Any]:
    """All that a training ends with, but for times and words."""
    document = json.loads((Path(folder) / "model.json").read_text())
    history = [line.rsplit(",", 1)[0] for line in (Path(folder) / "history.csv").read_text().splitlines()]
    training = {name: value for name, value in document["training"].items() if name != "seconds"}
    kept = {name: document[name] for name in ("options", "results", "data", "preparation", "target")}
    return {
        "theta": (Path(folder) / "parameters.safetensors").read_bytes(), "history": history, "training": training,
        "command": document["command"][0], **kept,
    }  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--patience", "2", "--rate", "0.3", "--epochs", "40"],
        ["--patience", "0", "--update", "momentum", "--schedule", "cosine", "--dtype", "float64"],
        ["--validation", "0", "--update", "adamw", "--batch-size", "1", "--epochs", "1"],
        ["--batch-norm", "--dropout", "0.4", "--clip-norm", "0.5", "--update", "rmsprop", "--l1", "0.001"],
    ],
    ids=" ".join,
)
def test_the_end_is_that_of_an_undisturbed_training(run, cut, options):
    cut(*TRAIN, *options, *KEEP, "--out", "m")
    assert names("m") == ["checkpoint.safetensors", "training.json"]
    cut(*RESUME, after=3)
    assert (run(*RESUME).code, names("m")) == (0, MODEL)
    assert run(*TRAIN, *options, "--out", "undisturbed").code == 0
    assert run(*TRAIN, *options, *KEEP, "--out", "checkpoints").code == 0
    assert end_of("m") == end_of("undisturbed") == end_of("checkpoints")
    assert names(".") == ["checkpoints", "m", "undisturbed"]


def test_a_table_with_files_of_its_own(run, cut, table):
    options = ["train", table(), "--test", table("more.csv"), "--validation", table("other.csv"), *TRAIN[2:]]
    cut(*options, *KEEP, "--out", "m")
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    assert run("train", "--resume", "../m", "--quiet").code == 0
    os.chdir("..")
    assert run(*options, "--out", "undisturbed").code == 0
    assert end_of("m") == end_of("undisturbed")
    assert load("m").description["data"]["name"] == "t"


def test_files_that_moved_with_their_folder(run, cut, table):
    table()
    os.mkdir("old")
    Path("t.csv").rename("old/t.csv")
    os.chdir("old")
    cut("train", "t.csv", *TRAIN[2:], *KEEP, "--out", "m", after=4)
    os.chdir("..")
    Path("old").rename("new")
    os.chdir("new")
    assert run(*RESUME).code == 0


def test_a_folder_of_images(run, cut, refused):
    generator = np.random.default_rng(0)
    Path("images").mkdir()
    Path("images/mine.txt").write_text("not a part of the data")
    for part, n in (("train", 60), ("t10k", 20)):
        pixels = generator.integers(0, 256, (n, 4, 4), dtype=np.uint8)
        header = b"\0\0\x08\x03" + np.array([n, 4, 4], ">i4").tobytes()
        Path(f"images/{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = b"\0\0\x08\x01" + np.array([n], ">i4").tobytes() + (pixels[:, 0, 0] // 128).tobytes()
        Path(f"images/{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    options = ["train", "images", *TRAIN[2:]]
    cut(*options, *KEEP, "--out", "m")
    Path("images/mine.txt").write_text("changed")
    usual = Path("images/train-images-idx3-ubyte").read_bytes()
    Path("images/train-images-idx3-ubyte").write_bytes(usual[:-1] + b"\1")
    refused(RESUME, "images/train-images-idx3-ubyte: expected 976 bytes of checksum", "got 976 of")
    Path("images/train-images-idx3-ubyte").write_bytes(usual)
    assert run(*RESUME).code == 0
    assert run(*options, "--out", "undisturbed").code == 0
    assert end_of("m") == end_of("undisturbed")


def test_what_is_said(run, left):
    first = run(*RESUME[:-1])
    assert "going on after 15 updates, in epoch 3" in first.err
    assert [line.split()[0] for line in first.err.splitlines()[-6:-1]] == ["epoch", "3", "4", "5", "6"]
    assert "note:" not in first.err
    assert first.out.splitlines()[-1] == "model: m"


def test_how_to_go_on_is_said_before_it_is_needed(run):
    shown = run(*TRAIN[:-1], *KEEP).err
    assert "checkpoints: every 1s; after a crash, layerwise train --resume models/iris\n" in shown


def test_another_machine_is_noted(run, left):
    document = json.loads(Path("m/training.json").read_text())
    document["versions"]["code path"] = "abacus"
    Path("m/training.json").write_text(json.dumps(document))
    answer = run(*RESUME[:-1])
    assert answer.code == 0
    assert "note: code path abacus, now " in answer.err
    assert "by rounding" in answer.err


def test_a_finished_model_is_finished(run, tree):
    found = json.loads(run(*TRAIN, *KEEP, "--out", "m", "--json").out)
    before = tree()
    answer = run(*RESUME)
    assert (answer.code, answer.out, answer.err) == (0, "m: finished after 6 epochs; nothing is left to do\n", "")
    again = json.loads(run(*RESUME, "--json").out)
    assert found.pop("seconds") == pytest.approx(again.pop("seconds"), abs=1e-3)
    assert again == found
    assert tree() == before


@pytest.mark.usefixtures("usual_handler")
def test_nothing_to_go_on_with(refused, run, monkeypatch):
    refused(
        ["train", "--resume", "m"], "m: expected a folder that layerwise train --checkpoint-every has made, got none"
    )
    Path("file").write_text("mine")
    refused(["train", "--resume", "file"], "got a file")
    refused(["train", "--resume", "m" * 300], "got none")
    Path("photos").mkdir()
    Path("photos/mine.txt").write_text("mine")
    refused(["train", "--resume", "photos"], "got another folder")
    press(monkeypatch)
    assert run(*TRAIN, "--out", "m").code == 0
    refused(RESUME, "m: expected a checkpoint", "of a training that was interrupted", "--checkpoint-every")


def test_before_the_first_checkpoint(run, left, monkeypatch):
    """Only what to train is known, which is enough."""
    Path("m/checkpoint.safetensors").unlink()
    answer = run(*RESUME[:-1])
    assert (answer.code, names("m")) == (0, MODEL)
    assert "no checkpoint yet: training begins from the start" in answer.err
    run(*TRAIN, "--out", "undisturbed")
    assert end_of("m") == end_of("undisturbed")


def press(monkeypatch, epoch: int = 3, times: int = 1) -> None:
    """Press Ctrl-C in the middle of an epoch, in the first training that comes there."""
    left = [signal.SIGINT] * times

    def report(self, state):
        if state.epoch == epoch and state.position:
            while left:
                signal.raise_signal(left.pop())

    monkeypatch.setattr("layerwise.training.fit.TICK", 0.0)
    monkeypatch.setattr(Silent, "batch", report)


@pytest.fixture
def usual_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_handler")
def test_ctrl_c_keeps_model_and_checkpoint(run, monkeypatch):
    press(monkeypatch)
    answer = run(*TRAIN, *KEEP, "--out", "m")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "go on: layerwise train --resume m"
    assert names("m") == sorted([*MODEL, "checkpoint.safetensors", "training.json"])
    assert len(Path("m/history.csv").read_text().splitlines()) == 4
    assert load("m").description["training"]["stopped"] == "interrupted"
    assert not set(load("m").description["sha256"]) & unfinished.FILES
    assert run(*RESUME).code == 0
    assert names("m") == MODEL
    assert run(*TRAIN, "--out", "undisturbed").code == 0
    assert end_of("m") == end_of("undisturbed")


@pytest.mark.usefixtures("usual_handler")
def test_ctrl_c_twice_keeps_the_checkpoint(run, monkeypatch):
    press(monkeypatch, times=2)
    answer = run(*TRAIN, *KEEP, "--out", "m")
    assert (answer.code, answer.out, answer.err) == (130, "", "layerwise: interrupted\n")
    assert names("m") == ["checkpoint.safetensors", "training.json"]
    assert run(*RESUME).code == 0


def test_a_training_that_has_not_ended_is_no_model_and_no_free_place(run, left, refused):
    from layerwise.errors import StorageError

    with pytest.raises(StorageError, match="m: expected a trained model, got a training that has not ended; finish it"):
        load("m")
    refused([*TRAIN, "--out", "m"], "a training that has not ended", "layerwise train --resume m", "--overwrite")
    assert run(*TRAIN, "--out", "m", "--overwrite").code == 0
    assert names("m") == MODEL


def test_the_old_model_stays_until_the_new_one_is_there(run, cut):
    assert run(*TRAIN, "--out", "m", "--seed", "4").code == 0
    old = Path("m/parameters.safetensors").read_bytes()
    cut(*TRAIN, *KEEP, "--out", "m", "--overwrite")
    assert names("m") == sorted([*MODEL, "checkpoint.safetensors", "training.json"])
    assert Path("m/parameters.safetensors").read_bytes() == old
    assert load("m").description["options"]["seed"] == 4
    cut(*TRAIN, *KEEP, "--out", "m", "--overwrite", "--seed", "5", after=1)  # with no word of the first checkpoint
    assert run(*RESUME).code == 0
    assert names("m") == MODEL
    assert load("m").description["options"]["seed"] == 5
    assert names(".") == ["m"]


def test_two_at_once(run, left, refused):
    with unfinished.locked(Path("m")):
        who = f"process {os.getpid()} at work there"
        for command in (RESUME, [*TRAIN, "--out", "m", "--overwrite"], [*TRAIN, *KEEP, "--out", "m", "--overwrite"]):
            refused(command, "m: expected a folder that nobody else trains in", who)
    assert not Path("m/training.lock").exists()
    Path("m/training.lock").write_text("1")  # left by a process that was killed, whatever its number is now
    assert run(*RESUME).code == 0
    assert names("m") == MODEL


def test_files_of_others_are_seen_before_training(left, refused, run):
    Path("m/notes.txt").write_text("mine")
    refused(RESUME, "'notes.txt' too")
    Path("m/notes.txt").unlink()
    assert run(*RESUME).code == 0


def test_files_of_others_that_come_while_it_trains(run, monkeypatch, workplace):
    with monkeypatch.context() as patch:
        patch.setattr(Silent, "epoch", lambda self, state: (workplace / "m" / "notes.txt").write_text("mine"))
        answer = run(*TRAIN, *KEEP, "--out", "m")
    assert answer.code == 2
    assert "'notes.txt' too" in answer.err
    Path("m/notes.txt").unlink()
    assert run(*RESUME).code == 0
    run(*TRAIN, "--out", "undisturbed")
    assert end_of("m") == end_of("undisturbed")


def test_divergence(run):
    bad = ["train", "diabetes", "--update", "sgd", "--hidden", "5", "--epochs", "30", "--quiet", "--rate"]
    answer = run(*bad, "1e6", *KEEP, "--out", "m")
    assert answer.code == 2
    assert "nothing was kept" in answer.err
    assert names(".") == []


def test_help(run):
    out = run("train", "--help").out
    for piece in ("--checkpoint-every", "--resume", "Exit codes", "130"):
        assert piece in out
