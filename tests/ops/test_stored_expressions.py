"""Expressions as plain data: what is written, what comes back, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from layerwise.ops import Expression
from layerwise.ops.expressions import PRIMITIVES

GOOD = {
    "inputs": ["a", "b"],
    "steps": [["input", "a"], ["input", "b"], ["constant", 2.5], ["multiply", 0, 2], ["less", 1, 3]],
    "outputs": [4],
}


def through_json(formula):
    """Write as strict JSON, read, rebuild."""
    return Expression.from_data(json.loads(json.dumps(formula.to_data(), allow_nan=False)))


def test_the_data_of_an_expression():
    formula = Expression.trace(lambda s, a, b: b < 2.5 * a)
    assert Expression.from_data(GOOD) == Expression.trace(lambda s, a, b: b < a * 2.5)
    assert formula.to_data() == {
        "inputs": ["a", "b"],
        "steps": [["input", "a"], ["input", "b"], ["constant", 2.5], ["multiply", 2, 0], ["less", 1, 3]],
        "outputs": [4],
    }


@pytest.mark.parametrize(
    "constant", [0.1, -0.0, 1 / 3, 1e-320, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 2.0**53]
)
def test_constants_come_back_bit_by_bit(constant):
    formula = Expression.trace(lambda s, a: a * constant)
    stored = next(step[1] for step in through_json(formula).steps if step[0] == "constant")
    assert np.float64(stored).tobytes() == np.float64(constant).tobytes()


def test_the_shape_of_an_expression_comes_back():
    formula = Expression.trace(lambda s, a, b, c: (s.where(a < c, s.erf(a), 1 / a), 7, a))
    assert through_json(formula) == formula
    assert through_json(formula).inputs == ("a", "b", "c")


def test_whole_numbers_are_fine_as_constants():
    data = {"inputs": ["a"], "steps": [["input", "a"], ["constant", 2], ["add", 0, 1]], "outputs": [2]}
    assert Expression.from_data(data) == Expression.trace(lambda s, a: a + 2)


@pytest.mark.parametrize(
    "data", [None, 3, "abc", [], [1, 2], {}, {"inputs": [], "steps": []}, {"steps": [], "outputs": []}]
)
def test_data_of_another_shape(refused, data):
    refused(lambda: Expression.from_data(data), "to_data")


def with_step(*step):
    """GOOD with its last step replaced."""
    return {**GOOD, "steps": [*GOOD["steps"][:-1], list(step)]}


@pytest.mark.parametrize(
    "step",
    [
        (),
        ("less",),
        ("less", 1),
        ("less", 1, 2, 3),
        ("exp", 1, 2),
        ("where", 0, 1),
        ("less", 1, 4),  # itself
        ("less", 1, 5),
        ("less", 1, -1),
        ("less", 1, True),
        ("less", False, 1),
        ("less", 1, 2.0),
        ("less", 1, "2"),
        ("less", 1, None),
        ("less", 1, [2]),
        ("input",),
        ("input", "c"),
        ("input", 0),
        ("input", ["a"]),
        ("input", "a", "b"),
        ("constant",),
        ("constant", None),
        ("constant", "one"),
        ("constant", [1.0]),
        ("constant", 1.0, 2.0),
        ("constant", True),
        ("constant", 10**400),
        ("__import__", 0),
        ("Less", 0, 1),
        ("sin", 0),
        (None, 0),
        (["less"], 0, 1),
        ({"less": 1}, 0, 1),
        (3, 0, 1),
    ],
)
def test_steps_that_no_expression_has(refused, step):
    refused(lambda: Expression.from_data(with_step(*step)), "to_data")


@pytest.mark.parametrize("step", [None, 3, "exp", {"exp": 0}])
def test_steps_that_are_no_lists(refused, step):
    refused(lambda: Expression.from_data({**GOOD, "steps": [*GOOD["steps"][:-1], step]}), "to_data")


def test_an_unknown_primitive_is_named_with_the_known_ones(refused):
    refused(lambda: Expression.from_data(with_step("exp2", 0)), "exp2", "did you mean 'exp'")
    refused(lambda: Expression.from_data(with_step("???", 0)), "???", *map(repr, PRIMITIVES))


@pytest.mark.parametrize(
    "outputs",
    [None, [], 4, "4", [5], [-1], [None], ["4"], [True], [1.0], [1.7], [math.inf], [math.nan], [[4]], [4, 99]],
)
def test_outputs_that_point_nowhere(refused, outputs):
    refused(lambda: Expression.from_data({**GOOD, "outputs": outputs}), "to_data")


@pytest.mark.parametrize(
    "inputs", [None, 3, "ab", ["a", "b", "a"], ["a", "b", 1], ["a", "b", "}\\input{x}"], ["a", "b", ""]]
)
def test_inputs_that_are_no_distinct_names(refused, inputs):
    refused(lambda: Expression.from_data({**GOOD, "inputs": inputs}), "to_data")


def test_loading_runs_nothing():
    """An object that would act when it is called or formatted only meets comparisons."""

    class Trap:
        def __call__(self, *arguments):
            raise AssertionError("called")

    with pytest.raises(ValueError, match="to_data"):
        Expression.from_data({"inputs": ["a"], "steps": [["input", "a"], [Trap(), 0]], "outputs": [1]})
