"""Model folders as damage, chance and malice leave them: ``python tests/storage/mutations.py N SEED``.

Each mutation starts from one of the fixtures. What must come of it, within the time limit, is an error of Layerwise on
one line, or a model that predicts.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

import layerwise as lw
from layerwise.errors import LayerwiseError, StorageError

FIXTURES = Path(__file__).parent / "fixtures"
SECONDS = 2.0
#: A disk would be asked for thousands of small files.
MEMORY = "/dev/shm"
VALUES = [
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 2**31, 2**53, 2**63, 2**64, 10**12, -(10**12), 10**30, 10**400, 0.0, -0.0,
    0.5, 1.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), "", "a", "relu", "softmax", "own", "inf", "nan", "\n",
    "\x00", "../x", "/etc/passwd", "😀", "\ud800", "x" * 5000, [], {}, [[]], [None], [0], [1, 2], ["a"], {"a": 1},
    {"tuple": []}, {"dict": [[[], 1]]}, {"number": "inf"}, {"numpy": "<f8", "value": 1.0}, {"numpy": "<U9", "value": 3},
    {"array": "<i8", "shape": [10**12], "values": []}, {"array": "<U9999999", "shape": [1], "values": ["a"]},
    {"array": "object", "shape": [1], "values": [{"tuple": []}]}, {"expression": {"inputs": [], "steps": []}},
    {"activation": "tanh"}, {"output": "huber"}, {"schedule": "StepDecay", "settings": {"every": 0}},
    {"maker": "own"}, {"maker": "quantile", "levels": [0.5] * 3000}, {"maker": "softmax_groups", "sizes": [10**9] * 9},
]  # fmt: skip


def places(value, path=()):
    """Every path in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def change_json(value, chance):
    """Change one place of a JSON value: another value, key or order, one less, one more, or many more."""
    path = chance.choice([path for path in places(value) if path])
    *outer, key = path
    inside = value
    for step in outer:
        inside = inside[step]
    match chance.randrange(8):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[chance.choice(["", "x", "version", "estimator", "../x", "n_jobs", "__class__"])] = inside.pop(key)
        case 1:
            inside.append(inside[key])
        case 2 if isinstance(inside[key], int | float) and not isinstance(inside[key], bool):
            way = chance.choice([lambda x: x + 1, lambda x: -x, lambda x: x * 1000, lambda x: float(x % 10**300)])
            inside[key] = way(inside[key])
        case 2 if isinstance(inside[key], list):
            inside[key] = inside[key] * chance.choice([0, 2, 300])
        case 3:
            nested = inside[key]
            for _ in range(chance.choice([1, 3, 150])):
                nested = [nested]
            inside[key] = nested
        case 4:
            other = value
            for step in chance.choice(list(places(value))):
                other = other[step]
            inside[key] = json.loads(json.dumps(other))
        case _:
            inside[key] = copy.deepcopy(chance.choice(VALUES))  # which a second change may reach into


def change_bytes(content, chance):
    """Change, cut out, double or add some bytes."""
    place = chance.randrange(len(content) + 1)
    length = chance.choice([1, 1, 4, 8, 100])
    match chance.randrange(6):
        case 0:
            return content[:place]
        case 5:
            return content[:place] + chance.choice([b"[", b'{"a":', b"\n", b"9"]) * 50_000 + content[place:]
        case 1:
            return content[:place] + content[place + length :]
        case 2:
            return content[:place] + chance.randbytes(length) + content[place:]
        case 3:
            return content[:place] + content[place : place + length] * 50 + content[place + length :]
        case _:
            return content[:place] + chance.randbytes(length) + content[place + length :]


def change_header(content, chance):
    """Change the header of a safetensors file: its JSON, or the length that it states."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    if chance.random() < 0.2:
        return struct.pack("<Q", chance.choice([0, 7, length + 1, 2**40, 2**64 - 1])) + content[8:]
    change_json(header, chance)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def trick(path, chance):
    """Put something else in the place of a file."""
    path.unlink()
    match chance.randrange(5):
        case 0:
            path.symlink_to("/etc/passwd")
        case 1:
            path.symlink_to(path.name)
        case 2:
            os.mkfifo(path)
        case 3:
            path.mkdir()


def mutate(folder, chance):
    """Change a copy of a model folder somehow; half of the time the checksums say that nothing happened."""
    path = chance.choice(sorted(folder.iterdir()))
    description = folder / "model.json"
    kind = chance.randrange(10)
    if kind == 0:
        trick(path, chance)
        return
    if kind < 6:
        document = json.loads(description.read_text())
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            if isinstance(document, dict) and document:
                change_json(document, chance)
        description.write_text(json.dumps(document))
        return
    content = path.read_bytes()
    if path.suffix == ".safetensors" and chance.random() < 0.6:
        path.write_bytes(change_header(content, chance))
    else:
        path.write_bytes(change_bytes(content, chance))
    if path != description and chance.random() < 0.8:
        document = json.loads(description.read_text())
        document["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        description.write_text(json.dumps(document))


def rows_of(name):
    """The rows that are recorded beside a fixture, and the method that takes them."""
    record = json.loads((FIXTURES / f"{name}.json").read_text())
    rows = pl.DataFrame(record["table"]) if record["table"] else np.array(record["X"], record["dtype"])
    return rows, record.get("method", "predict")


@contextmanager
def time_limit(seconds):
    """Raise a TimeoutError in the middle of what takes more of a processor, or waits ten times as long."""

    def late(number, frame):
        raise TimeoutError(f"more than {seconds} s")

    timers = [(signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds)]
    usual = [signal.signal(number, late) for number, _, _ in timers]
    for _, timer, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, usual, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def outcome(folder, rows, method):
    """Load a folder and predict; return "refused", "works" or "has other answers", raise whatever must not be."""
    try:
        model = lw.load(folder)
    except LayerwiseError as error:
        fit_to_read = all((error.expected, error.got, error.remedy)) and len(str(error)) < 2000
        if not fit_to_read or "\n" in str(error) or not isinstance(error, StorageError):
            raise ValueError(f"a bad message: {error!r}") from error
        return "refused"
    if not hasattr(model, method):  # the estimator was taken out of model.json, or another class put in
        return "has other answers"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # changed parameters may overflow, and changed names are warned of
            getattr(model, method)(rows)
    except (LayerwiseError, ValueError):  # other columns or names than those of the rows, or infinite answers
        return "has other answers"
    return "works"


def try_one(seed, spent=None):
    """Make one mutation and see what comes of it; add to `spent` how long loading and predicting took."""
    chance = random.Random(seed)
    name = chance.choice(sorted(path.name for path in FIXTURES.glob("v*/")))
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as place:
        folder = Path(shutil.copytree(FIXTURES / name, Path(place) / "m"))
        mutate(folder, chance)
        rows, method = rows_of(name)
        started = time.process_time()
        try:
            with time_limit(SECONDS):
                return outcome(folder, rows, method)
        finally:
            if spent is not None:
                spent.append(time.process_time() - started)


def main(count, seed):
    """Try many mutations; print what came of them, and return how many failed."""
    results, spent, failures = Counter(), [], 0
    for folder in sorted(FIXTURES.glob("v*/")):  # imports and engines are ready before the clock starts
        assert outcome(folder, *rows_of(folder.name)) == "works"
    for k in range(count):
        try:
            results[try_one(f"{seed}-{k}", spent)] += 1
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is a finding
            failures += 1
            print(f"mutation {seed}-{k}: {type(problem).__name__}: {problem}")
            print(traceback.format_exc(limit=-4))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{count} mutations: {dict(results)}, {failures} failures; slowest {max(spent):.2f} s of a processor, "
        f"memory peak {peak} MiB"
    )
    return failures


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]) > 0)
