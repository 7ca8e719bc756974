"""The file of a checkpoint: whole at every moment, refused in a line if damaged, hostile or of something else."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import layerwise as lw
from layerwise.errors import SpecificationError, StorageError
from layerwise.storage.checkpoint_file import to_bytes
from layerwise.training.state import TrainingState

NET = lw.Network(4, [6], 3, batch_norm=True)
X = np.random.default_rng(0).normal(size=(40, 4))
Y = np.arange(40) % 3
SETTINGS: dict[str, Any] = {"update": lw.Adam(0.01), "epochs": 3, "validation": 0.2, "batch_size": 8}


@pytest.fixture
def path(tmp_path) -> Path:
    """The file of a training that has ended."""
    path = tmp_path / "state"
    lw.fit(NET, X, Y, **SETTINGS, checkpoint=lw.Checkpoint(path))
    return path


@pytest.fixture
def go_on() -> Callable[..., lw.Model]:
    def fit(path: Path, net: lw.Network = NET, X: Any = X, Y: Any = Y, **changes: Any) -> lw.Model:
        return lw.fit(net, X, Y, **{**SETTINGS, **changes}, checkpoint=lw.Checkpoint(path, resume=True))

    return fit


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change document and arrays as one could who makes the checksum right again."""
    with safetensors.safe_open(path, "numpy") as file:
        document = json.loads(file.metadata()["checkpoint"])
    arrays = safetensors.numpy.load_file(path)
    change(document, arrays)
    path.write_bytes(to_bytes(document, arrays))


def test_what_is_in_it(path):
    with safetensors.safe_open(path, "numpy") as file:
        assert {"theta", "statistics", "memory.mean", "memory.squares", "best.theta"} <= set(file.keys())
        document = json.loads(file.metadata()["checkpoint"])
    assert (document["format"], document["version"], document["steps"]) == ("layerwise-checkpoint", 1, 12)


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        ({"update": lw.Adam(0.02)}, ["update Adam(rate=0.01", "got Adam(rate=0.02"]),
        ({"update": lw.SGD(0.1)}, ["update Adam(rate=0.01", "got SGD(rate=0.1"]),
        ({"batch_size": 4}, ["batch_size 8", "got 4"]),
        ({"epochs": 4}, ["epochs 3", "got 4"]),
        ({"seed": 1}, ["seed 0", "got 1"]),
        ({"schedule": "cosine"}, ["schedule Constant()", "got Cosine()"]),
        ({"penalty": lw.L2(0.1)}, ["penalty", "strength=0.1"]),
        ({"dtype": "float64"}, ["float32", "float64"]),
        ({"patience": 2}, ["patience None", "got 2"]),
        ({"patience": 2, "monitor": "metric"}, ["monitor", "'metric'"]),
        ({"clip_norm": 1.0}, ["clip_norm None", "got 1.0"]),
        ({"shuffle": False}, ["shuffle True", "got False"]),
        ({"exact_train_loss": True}, ["exact_train_loss"]),
        ({"validation": 0.25}, ["rows to train on 32", "got 30"]),
        ({"validation": (X[:3], Y[:3])}, ["rows to train on 32", "got 40"]),
        ({"order": [np.arange(5)]}, ["order"]),
        ({"weights": np.ones(40)}, ["checksum"]),
        ({"X": X + 1e-9}, ["checksum"]),
        ({"X": X.astype("float32")}, ["checksum"]),
        ({"Y": Y[::-1]}, ["checksum"]),
        ({"X": X[:30], "Y": Y[:30]}, ["rows to train on"]),
        ({"net": lw.Network(4, [7], 3, batch_norm=True)}, ["network", '"units": 6', '"units": 7']),
        ({"net": lw.Network(4, [6], 3, batch_norm=True, hidden="tanh")}, ["network", '"relu"', '"tanh"']),
        ({"net": lw.Network(4, [6], 3, batch_norm=True, dropout=0.1)}, ["network", '"dropout": 0.1']),
    ],
    ids=lambda value: " ".join(value),
)  # fmt: skip
def test_other_settings_and_data_are_refused_by_name(path, go_on, refuses, changes, pieces):
    before = path.read_bytes()
    with refuses(str(path), *pieces):
        go_on(path, **changes)
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(tmp_path, go_on, refuses):
    os.mkfifo(tmp_path / "state")
    with refuses("something that is no file"):
        go_on(tmp_path / "state")


def test_missing_and_others(tmp_path, go_on, refuses):
    with refuses("no such file"):
        go_on(tmp_path / "none")
    with refuses("is a directory"):
        go_on(tmp_path)
    (tmp_path / "text").write_text("hello\n" * 100)
    with refuses("expected a checkpoint"):
        go_on(tmp_path / "text")
    (tmp_path / "empty").write_bytes(b"")
    with refuses("expected a checkpoint"):
        go_on(tmp_path / "empty")
    safetensors.numpy.save_file({"theta": np.zeros(3)}, tmp_path / "other")
    with refuses("something else"):
        go_on(tmp_path / "other")


def test_resume_by_will(path, go_on, tmp_path):
    """True has to find a file; False begins anew; by default, the file decides."""
    first = lw.fit(NET, X, Y, **SETTINGS)
    assert go_on(path).history[-1].seconds > 0
    begun = lw.fit(NET, X, Y, **{**SETTINGS, "seed": 5}, checkpoint=lw.Checkpoint(path, resume=False))
    assert begun.parameters.vector.tobytes() != first.parameters.vector.tobytes()
    assert go_on(path, seed=5).parameters.vector.tobytes() == begun.parameters.vector.tobytes()
    with pytest.raises(SpecificationError, match="every: expected a number above 0, got -1"):
        lw.Checkpoint(path, every=-1)


def test_every_truncation_and_flipped_bits(path, refuses):
    content = path.read_bytes()
    state = lw.start(NET, **{name: SETTINGS[name] for name in ("update", "epochs", "batch_size")}, steps_per_epoch=4)
    generator = np.random.default_rng(0)
    checkpoint = lw.Checkpoint(path)
    rewrite(path, lambda document, arrays: document["settings"].update(weight_mean="None"))
    checkpoint.read(state)
    content = path.read_bytes()
    for length in [*range(64), *generator.integers(0, len(content), 60)]:
        path.write_bytes(content[:length])
        with refuses():
            checkpoint.read(state)
    for place in [*range(40), *generator.integers(0, len(content), 200)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        with refuses():
            checkpoint.read(state)
    assert state.steps == 12


@pytest.mark.parametrize(
    "change",
    [
        lambda document, arrays: document.update(steps=-1),
        lambda document, arrays: document.update(steps=10**400),
        lambda document, arrays: document.update(steps=1.5),
        lambda document, arrays: document.update(steps=True),
        lambda document, arrays: document.update(epoch=None),
        lambda document, arrays: document.update(epoch=0),
        lambda document, arrays: document.update(memory_since=10**6),
        lambda document, arrays: document.update(position=3),
        lambda document, arrays: document.update(position=3, sums={"loss": 1}, seen={"loss": 1}),
        lambda document, arrays: document.update(position=3, sums=[], seen=[]),
        lambda document, arrays: document.update(seconds="soon"),
        lambda document, arrays: document.update(seconds="nan"),
        lambda document, arrays: document.update(stopped=7),
        lambda document, arrays: document.update(settings=None),
        lambda document, arrays: document.update(settings={}),
        lambda document, arrays: document.update(early_stopping=None),
        lambda document, arrays: document["early_stopping"].update(best_epoch=None),
        lambda document, arrays: document["early_stopping"].update(waited=-1),
        lambda document, arrays: document["early_stopping"].pop("best_value"),
        lambda document, arrays: document.pop("seconds"),
        lambda document, arrays: document.update(version=2),
        lambda document, arrays: document.update(version=None),
        lambda document, arrays: document.update(format="layerwise-model"),
        lambda document, arrays: arrays["theta"].fill(np.nan),
        lambda document, arrays: arrays.pop("theta"),
        lambda document, arrays: arrays.pop("best.statistics"),
        lambda document, arrays: arrays.pop("best.theta"),
        lambda document, arrays: arrays.update({"../theta": np.zeros(3)}),
        lambda document, arrays: arrays.update(theta=arrays["theta"].astype("float64")),
        lambda document, arrays: arrays.update(theta=arrays["theta"][:-1]),
        lambda document, arrays: arrays.update(theta=arrays["theta"].astype("complex64")),
        lambda document, arrays: arrays.update(order=np.arange(32)),
        lambda document, arrays: arrays.update(history=arrays["history"][:, :3]),
        lambda document, arrays: arrays.update(history=arrays["history"][:1]),
        lambda document, arrays: arrays["history"].fill(np.nan),
    ],
)
def test_hostile(path, go_on, refuses, change):
    rewrite(path, lambda document, arrays: None)
    assert go_on(path).state.steps == 12
    rewrite(path, change)
    with refuses(str(path)):
        go_on(path)


def test_memory_stays_bounded(path, go_on, refuses):
    """A header that promises much, and a file with holes that keeps such a promise."""
    content = path.read_bytes()
    path.write_bytes((2**40).to_bytes(8, "little") + content[8:])
    with refuses("a header of 1099511627776 bytes"):
        go_on(path)
    for shape, name in (((10**10,), "theta"), ((10**9, 12), "history"), ((10**9,), "order")):
        header = {name: {"dtype": "F64", "shape": shape, "data_offsets": [0, 8 * int(np.prod(shape))]}}
        header["__metadata__"] = {"checkpoint": '{"format": "layerwise-checkpoint", "version": 1}', "sha256": ""}
        text = json.dumps(header).encode()
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + 8 * int(np.prod(shape)))
        tracemalloc.start()
        with refuses(str(path)):
            go_on(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
        tracemalloc.stop()


@pytest.mark.parametrize("what", ["fsync", "replace"])
def test_a_full_disk_leaves_the_file_of_before(path, monkeypatch, refuses, what):
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if what == "fsync" else (Path, "replace")), full)
    with refuses(str(path), "no space left on device"):
        lw.Checkpoint(path).write(lw.start(NET))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state"]


def test_the_new_file_is_on_the_disk_before_it_has_the_name(path, monkeypatch):
    done: list[str] = []
    usual_sync, usual_replace = os.fsync, Path.replace

    def sync(handle):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        usual_sync(handle)

    def replace(self, target):
        done.append("rename")
        return usual_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    lw.Checkpoint(path).write(lw.start(NET))
    assert done == ["file", "rename", "folder"]


def test_no_more_than_a_fifth_of_the_time(path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("layerwise.storage.checkpoint.time.monotonic", lambda: clock[0])

    def slow(path, content):
        clock[0] += 2.0

    monkeypatch.setattr("layerwise.storage.checkpoint.write_file", slow)
    checkpoint, state = lw.Checkpoint(path, every=0.5), lw.start(NET)
    checkpoint.write(state)
    for passed, due in ((0.0, False), (7.9, False), (0.2, True)):
        clock[0] += passed
        assert checkpoint.due() is due
    patient = lw.Checkpoint(path, every=30)
    patient.write(state)
    clock[0] += 29
    assert not patient.due()
    clock[0] += 1
    assert patient.due()


def test_a_leftover_of_a_crash_does_no_harm(path, go_on):
    path.with_name("state.new").write_bytes(b"half")
    assert len(go_on(path).history) == 3
    lw.Checkpoint(path).write(lw.start(NET))
    assert [file.name for file in path.parent.iterdir()] == ["state"]


def test_a_state_of_other_settings_stays_as_it_is(path):
    state: TrainingState = lw.start(NET, update=lw.Adam(0.5))
    before = state.parameters.vector.tobytes()
    with pytest.raises(StorageError):
        lw.Checkpoint(path).read(state)
    assert (state.steps, state.parameters.vector.tobytes()) == (0, before)


@pytest.mark.parametrize("header", [json.dumps("x" * 10_000), json.dumps({"x" * 10_000: 1})])
def test_what_is_wrong_is_said_in_a_line_that_can_be_read(path, header):
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with pytest.raises(StorageError) as caught:
        lw.Checkpoint(path, resume=True).read(lw.start(NET))
    assert len(str(caught.value)) < 1000
