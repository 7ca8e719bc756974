"""Plans damaged on purpose: each is refused, or runs within the memory that it asks for.

The damaged plans are loaded and run in a child process (this file as a script), many in each, between guard values; a
child that dies tells which plan it was at. LAYERWISE_STRESS=1 tries far more of them.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines.native.encoding import encode
from layerwise.engines.native.engine import load_plan
from layerwise.engines.native.interface import MESSAGE, NUMBERS, Epoch, Gather, Once, Source, functions
from layerwise.engines.native.library import code_paths
from layerwise.errors import SpecificationError
from layerwise.ops import Expression, Purpose
from layerwise.program import Recorder

STRESS = os.environ.get("LAYERWISE_STRESS") not in (None, "", "0")
CASES = 200_000 if STRESS else 7_000  # of each plan
SECONDS = 30  # that one damaged plan may run
ROWS = (1, 5, 40)
#: What a number becomes; None stands for one more, one less and twice as much.
VALUES = [-1, 0, 1, 2, 3, 5, 7, 8, 14, 21, 22, 64, 4000, 2**31, 2**40, 2**62, -(2**63), None]
GUARD = 1234.5
GUARDS = 64
MOST_BYTES = 2**22  # of arrays for one plan: what asks for more is only loaded
MEMORY = 2**31  # of the child, so that what a plan asks for beyond that is refused
GIVEN, VALUE = 5, 6  # numbers for each array and value in a plan


def whole_vocabulary():
    """A program with every operation."""
    r = Recorder()
    h, t = r.buffer("h", ("n", 6), "features"), r.buffer("t", ("n", 3), "targets")
    y, w = r.buffer("y", ("n",), "codes"), r.buffer("w", ("n", 1), "weights")
    rows, key, rate = r.buffer("rows", ("n",), "rows"), r.buffer("key", (2,), "key"), r.buffer("rate", (), "scalar")
    W, b = r.buffer("W", (3, 6), "parameter", "theta"), r.buffer("b", (3,), "parameter", "theta", 18)
    G = r.buffer("G", (2, 3, 2), "parameter", "theta", 21)
    table, own = r.buffer("table", (5, 3), "parameter", "other", 2), r.buffer("own", (3, 6), "memory")
    a = r.add(r.matmul(h, W, transpose_b=True), b)
    gathered = r.gather_rows(table, y)
    scaled = r.multiply(r.subtract(a, r.max_columns(a)), r.map(Expression.trace(lambda s, x: 1 + s.exp(x)), gathered))
    uniform = r.uniform(rows, 3, Purpose.DROPOUT, 1, key)
    masked = r.map(Expression.trace(lambda s, x, u: s.where(u < 0.5, x, 0)), scaled, uniform)
    wide = r.concatenate(masked, r.slice_columns(h, 2, 5), r.one_hot(y, 3))
    halves = r.split_columns(r.grouped_matmul(r.slice_columns(wide, 0, 6), G), 2)
    loss = r.sum_all(r.multiply(r.multiply(r.pick(masked, y), w), r.sum_columns(r.subtract(a, t))))
    gradient = r.matmul(masked, h, transpose_a=True)
    r.write(own, r.map(Expression.trace(lambda s, o, g, x: 0.9 * o + g * x), own, gradient, rate))
    r.write(W, r.map(Expression.trace(lambda s, x, g: x - g), W, own))
    r.write(table, r.scatter_add_rows(masked, y, 5))
    r.write(b, r.divide(r.sum_rows(r.add(masked, r.sum_columns(r.join_columns(halves, 2)))), r.row_count(h)))
    return r.program("whole", {"loss": loss, "norm": r.sum_all(r.multiply(W, W))})


def plans():
    """Programs whose plans are damaged, by name."""
    course = lw.Network(5, [4], 3, hidden="sigmoid", output="softmax")
    deep = lw.Network(9, [17, 5], 2, hidden="gelu", output="identity", batch_norm=True, dropout=0.3)
    return {
        "course": (course.program("train_step", update=lw.SGD(0.1, momentum=0.5), penalty=lw.L2(1e-5)), "float64"),
        "deep": (deep.program("train_step", update=lw.Adam(), weighted=True), "float32"),
        "whole": (whole_vocabulary(), "float64"),
        "whole32": (whole_vocabulary(), "float32"),
    }


def damages(code, seed):
    """What is done to a plan, case by case: (what, numbers), in an order that is always the same."""
    generator = np.random.default_rng(seed)
    for i in generator.permutation(len(code) * len(VALUES)).tolist():
        yield "set", (i // len(VALUES), i % len(VALUES))
        if i % 8 == 0:
            yield "swap", tuple(generator.integers(0, len(code), 2).tolist())
        if i % 8 == 1:
            yield "copy", tuple(generator.integers(0, len(code), 3).tolist())
        if i % 8 == 2:
            yield "several", (int(generator.integers(0, 2**31)),)
        if i % 64 == 3:
            yield "cut", (int(generator.integers(0, len(code))),)
            yield "more", (int(generator.integers(1, 9)), int(generator.integers(-2, 3)))
    while STRESS:
        yield "several", (int(generator.integers(0, 2**31)),)


def damaged(code, what, numbers):
    code = code.copy()
    if what == "set":
        place, value = numbers
        choice = VALUES[value]
        code[place] = int(code[place]) + (1, -1, int(code[place]))[place % 3] if choice is None else choice
    elif what == "swap":
        first, second = numbers
        code[[first, second]] = code[[second, first]]
    elif what == "copy":
        source, target, length = numbers[0], numbers[1], 1 + numbers[2] % 12
        part = code[source : source + length][: len(code) - target].copy()
        code[target : target + len(part)] = part
    elif what == "several":
        generator = np.random.default_rng(numbers[0])
        for place in generator.integers(0, len(code), generator.integers(2, 5)):
            code[place] = generator.choice(
                [int(generator.integers(0, 30)), int(code[generator.integers(0, len(code))])]
            )
    elif what == "cut":
        code = code[: numbers[0]].copy()
    else:
        code = np.concatenate([code, np.full(numbers[0], numbers[1])])
    return code


# --- the child --------------------------------------------------------------------------------------------------------


class Arrays:
    """The arrays that a plan asks for, exactly as large, with guards behind each."""

    def __init__(self, code, n):
        numbers = iter(code.tolist())
        _, _, self.bytes = (next(numbers) for _ in range(3))
        self.n, self.total = n, 0
        self.kept = []
        dtype = np.dtype("float32" if self.bytes == 4 else "float64")
        self.dtype = dtype
        vectors = [next(numbers) for _ in range(next(numbers))]
        givens = [[next(numbers) for _ in range(GIVEN)] for _ in range(next(numbers))]
        self.scalars = next(numbers)
        values = [[next(numbers) for _ in range(VALUE)] for _ in range(next(numbers))]
        largest = max((self.count(*value[3:]) for value in values), default=1)
        self.vectors = [self.array(size, dtype) for size in vectors]
        self.given = [self.array(self.count(*g[2:]), np.dtype(np.int64) if g[1] else dtype) for g in givens]
        self.output = self.array(largest, dtype)
        wide = {role: max([c for r, *_, c in givens if r == role], default=1) for role in (1, 2)}
        self.roles = {role: self.array(n * columns, dtype).reshape(n, -1) for role, columns in wide.items()}

    def count(self, symbolic, rows, columns):
        return rows * columns * (self.n if symbolic else 1)

    def array(self, size, dtype):
        self.total += size * dtype.itemsize
        if self.total > MOST_BYTES:
            raise MemoryError
        whole = np.full(size + GUARDS, GUARD).astype(dtype)
        whole[:size] = np.arange(size) % 2 if dtype.kind == "i" else 0.5 + np.arange(size) % 3 / 4
        self.kept.append(whole)
        return whole[:size]

    def check(self):
        assert all((whole[-GUARDS:] == whole.dtype.type(GUARD)).all() for whole in self.kept), "a guard was written"


def addresses(arrays, least=1):
    return (ctypes.c_void_p * max(len(arrays), least))(*(array.ctypes.data for array in arrays))


def run_once(handle, arrays, length):
    outputs = (ctypes.c_void_p * length)(*[arrays.output.ctypes.data] * length)
    vectors, given, scalars = addresses(arrays.vectors), addresses(arrays.given), np.full(arrays.scalars + 1, 0.5)
    once = Once(
        vectors=ctypes.addressof(vectors), given=ctypes.addressof(given), n=arrays.n, threads=1,
        scalars=scalars.ctypes.data, outputs=ctypes.addressof(outputs),
    )  # fmt: skip
    functions().layerwise_call(handle, ctypes.addressof(once), ctypes.create_string_buffer(MESSAGE))
    arrays.check()


def run_epoch(handle, arrays, length):
    n = arrays.n
    vectors = addresses(arrays.vectors)
    source = Source(rows=n)
    for role, name in ((1, "features"), (2, "targets")):
        X = arrays.roles[role]
        number = NUMBERS.index(f"f{arrays.dtype.itemsize}")
        setattr(source, name, Gather(data=X.ctypes.data, number=number, row_stride=X.strides[0],
                                     column_stride=X.strides[1], columns=X.shape[1]))  # fmt: skip
    codes, weights = np.arange(n) % 2, np.ones(n)
    source.codes, source.weights = codes.ctypes.data, weights.ctypes.data
    order, bounds = np.arange(n), np.array([[0, n], [n // 2, n]])
    table, sums, done = np.full(2 * arrays.scalars + 1, 0.5), np.zeros(length), np.zeros(3, np.int64)
    epoch = Epoch(
        vectors=ctypes.addressof(vectors), source=source, order=order.ctypes.data, bounds=bounds.ctypes.data,
        batches=2, table=table.ctypes.data, table_rows=2, seed=1, first_step=2, seconds=1.0, threads=1,
    )  # fmt: skip
    functions().layerwise_run(handle, ctypes.addressof(epoch), sums.ctypes.data, done.ctypes.data,
                              ctypes.create_string_buffer(MESSAGE))  # fmt: skip
    arrays.check()


def child(name, first, at):
    """Load and run damaged plans from number `first` on; the file `at` tells which one is at work."""
    program, dtype = plans()[name]
    encoded = encode(program, dtype)
    path = code_paths()[0]
    import resource

    if "asan" not in os.environ.get("LD_PRELOAD", ""):  # which takes more addresses than any machine has memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    place = np.memmap(at, np.int64, "r+", shape=(2,))
    for number, (what, numbers) in zip(range(CASES), damages(encoded.code, 7), strict=False):
        if number < first:
            continue
        code = damaged(encoded.code, what, numbers)
        place[0] = number
        constants = encoded.constants if number % 50 else encoded.constants[: number % 7]
        try:
            handle = load_plan(code, constants, path, "damaged")
        except SpecificationError:
            continue
        place[1] += 1
        signal.alarm(SECONDS)  # a plan may ask for more work than this is worth
        for run in (run_once, run_epoch):
            try:
                arrays = Arrays(code, ROWS[number % len(ROWS)])
            except MemoryError:
                break
            run(handle, arrays, len(code))
        functions().layerwise_unload(handle)
        signal.alarm(0)
    place[0] = -1


# --- the tests --------------------------------------------------------------------------------------------------------


def runs_of(name, folder):
    """Run children until every case is done; return the cases at which one died, and how many plans were run."""
    at, deaths = folder / "at", []
    first = ran = 0
    while len(deaths) < 40:
        np.zeros(2, np.int64).tofile(at)
        options = os.environ.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1:max_allocation_size_mb=512"
        done = subprocess.run(
            [sys.executable, __file__, name, str(first), str(at)], capture_output=True, text=True, timeout=3000,
            env=os.environ | {"ASAN_OPTIONS": options},
        )  # fmt: skip
        number, more = np.fromfile(at, np.int64).tolist()
        ran += more
        if done.returncode == 0:
            assert number == -1
            break
        if done.returncode != -signal.SIGALRM:
            program, dtype = plans()[name]
            cases = dict(zip(range(number + 1), damages(encode(program, dtype).code, 7), strict=False))
            deaths.append((number, cases[number], done.returncode, done.stderr[:2500]))
        first = number + 1
    return deaths, ran


@pytest.mark.skipif(os.name == "nt", reason="limits of memory and time are those of Unix")
@pytest.mark.parametrize("name", ["course", "deep", "whole", "whole32"])
def test_damaged_plans(built, name, tmp_path):
    """Single numbers changed, exchanged or copied, several at once, an end too early or too late."""
    deaths, ran = runs_of(name, tmp_path)
    assert not deaths, "\n".join(map(str, deaths))
    assert ran > CASES / 100  # or this would test nothing but the refusals


def test_an_undamaged_plan_runs(built, refuses):
    for program, dtype in plans().values():
        encoded = encode(program, dtype)
        for n in ROWS:
            for run in (run_once, run_epoch):
                handle = load_plan(encoded.code, encoded.constants, code_paths()[0], "whole")
                arrays = Arrays(encoded.code, n)
                before = [vector.copy() for vector in arrays.vectors]
                run(handle, arrays, len(encoded.code))
                functions().layerwise_unload(handle)
                assert not all(map(np.array_equal, before, arrays.vectors))
        for code in (encoded.code[:-1], encoded.code[:0], np.append(encoded.code, 0), encoded.code + 1):
            with refuses(SpecificationError, "damaged", "the plan"):
                load_plan(code, encoded.constants, code_paths()[0], "damaged")


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
