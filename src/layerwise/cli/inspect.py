"""`layerwise inspect`: what a model is, what it makes of one row, and what trains and predicts here."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..engines.native.library import code_path, code_paths, engine_choice, library, library_path, threads
from ..errors import SpecificationError, check_number
from .json_text import json_line


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
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", help="The folder that layerwise train made.")] = None,
    trace: Annotated[
        int | None, typer.Option("--trace", metavar="ROW", help="Every quantity of this row of --data, from 0.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATA", help="As for train, with the target; for --trace.")
    ] = None,
    engine: Annotated[
        bool, typer.Option("--engine", help="Show engine, code path and threads that are in use here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show what a model is, every quantity of one row in it, or the engine in use.

    MODEL alone: data and target, columns and their preparation, layers,
    training, results, versions, and the command to reproduce it.

    With --trace ROW --data DATA: x, a, h, f, the loss and every gradient
    of that row, by their names in the course. Rows count from 0.

    With --engine: engine, instruction set and threads. The environment
    can choose others: LAYERWISE_ENGINE, LAYERWISE_CODE_PATH,
    LAYERWISE_THREADS.

    Exit codes: 0 done; 2 bad input, with one line that says what to do.

    Examples:

    layerwise inspect models/digits

    layerwise inspect models/digits --trace 0 --data digits

    layerwise inspect models/people --json | jq .network

    layerwise inspect --engine
    """
    _check_use(model, trace, data, engine)
    if model is None:
        _show_engine(as_json)
        return
    from ..loading import load
    from ..storage import SavedModel
    from .inspect_estimator import estimator_facts, show_estimator
    from .inspect_model import model_facts, show_model
    from .inspect_trace import row_trace, show_trace, trace_facts
    from .models import UsedModel

    loaded = load(model)
    if not isinstance(loaded, SavedModel) and trace is None:
        known = estimator_facts(loaded)
        if as_json:
            typer.echo(json_line(known))
        else:
            show_estimator(Console(), known)
        return
    used = UsedModel.at(model)
    if trace is not None:
        assert data is not None
        about, found = row_trace(used, data, trace)
        if as_json:
            typer.echo(json_line(trace_facts(about, found, trace)))
        else:
            show_trace(Console(), used, about, found, trace)
        return
    facts = model_facts(used)
    if as_json:
        typer.echo(json_line(facts))
    else:
        show_model(Console(), facts)


def _check_use(model: Path | None, trace: int | None, data: str | None, engine: bool) -> None:
    """Refuse what asks for nothing, or for two things."""
    if model is None and not engine:
        raise SpecificationError(
            where="inspect", expected="MODEL or --engine", got="nothing to inspect",
            remedy="ask layerwise inspect models/NAME about a model, or layerwise inspect --engine about this machine",
        )  # fmt: skip
    if engine and (model is not None or trace is not None or data is not None):
        raise SpecificationError(
            where="inspect", expected="MODEL or --engine", got="both", remedy="ask about one of them at a time"
        )
    if (trace is None) != (data is None):
        given, absent = ("--trace", "--data") if data is None else ("--data", "--trace")
        raise SpecificationError(
            where=given, expected=f"{absent} with it", got="none",
            remedy="give both, such as --trace 0 --data digits",
        )  # fmt: skip
    if trace is not None:
        check_number("--trace", trace, at_least=0, whole=True)


def _show_engine(as_json: bool) -> None:
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
