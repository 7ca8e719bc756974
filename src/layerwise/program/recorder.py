"""The vocabulary as a recorder: running a rule with it yields a Program instead of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from ..errors import SpecificationError
from ..ops import Expression, Operand, Purpose, Vocabulary
from .program import Buffer, Program, Role, Shape, Step


@dataclass(frozen=True)
class Recorded:
    """A buffer or a result: its number and its shape."""

    number: int
    shape: Shape


@final
class Recorder(Vocabulary):
    """Keeps each operation as a step, once; checks every shape while recording.

    Examples
    --------
    >>> recorder = Recorder()
    >>> h, W = recorder.buffer("h", ("n", 3), "input"), recorder.buffer("W", (2, 3), "parameter")
    >>> a = recorder.matmul(h, W, transpose_b=True)
    >>> a.shape
    ('n', 2)
    >>> print(recorder.program("example", {"a": a}))
    example: h (n, 3); W (2, 3)
      a = W h
    """

    def __init__(self) -> None:
        self._buffers: dict[int, Buffer] = {}
        self._steps: list[tuple[str, tuple[Any, ...], tuple[tuple[str, Any], ...], tuple[int, ...], Shape]] = []
        self._known: dict[Any, tuple[Recorded, ...]] = {}
        self._labels: dict[int, str] = {}
        self._count = 0

    def buffer(self, name: str, shape: Shape, role: Role, vector: str = "", start: int = 0) -> Recorded:
        """Declare what will be given when the program runs; see `Buffer`."""
        if name in (buffer.name for buffer in self._buffers.values()):
            raise _wrong("buffer", "a name for each buffer", f"{name!r} twice")
        recorded = self._new(shape)
        self._buffers[recorded.number] = Buffer(name, shape, role, vector, start)
        self._labels[recorded.number] = name
        return recorded

    def label(self, operand: Operand, name: str) -> None:
        """Name a result; the first name stays."""
        if isinstance(operand, Recorded):
            self._labels.setdefault(operand.number, name)

    def program(self, name: str, outputs: dict[str, Operand], sums: bool = False) -> Program:
        """Return what was recorded, without the steps that nothing needs.

        Parameters
        ----------
        name : str
        outputs : dict of str to operand
            What the program returns, beside what it writes.
        sums : bool
            Whether they are sums over the rows, and not means.
        """
        for output, operand in outputs.items():
            self.label(operand, output)
        needed = {operand.number for operand in outputs.values()}
        live = []
        for step in reversed(self._steps):
            operation, operands, _, results, _ = step
            if operation == "write" or needed.intersection(results):
                live.append(step)
                needed.update(o.number for o in operands if isinstance(o, Recorded))
        names = self._names()
        steps = tuple(
            Step(operation, tuple(names[o.number] if isinstance(o, Recorded) else o for o in operands), attributes,
                 tuple(names[r] for r in results), shape)
            for operation, operands, attributes, results, shape in reversed(live)
        )  # fmt: skip
        buffers = tuple(buffer for number, buffer in self._buffers.items() if number in needed)
        returned = tuple((output, names[operand.number]) for output, operand in outputs.items())
        return Program(name, buffers, steps, returned, sums)

    def _names(self) -> dict[int, str]:
        """Give every value a name of its own: its label, or a number."""
        names: dict[int, str] = {}
        used: set[str] = set()
        for number in range(self._count):
            label = self._labels.get(number)
            names[number] = label if label is not None and label not in used else f"v{number}"
            used.add(names[number])
        return names

    def _new(self, shape: Shape) -> Recorded:
        self._count += 1
        return Recorded(self._count - 1, shape)

    def _step(
        self, operation: str, operands: tuple[Any, ...], shape: Shape, results: int = 1, **attributes: Any
    ) -> Any:
        given = tuple(sorted(attributes.items(), key=lambda item: item[0]))
        key = (operation, operands, given)
        if key not in self._known:
            made = tuple(self._new(shape) for _ in range(results))
            self._steps.append((operation, operands, given, tuple(r.number for r in made), shape))
            self._known[key] = made
        made = self._known[key]
        return made if results > 1 else made[0]

    # --- the vocabulary: each operation's shape rule ------------------------------------------------------------------

    def matmul(self, A: Operand, B: Operand, transpose_a: bool = False, transpose_b: bool = False) -> Operand:
        (n, k), (m, d) = _matrix("matmul", A, transpose_a), _matrix("matmul", B, transpose_b)
        _agree("matmul", k, m)
        if isinstance(d, str):
            raise _wrong("matmul", "a second operand with a fixed number of columns", f"shape {B.shape}")
        return self._step("matmul", (A, B), (n, d), transpose_a=transpose_a, transpose_b=transpose_b)

    def map(self, formula: Expression, *operands: Operand) -> Any:
        if len(operands) != len(formula.inputs):
            raise _wrong("map", f"{len(formula.inputs)} operands", str(len(operands)))
        shape: Shape = ()
        for operand in operands:
            shape = _broadcast(shape, operand.shape if isinstance(operand, Recorded) else ())
        return self._step("map", operands, shape, len(formula.outputs), formula=formula)

    def sum_rows(self, A: Operand) -> Operand:
        return self._step("sum_rows", (A,), (_matrix("sum_rows", A)[1],))

    def sum_columns(self, A: Operand) -> Operand:
        return self._step("sum_columns", (A,), (_matrix("sum_columns", A)[0], 1))

    def sum_all(self, A: Operand) -> Operand:
        return self._step("sum_all", (A,), (1,))

    def max_columns(self, A: Operand) -> Operand:
        return self._step("max_columns", (A,), (_matrix("max_columns", A)[0], 1))

    def pick(self, A: Operand, codes: Operand) -> Operand:
        n, _ = _matrix("pick", A)
        _agree("pick", (n,), codes.shape)
        return self._step("pick", (A, codes), (n, 1))

    def one_hot(self, codes: Operand, d: int) -> Operand:
        return self._step("one_hot", (codes,), (_vector("one_hot", codes), d), d=d)

    def gather_rows(self, A: Operand, codes: Operand) -> Operand:
        return self._step("gather_rows", (A, codes), (_vector("gather_rows", codes), _matrix("gather_rows", A)[1]))

    def scatter_add_rows(self, A: Operand, codes: Operand, m: int) -> Operand:
        n, d = _matrix("scatter_add_rows", A)
        _agree("scatter_add_rows", (n,), codes.shape)
        return self._step("scatter_add_rows", (A, codes), (m, d), m=m)

    def grouped_matmul(self, A: Operand, B: Operand, transpose_b: bool = False) -> Operand:
        n, columns = _matrix("grouped_matmul", A)
        groups, i, j = B.shape
        i, j = (j, i) if transpose_b else (i, j)
        _agree("grouped_matmul", columns, groups * i)
        return self._step("grouped_matmul", (A, B), (n, groups * j), transpose_b=transpose_b)

    def split_columns(self, A: Operand, k: int) -> Operand:
        n, columns = _matrix("split_columns", A)
        _agree("split_columns", int(columns) % k, 0)
        return self._step("split_columns", (A,), (_times(n, k), int(columns) // k), k=k)

    def join_columns(self, A: Operand, k: int) -> Operand:
        n, columns = _matrix("join_columns", A)
        return self._step("join_columns", (A,), (_over(n, k), int(columns) * k), k=k)

    def concatenate(self, *matrices: Operand) -> Operand:
        shapes = [_matrix("concatenate", A) for A in matrices]
        for rows, _ in shapes:
            _agree("concatenate", rows, shapes[0][0])
        return self._step("concatenate", matrices, (shapes[0][0], sum(int(d) for _, d in shapes)))

    def slice_columns(self, A: Operand, start: int, stop: int) -> Operand:
        n, d = _matrix("slice_columns", A)
        if not 0 <= start < stop <= int(d):
            raise _wrong("slice_columns", f"columns within 0 to {d}", f"{start} to {stop}")
        return self._step("slice_columns", (A,), (n, stop - start), start=start, stop=stop)

    def uniform(self, rows: Operand, d: int, purpose: Purpose, layer: int, key: Operand) -> Operand:
        shape = (_vector("uniform", rows), d)
        return self._step("uniform", (rows, key), shape, d=d, purpose=purpose, layer=layer)

    def write(self, target: Operand, value: Operand) -> None:
        if _broadcast(target.shape, value.shape) != target.shape:
            raise _wrong("write", f"shape {target.shape}", str(value.shape))
        self._steps.append(("write", (target, value), (), (), target.shape))
        self._known = {key: made for key, made in self._known.items() if target not in key[1]}

    def row_count(self, A: Operand) -> Operand:
        rows = _matrix("row_count", A)[0]
        return self._step("row_count", (A,), ()) if isinstance(rows, str) else rows


def _matrix(operation: str, A: Operand, transposed: bool = False) -> tuple[int | str, int | str]:
    if len(A.shape) != 2:
        raise _wrong(operation, "a matrix", f"shape {A.shape}")
    rows, columns = A.shape
    return (columns, rows) if transposed else (rows, columns)


def _vector(operation: str, x: Operand) -> int | str:
    if len(x.shape) != 1:
        raise _wrong(operation, "one entry a row", f"shape {x.shape}")
    size: int | str = x.shape[0]
    return size


def _times(rows: int | str, k: int) -> int | str:
    """Multiply a number of rows, which may be "n", "2n", ..."""
    return rows * k if isinstance(rows, int) else _multiple(int(rows[:-1] or 1) * k)


def _over(rows: int | str, k: int) -> int | str:
    """Divide a number of rows, which must be a multiple."""
    times = rows if isinstance(rows, int) else int(rows[:-1] or 1)
    _agree("join_columns", times % k, 0)
    return times // k if isinstance(rows, int) else _multiple(times // k)


def _multiple(times: int) -> str:
    return "n" if times == 1 else f"{times}n"


def _agree(operation: str, first: object, second: object) -> None:
    if first != second:
        raise _wrong(operation, f"sizes that agree with {first}", str(second))


def _broadcast(first: Shape, second: Shape) -> Shape:
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    for x, y in zip(longer, padded, strict=True):
        if x != y and 1 not in (x, y):
            raise _wrong("map", f"shapes that broadcast with {first}", str(second))
    return tuple(y if x == 1 else x for x, y in zip(longer, padded, strict=True))


def _wrong(operation: str, expected: str, got: str) -> SpecificationError:
    return SpecificationError(where=operation, expected=expected, got=got, remedy="check the rule's shapes")
