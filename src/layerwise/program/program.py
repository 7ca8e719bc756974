"""Program: a flat list of steps over named buffers, with a symbolic number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InputError
from ..ops import Vocabulary

#: A shape; "n" is the number of rows, known only when the program runs.
Shape = tuple[int | str, ...]
Role = Literal["input", "codes", "rows", "key", "parameter", "statistic", "memory", "scalar"]


@dataclass(frozen=True)
class Buffer:
    """What a program reads, and may write, under a name.

    Parameters
    ----------
    name : str
    shape : Shape
        ``()`` for a runtime scalar.
    role : str
        "input" (numbers), "codes", "rows", "key", "parameter", "statistic", "memory" or "scalar".
    """

    name: str
    shape: Shape
    role: Role


@dataclass(frozen=True)
class Step:
    """One operation of the vocabulary.

    Parameters
    ----------
    operation : str
        The method of the vocabulary.
    operands : tuple
        Names of buffers or earlier results, or numbers.
    attributes : tuple of (name, value)
        The rest of the arguments: transposes, a formula, sizes.
    results : tuple of str
        Names of what it computes; none for ``write``.
    shape : Shape
        Of each result.
    """

    operation: str
    operands: tuple[str | float, ...]
    attributes: tuple[tuple[str, Any], ...]
    results: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True)
class Program:
    """A recorded rule.

    Parameters
    ----------
    name : str
    buffers : tuple of Buffer
        Everything that has to be given to run it.
    steps : tuple of Step
    outputs : tuple of (name, value)
        What it returns: each name with the result it stands for.
    """

    name: str
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, str], ...]

    def run(self, ops: Vocabulary, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run the steps one by one with any vocabulary; with NumPy this is what every engine is tested against.

        Parameters
        ----------
        ops : Vocabulary
        given : mapping of str to array or number
            A value for each buffer; parameters, statistics and memory are written in place.

        Returns
        -------
        dict of str to array
            The outputs by name.

        Raises
        ------
        InputError
            If a buffer is missing.
        """
        missing = [buffer.name for buffer in self.buffers if buffer.name not in given]
        if missing:
            raise InputError(
                where=self.name, expected="a value for each buffer", got="none for " + ", ".join(missing),
                remedy="give " + ", ".join(b.name for b in self.buffers),
            )  # fmt: skip
        values: dict[str, Any] = dict(given)
        for step in self.steps:
            operands = [values[o] if isinstance(o, str) else o for o in step.operands]
            result = _call(ops, step, operands)
            if step.results:
                values.update(zip(step.results, result if isinstance(result, tuple) else (result,), strict=True))
        return {name: values[value] for name, value in self.outputs}

    def __str__(self) -> str:
        from .printing import text

        return text(self)


def _call(ops: Vocabulary, step: Step, operands: list[Any]) -> Any:
    attributes = dict(step.attributes)
    if step.operation == "map":
        return ops.map(attributes["formula"], *operands)
    if step.operation == "uniform":
        rows, key = operands
        return ops.uniform(rows, key=key, **attributes)
    return getattr(ops, step.operation)(*operands, **attributes)
