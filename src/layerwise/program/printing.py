"""Programs as text that reads like the course's algorithm.

Rows are examples, so ``h W'`` of the arrays is W h of the course, and a product that sums over rows is an outer
product: ``grad_a h'``. A value without a name of its own that is used once is written where it is used.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..ops.printing import ATOM, PRODUCT, SUM, TEXT, render
from .program import Program, Shape, Step

if TYPE_CHECKING:
    from .phases import Schedule, Space

#: What a step's text is made of: each value with how tightly it binds.
Written = dict[str, tuple[str, int]]


def text(program: Program) -> str:
    """Return a line for each named value and each write."""
    return "\n".join([_head(program), *(f"  {line}" for _, line in _lines(program)), *_returned(program, "  ")])


def schedule_text(schedule: Schedule) -> str:
    """Return the same lines, gathered by what an engine goes through at once."""
    program = schedule.program
    lines: dict[str, list[str]] = defaultdict(list)
    for name, line in _lines(program):
        lines[name].append(line)
    printed = [_head(program)]
    for phase in schedule.phases:
        own: list[str] = []
        for part in (part for operation in phase.operations for part in operation.parts):
            for name in part.results:
                own.extend(lines.pop(name, []))
                if name in part.writes:
                    own.extend(lines.pop(f"<- {part.writes[name]}", []))
        headings: dict[Space, str] = {"n": "for each block of rows:", None: "once:"}
        heading = headings.get(phase.space, f"for each block of the {phase.space} units:")
        printed += [f"  {heading}", *(f"    {line}" for line in own)] if own else []
    return "\n".join(printed + _returned(program, "  "))


def _head(program: Program) -> str:
    return f"{program.name}: " + "; ".join(f"{b.name}{_shape(b.shape)}" for b in program.buffers)


def _returned(program: Program, indent: str) -> list[str]:
    """Return a line for the outputs, if any is called otherwise than its value."""
    if all(name == value for name, value in program.outputs):
        return []
    return [f"{indent}return " + ", ".join(n if n == v else f"{n} = {v}" for n, v in program.outputs)]


def _lines(program: Program) -> Iterator[tuple[str, str]]:
    """Give a line for each value that has a name or is used more than once, and for each write, with what it makes."""
    uses = Counter(o for step in program.steps for o in step.operands if isinstance(o, str))
    uses.update(value for _, value in program.outputs)
    outputs = {value for _, value in program.outputs}
    written: Written = {}
    rows = {b.name for b in program.buffers if b.shape[:1] == ("n",)}
    for step in program.steps:
        if step.operation == "write":
            target, value = (str(o) for o in step.operands)
            yield f"<- {target}", f"{target} <- {_text(written, value)[0]}"
            continue
        for name, own in zip(step.results, _written(step, written, rows), strict=True):
            if step.shape[:1] == ("n",):
                rows.add(name)
            alone = re.fullmatch(r"v\d+", name) and uses[name] <= 1 and name not in outputs
            if alone or step.operation == "row_count":
                written[name] = own
            else:
                yield name, f"{name} = {own[0]}"


def _written(step: Step, written: Written, rows: set[str]) -> list[tuple[str, int]]:
    attributes = dict(step.attributes)
    operands = [_text(written, o) for o in step.operands]
    atoms = [value if tight == ATOM else f"({value})" for value, tight in operands]
    if step.operation == "map":
        formula = attributes["formula"]
        if formula.name:
            return [(f"{formula.name}({', '.join(value for value, _ in operands)})", ATOM)]
        return render(formula, TEXT, dict(zip(formula.inputs, operands, strict=True)))
    if step.operation == "matmul":
        return [(_product(step, atoms, attributes, rows), PRODUCT)]
    forms = {
        "sum_rows": "sum_t {}", "sum_columns": "sum_c {}", "max_columns": "max_c {}", "sum_all": "sum {}",
        "pick": "{}[{}]", "one_hot": "e({})", "row_count": "n", "gather_rows": "{}[{}]",
    }  # fmt: skip
    if step.operation in forms:
        tight = SUM if step.operation.startswith(("sum", "max")) else ATOM
        return [(forms[step.operation].format(*atoms), tight)]
    settings = [f"{name}={value}" for name, value in attributes.items()]
    return [(f"{step.operation}({', '.join([value for value, _ in operands] + settings)})", ATOM)]


def _product(step: Step, atoms: list[str], attributes: dict[str, bool], rows: set[str]) -> str:
    """Write a matrix product for one example, as a column."""
    first, second = atoms
    if attributes["transpose_a"]:
        return f"sum_t {first} {second}'"
    if str(step.operands[1]) in rows:
        return f"{first} {second}"
    return f"{second} {first}" if attributes["transpose_b"] else f"{second}' {first}"


def _text(written: Written, operand: str | float) -> tuple[str, int]:
    if not isinstance(operand, str):
        return f"{operand:g}", ATOM
    return written.get(operand, (operand, ATOM))


def _shape(shape: Shape) -> str:
    return f" ({', '.join(map(str, shape))})" if shape else ""
