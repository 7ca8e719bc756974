"""Schedules as numbers: the form in which the compiled engine reads, checks and runs them (core/plan.cpp)."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from ...errors import SpecificationError
from ...program import Program, Shape
from ...program.operations import ROW_COUNT, Operation
from ...program.phases import Phase, Schedule, operation_space, schedule
from .bytecode import PRIMITIVES, Bytecode, Instruction, assemble
from .library import ABI

MAGIC: Final = 0x4C57504C414E
#: The order of the enumerations in core/plan.hpp and core/kernels.hpp.
STORAGE: Final = ("full", "slot", "vector", "given", "scalar", "row_count")
ROLES: Final = ("other", "features", "targets", "codes", "weights", "rows", "key")
KINDS: Final = (
    "matmul", "map", "sum_rows", "sum_columns", "max_columns", "pick", "one_hot", "gather_rows", "scatter_add_rows",
    "grouped_matmul", "concatenate", "slice_columns", "uniform", "copy", "pack", "columns",
)  # fmt: skip
COLUMN_STEPS: Final = ("map", "sum_columns", "max_columns", "pick", "one_hot")
COVERS: Final = ("full", "row", "column", "scalar")
INTEGERS: Final = ("codes", "rows", "key")


@dataclass(frozen=True)
class Encoded:
    """A plan, and what has to be given to run it, in this order.

    Parameters
    ----------
    code : array of int64
    constants : array of float64
    vectors, given : tuple of str
        The flat vectors and the arrays that its buffers are.
    outputs : tuple of (name, shape)
    """

    code: npt.NDArray[np.int64]
    constants: npt.NDArray[np.float64]
    vectors: tuple[str, ...]
    given: tuple[str, ...]
    outputs: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True)
class MapCode:
    """A formula as a plan has it, without what it reads and writes.

    Parameters
    ----------
    covers : tuple of int
        How each operand covers the shape, see `COVERS`.
    constants, temporaries : int
        How many registers of each.
    instructions : tuple of Instruction
    summed : tuple of bool
        Which results are sums.
    of_rows : bool
        Whether it follows the rows of a batch.
    gradient : int or None
        The operand that is a sum over rows made by the product before it.
    """

    covers: tuple[int, ...]
    constants: int
    temporaries: int
    instructions: tuple[Instruction, ...]
    summed: tuple[bool, ...]
    of_rows: bool
    gradient: int | None


def map_codes(program: Program, dtype: npt.DTypeLike) -> list[MapCode]:
    """Return the formulas of a program's plan, in order."""
    encoder = _Encoder(schedule(program), np.dtype(dtype).itemsize)
    encoder.encoded()
    return encoder.maps


def _gradient(operation: Operation, before: Operation | None) -> int | None:
    if before is None or before.kind != "matmul" or not before.attributes["transpose_a"]:
        return None
    return operation.operands.index(before.results[0]) if before.results[0] in operation.operands else None


def encode(program: Program, dtype: npt.DTypeLike) -> Encoded:
    """Schedule a program and write it as numbers.

    Parameters
    ----------
    program : Program
    dtype : float32 or float64

    Raises
    ------
    SpecificationError
        If a formula is too large, or arrays meet that the engine cannot broadcast.
    """
    return _Encoder(schedule(program), np.dtype(dtype).itemsize).encoded()


def dimensions(shape: Shape) -> tuple[bool, int, int]:
    """Return whether the rows count in multiples of n, how many (multiples) there are, and the columns.

    >>> dimensions(("2n", 3)), dimensions((3,)), dimensions(())
    ((True, 2, 3), (False, 1, 3), (False, 1, 1))
    """
    if shape and isinstance(shape[0], str):
        return True, int(shape[0][:-1] or 1), int(shape[1]) if len(shape) > 1 else 1
    sizes = [int(size) for size in shape]
    return (False, sizes[0], sizes[1]) if len(sizes) == 2 else (False, 1, math.prod(sizes))


@dataclass
class _Encoder:
    plan: Schedule
    bytes: int
    values: list[list[int]] = field(default_factory=list)
    value_of: dict[str, int] = field(default_factory=dict)
    packed: dict[int, int] = field(default_factory=dict)
    constants: list[float] = field(default_factory=list)
    maps: list[MapCode] = field(default_factory=list)
    full: int = 0

    def encoded(self) -> Encoded:
        program = self.plan.program
        vectors = tuple(program.vectors)
        given = tuple(b for b in program.buffers if not b.vector and b.role != "scalar")
        for buffer in program.buffers:
            if buffer.vector:
                self._value(buffer.name, "vector", vectors.index(buffer.vector), buffer.start)
            elif buffer.role == "scalar":
                self._value(buffer.name, "scalar", program.scalars.index(buffer.name))
            else:
                self._value(buffer.name, "given", given.index(buffer))
        self._value(ROW_COUNT, "row_count")
        stored = self._stored()
        for operation in (operation for phase in self.plan.phases for operation in phase.operations):
            if operation.attributes.get("transpose_b") and operation.kind == "matmul":
                self.packed.setdefault(self._of(str(operation.operands[1])), len(self.packed))
        phases = [self._phase(phase) for phase in stored]
        returned = [self._of(value) for _, value in program.outputs]
        code = [MAGIC, ABI, self.bytes, len(vectors), *(program.vectors[name] for name in vectors), len(given)]
        for buffer in given:
            role = buffer.role if buffer.role in ROLES and (buffer.shape[0] == "n" or buffer.role == "key") else "other"
            code += [ROLES.index(role), buffer.role in INTEGERS, *self._given_dimensions(buffer.shape, buffer.role)]
        code += [len(program.scalars), len(self.values), *(n for value in self.values for n in value)]
        code += [len(self.packed), *self.packed, len(phases), *(n for phase in phases for n in phase)]
        code += [len(program.outputs), *returned]
        outputs = tuple((name, self.plan.shapes[value]) for name, value in program.outputs)
        return Encoded(np.array(code, np.int64), np.array(self.constants, np.float64), vectors,
                       tuple(b.name for b in given), outputs)  # fmt: skip

    def _given_dimensions(self, shape: Shape, role: str) -> tuple[int, int, int]:
        symbolic, rows, columns = dimensions(shape)
        return (0, columns, 1) if role in INTEGERS and not symbolic else (int(symbolic), rows, columns)

    # --- values: where each is kept -----------------------------------------------------------------------------------

    def _value(self, name: str, storage: str, index: int = 0, start: int = 0) -> None:
        symbolic, rows, columns = dimensions(self.plan.shapes[name])
        if not symbolic and self._role(name) in INTEGERS:
            rows, columns = columns, 1
        self.value_of[name] = len(self.values)
        self.values.append([STORAGE.index(storage), index, start, int(symbolic), rows, columns])

    def _role(self, name: str) -> str:
        return next((b.role for b in self.plan.program.buffers if b.name == name), "")

    def _of(self, name: str) -> int:
        """Return the value of a name; a value in another shape is the same memory under other dimensions."""
        if name not in self.value_of:
            source = self.values[self._of(self.plan.aliases[name])]
            self._value(name, STORAGE[source[0]], source[1], source[2])
        return self.value_of[name]

    def _root(self, name: str) -> str:
        return self.plan.aliases.get(name, name)

    def _stored(self) -> list[tuple[Phase, list[int], list[Operation]]]:
        """Decide for every result whether it is kept whole, or in a slot that lives for a block of rows."""
        readers: dict[str, set[int]] = defaultdict(set)
        for p, phase in enumerate(self.plan.phases):
            for operation in phase.operations:
                for read in operation.reads:
                    readers[self._root(read)].add(p)
        for _, output in self.plan.program.outputs:
            readers[self._root(output)].add(-1)
        stored = []
        for p, phase in enumerate(self.plan.phases):
            last = {self._root(read): i for i, operation in enumerate(phase.operations) for read in operation.reads}
            slots: list[int] = []
            free: list[int] = []
            living: dict[str, int] = {}
            for i, operation in enumerate(phase.operations):
                for result in operation.results:
                    if result in operation.writes:
                        self.value_of[result] = self.value_of[operation.writes[result]]
                    elif result in operation.summed or readers[result] - ({p} if phase.space is not None else set()):
                        self._value(result, "full", self.full)
                        self.full += 1
                    elif result in last:
                        _, rows, columns = dimensions(self.plan.shapes[result])
                        size = columns * (rows if phase.space == "n" else 1)
                        place = living[result] = free.pop() if free else len(slots)
                        slots[place:] = [max([size, *slots[place : place + 1]]), *slots[place + 1 :]]
                        self._value(result, "slot", living[result])
                free += [living.pop(name) for name, end in last.items() if end == i and name in living]
            stored.append((phase, slots, list(phase.operations)))
        return stored

    # --- operations ---------------------------------------------------------------------------------------------------

    def _phase(self, stored: tuple[Phase, list[int], list[Operation]]) -> list[int]:
        phase, slots, operations = stored
        pairs = zip(operations, [None, *operations], strict=False)
        codes = [code for operation, before in pairs for code in self._operation(operation, before)]
        rows = phase.space if isinstance(phase.space, int) else 1
        return [phase.level, phase.space == "n", rows, len(slots), *slots, len(codes), *(n for c in codes for n in c)]

    def _operation(self, operation: Operation, before: Operation | None) -> list[list[int]]:
        attributes = operation.attributes
        kind = KINDS.index(operation.kind)
        if operation.kind == "map":
            return [[kind, *self._map(operation, before)], *self._packs(operation)]
        if operation.kind == "columns":
            return [[kind, *self._columns(operation)]]
        result = self._of(operation.results[0])
        operands = [self._of(str(o)) for o in operation.operands]
        match operation.kind:
            case "matmul":
                product, bias = operands[:2], operands[2] if len(operands) > 2 else -1
                packed = self.packed[product[1]] if attributes["transpose_b"] else -1
                return [[kind, result, *product, attributes["transpose_a"], attributes["transpose_b"], bias, packed]]
            case "grouped_matmul":
                groups = self.plan.shapes[str(operation.operands[1])][0]
                return [[kind, result, *operands, attributes["transpose_b"], int(groups)]]
            case "concatenate":
                return [[kind, result, len(operands), *operands]]
            case "slice_columns":
                return [[kind, result, *operands, attributes["start"]]]
            case "uniform":
                return [[kind, result, *operands, int(attributes["purpose"]) << 24 | attributes["layer"]]]
            case _:
                return [[kind, result, *operands]]

    def _packs(self, operation: Operation) -> list[list[int]]:
        """Pack anew, block by block, what is written here and multiplied elsewhere."""
        written = [self.value_of[target] for target in operation.writes.values()]
        return [[KINDS.index("pack"), self.packed[value]] for value in written if value in self.packed]

    def _map(self, operation: Operation, before: Operation | None) -> list[int]:
        _, rows, columns = dimensions(operation.shape)
        if operation_space(operation) != "n":
            rows = 1
        operands = [self._of(str(o)) for o in operation.operands]
        kept = [i for i, result in enumerate(operation.results) if result in self.value_of]
        overwritten = {
            k: operands.index(self.value_of[operation.results[i]])
            for k, i in enumerate(kept)
            if operation.results[i] in operation.writes and self.value_of[operation.results[i]] in operands
        }
        summed = [operation.results[i] in operation.summed for i in kept]
        code = assemble(operation.formula, [operation.formula.outputs[i] for i in kept], overwritten,
                        frozenset(k for k, is_summed in enumerate(summed) if is_summed))  # fmt: skip
        covers = [self._cover(operation, str(o)) for o in operation.operands]
        self.maps.append(MapCode(
            tuple(covers), len(code.constants), code.temporaries, code.instructions, tuple(summed),
            operation_space(operation) == "n", _gradient(operation, before),
        ))  # fmt: skip
        numbers = [rows, columns, len(operands), *(n for pair in zip(operands, covers, strict=True) for n in pair)]
        numbers += self._formula(code, len(kept))
        for i, is_summed in zip(kept, summed, strict=True):
            numbers += [is_summed, self._of(operation.results[i])]
        return numbers

    def _formula(self, code: Bytecode, results: int) -> list[int]:
        first = len(self.constants)
        self.constants += code.constants
        numbers = [len(code.constants), *range(first, len(self.constants)), code.temporaries, results]
        numbers += [len(code.instructions)]
        return numbers + [n for name, *registers in code.instructions for n in (PRIMITIVES.index(name), *registers)]

    def _columns(self, operation: Operation) -> list[int]:
        """Number the registers: first the operands, then what each part makes."""
        register = {str(operand): i for i, operand in enumerate(operation.operands)}
        numbers = [len(register), *(self._of(name) for name in register), len(operation.parts)]
        read = {name for part in operation.parts for name in part.reads} | set(operation.results)
        for part in operation.parts:
            step = COLUMN_STEPS.index(part.kind)
            operands = [register[str(operand)] for operand in part.operands]
            columns = dimensions(part.shape)[2]
            kept = [i for i, result in enumerate(part.results) if result in read]
            if part.kind == "map":
                code = assemble(part.formula, [part.formula.outputs[i] for i in kept], {})
                numbers += [step, columns, len(operands), *operands, *self._formula(code, len(kept))]
            else:
                numbers += [step, *([columns] if part.kind == "one_hot" else []), *operands]
            for i in kept:
                register[part.results[i]] = len(register)
        results = [(register[name], self._of(name)) for name in operation.results]
        return [*numbers, len(results), *(n for pair in results for n in pair)]

    def _cover(self, operation: Operation, operand: str) -> int:
        """Say how an operand's shape covers the operation's."""
        own, given = dimensions(operation.shape), dimensions(self.plan.shapes[operand])
        if given == (*own[:2], 1) != own and len(self.plan.shapes[operand]) == 2:  # also where there is a single row
            return COVERS.index("column")
        runtime = STORAGE[self.values[self._of(operand)][0]] in ("scalar", "row_count")
        if runtime or (given == (False, 1, 1) and given != own):
            return COVERS.index("scalar")
        if given == own:
            return COVERS.index("full")
        if given == (False, 1, own[2]):
            return COVERS.index("row")
        raise SpecificationError(
            where=operand, expected=f"a shape that covers {operation.shape} by rows or columns",
            got=str(self.plan.shapes[operand]), remedy="reshape it in the rule",
        )  # fmt: skip
