"""`layerwise evaluate`: how good a model is on rows whose target is known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..reports.metrics import NAMES, ClassQuality, NumberQuality, class_quality, number_quality
from .estimator_models import UsedEstimator, open_model
from .models import UsedModel
from .progress import share_watcher

#: Classes up to which the whole confusion matrix is printed, and pairs that are printed for more.
MOST_CLASSES: Final = 12
MOST_PAIRS: Final = 10


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model or of a saved estimator.")],
    data: Annotated[str, typer.Argument(
        metavar="DATA", help="As for train, with the target: a CSV, Parquet or Arrow file, a folder of images, or a "
        "bundled set.")],
    target: Annotated[str | None, typer.Option(
        metavar="COLUMN", help="The column with the target, for estimators, which do not know it.")] = None,
    resamples: Annotated[int | None, typer.Option(
        min=1, max=100_000, help="Samples of the bootstrap; by default 1000, fewer for very many rows.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:  # fmt: skip
    """Measure a model: metrics with 95 % bootstrap intervals, the confusion matrix, calibration.

    All rows of DATA are used, those that the model was trained on too if
    they are there. Exit codes: 0 done; 2 bad input, with one line that
    says what to do; 130 interrupted.

    Examples:

    layerwise evaluate models/people new-people.csv

    layerwise evaluate models/people new-people.csv --json | jq .metrics.accuracy
    """
    used = open_model(model, target)
    predicted, targets = [], []
    with share_watcher(Console(stderr=True), quiet, "evaluated") as watching:
        for rows in used.rows(data):
            used.check_target(rows, data)
            targets.append(used.encode(rows))
            predicted.append(used.predict(rows))
            watching.advance(rows.done, len(targets[-1]))
    y, f = np.concatenate(targets), np.concatenate(predicted)
    if used.classes:
        quality: ClassQuality | NumberQuality = class_quality(y, f, resamples=resamples, seed=seed)
    else:
        quality = number_quality(y, f, resamples=resamples, seed=seed)
    if as_json:
        typer.echo(json.dumps(_summary(used, quality, len(y)), allow_nan=False))
    else:
        _show(Console(), used, quality, len(y))


def _summary(used: UsedModel | UsedEstimator, quality: ClassQuality | NumberQuality, rows: int) -> dict[str, Any]:
    """Return what --json prints; null where there is no number."""
    found: dict[str, Any] = {
        "rows": rows,
        "target": used.target_name,
        "metrics": {
            name: {key: value if math.isfinite(value) else None for key, value in asdict(metric).items()}
            for name, metric in quality.metrics.items()
        },
    }
    if isinstance(quality, ClassQuality):
        calibration = quality.calibration
        found["classes"] = list(used.classes)
        found["confusion"] = quality.confusion.tolist()
        found["calibration"] = {
            "error": calibration.error,
            "bins": [
                {"rows": int(count), "confidence": float(confidence), "accuracy": float(accuracy)}
                for count, confidence, accuracy in zip(
                    calibration.count, calibration.confidence, calibration.accuracy, strict=True
                )
                if count
            ],
        }
    return found


def _show(console: Console, used: UsedModel | UsedEstimator, quality: ClassQuality | NumberQuality, rows: int) -> None:
    unit = "" if used.classes else f", in the units of {used.target_name}"
    console.print(f"{rows:,} rows{unit}", markup=False)
    table = Table(box=None, header_style="bold")
    for name in ("metric", "value", "95 % interval"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for name, metric in quality.metrics.items():
        table.add_row(NAMES[name], f"{metric.value:.4g}", f"{metric.low:.4g} to {metric.high:.4g}")
    console.print(table)
    if not isinstance(quality, ClassQuality):
        return
    few = len(used.classes) <= MOST_CLASSES
    console.print("\nconfusion: true classes down, predicted ones across" if few else "\nmost confused classes")
    console.print(_confusion(used.classes, quality) if few else _pairs(used.classes, quality))
    console.print(f"\ncalibration (error {quality.calibration.error:.3f})", highlight=False)
    bins = Table(box=None, header_style="bold")
    for name in ("confidence", "right", "rows"):
        bins.add_column(name, justify="right")
    calibration = quality.calibration
    for count, confidence, right in zip(calibration.count, calibration.confidence, calibration.accuracy, strict=True):
        if count:
            bins.add_row(f"{confidence:.3f}", f"{right:.3f}", f"{count:,}")
    console.print(bins)


def _confusion(classes: tuple[Any, ...], quality: ClassQuality) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("", style="bold")
    for name in classes:
        table.add_column(escape(str(name)), justify="right")
    for c, row in enumerate(quality.confusion):
        cells = [f"[green]{count}[/]" if k == c else str(count or "·") for k, count in enumerate(row)]
        table.add_row(escape(str(classes[c])), *cells)
    return table


def _pairs(classes: tuple[Any, ...], quality: ClassQuality) -> Table:
    """Return the pairs of classes that are confused most often."""
    wrong = quality.confusion - np.diag(np.diag(quality.confusion))
    table = Table(box=None, header_style="bold")
    for name in ("true", "predicted", "rows"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for place in np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]:
        true, said = divmod(int(place), len(classes))
        if wrong[true, said]:
            table.add_row(escape(str(classes[true])), escape(str(classes[said])), str(wrong[true, said]))
    return table
