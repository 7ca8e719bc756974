"""What the machine can do, measured in the run that it is compared with, and what it is."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

import numpy as np
from threadpoolctl import threadpool_info

from layerwise.errors import LayerwiseError

#: Bytes of an array that no cache holds.
LARGE = 256 * 2**20
#: Seconds that one timing of a short call takes, about.
TIMING = 0.002
#: Numbers of the array whose time is the call's own. Not one: NumPy takes twice as long for that as for two.
FEW = 16
#: How often a bandwidth is measured until there is one.
ATTEMPTS = 5


def memory_bandwidth(threads: int, repetitions: int = 4) -> float:
    """Return bytes a second, read and written, of a copy of a large array; each thread copies its part."""
    scalars = LARGE // 4 // threads
    pairs = [(np.ones(scalars, np.float32), np.zeros(scalars, np.float32)) for _ in range(threads)]
    moved = 2 * 4 * scalars * threads

    def copy(pair: tuple[Any, Any]) -> None:
        np.copyto(pair[1], pair[0])

    with ThreadPoolExecutor(threads) as pool:
        return moved / min(seconds(lambda: list(pool.map(copy, pairs))) for _ in range(repetitions))


class MeasurementError(LayerwiseError, ArithmeticError):
    """Something of the machine could not be measured."""


def cache_bandwidth(scalars: int, threads: int, repetitions: int = 7) -> float:
    """Return bytes a second, read and written, of a float32 array scaled in place over and over.

    Each thread holds its share of the array in its own core, so one share on one thread is measured. The time of the
    call itself, as a few numbers have it, is taken off.

    Raises
    ------
    MeasurementError
        If the array seems to take no longer than a few numbers.
    """
    share, few = np.ones(max(scalars // threads, 2 * FEW), np.float32), np.ones(FEW, np.float32)
    for _ in range(ATTEMPTS):
        longer = _best(share, repetitions) - _best(few, repetitions)
        if longer > 0:
            return threads * 2 * (share.nbytes - few.nbytes) / longer
    raise MeasurementError(
        where="cache bandwidth", expected=f"{share.size} numbers to take longer than {FEW}",
        got=f"{longer * 1e9:.0f} ns more, in each of {ATTEMPTS} attempts", remedy="repeat it on a quiet machine",
    )  # fmt: skip


def _best(array: Any, repetitions: int) -> float:
    def scale() -> None:
        np.multiply(array, factor, out=array)

    factor = np.float32(1)
    number = max(1, round(TIMING / max(min(seconds(scale) for _ in range(5)), 1e-7)))

    def many() -> None:
        for _ in range(number):
            np.multiply(array, factor, out=array)

    return min(seconds(many) for _ in range(repetitions)) / number


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


@final
class Neighbours:
    """How many processors other processes keep busy, from now on; only Linux tells."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.busy, self.own = _busy_seconds(), _own_seconds()

    def processors(self) -> float | None:
        """Return their processor time since the beginning, in processors; None where nobody knows."""
        busy = _busy_seconds()
        if busy is None or self.busy is None:
            return None
        theirs = (busy - self.busy) - (_own_seconds() - self.own)
        return max(theirs, 0.0) / (time.perf_counter() - self.started)


def _busy_seconds() -> float | None:
    statistics = Path("/proc/stat")
    if not statistics.exists():
        return None
    user, nice, system, _idle, _waiting, *more = map(int, statistics.read_text(encoding="ascii").split()[1:8])
    return float(user + nice + system + sum(more)) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def description() -> dict[str, Any]:
    """Describe where the figures come from, without names of hosts or users."""
    return {
        "processor": _processor(),
        "cores": allowed_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": ", ".join(sorted({_library(info) for info in threadpool_info() if info["user_api"] == "blas"})),
    }


def _library(info: dict[str, Any]) -> str:
    return f"{info['internal_api']} {info['version']} ({info.get('architecture', 'unknown')})"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def allowed_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
