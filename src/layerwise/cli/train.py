"""`layerwise train`: a network from a file in one command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import DivergenceError
from ..storage.atomic import check_place
from ..storage.model_folder import foreign_files
from ..training.fit import Model
from .experiment import (
    Experiment,
    Options,
    Results,
    best_epoch,
    describe,
    prepare,
    results,
    run,
    settings,
    steps_per_epoch,
    write,
)
from .progress import watcher

DATA, MODEL, RULES, OUTPUT = "Data", "Network", "Training", "Results"


def train(
    data: Annotated[str, typer.Argument(
        metavar="DATA",
        help="digits, iris, wine, breast-cancer or diabetes; a CSV, Parquet or Arrow file; a folder of IDX files or of "
        "the course's digit files.")],
    target: Annotated[str | None, typer.Option(
        help="Column to predict; by default the one named target, or the last.", rich_help_panel=DATA)] = None,
    test: Annotated[str | None, typer.Option(
        help="File with the test rows; by default 20 % of DATA.", rich_help_panel=DATA)] = None,
    validation: Annotated[str, typer.Option(
        help="Share of the rest for validation, or a file; 0 for none.", rich_help_panel=DATA)] = "0.1",
    group: Annotated[str | None, typer.Option(
        help="Column whose values stay on one side of each split.", rich_help_panel=DATA)] = None,
    time: Annotated[str | None, typer.Option(
        help="Column to split by in time order: the latest rows are the test.", rich_help_panel=DATA)] = None,
    hidden: Annotated[str, typer.Option(
        help="Units of each hidden layer, such as 100,50; none for no layer.", rich_help_panel=MODEL)] = "100,100",
    activation: Annotated[str, typer.Option(
        help="linear, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, gelu, silu or mish.",
        rich_help_panel=MODEL)] = "relu",
    output: Annotated[str | None, typer.Option(
        help="softmax, sigmoid (two classes), identity, absolute or huber (numbers); by default by the target. "
             "From Python also poisson and gaussian.",
        rich_help_panel=MODEL)] = None,
    dropout: Annotated[float, typer.Option(
        help="Probability that a hidden unit is left out in training.", rich_help_panel=MODEL)] = 0.2,
    batch_norm: Annotated[bool, typer.Option(
        "--batch-norm", help="Normalise pre-activations over the batch.", rich_help_panel=MODEL)] = False,
    update: Annotated[str, typer.Option(
        help="sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw.", rich_help_panel=RULES)] = "adam",
    rate: Annotated[float | None, typer.Option(
        help="Learning rate; by default the update's own.", rich_help_panel=RULES)] = None,
    momentum: Annotated[float | None, typer.Option(
        help="Momentum of sgd, from 0 to below 1.", rich_help_panel=RULES)] = None,
    schedule: Annotated[str, typer.Option(
        help="constant, step, inverse-time, cosine or coslog4.", rich_help_panel=RULES)] = "constant",
    l2: Annotated[float, typer.Option(help="Strength of the penalty sum W^2.", rich_help_panel=RULES)] = 1e-4,
    l1: Annotated[float, typer.Option(help="Strength of the penalty sum |W|.", rich_help_panel=RULES)] = 0.0,
    clip_norm: Annotated[float | None, typer.Option(
        help="Shorten the gradient to this norm where it is longer.", rich_help_panel=RULES)] = None,
    batch_size: Annotated[str, typer.Option(
        help="Rows of an update: a number, all, or auto (16 to 256 by the number of rows).",
        rich_help_panel=RULES)] = "auto",
    epochs: Annotated[int, typer.Option(help="Times through the training rows, at most.", rich_help_panel=RULES)] = 200,
    patience: Annotated[int, typer.Option(
        help="Stop after this many epochs without a better validation loss, and keep the best; 0 trains to the end and "
        "keeps the last.", rich_help_panel=RULES)] = 20,
    dtype: Annotated[str, typer.Option(help="float32 or float64.", rich_help_panel=RULES)] = "float32",
    seed: Annotated[int, typer.Option(
        help="For splits, initial weights, order and masks: the same seed, the same result.",
        rich_help_panel=RULES)] = 0,
    out: Annotated[Path | None, typer.Option(
        help="Folder for the model; by default a new one under models/.", rich_help_panel=OUTPUT)] = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace the model in the folder, or in models/NAME.", rich_help_panel=OUTPUT)] = False,
    report: Annotated[bool, typer.Option(
        help="Write report.html, which takes about two seconds.", rich_help_panel=OUTPUT)] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object on standard output.", rich_help_panel=OUTPUT)] = False,
) -> None:  # fmt: skip
    """Train a network on a table or on images, and keep it in a folder.

    Ctrl-C ends training after the current batch; the model is kept all the same.

    Examples:

    layerwise train digits

    layerwise train people.csv --target income --hidden 200,100 --dropout 0.1

    layerwise train digits --activation sigmoid --update sgd --rate 0.1 --batch-size 1
    """
    options = Options(
        data=data, target=target, test=test, validation=validation, group=group, time=time, hidden=hidden,
        activation=activation, output=output, update=update, rate=rate, momentum=momentum, schedule=schedule, l2=l2,
        l1=l1, clip_norm=clip_norm, dropout=dropout, batch_norm=batch_norm, batch_size=batch_size, epochs=epochs,
        patience=patience, dtype=dtype, seed=seed,  # type: ignore[arg-type]  # checked with the other options
    )  # fmt: skip
    console = Console(stderr=True)
    if out is not None:
        check_place(out, overwrite, foreign_files)
    experiment = prepare(options)
    folder = out if out is not None else _default_folder(experiment.name, overwrite)
    check_place(folder, overwrite, foreign_files)
    if not quiet:
        _introduce(console, experiment, options)
    problem: DivergenceError | None = None
    with watcher(console, quiet, options.epochs, steps_per_epoch(experiment, options)) as watching:
        try:
            model = run(experiment, options, watching.epoch, watching.batch)
        except DivergenceError as diverged:
            problem, model = diverged, diverged.model
            if not model.history:
                raise _with_remedy(problem, "no epoch was finished, so nothing was kept") from None
    found = results(experiment, model)
    command = ["layerwise", *sys.argv[1:]]
    missing = write(folder, experiment, options, model, found, overwrite, command, report)
    if missing and not quiet:
        console.print(f"no picture: {missing}", style="yellow", markup=False)
    if problem is not None:
        kept = best_epoch(options, model) or len(model.history)
        raise _with_remedy(problem, f"the parameters of epoch {kept} were kept in {folder}")
    if as_json:
        assert model.state is not None
        summary = {
            **found,
            "epochs": len(model.history),
            "seconds": round(model.state.seconds, 3),
            "model": str(folder),
        }
        typer.echo(json.dumps(summary))
    else:
        _conclude(Console(), options, model, found, folder)


def _with_remedy(problem: DivergenceError, more: str) -> DivergenceError:
    return DivergenceError(
        where=problem.where, expected=problem.expected, got=problem.got, remedy=f"{problem.remedy}; {more}"
    )


def _default_folder(name: str, overwrite: bool) -> Path:
    """Return models/NAME; if that is taken and not to be replaced, models/NAME-2, ..."""
    folder = Path("models") / name
    number = 2
    while not overwrite and (folder.exists() or folder.is_symlink()):
        folder = Path("models") / f"{name}-{number}"
        number += 1
    return folder


def _introduce(console: Console, experiment: Experiment, options: Options) -> None:
    rows = ", ".join(f"{count} {part}" for part, count in experiment.rows.items() if count)
    kind = f"{len(experiment.target.classes)} classes" if experiment.target.kind == "classes" else "a number"
    lines = [
        f"{experiment.name}: {rows} rows; target {experiment.target.name} ({kind})",
        f"network: {describe(experiment.net)}; {experiment.net.n_parameters} parameters",
        f"training: {settings(experiment, options)}",
        *experiment.notes,
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _conclude(console: Console, options: Options, model: Model, found: Results, folder: Path) -> None:
    state = model.state
    assert state is not None
    best = best_epoch(options, model)
    if state.stopped == "patience":
        why = f"; no better validation loss since epoch {best}, whose parameters were kept"
    else:
        why = "; interrupted" if state.stopped == "interrupted" else ""
        if best is not None and best < len(model.history):
            why += f"; the parameters of epoch {best}, the best by validation loss, were kept"
    console.print(f"{_epochs(len(model.history))} in {state.seconds:.1f} s{why}", highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("")
    names = list(next(iter(found.values())))
    for name in names:
        table.add_column({"r2": "R2"}.get(name, name), justify="right")
    for part, numbers in found.items():
        cells = ("-" if (number := numbers[name]) is None else f"{number:.4f}" for name in names)
        table.add_row(part, *cells, style="bold" if part == "test" else None)
    console.print(table)
    console.print(f"model: {shlex.quote(str(folder))}", markup=False, highlight=False, soft_wrap=True)


def _epochs(number: int) -> str:
    return f"{number} epoch{'s' * (number != 1)}"
