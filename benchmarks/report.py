"""What is printed: a table for each number of threads, and which targets are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

OWN = "layerwise"
#: Other processes that keep more processors busy than this are named: they slow threads that wait for each other.
BUSY = 0.2


@final
@dataclass(frozen=True)
class Target:
    """How many times as long as Layerwise a peer shall take for a step of a case."""

    case: str
    peer: str
    at_least: float


#: The speed that the compiled engine set out to reach.
TARGETS = (
    Target("32-64-64-10, B=1", "pytorch", 50),
    Target("32-64-64-10, B=32", "pytorch", 4),
    Target("32-64-64-10, B=256", "pytorch", 2),
)
#: Who may be ahead of Layerwise on so many cases at most.
RIVAL, CASES_BEHIND = "jax-scan", 1


def table(run: dict[str, Any]) -> Iterator[str]:
    """Give the lines of one run's table, from the document that `benchmarks.child` writes.

    Parameters
    ----------
    run : dict
    """
    names = _names(run["cases"])
    threads, engine = run["threads"], run["engine"]
    details = ", ".join(f"{key} {value}" for key, value in engine.items() if key != "engine")
    peak, memory = run["peak_flops_per_second"] / 1e9, run["memory_bytes_per_second"] / 1e9
    yield (
        f"{threads} thread{'s' * (threads > 1)}: peak up to {peak:.0f} GFLOP/s ({_products(run)}), "
        f"memory {memory:.1f} GB/s; {engine['engine']} engine" + f" ({details})" * bool(details)
    )
    if run["processors_of_others"] > BUSY:
        yield (
            f"Not alone: other processes kept up to {run['processors_of_others']:.1f} processors busy meanwhile; "
            "repeat it on a quiet machine."
        )
    if run["left_out"]:
        yield "Left out: " + ", ".join(f"{name} ({reason})" for name, reason in run["left_out"].items())
    others = "".join(f"{name:>16}" for name in names if name != OWN)
    yield f"{'microseconds a step (medians)':29}{OWN:>10}{others}{'GFLOP/s':>8}{'floor us':>9}{'share':>7}"
    for row in run["cases"]:
        own = row["us_per_step"][OWN]
        cells = "".join(_cell(row["us_per_step"].get(name), own) for name in names if name != OWN)
        share = f"{100 * row['share_of_floor']:.0f} %"
        counted = f"{row['gflops_per_second']:8.2f}{_short(row['floor_us']):>9}{share:>7}"
        yield f"{row['case']:29}{_short(own):>10}{cells}{counted}"


def _products(run: dict[str, Any]) -> str:
    slower = ", ".join(f"{name} {flops / 1e9:.0f}" for name, flops in run["peaks"].items() if name != run["peak_of"])
    return f"float32 product of {run['peak_of']}; {slower}"


def _names(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["us_per_step"]))


def _cell(time: float | None, own: float) -> str:
    return f"{'-':>9}{'':7}" if time is None else f"{_short(time):>9}{_short(time / own) + 'x':>7}"


def _short(number: float) -> str:
    """Return a number with three digits or so."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def targets(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each target with what was measured; ``met`` is None where that proves nothing.

    Where other processes were busy, peers whose threads wait for each other lose by 10x or more, which would pass for
    a target met.

    Parameters
    ----------
    run : dict
        The one on all cores.
    """
    times = {row["case"]: row["us_per_step"] for row in run["cases"]}
    disturbed = {row["case"] for row in run["cases"] if (row["processors_of_others"] or 0.0) > BUSY}
    found = []
    for target in TARGETS:
        row = times.get(target.case, {})
        ratio = row[target.peer] / row[OWN] if target.peer in row else None
        measured = "not measured" if ratio is None else f"{_short(ratio)}x"
        verdict = None if ratio is None else ratio >= target.at_least
        name = f"{target.case}: {target.peer} takes >= {target.at_least:g}x"
        found.append(_found(name, measured, verdict, target.case in disturbed))
    compared = {case: row for case, row in times.items() if RIVAL in row}
    behind = [case for case, row in compared.items() if row[RIVAL] < row[OWN]]
    measured = f"behind on {len(behind)} of {len(compared)}" if compared else "not measured"
    verdict = len(behind) <= CASES_BEHIND if compared else None
    name = f"behind {RIVAL} on no case but {CASES_BEHIND}"
    return [*found, _found(name, measured, verdict, bool(disturbed & compared.keys()))]


def _found(name: str, measured: str, verdict: bool | None, disturbed: bool) -> dict[str, Any]:
    if verdict is not None and disturbed:
        return {"target": name, "measured": f"{measured}, not alone", "met": None}
    return {"target": name, "measured": measured, "met": verdict}


def target_lines(found: list[dict[str, Any]]) -> Iterator[str]:
    """Give a line for each target."""
    words = {True: "met", False: "not met", None: "unknown"}
    for target in found:
        yield f"  {target['target']:50} {target['measured']:30} {words[target['met']]}"
