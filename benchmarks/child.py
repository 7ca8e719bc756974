"""One table's measurements, in a process of its own that is given its threads before any library is loaded.

``python -m benchmarks`` starts it: ``python -m benchmarks.child --threads N --rounds N --out FILE``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def environment(threads: int) -> dict[str, str]:
    """Return the variables that keep every library to so many threads, and JAX to the processor."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LAYERWISE_THREADS", "NPROC")
    settings = dict.fromkeys(names, count) | {"JAX_PLATFORMS": "cpu"}
    if threads == 1:
        settings["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    return settings


def keep_to_cores(threads: int) -> None:
    """Keep this process to so many of its processors: some libraries' threads obey no variable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that this process and the one that starts it have in common."""
    parser.add_argument(
        "--case", action="append", default=[], metavar="SUBSTRING", help="cases with this in their name"
    )
    parser.add_argument("--peers", default="", metavar="A,B", help="only these peers, beside layerwise")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of which the median is taken (7)")


def main() -> None:
    """Measure the selected cases and write them to a file."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keep_to_cores(options.threads)

    from layerwise.errors import LayerwiseError

    try:
        result = run(options.threads, options.case, [name for name in options.peers.split(",") if name], options.rounds)
    except LayerwiseError as error:
        sys.exit(f"error: {error}")
    options.out.write_text(json.dumps(result), encoding="utf-8")


def run(threads: int, substrings: list[str], names: list[str], rounds: int) -> dict[str, Any]:
    """Measure; libraries are imported here, after the threads are settled."""
    from . import machine
    from .engine import engine
    from .floor import data_bytes, floor_seconds, flops, weight_bytes
    from .measure import measure
    from .peak import greatest
    from .peers import OWN
    from .selection import select_cases, select_peers

    cases, chosen = select_cases(substrings), select_peers(names)
    reasons = {peer.name: peer.missing() for peer in chosen}
    peers = [peer for peer in chosen if not reasons[peer.name]]
    rows = []
    bandwidth = machine.memory_bandwidth(threads)
    for case in cases:
        print(f"  {case.name} ...", file=sys.stderr, flush=True)
        cache = machine.cache_bandwidth(case.n_parameters, threads)
        rows.append((case, cache, measure(case, peers, rounds)))
    documents = []
    for case, cache, figures in rows:
        _, peak = greatest(figures["peaks"])  # beside this case: clocks change in the course of a run
        floor = 1e6 * floor_seconds(case, peak, cache, bandwidth)
        own = figures["us_per_step"][OWN.name]
        counted = {
            "case": case.name, "flops": flops(case), "weight_bytes": weight_bytes(case), "data_bytes": data_bytes(case),
            "cache_bytes_per_second": cache, "floor_us": floor, "share_of_floor": floor / own,
            "gflops_per_second": flops(case) / own / 1e3,
        }  # fmt: skip
        documents.append(counted | figures)
    peaks = {whose: max(row["peaks"][whose] for row in documents) for whose in documents[0]["peaks"]}
    peak_of, peak = greatest(peaks)
    versions = {library: text for peer in peers for library, text in peer.versions().items()}
    return {
        "threads": threads,
        "machine": machine.description() | {"cores": threads, "versions": versions},
        "engine": engine(),
        "peak_flops_per_second": peak,
        "peak_of": peak_of,
        "peaks": peaks,
        "memory_bytes_per_second": bandwidth,
        "processors_of_others": max(row["processors_of_others"] or 0.0 for row in documents),
        "left_out": {name: reason for name, reason in reasons.items() if reason},
        "cases": documents,
    }


if __name__ == "__main__":
    main()
