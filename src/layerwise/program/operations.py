"""Operations: the steps of a program as a compiled engine runs them, with neighbours joined.

A bias is added by the product it belongs to, a sum over all elements is taken by the formula whose values it adds, and
a formula writes its result straight into the buffer that keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..ops import Expression
from ..ops.symbols import Tracer
from .program import Program, Shape, Step

#: The name of the number of rows of a batch; no buffer is called so.
ROW_COUNT: Final = "number of rows"

_same: Final = Expression(("x0",), (("input", "x0"),), (0,))
_sum: Final = (("input", "x0"), ("input", "x1"), ("add", 0, 1))


@dataclass(frozen=True)
class Operation:
    """One operation on whole arrays; an engine may run it block of rows by block of rows.

    Parameters
    ----------
    kind : str
        An operation of the vocabulary, "copy", or "columns": several on a few columns (see program/columns.py).
    operands : tuple of str or float
        Names of buffers and of earlier results, or numbers. A product's third operand is its bias.
    results : tuple of str
    shape : Shape
        Of the results; of the terms, where they are summed.
    attributes : dict of str to value
    writes : dict of str to str
        Which results are written into which buffers.
    summed : frozenset of str
        The results that are sums over all elements, (1,).
    """

    kind: str
    operands: tuple[str | float, ...]
    results: tuple[str, ...]
    shape: Shape
    attributes: dict[str, Any] = field(default_factory=dict)
    writes: dict[str, str] = field(default_factory=dict)
    summed: frozenset[str] = frozenset()

    @property
    def reads(self) -> Iterator[str]:
        """The operands that have names."""
        return (operand for operand in self.operands if isinstance(operand, str))

    @property
    def parts(self) -> tuple[Operation, ...]:
        """The operations that "columns" gathers; of any other kind itself."""
        parts: tuple[Operation, ...] = self.attributes.get("operations", (self,))
        return parts

    @property
    def formula(self) -> Expression:
        """The formula of a map."""
        formula: Expression = self.attributes["formula"]
        return formula


def operations_of(program: Program) -> tuple[list[Operation], dict[str, Shape]]:
    """Return the operations of a program, and the shape of every value by name."""
    shapes: dict[str, Shape] = {buffer.name: buffer.shape for buffer in program.buffers} | {ROW_COUNT: ()}
    operations: list[Operation] = []
    counts: dict[str, str] = {}
    for recorded in program.steps:
        step = replace(recorded, operands=tuple(counts.get(str(o), o) for o in recorded.operands))
        for result in step.results:
            shapes[result] = step.shape
        if step.operation == "write":
            _write(operations, step, program, shapes)
        elif step.operation == "row_count":
            more = _row_count(step, shapes)
            operations += more
            if not more:
                counts[step.results[0]] = ROW_COUNT
        elif step.operation == "map":
            operations.append(_map(step))
        elif step.operation == "sum_all":
            (term,) = step.operands
            operations.append(Operation("map", (term,), step.results, shapes[str(term)], {"formula": _same},
                                        summed=frozenset(step.results)))  # fmt: skip
        else:
            operations.append(Operation(step.operation, step.operands, step.results, step.shape, dict(step.attributes)))
    return _with_biases(operations, program, shapes), shapes


def _map(step: Step) -> Operation:
    """Return a formula without the operands that it does not need, and with numbers as its own constants."""
    formula: Expression = dict(step.attributes)["formula"]
    tracer = Tracer()
    given: list[Any] = []
    kept: list[str] = []
    for name, operand in zip(formula.inputs, step.operands, strict=True):
        if not isinstance(operand, str):
            given.append(tracer.lift(operand))
        elif name in formula.needs:
            given.append(tracer.input(f"x{len(kept)}"))
            kept.append(operand)
        else:
            given.append(tracer.lift(0.0))
    results = formula(tracer, *given)
    outputs = tuple(r.index for r in (results if isinstance(results, tuple) else (results,)))
    own = Expression(tuple(f"x{i}" for i in range(len(kept))), tuple(tracer.steps), outputs, formula.name)
    return Operation("map", tuple(kept), step.results, step.shape, {"formula": own})


def _row_count(step: Step, shapes: dict[str, Shape]) -> list[Operation]:
    """Return nothing for n itself, which engines know as `ROW_COUNT`; a product for a multiple of it."""
    rows = str(shapes[str(step.operands[0])][0])
    if rows == "n":
        return []
    times = int(rows[:-1])
    formula = Expression.trace(lambda s, n: times * n, inputs=("x0",))
    return [Operation("map", (ROW_COUNT,), step.results, (), {"formula": formula})]


def _write(operations: list[Operation], step: Step, program: Program, shapes: dict[str, Shape]) -> None:
    """Let the formula that computes the value write it, if nothing reads the old value after it; else copy."""
    target, value = (str(operand) for operand in step.operands)
    once = sum(s.operation == "write" and s.operands[0] == target for s in program.steps) == 1
    for i in range(len(operations) - 1, -1, -1):
        made = operations[i]
        if value in made.results:
            if made.kind == "map" and once and _may_write(made, value) and shapes[value] == shapes[target]:
                operations[i] = replace(made, writes=made.writes | {value: target})
                return
            break
        if target in made.operands:
            break
    name = f"new {target}" if once else f"new {target} {len(operations)}"
    shapes[name] = shapes[target]
    operations.append(
        Operation("map", (value,), (name,), shapes[target], {"formula": _same}, writes={name: target})
    )  # fmt: skip


def _may_write(made: Operation, value: str) -> bool:
    return value not in made.writes and value not in made.summed


def _with_biases(operations: list[Operation], program: Program, shapes: dict[str, Shape]) -> list[Operation]:
    """Let products start from the vector that is added to them."""
    uses = Counter(read for operation in operations for read in operation.reads)
    uses.update(value for _, value in program.outputs)
    made = {result: i for i, operation in enumerate(operations) for result in operation.results}
    joined: list[Operation | None] = list(operations)
    for i, operation in enumerate(operations):
        if operation.kind != "map" or operation.formula.steps != _sum or operation.writes:
            continue
        for bias, product in (operation.operands, operation.operands[::-1]):
            if not isinstance(bias, str) or not isinstance(product, str) or product not in made:
                continue
            place = made[product]
            before = operations[place]
            if (
                before.kind == "matmul" and len(before.operands) == 2 and uses[product] == 1
                and shapes[bias] == operation.shape[1:] and before.shape == operation.shape
                and made.get(bias, -1) < place
                and not any(bias in other.writes.values() for other in operations[place:i])
            ):  # fmt: skip
                joined[place] = replace(before, operands=(*before.operands, bias), results=operation.results)
                joined[i] = None
                break
    return [operation for operation in joined if operation is not None]
