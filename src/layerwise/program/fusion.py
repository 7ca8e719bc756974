"""Joining the formulas of a phase: two maps over the same shape become one, so that values pass in registers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..ops import Expression
from ..ops.symbols import Tracer
from .operations import Operation

#: A formula of more operands, or of more results, than this is not joined further.
MOST_INPUTS = 40
MOST_STEPS = 120


def joined_maps(
    operations: Sequence[Operation], aliases: Mapping[str, str], scalars: Collection[str] = ()
) -> list[Operation]:
    """Join each map to one before it, where the operations between them allow one of the two to move.

    Parameters
    ----------
    operations : sequence of Operation
        Of one phase, in order.
    aliases : mapping of str to str
        Values that are other values in another shape.
    scalars : collection of str
        Values without a shape. To have only these in common is no reason to join: each formula by itself is more likely
        to be one that an engine has code for.

    Returns
    -------
    list of Operation
    """
    done: list[Operation] = []
    for operation in operations:
        place = _partner(done, operation, aliases, scalars)
        if place is None:
            done.append(operation)
            continue
        partner, at_partner = place
        joined = _joined(done[partner], operation)
        if at_partner:
            done[partner] = joined
        else:
            del done[partner]
            done.append(joined)
    return done


def _partner(
    done: list[Operation], operation: Operation, aliases: Mapping[str, str], scalars: Collection[str]
) -> tuple[int, bool] | None:
    """Return the latest map that `operation` can join, and whether in that place (else in its own)."""
    if operation.kind != "map":
        return None
    for i in range(len(done) - 1, -1, -1):
        partner, between = done[i], done[i + 1 :]
        if partner.kind != "map" or partner.shape != operation.shape or not _may_join(partner, operation):
            continue
        in_common = {*partner.operands, *partner.results}.intersection(operation.operands).difference(scalars)
        if operation.shape != (1,) and not in_common:
            continue
        if not any(_depends(operation, other, aliases) for other in between):
            return i, True
        if not any(_depends(other, partner, aliases) for other in between):
            return i, False
    return None


def _may_join(first: Operation, second: Operation) -> bool:
    inputs = {*first.operands, *second.operands}
    steps = len(first.formula.steps) + len(second.formula.steps)
    written = set(first.writes.values())
    return (
        max(len(inputs), len(first.results) + len(second.results)) <= MOST_INPUTS
        and steps <= MOST_STEPS
        and not written.intersection(second.reads)  # it reads what the first has written
        and not written.intersection(second.writes.values())
        and not first.summed.intersection(second.reads)
    )


def _depends(later: Operation, earlier: Operation, aliases: Mapping[str, str]) -> bool:
    """Whether two operations must stay in this order."""
    made = {*earlier.results, *earlier.writes.values()}
    return bool(
        made.intersection(aliases.get(read, read) for read in later.reads)
        or made.intersection(later.writes.values())
        or set(later.writes.values()).intersection(aliases.get(read, read) for read in earlier.reads)
    )


def _joined(first: Operation, second: Operation) -> Operation:
    """Write both formulas as one: what the second reads of the first it takes as it is computed."""
    outside = [o for o in dict.fromkeys((*first.operands, *second.operands)) if o not in first.results]
    names = {operand: f"x{i}" for i, operand in enumerate(outside)}
    tracer = Tracer()
    symbols = {operand: tracer.input(name) for operand, name in names.items()}
    outputs: list[int] = []
    for operation in (first, second):
        results = operation.formula(tracer, *(symbols[o] for o in operation.operands))
        for name, result in zip(operation.results, results if isinstance(results, tuple) else (results,), strict=True):
            symbols[name] = result
            outputs.append(result.index)
    formula = Expression(tuple(names.values()), tuple(tracer.steps), tuple(outputs))
    return replace(
        first, operands=tuple(outside), results=(*first.results, *second.results),
        attributes={"formula": formula}, writes=first.writes | second.writes, summed=first.summed | second.summed,
    )  # fmt: skip
