"""A few hundred changed files and folders; `make stress` has thousands."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("cases", HERE / "cases.py")
cases = sys.modules["cases"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)
#: Always the same ones: what chance finds is for `make stress`.
CASES, SEED = 100, "every day"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched by what Linux says of processes")


def begin(script, *arguments):
    return subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_hundred_cases():
    begun = [begin(script, str(CASES), SEED, "1") for script in ("fuzz_data.py", "fuzz_models.py")]
    for process in begun:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
        last = out.splitlines()[-1]
        assert f"{CASES} cases" in last
        assert "0 failures" in last
        assert "'refused': " in last
        assert "'works': " in last


#: What must be seen in what is said of a case of each kind.
KINDS = {
    "crash": "exit code -11", "exit": "exit code 0", "hang": "Timeout", "work": "s of a processor",
    "memory": "MiB of memory", "absurd": "MemoryError", "error": "KeyError", "no remedy": "a message without",
    "warning": "UserWarning: look", "good": "",
}  # fmt: skip
MODULE = """
import os, time, warnings
from pathlib import Path
from cases import refused_or
from layerwise.errors import DataError

def prepare(place):
    pass

def make(chance, folder):
    kind = chance.choice(sorted(%r))
    (folder / "content").write_text(kind)
    return kind

def refuse(remedy):
    raise DataError(expected="a", got="b", remedy=remedy)

def attempt(folder):
    match (folder / "content").read_text():
        case "crash": os.kill(os.getpid(), 11)
        case "exit": os._exit(0)
        case "hang": time.sleep(1000)
        case "work":
            until = time.process_time() + 2.2
            while time.process_time() < until: pass
        case "memory": b"x" * (1100 << 20)
        case "absurd": b"x" * (100 << 30)
        case "error": raise KeyError("other")
        case "no remedy": refused_or(lambda: refuse(""))
        case "warning": warnings.warn("look")
        case "good": return refused_or(lambda: refuse("c"))
    return "works"
"""


def test_what_must_not_be_is_seen(tmp_path, monkeypatch):
    """One case of each kind, in one child after another."""
    (tmp_path / "bad_cases.py").write_text(MODULE % list(KINDS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("LAYERWISE_STRESS_CLOCK", "4")
    monkeypatch.setattr(cases, "FAILURES", tmp_path / "kept")
    seeds = {}
    for seed in map(str, range(200)):
        seeds.setdefault(random.Random(seed).choice(sorted(KINDS)), seed)
    assert seeds.keys() == KINDS.keys()
    counted = []
    found = cases.try_all("bad_cases", [*seeds.values()], 2, counted.append)
    assert found.came == {"FAILED": len(KINDS) - 1, "refused": 1}
    assert counted[-1] == len(KINDS)
    assert found.slowest[0] > 2
    assert found.slowest[1] in (seeds["work"], seeds["memory"])  # on a busy machine a gibibyte takes as long
    assert found.largest[0] > 1024
    told = {failure.split()[1]: failure for failure in found.failures}
    for kind, piece in KINDS.items():
        assert (seeds[kind] in told) == (kind != "good")
        assert piece in told.get(seeds[kind], "")
        if kind != "good":
            assert (tmp_path / "kept" / seeds[kind] / "content").read_text() == kind
