"""Operations on a few columns, gathered into one: an output with its loss and its gradient, for instance.

Each of them is little work, and what passes between them is a number a row or a few. An engine that holds a column of
many rows in a vector runs all of them without writing anything in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .operations import ROW_COUNT, Operation
from .program import Shape

#: What is gathered has at most so many columns,
MOST_COLUMNS: Final = 32
#: and so many operands, results and operations.
MOST_OPERANDS: Final = 40
REDUCTIONS: Final = ("max_columns", "sum_columns", "pick")


def columns_together(
    operations: Sequence[Operation], shapes: Mapping[str, Shape], aliases: Mapping[str, str], readers: Counter[str]
) -> Iterator[Operation]:
    """Give the operations of a phase over rows, with neighbours on few columns as one operation "columns".

    Parameters
    ----------
    operations : sequence of Operation
    shapes, aliases
        Of all values; see `Schedule`.
    readers : Counter
        How many operations and outputs read each value.
    """
    run: list[Operation] = []
    for operation in operations:
        if _goes_over_columns(operation, shapes, aliases) and len(run) < MOST_OPERANDS:
            run.append(operation)
            continue
        yield from _gathered(run, readers)
        run = []
        yield operation
    yield from _gathered(run, readers)


def _goes_over_columns(operation: Operation, shapes: Mapping[str, Shape], aliases: Mapping[str, str]) -> bool:
    if operation.kind not in (*REDUCTIONS, "one_hot", "map") or operation.writes or operation.summed:
        return False
    own = operation.shape
    if len(own) != 2 or own[0] != "n" or int(own[1]) > MOST_COLUMNS:
        return False
    for operand in operation.operands:
        if not isinstance(operand, str) or (operand in aliases and aliases[operand] != ROW_COUNT):
            return False
        shape = shapes[operand]
        fits = shape[:1] == ("n",) and (len(shape) == 1 or int(shape[1]) <= MOST_COLUMNS)
        if operation.kind == "map":
            fits = shape == () or (len(shape) == 2 and shape[0] == "n" and shape[1] in (1, own[1]))
        if not fits:
            return False
    return True


def _gathered(run: list[Operation], readers: Counter[str]) -> Iterator[Operation]:
    """Give one operation for all of them, if there is a reduction to share; else themselves."""
    if len(run) < 3 or not any(operation.kind in REDUCTIONS for operation in run):
        yield from run
        return
    within = Counter(read for operation in run for read in set(operation.reads))
    made = [result for operation in run for result in operation.results]
    operands = tuple(dict.fromkeys(read for o in run for read in o.reads if read not in made))
    results = tuple(name for name in made if readers[name] > within[name])
    if max(len(operands), len(results)) > MOST_OPERANDS or not results:
        yield from run
        return
    columns = max(int(operation.shape[1]) for operation in run)
    yield Operation("columns", operands, results, ("n", columns), {"operations": tuple(run)})
