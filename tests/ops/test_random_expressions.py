"""Formulas made by Hypothesis: values, derivatives and stored copies against an evaluation of their own.

A formula is a tree of tuples. It is evaluated here by plain recursion: in NumPy, and in mpmath with 60 digits, where a
central difference with a step of 1e-20 is exact far beyond float64.
"""

from __future__ import annotations

import json

import mpmath
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.ops import Expression
from layerwise.ops.expressions import PRIMITIVES
from layerwise.ops.numpy_ops import PRIMITIVES_IN_NUMPY, evaluate

FIXED = settings(deadline=None, derandomize=True, max_examples=120)
POINTS = ((0.7310585, -1.2913), (-0.4426, 0.9142), (1.8171, 1.6094), (-2.0467, -0.3183))
TIE = 1e-6  # nearer to a kink than this, rounding decides on which side float64 lies


def _one_or_less(x):
    return ("divide", x, ("add", 1.5, ("abs", x)))


def _extended(inner):
    """Formulas of formulas, each defined for all numbers and none growing faster than a product."""
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "multiply", "max", "min"]), inner, inner),
        st.tuples(st.sampled_from(["tanh", "cos", "erf", "abs"]), inner),
        two.map(lambda p: ("divide", p[0], ("add", 1.0, ("multiply", p[1], p[1])))),
        inner.map(lambda x: ("log", ("add", 0.5, ("multiply", x, x)))),
        inner.map(lambda x: ("log1p", ("multiply", x, x))),
        inner.map(lambda x: ("sqrt", ("add", 0.5, ("multiply", x, x)))),
        inner.map(lambda x: ("exp", _one_or_less(x))),
        inner.map(lambda x: ("expm1", ("cos", x))),
        st.tuples(two, two).map(lambda p: ("where", ("less", *p[0]), *p[1])),
    )


ANY = st.floats()
CONSTANTS = st.floats(-2, 2, width=32).map(float)
TREES = st.recursive(st.one_of(st.sampled_from(["x", "y"]), CONSTANTS), _extended, max_leaves=9)
MPMATH = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "max": max, "min": min, "less": lambda x, y: mpmath.mpf(x < y),
    "where": lambda c, x, y: x if c else y, "abs": abs, "sqrt": mpmath.sqrt, "exp": mpmath.exp,
    "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "tanh": mpmath.tanh, "cos": mpmath.cos,
    "erf": mpmath.erf,
}  # fmt: skip


def traced(tree):
    """The tree as an Expression of x and y."""

    def built(s, node, named):
        if isinstance(node, tuple):
            return s.apply(node[0], *(built(s, child, named) for child in node[1:]))
        return named.get(node, node)

    return Expression.trace(lambda s, x, y: built(s, tree, {"x": x, "y": y}))


def computed(tree, functions, x, y, gaps=None):
    """The tree's value by recursion; `gaps` collects how far each choice is from a tie."""
    if not isinstance(tree, tuple):
        return {"x": x, "y": y}.get(tree, type(x)(tree) if not isinstance(tree, str) else None)
    arguments = [computed(child, functions, x, y, gaps) for child in tree[1:]]
    if gaps is not None and tree[0] in ("max", "min", "less"):
        gaps.append(abs(arguments[0] - arguments[1]))
    if gaps is not None and tree[0] == "abs":
        gaps.append(abs(arguments[0]))
    return functions[tree[0]](*arguments)


def same_bits(formula, other, points):
    one, two = evaluate(formula, points), evaluate(other, points)
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(_tuple(one), _tuple(two), strict=True)
    )


def _tuple(results):
    return results if isinstance(results, tuple) else (results,)


@FIXED
@given(TREES)
def test_values(tree):
    """Sharing and simplifying steps changes nothing but the sign of a zero."""
    for x, y in POINTS:
        with np.errstate(all="ignore"):
            expected = computed(tree, PRIMITIVES_IN_NUMPY, np.float64(x), np.float64(y))
        assert evaluate(traced(tree), (x, y)) == expected


@FIXED
@given(TREES)
def test_derivatives(tree):
    formula = traced(tree)
    step = mpmath.mpf(10) ** -20
    with mpmath.workdps(60):
        for point in POINTS:
            x, y = map(mpmath.mpf, point)
            gaps: list[mpmath.mpf] = []
            size = abs(computed(tree, MPMATH, x, y, gaps))
            if any(gap < TIE for gap in gaps):
                continue
            for name, dx, dy in (("x", step, 0), ("y", 0, step)):
                above = computed(tree, MPMATH, x + dx, y + dy)
                below = computed(tree, MPMATH, x - dx, y - dy)
                expected = float((above - below) / (2 * step))
                analytic = evaluate(formula.derivative(name), point)
                assert abs(analytic - expected) <= 1e-8 * (1 + abs(expected) + float(size))


@FIXED
@given(TREES)
def test_branches_agree_on_either_side_of_no_kink(tree):
    """A step too small to reach a tie stays on the same piece."""
    branches = traced(tree).branches()
    for point in POINTS:
        gaps: list[float] = []
        computed(tree, MPMATH, *map(mpmath.mpf, point), gaps)
        if branches is not None and all(gap > TIE for gap in gaps):
            near = evaluate(branches, [np.array([p - 1e-13, p + 1e-13]) for p in point])
            assert all(np.ptp(np.broadcast_to(comparison, 2)) == 0 for comparison in _tuple(near))


@st.composite
def data_of_expressions(draw, constants=ANY):
    """Stored data of any primitives on any constants, sensible or not."""
    names = ["x", "theta", "grad_W"][: draw(st.integers(1, 3))]
    steps = [["input", name] for name in names]
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            constant = draw(constants)
            steps.append(["constant", constant if np.isfinite(constant) else repr(constant)])
        else:
            primitive = draw(st.sampled_from(sorted(PRIMITIVES)))
            steps.append([primitive, *(draw(st.integers(0, len(steps) - 1)) for _ in range(PRIMITIVES[primitive]))])
    outputs = draw(st.lists(st.integers(0, len(steps) - 1), min_size=1, max_size=3))
    return {"inputs": names, "steps": steps, "outputs": outputs}


@FIXED
@given(data_of_expressions())
def test_a_stored_expression_computes_the_same_bits(data):
    formula = Expression.from_data(data)
    assert formula.to_data() == data
    copy = Expression.from_data(json.loads(json.dumps(formula.to_data(), allow_nan=False)))
    points = [np.array([-1e300, -1.5, -0.0, 0.0, 1e-310, 0.3, 7.0, np.inf, np.nan])] * len(formula.inputs)
    assert same_bits(formula, copy, points)


@FIXED
@given(data_of_expressions(ANY.filter(bool)))  # x + 0 is written as x, which differs for x = -0
def test_writing_an_expression_into_another_computes_the_same_values(data):
    formula = Expression.from_data(data)
    rewritten = Expression.trace(lambda s, *symbols: formula(s, *symbols), inputs=formula.inputs)
    assert len(rewritten.steps) <= len(formula.steps)
    points = [np.array([-1.5, 0.25, 3.0, np.inf])] * len(formula.inputs)
    for one, two in zip(_tuple(evaluate(formula, points)), _tuple(evaluate(rewritten, points)), strict=True):
        np.testing.assert_array_equal(np.broadcast_to(one, 4), np.broadcast_to(two, 4))


@FIXED
@given(data_of_expressions())
def test_any_expression_can_be_printed_differentiated_and_branched(data):
    formula = Expression.from_data(data)
    text = formula.latex()
    assert text.count("{") == text.count("}")
    assert formula.derivative(formula.inputs[0]).inputs == formula.inputs
    branches = formula.branches()
    assert branches is None or branches.inputs == formula.inputs
