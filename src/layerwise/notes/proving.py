"""A derivation on a page: every line with its reason, SymPy's verdict and the reader's numbers put in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError, closest
from ..proofs import TABLE, Line

if TYPE_CHECKING:
    import marimo as mo


@cache
def verdicts(name: str, size: tuple[tuple[str, int], ...] = ()) -> tuple[bool, ...]:
    """Return SymPy's verdict on every line, asked for once.

    Parameters
    ----------
    name : str
        Of a derivation in `proofs.TABLE`.
    size : tuple of (name, number)
        Such as ``(("C", 3),)``; by default all sizes that the derivation is meant for.

    Raises
    ------
    SpecificationError
        If there is no such derivation or size.

    Examples
    --------
    >>> verdicts("log_sum_exp", (("C", 2),))
    (True, True, True, True)
    """
    if name not in TABLE:
        raise SpecificationError(
            where="proof", expected="the name of a derivation", got=repr(name), remedy=closest(name, list(TABLE))
        )
    return TABLE[name].prove(**dict(size))


def proof(name: str, size: Mapping[str, int] | None = None, numbers: Mapping[str, Any] | None = None) -> mo.Html:
    """Return a derivation as a table for a page.

    Parameters
    ----------
    name : str
        Of a derivation in `proofs.TABLE`.
    size : dict of str to int, optional
        For which size SymPy is asked, such as ``{"C": 3}``; by default all that the derivation is meant for.
    numbers : dict, optional
        What `Derivation.check` takes; adds a column with both sides of each line.

    Raises
    ------
    SpecificationError
        If there is no such derivation or size, or the numbers do not fit.

    Examples
    --------
    >>> "agree" in proof("loss_gradient_at_output", {"C": 2}, {"f": [0.25, 0.75], "y": 0}).text
    True
    """
    import marimo as mo

    proved = verdicts(name, tuple((size or {}).items()))
    derivation = TABLE[name]
    where = ", ".join(f"${key} = {value}$" for key, value in (size or {}).items())
    head = ["", "line", f"SymPy, {where}" if where else "SymPy"] + ["on your numbers"] * (numbers is not None)
    lines = derivation.check(**numbers) if numbers is not None else [None] * len(proved)
    rows = [head, [":---"] * len(head)]
    for i, (step, holds, line) in enumerate(zip(derivation.steps, proved, lines, strict=True), start=1):
        formula = step.latex.replace("|", r"\vert ")  # a bar would end the table's cell
        reason = step.reason.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")
        row = [f"{i}", rf"$\displaystyle {formula}$<br>{reason}", "proved" if holds else "**not proved**"]
        rows.append(row + [_numbers(line)] * (line is not None))
    return mo.md("\n".join("| " + " | ".join(row) + " |" for row in rows))


def _numbers(line: Line | None) -> str:
    """Both sides if they differ, else the left one."""
    if line is None:
        return ""
    left, right = (", ".join(f"{value + 0.0:.3g}" for value in side) for side in (line.left, line.right))
    return f"{left}; sides agree" if line.agrees else f"**{left} is not {right}**"
