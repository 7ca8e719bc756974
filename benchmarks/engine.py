"""Which engine Layerwise takes here: the one place that looks for names of Layerwise that may not be there."""

from __future__ import annotations

from importlib import import_module

NATIVE = "layerwise.engines.native"


def engine() -> dict[str, str]:
    """Return the engine that `lw.fit` takes by itself, and the compiled one's code path and threads.

    A Layerwise without ``layerwise.engines.native.library`` knows the reference engine alone.
    """
    try:
        library = import_module(f"{NATIVE}.library")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{NATIVE}.library".startswith(error.name):
            raise  # the module is there, and something that it needs is not
        return {"engine": "reference"}
    if library.engine_choice() != "native":
        return {"engine": "reference"}
    return {"engine": "native", "code path": str(library.code_path()), "threads": str(library.threads())}
