"""The commands, gathered."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .diagnose import diagnose
from .evaluate import evaluate
from .export import export
from .inspect import inspect
from .notes import notes
from .predict import predict
from .train import train

app = typer.Typer(
    help="Feed-forward neural networks with every layer open and every layer fast.", no_args_is_help=True,
    add_completion=True, pretty_exceptions_enable=False,
)  # fmt: skip
app.command()(train)
app.command()(predict)
app.command()(evaluate)
app.command()(export)
app.command()(diagnose)
app.command()(inspect)
app.command()(notes)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"layerwise {__version__}")
        raise typer.Exit


@app.callback()
def layerwise(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Feed-forward neural networks with every layer open and every layer fast."""
