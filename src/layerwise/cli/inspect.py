"""`layerwise inspect --engine`: what trains and predicts here."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ..engines.native.library import code_path, code_paths, engine_choice, library, library_path, threads
from ..errors import SpecificationError


@dataclass(frozen=True)
class EngineFacts:
    """What runs programs in this process.

    Parameters
    ----------
    engine : str
        native or reference.
    code_path : str, optional
        The instruction set in use; None on the reference engine.
    code_paths : tuple of str
        Those that library and processor both have, best first; none without a library.
    threads : int
        How many are used at most.
    library : str, optional
        The compiled engine's file; None where it is not installed.
    """

    engine: str
    code_path: str | None
    code_paths: tuple[str, ...]
    threads: int
    library: str | None


def engine_facts() -> EngineFacts:
    """Find out what runs programs in this process, by the same functions that the engines ask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that the engine is not installed is shown as a fact
        engine = engine_choice()
    native = engine == "native"
    return EngineFacts(
        engine=engine,
        code_path=code_path() if native else None,
        code_paths=code_paths(),
        threads=threads() if native else 1,  # NumPy's sums depend on their number, so the reference engine keeps to one
        library=None if library() is None else str(library_path()),
    )


def inspect(
    engine: Annotated[
        bool, typer.Option("--engine", help="Show engine, code path and threads that are in use here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show which engine, instruction set and number of threads are in use.

    The environment can choose others: LAYERWISE_ENGINE, LAYERWISE_CODE_PATH, LAYERWISE_THREADS.

    Example:

      layerwise inspect --engine
    """
    if not engine:
        raise SpecificationError(
            where="inspect", expected="--engine", got="nothing to inspect", remedy="ask layerwise inspect --engine"
        )
    facts = engine_facts()
    if as_json:
        typer.echo(json.dumps(asdict(facts)))
        return
    shown = {
        "engine": facts.engine,
        "code path": facts.code_path or "NumPy's own",
        "available": ", ".join(facts.code_paths) or "none compiled",
        "threads": str(facts.threads),
        "library": facts.library or "not installed: reinstall with a C++ compiler (g++ or clang++)",
    }
    width = max(map(len, shown))
    for name, value in shown.items():
        typer.echo(f"{name:{width}}  {value}")
