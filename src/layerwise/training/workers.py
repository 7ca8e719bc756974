"""Work on several threads of Python: each takes the next task as soon as it is free, and one failure ends all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from ..engines import engine, sharing
from .interruption import interruptible

T = TypeVar("T")
#: Seconds after which a wait looks up: on some systems Ctrl-C is not heard during one.
LOOK_UP = 0.1


def share_out(count: int, task: Callable[[int, Callable[[], bool]], T]) -> list[T]:
    """Call task(k, interrupted) for k = 0 .. count - 1 on as many threads as the engine uses.

    The calling thread is one of them, so that Ctrl-C, which the main thread alone hears of, reaches all: from then on
    ``interrupted()`` is True in every task, and those that have not begun are still called.

    Parameters
    ----------
    count : int
    task : callable
        The runs that it makes use one thread; more only while fewer tasks than threads are left.

    Returns
    -------
    list
        What the tasks returned, in their order.

    Raises
    ------
    BaseException
        What a task has raised; the others were told that they are interrupted, and have ended.
    """
    allowed = engine().threads
    number = min(allowed, count)
    waiting = deque(range(count))
    results: dict[int, T] = {}
    failed = threading.Event()

    def share() -> int:
        return max(1, allowed // max(1, count - len(results)))

    with interruptible() as interruption, ThreadPoolExecutor(max(1, number - 1), "layerwise") as pool:

        def interrupted() -> bool:
            return interruption.asked or failed.is_set()

        def work() -> None:
            with sharing(share), telling(failed):
                while waiting and not failed.is_set():
                    try:
                        k = waiting.popleft()
                    except IndexError:  # another thread has just taken the last one
                        return
                    results[k] = task(k, interrupted)

        with telling(failed):  # of a second Ctrl-C
            others = [pool.submit(work) for _ in range(number - 1)]
            work()
            while wait(others, LOOK_UP).not_done:
                pass
    for other in others:
        other.result()  # raises what that thread has
    return [results[k] for k in range(count)]


@contextmanager
def telling(failed: threading.Event) -> Iterator[None]:
    """Set the event if the block raises."""
    try:
        yield
    except BaseException:
        failed.set()
        raise
