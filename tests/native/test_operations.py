"""Each operation of the vocabulary but map, recorded alone and run on both engines, for sizes around every boundary."""

import itertools

import numpy as np
import pytest

from layerwise.engines import Source
from layerwise.engines.native.engine import NativeExecutable
from layerwise.errors import InputError
from layerwise.ops import Expression, Purpose
from layerwise.program import Recorder

#: Rows around the switch from dot products to packed blocks (8) and around panels (16, 32, 64), columns around vectors
#: and blocks of vectors, inner entries around a vector and around what is multiplied in one go (1024).
SIZES = [
    (1, 1, 1), (1, 17, 3), (1, 100, 65), (2, 15, 16), (7, 16, 17), (8, 17, 31), (9, 31, 33), (15, 33, 1), (16, 63, 5),
    (17, 64, 64), (31, 65, 15), (32, 100, 17), (33, 1, 100), (63, 129, 9), (64, 40, 1), (65, 17, 40),
    (3, 5, 1023), (9, 17, 1024), (1, 33, 1025), (33, 70, 1025), (8, 3, 2049),
]  # fmt: skip
ROWS = (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
COLUMNS = (1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 100)
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, -1e-40, 1e4, -1e4, 1.0]

same = Expression.trace(lambda s, x: x)
add = Expression.trace(lambda s, x, y: x + y)
step = Expression.trace(lambda s, w, g, rate: w - rate * g)


def numbers(*shape, seed=0):
    """Numbers whose sums do not cancel."""
    return np.random.default_rng([seed, *shape]).normal(1.0, 1.0, shape)


def special(*shape):
    return np.resize(np.random.default_rng(len(shape)).permutation(SPECIAL * 5), shape)


def one_operation(operation, buffers, **attributes):
    """The program of one operation on buffers, by name: (shape, role)."""
    recorder = Recorder()
    operands = [recorder.buffer(name, shape, role) for name, (shape, role) in buffers.items()]
    return recorder.program(operation, {"out": getattr(recorder, operation)(*operands, **attributes)})


def symbolic(shape, follows):
    return ("n" if follows else shape[0], *shape[1:])


# --- products ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_matmul(engines, size):
    """A B, A B', A' B and A' B', of fixed sizes and over a batch, with and without a bias."""
    n, d, k = size
    for a, b, follows, biased in itertools.product([False, True], repeat=4):
        if follows and a and b:
            continue  # a batch cannot be the second factor, transposed
        A, B = numbers(*((k, n) if a else (n, k))), numbers(*((d, k) if b else (k, d)), seed=1)
        recorder = Recorder()
        first = recorder.buffer("A", symbolic(A.shape, follows), "input")
        second = recorder.buffer("B", symbolic(B.shape, follows and a), "parameter")
        outputs = {"product": recorder.matmul(first, second, transpose_a=a, transpose_b=b)}
        if biased:
            outputs = {"sum": recorder.map(add, recorder.buffer("b", (d,), "parameter"), outputs["product"])}
        program = recorder.program("product", outputs)
        engines.agree(program, {"A": A, "B": B, "b": numbers(d, seed=2)}, 4 * np.sqrt(k) * engines.eps)


def test_a_product_that_is_needed_without_its_bias_too(engines):
    for n in (3, 33):
        recorder = Recorder()
        h, W = recorder.buffer("h", ("n", 9), "input"), recorder.buffer("W", (17, 9), "parameter")
        product = recorder.matmul(h, W, transpose_b=True)
        outputs = {"sum": recorder.map(add, product, recorder.buffer("b", (17,), "parameter")), "product": product}
        given = {"h": numbers(n, 9), "W": numbers(17, 9), "b": numbers(17)}
        engines.agree(recorder.program("both", outputs), given, 12 * engines.eps)


@pytest.mark.parametrize("n", ROWS)
def test_products_and_the_matrix_that_they_change(engines, n):
    """h W', then W changes, then h W' again: with a packed copy of W, or without; and with one row an outer product."""
    recorder = Recorder()
    h, rate = recorder.buffer("h", ("n", 19), "input"), recorder.buffer("rate", (), "scalar")
    W = recorder.buffer("W", (37, 19), "parameter", "theta", 5)
    before = recorder.matmul(h, W, transpose_b=True)
    gradient = recorder.matmul(before, h, transpose_a=True)
    back = recorder.matmul(before, W)
    recorder.write(W, recorder.map(step, W, gradient, rate))
    again = recorder.matmul(h, W, transpose_b=True)
    outputs = {"before": before, "back": back, "again": again}
    if n % 2:
        outputs["gradient"] = gradient
    program = recorder.program("twice", outputs)
    given = {"h": numbers(n, 19), "W": numbers(37, 19, seed=1) / 19, "rate": 1e-3}
    engines.agree(program, given, 100 * engines.eps)


@pytest.mark.parametrize("columns", [1, 17, 700])
def test_one_row_and_its_outer_product_in_a_formula(engines, columns):
    """With one row in the batch, a formula takes grad_a' h as it goes: beside rows, columns and numbers."""
    recorder = Recorder()
    a, h = recorder.buffer("a", ("n", 33), "input"), recorder.buffer("h", ("n", columns), "input")
    W = recorder.buffer("W", (33, columns), "parameter", "theta", 1)
    row, column = recorder.buffer("r", (columns,), "parameter"), recorder.buffer("c", (33, 1), "parameter")
    formula = Expression.trace(lambda s, w, g, r, c: (w + c * g * r, s.max(g, 2 * w)))
    new, larger = recorder.map(formula, W, recorder.matmul(a, h, transpose_a=True), row, column)
    recorder.write(W, new)
    program = recorder.program("outer", {"sum": recorder.sum_all(larger)})
    for n in (1, 2):
        given = {"a": numbers(n, 33), "h": numbers(n, columns, seed=1), "W": numbers(33, columns, seed=2)}
        given |= {"r": numbers(columns, seed=3), "c": numbers(33, 1, seed=4)}
        engines.agree(program, given, 200 * engines.eps)


def test_products_of_special_values(engines):
    """NaN and infinities reach exactly the entries that they belong to."""
    A, B = np.ones((9, 20)), np.ones((35, 20))
    A[2, 19], A[4, 0], A[6, 7], B[3, 5], B[34, 19] = np.nan, np.inf, 1e-310, -np.inf, np.nan
    for n in (9, 5):  # packed, and not
        program = one_operation("matmul", {"A": (("n", 20), "input"), "B": ((35, 20), "parameter")}, transpose_b=True)
        out = engines.agree(program, {"A": A[:n], "B": B}, 8 * engines.eps)["out"]
        assert np.isnan(out[2]).all()
        assert np.isnan(out[4, 3])
        assert out[4, 2] == np.inf
        assert out[0, 3] == -np.inf
        assert np.isnan(out[:, 34]).all()
        assert np.isfinite(out[np.ix_([0, 1, 3], [0, 1, 2, 4, 33])]).all()


@pytest.mark.parametrize("transpose", [False, True], ids=["AB", "AB'"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (5, 3, 4, 1), (7, 2, 17, 3), (33, 4, 3, 16), (8, 1, 9, 33)], ids=str)
def test_grouped_matmul(engines, sizes, transpose):
    n, groups, i, j = sizes
    B = numbers(groups, j, i) if transpose else numbers(groups, i, j)
    for rows in ("n", n):
        buffers = {"A": ((rows, groups * i), "input"), "B": (B.shape, "parameter")}
        program = one_operation("grouped_matmul", buffers, transpose_b=transpose)
        engines.agree(program, {"A": numbers(n, groups * i), "B": B}, 4 * np.sqrt(i) * engines.eps)


# --- sums and largest values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [*ROWS, 1025])
@pytest.mark.parametrize("operation", ["sum_rows", "sum_columns", "sum_all", "max_columns"])
def test_sums_and_largest_values(engines, operation, n):
    for d in COLUMNS:
        tolerance = 0.0 if operation == "max_columns" else 4 * np.sqrt(n * d) * engines.eps
        for rows in ("n", n):
            program = one_operation(operation, {"A": ((rows, d), "input")})
            engines.agree(program, {"A": numbers(n, d)}, tolerance)


def test_sum_of_a_vector_and_of_a_number(engines):
    for shape in ((1,), (17,), (2049,), (1, 17), (17, 1)):
        program = one_operation("sum_all", {"A": (shape, "input")})
        engines.agree(program, {"A": numbers(*shape)}, 4 * np.sqrt(np.prod(shape)) * engines.eps)


@pytest.mark.parametrize("operation", ["sum_rows", "sum_columns", "max_columns"])
def test_sums_and_largest_values_of_special_values(engines, operation):
    """Each special value alone, in every place; and many of them together."""
    for d in (1, 3, 17, 33):
        for value in SPECIAL:
            A = np.full((d, d), -2.0) + 1e6 * np.eye(d)
            A[np.diag_indices(d)] = value
            program = one_operation(operation, {"A": (("n", d), "input")})
            engines.agree(program, {"A": A}, 4 * d * engines.eps)
        engines.agree(program, {"A": special(d, d)}, 4 * d * engines.eps)


def test_logits_far_from_zero(engines):
    """A softmax with logits of +-1e4 is finite, and so is its loss."""
    recorder = Recorder()
    a, y = recorder.buffer("a", ("n", 10), "input"), recorder.buffer("y", ("n",), "codes")
    shifted = recorder.subtract(a, recorder.max_columns(a))
    exponentials = recorder.map(Expression.trace(lambda s, x: s.exp(x)), shifted)
    total = recorder.sum_columns(exponentials)
    losses = recorder.map(Expression.trace(lambda s, x, t: s.log(t) - x), recorder.pick(shifted, y), total)
    program = recorder.program("softmax", {"f": recorder.divide(exponentials, total), "losses": losses})
    logits = np.random.default_rng(0).choice([-1e4, -1.0, 0.0, 1.0, 1e4], (40, 10))
    out = engines.agree(program, {"a": logits, "y": np.arange(40) % 10}, 8 * engines.eps)
    assert np.isfinite(out["losses"]).all()
    assert out["losses"].max() >= 1e4


# --- codes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", ROWS)
def test_codes(engines, n):
    """Chosen entries and rows are the same numbers, special ones too; sums over the rows of one code add in order."""
    for d, m in ((1, 1), (3, 17), (17, 2), (33, 9)):
        generator = np.random.default_rng([n, d, m])
        of_columns, of_rows = generator.integers(0, d, n), generator.integers(0, m, n)
        A, table, codes = (("n", d), "input"), ((m, d), "parameter"), (("n",), "codes")
        engines.agree(one_operation("pick", {"A": A, "y": codes}), {"A": special(n, d), "y": of_columns})
        engines.agree(one_operation("one_hot", {"y": codes}, d=d), {"y": of_columns})
        program = one_operation("gather_rows", {"table": table, "y": codes})
        engines.agree(program, {"table": special(m, d), "y": of_rows})
        program = one_operation("scatter_add_rows", {"A": A, "y": codes}, m=m)
        engines.agree(program, {"A": numbers(n, d), "y": of_rows}, 4 * np.sqrt(n) * engines.eps)
        engines.agree(program, {"A": special(n, d), "y": of_rows}, 4 * np.sqrt(n) * engines.eps)


def test_codes_of_fixed_rows(engines):
    given = {"table": special(7, 5), "y": np.array([6, 0, 3, 3])}
    program = one_operation("gather_rows", {"table": ((7, 5), "parameter"), "y": ((4,), "codes")})
    engines.agree(program, given)
    engines.agree(one_operation("one_hot", {"y": ((4,), "codes")}, d=7), given)


def test_a_code_of_no_column_is_a_row_of_zeros(engines):
    """As in NumPy, where no column equals it."""
    program = one_operation("one_hot", {"y": (("n",), "codes")}, d=3)
    out = engines.agree(program, {"y": np.array([-1, 0, 3, 2**40, -(2**63), 2])})["out"]
    assert np.array_equal(out.sum(axis=1), [0, 1, 0, 0, 0, 1])


@pytest.mark.parametrize("code", [-1, 5, 2**40, -(2**63)])
@pytest.mark.parametrize("operation", ["pick", "gather_rows", "scatter_add_rows"])
def test_a_code_out_of_range_is_refused(engines, refuses, operation, code):
    A = ((5, 5) if operation == "gather_rows" else ("n", 5), "input")
    attributes = {"m": 5} if operation == "scatter_add_rows" else {}
    program = one_operation(operation, {"A": A, "y": (("n",), "codes")}, **attributes)
    given = {"A": np.ones((5, 5), engines.dtype), "y": np.array([0, 1, code, 3, 4])}
    executable = NativeExecutable(program, engines.dtype, engines.path)
    with refuses(InputError, "code is out of range"):
        executable.call({}, given)
    given["y"][2] = 2
    assert np.isfinite(executable.call({}, given)["out"]).all()


@pytest.mark.parametrize("operation", ["pick", "gather_rows", "scatter_add_rows"])
def test_rows_of_the_data_set_used_as_codes_are_checked_too(engines, refuses, operation):
    recorder = Recorder()
    h, rows = recorder.buffer("h", ("n", 5), "features"), recorder.buffer("rows", ("n",), "rows")
    operand = recorder.buffer("W", (5, 5), "parameter", "theta") if operation == "gather_rows" else h
    attributes = {"m": 5} if operation == "scatter_add_rows" else {}
    chosen = getattr(recorder, operation)(operand, rows, **attributes)
    program = recorder.program("rows", {"sum": recorder.sum_all(recorder.add(chosen, recorder.sum_all(h)))})
    executable = NativeExecutable(program, engines.dtype, engines.path)
    vectors, source = {"theta": np.ones(25, engines.dtype)}, Source(np.ones((40, 5)), np.zeros(40, int))
    table, order = np.zeros((1, 0)), np.arange(40)
    assert executable.run(vectors, source, order, [(0, 5)], table, (0, 0), lambda done: False).finite
    with refuses(InputError, "out of range"):
        executable.run(vectors, source, order, [(0, 5), (0, 40)], table, (0, 0), lambda done: False)


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", ROWS)
def test_columns(engines, n):
    for rows in ("n", n):
        program = one_operation("concatenate", {"A": ((rows, 3), "input"), "B": ((rows, 17), "input")})
        engines.agree(program, {"A": special(n, 3), "B": special(n, 17)})
        for start, stop in ((0, 1), (2, 19), (19, 20), (0, 20)):
            program = one_operation("slice_columns", {"A": ((rows, 20), "input")}, start=start, stop=stop)
            engines.agree(program, {"A": special(n, 20)})


@pytest.mark.parametrize("follows", [False, True], ids=["fixed", "n"])
@pytest.mark.parametrize("n", [1, 7, 8, 33])
def test_rows_split_and_joined(engines, n, follows):
    """(n, 6) as (2 n, 3): read by a formula, by a sum over all rows and by a product, and back again as (n, 6)."""
    recorder = Recorder()
    h = recorder.buffer("h", ("n" if follows else n, 6), "input")
    W = recorder.buffer("W", (17, 3), "parameter")
    split = recorder.split_columns(recorder.map(Expression.trace(lambda s, x: 2 * x), h), 2)
    product = recorder.matmul(split, W, transpose_b=True)
    joined = recorder.join_columns(product, 2)
    outputs = {"sum": recorder.sum_rows(split), "joined": recorder.map(add, joined, recorder.sum_columns(h))}
    if follows:
        outputs["mean"] = recorder.divide(recorder.sum_rows(product), recorder.row_count(split))
    program = recorder.program("split", outputs)
    engines.agree(program, {"h": numbers(n, 6), "W": numbers(17, 3, seed=1)}, 20 * engines.eps)


@pytest.mark.parametrize("of", ["buffer", "result"])
def test_views_that_are_returned_and_read(engines, of):
    recorder = Recorder()
    h = recorder.buffer("h", ("n", 6), "input")
    whole = h if of == "buffer" else recorder.map(Expression.trace(lambda s, x: 2 * x), h)
    split = recorder.split_columns(whole, 3)
    read = {"whole": whole, "split": split, "sum": recorder.sum_rows(split), "joined": recorder.join_columns(split, 3)}
    for outputs in (read, {"split": split}):
        engines.agree(recorder.program("views", outputs), {"h": numbers(9, 6)}, 20 * engines.eps)


# --- random numbers, writes and the number of rows --------------------------------------------------------------------


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (2**32 + 5, 7), (2**64 - 1, 2**32 - 1)], ids=str)
def test_uniform(engines, key):
    recorder = Recorder()
    rows, counter = recorder.buffer("rows", ("n",), "rows"), recorder.buffer("key", (2,), "key")
    outputs = {
        f"{purpose.name} {layer} {d}": recorder.uniform(rows, d, purpose, layer, counter)
        for purpose, layer, d in zip(itertools.cycle(Purpose), (0, 1, 255, 2**24 - 1) * 3, (*COLUMNS, 3), strict=False)
    }
    program = recorder.program("uniform", outputs)
    places = np.array([0, 1, 2, 70_000, 2**31 - 1, 2**31, 2**32 - 1, 5, 5])
    engines.agree(program, {"rows": places, "key": key})


def test_writes(engines):
    """A buffer copied into another, a row written to all rows, one value to two buffers, and special values kept."""
    recorder = Recorder()
    h = recorder.buffer("h", ("n", 17), "input")
    A, B, C, D = (recorder.buffer(x, (5, 17), "parameter", "theta", i * 85) for i, x in enumerate("ABCD"))
    row, more = recorder.buffer("r", (17,), "statistic"), recorder.buffer("s", (17,), "statistic", "theta", 340)
    recorder.write(A, B)
    recorder.write(B, row)
    new = recorder.map(same, D)
    recorder.write(C, new)
    recorder.write(D, new)
    sums = recorder.sum_rows(h)
    recorder.write(row, sums)
    recorder.write(more, sums)
    program = recorder.program("writes", {"A": A, "sum": sums})
    given = {name: special(5, 17) for name in "ABCD"} | {"r": special(17), "s": numbers(17), "h": numbers(33, 17)}
    engines.agree(program, given, 40 * engines.eps, exact=[*"ABCD"])


@pytest.mark.parametrize("n", [1, 7, 33])
def test_the_number_of_rows(engines, n):
    recorder = Recorder()
    h, scalar = recorder.buffer("h", ("n", 4), "input"), recorder.buffer("s", (), "scalar")
    twice = recorder.split_columns(h, 2)
    counts = {"once": recorder.row_count(h), "twice": recorder.row_count(twice)}
    outputs = {name: recorder.map(Expression.trace(lambda s, n, x: n * x), c, scalar) for name, c in counts.items()}
    outputs |= {f"h / {name}": recorder.divide(h, c) for name, c in counts.items()}
    out = engines.agree(recorder.program("rows", outputs), {"h": numbers(n, 4), "s": 2.5})
    assert out["once"] == 2.5 * n
    assert out["twice"] == 5 * n


def test_names_are_only_names(engines):
    """A scalar, a result and an output called n are not the number of rows."""
    recorder = Recorder()
    h, scalar = recorder.buffer("h", ("n", 4), "input"), recorder.buffer("n", (), "scalar")
    outputs = {"a": recorder.multiply(h, scalar), "b": recorder.divide(h, recorder.row_count(h))}
    engines.agree(recorder.program("scalar", outputs), {"h": numbers(5, 4), "n": 100.0})
    recorder = Recorder()
    h = recorder.buffer("h", ("n", 4), "input")
    outputs = {"n": recorder.add(h, h), "b": recorder.divide(h, recorder.row_count(h))}
    engines.agree(recorder.program("output", outputs), {"h": numbers(5, 4)})
