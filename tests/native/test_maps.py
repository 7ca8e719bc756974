"""Formulas run over arrays: every primitive, every way that operands cover a result, sizes around every boundary."""

import itertools

import numpy as np
import pytest

from layerwise.ops import Expression
from layerwise.ops.symbols import PRIMITIVES
from layerwise.program import Recorder

#: Rows and columns of the result: around vectors, around a block of 2048 bytes, around half of it, and of one row.
SHAPES = [
    (1, 1), (1, 17), (1, 2049), (2, 15), (3, 16), (31, 33), (33, 63), (64, 65), (7, 100), (5, 127), (9, 128), (9, 129),
    (3, 255), (3, 256), (3, 257), (2, 511), (2, 513), (2047, 1), (2049, 1), (23, 89), (683, 3), (33, 31), (100, 41),
]  # fmt: skip
#: The shapes of operands that a result (n, d) can have, by what they cover.
COVERS = {
    "full": lambda n, d: (n, d), "row": lambda n, d: (d,), "matrix row": lambda n, d: (1, d),
    "column": lambda n, d: (n, 1), "number": lambda n, d: (1,), "scalar": lambda n, d: (),
}  # fmt: skip
EXACT = ("add", "subtract", "multiply", "divide", "max", "min", "less", "where", "abs", "sqrt")
#: Of exp and its kin, in units in the last place; NumPy's own errors count too.
ULPS = 8
SPECIAL = np.array([
    np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1e-310, 1e-45, -1e-39, 1e4, -1e4, 88.0, -104.0, 710.0, -746.0, 0.5,
    -0.5, 1.0, -1.0, 1e-20, 3.0, -2.0, 1e30, -1e30, 1e300,
])  # fmt: skip

mixed = Expression.trace(lambda s, x, y, z: (x * y - z, s.max(x, z) + y / 4))


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def recorded(formula, shapes, follows=False, vector=False):
    """A program of one map; operands with as many rows as the first follow a batch."""
    recorder = Recorder()
    rows = max((shape[0] for shape in shapes if len(shape) == 2), default=1)
    operands, start = [], 3
    for i, shape in enumerate(shapes):
        symbolic = follows and len(shape) == 2 and shape[0] == rows
        if shape == ():
            operands.append(recorder.buffer(f"x{i}", (), "scalar"))
        elif vector and not symbolic:
            operands.append(recorder.buffer(f"x{i}", shape, "parameter", "theta", start))
            start += int(np.prod(shape)) + 1
        else:
            operands.append(recorder.buffer(f"x{i}", ("n", shape[1]) if symbolic else shape, "input"))
    results = recorder.map(formula, *operands)
    results = results if isinstance(results, tuple) else (results,)
    return recorder.program("map", {f"y{i}": result for i, result in enumerate(results)})


def drawn(shapes):
    arrays = {f"x{i}": numbers(*shape, seed=i) for i, shape in enumerate(shapes)}
    return {name: float(array) if array.shape == () else array for name, array in arrays.items()}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_covers(engines, shape):
    """Three operands, each of which covers the result in each way: 216 programs, of fixed rows and over a batch."""
    for i, covers in enumerate(itertools.product(COVERS, repeat=3)):
        if i % 7 != sum(shape) % 7 and "full" not in covers[1:]:
            continue  # a seventh is enough of what differs little
        shapes = [COVERS[cover](*shape) for cover in covers]
        if all(len(s) < 2 for s in shapes):
            continue
        follows = i % 2 == 0 and shape[0] > 1
        program = recorded(mixed, shapes, follows, vector=i % 3 == 0)
        engines.agree(program, drawn(shapes), 4 * engines.eps)


@pytest.mark.parametrize("size", [1, 2, 15, 17, 255, 257, 2047, 2049, 5000])
def test_vectors_and_numbers(engines, size):
    """Formulas over what has no rows."""
    for shapes in ([(size,)] * 3, [(size,), (), (1,)], [(1,), (size,), (size,)], [(), (), ()], [(1,), (), ()]):
        engines.agree(recorded(mixed, shapes), drawn(shapes), 4 * engines.eps)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitives(engines, name):
    """All pairs of special values give what they give in NumPy; the rest is exact, or within a few last places."""
    n = PRIMITIVES[name]
    values = np.concatenate([SPECIAL, numbers(40) * 3, numbers(30, seed=1) / 1000])
    with np.errstate(over="ignore"):
        values = values.astype(engines.dtype)
    shapes = [(len(values), 1), (len(values),), (len(values), 1)][:n]
    formula = Expression.trace(lambda s, *x: s.apply(name, *x), inputs=[f"x{i}" for i in range(n)])
    given = {f"x{i}": values.reshape(shape) for i, shape in enumerate(shapes)}
    program = recorded(formula, shapes)
    out, expected = engines.native(program, given)["y0"], engines.reference(program, given)["y0"]
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(out[~finite], expected[~finite])
    places = 0 if name in EXACT else ULPS
    assert (np.abs(out[finite] - expected[finite]) <= places * np.spacing(np.abs(expected[finite]))).all()


def test_signs_of_zeros(engines):
    """1 / x tells 0 from -0: as an operand of any cover, as a constant, and as the result of a product or a root."""
    signed = np.array([[0.0, -0.0, -0.0, 0.0, -0.0]] * 3)
    formula = Expression.trace(
        lambda s, x, y, z, c: (1 / x, 1 / y, 1 / z, 1 / c, 1 / (x * 1e-3), 1 / s.sqrt(y), 1 / s.lift(-0.0))
    )
    for scalar in (0.0, -0.0):
        shapes = [(3, 5), (5,), (3, 1), ()]
        given = {"x0": signed, "x1": signed[0], "x2": np.array([[0.0], [-0.0], [-0.0]]), "x3": scalar}
        out = engines.agree(recorded(formula, shapes), given)
        assert all(np.isinf(out[f"y{i}"]).all() for i in range(7))


def test_several_results(engines):
    """Of the same step, of an operand, of a constant, and of some operands only."""
    formula = Expression.trace(lambda s, x, y, z: (x * y, x * y, x, s.lift(2.5), y, s.exp(z), z + 1))
    for n, d in SHAPES[::3]:
        for shapes in ([(n, d)] * 3, [(n, d), (d,), (n, 1)], [(n, 1), (d,), ()]):
            program = recorded(formula, shapes, follows=n > 1)
            engines.agree(program, drawn(shapes), ULPS * engines.eps, exact=["y0", "y1", "y2", "y3", "y4", "y6"])


def test_constants_alone(engines):
    for shape in SHAPES[::4]:
        for follows in (False, True):
            formula = Expression.trace(lambda s, x: (s.lift(-0.0), s.lift(np.nan), s.lift(-np.inf), s.lift(0.1)))
            engines.agree(recorded(formula, [shape], follows), {"x0": np.ones(shape)})


def test_a_buffer_filled_with_a_constant(engines):
    recorder = Recorder()
    W = recorder.buffer("W", (40, 17), "parameter", "theta", 1)
    recorder.write(W, recorder.map(Expression.trace(lambda s, x: s.lift(3.0)), W))
    assert (engines.agree(recorder.program("constant", {}), {"W": numbers(40, 17)})["W"] == 3).all()


@pytest.mark.parametrize("first", ["rate", "column", "row", "number"])
@pytest.mark.parametrize("shape", [(1000, 100), (100, 1000), (7, 5000), (5000, 7), (65, 65)], ids=str)
def test_a_matrix_with_a_bound_on_the_norm_of_its_rows(engines, shape, first):
    """A formula, a sum over each row and another formula, on W: whatever their first operand is."""
    recorder = Recorder()
    W = recorder.buffer("W", shape, "parameter", "theta", 1)
    shapes = {"rate": (), "column": (shape[0], 1), "row": (shape[1],), "number": (1,)}
    operand = recorder.buffer("x", shapes[first], "scalar" if first == "rate" else "input")
    stepped = recorder.multiply(operand, W)
    squares = recorder.sum_columns(recorder.multiply(stepped, stepped))
    bounded = Expression.trace(lambda s, q, w: w * s.min(1, 1 / s.sqrt(q)))
    recorder.write(W, recorder.map(bounded, squares, stepped))
    x = 0.5 if first == "rate" else numbers(*shapes[first])
    engines.agree(recorder.program("bound", {}), {"W": numbers(*shape), "x": x}, 100 * engines.eps)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_formulas(engines, shape):
    """Sums over all elements, of products and of other terms, beside results that are kept."""
    n, d = shape
    recorder = Recorder()
    x, y = recorder.buffer("x", ("n", d), "input"), recorder.buffer("y", (n, d), "parameter", "theta", 1)
    z = recorder.buffer("z", (n, 1), "input")
    outputs = {}
    for name, operand in {"x": x, "y": y}.items():
        square, other = recorder.map(Expression.trace(lambda s, a: (a * a, s.abs(a) + 1)), operand)
        outputs |= {f"{name}1": recorder.sum_all(square), f"{name}2": recorder.sum_all(other), f"{name}3": square}
    product = recorder.map(Expression.trace(lambda s, y, z: y * s.exp(z)), y, z)
    outputs |= {"yz": recorder.sum_all(product), "y": recorder.sum_all(y)}
    outputs["of sums"] = recorder.map(Expression.trace(lambda s, a, b: a + b), outputs["x1"], outputs["y2"])
    given = {"x": 1 + numbers(n, d), "y": 1 + numbers(n, d, seed=1), "z": 1 + numbers(n, 1)}
    engines.agree(recorder.program("sums", outputs), given, 4 * np.sqrt(n * d) * engines.eps + 8 * engines.eps)


def test_more_operands_than_one_formula_may_have(engines):
    """Chains of formulas are joined only as far as the engine can run them."""
    recorder = Recorder()
    buffers = [recorder.buffer(f"x{i}", ("n", 17), "input") for i in range(150)]
    total = buffers[0]
    for buffer in buffers[1:]:
        total = recorder.map(Expression.trace(lambda s, x, y: 0.5 * x + s.max(y, 0)), total, buffer)
    given = {f"x{i}": numbers(9, 17, seed=i) for i in range(150)}
    engines.agree(recorder.program("chain", {"total": total}), given, 8 * engines.eps)


def test_many_results(engines):
    formula = Expression.trace(lambda s, x: tuple(x + i for i in range(50)))
    engines.agree(recorded(formula, [(9, 17)], follows=True), drawn([(9, 17)]))
