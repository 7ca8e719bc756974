"""A training that has not ended, in the folder where its model will be: what to train, how far it is, and a lock."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..errors import StorageError
from .atomic import check_place, storage_errors, write_file, write_folder
from .reading import one_line

if sys.platform != "win32":
    import fcntl

#: What to train, and the state to go on from; see `Checkpoint`.
TRAINING, CHECKPOINT, LOCK = "training.json", "checkpoint.safetensors", "training.lock"
#: All files of an unfinished training; those that end in .new are left by a crash.
FILES: Final = frozenset({TRAINING, f"{TRAINING}.new", CHECKPOINT, f"{CHECKPOINT}.new", LOCK})
FORMAT: Final = "layerwise-training"
VERSION: Final = 1
#: Bytes of training.json that are looked at.
MOST: Final = 2**24


def is_unfinished(folder: Path) -> bool:
    """Return whether there is a training in the folder that has not ended, or is to go on."""
    return os.path.isfile(folder / TRAINING)  # False for what cannot be a name, too


@contextmanager
def begun(
    folder: Path, description: Mapping[str, Any], overwrite: bool, foreign: Callable[[Path], list[str]]
) -> Iterator[None]:
    """Have the folder of a training there from the start, and locked, so that it can go on after a crash.

    A model that is there already stays until the new one takes its place. What fails before the first checkpoint leaves
    nothing.

    Parameters
    ----------
    folder : Path
    description : mapping
        What to train; must be JSON.
    overwrite, foreign
        See `check_place`.

    Raises
    ------
    StorageError
        If the folder cannot be made or used, or another process trains in it.
    """
    document = {**description, "format": FORMAT, "version": VERSION}
    content = (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def fill(fresh: Path) -> None:
        (fresh / TRAINING).write_bytes(content)

    new = not folder.exists()
    if new:
        write_folder(folder, fill, False, foreign)
    else:
        check_place(folder, overwrite, foreign)
    with locked(folder):
        if not new:
            with storage_errors(folder):
                (folder / CHECKPOINT).unlink(missing_ok=True)  # first: it would be taken for one of the new training
            write_file(folder / TRAINING, content)
        try:
            yield
        except BaseException:
            if not (folder / CHECKPOINT).exists():
                discard(folder)
            raise


def read(folder: Path) -> dict[str, Any]:
    """Return the description that `begun` was given.

    Raises
    ------
    StorageError
        If it is missing, damaged, or of an unknown version.
    """
    path = folder / TRAINING
    remedy = "begin the training anew, or restore the file"
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
        document = json.loads(content) if len(content) <= MOST else None
    except OSError as problem:
        got = (problem.strerror or str(problem)).lower()
        raise StorageError(where=str(path), expected="a training", got=got, remedy="check the path") from problem
    except (ValueError, RecursionError) as problem:
        raise StorageError(where=str(path), expected="JSON", got=one_line(problem), remedy=remedy) from problem
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StorageError(where=str(path), expected="a training of Layerwise", got="something else", remedy=remedy)
    if document.get("version") != VERSION:
        got = repr(document.get("version"))[:40]
        raise StorageError(where=str(path), expected=f"version {VERSION}", got=got, remedy="update Layerwise")
    return document


def discard(folder: Path) -> None:
    """Take an unfinished training out of its folder, and the folder with it if nothing else is there."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # it is not empty
        folder.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, until the end of the block or of this process.

    The system gives the lock back when a process ends, in whatever way: there are no stale ones. (Windows has no such
    locks, and there nobody is kept away.)

    Raises
    ------
    StorageError
        If another process has the lock, or the folder is not there.
    """
    path = folder / LOCK
    with storage_errors(folder):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    mine = False
    try:
        if sys.platform != "win32":
            with storage_errors(folder):
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise _taken(folder, os.read(handle, 20)) from None
                if not _is(path, handle):
                    raise _taken(folder, b"")  # its owner has just put a finished folder in its place
        mine = True
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        if mine and _is(path, handle):
            path.unlink(missing_ok=True)  # before the lock is given back: who gets it then sees that it is gone
        os.close(handle)


def _is(path: Path, handle: int) -> bool:
    """Return whether the open file still has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


def _taken(folder: Path, number: bytes) -> StorageError:
    who = f"process {int(number)}" if number.isdigit() else "another process"
    return StorageError(
        where=str(folder), expected="a folder that nobody else trains in", got=f"{who} at work there",
        remedy="wait until it ends, or end it",
    )  # fmt: skip
