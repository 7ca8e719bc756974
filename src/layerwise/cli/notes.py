"""`layerwise notes`: the executable notes in the browser, for editing, or as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SpecificationError


def notes(
    chapter: Annotated[
        str | None, typer.Argument(help="A chapter's name or number; the table of contents if not given.")
    ] = None,
    edit: Annotated[
        bool, typer.Option("--edit", help="Edit copies of the chapters, in the folder layerwise-notes.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="Write pages that open from disk, without network.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where to serve; a free port if not given.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Open the executable notes: the course's chapters, with everything in them running.

    Examples: layerwise notes, layerwise notes backpropagation, layerwise notes --export site
    """
    from ..notes import chapter as chapter_named
    from ..notes.server import edit as edit_copies
    from ..notes.server import serve

    first = None if chapter is None else chapter_named(chapter)
    if edit and export is not None:
        raise SpecificationError(
            where="notes", expected="--edit or --export", got="both", remedy="leave one of them out"
        )
    if export is not None:
        from ..notes.export import export as write_pages

        write_pages(export, [first] if first else None, progress=typer.echo)
    elif edit:
        raise typer.Exit(edit_copies(Path("layerwise-notes"), headless=not browser))
    else:
        serve(first, port, browser)
