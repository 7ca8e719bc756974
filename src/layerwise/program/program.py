"""Program: a flat list of steps over named buffers, with a symbolic number of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..ops import Vocabulary

if TYPE_CHECKING:
    from .phases import Schedule

#: A shape; "n" is the number of rows, known only when the program runs.
Shape = tuple[int | str, ...]
#: What a buffer is for: h^(0); targets as numbers, or as class codes y; w_t / w_mean; positions in the data set and
#: (seed, step), for masks; slices of flat vectors; scalars of the table; "input" is anything else.
Role = Literal[
    "features", "targets", "codes", "weights", "rows", "key", "parameter", "statistic", "memory", "gradient", "scalar",
    "input",
]  # fmt: skip
#: Operations whose result in NumPy may be a view of their operand; so is that of a map that only hands it on.
VIEWS = ("split_columns", "join_columns", "slice_columns")


@dataclass(frozen=True)
class Buffer:
    """What a program reads, and may write, under a name.

    Parameters
    ----------
    name : str
    shape : Shape
        ``()`` for a runtime scalar.
    role : Role
    vector : str
        The flat vector it is a slice of: "theta", "statistics", "gradient" or the name of the update's memory;
        "" for an array of its own.
    start : int
        Where in the vector it starts.
    """

    name: str
    shape: Shape
    role: Role
    vector: str = ""
    start: int = 0

    @property
    def stop(self) -> int:
        """The end of the slice."""
        return self.start + math.prod(int(size) for size in self.shape)

    def view(self, vector: Any) -> Any:
        """Return the slice of a flat vector in its own shape; no copy."""
        return vector[self.start : self.stop].reshape(self.shape)


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

    @cached_property
    def keywords(self) -> dict[str, Any]:
        """The attributes by name."""
        return dict(self.attributes)

    def call(self, ops: Vocabulary, operands: Sequence[Any]) -> Any:
        """Compute it with a vocabulary from the values of its operands."""
        if self.operation == "map":
            return ops.map(self.keywords["formula"], *operands)
        if self.operation == "uniform":
            rows, key = operands
            return ops.uniform(rows, key=key, **self.keywords)
        return getattr(ops, self.operation)(*operands, **self.keywords)


@dataclass(frozen=True)
class Program:
    """A recorded rule.

    A value that a step computes stays what it is, also if a buffer that it was read from is written later; a step that
    names a buffer reads what is in it at that time.

    Parameters
    ----------
    name : str
    buffers : tuple of Buffer
        Everything that has to be given to run it.
    steps : tuple of Step
    outputs : tuple of (name, value)
        What it returns: each name with the result it stands for.
    sums : bool
        Whether the outputs are sums over the rows and not means: where batches are put together, sums of whole numbers
        stay whole.
    """

    name: str
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, str], ...]
    sums: bool = False

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names of the runtime scalars: the columns of an engine's table."""
        return tuple(buffer.name for buffer in self.buffers if buffer.role == "scalar")

    @cached_property
    def vectors(self) -> dict[str, int]:
        """The flat vectors that buffers are slices of, by name, with the entries that each needs at least."""
        sizes: dict[str, int] = {}
        for buffer in self.buffers:
            if buffer.vector:
                sizes[buffer.vector] = max(sizes.get(buffer.vector, 0), buffer.stop)
        return sizes

    @cached_property
    def written(self) -> frozenset[str]:
        """The names of the buffers that it writes."""
        return frozenset(str(step.operands[0]) for step in self.steps if step.operation == "write")

    @cached_property
    def vectors_written(self) -> frozenset[str]:
        """The names of the flat vectors that it writes into."""
        return frozenset(buffer.vector for buffer in self.buffers if buffer.vector and buffer.name in self.written)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every buffer and result."""
        of_results = {result: step.shape for step in self.steps for result in step.results}
        return {buffer.name: buffer.shape for buffer in self.buffers} | of_results

    @cached_property
    def views(self) -> dict[str, str]:
        """The results that in NumPy may be views of a buffer, each with that buffer."""
        seen_through = {buffer.name: buffer.name for buffer in self.buffers}
        for step in self.steps:
            for result, operand in _handed_on(step):
                if operand in seen_through:
                    seen_through[result] = seen_through[operand]
        return {value: buffer for value, buffer in seen_through.items() if value != buffer}

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(buffer.name for buffer in self.buffers)

    @cached_property
    def _copied(self) -> frozenset[str]:
        """The views of buffers that are written while the views are still needed."""
        copied = {value for _, value in self.outputs if self.views.get(value) in self.written}
        made: set[str] = set()
        overwritten: set[str] = set()
        for step in self.steps:
            copied.update(overwritten.intersection(step.operands))
            if step.operation == "write":
                overwritten.update(value for value in made if self.views[value] == step.operands[0])
            made.update(self.views.keys() & step.results)
        return frozenset(copied)

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
        if not self._names <= given.keys():
            raise InputError(
                where=self.name, expected="a value for each buffer",
                got="none for " + ", ".join(b.name for b in self.buffers if b.name not in given),
                remedy="give " + ", ".join(b.name for b in self.buffers),
            )  # fmt: skip
        values: dict[str, Any] = dict(given)
        for step in self.steps:
            operands = [values[o] if isinstance(o, str) else o for o in step.operands]
            result = step.call(ops, operands)
            if step.results:
                values.update(zip(step.results, result if isinstance(result, tuple) else (result,), strict=True))
                for name in self._copied.intersection(step.results):
                    values[name] = values[name].copy()
        return {name: values[value] for name, value in self.outputs}

    @property
    def fused(self) -> Schedule:
        """The steps as a compiled engine runs them: loops over blocks of rows, as few as can be. Made to be printed."""
        from .phases import schedule

        return schedule(self)

    def __str__(self) -> str:
        from .printing import text

        return text(self)


def _handed_on(step: Step) -> list[tuple[str, str]]:
    """Return the results that may be views of an operand, each with that operand."""
    if step.operation in VIEWS:
        return [(step.results[0], str(step.operands[0]))]
    if step.operation != "map":
        return []
    formula = step.keywords["formula"]
    operands = dict(zip(formula.inputs, step.operands, strict=True))
    sources = [(result, formula.steps[i]) for result, i in zip(step.results, formula.outputs, strict=True)]
    return [(result, str(operands[rest[0]])) for result, (kind, *rest) in sources if kind == "input"]
