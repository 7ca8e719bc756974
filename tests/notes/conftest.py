"""Chapters as they run without a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from layerwise.notes import Chapter


@dataclass
class Ran:
    """What a chapter left: what each cell shows, and what it defined."""

    outputs: list[Any]
    defined: dict[str, Any]


@pytest.fixture(scope="session")
def run_chapter() -> Callable[[Chapter], Ran]:
    """Run a chapter from its file in this process; an error in a cell is an error here."""
    pytest.importorskip("marimo")

    def run(chapter: Chapter) -> Ran:
        spec = spec_from_file_location(f"_{chapter.path.stem}", chapter.path)
        module = module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            outputs, defined = module.app.run()
        finally:
            del sys.modules[spec.name]
        return Ran(list(outputs), dict(defined))

    return run
