"""history.csv back as a History."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from ..training.history import COLUMNS, History, Record
from .document import MOST_EPOCHS, MOST_HISTORY
from .reading import read, refusing

_OPTIONAL: Final = {field.name for field in fields(Record) if "None" in str(field.type)}
_WHOLE: Final = {field.name for field in fields(Record) if str(field.type) == "int"}


def read_history(folder: Path, name: str, metric: str, digest: str | None, most: int = MOST_EPOCHS) -> History:
    """Return the history that `History.to_csv` wrote, every number to the last bit.

    Parameters
    ----------
    folder : Path
    name : str
    metric : {"accuracy", "r2"}
        What the metric columns hold.
    digest : str, optional
        The file's checksum.
    most : int
        Epochs, at most.

    Raises
    ------
    StorageError
        If it is no such file, or not the one that was saved.
    """
    content = read(folder, name, MOST_HISTORY, digest or "")
    with refusing(folder / name, "a history"), _no_csv_errors():
        if (epochs := content.count(b"\n") - 1) > most:
            raise ValueError(f"{epochs} epochs where {most} may be")
        lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        header = next(lines, [])
        if header != [column.replace("metric", metric) for column in COLUMNS]:
            raise ValueError(f"the columns {header}")
        return History(metric, [_record(cells) for cells in lines])


def _record(cells: list[str]) -> Record:
    values = {name: _value(name, cell) for name, cell in zip(COLUMNS, cells, strict=True)}
    return Record(**values)


def _value(name: str, cell: str) -> Any:
    if name in _WHOLE:
        if not cell.isdecimal() or len(cell) > 18:
            raise ValueError(f"{cell[:30]!r} as {name}")
        return int(cell)
    if name in _OPTIONAL and not cell:
        return None
    return float(cell)


@contextmanager
def _no_csv_errors() -> Iterator[None]:
    try:
        yield
    except csv.Error as problem:  # an error of its own kind
        raise ValueError(str(problem)) from problem
