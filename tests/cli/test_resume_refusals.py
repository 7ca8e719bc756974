"""What going on refuses, and what a failure leaves: a line, exit code 2, and every folder as it was."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from layerwise.cli.resume import seconds_of
from layerwise.errors import SpecificationError, StorageError
from layerwise.storage import checkpoint

TRAIN = ["train", "iris", "--epochs", "6", "--hidden", "5", "--quiet"]
KEEP = ["--checkpoint-every", "1s"]
RESUME = ["train", "--resume", "m", "--quiet"]

pytestmark = pytest.mark.usefixtures("without_pictures", "always_due")


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--rate", "0.1"], "--rate"),
        (["--epochs", "6", "--seed", "0"], "--epochs, --seed"),
        (["--checkpoint-every", "1s"], "--checkpoint-every"),
        (["--overwrite", "--out", "n"], "--out, --overwrite"),
        (["--batch-norm"], "--batch-norm"),
        (["iris"], "DATA"),
    ],
)
def test_other_options_are_refused_by_name(left, refused, more, named):
    refused([*RESUME, *more], f"--resume: expected nothing else but --quiet and --json, got {named}; leave it out")


@pytest.mark.parametrize(
    ("given", "seconds"), [("30s", 30), ("0.2s", 0.2), ("5m", 300), ("1h", 3600), (" 1.5h ", 5400), ("0.001s", 0.001)]
)
def test_times(given, seconds):
    assert seconds_of(given) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "given",
    [
        "30",
        "",
        "s",
        "0s",
        "0.0m",
        "-1s",
        "nans",
        "infs",
        "1e3s",
        "5 m",
        "1d",
        "30S",
        "1h30m",
        "\u0663s",
        "9" * 400 + "h",
    ],
)
def test_times_that_are_none(given, refused):
    with pytest.raises(SpecificationError):
        seconds_of(given)
    refused([*TRAIN, f"--checkpoint-every={given}"], "--checkpoint-every: expected a time such as 30s, 5m or 1h, got")


def test_other_data_are_refused(cut, refused, table):
    cut("train", table(), *TRAIN[2:], *KEEP, "--out", "m", after=4)
    usual = Path("t.csv").read_text()
    Path("t.csv").write_text(usual.replace("red", "rot"))
    refused(RESUME, "t.csv: expected", "bytes of checksum", "as when training began, got", "restore it, or train anew")
    Path("t.csv").unlink()
    refused(RESUME, "t.csv: expected the data of this training, got nothing of that name")


def test_other_data_of_the_same_name(left, refused, monkeypatch):
    """A bundled set has no file: its numbers are compared."""
    from layerwise.data import load as usual

    def other(*arguments, **settings):
        data = usual(*arguments, **settings)
        for row in range(0, 150, 2):
            data.parts["all"].features[row, 0] = 9.0
        return data

    monkeypatch.setattr("layerwise.cli.experiment.load", other)
    refused(RESUME, "checksum", "give the same data, or begin anew")


@pytest.mark.parametrize("at", [0, 3])
def test_a_full_disk(run, monkeypatch, at):
    usual, calls = checkpoint.write_file, []

    def full(path, content):
        calls.append(path)
        if len(calls) > at:
            raise StorageError(where=str(path), expected="room", got="a full disk", remedy="free some space")
        usual(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_file", full)
        answer = run(*TRAIN, *KEEP, "--out", "m")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert names(".") == ([] if at == 0 else ["m"])  # nothing was kept that could be lost
    if at:
        assert run(*RESUME).code == 0


def test_errors_before_any_checkpoint_leave_nothing(refused, monkeypatch):
    refused([*TRAIN, *KEEP, "--out", "m", "--batch-size", "1", "--batch-norm"], "batch normalisation")

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused([*TRAIN, *KEEP, "--out", "m"], "no space left")


DAMAGE = [
    ("", "JSON"), ("{", "JSON"), ("[]", "something else"), ("{}", "something else"), ("null", "something else"),
    ("[" * 100_000, "JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "piece"), DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_descriptions(left, refused, content, piece):
    Path("m/training.json").write_text(content)
    refused(RESUME, "m/training.json", piece)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(version=2),
        lambda document: document.pop("options"),
        lambda document: document.pop("versions"),
        lambda document: document.update(options=[]),
        lambda document: document["options"].pop("data"),
        lambda document: document["options"].update(data=7),
        lambda document: document["options"].update(epochs="6"),
        lambda document: document["options"].update(epochs=True),
        lambda document: document["options"].update(epochs=10**400),
        lambda document: document["options"].update(rate="x"),
        lambda document: document["options"].update(batch_norm=1),
        lambda document: document["options"].update(unknown=1),
        lambda document: document.update(every="soon"),
        lambda document: document.update(every=3),
        lambda document: document.update(files=[{}]),
        lambda document: document.update(files=7),
        lambda document: document.update(
            files=[{"option": "seed", "path": "t", "absolute": "t", "bytes": 1, "sha256": ""}]
        ),
        lambda document: document.update(
            files=[{"option": "data", "path": "../..", "absolute": "/", "bytes": 1, "sha256": ""}]
        ),
        lambda document: document.update(command=7),
        lambda document: document.update(versions=[]),
        lambda document: document["options"].update(seed=5),
        lambda document: document["options"].update(hidden="6"),
    ],
)
def test_hostile_descriptions(left, refused, change):
    document = json.loads(Path("m/training.json").read_text())
    change(document)
    Path("m/training.json").write_text(json.dumps(document))
    refused(RESUME, "expected")


def test_a_damaged_checkpoint(left, refused):
    content = bytearray(Path("m/checkpoint.safetensors").read_bytes())
    content[-1] ^= 1
    Path("m/checkpoint.safetensors").write_bytes(content)
    refused(RESUME, "m/checkpoint.safetensors: expected the file that was written, got a damaged one")
