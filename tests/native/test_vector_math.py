"""The engine's vector mathematics and random numbers: math_test.cpp on every code path that this processor can run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "src" / "layerwise" / "engines" / "native"
COMMON_FLAGS = ["-std=c++17", "-O2", "-fPIC", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"]
PROCESSOR_FEATURES = {
    "avx512": ["avx512f", "avx512dq", "avx512bw", "avx512vl", "fma", "avx2"],
    "avx2": ["avx2", "fma"],
    "portable": [],
}


@pytest.fixture(scope="module")
def compiler():
    """The first C++ compiler found, as the beginning of a command line."""
    for command in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if command and shutil.which(shlex.split(command)[0]):
            return shlex.split(command)
    if os.environ.get("LAYERWISE_REQUIRE_NATIVE") == "1":
        pytest.fail("LAYERWISE_REQUIRE_NATIVE=1 but no C++ compiler found; install g++ or clang++, or set CXX")
    pytest.skip("no C++ compiler found")


def processor_features() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return set(re.findall(r"\w+", cpuinfo.read_text())) if cpuinfo.exists() else set()


def compile_and_run(compiler, source: Path, program: Path, flags: list[str]) -> subprocess.CompletedProcess[str]:
    command = [*compiler, *COMMON_FLAGS, *flags, f"-I{NATIVE}", str(source), "-o", str(program)]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    if compiled.returncode:
        return compiled
    return subprocess.run([str(program)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code_path", list(PROCESSOR_FEATURES))
def test_every_function_is_as_accurate_as_its_header_states(compiler, code_path, tmp_path):
    features = PROCESSOR_FEATURES[code_path]
    if missing := set(features) - processor_features():
        pytest.skip(f"this processor lacks {', '.join(sorted(missing))}")
    flags = [f"-m{feature}" for feature in features]
    empty = tmp_path / "empty.cpp"
    empty.write_text("int main() {}\n")
    if flags and compile_and_run(compiler, empty, tmp_path / "empty", flags).returncode:
        pytest.skip(f"{compiler[0]} lacks {' '.join(flags)}")
    source, program = HERE / "cpp" / "math_test.cpp", tmp_path / "math_test"
    result = compile_and_run(compiler, source, program, [*flags, f"-DLW_ISA={code_path}"])
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_part_of_shared_work_runs_once(compiler, tmp_path):
    source, program = HERE / "cpp" / "threads_test.cpp", tmp_path / "threads_test"
    result = compile_and_run(compiler, source, program, ["-pthread", str(NATIVE / "core" / "threads.cpp")])
    assert result.returncode == 0, result.stdout + result.stderr


def read(number: str) -> float:
    number = number.strip().removesuffix("f")
    return float.fromhex(number) if "0x" in number else float(number)


def test_constants_in_the_headers_are_those_that_the_script_derives():
    pytest.importorskip("mpmath")
    script = subprocess.run(
        [sys.executable, HERE / "cpp" / "coefficients.py"], capture_output=True, text=True, check=True
    )
    derived = [
        [read(number) for number in array.split(",")] for array in re.findall(r"^\{(.*)\}$", script.stdout, re.M)
    ]
    headers = "".join(header.read_text() for header in sorted(NATIVE.glob("core/vector_*.hpp")))
    written = [[read(number) for number in array.split(",")] for array in re.findall(r"\[\] = \{([^}]*)\}", headers)]
    written += [
        [read(high), read(low)] for high, low in re.findall(r"log2_high = (\S+), log2_low = (\S+?)[,;]", headers)
    ]
    assert sorted(written) == sorted(derived)
