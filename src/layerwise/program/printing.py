"""Programs as text that reads like the course's algorithm.

Rows are examples, so ``h W'`` of the arrays is W h of the course, and a product that sums over rows is an outer
product: ``grad_a h'``. A value without a name of its own that is used once is written where it is used.
"""

from __future__ import annotations

import re
from collections import Counter

from ..ops.printing import ATOM, PRODUCT, SUM, TEXT, render
from .program import Program, Shape, Step

#: What a step's text is made of: each value with how tightly it binds.
Written = dict[str, tuple[str, int]]


def text(program: Program) -> str:
    """Return a line for each named value and each write."""
    uses = Counter(o for step in program.steps for o in step.operands if isinstance(o, str))
    uses.update(value for _, value in program.outputs)
    written: Written = {}
    lines = [f"{program.name}: " + "; ".join(f"{b.name}{_shape(b.shape)}" for b in program.buffers)]
    rows = {b.name for b in program.buffers if b.shape[:1] == ("n",)}
    for step in program.steps:
        if step.operation == "write":
            target, value = (str(o) for o in step.operands)
            lines.append(f"  {target} <- {_text(written, value)[0]}")
            continue
        for name, own in zip(step.results, _written(step, written, rows), strict=True):
            if step.shape[:1] == ("n",):
                rows.add(name)
            if (re.fullmatch(r"v\d+", name) and uses[name] <= 1) or step.operation == "row_count":
                written[name] = own
            else:
                lines.append(f"  {name} = {own[0]}")
    if any(name != value for name, value in program.outputs):
        lines.append("  return " + ", ".join(f"{name} = {_text(written, v)[0]}" for name, v in program.outputs))
    return "\n".join(lines)


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
