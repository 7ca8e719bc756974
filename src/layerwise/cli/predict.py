"""`layerwise predict`: what a model says of rows, written as they are read."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from ..errors import SpecificationError, StorageError
from .estimator_models import UsedEstimator, open_model
from .models import UsedModel
from .progress import Share, share_watcher

if TYPE_CHECKING:
    import polars as pl

FORMATS: Final = (".csv", ".tsv", ".parquet", ".arrow")


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model or of a saved estimator.")],
    data: Annotated[str, typer.Argument(
        metavar="DATA", help="As for train: a CSV, Parquet or Arrow file, a folder of images, or a bundled set. "
        "The target may be in it or not.")],
    out: Annotated[str, typer.Option(
        "--out", "-o", metavar="FILE", help="A .csv, .tsv, .parquet or .arrow file; - for standard output.")] = "-",
    probabilities: Annotated[bool, typer.Option(
        "--probabilities", help="The probability of every class too.")] = False,
    keep: Annotated[list[str] | None, typer.Option(
        metavar="COLUMN", help="A column to hand through, such as an identifier; may be given several times.")] = None,
    target: Annotated[str | None, typer.Option(
        metavar="COLUMN", help="The column with the target, for estimators, which do not know it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:  # fmt: skip
    """Predict every row of a table or every image, also of files larger than memory.

    FILE appears when it is complete. Exit codes: 0 done; 2 bad input,
    with one line that says what to do; 130 interrupted.

    Examples:

    layerwise predict models/people people.csv

    layerwise predict models/people people.csv -o predicted.parquet --probabilities --keep id

    layerwise predict models/digits digits -o - | head
    """
    used = open_model(model, target)
    if probabilities and not used.classes:
        raise SpecificationError(
            where="--probabilities", expected="a model of classes", got=f"numbers of {used.target_name}",
            remedy="leave it out",
        )  # fmt: skip
    _check_out(out, overwrite, data)
    console = Console(stderr=True)
    with share_watcher(console, quiet, "predicted") as watching:
        frames = _frames(used, data, list(dict.fromkeys(keep or [])), probabilities, watching)
        with contextlib.closing(frames):  # so that Ctrl-C ends reading, too
            if out == "-":
                _print(frames)
            else:
                _write(frames, Path(out).expanduser())
    if used.unknown and not quiet:
        console.print(f"not used: {', '.join(used.unknown)} (the model was not trained on it)", markup=False)


def _frames(
    used: UsedModel | UsedEstimator, data: str, keep: list[str], probabilities: bool, watching: Share
) -> Generator[pl.DataFrame, None, None]:  # fmt: skip
    for rows in used.rows(data, keep):
        frame = used.described(used.predict(rows), rows, probabilities)
        yield frame
        watching.advance(rows.done, frame.height)


def _check_out(out: str, overwrite: bool, data: str) -> None:
    """Refuse before any data are read what could not be written after."""
    if out == "-":
        return
    path = Path(out).expanduser()
    if path.suffix.lower() not in FORMATS:
        raise SpecificationError(
            where="--out", expected=f"a name ending in {', '.join(FORMATS)}, or -", got=repr(out),
            remedy="choose one of them",
        )  # fmt: skip
    if path.is_dir() or (path.exists() and not overwrite):
        raise StorageError(
            where=out, expected="a new file", got="a folder" if path.is_dir() else "an existing one",
            remedy="choose another" if path.is_dir() else "choose another or give --overwrite",
        )  # fmt: skip
    if path.exists() and Path(data).expanduser().exists() and path.samefile(Path(data).expanduser()):
        raise StorageError(
            where=out, expected="another file than DATA", got="the same", remedy="predictions would replace the data"
        )
    if not path.parent.is_dir():
        raise StorageError(
            where=out,
            expected="an existing folder",
            got=f"no {str(path.parent)!r}",
            remedy="make it, or check the path",
        )


def _print(frames: Iterator[pl.DataFrame]) -> None:
    """Write CSV to standard output; whoever reads it may stop early, as `head` does."""
    stream = sys.stdout.buffer if hasattr(sys.stdout, "buffer") else None
    try:
        for number, frame in enumerate(frames):
            text = frame.write_csv(include_header=number == 0)
            if stream is None:
                sys.stdout.write(text)
            else:
                stream.write(text.encode())
                stream.flush()
    except BrokenPipeError:
        # Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(frames: Iterator[pl.DataFrame], path: Path) -> None:
    """Write a file that is complete or not there."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as problem:
        raise StorageError(
            where=str(path), expected="to be able to write there", got=(problem.strerror or str(problem)).lower(),
            remedy="choose another --out",
        ) from problem  # fmt: skip
    try:
        with os.fdopen(handle, "wb") as file:
            if path.suffix.lower() in (".csv", ".tsv"):
                separator = "\t" if path.suffix.lower() == ".tsv" else ","
                for number, frame in enumerate(frames):
                    frame.write_csv(file, include_header=number == 0, separator=separator)
            else:
                _write_columns(frames, file, path.suffix.lower())
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp makes private files
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _write_columns(frames: Iterator[pl.DataFrame], file: IO[bytes], kind: str) -> None:
    """Write Parquet or Arrow as the frames come."""
    import polars as pl
    from polars.io.plugins import register_io_source

    first = next(frames)
    problem: BaseException | None = None

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        nonlocal problem
        yield first
        try:
            yield from frames
        except BaseException as raised:  # Polars would make another error of it
            problem = raised
            raise

    lazy = register_io_source(source, schema=first.schema)
    try:
        (lazy.sink_parquet if kind == ".parquet" else lazy.sink_ipc)(file)
    except pl.exceptions.PolarsError:
        if problem is None:
            raise
    if problem is not None:
        raise problem
