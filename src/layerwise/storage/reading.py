"""Files of a model folder as a stranger may have left them: bounded, checked, and refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..errors import LayerwiseError, StorageError

REMEDY: Final = "train the model anew or restore the folder"
#: A description above this is refused unread; and so is one of more values, each of which takes far more memory than
#: its two or three characters.
MOST_BYTES: Final = 64 << 20
MOST_VALUES: Final = 1_000_000
#: What a message shows of a value, at most.
SHOWN: Final = 300
_CHUNK: Final = 1 << 20
_SURROGATE: Final = re.compile(r"\\u[dD][89abAB]")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
#: What plain data raises where it is read as something that it is not.
_MISFITS: Final = (
    LayerwiseError, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError,
    TypeError, ValueError,
)  # fmt: skip


def one_line(value: object) -> str:
    r"""Return a text on one line, not longer than a message can be.

    >>> one_line("two\nlines")
    'two lines'
    """
    text = " ".join(str(value)[: 4 * SHOWN].split()) or "nothing"
    text = text.encode("utf-8", "backslashreplace").decode()  # half a character pair cannot be printed
    return text if len(text) <= SHOWN else text[: SHOWN - 4] + " ..."


def refusal(where: object, expected: str, got: object, remedy: str = REMEDY) -> StorageError:
    """Return the error for something that cannot be read."""
    return StorageError(where=str(where), expected=one_line(expected), got=one_line(got), remedy=remedy)


@contextmanager
def refusing(where: object, expected: str, remedy: str = REMEDY) -> Iterator[None]:
    """Turn whatever a block raises over data of the wrong form into a StorageError."""
    try:
        yield
    except StorageError:
        raise
    except _MISFITS as problem:
        got = f"none of {problem}" if isinstance(problem, KeyError) else str(problem) or type(problem).__name__
        raise refusal(where, expected, got, remedy) from problem


@contextmanager
def opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a plain file that lies in the folder; links may not lead out of it, and nothing is waited for."""
    path = folder / name
    try:
        with os.fdopen(_handle(folder, path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refusal(path, "a file", "something else")
            yield file
    except StorageError:
        raise
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        damaged = name != "model.json" and (folder / "model.json").exists()
        remedy = "restore the folder" if damaged else "check the path"
        raise refusal(path, "a file of the model" if damaged else "a model folder", reason, remedy) from problem


def _handle(folder: Path, path: Path) -> int:
    try:
        real, home = path.resolve(strict=True), folder.resolve()
    except (ValueError, RuntimeError) as problem:  # for a zero byte, and for links in a circle
        raise OSError(str(problem)) from problem
    if not real.is_relative_to(home):
        raise refusal(path, "a file of the folder", "a link that leads out of it")
    return os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def read(folder: Path, name: str, most: int = MOST_BYTES, digest: str | None = None) -> bytes:
    """Return the content of a small file.

    Parameters
    ----------
    folder : Path
    name : str
    most : int
        Bytes above which it is refused unread.
    digest : str, optional
        Its SHA-256, in hexadecimal digits.
    """
    with opened(folder, name) as file:
        if (size := size_of(file)) > most:
            raise refusal(folder / name, f"at most {most} bytes", size)
        content = file.read(size)
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise _changed(folder / name)
    return content


def check_digest(file: BinaryIO, digest: str | None, where: Path) -> None:
    """Refuse a file that is not the one that was saved; it is read once in pieces, and stands at its beginning then."""
    found = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_CHUNK):
        found.update(piece)
    file.seek(0)
    if found.hexdigest() != digest:
        raise _changed(where)


def _changed(where: Path) -> StorageError:
    return refusal(where, "the file that was saved", "another or damaged one")


def digests_of(document: dict[str, Any], where: Path) -> dict[str, str]:
    """Return the checksum of every file by its name, which has to be that of a file in the folder itself."""
    given = document.get("sha256")
    if not isinstance(given, dict):
        raise refusal(where, "network and sha256", [*document])
    for name, digest in given.items():
        if name in ("", ".", "..") or re.search(r"[/\\:\x00]", name) or len(name) > 255:
            raise refusal(where, "names of files in the folder", repr(name))
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise refusal(where, f"64 hexadecimal digits as the checksum of {name!r}", repr(digest))
    return given


def values_of(content: bytes) -> int:
    """Return how many values a JSON text has at most, by its punctuation alone."""
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def parsed(content: bytes, where: object) -> Any:
    """Return the value of a JSON text: each key once, finite numbers, text that can be printed.

    >>> parsed(b'{"a": 1, "a": 2}', "model.json")
    Traceback (most recent call last):
    layerwise.errors.StorageError: model.json: expected JSON, got the key 'a' twice; train the model anew or ...
    """
    with refusing(where, "JSON"):
        if (values := values_of(content)) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values, namely about {values}")
        text = content.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails for half a pair
        return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the key {name[:SHOWN]!r} twice")
            seen.add(name)
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]}, which no float holds")
    return value
