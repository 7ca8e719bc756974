"""Time training steps of every case for every peer: ``make bench``, or ``python -m benchmarks``.

Each number of threads is measured in a process of its own, what a second thread gains in one more, and the estimators
in a last one. Without options all cases are measured, and the figures are kept in benchmarks/results/DATE.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .child import add_selection, environment
from .report import estimator_table, second_thread_table, table
from .second_thread import missing
from .targets import judged, judged_estimators, target_lines

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print tables and targets, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Layerwise beside its peers.")
    add_selection(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="only on so many threads (one, then all cores)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where to keep the figures (by default results/DATE.json, if all is measured)",
    )
    parser.add_argument("--only", choices=["steps", "estimators"], help="only training steps, or only estimators")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if options.rounds < 1 or not 1 <= (options.threads or 1) <= cores:
        parser.error(f"--rounds is at least 1, --threads from 1 to {cores}")
    only = options.only or ("steps" if options.case or options.peers else "")  # names of cases are of one kind
    counts = [] if only == "estimators" else [options.threads] if options.threads else sorted({1, cores})
    runs: list[dict[str, Any]] = []
    for threads in counts:
        print(f"{threads} thread{'s' * (threads > 1)}:", file=sys.stderr, flush=True)
        run = measured("child", ["--threads", str(threads), "--peers", options.peers], threads, options)
        if run is None:
            return 1
        runs.append(run)
        print("\n".join(table(run)), end="\n\n", flush=True)
    gained = estimators = None
    reason = "only so many threads were asked for" if options.threads else missing(cores)
    if not counts:
        pass
    elif reason:
        print(f"Second thread: not measured, as {reason}.", end="\n\n")
    else:
        print("second thread:", file=sys.stderr, flush=True)
        gained = measured("second_thread", [], 2, options)
        if gained is None:
            return 1
        print("\n".join(second_thread_table(gained)), end="\n\n", flush=True)
    if only != "steps":
        print("estimators:", file=sys.stderr, flush=True)
        estimators = measured("estimators", [], options.threads or cores, options)
        if estimators is None:
            return 1
        print("\n".join(estimator_table(estimators)), end="\n\n", flush=True)
    found = [*(judged(runs, gained) if runs else ()), *judged_estimators(estimators)]
    on = options.threads or cores
    print(f"Targets (Layerwise on {on} thread{'s' * (on > 1)}, each peer on as many as suit it best):")
    print("\n".join(target_lines(found)))
    keep(runs, gained, estimators, found, options)
    return 0


def measured(module: str, more: list[str], threads: int, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return what a child process measures on so many threads; None if it fails, having said why."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        command = [sys.executable, "-m", f"benchmarks.{module}", *more, "--out", str(out)]
        command += ["--rounds", str(options.rounds)]
        command += [f"--case={text}" for text in options.case]
        done = subprocess.run(command, env=os.environ | environment(threads) | {"PYTHONPATH": path}, check=False)
        if done.returncode:
            return None
        document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return document


def keep(
    runs: list[dict[str, Any]], gained: dict[str, Any] | None, estimators: dict[str, Any] | None,
    found: list[dict[str, Any]], options: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the figures: to the file asked for, or to the day's file if everything was measured."""
    whole = not (options.case or options.peers or options.threads or options.only)
    if not (options.json or whole):
        return
    when = datetime.now(UTC)
    path = options.json or RESULTS / f"{when:%Y-%m-%d}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "when": when.isoformat(timespec="seconds"), "rounds": options.rounds, "targets": found, "runs": runs,
        "second_thread": gained, "estimators": estimators,
    }  # fmt: skip
    path.write_text(json.dumps(rounded(document), indent=1) + "\n", encoding="utf-8")
    print(f"kept in {os.path.relpath(path)}")


def rounded(value: Any) -> Any:
    """Return the same with every float cut to five digits, so that a file can be read."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
