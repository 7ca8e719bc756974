"""From the name of a source to its data: `load`."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import DataError, SpecificationError, closest
from .bundled import BUNDLED, load_bundled
from .columns import first, first_word, is_words, shorten
from .dataset import DataSet, Part
from .files import missing, probe
from .images import is_image_file, load_images
from .tables import read_table

if TYPE_CHECKING:
    import polars as pl

Source: TypeAlias = str | os.PathLike[str]


def load(
    source: Source,
    target: str | None = None,
    test: Source | None = None,
    validation: Source | None = None,
    *,
    words: Collection[str] = (),
) -> DataSet:
    """Read a data set by name.

    Parameters
    ----------
    source : str or path
        A bundled name ("digits", "iris", "wine", "breast-cancer", "diabetes"), a table in a file (.csv, .tsv or .txt,
        each also with .gz; .parquet, .arrow, .feather, .ipc), a folder of IDX files (MNIST's names) or the folder of
        the course's digit files. A bundled name wins over a file of that name; write "./digits" for the file.
    target : str, optional
        The column to learn. By default the one named "target" (in any case), else the last; a note says which.
    test, validation : str or path, optional
        Further tables with the same columns, in any order. Columns that are words in `source` are read as words.
    words : collection of str
        Columns of a text file to keep as words although all their cells are numbers.

    Returns
    -------
    DataSet
        Its parts, notes and, for images, pixel range and shape.

    Raises
    ------
    DataError
        If something is missing, misspelt, damaged, inconsistent or not of an accepted kind, a target cell is missing,
        or a number is infinite.
    SpecificationError
        If an option does not go with the source.

    Examples
    --------
    >>> wine = load("wine")
    >>> wine.kind, wine.target_name, len(wine.parts["all"])
    ('table', 'cultivar', 178)
    """
    name = _name(source)
    extra = {"test": test, "validation": validation}
    if name in BUNDLED:
        data = _retarget(load_bundled(name), target)
        if probe(Path(name)) != "missing":
            note = f"{name}: the bundled set, not ./{name} (write that to read it instead)"
            data = replace(data, notes=(*data.notes, note))
        return _with_extra(data, extra)
    path = Path(name).expanduser()
    found = probe(path)
    if found == "missing":
        raise missing(path, () if any(mark in name for mark in (os.sep, "/", ".")) else BUNDLED)
    if found == "folder":
        return _with_extra(_retarget(load_images(path), target), extra)
    if is_image_file(path.name):
        raise DataError(
            where=path.name,
            expected="the folder of such image files",
            got="one of the files",
            remedy=f"give the folder, {str(path.parent)!r}",
        )
    frame, notes = read_table(path, words)
    target_name, why = _choose_target(frame, target, path.name)
    part = _part(frame, target_name, path.name)
    title = Path(path.name.removesuffix(".gz")).stem
    data = DataSet(title, "table", {"all": part}, target_name, (f"target: {target_name} ({why})", *notes))
    return _with_extra(data, extra)


def _name(source: Source) -> str:
    try:
        return os.fsdecode(source)
    except TypeError:
        raise SpecificationError(
            where="source", expected="a bundled name or a path", got=shorten(source), remedy="give a string or a Path"
        ) from None


def _retarget(data: DataSet, target: str | None) -> DataSet:
    """Make another column the target of a set that brings its own."""
    if target is None or target == data.target_name:
        return data
    if data.kind == "images":
        raise SpecificationError(
            where="target",
            expected=f"{data.target_name!r}, the only target of {data.name}",
            got=repr(target),
            remedy="leave the target out",
        )
    frame = _frame(data.parts["all"])
    name, why = _choose_target(frame, target, data.name)
    note = f"target: {name} ({why}, instead of {data.target_name})"
    return replace(data, parts={"all": _part(frame, name, data.name)}, target_name=name, notes=(*data.notes, note))


def _choose_target(frame: pl.DataFrame, target: str | None, where: str) -> tuple[str, str]:
    names = frame.columns
    if len(names) < 2:
        raise DataError(
            where=where,
            expected="at least one feature and the target",
            got=f"the one column {names[0]!r}",
            remedy="check the separator between columns, or add columns",
        )
    if target is not None:
        if target not in names:
            raise DataError(
                where=where,
                expected="the target among the columns",
                got=f"no column {target!r}",
                remedy=closest(target, names),
            )
        return target, "as asked"
    for name in names:
        if name.lower() == "target":
            return name, "the column of that name"
    return names[-1], "the last column"


def _part(frame: pl.DataFrame, target_name: str, where: str) -> Part:
    target = frame[target_name]
    row = first(target.is_null())
    if row is not None:
        raise DataError(
            where=f"{where}, target {target_name!r}",
            expected="a value in every row",
            got=f"a missing one in data row {row + 1} ({target.null_count()} in all)",
            remedy="remove these rows, or choose another target",
        )
    return Part(frame.drop(target_name), target)


def _with_extra(data: DataSet, extra: dict[str, Source | None]) -> DataSet:
    """Add the parts that come in files of their own."""
    given = {part: _name(source) for part, source in extra.items() if source is not None}
    if not given:
        return data
    if data.kind == "images":
        raise SpecificationError(
            where=", ".join(given),
            expected="no further files beside a folder of images or the bundled digits",
            got=", ".join(map(repr, given.values())),
            remedy="put the files of all parts into one folder",
        )
    model = _frame(data.parts["all"])
    words = [column.name for column in model if is_words(column)]
    parts, notes = {"train": data.parts["all"]}, list(data.notes)
    for name, source in given.items():
        path = Path(source).expanduser()
        frame, more = read_table(path, words)
        parts[name] = _part(_like(frame, model, path.name), data.target_name, path.name)
        notes += [f"{name}: {len(parts[name])} rows of {path.name}", *(note for note in more if note not in notes)]
    return replace(data, parts=parts, notes=tuple(notes))


def _frame(part: Part) -> pl.DataFrame:
    import polars as pl

    assert isinstance(part.features, pl.DataFrame)
    assert isinstance(part.target, pl.Series)
    return part.features.with_columns(part.target)


def _like(frame: pl.DataFrame, model: pl.DataFrame, where: str) -> pl.DataFrame:
    """Put a table's columns into the order and kinds of the training table's, or say which does not fit."""
    import polars as pl

    absent = [name for name in model.columns if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in model.columns]
    if absent or unknown:
        wrong = [f"no column {name!r}" for name in absent[:3]] + [f"an unknown column {name!r}" for name in unknown[:3]]
        more = len(absent) + len(unknown) - len(wrong)
        raise DataError(
            where=where,
            expected="the columns of the training table",
            got=", ".join(wrong) + (f" and {more} more" if more else ""),
            remedy=closest(absent[0], unknown) if absent and unknown else "make the columns the same",
        )
    made = []
    for known in model:
        column = frame[known.name]
        if known.null_count() == len(known) or column.null_count() == len(column):
            # Nothing but missing cells on one side: that side has no kind of its own.
            column = pl.Series(known.name, [None] * len(column), dtype=known.dtype)
        elif is_words(known) != is_words(column):
            row = first_word(column) if is_words(column) else first(column.is_not_null()) or 0
            raise DataError(
                where=f"{where}, column {known.name!r}",
                expected="words, as in training" if is_words(known) else "numbers, as in training",
                got=f"{shorten(column[row])} in data row {row + 1}",
                remedy="correct the cell or write the column as in the training table",
            )
        made.append(column)
    return pl.DataFrame(made)
