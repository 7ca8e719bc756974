"""Formulas as bytecode: each step of an expression becomes an instruction over registers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import SpecificationError
from ...ops import Expression

#: The order of `Primitive` in core/kernels.hpp.
PRIMITIVES: Final = (
    "add", "subtract", "multiply", "divide", "max", "min", "less", "where", "abs", "sqrt", "exp", "expm1", "log",
    "log1p", "tanh", "cos", "erf", "copy", "multiply_add", "multiply_subtract", "subtract_product", "sum",
    "sum_product",
)  # fmt: skip
MOST_OPERANDS: Final = 60
MOST_CONSTANTS: Final = 120
MOST_TEMPORARIES: Final = 120

#: (primitive, result, a, b, c), all of them registers but the first.
Instruction = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class Bytecode:
    """A formula for the engine's map; registers count operands, constants, temporaries and results, in this order."""

    constants: tuple[float, ...]
    temporaries: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class _Node:
    """A computation: a primitive of earlier nodes, by the number of the step that it computes."""

    primitive: str
    step: int
    arguments: tuple[int, ...]


def assemble(
    formula: Expression, outputs: Sequence[int], overwritten: Mapping[int, int], summed: frozenset[int] = frozenset()
) -> Bytecode:
    """Write a formula as instructions.

    Parameters
    ----------
    formula : Expression
        Its inputs are the operands.
    outputs : sequence of int
        The steps whose values are the results.
    overwritten : mapping of int to int
        Results that are written over an operand's memory: number of the result to number of the operand.
    summed : set of int
        Results that are only summed over all elements.

    Raises
    ------
    SpecificationError
        If the formula is too large.
    """
    steps = formula.steps
    operands = {step[1]: i for i, step in enumerate(steps) if step[0] == "input"}
    places = {operands[name]: i for i, name in enumerate(formula.inputs) if name in operands}
    constants = list(dict.fromkeys(i for i, step in enumerate(steps) if step[0] == "constant"))
    nodes = _nodes(formula, outputs)
    fixed = dict(places)
    fixed |= {step: len(formula.inputs) + i for i, step in enumerate(constants)}
    assembler = _Assembler(nodes, outputs, overwritten, summed, fixed, len(formula.inputs) + len(constants))
    code = Bytecode(tuple(float(steps[i][1]) for i in constants), *assembler.assembled())
    if (
        len(formula.inputs) > MOST_OPERANDS or len(constants) > MOST_CONSTANTS or code.temporaries > MOST_TEMPORARIES
        or len(outputs) > MOST_OPERANDS
    ):  # fmt: skip
        raise SpecificationError(
            where="formula",
            expected=f"at most {MOST_OPERANDS} operands and results, {MOST_CONSTANTS} constants and values at once",
            got=f"{len(formula.inputs)} and {len(outputs)}, {len(constants)} and {code.temporaries}",
            remedy="cut the formula into parts",
        )
    return code


def _nodes(formula: Expression, outputs: Sequence[int]) -> list[_Node]:
    """Return the live computations; a product that is only added or subtracted becomes part of that step."""
    steps = formula.steps
    live = set(outputs)
    for i in range(len(steps) - 1, -1, -1):
        if i in live and steps[i][0] not in ("input", "constant"):
            live.update(steps[i][1:])
    uses = Counter(a for i in live if steps[i][0] not in ("input", "constant") for a in steps[i][1:])
    uses.update(outputs)
    nodes: list[_Node] = []
    absorbed: set[int] = set()
    for i in sorted(live):
        kind, *arguments = steps[i]
        if kind in ("input", "constant"):
            continue
        node = _Node(kind, i, tuple(arguments))
        if kind in ("add", "subtract"):
            for place in (1, 0):
                product, other = arguments[place], arguments[1 - place]
                if steps[product][0] == "multiply" and uses[product] == 1 and product != other:
                    joined = "multiply_add" if kind == "add" else "subtract_product" if place else "multiply_subtract"
                    node = _Node(joined, i, (*steps[product][1:], other))
                    absorbed.add(product)
                    break
        nodes.append(node)
    return [node for node in nodes if node.step not in absorbed]


class _Assembler:
    def __init__(
        self, nodes: list[_Node], outputs: Sequence[int], overwritten: Mapping[int, int], summed: frozenset[int],
        fixed: Mapping[int, int], first_free: int,
    ) -> None:  # fmt: skip
        uses = Counter(argument for node in nodes for argument in node.arguments)
        uses.update(outputs)
        products = {node.step for node in nodes if node.primitive == "multiply" and uses[node.step] == 1}
        #: Sums of products need no place for the products.
        self.at_once = {outputs[k]: k for k in summed if outputs[k] in products}
        self.nodes, self.outputs, self.overwritten, self.summed = nodes, outputs, overwritten, summed
        self.register = dict(fixed)
        self.first_free = first_free
        self.free: list[int] = []
        self.temporaries = 0
        self.instructions: list[tuple[str, int, tuple[int, ...]]] = []

    def assembled(self) -> tuple[int, tuple[Instruction, ...]]:
        last_use = {argument: i for i, node in enumerate(self.nodes) for argument in node.arguments}
        direct = self._direct(last_use)
        kept = {output for k, output in enumerate(self.outputs) if k not in direct}  # copied at the end
        kept.update(self.outputs[k] for k in direct)
        for i, node in enumerate(self.nodes):
            arguments = tuple(self.register[a] for a in node.arguments)
            if node.step in self.at_once:
                self.instructions.append(("sum_product", _result(self.at_once[node.step]), arguments))
                self._release(i, node, last_use, kept)
                continue
            result = next((_result(k) for k in direct if self.outputs[k] == node.step), None)
            self.register[node.step] = self._take() if result is None else result
            self.instructions.append((node.primitive, self.register[node.step], arguments))
            self._release(i, node, last_use, kept)
        self._copies(direct)
        return self.temporaries, tuple(self._placed(instruction) for instruction in self.instructions)

    def _release(self, i: int, node: _Node, last_use: Mapping[int, int], kept: set[int]) -> None:
        for a in set(node.arguments):
            if last_use[a] == i and a not in kept:
                self._give_back(self.register[a])

    def _direct(self, last_use: Mapping[int, int]) -> set[int]:
        """Return the results that can be computed in their own memory, without spoiling an operand still needed."""
        made = {node.step: i for i, node in enumerate(self.nodes)}
        passed_on = {self.register[o] for o in self.outputs if o not in made}
        by_register = {register: last_use.get(step, -1) for step, register in self.register.items()}
        direct: set[int] = set()
        taken: set[int] = set()
        for k, output in enumerate(self.outputs):
            if k in self.summed or output not in made or output in taken:
                continue
            spoilt = self.overwritten.get(k)
            if spoilt is None or (by_register.get(spoilt, -1) <= made[output] and spoilt not in passed_on):
                direct.add(k)
                taken.add(output)
        return direct

    def _copies(self, direct: set[int]) -> None:
        """Fill the other results; values that a copy would spoil for a later copy are saved first."""
        for k in sorted(self.summed):
            if self.outputs[k] not in self.at_once:
                self.instructions.append(("sum", _result(k), (self.register[self.outputs[k]],)))
        waiting = [k for k in range(len(self.outputs)) if k not in direct and k not in self.summed]
        spoilt = {self.overwritten[k] for k in waiting if k in self.overwritten}
        sources = {}
        for k in waiting:
            source = self.register[self.outputs[k]]
            if source in spoilt:
                saved = self._take()
                self.instructions.append(("copy", saved, (source,)))
                source = saved
            sources[k] = source
        for k in waiting:
            self.instructions.append(("copy", _result(k), (sources[k],)))

    def _take(self) -> int:
        if self.free:
            return self.free.pop()
        self.temporaries += 1
        return self.first_free + self.temporaries - 1

    def _give_back(self, register: int) -> None:
        if register >= self.first_free:
            self.free.append(register)

    def _placed(self, instruction: tuple[str, int, tuple[int, ...]]) -> Instruction:
        """Number the results behind the temporaries, now that their number is known; repeat missing arguments."""
        primitive, result, arguments = instruction
        first = self.first_free + self.temporaries
        own, *others = (first - 1 - r if r < 0 else r for r in (result, *arguments))
        a, b, c = (others * 3)[:3] if len(others) == 1 else (*others, others[-1])[:3]
        return primitive, own, a, b, c


def _result(k: int) -> int:
    return -1 - k
