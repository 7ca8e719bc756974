"""Folders that appear whole: written beside their place, brought to the disk, then renamed."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from ..errors import StorageError

#: A flag of renameat2, of Linux 3.15 and later.
RENAME_EXCHANGE: Final = 2


def check_place(folder: Path, overwrite: bool, foreign: Callable[[Path], list[str]]) -> None:
    """Raise a StorageError now if `write_folder` would have to raise one later; nothing is left there.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Whether an existing folder may be replaced.
    foreign : callable (path) -> list of str
        The names in a folder that must not be lost: a folder with any is never replaced.
    """
    with _storage_errors(folder):
        if folder.exists() or folder.is_symlink():
            _check_existing(folder, overwrite, foreign)
        place = _behind_links(folder)
        with _parents(place):
            os.rmdir(_beside(place))


def _check_existing(folder: Path, overwrite: bool, foreign: Callable[[Path], list[str]]) -> None:
    if not folder.is_dir():
        raise StorageError(
            where=str(folder), expected="a folder", got="a file or a broken link", remedy="choose another --out"
        )
    if not overwrite:
        raise StorageError(
            where=str(folder),
            expected="a new folder",
            got="an existing one",
            remedy="choose another or give --overwrite",
        )
    # Renaming the folder that a shell stands in would leave it in one that is gone.
    if Path.cwd().is_relative_to(_behind_links(folder)):
        raise StorageError(
            where=str(folder), expected="a folder to replace", got="the current one, or one around it",
            remedy="go to another folder or choose another --out",
        )  # fmt: skip
    names = foreign(folder)
    if names:
        raise StorageError(
            where=str(folder), expected="a folder with nothing but a model to overwrite",
            got=", ".join(map(repr, names[:3])) + " too" + ", ..." * (len(names) > 3),
            remedy="choose another --out or move them; nothing was deleted",
        )  # fmt: skip


def write_folder(
    folder: Path, fill: Callable[[Path], None], overwrite: bool, foreign: Callable[[Path], list[str]]
) -> None:
    """Make a folder that is either complete or absent.

    Parameters
    ----------
    folder : Path
        Of a link to a folder, what it points to is replaced.
    fill : callable (path)
        Writes the files into an empty folder.
    overwrite, foreign
        See `check_place`.

    Raises
    ------
    StorageError
        If the folder exists, the disk is full, or writing is not permitted. Nothing is left behind.
    """
    check_place(folder, overwrite, foreign)
    place = _behind_links(folder)
    with _storage_errors(folder), _parents(place) as new:
        fresh = _beside(place)
        try:
            fill(fresh)
            for path in sorted(fresh.iterdir()):
                _to_disk(path)
            fresh.chmod(0o777 & ~_umask())  # mkdtemp makes private folders; a model is as open as any other file
            _to_disk(fresh)
            if place.exists():
                _replace(place, fresh)
            else:
                fresh.rename(place)
            for parent in {place.parent, *(made.parent for made in new)}:
                _to_disk(parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _behind_links(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def _beside(folder: Path) -> Path:
    """Make an empty hidden folder on the same file system."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))


@contextmanager
def _parents(folder: Path) -> Iterator[list[Path]]:
    """Make the folders above one; in the end those that were made go again, unless something has come into them."""
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield made
    finally:
        for parent in made:
            with suppress(OSError):  # it is not empty
                parent.rmdir()


def _replace(folder: Path, fresh: Path) -> None:
    """Put a folder in the place of another; the old one is back if the new one cannot take its place.

    Where the system can exchange the two at once, there is no moment without a folder, whatever happens to the process.
    """
    if _exchanged(folder, fresh):
        return  # the old one is where the new one was, and goes with it
    shelter = _beside(folder)
    old = shelter / folder.name
    try:
        folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:
            old.rename(folder)
            raise
    except BaseException:
        with suppress(OSError):  # it is not empty if the old folder cannot come back: better hidden than lost
            shelter.rmdir()
        raise
    shutil.rmtree(shelter, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in a single step; False where the system, or this file system, cannot."""
    rename = _renameat2()
    here = -100  # AT_FDCWD
    return rename is not None and rename(here, os.fsencode(one), here, os.fsencode(other), RENAME_EXCHANGE) == 0


@cache
def _renameat2() -> Callable[..., int] | None:
    """Return Linux's call, which Python has no name for; None elsewhere."""
    try:
        return ctypes.CDLL(None).renameat2 if sys.platform == "linux" else None
    except (AttributeError, OSError):  # an older C library
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        in_the_way = isinstance(problem, FileExistsError | NotADirectoryError)
        raise StorageError(
            where=str(folder),
            expected="to be able to write there",
            got="a file in the place of a folder" if in_the_way else (problem.strerror or str(problem)).lower(),
            remedy="free some space or choose another --out" if full else "choose another --out",
        ) from problem
