"""Every quantity of one row, by its name in the course: for `layerwise inspect MODEL --trace ROW --data DATA`."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console

from ..errors import InputError
from ..network import Trace
from .models import UsedModel

Array = npt.NDArray[Any]
#: Entries of a vector that are printed; --json has all.
MOST_ENTRIES: Final = 6
#: Gradients of parameters, of which only the norm is printed.
OF_PARAMETERS: Final = re.compile(r"grad_(W|b|gamma|beta)\[")


def row_trace(used: UsedModel, data: str, row: int) -> tuple[dict[str, Any], Trace]:
    """Return what a row of the data says, and the trace of it as in prediction.

    Parameters
    ----------
    used : UsedModel
    data : str
        As `layerwise train` takes it, with the target.
    row : int
        Counted from 0.

    Returns
    -------
    dict
        The row as it came ("features", none of images), its "target" and the "prediction".
    Trace
        Of one row, with the gradients of its own loss, no penalty.

    Raises
    ------
    InputError
        If there are not so many rows.
    DataError
        If the data cannot be read or lack the target.
    """
    assert used.saved.target is not None
    before = 0
    for rows in used.rows(data):
        used.check_target(rows, data)
        if row >= before + len(rows.target):
            before += len(rows.target)
            continue
        place = row - before
        X = used.prepare(rows)[place : place + 1]
        y = used.codes(rows)[place : place + 1]
        trace = used.saved.network.trace(used.saved.parameters, X, y)
        one = slice(place, place + 1)
        about = {
            "features": rows.features[one].to_dicts()[0] if hasattr(rows.features, "to_dicts") else None,
            "target": _plain(rows.target[place]),
            "prediction": used.named(used.decoded(trace.f))[0],
        }
        return about, trace
    raise InputError(
        where="--trace", expected=f"a row of the data, from 0 to {before - 1}" if before else "data with rows",
        got=str(row), remedy="rows are counted from 0, without the header",
    )  # fmt: skip


def trace_facts(about: dict[str, Any], trace: Trace, row: int) -> dict[str, Any]:
    """Return all quantities in full, as JSON: vectors for the one row, matrices for grad_W."""
    quantities = {}
    for name, value in trace.quantities().items():
        if name == "losses":  # of one row, the same as loss
            continue
        array = np.asarray(value)
        if not OF_PARAMETERS.match(name) and array.ndim:
            array = array[0]
        quantities[course_name(name)] = array.tolist()
    return {"row": row, **about, "quantities": quantities}


def show_trace(console: Console, used: UsedModel, about: dict[str, Any], trace: Trace, row: int) -> None:
    """Print the quantities in the order of computation, wide vectors shortened, with their norm."""

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    line(f"row {row} (counted from 0): {used.target_name} = {about['target']}; predicted {about['prediction']}")
    if about["features"]:
        line("  " + ", ".join(f"{name}={value}" for name, value in about["features"].items()))
    line("as in prediction: no dropout, no penalty; the gradients are of this row's loss")
    for name, value in trace.quantities().items():
        if name in ("losses", "penalty"):
            continue
        shown = course_name(name)
        if not isinstance(value, np.ndarray):
            line(f"{shown:16}{'':>10}  {value:.6g}")
        elif OF_PARAMETERS.match(name):
            line(f"{shown:16}{'x'.join(map(str, value.shape)):>10}  norm {_norm(value):.4g}")
        else:
            line(f"{shown:16}{len(value[0]):>10}  {_shortened(value[0])}")


def course_name(name: str) -> str:
    """Return the printed name of a quantity with the layer above it, as the course writes it.

    >>> course_name("grad_a[2]"), course_name("loss")
    ('grad_a^(2)', 'loss')
    """
    return re.sub(r"\[(\d+)\]", r"^(\1)", name)


def _shortened(vector: Array) -> str:
    some = " ".join(f"{value + 0:.4g}" for value in vector[:MOST_ENTRIES])
    return f"{some}{' ...' * (len(vector) > MOST_ENTRIES)}   norm {_norm(vector):.4g}"


def _norm(array: Array) -> float:
    return float(np.linalg.norm(np.asarray(array, np.float64)))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
