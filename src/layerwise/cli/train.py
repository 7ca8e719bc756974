"""`layerwise train`: a network from a file in one command."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import DivergenceError, SpecificationError, StorageError
from ..storage import Checkpoint, unfinished
from ..storage.atomic import check_place
from ..storage.model_folder import foreign_files
from ..training.fit import Keeper, Model
from .experiment import (
    Experiment,
    Options,
    Results,
    best_epoch,
    prepare,
    results,
    run,
    steps_per_epoch,
)
from .outcome import describe, settings, write
from .progress import watcher
from .resume import Announced, Plan, finished, how_to_go_on, kept_for_later, seconds_of, summary_of

DATA, MODEL, RULES, OUTPUT = "Data", "Network", "Training", "Results"


@dataclass(frozen=True)
class Job:
    """A training that is ready to run, and where its model goes."""

    options: Options
    experiment: Experiment
    folder: Path
    overwrite: bool
    command: list[str]
    quiet: bool
    as_json: bool
    report: bool


def train(
    context: typer.Context,
    data: Annotated[str | None, typer.Argument(
        metavar="DATA", show_default=False,
        help="digits, iris, wine, breast-cancer or diabetes; a CSV, Parquet or Arrow file; a folder of IDX files or of "
        "the course's digit files.")] = None,
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
    checkpoint_every: Annotated[str | None, typer.Option(
        metavar="TIME",
        help="Keep all that training needs to go on, every 30s, 5m or 1h, in the folder for the model.",
        rich_help_panel=OUTPUT)] = None,
    resume: Annotated[Path | None, typer.Option(
        metavar="FOLDER",
        help="Go on with the training in this folder after a crash; takes no other option but --quiet and --json.",
        rich_help_panel=OUTPUT)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object on standard output.", rich_help_panel=OUTPUT)] = False,
) -> None:  # fmt: skip
    """Train a network on a table or on images, and keep it in a folder.

    Ctrl-C ends training after the current batch; the model is kept all the same.

    With --checkpoint-every, --resume FOLDER goes on after Ctrl-C, a crash,
    kill -9 or a loss of power. It ends with the parameters and the history
    of a training that nobody disturbed, bit for bit.

    Exit codes: 0 the model is there (also if it was before --resume);
    2 something cannot be used or written, which a line says;
    130 Ctrl-C was pressed twice.

    Examples:

    layerwise train digits

    layerwise train people.csv --target income --hidden 200,100 --dropout 0.1

    layerwise train digits --activation sigmoid --update sgd --rate 0.1 --batch-size 1

    layerwise train people.csv --out m --checkpoint-every 30s

    layerwise train --resume m
    """
    if resume is not None:
        _refuse_others(context)
        go_on(resume, quiet, as_json)
        return
    if data is None:
        raise SpecificationError(
            where="DATA", expected="data to train on", got="none", remedy="name them; see layerwise train --help"
        )
    every = None if checkpoint_every is None else seconds_of(checkpoint_every)
    options = Options(
        data=data, target=target, test=test, validation=validation, group=group, time=time, hidden=hidden,
        activation=activation, output=output, update=update, rate=rate, momentum=momentum, schedule=schedule, l2=l2,
        l1=l1, clip_norm=clip_norm, dropout=dropout, batch_norm=batch_norm, batch_size=batch_size, epochs=epochs,
        patience=patience, dtype=dtype, seed=seed,  # type: ignore[arg-type]  # checked with the other options
    )  # fmt: skip
    if out is not None:
        _check_place(out, overwrite)
    experiment = prepare(options)
    folder = out if out is not None else _default_folder(experiment.name, overwrite)
    _check_place(folder, overwrite)
    job = Job(options, experiment, folder, overwrite, ["layerwise", *sys.argv[1:]], quiet, as_json, report)
    if not quiet:
        _introduce(Console(stderr=True), experiment, options)
    if every is None:
        _run(job)
        return
    if not quiet:
        line = f"checkpoints: every {str(checkpoint_every).strip()}; after a crash, {how_to_go_on(folder)}"
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    plan = Plan.of(options, str(checkpoint_every), job.command)
    with unfinished.begun(folder, plan.to_data(), overwrite, foreign_files):
        _run(replace(job, overwrite=True), Checkpoint(folder / unfinished.CHECKPOINT, every))


def go_on(folder: Path, quiet: bool, as_json: bool) -> None:
    """Go on with the training in a folder; say so if it is finished."""
    if not unfinished.is_unfinished(folder):
        description = finished(folder)
        if as_json:
            typer.echo(summary_of(folder, description))
        else:
            shown = f"{folder}: finished after {_epochs(description['training'].get('epochs'))}; nothing is left to do"
            typer.echo(shown)
        return
    console = Console(stderr=True)
    with unfinished.locked(folder):
        check_place(folder, True, foreign_files)
        plan = Plan.read(folder)
        experiment = prepare(plan.with_files())
        report = "--no-report" not in plan.command
        job = Job(plan.options, experiment, folder, True, plan.command, quiet, as_json, report)
        if not quiet:
            _introduce(console, experiment, plan.options)
            for difference in plan.differences():
                line = f"note: {difference}: the result may differ from that of an uninterrupted training by rounding"
                console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
        checkpoint = Checkpoint(folder / unfinished.CHECKPOINT, seconds_of(plan.every))
        _run(job, Announced(checkpoint, None if quiet else console))


def _refuse_others(context: typer.Context) -> None:
    """Refuse whatever else was given beside --resume, by name."""
    others = []
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in ("resume", "quiet", "as_json"):
            others.append("DATA" if name == "data" else parameter.opts[0])
    if others:
        raise SpecificationError(
            where="--resume", expected="nothing else but --quiet and --json", got=", ".join(others),
            remedy="leave it out: the options are those that training began with",
        )  # fmt: skip


def _check_place(folder: Path, overwrite: bool) -> None:
    """Refuse a place for the model before any work is done."""
    if unfinished.is_unfinished(folder):
        if not overwrite:
            raise StorageError(
                where=str(folder), expected="a new folder", got="a training that has not ended",
                remedy=f"go on with {how_to_go_on(folder)}, or give --overwrite to begin anew",
            )  # fmt: skip
        with unfinished.locked(folder):
            pass
    check_place(folder, overwrite, foreign_files)


def _run(job: Job, checkpoint: Keeper | None = None) -> None:
    """Train, write the model and print how good it is."""
    console, options, experiment, folder = Console(stderr=True), job.options, job.experiment, job.folder
    problem: DivergenceError | None = None
    with watcher(console, job.quiet, options.epochs, steps_per_epoch(experiment, options)) as watching:
        try:
            model = run(experiment, options, watching.epoch, watching.batch, checkpoint)
        except DivergenceError as diverged:
            problem, model = diverged, diverged.model
            if not model.history:
                if checkpoint is not None:
                    unfinished.discard(folder)  # it would come to the same end again
                raise _with_remedy(problem, "no epoch was finished, so nothing was kept") from None
    found = results(experiment, model)
    interrupted = model.state is not None and model.state.stopped == "interrupted"
    kept = kept_for_later(folder) if interrupted and checkpoint is not None else {}
    missing = write(folder, experiment, options, model, found, job.overwrite, job.command, kept, job.report)
    if missing and not job.quiet:
        console.print(f"no picture: {missing}", style="yellow", markup=False)
    if problem is not None:
        epoch = best_epoch(options, model) or len(model.history)
        raise _with_remedy(problem, f"the parameters of epoch {epoch} were kept in {folder}")
    if job.as_json:
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
        if kept:
            typer.echo(f"go on: {how_to_go_on(folder)}")


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
