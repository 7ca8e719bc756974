"""`layerwise export`: a model for programs without Layerwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..errors import ExportError, SpecificationError
from ..loading import load
from ..storage.atomic import check_file_place, make_file
from ..storage.c_header import PREFIX, c_header
from ..storage.exported import Exported, exported
from ..storage.onnx_check import load_onnx, write_onnx
from .models import UsedModel
from .progress import Share, share_watcher


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder that layerwise train made.")],
    onnx: Annotated[Path | None, typer.Option(
        "--onnx", metavar="FILE.onnx", help="Write ONNX: one input for each column, preparation included.")] = None,
    c: Annotated[Path | None, typer.Option(
        "--c", metavar="FILE.h", help="Write a C99 header that needs nothing else: for columns of numbers, and "
        "images.")] = None,
    check: Annotated[str | None, typer.Option(
        "--check", metavar="DATA", help="Rows on which ONNX has to say what Layerwise says; by default 256 random "
        "ones.")] = None,
    prefix: Annotated[str, typer.Option(help="What all names in the header begin with.")] = PREFIX,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and nothing said at the end.")] = False,
) -> None:  # fmt: skip
    """Write a model as ONNX or as a C header.

    An ONNX file is written only if it passes ONNX's checker and
    onnxruntime agrees with Layerwise on every row: to 1e-5, absolute plus
    relative. In it a missing number is NaN and a missing word is the
    empty string.

    Exit codes: 0 done; 1 the ONNX model says something else, and nothing
    was written; 2 bad input, with one line that says what to do; 130
    interrupted.

    Examples:

    layerwise export models/people --onnx people.onnx --check people.csv

    layerwise export models/digits --c digits.h --prefix digits
    """
    if (onnx is None) == (c is None):
        raise SpecificationError(
            where="export", expected="one of --onnx FILE.onnx and --c FILE.h",
            got="neither" if onnx is None else "both", remedy="call it once for each file",
        )  # fmt: skip
    for option, given, belongs in (("--check", check is not None, "--onnx"), ("--prefix", prefix != PREFIX, "--c")):
        if given and (belongs == "--c") == (c is None):
            raise SpecificationError(
                where=option, expected=belongs, got="the other form", remedy=f"leave {option} out or give {belongs}"
            )
    path = _place(onnx, c, overwrite)
    if onnx is not None:
        load_onnx()
    leaving = replace(exported(load(model)), name=model.resolve().name)
    if onnx is None:
        make_file(path, c_header(leaving, prefix).encode(), overwrite)
        said = f"wrote {path}: {prefix}_predict" + f" and {prefix}_class" * (isinstance(leaving.answer, tuple))
    else:
        try:
            said = _write_onnx(leaving, model, path, check, overwrite, quiet)
        except ExportError as problem:
            print("layerwise: " + " ".join(str(problem).split()), file=sys.stderr)
            raise typer.Exit(1) from problem
    if not quiet:
        typer.echo(said)


def _place(onnx: Path | None, c: Path | None, overwrite: bool) -> Path:
    """Return where to write, after refusing what could not be written."""
    option, given, endings = ("--onnx", onnx, (".onnx",)) if onnx is not None else ("--c", c, (".h", ".hpp"))
    assert given is not None
    if given.suffix.lower() not in endings:
        raise SpecificationError(
            where=option, expected="a name ending in " + " or ".join(endings), got=repr(str(given)),
            remedy="choose such a name",
        )  # fmt: skip
    path = given.expanduser()
    check_file_place(path, overwrite)
    return path


def _write_onnx(
    leaving: Exported, model: Path, path: Path, check: str | None, overwrite: bool, quiet: bool
) -> str:  # fmt: skip
    """Write the file; return what to say of it."""
    if check is None:
        parity = write_onnx(leaving, path, [leaving.random_rows()], overwrite)
        on = f"{parity.rows} random rows"
    else:
        used = UsedModel.at(model)
        with share_watcher(Console(stderr=True), quiet, "compared") as watching:
            parity = write_onnx(leaving, path, _pieces(used, check, watching), overwrite)
        on = f"{parity.rows:,} rows of {check}"
    return f"wrote {path}: largest difference from Layerwise {parity.largest:.1e}, on {on}"


def _pieces(used: UsedModel, data: str, watching: Share) -> Iterator[Any]:
    for rows in used.rows(data):
        yield rows.features
        watching.advance(rows.done, len(rows.features))
