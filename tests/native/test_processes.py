"""The engine in child processes: forked before and after it has used threads, spawned, and in joblib's workers.

Every script runs in a Python of its own, and its time is limited: what goes wrong here mostly hangs.
"""

from __future__ import annotations

import os

import pytest

#: A training that threads share, and what tells whether its result is right.
COMMON = """
import hashlib, os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on it warns of forks beside threads
import numpy as np
import layerwise as lw
from layerwise.engines.native.library import threads

NET = lw.Network(300, [200], 10, dropout=0.2)
X, y = np.random.default_rng(0).normal(size=(520, 300)), np.arange(520) % 10

def result(seed=0, epochs=2):
    model = lw.fit(NET, X, y, batch_size=128, epochs=epochs, seed=seed)
    return hashlib.sha256(model.parameters.vector.tobytes() + model.predict(X).tobytes()).hexdigest()

def threads_now():
    return len(os.listdir("/proc/self/task"))

def forked(action):
    '''Run the action in a child; return what it returns, as text.'''
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs ends without an answer
        try:
            os.write(here, str(action()).encode())
        finally:
            os._exit(0)
    os.close(here)
    with os.fdopen(there) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux lists threads there")
THREADS = pytest.mark.parametrize("threads", ["1", "2", "4"])


@needs_fork
@THREADS
@pytest.mark.parametrize("first", ["", "result(1)"], ids=["before", "after"])
def test_fork_before_and_after_the_parent_has_trained(threads, first, child):
    script = (
        COMMON
        + f"""
{first}
children = [forked(result), forked(result), forked(lambda: forked(result))]
own = result()
children += [forked(result)]
assert own == result()
assert children == [own] * 4, (own, children)
"""
    )
    child(script, LAYERWISE_THREADS=threads)


@needs_fork
@needs_proc
def test_a_forked_child_makes_its_own_threads(child):
    script = (
        COMMON
        + """
result()
assert threads_now() >= 4
assert forked(threads_now) == "1"
assert forked(lambda: (result(), threads_now())[1]) == "4"
"""
    )
    child(script, LAYERWISE_THREADS="4")


@needs_fork
@THREADS
def test_fork_while_another_thread_trains(threads, child):
    """The child has no thread that would ever let go of what the training held."""
    script = (
        COMMON
        + """
expected = result()
stop = False
def train():
    while not stop:
        result(1)
thread = threading.Thread(target=train, daemon=True)
thread.start()
try:
    for _ in range(6):
        time.sleep(0.02)
        found = forked(result)
        assert found == expected, found
finally:
    stop = True
    thread.join(30)
"""
    )
    child(script, 100, LAYERWISE_THREADS=threads)


@THREADS
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, threads, child):
    script = (
        COMMON
        + f"""
import multiprocessing
if __name__ == "__main__":
    if {method!r} not in multiprocessing.get_all_start_methods():
        sys.exit(0)
    expected = [result(seed) for seed in range(4)]
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        assert pool.map_async(result, range(4)).get(80) == expected
    assert [result(seed) for seed in range(2)] == expected[:2]
"""
    )
    child(script, 100, LAYERWISE_THREADS=threads)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("threads", [None, "2"])
def test_joblib(backend, threads, child):
    script = (
        COMMON
        + f"""
from joblib import Parallel, cpu_count, delayed
def timed(seed):
    return result(seed), threads()
if __name__ == "__main__":
    expected = [result(seed) for seed in range(6)]
    answers = Parallel(n_jobs=2, backend={backend!r})(delayed(timed)(seed) for seed in range(6))
    assert [found for found, _ in answers] == expected
    if {backend!r} == "loky" and "LAYERWISE_THREADS" not in os.environ:
        assert all(2 * count <= max(2, cpu_count()) for _, count in answers), answers
"""
    )
    child(script, 100, LAYERWISE_THREADS=threads)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be bound to processors here")
@needs_proc
def test_no_more_threads_than_processors_allowed(child):
    script = (
        COMMON
        + """
allowed = sorted(os.sched_getaffinity(0))
everywhere = result()
assert threads() <= len(allowed)
os.sched_setaffinity(0, allowed[:1])
assert threads() == 1
assert result() == everywhere
"""
    )
    child(script)
    script = (
        COMMON
        + """
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
lw.start(NET).step(X[:1], y[:1])
before = threads_now()
assert threads() == 1
result()
assert threads_now() == before
"""
    )
    child(script)


def test_more_threads_than_processors_do_no_harm(child):
    script = (
        COMMON
        + """
expected = result()
started = time.monotonic()
os.environ["LAYERWISE_THREADS"] = "16"
assert result() == expected
print(time.monotonic() - started)
"""
    )
    assert float(child(script, LAYERWISE_THREADS="1")) < 20
