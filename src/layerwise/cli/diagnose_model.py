"""The checks of `layerwise diagnose MODEL DATA`, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import diagnosis as checks
from ..diagnosis import Finding
from ..engines import Source
from ..errors import LayerwiseError
from ..network.inputs import check_targets
from ..reports.metrics import class_quality
from ..storage import load_history
from ..training.evaluation import evaluate
from ..training.history import History
from .experiment import Options, batch_size_of, check_options, penalty_of, update_of
from .json_text import json_line
from .models import UsedModel
from .sample import Sample, read_sample

Array = npt.NDArray[Any]
#: Epochs of the networks that are trained on other rows, at least and at most.
FEWEST: Final = 20
EPOCHS: Final = 100
#: Rows of which gradients are taken, evenly spread.
TRACED: Final = 2000
STYLES: Final = {"ok": "green", "look": "yellow", "problem": "bold red"}
#: Columns that are named one by one where they are not like those of training.
MOST_COLUMNS: Final = 10


def diagnose_model(folder: Path, data: str, most: int, seed: int, as_json: bool, quiet: bool) -> None:
    """Run all checks, print them, and exit with 1 if there is a problem."""
    used = UsedModel.at(folder)
    history = load_history(folder)
    console = Console(stderr=True)
    if _options(used) is None and not quiet:
        console.print("the folder does not say how the model was trained: networks are trained by default settings")
    findings: list[Finding] = []
    with console.status("reading the data") if console.is_terminal and not quiet else nullcontext() as status:
        sample = read_sample(used, data, most, seed)
        for name, found in _checks(used, history, sample, seed):
            findings += found
            if status is not None:
                status.update(f"{name} looked at")
    if used.unknown and not quiet:
        console.print(f"not used: {', '.join(used.unknown)} (the model was not trained on it)", markup=False)
    if as_json:
        typer.echo(json_line(_summary(used, data, sample, findings)))
    else:
        _show(Console(), used, data, sample, findings)
    if checks.worst(finding.verdict for finding in findings) == "problem":
        raise typer.Exit(1)


def _checks(used: UsedModel, history: History, sample: Sample, seed: int) -> Iterator[tuple[str, list[Finding]]]:
    """Run the checks, a group after the other."""
    yield "the data", _of_data(used, sample)
    yield "suspect targets", [_suspects(used, sample, seed)]
    net, theta, X, y = used.saved.network, used.saved.parameters, sample.X, sample.y
    every = slice(None, None, -(-len(X) // TRACED))
    yield (
        "the start of training",
        [
            checks.initial_loss(net, X, y, seed=seed),
            checks.gradient_flow(net, net.initialize(seed), X[every], y[every], "gradients before training"),
            checks.few_rows(net, X, y, seed=seed),
        ],
    )
    yield "training", _of_training(used, history, sample)
    yield (
        "the network",
        [
            checks.dead_units(net, theta, X),
            checks.saturated_units(net, theta, X),
            checks.constant_units(net, theta, X),
            checks.gradient_flow(net, theta, X[every], y[every], "gradients after training"),
            checks.weight_growth(net, theta, _seed_of(used)),
            checks.dominant_input(
                net, theta, X, used.saved.preparation.feature_names if used.saved.preparation else ()
            ),
        ],
    )
    if used.classes:
        found = class_quality(sample.y, used.decoded(used.saved.predict_prepared(X)), resamples=1).calibration
        yield "probabilities", [checks.calibration(found.count, found.confidence, found.accuracy)]


def _of_data(used: UsedModel, sample: Sample) -> list[Finding]:
    """Compare the inputs with those of training; columns that are like them share a line."""
    preparation = used.saved.preparation
    assert preparation is not None
    balance = [checks.class_balance(sample.y, used.classes)] if used.classes else []
    if preparation.kind == "images":
        return [checks.pixels(sample.X), *balance]
    assert sample.frame is not None
    columns = [checks.number_column(c, sample.frame[c.name].to_numpy()) for c in preparation.numbers]
    for c in preparation.words:
        cells = sample.frame[c.name]
        missing = cells.null_count()
        unknown = int(((c.codes(cells) < 0) & cells.is_not_null().to_numpy()).sum())
        columns.append(checks.word_column(c, unknown, missing, len(cells)))
    unusual = [finding for finding in columns if finding.verdict != "ok"]
    fine = len(columns) - len(unusual)
    like = Finding(
        "columns", "ok", f"{fine} of {len(columns)} like those of training",
        {"columns": {finding.check.removeprefix("column "): finding.figures for finding in columns}},
    )  # fmt: skip
    return [like, *unusual, *balance]


def _suspects(used: UsedModel, sample: Sample, seed: int) -> Finding:
    """List suspect targets by networks that were trained like the model on other rows."""
    net = used.saved.network
    options = _options(used)
    settings: dict[str, Any] = {}
    if options is not None:
        settings = {
            "update": update_of(options), "penalty": penalty_of(options),
            "batch_size": batch_size_of(options, len(sample.X)),
        }  # fmt: skip
    held_out = len(sample.X) >= 6 and not (net.normalises and settings.get("batch_size") == 1)
    if held_out:
        epochs = _epochs(used)
        f, _ = checks.held_out_predictions(net, sample.X, sample.y, epochs=epochs, seed=seed, **settings)
    else:
        f = used.saved.predict_prepared(sample.X)
    coding = used.saved.target
    assert coding is not None
    y = sample.y if used.classes else coding.decode(sample.y)
    return checks.label_suspects(y, used.decoded(f), names=used.classes, rows=sample.rows, held_out=held_out)


def _epochs(used: UsedModel) -> int:
    """Return for how long networks are trained on other rows: as long as the model, but not too few epochs.

    The best epoch of a model can be an early one by the chance of few validation rows, or because it had more rows.
    """
    training = used.described_by("training")
    epochs = _whole(training.get("best_epoch")) or _whole(training.get("epochs")) or FEWEST
    return min(max(epochs, FEWEST), EPOCHS)


def _of_training(used: UsedModel, history: History, sample: Sample) -> list[Finding]:
    """Judge how training went, by what the folder says and by the loss on the data."""
    net, theta = used.saved.network, used.saved.parameters
    training, results, rows = (
        used.described_by("training"),
        used.described_by("results"),
        used.described_by("data").get("rows"),
    )
    constant = checks.constant_loss(net, sample.y)
    reference = constant if constant > 0 else checks.uninformed_loss(net, sample.y)
    loss = evaluate(net, theta, Source(sample.X, check_targets(sample.y, net, len(sample.X)), None)).loss
    found = [checks.learnt_something(loss, constant)]
    losses = {part: _loss(numbers) for part, numbers in results.items()}
    train, validation = losses.get("train"), losses.get("validation")
    if train is not None:
        count = _whole(rows.get("validation")) if isinstance(rows, dict) else None
        if validation is not None and count:
            found.append(checks.generalisation(train, validation, reference, count))
        on_data = checks.generalisation(train, loss, reference, len(sample.X), "DATA")
        found.append(replace(on_data, seen=f"{on_data.seen}; rows of training may be among them"))
    if len(history):
        found.append(checks.end_of_training(
            history["train_loss"], history["validation_loss"], best_epoch=_whole(training.get("best_epoch")),
            stopped=str(training.get("stopped", "epochs")),
        ))  # fmt: skip
        options = _options(used)
        plain = options is not None and options.update == "sgd" and not options.momentum and options.clip_norm is None
        if plain:
            last = history[-1]
            found.append(checks.step_size(last.rate, last.gradient_norm, float(np.linalg.norm(theta.vector))))
    return found


def _options(used: UsedModel) -> Options | None:
    """Return the options of training; None where the folder does not say them, or says what cannot be."""
    try:
        options = Options(**used.described_by("options"))
        check_options(options)
    except (TypeError, AttributeError, LayerwiseError):
        return None
    return options


def _seed_of(used: UsedModel) -> int:
    options = _options(used)
    return 0 if options is None else options.seed


def _loss(numbers: Any) -> float | None:
    value = numbers.get("loss") if isinstance(numbers, dict) else None
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _summary(used: UsedModel, data: str, sample: Sample, findings: list[Finding]) -> dict[str, Any]:
    verdicts = [finding.verdict for finding in findings]
    return {
        "model": str(used.folder), "data": data, "rows": sample.total, "rows_looked_at": len(sample.X),
        "verdict": checks.worst(verdicts),
        "counts": {verdict: verdicts.count(verdict) for verdict in STYLES},  # type: ignore[arg-type]
        "checks": [asdict(finding) for finding in findings],
    }  # fmt: skip


def _show(console: Console, used: UsedModel, data: str, sample: Sample, findings: list[Finding]) -> None:
    some = "" if len(sample.X) == sample.total else f", {len(sample.X):,} of them looked at"
    console.print(
        f"{used.folder} on {data}: {sample.total:,} rows{some}", markup=False, highlight=False, soft_wrap=True
    )
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, min_width=max(map(len, STYLES)))
    table.add_column(overflow="fold")
    columns = 0
    for finding in findings:
        if finding.check.startswith("column ") and (columns := columns + 1) > MOST_COLUMNS:
            continue
        style = STYLES[finding.verdict]
        text = f"[bold]{escape(finding.check)}[/]: {escape(finding.seen)}"
        if finding.verdict != "ok":
            text += f"\n{escape(finding.meaning)}\n[italic]Try:[/] {escape(finding.remedy)}"
        table.add_row(f"[{style}]{finding.verdict}[/]", text)
    console.print(table, highlight=False)
    if columns > MOST_COLUMNS:
        console.print(f"and {columns - MOST_COLUMNS} more columns that are not like those of training: see --json")
    for finding in findings:
        if finding.check == "suspect targets" and finding.figures["rows"]:
            console.print("\nsuspect targets; rows are counted from 0", highlight=False)
            console.print(_suspect_table(finding.figures["rows"]))
    counts = ", ".join(
        f"{sum(finding.verdict == verdict for finding in findings)} {verdict}" for verdict in ("ok", "look", "problem")
    )
    console.print(f"\n{len(findings)} checks: {counts}", highlight=False)


def _suspect_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    numbers = "deviations" in rows[0]
    for name in ("row", "given", "predicted"):
        table.add_column(name, justify="right" if numbers or name == "row" else "left")
    for name in ("deviations",) if numbers else ("p(given)", "p(predicted)"):
        table.add_column(name, justify="right")
    for row in rows:
        if numbers:
            cells = [f"{row['given']:.6g}", f"{row['predicted']:.6g}", f"{row['deviations']:.1f}"]
        else:
            cells = [escape(str(row["given"])), escape(str(row["predicted"]))]
            cells += [f"{row['p_given']:.2g}", f"{row['p_predicted']:.3f}"]
        table.add_row(str(row["row"]), *cells)
    return table
