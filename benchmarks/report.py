"""What is printed: a table for each number of threads, and one of what a second thread gains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .second_thread import HELD, ONE, TWO
from .targets import BUSY, OWN, short


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
    yield from _not_alone(run["cases"])
    if run["left_out"]:
        yield "Left out: " + ", ".join(f"{name} ({reason})" for name, reason in run["left_out"].items())
    others = "".join(f"{name:>16}" for name in names if name != OWN)
    yield f"{'microseconds a step (medians)':29}{OWN:>10}{others}{'GFLOP/s':>8}{'floor us':>9}{'share':>7}"
    for row in run["cases"]:
        own = row["us_per_step"][OWN]
        cells = "".join(_cell(row["us_per_step"].get(name), own) for name in names if name != OWN)
        share = f"{100 * row['share_of_floor']:.0f} %"
        counted = f"{row['gflops_per_second']:8.2f}{short(row['floor_us']):>9}{share:>7}"
        yield f"{row['case']:29}{short(own):>10}{cells}{counted}"


def second_thread_table(document: dict[str, Any]) -> Iterator[str]:
    """Give the lines of the table of what a second thread gains, from the document of `benchmarks.second_thread`.

    Parameters
    ----------
    document : dict
    """
    yield "Second thread, interleaved in one process (medians; ratios are medians of the rounds' own):"
    yield from _not_alone(document["cases"])
    yield f"{'microseconds a step':29}{ONE:>10}{TWO:>11}{'speed-up':>10}{HELD:>26}{'over 1 thread alone':>21}"
    for row in document["cases"]:
        one, two, held = (short(row["us_per_step"][name]) for name in (ONE, TWO, HELD))
        speed_up, slowdown = f"{short(row['speed_up'])}x", f"{short(row['slowdown'])}x"
        yield f"{row['case']:29}{one:>10}{two:>11}{speed_up:>10}{held:>26}{slowdown:>21}"


def estimator_table(document: dict[str, Any]) -> Iterator[str]:
    """Give the lines of the table of the estimators, from the document of `benchmarks.estimators`.

    Parameters
    ----------
    document : dict
    """
    names = list(dict.fromkeys(name for row in document["cases"] for name in row["seconds"]))
    yield "Estimators on all cores (milliseconds a call, medians; ratios are medians of the rounds' own):"
    yield from _not_alone(document["cases"])
    if document["left_out"]:
        yield "Left out: " + ", ".join(f"{name} ({reason})" for name, reason in document["left_out"].items())
    yield f"{'':38}" + "".join(f"{name:>{10 if name == OWN else 18}}" for name in names)
    for row in document["cases"]:
        cells = "".join(
            f"{short(1e3 * row['seconds'][name]):>10}"
            + ("" if name == OWN else f"{short(row['times_as_long'][name]) + 'x':>8}")
            if name in row["seconds"]
            else f"{'-':>10}{'':8}"
            for name in names
        )
        yield f"{row['case']:38}{cells}"


def _not_alone(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    others = max((row["processors_of_others"] or 0.0 for row in rows), default=0.0)
    if others > BUSY:
        yield (
            f"Not alone: other processes kept up to {others:.1f} processors busy meanwhile; "
            "repeat it on a quiet machine."
        )


def _products(run: dict[str, Any]) -> str:
    slower = ", ".join(f"{name} {flops / 1e9:.0f}" for name, flops in run["peaks"].items() if name != run["peak_of"])
    return f"float32 product of {run['peak_of']}; {slower}"


def _names(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["us_per_step"]))


def _cell(time: float | None, own: float) -> str:
    return f"{'-':>9}{'':7}" if time is None else f"{short(time):>9}{short(time / own) + 'x':>7}"
