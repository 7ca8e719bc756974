"""Many cases in child processes that go on from case to case: what crashes, hangs or takes memory is told case by case.

A kind of cases is a module beside this one with three functions:

    prepare(place)                make models, import and warm up, once for each child
    make(chance, folder) -> str   write a case into an empty folder, and say in a few words what it is
    attempt(folder) -> str        do with it what users do; say what came of it, raise what must not be

The clock runs and memory is watched during `attempt` alone. A case is made from its seed, so that it can be had again:

    python tests/stress/fuzz_data.py 1 SEED --first K
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import json
import os
import random
import resource
import selectors
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: What a case may take: seconds of a processor, seconds by the clock (others may be at work), and MiB of memory.
SECONDS, CLOCK, MEMORY = 2.0, float(os.environ.get("LAYERWISE_STRESS_CLOCK", "20")), 1024
#: A child is not used for more cases, so that what one leaves behind does not count against another.
CASES_OF_A_CHILD = 400
#: Seconds until a child is ready.
START = 120.0
#: A disk would be asked for thousands of small files.
PLACE = "/dev/shm" if os.path.isdir("/dev/shm") else None
HERE = Path(__file__).parent
FAILURES = HERE.parents[1] / "build" / "stress"


# ---- in the child ----


def bad_message(problem: Exception) -> str | None:
    """Return what is wrong with the message of an error of Layerwise, None if it is one line that says what to do."""
    parts = [getattr(problem, part, "") for part in ("expected", "got", "remedy")]
    text = str(problem)
    if not all(parts):
        return "a message without expected, got or remedy"
    if "\n" in text or "\r" in text:
        return "a message of more than one line"
    return "a message of more than 2000 letters" if len(text) > 2000 else None


def refused_or(action: Callable[[], Any]) -> str:
    """Do something; return "refused" if an error of Layerwise came of it, "works" if none did."""
    from layerwise.errors import LayerwiseError

    try:
        action()
    except LayerwiseError as problem:
        if wrong := bad_message(problem):
            raise AssertionError(f"{wrong}: {problem!r}") from problem
        return "refused"
    return "works"


def command(*arguments: str) -> str:
    """Run a command of Layerwise as the console would; return "refused" or "works"."""
    from typer import Typer
    from typer.main import get_command

    from layerwise.cli import app as home
    from layerwise.cli import main

    if isinstance(home.app, Typer):  # which would build every command anew for every case
        home.app = get_command(home.app)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    said = err.getvalue()
    if code == 0:
        return "works"
    last = said.rstrip("\n").rpartition("\n")[2]
    # The last two are for what no reader knew to be its own fault.
    if code != 2 or not last.startswith("layerwise: ") or "write the output" in last or "fit into memory" in last:
        raise AssertionError(f"exit code {code} of {arguments[0]}: {said[-500:]!r}")
    return "refused"


def peak_mib(reset: bool = False) -> int:
    """Return the most memory that this process has had since the last reset, in MiB."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:  # not Linux: since the beginning, then
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if sys.platform == "darwin" else 10)


def limit_memory() -> None:
    """Let no more address space be had than a case may take of memory, and half as much again for what is not used."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (MEMORY * 3 // 2 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def child(kind: str, place: Path) -> None:
    """Take cases from standard input, a seed a line, and answer each with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing else may get among the answers
    module = importlib.import_module(kind)
    (place / "made").mkdir()
    os.chdir(place)
    module.prepare(place / "made")
    limit_memory()
    faulthandler.enable()
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        seed = line.strip()
        os.ftruncate(2, 0)
        print(json.dumps(one(module, seed, place / "case")), file=answers, flush=True)


def one(module: Any, seed: str, folder: Path) -> dict[str, Any]:
    """Make a case and try it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    what, came, problem = module.make(random.Random(seed), folder), "", ""
    before, used = peak_mib(reset=True), time.process_time()
    faulthandler.dump_traceback_later(CLOCK, exit=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            came = module.attempt(folder)
    except BaseException as raised:  # noqa: BLE001  # whatever it is, it is a finding
        problem = f"{type(raised).__name__}: {raised}\n{''.join(traceback.format_tb(raised.__traceback__)[-4:])}"
    finally:
        faulthandler.cancel_dump_traceback_later()
    used, memory = time.process_time() - used, peak_mib()
    beyond = [f"{used:.1f} s of a processor"] if used > SECONDS else []
    beyond += [f"{memory} MiB of memory, {before} before"] if memory > MEMORY else []
    problem = problem or "; ".join(beyond)
    return {"what": what, "came": came, "problem": problem, "seconds": used, "memory": memory}


# ---- in the parent ----


@dataclass
class Found:
    """What came of all cases."""

    came: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")


class Child:
    """A process at work on cases."""

    def __init__(self, kind: str, place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self.place, self.done, self.seed = place, 0, ""
        quiet = {"RUST_BACKTRACE": "0", "POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (place / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "cases.py"), kind, str(place)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, env={**os.environ, **quiet}, text=True,
            )  # fmt: skip
        self.until = time.monotonic() + START

    def give(self, seed: str) -> None:
        """Hand over the next case."""
        self.seed, self.until = seed, time.monotonic() + 2 * CLOCK
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its end is seen where its answer is waited for
            self.process.stdin.write(seed + "\n")
            self.process.stdin.flush()

    def answer(self) -> Any:
        """Return what it says, None if it has died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def end(self) -> str:
        """End it; return what it said last."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        said = (self.place / "log").read_bytes()[-3000:].decode("utf-8", "replace")
        return f"exit code {self.process.returncode}: {said}"


def try_all(kind: str, seeds: list[str], children: int, progress: Callable[[int], None]) -> Found:
    """Try every case, in several processes."""
    found, waiting = Found(), list(reversed(seeds))
    with tempfile.TemporaryDirectory(prefix="layerwise-stress-", dir=PLACE) as place:
        workers = selectors.DefaultSelector()

        def begin(number: int) -> None:
            made = Child(kind, Path(place) / str(number))
            workers.register(made.process.stdout, selectors.EVENT_READ, (number, made))  # type: ignore[arg-type]

        def leave(made: Child) -> str:
            workers.unregister(made.process.stdout)  # type: ignore[arg-type]
            return made.end()

        try:
            for number in range(min(children, len(seeds))):
                begin(number)
            while workers.get_map():
                ready = {key.data for key, _ in workers.select(1.0)}
                late = {key.data for key in workers.get_map().values() if time.monotonic() > key.data[1].until}
                for number, worker in ready | late:
                    answer = worker.answer() if (number, worker) in ready else None
                    if answer is None:
                        note(found, worker, {"problem": leave(worker), "what": "a crash or a hang"})
                        if not worker.seed:
                            raise RuntimeError(f"a child did not start: {found.failures[-1]}")
                    elif answer != "ready":
                        note(found, worker, answer)
                    if answer is None or (worker.done >= CASES_OF_A_CHILD and waiting):
                        if answer is not None:
                            leave(worker)
                        if waiting:
                            begin(number)
                    elif waiting:
                        worker.give(waiting.pop())
                    else:
                        leave(worker)
                    progress(sum(found.came.values()))
        finally:
            for key in list(workers.get_map().values()):
                leave(key.data[1])
    return found


def note(found: Found, worker: Child, answer: dict[str, Any]) -> None:
    """Count a case; keep it, if it failed."""
    worker.done += 1
    found.came[answer["came"] if not answer["problem"] else "FAILED"] += 1
    found.slowest = max(found.slowest, (answer.get("seconds", 0.0), worker.seed))
    found.largest = max(found.largest, (answer.get("memory", 0), worker.seed))
    if not answer["problem"]:
        return
    kept = FAILURES / worker.seed
    shutil.rmtree(kept, ignore_errors=True)
    if (worker.place / "case").exists():
        FAILURES.mkdir(parents=True, exist_ok=True)
        shutil.copytree(worker.place / "case", kept, symlinks=True, ignore=not_to_be_copied)
    found.failures.append(f"case {worker.seed} ({answer['what']}), kept in {kept}:\n{answer['problem']}")
    print(found.failures[-1], file=sys.stderr, flush=True)


def not_to_be_copied(folder: str, names: list[str]) -> list[str]:
    """Return the names of pipes."""
    return [name for name in names if stat.S_ISFIFO(os.lstat(os.path.join(folder, name)).st_mode)]


def main(kind: str, arguments: list[str]) -> int:
    """Try COUNT cases by SEED in CHILDREN processes; return the exit code.

    SEED is the time if it is not given; the numbers of the cases begin at --first, by default 0.
    """
    first = int(arguments[arguments.index("--first") + 1]) if "--first" in arguments else 0
    given = arguments[: arguments.index("--first")] if "--first" in arguments else arguments
    count = int(given[0]) if given else 200
    seed = given[1] if len(given) > 1 else os.environ.get("LAYERWISE_STRESS_SEED", str(int(time.time())))
    children = int(given[2]) if len(given) > 2 else min(os.cpu_count() or 1, 8)
    print(f"{kind}: {count} cases, seed {seed}", flush=True)
    began, shown = time.monotonic(), 0.0

    def progress(done: int) -> None:
        nonlocal shown
        if done and (time.monotonic() - shown > 10 or done == count):
            shown = time.monotonic()
            left = (shown - began) / done * (count - done)
            print(f"  {done} of {count}, {left:.0f} s left", flush=True)

    found = try_all(kind, [f"{seed}-{k}" for k in range(first, first + count)], children, progress)
    print(
        f"{kind}: {count} cases in {time.monotonic() - began:.0f} s, {dict(found.came)}, "
        f"{len(found.failures)} failures; slowest {found.slowest[0]:.2f} s of a processor ({found.slowest[1]}), "
        f"largest {found.largest[0]} MiB ({found.largest[1]})"
    )
    return int(bool(found.failures))


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]))
