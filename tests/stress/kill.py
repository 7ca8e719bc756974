"""Kill `layerwise train` at random moments, resume it, and compare its end with that of a training nobody disturbed.

    python tests/stress/kill.py [KILLS] [SEED]

KILLS are 5 by default. The seed, by which the moments are drawn, is printed, so that a failure can be tried again.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.figure  # noqa: F401  # what training imports is imported once, here: every child begins as a fork
import sklearn.datasets  # noqa: F401

import layerwise
from layerwise.cli import app, main  # noqa: F401
from layerwise.errors import StorageError
from layerwise.storage import load
from layerwise.storage.checkpoint_file import read_file
from layerwise.storage.unfinished import CHECKPOINT, LOCK, is_unfinished
from layerwise.storage.unfinished import read as read_training

TRAIN = ["train", "digits", "--epochs", "150", "--patience", "100", "--batch-size", "16", "--batch-norm", "--quiet"]
#: Seconds after which a process is taken to hang.
PATIENCE = 120


class Failure(Exception):
    """A training that did not end as it had to."""


def undisturbed(folder: Path) -> None:
    """Train in a process of its own, by the command itself."""
    places = [str(Path(layerwise.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in places if place)}
    command = [sys.executable, "-m", "layerwise", *TRAIN, "--out", folder.name]
    subprocess.run(command, cwd=folder.parent, env=environment, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)


def run(place: Path, arguments: list[str]) -> None:
    """Be the child: run the command in a folder, with all that it says in a file."""
    os.chdir(place)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start(folder: Path, *arguments: str) -> multiprocessing.process.BaseProcess:
    """Start a command of Layerwise beside a folder."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(folder.parent, list(arguments)))
    process.start()
    return process


def ended(process: multiprocessing.process.BaseProcess, folder: Path) -> None:
    """Wait for the end, which has to be a good one."""
    process.join(PATIENCE)
    if process.exitcode != 0:
        raise Failure(f"exit code {process.exitcode}: {(folder.parent / 'log').read_text().strip()}")


def killed_at_random(process: multiprocessing.process.BaseProcess, folder: Path, chance: random.Random) -> bool:
    """Kill a process at a random moment; return False if it ended before that."""
    kind = chance.random()
    if kind < 0.7:  # some time after it has written a checkpoint
        before = written(folder)
        while process.is_alive() and written(folder) == before:
            time.sleep(0.002)
        process.join(chance.uniform(0, 0.4))
    elif kind < 0.85:  # soon after it has taken the folder
        while process.is_alive() and not (folder / LOCK).exists():
            time.sleep(0.002)
        process.join(chance.uniform(0, 0.2))
    else:
        process.join(chance.uniform(0, 2.0))
    process.kill()
    process.join(PATIENCE)
    if process.exitcode not in (0, -9):
        ended(process, folder)
    return process.exitcode == -9


def written(folder: Path) -> int:
    """Return what changes with each checkpoint."""
    try:
        return (folder / CHECKPOINT).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def check_readable(folder: Path) -> str:
    """Return what is in the folder; raise a StorageError if any of it cannot be read."""
    if not folder.exists():
        return "nothing"
    if not is_unfinished(folder):
        load(folder)
        return "model"
    read_training(folder)
    if not (folder / CHECKPOINT).exists():
        return "training"

    def as_they_are(document: dict, shapes: dict) -> dict:
        dtypes = {"history": "float64", "history.given": "bool"}
        return {name: (dtypes.get(name, "float32"), shape) for name, shape in shapes.items()}

    found = read_file(folder / CHECKPOINT, as_they_are).document
    return f"checkpoint of {found['steps']} updates"


def end_of(folder: Path) -> tuple[bytes, list[list[str]]]:
    """Return the parameters, and the history but for the seconds."""
    with (folder / "history.csv").open(encoding="utf-8") as file:
        rows = [row[:-1] for row in csv.reader(file)]
    return (folder / "parameters.safetensors").read_bytes(), rows


def stress(kills: int, seed: int) -> None:
    """Kill that often; raise a Failure if anything is lost."""
    chance = random.Random(seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        model, folder = Path(place) / "undisturbed", Path(place) / "disturbed" / "m"
        undisturbed(model)
        expected = end_of(model)
        last = f"checkpoint of {load(model).description['training']['steps']} updates"
        print(f"undisturbed: {len(expected[1]) - 1} epochs, {time.monotonic() - began:.1f} s", flush=True)
        folder.parent.mkdir()
        done = trainings = 0
        left = "nothing"
        while done < kills or folder.exists():
            resumes = folder.exists()
            arguments = ["--resume", "m"] if resumes else [*TRAIN[1:], "--out", "m", "--checkpoint-every", "0.2s"]
            process = start(folder, "train", *arguments)
            spared = done >= kills or (left == last and chance.random() < 0.5)  # or all kills would come to be there
            if not spared and killed_at_random(process, folder, chance):
                done += 1
                left = check_readable(folder)
                print(f"kill {done}: {'resumed' if resumes else 'begun'}, left {left}", flush=True)
                continue
            ended(process, folder)
            if end_of(folder) != expected:
                raise Failure("the parameters or the history are not those of the undisturbed training")
            trainings += 1
            left = "nothing"
            print(f"training {trainings}: identical", flush=True)
            folder.rename(folder.with_name(f"finished-{trainings}"))
        if not trainings:
            raise Failure("no training came to its end")
    print(f"{done} kills, {trainings} trainings, all identical; {time.monotonic() - began:.1f} s")


def from_command_line() -> int:
    """Run with the arguments of the command line; return its exit code."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    try:
        stress(kills, seed)
    except (Failure, StorageError) as problem:
        print(f"FAILED with seed {seed}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(from_command_line())
