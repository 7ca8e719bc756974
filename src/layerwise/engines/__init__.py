"""Engines: run programs, over batches of rows or once. They know programs and rows, not networks."""

from functools import cache

from .checks import copied
from .environment import engine_settings
from .interface import Engine, EpochTotals, Executable, Prepared, Source
from .native.library import engine_choice, sharing
from .reference import ReferenceEngine, one_thread

__all__ = [
    "Engine", "EpochTotals", "Executable", "Prepared", "ReferenceEngine", "Source", "copied", "engine",
    "engine_settings", "one_thread", "sharing",
]  # fmt: skip


def engine() -> Engine:
    """Return the engine to load programs with: the one that LAYERWISE_ENGINE names now, or the best that there is.

    Raises
    ------
    SpecificationError, MissingExtraError, StorageError
        If it names an engine that there is not, or the compiled one cannot be used.
    """
    return _made(engine_choice())


@cache
def _made(name: str) -> Engine:
    if name == "reference":
        return ReferenceEngine()
    from .native.engine import NativeEngine

    return NativeEngine()
