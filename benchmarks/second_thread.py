"""What a second thread gains, and what it costs when another process holds one of two cores: Layerwise alone.

The three conditions take turns round after round in one process, since clocks wander between processes minutes apart.
``python -m benchmarks`` starts it: ``python -m benchmarks.second_thread --rounds N --out FILE``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .child import add_selection, keep_to_cores

if TYPE_CHECKING:
    from .cases import Case

#: The conditions, by the names that the figures have.
ONE, TWO, HELD = "1 thread", "2 threads", "2 threads, one core held"
#: Threads of each condition.
THREADS = {ONE: 1, TWO: 2, HELD: 2}
#: Keeps a processor busy until it is killed, or whoever started it is gone.
HOLD = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
print("holding", flush=True)
while os.getppid() == int(sys.argv[2]):
    for _ in range(100_000):
        pass
"""


def missing(cores: int) -> str:
    """Return why this cannot be measured here, in a few words; "" if it can."""
    if not hasattr(os, "sched_setaffinity"):
        return "this system keeps no process to a core"
    return "" if cores > 1 else "there is one core"


@contextmanager
def core_held(core: int) -> Iterator[None]:
    """Let another process keep a core busy for the time of the block; it is gone afterwards, whatever happens.

    It is waited for, so that `Neighbours` counts its time among this process's own.
    """
    from .machine import MeasurementError

    command = [sys.executable, "-I", "-S", "-c", HOLD, str(core), str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"holding\n":
                raise MeasurementError(
                    where="second thread", expected=f"a process that keeps core {core} busy",
                    got=f"its end, with {process.wait()}", remedy="see what it wrote above",
                )  # fmt: skip
            yield
        finally:
            process.kill()


@contextmanager
def condition(name: str) -> Iterator[None]:
    """Give Layerwise the condition's threads, and hold a core if that is one, for the time of the block."""
    before = os.environ.get("LAYERWISE_THREADS")
    with ExitStack() as held:
        if name == HELD:
            held.enter_context(core_held(max(os.sched_getaffinity(0))))
        os.environ["LAYERWISE_THREADS"] = str(THREADS[name])
        try:
            yield
        finally:
            if before is None:
                del os.environ["LAYERWISE_THREADS"]
            else:
                os.environ["LAYERWISE_THREADS"] = before


def main() -> None:
    """Measure the selected cases and write them to a file."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keep_to_cores(2)

    from layerwise.errors import LayerwiseError

    from .selection import select_cases

    documents = []
    try:
        for case in select_cases(options.case):
            print(f"  {case.name} ...", file=sys.stderr, flush=True)
            documents.append(measure_conditions(case, options.rounds))
    except LayerwiseError as error:
        sys.exit(f"error: {error}")
    options.out.write_text(json.dumps({"cases": documents}), encoding="utf-8")


def measure_conditions(case: Case, rounds: int) -> dict[str, Any]:
    """Time one case in each condition.

    Parameters
    ----------
    case : Case
    rounds : int

    Returns
    -------
    dict
        By condition: microseconds a step (median, and of each round). Beside them: steps of an epoch; ``speed_up``, one
        thread's time over two threads'; ``slowdown``, two threads' time while a core is held over one thread's; both
        medians of the rounds' own ratios. And how many processors others kept busy meanwhile.
    """
    from .machine import Neighbours
    from .measure import epoch_seconds, steps_that_take
    from .peers import OWN

    work = OWN.work(case.problem())
    assert work is not None
    with condition(ONE):
        steps = steps_that_take(work, case)
    rounds_of: dict[str, list[float]] = {name: [] for name in THREADS}
    gc.collect()
    gc.freeze()
    neighbours = Neighbours()
    for _ in range(rounds):
        for name, times in rounds_of.items():
            with condition(name):
                epoch_seconds(work, steps)  # until the system has spread threads and the other process over the cores
                times.append(epoch_seconds(work, steps) / steps * 1e6)
    others = neighbours.processors()
    gc.unfreeze()
    return {"case": case.name, "steps": steps, "processors_of_others": others} | figures(rounds_of)


def figures(rounds_of: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians and ratios of the rounds' times."""
    return {
        "us_per_step": {name: statistics.median(times) for name, times in rounds_of.items()},
        "rounds": rounds_of,
        "speed_up": _median_ratio(rounds_of[ONE], rounds_of[TWO]),
        "slowdown": _median_ratio(rounds_of[HELD], rounds_of[ONE]),
    }


def _median_ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


if __name__ == "__main__":
    main()
