"""`layerwise diagnose`: is the mathematics right?"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
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
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="gradients: check every rule's gradient by finite differences.")
    ],
    seed: Annotated[int, typer.Option(help="For the small networks and data.")] = 0,
) -> None:
    """Check every activation x output x layer kind x penalty by finite differences of the reported loss, in float64.

    Exits with 1 if an error is 1e-6 or more.

    Example:

      layerwise diagnose gradients
    """
    if what != "gradients":
        raise SpecificationError(
            where="diagnose", expected="gradients", got=repr(what), remedy=closest(what, ["gradients"])
        )
    check_number("--seed", seed, at_least=0, whole=True)
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
