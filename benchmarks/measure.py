"""Measuring: peers in turn, round after round, after a check that they compute the same."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from layerwise.errors import LayerwiseError

from .cases import Array, Case
from .machine import Neighbours, seconds
from .peak import product_peaks
from .peers import OWN, Peer, Work

#: How far results may be from Layerwise's, relative to the largest.
TOLERANCE = 1e-4
#: Seconds between two timings: the threads of a library spin for a while, and would take a processor from the next.
SETTLE = 0.05


class DisagreementError(LayerwiseError, ArithmeticError):
    """A peer computes something else, so that its time says nothing."""


def measure(case: Case, peers: Sequence[Peer], rounds: int) -> dict[str, Any]:
    """Check and time one case.

    Parameters
    ----------
    case : Case
    peers : sequence of Peer
        Layerwise first.
    rounds : int

    Returns
    -------
    dict
        By the peer's name: microseconds a step (median, and of each round), steps of an epoch, the difference of the
        results; peers that leave such cases out are not in it. And the operations a second of each large product, which
        takes its turn in every round (median, and of each round), and how many processors others kept busy meanwhile.

    Raises
    ------
    DisagreementError
        If a peer's results differ from Layerwise's.
    """
    problem = case.problem()
    works = {peer: work for peer in peers if (work := peer.work(problem)) is not None}
    differences = compare(case, {peer.name: work for peer, work in works.items()})
    steps = {
        peer: case.steps if peer.whole_epochs else steps_that_take(work, case) for peer, work in works.items()
    }  # fmt: skip
    for peer, work in works.items():
        epoch_seconds(work, steps[peer])  # compiles for this length, fills caches
    rounds_of: dict[str, list[float]] = {peer.name: [] for peer in works}
    peak_rounds: dict[str, list[float]] = {whose: [] for whose in product_peaks()}  # a first turn, not kept
    gc.collect()
    gc.freeze()  # what the libraries hold is not searched again in anybody's time
    neighbours = Neighbours()
    for _ in range(rounds):
        for peer, work in works.items():
            scale = case.networks / work.networks
            time.sleep(SETTLE)
            rounds_of[peer.name].append(epoch_seconds(work, steps[peer]) / steps[peer] * scale * 1e6)
        for whose, flops_per_second in product_peaks().items():
            peak_rounds[whose].append(flops_per_second)
    others = neighbours.processors()
    gc.unfreeze()
    return {
        "us_per_step": {name: statistics.median(times) for name, times in rounds_of.items()},
        "rounds": rounds_of,
        "steps": {peer.name: count for peer, count in steps.items()},
        "difference": differences,
        "peaks": {whose: statistics.median(found) for whose, found in peak_rounds.items()},
        "peak_rounds": peak_rounds,
        "processors_of_others": others,
    }


def compare(case: Case, works: dict[str, Work]) -> dict[str, float]:
    """Return max|difference| / max|value| of every peer's results and Layerwise's; raise if one is too large."""
    results = {name: work.results(case.check_steps) for name, work in works.items()}
    return {name: _difference(case, name, result, results[OWN.name]) for name, result in results.items()}


def _difference(case: Case, name: str, result: Array, own: Array) -> float:
    own = own[: len(result)]  # slow peers train the first few of many networks
    difference = float(np.abs(result - own).max() / np.abs(own).max())
    if not difference <= TOLERANCE:
        raise DisagreementError(
            where=f"{case.name}, {name}", expected=f"Layerwise's results {np.round(own[0][:4], 5).tolist()}",
            got=f"{np.round(result[0][:4], 5).tolist()}, {difference:.2g} away",
            remedy="find out which of the two is wrong before timing them",
        )  # fmt: skip
    return difference


def steps_that_take(work: Work, case: Case) -> int:
    """Return how many steps take about the case's time, at most as many as it has."""
    steps = min(case.steps, 10)
    epoch_seconds(work, steps)  # the first one records, compiles, starts threads: it would pass for a slow epoch
    taken = epoch_seconds(work, steps)
    while steps < case.steps and taken < case.seconds / 2:
        steps = min(case.steps, max(2 * steps, round(steps * case.seconds / taken)))
        taken = epoch_seconds(work, steps)
    return steps


def epoch_seconds(work: Work, steps: int) -> float:
    """Return how long an epoch of so many steps takes."""
    return seconds(lambda: work.run(steps))
