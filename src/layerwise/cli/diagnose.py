"""`layerwise diagnose`: is a model in order, and is the mathematics right?"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ..errors import SpecificationError, check_number, closest
from ..gradients import check_gradient
from ..network import Network
from ..rules import activations, outputs
from ..rules.penalties import L1, L2, Penalty

#: Layer kinds: dropout probability, batch normalisation.
KINDS = {
    "plain": (0.0, False),
    "dropout": (0.4, False),
    "batch norm": (0.0, True),
    "batch norm + dropout": (0.4, True),
}
PENALTIES = {"none": Penalty(), "L1": L1(0.01), "L2": L2(0.01), "L1 + L2": L1(0.01) + L2(0.01)}
LIMIT = 1e-6
ROWS, INPUTS, UNITS, TARGETS = 6, 3, (4, 3), 2


@dataclass(frozen=True)
class Finding:
    """The largest relative error of one combination, with and without weights."""

    activation: str
    output: str
    kind: str
    penalty: str
    error: float


def gradient_error(activation: str, output: str, kind: str, penalty: str, seed: int = 0) -> float:
    """Return the largest relative error of the gradient of a small network, with and without weighted examples."""
    dropout, batch_norm = KINDS[kind]
    o = outputs.TABLE[output]
    raw = TARGETS * o.columns_per_target
    net = Network(INPUTS, UNITS, raw, hidden=activation, output=o, dropout=dropout, batch_norm=batch_norm)
    generator = np.random.default_rng([seed, sum(map(ord, activation + output + kind))])
    theta = net.initialize(seed)
    theta.vector += 0.1 * generator.normal(size=theta.vector.shape)
    X = generator.normal(size=(ROWS, INPUTS))
    y = generator.integers(0, TARGETS, ROWS) if o.target == "classes" else generator.random((ROWS, TARGETS))
    mode: Literal["predict", "train"] = "predict" if kind == "plain" else "train"
    checks = [
        check_gradient(net, theta, X, y, PENALTIES[penalty], weights, mode, seed)
        for weights in (None, generator.random(ROWS))
    ]
    return float(np.max([np.inf if check.skipped else check.max_relative_error for check in checks]))  # NaN stays NaN


def diagnose(
    model: Annotated[
        str, typer.Argument(
            metavar="MODEL", help="The folder that layerwise train made; or the word gradients, alone: check every "
            "rule's gradient by finite differences.")
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="As for train, with the target.", show_default=False)
    ] = None,
    rows: Annotated[
        int, typer.Option(min=10, max=1_000_000, help="Rows that are looked at, chosen by --seed if DATA has more.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="For the choice of rows, and what is trained to find out.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:  # fmt: skip
    """Find out what is wrong with a model, its training or its data, and what to try.

    Each check has a verdict. ok: nothing to do. look: unusual, and
    perhaps on purpose. problem: the model or the data cannot be relied on
    as they are. Small networks are trained to find out; of large DATA a
    sample is used.

    layerwise diagnose gradients checks every activation x output x layer
    kind x penalty by finite differences of the reported loss, in float64;
    an error of 1e-6 or more is a problem.

    Exit codes: 0 no problem; 1 a problem was found; 2 bad input, with one
    line that says what to do; 130 interrupted.

    Examples:

    layerwise diagnose models/digits digits

    layerwise diagnose models/people new-people.csv --json | jq '.checks[] | select(.verdict != "ok")'

    layerwise diagnose gradients
    """
    check_number("--seed", seed, at_least=0, below=2**32, whole=True)
    if data is not None:
        from .diagnose_model import diagnose_model

        diagnose_model(Path(model), data, rows, seed, as_json, quiet)
    elif model == "gradients":
        _diagnose_gradients(seed)
    else:
        near = closest(model, ["gradients"])
        raise SpecificationError(
            where="diagnose", expected="gradients, or MODEL and DATA", got=repr(model),
            remedy=near if near.startswith("did") else f"give data too: layerwise diagnose {model} DATA",
        )  # fmt: skip


def _diagnose_gradients(seed: int) -> None:
    """Check every combination, and exit with 1 if an error is too large."""
    combinations = list(itertools.product(activations.TABLE, outputs.TABLE, KINDS, PENALTIES))
    console = Console(stderr=True)
    findings = [
        Finding(*names, gradient_error(*names, seed))
        for names in track(combinations, "checking gradients", console=console, disable=not console.is_terminal)
    ]
    worst = max(findings, key=lambda finding: (math.isnan(finding.error), finding.error))
    shown = Console()
    shown.print(_table(findings))
    shown.print(
        f"{len(findings)} combinations, each with and without weights; largest relative error {worst.error:.1e} "
        f"({worst.activation}, {worst.output}, {worst.kind}, {worst.penalty}); limit {LIMIT:.0e}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not worst.error < LIMIT:
        raise typer.Exit(1)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1), title="largest relative error by penalty")
    for name in ("activation", "output", "layer kind"):
        table.add_column(name)
    for name in PENALTIES:
        table.add_column(name, justify="right")
    keyed = {(f.activation, f.output, f.kind, f.penalty): f.error for f in findings}
    for activation, output, kind in dict.fromkeys((f.activation, f.output, f.kind) for f in findings):
        errors = [keyed[activation, output, kind, penalty] for penalty in PENALTIES]
        style = None if all(error < LIMIT for error in errors) else "bold red"
        table.add_row(activation, output, kind, *(f"{error:.1e}" for error in errors), style=style)
    return table
