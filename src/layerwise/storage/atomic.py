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
from pathlib import Path

from ..errors import StorageError


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
    with storage_errors(folder):
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
    with storage_errors(folder), _parents(place) as new:
        fresh = _beside(place)
        try:
            fill(fresh)
            for path in sorted(fresh.iterdir()):
                _to_disk(path)
            fresh.chmod(0o777 & ~_umask())  # mkdtemp makes private folders; a model is as open as any other file
            _to_disk(fresh)
            if place.exists():
                if not _exchange(place, fresh):
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


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders take each other's place in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: see renameat2(2)
    if rename(here, os.fsencode(first), here, os.fsencode(second), ctypes.c_uint(exchange)) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code))


def _replace(folder: Path, fresh: Path) -> None:
    """Put a folder in the place of another; the old one is back if the new one cannot take its place.

    In two steps: after a loss of power between them the old folder is in a hidden one beside its place.
    """
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
def storage_errors(folder: Path) -> Iterator[None]:
    """Make a StorageError of what goes wrong in a block that writes."""
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


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is, at every moment, either the one before or the new one, also after a loss of power.

    Parameters
    ----------
    path : Path
        Its folder has to be there. One process may write there at a time.
    content : bytes

    Raises
    ------
    StorageError
        If the disk is full, or writing is not permitted; the file is as it was then.
    """
    fresh = path.with_name(f"{path.name}.new")  # always the same, so that a crash leaves one at most
    with storage_errors(path):
        try:
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _to_disk(path.parent)
