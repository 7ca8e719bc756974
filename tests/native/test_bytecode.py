"""Formulas as bytecode: results written over operands, shared steps, sums and fused steps, for formulas of any form.

Most formulas here are of whole numbers and compute whole numbers, exactly: so any order of the work, joined or not,
has to give the same bits, and a value that is overwritten while it is needed shows.
"""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.engines.native.bytecode import MOST_CONSTANTS, MOST_OPERANDS, assemble
from layerwise.errors import SpecificationError
from layerwise.ops import Expression
from layerwise.program import Recorder

STRESS = os.environ.get("LAYERWISE_STRESS") not in (None, "", "0")
FIXED = settings(
    deadline=None, derandomize=not STRESS, max_examples=3000 if STRESS else 120, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
LARGEST = 2**20  # of whole numbers here: exact in float32, also in sums and products added to each other
WHOLE = {"add": 2, "subtract": 2, "multiply": 2, "max": 2, "min": 2, "less": 2, "where": 3, "abs": 1}
#: (n, d) of the operands that results may be written over; around a block of 2048 bytes and a vector.
SHAPES = [(1, 1), (3, 17), (1, 600), (40, 33), (2, 257)]


@st.composite
def formulas(draw):
    """A formula of whole numbers, as steps that may use each other several times; inputs are at most 3."""
    names = ["x", "y", "z", "row", "column", "scalar"]
    steps = [("input", name) for name in names]
    largest = [3] * len(names)
    for _ in range(draw(st.integers(0, 14))):
        if draw(st.integers(0, 9)) == 0:
            steps.append(("constant", float(draw(st.integers(-3, 3)))))
            largest.append(3)
            continue
        primitive = draw(st.sampled_from(sorted(WHOLE)))
        arguments = [draw(st.integers(0, len(steps) - 1)) for _ in range(WHOLE[primitive])]
        sizes = [largest[a] for a in arguments]
        bound = {"multiply": np.prod(sizes), "less": 1}.get(primitive, sum(sizes))
        if bound > LARGEST:
            primitive, arguments, bound = "less", arguments[:2] * 2, 1
        steps.append((primitive, *arguments[: WHOLE[primitive]]))
        largest.append(int(bound))
    outputs = draw(st.lists(st.integers(0, len(steps) - 1), min_size=1, max_size=6))
    return Expression(tuple(names), tuple(steps), tuple(outputs))


@st.composite
def uses(draw):
    """What becomes of each result: written over an operand (each by one result only), summed, or returned."""
    return draw(st.permutations(["x", "y", "z", "sum", "return", "return"]))


def whole_numbers(*shape, seed):
    return np.random.default_rng([seed, *shape]).integers(-3, 4, shape).astype(float)


def program_of(formula, roles, shape, rows):
    """A formula over buffers, with what becomes of each result; its operands are given in every way."""
    recorder = Recorder()
    n, d = shape
    first = n if rows == "fixed" else "n"
    operands = {name: recorder.buffer(name, (first, d), "input") for name in "xy"}
    vector = ("parameter", "theta", 3) if rows == "fixed" else ("input",)
    operands["z"] = recorder.buffer("z", (first, d), *vector)
    operands["row"] = recorder.buffer("row", (d,), "input")
    operands["column"] = recorder.buffer("column", (first, 1), "input")
    operands["scalar"] = recorder.buffer("scalar", (), "scalar")
    results = recorder.map(formula, *operands.values())
    results = results if isinstance(results, tuple) else (results,)
    outputs = {}
    for i, (result, role) in enumerate(zip(results, roles, strict=False)):
        if role in operands:
            recorder.write(operands[role], result)
        else:
            outputs[f"{role} {i}"] = recorder.sum_all(result) if role == "sum" else result
    return recorder.program("formula", outputs)


def given_of(shape):
    n, d = shape
    arrays = {name: whole_numbers(n, d, seed=i) for i, name in enumerate("xyz")}
    return arrays | {"row": whole_numbers(d, seed=4), "column": whole_numbers(n, 1, seed=5), "scalar": 2.0}


@pytest.mark.parametrize("rows", ["fixed", "n"])
@FIXED
@given(formulas(), uses(), st.sampled_from(SHAPES))
def test_formulas_of_whole_numbers(all_engines, rows, formula, roles, shape):
    program = program_of(formula, roles, shape, rows)
    for engines in all_engines:
        engines.agree(program, given_of(shape))


IN_PLACE = {
    "swapped": lambda s, x, y, z: (y, x, z),
    "turned round": lambda s, x, y, z: (y, z, x),
    "turned back": lambda s, x, y, z: (z, x, y),
    "one to all": lambda s, x, y, z: (x, x, x),
    "a step to all": lambda s, x, y, z: (x * y, x * y, x * y),
    "constants": lambda s, x, y, z: (s.lift(1.0), s.lift(1.0), s.lift(2.0)),
    "new values over operands that are still read": lambda s, x, y, z: (x + y, x - y, x * y),
    "momentum": lambda s, x, y, z: (x - (2 * y + z), 2 * y + z, z),
    "sums of products": lambda s, x, y, z: (x * y + z, z - x * y, x * y - z),
    "a product used twice": lambda s, x, y, z: (x * y + z, x * y, x * x - x * y),
    "a product of itself": lambda s, x, y, z: (x * x + x, y * y + y * y, z - z * z),
    "products of products": lambda s, x, y, z: (x * y * z + x * y, (x + y) * (x - y) - z * z, x * (y * (x * y))),
    "nothing but itself": lambda s, x, y, z: (x, y, z),
    "later results of earlier ones": lambda s, x, y, z: (s.max(x, y), s.min(s.max(x, y), z), s.where(x < y, z, x)),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_results_over_operands(engines, name):
    """Every order of results over operands, with the results returned as well or not."""
    formula = Expression.trace(IN_PLACE[name])
    six = Expression(("x", "y", "z", "row", "column", "scalar"), formula.steps, formula.outputs)
    for roles in (("x", "y", "z"), ("z", "x", "y"), ("y", "return", "x"), ("sum", "x", "sum"), ("return", "z", "sum")):
        for shape in SHAPES:
            for rows in ("fixed", "n"):
                engines.agree(program_of(six, roles, shape, rows), given_of(shape))


def test_a_buffer_keeps_what_was_read_from_it(engines):
    """The old x is returned and read after x is written."""
    recorder = Recorder()
    x = recorder.buffer("x", ("n", 17), "input")
    old, more = recorder.map(Expression.trace(lambda s, x: (x, x + 1)), x)
    recorder.write(x, more)
    late = recorder.map(Expression.trace(lambda s, a, b: a * b), old, x)
    program = recorder.program("old", {"old": old, "late": late, "sum": recorder.sum_rows(old)})
    engines.agree(program, {"x": whole_numbers(33, 17, seed=0)})


# --- formulas of all primitives ---------------------------------------------------------------------------------------


def _extended(inner):
    """Formulas of formulas: smooth, and with slopes of at most a few times their operands'."""
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "max", "min"]), inner, inner),
        st.tuples(st.sampled_from(["tanh", "cos", "erf", "abs"]), inner),
        two.map(lambda p: ("multiply", ("tanh", p[0]), ("cos", p[1]))),
        two.map(lambda p: ("divide", p[0], ("add", 1.0, ("multiply", p[1], p[1])))),
        inner.map(lambda x: ("log", ("add", 0.5, ("multiply", x, x)))),
        inner.map(lambda x: ("log1p", ("multiply", x, x))),
        inner.map(lambda x: ("sqrt", ("add", 0.5, ("multiply", x, x)))),
        inner.map(lambda x: ("exp", ("tanh", x))),
        inner.map(lambda x: ("expm1", ("cos", x))),
    )


TREES = st.recursive(st.one_of(st.sampled_from(["x", "y"]), st.floats(-2, 2, width=32)), _extended, max_leaves=10)


def traced(tree):
    def built(s, node, named):
        if isinstance(node, tuple):
            return s.apply(node[0], *(built(s, child, named) for child in node[1:]))
        return named.get(node, node)

    return Expression.trace(lambda s, x, y: built(s, tree, {"x": x, "y": y}))


@FIXED
@given(TREES)
def test_formulas_of_all_primitives(all_engines, tree):
    """Rounding may grow along a formula, so the bound is wide; formulas with jumps are among those of whole numbers."""
    recorder = Recorder()
    x, y = recorder.buffer("x", ("n", 9), "input"), recorder.buffer("y", (9,), "parameter")
    program = recorder.program("tree", {"out": recorder.map(traced(tree), x, y)})
    points = np.random.default_rng(0).uniform(-2, 2, (30, 9))
    given = {"x": points, "y": points[0]}
    for engines in all_engines:
        out, expected = engines.native(program, given)["out"], engines.reference(program, given)["out"]
        assert (np.abs(out - expected) <= 2**13 * engines.eps * (1 + np.abs(expected).max())).all()


# --- what is refused --------------------------------------------------------------------------------------------------

TOO_LARGE = {
    "operands": lambda s, *x: sum(x[1:], x[0]),
    "constants": lambda s, *x: sum((s.max(x[0], i + 0.5) for i in range(MOST_CONSTANTS + 1)), s.lift(0.25)),
    "values at once": lambda s, *x: _folded([s.exp(x[0] / (i % 40 + 1) + x[1 + i // 40]) for i in range(150)], s),
    "results": lambda s, *x: tuple(s.exp(x[0] * (i % 40 + 1)) + x[i // 40] for i in range(MOST_OPERANDS + 1)),
}


def _folded(values, s):
    """Pairs from both ends, so that all values are needed at once."""
    total = s.lift(0.0)
    for a, b in zip(values, reversed(values), strict=True):
        total = total + s.max(a, b)
    return total


@pytest.mark.parametrize("what", TOO_LARGE)
def test_a_formula_that_is_too_large_is_refused(built, refuses, what):
    n = MOST_OPERANDS + 1 if what == "operands" else 8
    formula = Expression.trace(TOO_LARGE[what], inputs=[f"x{i}" for i in range(n)])
    with refuses(SpecificationError, "formula", "cut the formula into parts"):
        assemble(formula, formula.outputs, {})


@pytest.mark.parametrize("what", [*TOO_LARGE])
def test_a_formula_that_is_accepted_runs(engines, what):
    """As large as can be: what assemble lets pass, the engine runs."""
    number = {"operands": MOST_OPERANDS, "constants": MOST_CONSTANTS, "values at once": 55, "results": 50}[what]

    def terms(s, *x):
        return [s.exp(x[0] / (i % 20 + 1) + x[1 + i // 20]) for i in range(number)]

    formulas = {
        "operands": lambda s, *x: sum(x[1:], x[0]),
        "constants": lambda s, *x: sum((s.max(x[0], i + 0.5) for i in range(number - 2)), s.lift(0.25)),
        "values at once": lambda s, *x: _folded(terms(s, *x), s),
        "results": lambda s, *x: tuple(terms(s, *x)),
    }
    names = [f"x{i}" for i in range(number if what == "operands" else 8)]
    formula = Expression.trace(formulas[what], inputs=names)
    recorder = Recorder()
    results = recorder.map(formula, *(recorder.buffer(name, ("n", 17), "input") for name in names))
    results = results if isinstance(results, tuple) else (results,)
    program = recorder.program("large", {f"out {i}": result for i, result in enumerate(results)})
    arrays = {name: np.random.default_rng(i).uniform(-1, 1, (9, 17)) for i, name in enumerate(names)}
    engines.agree(program, arrays, 100 * engines.eps)


def test_instructions_of_sums_and_products(built):
    """A product that is only added becomes part of the addition; a product that is only summed is never stored."""

    def primitives(function, **settings):
        formula = Expression.trace(function)
        return [what for what, *_ in assemble(formula, formula.outputs, {}, **settings).instructions]

    assert primitives(lambda s, x, y, z: x * y + z) == ["multiply_add"]
    assert primitives(lambda s, x, y, z: z + x * y) == ["multiply_add"]
    assert primitives(lambda s, x, y, z: x * y - z) == ["multiply_subtract"]
    assert primitives(lambda s, x, y, z: z - x * y) == ["subtract_product"]
    assert primitives(lambda s, x, y, z: (x * y, x * y + z)) == ["multiply", "add"]
    assert primitives(lambda s, x, y: x * y, summed=frozenset({0})) == ["sum_product"]
    assert primitives(lambda s, x, y: (x * y, x * y), summed=frozenset({0})) == ["multiply", "sum"]
    assert primitives(lambda s, x: x, summed=frozenset({0})) == ["sum"]
