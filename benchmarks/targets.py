"""What Layerwise sets out to reach, and whether the figures of a run reach it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from .peers import NAMES

OWN, EAGER, SCAN = "layerwise", "pytorch", "jax-scan"
#: Other processes that keep more processors busy than this spoil a verdict: they slow threads that wait for each other.
BUSY = 0.2

Document = dict[str, Any]


@final
@dataclass(frozen=True)
class Target:
    """What is asked of a case; None where nothing is.

    Attributes
    ----------
    case : str
    eager, best, scan : float, optional
        How many times as long PyTorch's eager mode, the fastest of all peers and JAX's scan (under vmap where there are
        several networks) take at least: the peer's best time of all runs over Layerwise's time on all cores.
    floor : float, optional
        Least share of the floor, on one thread.
    second_thread : float, optional
        Least own time on one thread over own time on two.
    """

    case: str
    eager: float | None = None
    best: float | None = None
    scan: float | None = None
    floor: float | None = None
    second_thread: float | None = None


TARGETS = (
    Target("32-64-64-10, B=1", eager=150, best=2),
    Target("784-100-10, B=1", eager=40, best=2),
    Target("32-64-64-10, B=32", eager=15, best=1.5, floor=0.7),
    Target("784-100-10, B=32", eager=5, best=1.6, floor=0.7),
    Target("32-64-64-10, B=256", eager=4, best=1.4, floor=0.8, second_thread=1.6),
    Target("40-256-256-256-2, B=256, Adam", eager=2, best=1.2, floor=0.75, second_thread=1.6),
    Target("784-512-512-10, B=256", eager=1.3, best=1, floor=0.8, second_thread=1.6),
    Target("predict one row, 784-100-10", eager=6),
    Target("64 x 32-64-64-10, B=32", scan=1.5),
)
#: No case may be slower with a second thread; where only one is used, noise alone decides on which side of 1 it is.
NOT_SLOWER = 0.95
#: On two threads while another process holds one core, against one thread alone: at most this.
HELD_AT_MOST = 1.2

#: How many times as long a peer's estimator takes at least: scikit-learn's on the same data in the same type.
ESTIMATOR_TARGETS = (
    ("fit digits, float64", "scikit-learn", 3.0),
    ("fit digits, float32", "scikit-learn", 3.0),
    ("fit digits, float32", "skorch", 10.0),
    ("fit adult, float64", "scikit-learn", 3.0),
    ("fit adult, float32", "scikit-learn", 3.0),
    ("fit MNIST, float64", "scikit-learn", 2.0),
    ("fit MNIST, float32", "scikit-learn", 2.0),
    ("partial_fit one row, digits, float64", "scikit-learn", 40.0),
)


def judged_estimators(document: Document | None) -> Iterator[Document]:
    """Give the targets of the estimators' cases that were measured; see `judged`.

    Parameters
    ----------
    document : dict, optional
        From `benchmarks.estimators`.
    """
    for case, peer, least in ESTIMATOR_TARGETS:
        row = _row(document, case)
        if row is None:
            continue
        name = f"{case}: {peer} takes >= {least:g}x"
        value = row["times_as_long"].get(peer)
        if value is None:
            yield _not_measured(name)
        else:
            yield _found(name, f"{short(value)}x", value, value >= least, [row])


def judged(runs: Sequence[Document], threads: Document | None) -> list[Document]:
    """Return every target of the cases that were measured, with what was seen.

    Parameters
    ----------
    runs : sequence of dict
        From `benchmarks.child`, on one thread and on all cores, or one of them.
    threads : dict, optional
        From `benchmarks.second_thread`.

    Returns
    -------
    list of dict
        ``target`` and ``measured`` in words, ``value`` (None if not measured), and ``met``: None where the figures
        prove nothing, because something was not measured or other processes were busy.
    """
    found = []
    measured = {row["case"] for run in runs for row in run["cases"]}
    for target in (target for target in TARGETS if target.case in measured):
        if target.eager is not None:
            found.append(_against(target.case, target.eager, EAGER, (EAGER,), runs))
        if target.best is not None:
            found.append(_against(target.case, target.best, "the fastest peer", NAMES[1:], runs))
        if target.scan is not None:
            found.append(_against(target.case, target.scan, SCAN, (SCAN,), runs))
        if target.floor is not None:
            found.append(_share(target.case, target.floor, runs))
        if target.second_thread is not None:
            found.append(_gain(target.case, target.second_thread, threads))
    extremes = (
        ("no case slower on 2 threads: speed-up", "speed_up", min, NOT_SLOWER, True),
        ("one core held by others: time over 1 thread's", "slowdown", max, HELD_AT_MOST, False),
    )
    return found + [_extreme(*extreme, threads) for extreme in extremes]


def _against(case: str, least: float, who: str, peers: Iterable[str], runs: Sequence[Document]) -> Document:
    name = f"{case}: {who} takes >= {least:g}x"
    rows = {run["threads"]: row for run in runs if (row := _row(run, case))}
    wanted = set(peers)
    times = [
        (row["us_per_step"][peer], peer, count)
        for count, row in rows.items()
        for peer in sorted(wanted & row["us_per_step"].keys())
    ]
    if not times:
        return _not_measured(name)
    time, fastest, count = min(times)
    value = time / rows[max(rows)]["us_per_step"][OWN]
    within = ", ".join(
        f"{short(min(inside) / row['us_per_step'][OWN])}x on {_threads(on)}"
        for on, row in sorted(rows.items())
        if (inside := [time for time, _, with_threads in times if with_threads == on])
    )
    words = f"{short(value)}x by {fastest} on {_threads(count)} (within a run: {within})"
    met: bool | None = value >= least
    absent = wanted - {peer for _, peer, _ in times}
    if absent:  # somebody else may be faster
        words, met = f"{words}, without {', '.join(sorted(absent))}", None if met else False
    return _found(name, words, value, met, rows.values())


def _share(case: str, least: float, runs: Sequence[Document]) -> Document:
    name = f"{case}: share of the floor >= {least:g}"
    row = next((row for run in runs if run["threads"] == 1 and (row := _row(run, case))), None)
    if row is None:
        return _not_measured(name)
    value = row["share_of_floor"]
    return _found(name, f"{short(value)} on 1 thread", value, value >= least, [row])


def _gain(case: str, least: float, threads: Document | None) -> Document:
    name = f"{case}: second thread >= {least:g}x"
    row = _row(threads, case)
    if row is None:
        return _not_measured(name)
    return _found(name, f"{short(row['speed_up'])}x", row["speed_up"], row["speed_up"] >= least, [row])


def _extreme(
    name: str, key: str, worst_of: Callable[..., Document], bound: float, least: bool, threads: Document | None
) -> Document:
    name = f"{name} {'>=' if least else '<='} {bound:g}x"
    if not threads or not threads["cases"]:
        return _not_measured(name)
    row = worst_of(threads["cases"], key=lambda row: row[key])
    words = f"worst {short(row[key])}x, {row['case']}; of {len(threads['cases'])} cases"
    return _found(name, words, row[key], row[key] >= bound if least else row[key] <= bound, threads["cases"])


def _row(document: Document | None, case: str) -> Document | None:
    rows: list[Document] = document["cases"] if document else []
    return next((row for row in rows if row["case"] == case), None)


def _found(name: str, words: str, value: float, met: bool | None, rows: Iterable[Document]) -> Document:
    if any((row["processors_of_others"] or 0.0) > BUSY for row in rows):
        words, met = f"{words}, not alone", None
    return {"target": name, "measured": words, "value": value, "met": met}


def _not_measured(name: str) -> Document:
    return {"target": name, "measured": "not measured", "value": None, "met": None}


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def target_lines(found: Iterable[Document]) -> Iterator[str]:
    """Give a line for each target."""
    words = {True: "met", False: "not met", None: "unknown"}
    for target in found:
        yield f"  {words[target['met']]:8} {target['target']:57} {target['measured']}"


def short(number: float) -> str:
    """Return a number with three digits or so."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
