"""Phases: which operations of a program run together, block of rows by block of rows.

An operation follows the rows of a batch, or the rows of a matrix of fixed size such as W, or belongs to no rows
(vectors and numbers). Operations that follow the same rows, and read from each other only what belongs to those rows,
form one phase: an engine takes a block of rows through all of it while its values are still in the cache. A value that
is needed whole (an operand of a product, a mean over the batch) ends a phase. Phases of one level do not depend on each
other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .columns import columns_together
from .fusion import joined_maps
from .operations import ROW_COUNT, Operation, operations_of
from .program import Program, Shape

#: What a phase goes through: "n", the rows of a batch; a number of rows; or None, for vectors and numbers.
Space = str | int | None


@dataclass(frozen=True)
class Phase:
    """Operations that run together.

    Parameters
    ----------
    level : int
        Phases of a lower level come first.
    space : "n", int or None
    operations : tuple of Operation
    """

    level: int
    space: Space
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Schedule:
    """A program, cut into phases.

    Parameters
    ----------
    program : Program
    phases : tuple of Phase
    shapes : dict of str to Shape
        Of every value.
    aliases : dict of str to str
        Values that are other values in another shape.
    """

    program: Program
    phases: tuple[Phase, ...]
    shapes: dict[str, Shape]
    aliases: dict[str, str]

    def __str__(self) -> str:
        from .printing import schedule_text

        return schedule_text(self)


def schedule(program: Program) -> Schedule:
    """Cut a program into phases, as few as its dependencies allow, and join the formulas within each.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Schedule
        Printed, it shows what a compiled engine runs.

    Examples
    --------
    >>> from layerwise.program import Recorder
    >>> recorder = Recorder()
    >>> h, W = recorder.buffer("h", ("n", 3), "input"), recorder.buffer("W", (2, 3), "parameter")
    >>> a = recorder.matmul(h, W, transpose_b=True)
    >>> mean = recorder.divide(recorder.sum_rows(a), recorder.row_count(h))
    >>> print(schedule(recorder.program("centred", {"z": recorder.subtract(a, mean)})))
    centred: h (n, 3); W (2, 3)
      for each block of rows:
        v2 = W h
      for each block of rows:
        z = v2 - (sum_t v2) / n
    """
    operations, shapes = operations_of(program)
    operations, aliases = _without_views(operations, program, shapes)
    counted = (step for step in program.steps if step.operation == "row_count")
    aliases |= {step.results[0]: ROW_COUNT for step in counted if shapes[str(step.operands[0])][0] == "n"}
    operations = _live(operations, program, aliases)
    dependencies = list(_dependencies(operations, shapes, aliases))
    levels = _levels(operations, dependencies)
    groups = _groups(operations, dependencies, levels)
    scalars = {name for name, shape in shapes.items() if shape == ()}
    phases = []
    for (level, space, _), members in sorted(groups.items(), key=lambda item: (item[0][0], item[1][0])):
        phases.append(Phase(level, space, tuple(joined_maps([operations[i] for i in members], aliases, scalars))))
    return Schedule(program, tuple(_with_columns(phases, program, shapes, aliases)), shapes, aliases)


def _with_columns(
    phases: list[Phase], program: Program, shapes: dict[str, Shape], aliases: dict[str, str]
) -> Iterator[Phase]:
    """Gather what goes over a few columns of the batch's rows, in every phase."""
    readers = Counter(aliases.get(value, value) for _, value in program.outputs)
    readers.update(aliases.get(read, read) for phase in phases for o in phase.operations for read in set(o.reads))
    for phase in phases:
        if phase.space != "n":
            yield phase
        else:
            yield replace(phase, operations=tuple(columns_together(phase.operations, shapes, aliases, readers)))


def space_of(shape: Shape) -> Space:
    """Return which rows an array follows.

    >>> space_of(("n", 3)), space_of((2, 3)), space_of((3,))
    ('n', 2, None)
    """
    if shape and isinstance(shape[0], str):
        return "n"
    return shape[0] if len(shape) == 2 else None


def operation_space(operation: Operation) -> Space:
    """Return which rows an operation follows."""
    return None if operation.kind in ("sum_rows", "scatter_add_rows") else space_of(operation.shape)


def follows_rows(operation: Operation, place: int, shapes: dict[str, Shape]) -> bool:
    """Whether an operation reads its operand number `place` row by row, and not as a whole."""
    shape = shapes[str(operation.operands[place])]
    match operation.kind:
        case "matmul":
            return place == 0 and not operation.attributes["transpose_a"]
        case "sum_rows" | "scatter_add_rows":
            return False
        case "gather_rows":
            return place == 1
        case "grouped_matmul":
            return place == 0
        case "map":
            return space_of(operation.shape) is None or (shape[:1] == operation.shape[:1] and len(shape) == 2)
        case _:
            return True


def _live(operations: list[Operation], program: Program, aliases: dict[str, str]) -> list[Operation]:
    """Leave out what nothing needs any more, such as a copy of which only the rows were counted."""
    needed = {aliases.get(value, value) for _, value in program.outputs}
    live = []
    for operation in reversed(operations):
        if operation.writes or needed.intersection(operation.results):
            live.append(operation)
            needed.update(aliases.get(read, read) for read in operation.reads)
    return live[::-1]


@dataclass(frozen=True)
class _Dependency:
    """Operation `later` comes after `earlier`: in the same phase at best if `by_row`, else in a later one.

    It `hands_on` a value, or only keeps a buffer from being written too early.
    """

    earlier: int
    later: int
    by_row: bool
    hands_on: bool


def _dependencies(
    operations: list[Operation], shapes: dict[str, Shape], aliases: dict[str, str]
) -> Iterator[_Dependency]:
    made: dict[str, int] = {}
    readers: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    spaces = [operation_space(operation) for operation in operations]
    for i, operation in enumerate(operations):
        for place, operand in enumerate(operation.operands):
            if not isinstance(operand, str):
                continue
            by_row = follows_rows(operation, place, shapes)
            source = aliases.get(operand, operand)
            if source in made:
                earlier = made[source]
                whole = source in operations[earlier].summed
                together = spaces[earlier] == spaces[i] and (by_row or spaces[i] is None) and not whole
                yield _Dependency(earlier, i, together, True)
            readers[source].append((i, by_row))
        for result in operation.results:
            made[result] = i
        for target in operation.writes.values():
            for reader, by_row in readers[target]:
                if reader != i:
                    yield _Dependency(reader, i, spaces[reader] == spaces[i] and (by_row or spaces[i] is None), False)
            if target in made:
                yield _Dependency(made[target], i, spaces[made[target]] == spaces[i], False)
            made[target], readers[target] = i, []


def _levels(operations: list[Operation], dependencies: list[_Dependency]) -> list[int]:
    """Place each operation as early as can be, but what depends on buffers alone as late: beside what writes them."""
    before: dict[int, list[_Dependency]] = defaultdict(list)
    after: dict[int, list[_Dependency]] = defaultdict(list)
    for d in dependencies:
        before[d.later].append(d)
        after[d.earlier].append(d)
    levels: list[int] = []
    for i in range(len(operations)):
        levels.append(max((levels[d.earlier] + (not d.by_row) for d in before[i]), default=0))
    earliest, last = list(levels), max(levels, default=0)
    moves = [operation_space(operation) != "n" for operation in operations]
    for i in range(len(operations) - 1, -1, -1):
        if moves[i]:
            levels[i] = min((levels[d.later] - (not d.by_row) for d in after[i]), default=last)
    for i in range(len(operations)):
        if not moves[i]:
            continue
        soonest = max((levels[d.earlier] + (not d.by_row) for d in before[i]), default=0)
        if not any(d.hands_on for d in before[i]):
            beside = [earliest[d.later] - (not d.by_row) for d in after[i] if not d.hands_on]
            soonest = max(soonest, min([levels[i], *beside]))
        levels[i] = soonest
    return levels


def _groups(
    operations: list[Operation], dependencies: list[_Dependency], levels: list[int]
) -> dict[tuple[int, Space, int], list[int]]:
    """Gather operations of one level and one space; those of fixed rows only with what they depend on."""
    leader = list(range(len(operations)))

    def find(i: int) -> int:
        while leader[i] != i:
            i = leader[i]
        return i

    for d in dependencies:
        if d.by_row and levels[d.earlier] == levels[d.later]:
            leader[find(d.later)] = find(d.earlier)
    groups: dict[tuple[int, Space, int], list[int]] = defaultdict(list)
    for i, operation in enumerate(operations):
        space = operation_space(operation)
        groups[levels[i], space, find(i) if isinstance(space, int) else -1].append(i)
    return groups


def _without_views(
    operations: list[Operation], program: Program, shapes: dict[str, Shape]
) -> tuple[list[Operation], dict[str, str]]:
    """Take split_columns and join_columns of a batch's values as those values; of buffers, as copies."""
    buffers = {buffer.name for buffer in program.buffers}
    aliases: dict[str, str] = {}
    kept = []
    for viewing in operations:
        # A view of the same shape is the value itself.
        operands = tuple(aliases[o] if o in aliases and shapes[o] == shapes[aliases[o]] else o
                         for o in map(str, viewing.operands))  # fmt: skip
        operation = replace(viewing, operands=operands)
        if operation.kind not in ("split_columns", "join_columns"):
            kept.append(operation)
            continue
        (operand,), (result,) = operation.operands, operation.results
        source = aliases.get(str(operand), str(operand))
        if source in buffers:
            name = f"copy of {source} for {result}"
            shapes[name] = shapes[source]
            kept.append(Operation("copy", (source,), (name,), shapes[source]))
            source = name
        aliases[result] = source
    return kept, aliases
