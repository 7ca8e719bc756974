"""The compiled engine's library: where it is, whether it fits this package and this processor, and how it is to run."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final, Literal

from ...errors import MissingExtraError, SpecificationError, StorageError, check_number, closest
from ..environment import variable

#: The version of the C interface that this package speaks: kAbi in core/plan.hpp. Every change of it raises both.
ABI: Final = 2
#: Bits of ``layerwise_code_paths()``, best first.
CODE_PATHS: Final = {"avx512": 4, "avx2": 2, "portable": 1}
ENGINES: Final = ("native", "reference")
SUFFIX: Final = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
#: pip keeps what it once built, also what it built without a compiler.
REINSTALL: Final = (
    "reinstall layerwise with a C++ compiler (g++ or clang++): pip install --force-reinstall --no-cache-dir"
)
#: More threads than any machine has processors are taken for a mistake.
MOST_THREADS: Final = 4096


@cache
def library() -> ctypes.CDLL | None:
    """Return the library, loaded once a process; None where the package was installed without it.

    Raises
    ------
    StorageError
        There is a library, but it cannot be loaded or belongs to another version of this package.
    """
    path = library_path()
    if path is None:
        return None
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as problem:
        why = " ".join(str(problem).split())
        raise StorageError(
            where=str(path), expected="a library that this system can load", got=f"an error ({why})", remedy=REINSTALL
        ) from problem
    found = _number(loaded, "layerwise_abi") if hasattr(loaded, "layerwise_abi") else None
    if found != ABI:
        got = "a library without a version" if found is None else f"version {found}"
        raise StorageError(
            where=str(path), expected=f"version {ABI} of the compiled engine's interface", got=got, remedy=REINSTALL
        )
    return loaded


def library_path() -> Path | None:
    """Return the library's file: LAYERWISE_NATIVE_LIBRARY if set, else the one beside this file if there is one."""
    chosen = os.environ.get("LAYERWISE_NATIVE_LIBRARY")
    if chosen:
        if not Path(chosen).is_file():
            raise StorageError(
                where="LAYERWISE_NATIVE_LIBRARY", expected="the path of a library", got=f"{chosen!r}, which is no file",
                remedy="correct it, or unset it to use the library of the package",
            )  # fmt: skip
        return Path(chosen).absolute()  # a bare name would be searched for in the system's folders
    own = Path(__file__).with_name(f"_core{SUFFIX}")
    return own if own.is_file() else None


@cache  # a processor stays what it is
def _number(loaded: ctypes.CDLL, name: str) -> int:
    function = getattr(loaded, name)
    function.argtypes, function.restype = (), ctypes.c_int
    return int(function())


def code_paths() -> tuple[str, ...]:
    """Return the instruction sets that library and processor both have, best first; none without a library."""
    loaded = library()
    bits = 0 if loaded is None else _number(loaded, "layerwise_code_paths")
    return tuple(name for name, bit in CODE_PATHS.items() if bits & bit)


def code_path() -> str:
    """Return the instruction set to run on: the best one, or the one that LAYERWISE_CODE_PATH names.

    Raises
    ------
    SpecificationError
        LAYERWISE_CODE_PATH names none, or one that this processor has not.
    MissingExtraError
        There is no library.
    """
    there = code_paths()
    if not there:
        raise _no_library("the code path")
    chosen = variable("LAYERWISE_CODE_PATH")
    if not chosen:
        return there[0]
    if chosen not in there:
        known = chosen in CODE_PATHS
        raise SpecificationError(
            where="LAYERWISE_CODE_PATH", expected=f"one of {', '.join(there)}",
            got=f"{chosen!r}, which this processor or this library has not" if known else repr(chosen),
            remedy="unset it to take the best" if known else closest(chosen, list(there)),
        )  # fmt: skip
    return chosen


#: What `sharing` has said to runs of the present thread.
_share: ContextVar[Callable[[], int] | None] = ContextVar("layerwise_share", default=None)


@contextmanager
def sharing(share: Callable[[], int]) -> Iterator[None]:
    """Have the runs of this thread use as many threads as `share` says at the time, in place of all that are allowed.

    For threads of Python that train at the same time, so that they do not crowd each other.
    """
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def threads() -> int:
    """Return the number of threads to use: LAYERWISE_THREADS if set, else what this process is allowed.

    That is the least of: processors it may run on, its control group's share of them rounded up, and OMP_NUM_THREADS,
    which joblib sets in its workers so that they do not crowd each other. Within `sharing`, a share of it.
    """
    share = _share.get()
    if share is not None:
        return share()
    asked = variable("LAYERWISE_THREADS")
    if asked:
        number = int(asked) if _is_whole(asked) else asked
        check_number("LAYERWISE_THREADS", number, at_least=1, at_most=MOST_THREADS, whole=True)
        return int(number)
    limits = [_processors(), _quota()]
    shared = (variable("OMP_NUM_THREADS") or "").split(",")[0]  # a list of it is about nested regions
    if _is_whole(shared) and int(shared) > 0:  # others' variable: what they ignore is ignored here
        limits.append(int(shared))
    return max(1, min(limit for limit in limits if limit is not None))


def _is_whole(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdecimal() and len(text) < 20


def _processors() -> int:
    # Those that the process may run on are some of the machine's, which takes much longer to count.
    has_affinity = hasattr(os, "sched_getaffinity")
    counts = [len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1]
    process_cpu_count = getattr(os, "process_cpu_count", None)  # Python 3.13; heeds PYTHON_CPU_COUNT
    if process_cpu_count is not None:
        counts.append(process_cpu_count() or 1)
    return min(counts)


@cache
def _quota(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return the processors that the control groups (version 2) of this process allow, rounded up; None if any number.

    Every group above counts as well.  The files are ``cpu.max``: "max 100000" or "150000 100000", time of a period.
    """
    lines = _read(own).splitlines()
    inner = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    group = groups / inner.strip().lstrip("/")
    quotas = []
    for folder in (group, *group.parents):
        fields = _read(folder / "cpu.max").split()
        if len(fields) == 2 and all(_is_whole(field) for field in fields) and int(fields[1]) > 0:
            quotas.append(math.ceil(int(fields[0]) / int(fields[1])))
        if folder == groups:
            break
    return min(quotas, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # another system, or none of our business
        return ""


def engine_choice() -> Literal["native", "reference"]:
    """Return the engine to run on: the one that LAYERWISE_ENGINE names, else the compiled one where it is installed.

    Where it is not, a RuntimeWarning says so once a process.

    Raises
    ------
    SpecificationError
        LAYERWISE_ENGINE names no engine.
    MissingExtraError
        LAYERWISE_ENGINE asks for the compiled engine, which is not installed.
    """
    chosen = variable("LAYERWISE_ENGINE")
    if chosen and chosen not in ENGINES:
        raise SpecificationError(
            where="LAYERWISE_ENGINE", expected=" or ".join(ENGINES), got=repr(chosen),
            remedy=closest(chosen, list(ENGINES)),
        )  # fmt: skip
    if chosen == "reference":
        return "reference"
    if library() is not None:
        return "native"
    if chosen == "native":
        raise _no_library("LAYERWISE_ENGINE=native")
    _say_that_it_is_slow()
    return "reference"


def _no_library(where: str) -> MissingExtraError:
    return MissingExtraError(
        where=where, expected="the compiled engine", got="an installation without it", remedy=REINSTALL
    )


@cache  # once a process, whatever the filters of warnings say
def _say_that_it_is_slow() -> None:
    warnings.warn(
        f"layerwise runs on NumPy, many times slower, as its compiled engine is not installed; {REINSTALL}, "
        "or set LAYERWISE_ENGINE=reference to hear no more of it",
        RuntimeWarning, stacklevel=3,
    )  # fmt: skip
