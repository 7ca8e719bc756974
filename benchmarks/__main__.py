"""Time an epoch of every case for every peer: ``make bench``."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .cases import CASES, Case
from .peers import OWN_START, SAME_LOSS

ROUNDS = 7
RESULTS = Path(__file__).parent / "results"


def measure(case: Case) -> dict[str, Any]:
    """Return microseconds a step of every peer, taken in turn in each round, as medians."""
    X, y = case.data()
    epochs = {name: make(case, X, y) for name, make in (SAME_LOSS | OWN_START).items()}
    losses = {name: epoch() for name, epoch in epochs.items()}  # also warms up
    for name in SAME_LOSS:
        difference = abs(losses[name] - losses["layerwise"]) / abs(losses["layerwise"])
        if not difference < 1e-4:
            sys.exit(f"{case.name}: {name} computes another loss, {losses[name]} against {losses['layerwise']}")
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(ROUNDS):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch()
            times[name].append((time.perf_counter() - started) / case.steps * 1e6)
    return {"case": case.name, "us_per_step": {name: statistics.median(t) for name, t in times.items()}}


def machine() -> dict[str, Any]:
    """Describe where the figures come from."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = lines[0] if lines else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": model, "cores": cores, "python": platform.python_version(), "numpy": np.__version__}


def main() -> None:
    """Measure, print a table, and keep the figures."""
    rows = []
    names = [*SAME_LOSS, *OWN_START]
    print(f"{'microseconds a step (medians)':34}" + "".join(f"{name:>14}" for name in names) + "   peer / layerwise")
    for case in CASES:
        row = measure(case)
        rows.append(row)
        own = row["us_per_step"]["layerwise"]
        ratios = ", ".join(f"{name} {row['us_per_step'][name] / own:.2f}x" for name in names[1:])
        print(
            f"{row['case']:34}" + "".join(f"{row['us_per_step'][name]:14.1f}" for name in names) + f"   {ratios}",
            flush=True,
        )
    RESULTS.mkdir(exist_ok=True)
    when = datetime.now(UTC)
    path = RESULTS / f"{when:%Y-%m-%d}.json"
    document = {"when": when.isoformat(timespec="seconds"), "engine": "reference", "machine": machine(), "cases": rows}
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
