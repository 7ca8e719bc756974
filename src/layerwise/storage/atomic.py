"""Folders that appear whole: written beside their place, brought to the disk, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StorageError


def check_place(folder: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    """Raise a StorageError now if `write_folder` would have to raise one later.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Whether an existing folder may be replaced.
    is_ours : callable (path) -> bool
        Only such a folder is ever replaced.
    """
    if folder.exists() or folder.is_symlink():
        if not folder.is_dir():
            raise StorageError(where=str(folder), expected="a folder", got="a file", remedy="choose another --out")
        if not overwrite:
            raise StorageError(
                where=str(folder),
                expected="a new folder",
                got="an existing one",
                remedy="choose another or give --overwrite",
            )
        if any(folder.iterdir()) and not is_ours(folder):
            raise StorageError(
                where=str(folder), expected="a model folder to overwrite", got="a folder with other files",
                remedy="choose another --out; nothing was deleted",
            )  # fmt: skip
    with _storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        os.rmdir(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))


def write_folder(folder: Path, fill: Callable[[Path], None], overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    """Make a folder that is either complete or absent.

    Parameters
    ----------
    folder : Path
    fill : callable (path)
        Writes the files into an empty folder.
    overwrite, is_ours
        See `check_place`.

    Raises
    ------
    StorageError
        If the folder exists, the disk is full, or writing is not permitted. Nothing is left behind.
    """
    check_place(folder, overwrite, is_ours)
    with _storage_errors(folder):
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            fill(fresh)
            for path in sorted(fresh.iterdir()):
                _to_disk(path)
            fresh.chmod(0o777 & ~_umask())  # mkdtemp makes private folders; a model is as open as any other file
            _to_disk(fresh)
            if folder.exists():
                _replace(folder, fresh)
            else:
                fresh.rename(folder)
            _to_disk(folder.parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _replace(folder: Path, fresh: Path) -> None:
    """Put a folder in the place of another; the old one is back if the new one cannot take its place."""
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent)) / folder.name
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


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
        raise StorageError(
            where=str(folder), expected="to be able to write there", got=(problem.strerror or str(problem)).lower(),
            remedy="free some space or choose another --out",
        ) from problem  # fmt: skip
