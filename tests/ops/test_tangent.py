"""Forward differentiation of rules: every operation's tangent against central differences of its NumPy meaning."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from layerwise.ops import Expression, NumpyOps, Purpose, TangentOps, Vocabulary
from layerwise.ops.tangent import Dual

NUMPY, TANGENT = NumpyOps(), TangentOps()
CODES = np.array([2, 0, 2, 1])
_curved = Expression.trace(lambda s, x, y, c: s.tanh(x * y) / (1 + s.exp(y)) + c * x)
_two = Expression.trace(lambda s, x, y: (x * s.exp(y), y + 0.5 * y * y))
_one_each = Expression.trace(lambda s, x, y: (s.cos(x), 3.0, y))

#: name of the operation -> shapes of its differentiable operands, and its call.
CASES = {
    "matmul": [
        (((4, 3), (3, 5)), lambda ops, A, B: ops.matmul(A, B)),
        (((4, 3), (5, 3)), lambda ops, A, B: ops.matmul(A, B, transpose_b=True)),
        (((3, 4), (3, 5)), lambda ops, A, B: ops.matmul(A, B, transpose_a=True)),
        (((3, 4), (5, 3)), lambda ops, A, B: ops.matmul(A, B, transpose_a=True, transpose_b=True)),
    ],
    "map": [
        (((4, 3), (4, 3)), lambda ops, x, y: ops.map(_curved, x, y, 0.7)),
        (((4, 3), (3,)), lambda ops, x, y: ops.map(_curved, x, y, 0.7)),
        (((4, 1), (3,)), lambda ops, x, y: ops.map(_curved, x, y, 0.7)),
        (((4, 3), (4, 1)), lambda ops, x, y: ops.map(_two, x, y)[0]),
        (((4, 3), (4, 3)), lambda ops, x, y: ops.map(_two, x, y)[1]),
        (((4, 3), (4, 3)), lambda ops, x, y: ops.map(_one_each, x, y)[0]),
        (((4, 3), (3,)), lambda ops, x, y: ops.map(_one_each, x, y)[1]),
        (((4, 3), (3,)), lambda ops, x, y: ops.map(_one_each, x, y)[2]),
    ],
    "sum_rows": [(((4, 3),), lambda ops, A: ops.sum_rows(A))],
    "sum_columns": [(((4, 3),), lambda ops, A: ops.sum_columns(A))],
    "sum_all": [(((4, 3),), lambda ops, A: ops.sum_all(A)), (((3,),), lambda ops, A: ops.sum_all(A))],
    "max_columns": [(((4, 3),), lambda ops, A: ops.max_columns(A))],
    "pick": [(((4, 3),), lambda ops, A: ops.pick(A, CODES))],
    "one_hot": [(((4, 3),), lambda ops, A: ops.multiply(A, ops.one_hot(CODES, 3)))],
    "gather_rows": [(((3, 2),), lambda ops, A: ops.gather_rows(A, CODES))],
    "scatter_add_rows": [(((4, 2),), lambda ops, A: ops.scatter_add_rows(A, CODES, 5))],
    "grouped_matmul": [
        (((4, 6), (3, 2, 5)), lambda ops, A, B: ops.grouped_matmul(A, B)),
        (((4, 6), (3, 5, 2)), lambda ops, A, B: ops.grouped_matmul(A, B, transpose_b=True)),
    ],
    "split_columns": [(((4, 6),), lambda ops, A: ops.split_columns(A, 3))],
    "join_columns": [(((6, 2),), lambda ops, A: ops.join_columns(A, 3))],
    "concatenate": [(((4, 2), (4, 1)), lambda ops, A, B: ops.concatenate(A, np.ones((4, 2)), B))],
    "slice_columns": [(((4, 5),), lambda ops, A: ops.slice_columns(A, 1, 3))],
    "uniform": [(((4, 3),), lambda ops, A: ops.multiply(A, ops.uniform(CODES, 3, Purpose.DROPOUT, 1, (3, 4))))],
    "write": [(((4, 3),), lambda ops, A: (ops.write(np.zeros((4, 3)), A), ops.add(A, A))[1])],
    "row_count": [(((4, 3),), lambda ops, A: ops.divide(A, ops.row_count(A)))],
}
FLAT = [
    pytest.param(*case, moving, id=f"{name}-{number}-{''.join('.d'[m] for m in moving)}")
    for name, cases in CASES.items()
    for number, case in enumerate(cases)
    for moving in itertools.product([True, False], repeat=len(case[0]))
]


def test_every_operation_is_tried():
    assert set(CASES) == set(Vocabulary.__abstractmethods__)


@pytest.mark.parametrize(("shapes", "rule", "moving"), FLAT)
def test_a_tangent_against_central_differences(random_matrix, derivative_along, shapes, rule, moving):
    """`moving` says which operands are pairs; the others are constants."""
    values = [random_matrix(*shape, seed=place) for place, shape in enumerate(shapes)]
    directions = [
        random_matrix(*shape, seed=9 + place) * move
        for place, (shape, move) in enumerate(zip(shapes, moving, strict=True))
    ]
    pairs = [Dual(v, d) if move else v for v, d, move in zip(values, directions, moving, strict=True)]
    result = rule(TANGENT, *pairs)
    if not any(moving):
        np.testing.assert_array_equal(result, rule(NUMPY, *values))
        return
    sizes = np.array([0, *(value.size for value in values)]).cumsum()

    def of_one_vector(flat):
        parts = [flat[i:j].reshape(s) for i, j, s in zip(sizes[:-1], sizes[1:], shapes, strict=True)]
        return np.asarray(rule(NUMPY, *parts))

    point, direction = (np.concatenate([array.ravel() for array in arrays]) for arrays in (values, directions))
    numeric = derivative_along(of_one_vector, point, direction)
    assert result.value.shape == result.tangent.shape == result.shape == numeric.shape
    np.testing.assert_array_equal(result.value, of_one_vector(point))
    np.testing.assert_allclose(result.tangent, numeric, rtol=1e-8, atol=1e-8)


def test_the_largest_of_equal_values_moves_with_the_first():
    tied = Dual(np.array([[1.0, 2.0, 2.0]]), np.array([[5.0, 6.0, 7.0]]))
    np.testing.assert_array_equal(TANGENT.max_columns(tied).tangent, [[6.0]])


def test_write_keeps_the_value_of_a_pair():
    target = np.zeros(2)
    TANGENT.write(target, Dual(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    np.testing.assert_array_equal(target, [1.0, 2.0])


def test_a_composed_rule_has_the_derivative_of_the_whole(random_matrix, derivative_along):
    """Softmax of an affine map, as a rule would write it: products, sums, the largest and divisions together."""
    exp_below = Expression.trace(lambda s, a, largest: s.exp(a - largest))

    def rule(ops, W, x):
        a = ops.matmul(x, W, transpose_b=True)
        e = ops.map(exp_below, a, ops.max_columns(a))
        return ops.divide(e, ops.sum_columns(e))

    W, x, direction = random_matrix(3, 2), random_matrix(4, 2), random_matrix(3, 2, seed=5)
    numeric = derivative_along(lambda W: rule(NUMPY, W, x), W, direction)
    result = rule(TANGENT, Dual(W, direction), x)
    np.testing.assert_allclose(result.tangent, numeric, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(result.tangent.sum(axis=1), 0, atol=1e-15)


def test_infinities_pass_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steep = TANGENT.map(Expression.trace(lambda s, x: s.sqrt(x)), Dual(np.zeros(2), np.array([0.0, 1.0])))
        np.testing.assert_array_equal(steep.tangent, [np.nan, np.inf])
