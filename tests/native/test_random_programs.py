"""Programs made by Hypothesis, run on both engines.

All numbers in them are whole and small enough for float32 to hold every sum and product exactly. So both engines have
to give the same bits, in whatever order they work, and an operation that reads a value too early or too late shows.
"""

import os

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.engines import Source
from layerwise.engines.native.engine import NativeExecutable
from layerwise.engines.reference import ReferenceExecutable
from layerwise.ops import Expression, Purpose
from layerwise.program import Recorder

STRESS = os.environ.get("LAYERWISE_STRESS") not in (None, "", "0")
FIXED = settings(
    deadline=None, derandomize=not STRESS, max_examples=2000 if STRESS else 120, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip
MOST_ROWS = 70
LARGEST = 2**22
SIZES = (1, 2, 3, 7, 8, 9, 16, 17, 33, 65)
#: Formulas of one to three operands, with the largest value of each result for the largest of the operands.
FORMULAS = [
    (Expression.trace(lambda s, x: 2 * x + 1), lambda x: [2 * x + 1]),
    (Expression.trace(lambda s, x: (x, s.abs(x), -x)), lambda x: [x, x, x]),
    (Expression.trace(lambda s, x, y: x + y), lambda x, y: [x + y]),
    (Expression.trace(lambda s, x, y: x - y), lambda x, y: [x + y]),
    (Expression.trace(lambda s, x, y: x * y), lambda x, y: [x * y]),
    (Expression.trace(lambda s, x, y: (y, x)), lambda x, y: [y, x]),
    (Expression.trace(lambda s, x, y: (s.max(x, y), s.less(x, y))), lambda x, y: [x + y, 1]),
    (Expression.trace(lambda s, x, y, z: x * y + z), lambda x, y, z: [x * y + z]),
    (Expression.trace(lambda s, x, y, z: (x - 2 * y, s.where(x, y, z))), lambda x, y, z: [x + 2 * y, y + z]),
]
#: What keeps values small, so that programs can go on: -1, 0 or 1.
sign = Expression.trace(lambda s, x: s.less(0, x) - s.less(x, 0))


class Drawing:
    """A program in the making: its values, each with the largest number that it can hold."""

    def __init__(self, draw, over_batches):
        self.draw, self.recorder = draw, Recorder()
        self.largest = {}
        self.values, self.buffers, self.codes = [], [], []
        self.outputs = {}
        self.over_batches = over_batches
        self.start = 0
        features = self.buffer("h", ("n", draw(st.sampled_from(SIZES))), "features")
        self.features = features
        self.targets = self.buffer("t", ("n", draw(st.sampled_from(SIZES))), "targets")
        if not draw(st.booleans()):
            self.values.remove(self.targets)
        self.y = self.recorder.buffer("y", ("n",), "codes") if not over_batches else None
        self.rows, self.key = self.recorder.buffer("rows", ("n",), "rows"), self.recorder.buffer("key", (2,), "key")
        self.buffer("s", (), "scalar")
        for i in range(draw(st.integers(1, 4))):
            sizes = draw(st.sampled_from(SIZES)), draw(st.sampled_from(SIZES))
            shape = draw(st.sampled_from([sizes, sizes, sizes[:1], (1, sizes[1]), (sizes[0], 1), (1,)]))
            self.parameter(f"W{i}", shape)
            if draw(st.booleans()):
                self.parameter(f"V{i}", shape)
        if draw(st.booleans()):
            self.parameter("like h", (draw(st.sampled_from(SIZES)), features.shape[1]))

    def buffer(self, name, shape, role, *place):
        value = self.recorder.buffer(name, shape, role, *place)
        self.largest[value.number] = 2
        self.values.append(value)
        return value

    def parameter(self, name, shape):
        if self.over_batches or self.draw(st.booleans()):
            value = self.buffer(name, shape, "parameter", "theta", self.start)
            self.start += int(np.prod(shape)) + self.draw(st.sampled_from([0, 3]))
        else:
            value = self.buffer(name, shape, "memory")
        self.buffers.append(value)

    def pick(self, fits=lambda shape: True):
        """A value that fits, often a late one; none if there is none."""
        found = [value for value in self.values if fits(value.shape)]
        if not found:
            return None
        return found[-1 - min(self.draw(st.integers(0, len(found) - 1)), self.draw(st.integers(0, len(found) - 1)))]

    def keep(self, values, bounds):
        for value, bound in zip(values if isinstance(values, tuple) else (values,), bounds, strict=True):
            if bound > LARGEST:
                value, bound = self.recorder.map(sign, value), 1
            self.largest[value.number] = min(int(bound), self.largest.get(value.number, bound))
            self.values.append(value)

    # --- the operations ---

    def map(self):
        formula, bounds = self.draw(st.sampled_from(FORMULAS))
        whole = self.pick()
        operands = [whole] + [self.pick(lambda shape: covers(shape, whole.shape)) for _ in formula.inputs[1:]]
        results = self.recorder.map(formula, *self.draw(st.permutations(operands)))
        most = max(self.largest[o.number] for o in operands)
        self.keep(results, bounds(*[most] * len(operands)))

    def matmul(self):
        a, b = self.draw(st.booleans()), self.draw(st.booleans())
        A = self.pick(lambda s: len(s) == 2)
        inner = A.shape[0 if a else 1]
        B = self.pick(lambda s: len(s) == 2 and s[1 if b else 0] == inner and not (b and not isinstance(s[0], int)))
        if B is None or (a and b and not isinstance(inner, int)):
            return
        bound = rows_of(inner) * self.largest[A.number] * self.largest[B.number]
        if bound > LARGEST:
            A, B = self.recorder.map(sign, A), self.recorder.map(sign, B)
            bound = rows_of(inner)
        self.keep(self.recorder.matmul(A, B, transpose_a=a, transpose_b=b), [bound])

    def reduce(self):
        operation = self.draw(st.sampled_from(["sum_rows", "sum_columns", "sum_all", "max_columns"]))
        A = self.pick(lambda s: len(s) == 2 or (operation == "sum_all" and len(s) == 1))
        terms = 1 if operation == "max_columns" else size_of(A.shape)
        bound = terms * self.largest[A.number]
        if bound > LARGEST:
            A, bound = self.recorder.map(sign, A), terms
        self.keep(getattr(self.recorder, operation)(A), [bound])

    def code(self):
        rows = self.draw(st.sampled_from(["n", "n", "one"]))
        A = self.pick(lambda s: len(s) == 2)
        if self.y is None or rows == "one":
            return
        largest = [self.largest[A.number]]
        if A.shape[0] == "n":
            if self.draw(st.booleans()) and A.shape[1] >= MOST_CODES:
                self.keep(self.recorder.pick(A, self.y), largest)
            else:
                m = self.draw(st.integers(MOST_CODES, 9))
                bound = MOST_ROWS * largest[0]
                A = A if bound <= LARGEST else self.recorder.map(sign, A)
                self.keep(self.recorder.scatter_add_rows(A, self.y, m), [min(bound, MOST_ROWS * largest[0])])
        elif isinstance(A.shape[0], int) and A.shape[0] >= MOST_CODES:
            self.keep(self.recorder.gather_rows(A, self.y), largest)
        else:
            self.keep(self.recorder.one_hot(self.y, self.draw(st.integers(1, 9))), [1])

    def columns(self):
        A = self.pick(lambda s: len(s) == 2)
        largest = [self.largest[A.number]]
        what = self.draw(st.sampled_from(["slice", "concatenate", "split", "join"]))
        if what == "slice":
            stop = self.draw(st.integers(1, A.shape[1]))
            self.keep(self.recorder.slice_columns(A, self.draw(st.integers(0, stop - 1)), stop), largest)
        elif what == "concatenate":
            B = self.pick(lambda s: len(s) == 2 and s[0] == A.shape[0])
            if A.shape[1] + B.shape[1] < 200:
                self.keep(self.recorder.concatenate(A, B), [max(*largest, self.largest[B.number])])
        elif what == "split" and size_of(A.shape[:1]) < 3 * MOST_ROWS:
            k = next(k for k in (3, 2, 1) if A.shape[1] % k == 0)
            self.keep(self.recorder.split_columns(A, k), largest)
        elif what == "join" and A.shape[1] < 70:
            rows = A.shape[0] if isinstance(A.shape[0], int) else int(A.shape[0][:-1] or 1)
            k = next(k for k in (3, 2, 1) if rows % k == 0)
            self.keep(self.recorder.join_columns(A, k), largest)

    def uniform(self):
        u = self.recorder.uniform(self.rows, self.draw(st.sampled_from(SIZES)), Purpose.DROPOUT, 1, self.key)
        self.keep(self.recorder.map(Expression.trace(lambda s, u: s.less(u, 0.5)), u), [1])

    def count(self):
        A = self.pick(lambda s: len(s) == 2 and not isinstance(s[0], int))
        if A is not None:
            self.keep(self.recorder.map(FORMULAS[2][0], self.recorder.row_count(A), self.values[0]), [MOST_ROWS * 99])

    def write(self):
        if not self.buffers:
            return
        target = self.draw(st.sampled_from(self.buffers))
        value = self.pick(lambda s: s == target.shape) if self.draw(st.integers(0, 3)) else None
        value = value or self.pick(lambda s: covers(s, target.shape))
        if value is not None and value.number != target.number:
            if self.largest[value.number] > 100 or self.over_batches:
                value = self.recorder.map(sign, value)
            self.largest[target.number] = max(self.largest[target.number], min(100, self.largest.get(value.number, 1)))
            self.recorder.write(target, value)

    def finish(self, returned):
        for i, value in enumerate([self.pick() for _ in range(returned)] + self.values[-3:]):
            if self.over_batches:
                value = self.recorder.sum_all(self.recorder.map(sign, value)) if value.shape else None
            if value is not None:
                self.outputs[f"out {i}"] = value
        return self.recorder.program("random", self.outputs)


STEPS = ["map"] * 5 + ["matmul"] * 4 + ["write"] * 3 + ["reduce", "columns"] * 2 + ["code", "uniform", "count"]
MOST_CODES = 3


def rows_of(size):
    return size if isinstance(size, int) else int(size[:-1] or 1) * MOST_ROWS


def size_of(shape):
    return int(np.prod([rows_of(size) for size in shape]))


def covers(shape, whole):
    """Whether a value of one shape can be an operand of a formula over another."""
    padded = (1,) * (len(whole) - len(shape)) + tuple(shape)
    return len(padded) == len(whole) and all(a in (1, b) for a, b in zip(padded, whole, strict=True))


@st.composite
def programs(draw, over_batches=False):
    drawing = Drawing(draw, over_batches)
    for operation in draw(st.lists(st.sampled_from(STEPS), min_size=6, max_size=20)):
        getattr(drawing, operation)()
    return drawing.finish(draw(st.integers(0, 4)))


def given_of(program, n, seed):
    generator = np.random.default_rng(seed)
    arrays = {}
    for buffer in program.buffers:
        shape = tuple(n if size == "n" else size for size in buffer.shape)
        if buffer.role == "scalar":
            arrays[buffer.name] = 2.0
        elif buffer.role == "key":
            arrays[buffer.name] = (seed, 3)
        elif buffer.role in ("codes", "rows"):
            arrays[buffer.name] = generator.integers(0, MOST_CODES, shape)
        else:
            arrays[buffer.name] = generator.integers(-2, 3, shape).astype(float)
    return arrays


@FIXED
@given(programs(), st.sampled_from([1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 70]), st.integers(0, 9))
def test_one_call(all_engines, program, n, seed):
    for engines in all_engines:
        engines.agree(program, given_of(program, n, seed))


@FIXED
@given(programs(over_batches=True), st.lists(st.sampled_from([1, 2, 7, 9, 32, 33, 70]), max_size=4), st.integers(0, 9))
def test_runs_over_batches(all_engines, program, sizes, seed):
    """Parameters written in one batch are read in the next, which may have fewer rows or more."""
    n = 2 * MOST_ROWS
    generator = np.random.default_rng(seed)
    columns = {buffer.role: buffer.shape[1] for buffer in program.buffers if buffer.role in ("features", "targets")}
    X, Y = (generator.integers(-2, 3, (n, columns.get(role, 1))).astype(np.float32) for role in ("features", "targets"))
    order = generator.permutation(n)
    starts = generator.integers(0, MOST_ROWS, 1 + len(sizes))
    bounds = [(start, start + size) for start, size in zip(starts.tolist(), [7, *sizes], strict=True)]
    table = generator.integers(0, 3, (len(bounds), len(program.scalars))).astype(float)
    before = generator.integers(-2, 3, program.vectors.get("theta", 0))

    def run(executable):
        vectors = {name: before.astype(executable.dtype) for name in program.vectors}
        return executable.run(vectors, Source(X, Y), order, bounds, table, (seed, 1), lambda done: False), vectors

    for engines in all_engines:
        totals, vectors = run(NativeExecutable(program, engines.dtype, engines.path))
        expected_totals, expected = run(ReferenceExecutable(program, engines.dtype))
        assert totals == expected_totals
        for name, vector in expected.items():
            np.testing.assert_array_equal(vectors[name], vector)
