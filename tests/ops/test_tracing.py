"""Tracing: a function of scalars, called once, becomes a short list of shared steps."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import pickle

import numpy as np
import pytest

from layerwise.ops import Expression, expression
from layerwise.ops.expressions import PRIMITIVES

trace = Expression.trace


def kinds(formula):
    """The primitives of an expression, in order."""
    return [step[0] for step in formula.steps if step[0] in PRIMITIVES]


def test_steps_of_a_formula():
    formula = trace(lambda s, a: s.max(a, 0) + s.log1p(s.exp(-s.abs(a))))
    assert formula.inputs == ("a",)
    assert formula.steps == (
        ("input", "a"),
        ("constant", 0.0),
        ("max", 0, 1),
        ("abs", 0),
        ("constant", -1.0),
        ("multiply", 4, 3),
        ("exp", 5),
        ("log1p", 6),
        ("add", 2, 7),
    )
    assert formula.outputs == (8,)


def test_the_decorator_traces():
    @expression
    def double(s, a):
        return a + a

    assert double == trace(lambda s, a: a + a)


def test_input_names_come_from_the_signature_or_from_the_caller():
    assert trace(lambda s, theta, grad: theta - grad).inputs == ("theta", "grad")
    assert trace(lambda s, *rest: rest[0] - rest[1], inputs=("p", "q")).inputs == ("p", "q")


@pytest.mark.parametrize(
    ("function", "step"),
    [
        (lambda s, x, y: x + y, ("add", "x", "y")),
        (lambda s, x, y: x - y, ("subtract", "x", "y")),
        (lambda s, x, y: x * y, ("multiply", "x", "y")),
        (lambda s, x, y: x / y, ("divide", "x", "y")),
        (lambda s, x, y: x < y, ("less", "x", "y")),
        (lambda s, x, y: x > y, ("less", "y", "x")),
        (lambda s, x, y: x + 2, ("add", "x", 2.0)),
        (lambda s, x, y: 2 + x, ("add", 2.0, "x")),
        (lambda s, x, y: 2 - x, ("subtract", 2.0, "x")),
        (lambda s, x, y: 2 * x, ("multiply", 2.0, "x")),
        (lambda s, x, y: 2 / x, ("divide", 2.0, "x")),
        (lambda s, x, y: x > 2, ("less", 2.0, "x")),
        (lambda s, x, y: x < 2, ("less", "x", 2.0)),
        (lambda s, x, y: np.float64(2) * x, ("multiply", 2.0, "x")),
        (lambda s, x, y: x / np.float32(2), ("divide", "x", 2.0)),
        (lambda s, x, y: -x, ("multiply", -1.0, "x")),
        (lambda s, x, y: abs(x), ("abs", "x")),
        (lambda s, x, y: +x, "x"),
    ],
)
def test_python_operators_become_primitives(function, step):
    formula = trace(function)

    def shown(index):
        kind, *rest = formula.steps[index]
        return rest[0] if kind in ("input", "constant") else (kind, *map(shown, rest))

    assert shown(formula.outputs[0]) == step


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_a_method_of_s_or_an_operator(name):
    operators = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}
    arguments = ("x", "y", "z")[: PRIMITIVES[name]]
    function = operators.get(name) or (lambda *symbols: getattr(symbols[0].tracer, name)(*symbols))
    formula = trace(lambda s, *symbols: function(*symbols), inputs=arguments)
    assert formula.steps[-1] == (name, *range(len(arguments)))


@pytest.mark.parametrize("power", range(1, 20))
def test_whole_powers_are_few_products(value, power):
    formula = trace(lambda s, x: x**power)
    points = np.array([-1.5, 0.0, 0.75, 2.0])
    np.testing.assert_allclose(value(formula, points), points**power, rtol=1e-14)
    assert kinds(formula) == ["multiply"] * len(kinds(formula))
    assert len(kinds(formula)) <= 2 * math.floor(math.log2(power))


def test_equal_steps_are_shared():
    formula = trace(lambda s, a: s.exp(a) * (1 + s.exp(a)) / (1 + s.exp(a)))
    assert sorted(kinds(formula)) == ["add", "divide", "exp", "multiply"]
    assert [step for step in formula.steps if step[0] == "constant"] == [("constant", 1.0)]


def test_constants_that_behave_differently_are_not_shared():
    zeros = trace(lambda s, a: (a * 0.0, a * -0.0))
    assert [math.copysign(1, step[1]) for step in zeros.steps if step[0] == "constant"] == [1.0, -1.0]
    nans = trace(lambda s, a: (a * math.nan, a / math.nan))
    assert len([step for step in nans.steps if step[0] == "constant"]) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: x + 0,
        lambda s, x: 0 + x,
        lambda s, x: x - 0,
        lambda s, x: 1 * x,
        lambda s, x: x * 1,
        lambda s, x: x / 1,
        lambda s, x: s.where(x < 3, x, x),
        lambda s, x: (x * 1 + 0) / 1 - 0,
    ],
)
def test_what_changes_no_value_is_left_out(function):
    assert trace(function).steps == (("input", "x"),)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda s, x: 0 * x, "multiply"),  # NaN at infinity
        (lambda s, x: x - x, "subtract"),
        (lambda s, x: x / x, "divide"),
        (lambda s, x: 0 - x, "subtract"),
        (lambda s, x: 1 / x, "divide"),
        (lambda s, x: s.max(x, x), "max"),
    ],
)
def test_what_can_change_a_value_stays(function, kind):
    assert kinds(trace(function)) == [kind]


def test_dead_steps_are_dropped_but_arguments_stay():
    def formula(s, a, b, c):
        s.exp(b) * 7
        return a * c, c

    traced = trace(formula)
    assert traced.inputs == ("a", "b", "c")
    assert traced.steps == (("input", "a"), ("input", "c"), ("multiply", 0, 1))
    assert traced.outputs == (2, 1)
    assert traced.needs == {"a", "c"}


def test_needs_looks_behind_dead_steps_of_stored_data():
    data = {"inputs": ["a", "b"], "steps": [["input", "a"], ["input", "b"], ["exp", 1]], "outputs": [0]}
    assert Expression.from_data(data).needs == {"a"}


def test_results_may_be_several_equal_or_constant(value):
    assert value(lambda s, a: (a, a * 2, a, 5), 3.0) == (3.0, 6.0, 3.0, 5.0)
    assert value(lambda s, a: 5, 3.0) == 5.0


def test_a_call_writes_one_expression_into_another(value):
    inner = trace(lambda s, p, q: (p - q, p * q))
    outer = trace(lambda s, a, b: (lambda difference, product: difference / product)(*inner(s, b, 1 + a)))
    for a, b in itertools.product([-2.0, 0.5, 3.0], repeat=2):
        assert value(outer, a, b) == (b - (1 + a)) / (b * (1 + a))
    assert trace(lambda s, a: trace(lambda s, p: p)(s, a)).steps == (("input", "a"),)


def test_equal_expressions_are_interchangeable():
    one, other = trace(lambda s, a: s.exp(a) + 1), trace(lambda s, a: s.exp(a) + 1)
    assert one == other
    assert len({one, other}) == 1
    assert one != trace(lambda s, a: s.exp(a) + 2)
    assert one != trace(lambda s, b: s.exp(b) + 1)


def test_expressions_are_frozen():
    formula = trace(lambda s, a: a)
    with pytest.raises(dataclasses.FrozenInstanceError):
        formula.outputs = (1,)


def test_pickling_keeps_an_expression(value):
    formula = trace(lambda s, a, b: s.where(a < b, s.erf(a) / 3, -math.inf))
    assert formula.needs == {"a", "b"}  # computed and kept before pickling
    copy = pickle.loads(pickle.dumps(formula))
    assert copy == formula
    assert hash(copy) == hash(formula)
    assert copy.needs == formula.needs
    points = np.linspace(-2, 2, 9)
    assert value(copy, points, points[::-1]).tobytes() == value(formula, points, points[::-1]).tobytes()


# --- branches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [lambda s, a: s.tanh(a) * a, lambda s, a: s.sqrt(1 + s.exp(a) ** 2), lambda s, a: 3]
)
def test_a_smooth_formula_has_no_branches(function):
    assert trace(function).branches() is None


@pytest.mark.parametrize(
    ("function", "kink"),
    [
        (lambda s, a: s.max(a, 2), 2.0),
        (lambda s, a: s.min(1 - a, 0), 1.0),
        (lambda s, a: s.abs(a + 3), -3.0),
        (lambda s, a: s.where(s.less(a, 0.5), a, 2 * a), 0.5),
        (lambda s, a: s.tanh(s.max(a * a - 4, 0)), 2.0),
    ],
)
def test_branches_differ_across_a_kink_and_nowhere_else(value, function, kink):
    branches = trace(function).branches()

    def piece(a):
        found = value(branches, a)
        return tuple(float(x) for x in (found if isinstance(found, tuple) else (found,)))

    assert piece(kink - 1e-9) != piece(kink + 1e-9)
    assert piece(kink - 1e-9) == piece(kink - 0.4)
    assert piece(kink + 1e-9) == piece(kink + 0.4)


def test_branches_has_one_comparison_for_each_choice(value):
    branches = trace(lambda s, a, b: s.max(a, b) + s.abs(b) + s.where(a, 1, b)).branches()
    assert value(branches, 1.0, -2.0) == (0.0, 1.0, 1.0)
    assert value(branches, 0.0, 2.0) == (1.0, 0.0, 0.0)
