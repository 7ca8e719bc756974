"""Model folders and checkpoints as damage, chance and malice leave them: ``python tests/stress/fuzz_models.py ...``.

Folders go through `lw.load`, prediction, ``layerwise inspect`` and ``predict``; checkpoints and the description of a
training through what ``layerwise train --resume`` does before it trains, and a checkpoint through `lw.fit`, which goes
on from it. What must come of it is said in cases.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import struct
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from cases import command, main, refused_or

import layerwise as lw
from layerwise.cli import train as train_module
from layerwise.storage.checkpoint_file import to_bytes
from layerwise.storage.unfinished import CHECKPOINT, TRAINING

sys.path.append(str(Path(__file__).parents[1] / "storage"))
import mutations

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
Y = np.arange(24) % 3
TABLE = "table.csv"
#: Where the sound folders of this child are.
SOUND: list[Path] = []


class Cut(Exception):
    """Training was cut."""


def fit_with(checkpoint: lw.Checkpoint) -> lw.Model:
    """Train the network of the checkpoints a little."""
    net = lw.Network(3, [lw.Layer(4, batch_norm=True)], 3)
    return lw.fit(
        net, X, Y, epochs=3, batch_size=5, update=lw.Adam(0.01), validation=(X[:7], Y[:7]), patience=2,
        checkpoint=checkpoint,
    )  # fmt: skip


def cut_after(writes: int, action: Any) -> None:
    """Do something that writes checkpoints, after every batch, until so many have been written."""
    usual, due, written = lw.Checkpoint.write, lw.Checkpoint.due, []

    def write(self: lw.Checkpoint, state: Any) -> None:
        usual(self, state)
        written.append(state.steps)
        if len(written) == writes:
            raise Cut

    lw.Checkpoint.write, lw.Checkpoint.due = write, lambda self: True  # type: ignore[method-assign]
    try:
        with contextlib.suppress(Cut):
            action()
    finally:
        lw.Checkpoint.write, lw.Checkpoint.due = usual, due  # type: ignore[method-assign]


def prepare(place: Path) -> None:
    """Copy the fixtures of model folders, and begin trainings that do not end."""
    fixtures = sorted(mutations.FIXTURES.glob("v*/"))
    SOUND.extend(Path(shutil.copytree(folder, place / folder.name)) for folder in fixtures)
    engine = sys.modules["layerwise.engines.interface"]
    usual, engine.POLL_SECONDS = engine.POLL_SECONDS, 0.0
    for writes in (2, 8):  # within the first epoch, and after it
        folder = place / f"fit-{writes}"
        folder.mkdir()
        cut_after(writes, lambda folder=folder: fit_with(lw.Checkpoint(folder / CHECKPOINT, 1e-9)))
        SOUND.append(folder)
    (place / TABLE).write_text("a,b,y\n" + "".join(f"{k},{k * k % 7},{'yn'[k % 2]}\n" for k in range(40)))
    options = ["--epochs", "3", "--quiet", "--hidden", "3", "--checkpoint-every", "1s"]
    folder = place / "training"
    cut_after(2, lambda: command("train", str(place / TABLE), "--out", str(folder), *options))
    SOUND.append(folder)
    engine.POLL_SECONDS = usual
    train_module._run = run_nothing  # what a training would take is another matter
    for folder in SOUND:
        came = attempt_on(folder)
        assert came == "works", (folder, came)


def run_nothing(job: Any, checkpoint: Any = None) -> None:
    """Stand in for the training itself: everything has been read and prepared."""


# ---- changes ----


def change_checkpoint(content: bytes, chance: random.Random) -> bytes:
    """Change a checkpoint so that its checksum is right: its document, or its arrays."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    document = json.loads(header.pop("__metadata__")["checkpoint"])
    body, arrays = content[8 + length :], {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        kind = {"F32": "f4", "F64": "f8", "I64": "i8", "BOOL": "?"}[entry["dtype"]]
        arrays[name] = np.frombuffer(body[start:stop], kind).reshape(entry["shape"]).copy()
    for _ in range(chance.choice([1, 1, 3])):
        if chance.random() < 0.6:
            mutations.change_json(document, chance)
            continue
        name = chance.choice(sorted(arrays))
        array = arrays[name]
        match chance.randrange(5):
            case 0:
                del arrays[name]
            case 1:
                arrays[chance.choice(["order", "best.theta", "x", "memory.m"])] = array
            case 2:
                arrays[name] = np.concatenate([array, array])
            case 3:
                arrays[name] = array.astype(chance.choice(["f4", "f8", "i8"]))
            case _ if array.size:
                values = [0, 1, -1] if array.dtype.kind in "bi" else [0, -1, 1e300, np.nan, np.inf, 0.5]
                with np.errstate(over="ignore"):
                    array.flat[chance.randrange(array.size)] = chance.choice(values)
        if not arrays:
            break
    try:
        return to_bytes(document, arrays)
    except (TypeError, ValueError):  # what JSON cannot hold cannot come out of it either
        return mutations.change_bytes(content, chance)


def make(chance: random.Random, folder: Path) -> str:
    """Write a changed folder."""
    sound = chance.choice([*SOUND, *[folder for folder in SOUND if not (folder / "model.json").exists()] * 2])
    copy = Path(shutil.copytree(sound, folder / sound.name))
    if (copy / "model.json").exists():
        mutations.mutate(copy, chance)
        return sound.name
    path = chance.choice(sorted(path for path in copy.iterdir() if path.suffix != ".lock"))
    content = path.read_bytes()
    if chance.random() < 0.05:
        mutations.trick(path, chance)
        return f"{sound.name}: trick with {path.name}"
    if path.name == TRAINING and chance.random() < 0.8:
        document = json.loads(content)
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            if isinstance(document, dict) and document:
                mutations.change_json(document, chance)
        path.write_text(json.dumps(document))
    elif path.name == CHECKPOINT:
        way = chance.choices([change_checkpoint, mutations.change_header, mutations.change_bytes], [6, 2, 2])[0]
        path.write_bytes(way(content, chance))
    else:
        path.write_bytes(mutations.change_bytes(content, chance))
    return f"{sound.name}: {path.name}"


# ---- use ----


def attempt(case: Path) -> str:
    """Use the folder in a folder."""
    (folder,) = case.iterdir()
    return attempt_on(folder)


def attempt_on(folder: Path) -> str:
    """Do with a folder what is done with folders of its kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # changed parameters may overflow, and changed names are warned of
        if folder.name.startswith("fit-"):
            return refused_or(lambda: fit_with(lw.Checkpoint(folder / CHECKPOINT, resume=True)))
        if folder.name == "training":
            return command("train", "--resume", str(folder), "--quiet")
        came = {mutations.outcome(folder, *mutations.rows_of(folder.name))}
        commands = {command("inspect", str(folder))}
        rows = folder.parent / "rows.csv"
        rows.write_text("a,b\n1,2\n")
        commands.add(command("predict", str(folder), str(rows), "--quiet"))
    # An estimator is nothing that the commands know; that they say so is all that is asked of them.
    return came.pop()


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.exit(main("fuzz_models", sys.argv[1:]))
