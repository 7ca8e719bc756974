"""What each primitive means: NumPy against Python's own mathematics, one number at a time."""

from __future__ import annotations

import itertools
import math
import operator
import warnings

import numpy as np
import pytest

from layerwise.ops import Expression, NumpyOps
from layerwise.ops.expressions import PRIMITIVES
from layerwise.ops.numpy_ops import PRIMITIVES_IN_NUMPY, evaluate

NAMES = ("x", "y", "z")
MEANING = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "max": max, "min": min, "less": lambda x, y: float(x < y), "where": lambda c, x, y: x if c else y,
    "abs": abs, "sqrt": math.sqrt, "exp": math.exp, "expm1": math.expm1, "log": math.log, "log1p": math.log1p,
    "tanh": math.tanh, "cos": math.cos, "erf": math.erf,
}  # fmt: skip
POINTS = (-3.7, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 2.25, 9.0)


def formula_of(primitive):
    """The expression that is this primitive alone."""
    names = NAMES[: PRIMITIVES[primitive]]
    return Expression.trace(lambda s, *symbols: s.apply(primitive, *symbols), inputs=names)


def test_the_tables_name_the_same_primitives():
    assert set(MEANING) == set(PRIMITIVES) == set(PRIMITIVES_IN_NUMPY)


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_primitive_on_numbers(primitive):
    defined = 0
    for arguments in itertools.product(POINTS, repeat=PRIMITIVES[primitive]):
        try:
            expected = MEANING[primitive](*arguments)
        except (ValueError, ZeroDivisionError):  # outside its domain: NaN or an infinity, never a wrong number
            assert not np.isfinite(evaluate(formula_of(primitive), arguments))
            continue
        defined += 1
        assert evaluate(formula_of(primitive), arguments) == pytest.approx(expected, rel=1e-15, abs=0)
    assert defined >= len(POINTS) // 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_primitive_on_arrays_keeps_their_type(primitive, dtype):
    values = np.array([0.25, 0.5, 1.0, 2.0], dtype)
    operands = [values, values[::-1], values[:, None]][: PRIMITIVES[primitive]]
    result = evaluate(formula_of(primitive), operands, dtype)
    assert result.dtype == dtype
    assert result.shape == np.broadcast_shapes(*(operand.shape for operand in operands))
    exact = evaluate(formula_of(primitive), [operand.astype(np.float64) for operand in operands])
    np.testing.assert_allclose(result, exact, rtol=4 * np.finfo(dtype).eps)


def test_constants_and_numbers_take_the_asked_type():
    formula = Expression.trace(lambda s, a, rate: a * 0.1 + rate * s.less(a, 1) + 0.7)
    result = evaluate(formula, [np.ones(3, np.float32), 0.3], np.float32)
    assert result.dtype == np.float32
    assert evaluate(Expression.trace(lambda s, a: 0.1), [0.0], np.float32).dtype == np.float32


@pytest.mark.parametrize(
    ("primitive", "arguments", "expected"),
    [
        ("max", (math.nan, 1.0), math.nan),
        ("max", (1.0, math.nan), math.nan),
        ("min", (math.nan, 1.0), math.nan),
        ("min", (1.0, math.nan), math.nan),
        ("less", (math.nan, 1.0), 0.0),
        ("less", (1.0, math.nan), 0.0),
        ("less", (-math.inf, math.inf), 1.0),
        ("where", (math.nan, 1.0, 2.0), 1.0),
        ("where", (0.0, math.nan, 2.0), 2.0),
        ("where", (-0.5, 1.0, math.nan), 1.0),
        ("where", (-0.0, 1.0, 2.0), 2.0),
        ("exp", (-math.inf,), 0.0),
        ("exp", (1e4,), math.inf),
        ("expm1", (-1e4,), -1.0),
        ("log", (0.0,), -math.inf),
        ("log", (-1.0,), math.nan),
        ("divide", (-1.0, 0.0), -math.inf),
        ("divide", (0.0, 0.0), math.nan),
        ("multiply", (0.0, math.inf), math.nan),
        ("sqrt", (-1.0,), math.nan),
        ("tanh", (-math.inf,), -1.0),
        ("erf", (math.inf,), 1.0),
    ],
)
def test_infinities_and_nan_pass_without_a_warning(primitive, arguments, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers = evaluate(formula_of(primitive), arguments)
        arrays = evaluate(formula_of(primitive), [np.array([argument]) for argument in arguments])
    np.testing.assert_equal(float(numbers), expected)
    np.testing.assert_equal(arrays, [expected])


def test_expm1_and_log1p_are_exact_near_zero():
    tiny = 1e-18
    assert evaluate(formula_of("expm1"), [tiny]) == tiny
    assert evaluate(formula_of("log1p"), [tiny]) == tiny


def test_several_results_come_as_a_tuple_of_arrays():
    total, product = NumpyOps().map(
        Expression.trace(lambda s, x, y: (x + y, x * y)), np.arange(3.0), np.arange(2.0)[:, None]
    )
    np.testing.assert_array_equal(total, [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_array_equal(product, [[0, 0, 0], [0, 1, 2]])


def test_evaluation_leaves_its_operands_alone():
    x = np.arange(4.0)
    evaluate(Expression.trace(lambda s, x: s.exp(x) * 0 + 7), [x])
    np.testing.assert_array_equal(x, np.arange(4.0))


@pytest.mark.parametrize("function", [lambda s, x, y: 1.0, lambda s, x, y: y * 2, lambda s, x, y: (x, y, 3)])
def test_every_result_has_the_broadcast_shape(function):
    """Vocabulary.map promises it, whether or not a result depends on all of the operands."""
    results = NumpyOps().map(Expression.trace(function), np.ones((4, 3)), np.ones(3))
    for result in results if isinstance(results, tuple) else (results,):
        assert np.shape(result) == (4, 3)


@pytest.mark.parametrize("function", [lambda s, a: a <= 1, lambda s, a: 1 >= a])  # noqa: SIM300
def test_weak_inequalities(function):
    assert evaluate(Expression.trace(function), [np.array([0.0, 1.0, 2.0])]).tolist() == [1.0, 1.0, 0.0]
