"""`layerwise inspect --engine` says what the engines themselves go by; anything else gets one line."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from layerwise.engines.native import library as native


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    """An environment without choices."""
    for name in ("ENGINE", "CODE_PATH", "THREADS", "NATIVE_LIBRARY"):
        monkeypatch.delenv(f"LAYERWISE_{name}", raising=False)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """As if there were a library, on a processor without AVX-512."""
    path = tmp_path / "_core.so"
    replaced = {
        "library": lambda: SimpleNamespace(layerwise_code_paths=lambda: 3),
        "library_path": lambda: path,
    }
    _everywhere(monkeypatch, replaced)
    return path


@pytest.fixture
def uncompiled(monkeypatch):
    """As if the package had been installed without a compiler."""
    _everywhere(monkeypatch, {"library": lambda: None, "library_path": lambda: None})
    native._say_that_it_is_slow.cache_clear()


def _everywhere(monkeypatch, replaced):
    from layerwise.cli import inspect

    for name, function in replaced.items():
        monkeypatch.setattr(native, name, function)
        monkeypatch.setattr(inspect, name, function)
    monkeypatch.setattr(native, "_number", lambda loaded, name: getattr(loaded, name)())


def lines(out: str) -> dict[str, str]:
    """The table: name to value."""
    return {line[:9].strip(): line[9:].strip() for line in out.splitlines()}


def test_native(run, monkeypatch, compiled):
    monkeypatch.setenv("LAYERWISE_THREADS", "3")
    answer = run("inspect", "--engine")
    assert (answer.code, answer.err) == (0, "")
    assert lines(answer.out) == {
        "engine": "native", "code path": "avx2", "available": "avx2, portable", "threads": "3",
        "library": str(compiled),
    }  # fmt: skip
    assert len({len(line) - len(line[9:].lstrip()) for line in answer.out.splitlines()}) == 1  # a column of values


def test_json(run, monkeypatch, compiled):
    monkeypatch.setenv("LAYERWISE_THREADS", "3")
    monkeypatch.setenv("LAYERWISE_CODE_PATH", "portable")
    answer = run("inspect", "--engine", "--json")
    assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", 1)
    assert json.loads(answer.out) == {
        "engine": "native", "code_path": "portable", "code_paths": ["avx2", "portable"], "threads": 3,
        "library": str(compiled),
    }  # fmt: skip


def test_reference_on_purpose(run, monkeypatch, compiled):
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")
    answer = run("inspect", "--engine", "--json")
    assert answer.code == 0
    assert json.loads(answer.out) == {
        "engine": "reference", "code_path": None, "code_paths": ["avx2", "portable"], "threads": 1,
        "library": str(compiled),
    }  # fmt: skip


def test_reference_for_want_of_a_library(run, uncompiled):
    answer = run("inspect", "--engine")
    assert (answer.code, answer.err) == (0, "")  # the warning would only repeat what is shown
    shown = lines(answer.out)
    assert (shown["engine"], shown["threads"], shown["available"]) == ("reference", "1", "none compiled")
    assert "C++ compiler" in shown["library"]
    facts = json.loads(run("inspect", "--engine", "--json").out)
    assert facts == {"engine": "reference", "code_path": None, "code_paths": [], "threads": 1, "library": None}


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--json"]])
def test_nothing_to_inspect_explains_both_uses(refused, arguments):
    refused(
        arguments, "inspect: expected MODEL or --engine, got nothing to inspect",
        "layerwise inspect models/NAME", "layerwise inspect --engine",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "pieces"),
    [
        ("ENGINE", "refrence", ["expected native or reference", "'refrence'", "did you mean 'reference'?"]),
        ("CODE_PATH", "avx512", ["expected one of avx2, portable", "'avx512', which this processor", "unset it"]),
        ("CODE_PATH", "avx3", ["expected one of avx2, portable", "'avx3'", "did you mean 'avx2'?"]),
        ("THREADS", "0", ["whole number of at least 1", "got 0"]),
        ("THREADS", "two", ["whole number of at least 1", "'two'"]),
    ],
)
def test_impossible_choices(refused, monkeypatch, compiled, name, value, pieces):
    monkeypatch.setenv(f"LAYERWISE_{name}", value)
    refused(["inspect", "--engine"], f"LAYERWISE_{name}: ", *pieces)


def test_native_without_a_library(refused, monkeypatch, uncompiled):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    refused(["inspect", "--engine"], "LAYERWISE_ENGINE=native: expected the compiled engine", "C++ compiler")


def test_a_file_that_is_no_library(refused, monkeypatch, workplace):
    file = workplace / "not-a-library.so"
    file.write_text("text", encoding="utf-8")
    monkeypatch.setenv("LAYERWISE_NATIVE_LIBRARY", str(file))
    native.library.cache_clear()
    try:
        refused(["inspect", "--engine"], f"{file}: expected a library that this system can load", "C++ compiler")
    finally:
        native.library.cache_clear()
