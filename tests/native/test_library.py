"""Which library is loaded, on which instruction set and how many threads it runs, and which engine is taken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from layerwise.engines.native import library as native
from layerwise.errors import MissingExtraError, SpecificationError, StorageError

REMEMBERED = (native.library, native._quota, native._say_that_it_is_slow)
COMPILER = shutil.which(os.environ.get("CXX") or "g++") or shutil.which("clang++")


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """No choices in the environment, and nothing remembered before or after."""
    for name in ("LAYERWISE_ENGINE", "LAYERWISE_CODE_PATH", "LAYERWISE_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    forget()
    yield
    forget()


def forget():
    for remembered in REMEMBERED:
        remembered.cache_clear()


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Make a library of the given version for a processor with the given code paths the one that is found."""
    if COMPILER is None:
        pytest.skip("no C++ compiler")

    def make(abi=native.ABI, bits=7, text=None):
        if text is None:
            text = f"int layerwise_abi() {{ return {abi}; }} int layerwise_code_paths() {{ return {bits}; }}"
        source, built = tmp_path / "stub.cpp", tmp_path / f"stub{native.SUFFIX}"
        source.write_text(f'extern "C" {{ {text} }}\n', encoding="utf-8")
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", built, source], check=True, timeout=60)
        monkeypatch.setenv("LAYERWISE_NATIVE_LIBRARY", str(built))
        return built

    return make


@pytest.fixture
def uncompiled(monkeypatch):
    """As if the package had been installed without a compiler."""
    monkeypatch.setattr(native, "library_path", lambda: None)


def test_the_engine_is_there_where_it_is_required():
    if os.environ.get("LAYERWISE_REQUIRE_NATIVE") in (None, "", "0"):
        pytest.skip("the compiled engine is not required here")
    assert native.library() is not None
    assert "portable" in native.code_paths()
    assert native.engine_choice() == "native"


def test_a_library_is_loaded_once(stub):
    built = stub()
    assert native.library_path() == built
    assert native.library() is native.library()
    assert native.code_paths() == ("avx512", "avx2", "portable")
    assert native.engine_choice() == "native"


def test_a_relative_path_is_one_of_this_folder(stub, monkeypatch):
    built = stub()
    monkeypatch.chdir(built.parent)
    monkeypatch.setenv("LAYERWISE_NATIVE_LIBRARY", built.name)
    assert native.library_path() == built
    assert native.library() is not None


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("int layerwise_abi() { return 987; }", "version 987"),
        ("int something_else() { return 1; }", "a library without a version"),
    ],
)
def test_a_library_of_another_version(stub, refuses, text, got):
    built = stub(text=text)
    with refuses(StorageError, str(built), f"expected version {native.ABI}", got, "reinstall"):
        native.library()


def test_a_file_that_is_no_library(tmp_path, monkeypatch, refuses):
    file = tmp_path / "broken.so"
    file.write_bytes(b"\x7fELF and no more")
    monkeypatch.setenv("LAYERWISE_NATIVE_LIBRARY", str(file))
    for _ in range(2):  # an error is not remembered as "no library"
        with refuses(StorageError, str(file), "a library that this system can load", "reinstall"):
            native.engine_choice()


def test_a_file_that_is_not_there(tmp_path, monkeypatch, refuses):
    monkeypatch.setenv("LAYERWISE_NATIVE_LIBRARY", str(tmp_path / "gone.so"))
    with refuses(StorageError, "LAYERWISE_NATIVE_LIBRARY", "gone.so", "unset it"):
        native.library()


def test_without_a_library(uncompiled, refuses):
    assert native.library() is None
    assert native.code_paths() == ()
    with refuses(MissingExtraError, "C++ compiler"):
        native.code_path()


@pytest.mark.parametrize(
    ("bits", "there"), [(7, ("avx512", "avx2", "portable")), (3, ("avx2", "portable")), (1, ("portable",))]
)
def test_code_paths(stub, monkeypatch, refuses, bits, there):
    stub(bits=bits)
    assert native.code_paths() == there
    assert native.code_path() == there[0]
    for name in ("avx512", "avx2", "portable"):
        monkeypatch.setenv("LAYERWISE_CODE_PATH", name)
        if name in there:
            assert native.code_path() == name
        else:
            with refuses(SpecificationError, "LAYERWISE_CODE_PATH", f"one of {', '.join(there)}", name, "unset it"):
                native.code_path()
    monkeypatch.setenv("LAYERWISE_CODE_PATH", "portabel")
    with refuses(SpecificationError, "LAYERWISE_CODE_PATH", "'portabel'", "did you mean 'portable'?"):
        native.code_path()
    monkeypatch.setenv("LAYERWISE_CODE_PATH", "")
    assert native.code_path() == there[0]


def processors(monkeypatch, count):
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(count)), raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: count, raising=False)


@pytest.mark.parametrize(
    ("count", "quota", "shared", "expected"),
    [
        (8, None, None, 8), (8, 3, None, 3), (2, 3, None, 2), (8, None, "4", 4), (8, 3, "4", 3), (8, None, "16", 8),
        (8, None, "4,2", 4), (8, None, "0", 8), (8, None, "many", 8), (8, None, "", 8), (1, None, "1", 1),
    ],
)  # fmt: skip
def test_threads_are_the_least_of_what_is_allowed(monkeypatch, count, quota, shared, expected):
    processors(monkeypatch, count)
    monkeypatch.setattr(native, "_quota", lambda: quota)
    if shared is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", shared)
    assert native.threads() == expected


@pytest.mark.parametrize("name", ["cpu_count", "sched_getaffinity", "process_cpu_count"])
def test_each_way_of_counting_processors_counts(monkeypatch, name):
    processors(monkeypatch, 8)
    monkeypatch.setattr(native, "_quota", lambda: None)
    if name == "cpu_count":  # where a process cannot be bound to some of them
        monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, name, (lambda process: {0, 5, 7}) if name == "sched_getaffinity" else lambda: 3)
    assert native.threads() == 3


def test_threads_asked_for(monkeypatch):
    processors(monkeypatch, 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for asked in ("1", "3", "4096"):
        monkeypatch.setenv("LAYERWISE_THREADS", asked)
        assert native.threads() == int(asked)


def test_a_share_of_the_threads_is_for_this_thread_and_for_now(monkeypatch):
    monkeypatch.setenv("LAYERWISE_THREADS", "6")
    left = [4]
    with ThreadPoolExecutor(1) as other, native.sharing(lambda: 6 // left[0]):
        assert native.threads() == 1
        left[0] = 2
        assert native.threads() == 3
        assert other.submit(native.threads).result() == 6
        with native.sharing(lambda: 1):
            assert native.threads() == 1
        assert native.threads() == 3
    assert native.threads() == 6


@pytest.mark.parametrize("asked", ["0", "-1", "1.5", "two", "4097", "9" * 5000, "²", "1_0"])
def test_threads_that_cannot_be(monkeypatch, refuses, asked):
    monkeypatch.setenv("LAYERWISE_THREADS", asked)
    with refuses(SpecificationError, "LAYERWISE_THREADS", "a whole number of at least 1"):
        native.threads()


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({}, None),
        ({"": "max 100000"}, None),
        ({"": "200000 100000"}, 2),
        ({"a/b": "150000 100000"}, 2),
        ({"a/b": "10000 100000"}, 1),
        ({"a": "300000 100000", "a/b": "max 100000"}, 3),
        ({"": "100000 100000", "a": "300000 100000", "a/b": "200000 100000"}, 1),
        ({"a/c": "100000 100000"}, None),  # a neighbour's
        ({"a/b": "nonsense"}, None),
    ],
)
def test_the_quota_of_control_groups(tmp_path, quotas, expected):
    groups, own = tmp_path / "groups", tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/a/b\n", encoding="ascii")
    (groups / "a" / "b").mkdir(parents=True)
    (groups / "a" / "c").mkdir()
    for folder, text in quotas.items():
        (groups / folder / "cpu.max").write_text(text + "\n", encoding="ascii")
    assert native._quota(groups, own) == expected


def test_no_control_groups(tmp_path):
    assert native._quota(tmp_path / "none", tmp_path / "neither") is None


def test_the_engine_that_is_named(stub, monkeypatch, refuses):
    stub()
    for name in ("native", "reference"):
        monkeypatch.setenv("LAYERWISE_ENGINE", name)
        assert native.engine_choice() == name
    monkeypatch.setenv("LAYERWISE_ENGINE", "nativ")
    with refuses(SpecificationError, "LAYERWISE_ENGINE", "native or reference", "did you mean 'native'?"):
        native.engine_choice()


def test_the_named_engine_is_not_installed(uncompiled, monkeypatch, refuses):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    with refuses(MissingExtraError, "LAYERWISE_ENGINE=native", "reinstall", "C++ compiler"):
        native.engine_choice()


def test_the_slow_engine_is_said_once(uncompiled):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert [native.engine_choice() for _ in range(3)] == ["reference"] * 3
    (only,) = said
    assert only.category is RuntimeWarning
    assert "C++ compiler" in str(only.message)
    assert "\n" not in str(only.message)


def test_the_slow_engine_on_purpose_is_not_remarked_on(uncompiled, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")
    assert native.engine_choice() == "reference"  # warnings are errors here


def test_importing_loads_no_library():
    code = "from layerwise.engines.native.library import library; print(library.cache_info().misses)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "0\n"
