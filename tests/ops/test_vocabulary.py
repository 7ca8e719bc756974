"""The vocabulary in NumPy: every operation against plain loops, and every adjoint pair against differences."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from layerwise.ops import Expression, NumpyOps, Purpose, Vocabulary, philox_uniform

OPS = NumpyOps()


def loops(shape, entry):
    """An array of this shape, entry by entry."""
    result = np.zeros(shape)
    for index in np.ndindex(*shape):
        result[index] = entry(*index)
    return result


@pytest.mark.parametrize(("transpose_a", "transpose_b"), [(False, False), (False, True), (True, False), (True, True)])
def test_matmul(random_matrix, transpose_a, transpose_b):
    A, B = random_matrix(3, 4), random_matrix(4, 5)
    expected = loops((3, 5), lambda i, j: sum(A[i, k] * B[k, j] for k in range(4)))
    result = OPS.matmul(A.T if transpose_a else A, B.T if transpose_b else B, transpose_a, transpose_b)
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def test_sums_and_largest(random_matrix):
    A = random_matrix(4, 3)
    np.testing.assert_allclose(OPS.sum_rows(A), loops((3,), lambda j: sum(A[i, j] for i in range(4))), rtol=1e-14)
    np.testing.assert_allclose(
        OPS.sum_columns(A), loops((4, 1), lambda i, _: sum(A[i, j] for j in range(3))), rtol=1e-14
    )
    np.testing.assert_allclose(OPS.sum_all(A), [sum(A[index] for index in np.ndindex(4, 3))], rtol=1e-14)
    np.testing.assert_allclose(OPS.sum_all(A[0]), [A[0, 0] + A[0, 1] + A[0, 2]], rtol=1e-14)
    np.testing.assert_array_equal(OPS.max_columns(A), loops((4, 1), lambda i, _: max(A[i, j] for j in range(3))))


def test_codes(random_matrix):
    A, codes = random_matrix(4, 3), np.array([2, 0, 0, 1])
    np.testing.assert_array_equal(OPS.pick(A, codes), loops((4, 1), lambda i, _: A[i, codes[i]]))
    np.testing.assert_array_equal(OPS.one_hot(codes, 5), loops((4, 5), lambda i, j: j == codes[i]))
    np.testing.assert_array_equal(OPS.gather_rows(A, codes), loops((4, 3), lambda i, j: A[codes[i], j]))
    expected = loops((6, 3), lambda m, j: sum(A[i, j] for i in range(4) if codes[i] == m))
    np.testing.assert_allclose(OPS.scatter_add_rows(A, codes, 6), expected, rtol=1e-14)


@pytest.mark.parametrize("transpose_b", [False, True])
def test_grouped_matmul(random_matrix, transpose_b):
    n, k, i, j = 3, 4, 2, 5
    A, B = random_matrix(n, k * i), random_matrix(k, i, j)

    def entry(row, column):
        group, place = divmod(column, j)
        return sum(A[row, group * i + m] * B[group, m, place] for m in range(i))

    result = OPS.grouped_matmul(A, B.transpose(0, 2, 1) if transpose_b else B, transpose_b)
    np.testing.assert_allclose(result, loops((n, k * j), entry), rtol=1e-14)


def test_views_of_columns(random_matrix):
    A = random_matrix(2, 6)
    split = OPS.split_columns(A, 3)
    np.testing.assert_array_equal(split, loops((6, 2), lambda i, j: A[i // 3, i % 3 * 2 + j]))
    np.testing.assert_array_equal(OPS.join_columns(split, 3), A)
    assert np.shares_memory(split, A)
    assert np.shares_memory(OPS.join_columns(split, 3), A)


def test_concatenate_and_slice(random_matrix):
    A, B, C = random_matrix(3, 2), random_matrix(3, 1), random_matrix(3, 4)
    joined = OPS.concatenate(A, B, C)
    assert joined.shape == (3, 7)
    for part, start in ((A, 0), (B, 2), (C, 3)):
        np.testing.assert_array_equal(OPS.slice_columns(joined, start, start + part.shape[1]), part)


def test_elementwise_operations_broadcast_rows_columns_and_scalars(random_matrix):
    A, row, column = random_matrix(3, 4), random_matrix(4), random_matrix(3, 1)
    np.testing.assert_allclose(OPS.add(A, row), loops((3, 4), lambda i, j: A[i, j] + row[j]), rtol=1e-15)
    np.testing.assert_allclose(OPS.subtract(column, A), loops((3, 4), lambda i, j: column[i, 0] - A[i, j]), rtol=1e-15)
    np.testing.assert_allclose(OPS.multiply(row, column), loops((3, 4), lambda i, j: row[j] * column[i, 0]), rtol=1e-15)
    np.testing.assert_allclose(OPS.divide(A, 3), loops((3, 4), lambda i, j: A[i, j] / 3), rtol=1e-15)


def test_map_gives_its_formula_the_operands_in_order(random_matrix):
    A, row = random_matrix(3, 4), random_matrix(4)
    result = OPS.map(Expression.trace(lambda s, x, y, rate: x - rate * y), A, row, 0.25)
    np.testing.assert_array_equal(result, A - 0.25 * row)


def test_uniform_is_philox():
    rows = np.array([3, 1, 100])
    np.testing.assert_array_equal(
        OPS.uniform(rows, 6, Purpose.DROPOUT, 2, (7, 8)), philox_uniform(rows, 6, Purpose.DROPOUT, 2, (7, 8))
    )


def test_write_fills_in_place():
    target = np.zeros((2, 3))
    view = target[:, 1:]
    assert OPS.write(view, np.array([5.0, 6.0])) is None
    np.testing.assert_array_equal(target, [[0, 5, 6], [0, 5, 6]])


def test_row_count_is_the_number_of_rows(random_matrix):
    assert OPS.row_count(random_matrix(5, 2)) == 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_made_has_the_type_of_the_operations(dtype):
    ops = NumpyOps(dtype)
    A, codes = np.ones((2, 4), dtype), np.array([1, 0])
    B = np.ones((2, 2, 3), dtype)
    made = [
        ops.matmul(A, A, transpose_b=True), ops.sum_rows(A), ops.sum_columns(A), ops.sum_all(A), ops.max_columns(A),
        ops.pick(A, codes), ops.one_hot(codes, 3), ops.gather_rows(A, codes), ops.scatter_add_rows(A, codes, 3),
        ops.grouped_matmul(A, B), ops.split_columns(A, 2), ops.concatenate(A, A), ops.add(A, 0.1),
        ops.uniform(codes, 3, Purpose.DROPOUT, 1, (0, 0)), ops.divide(A, ops.row_count(A)),
    ]  # fmt: skip
    assert {array.dtype for array in made} == {np.dtype(dtype)}


def test_infinities_and_nan_pass_without_a_warning():
    """They are looked for in the loss; a warning in between would stop a strict program."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wild = np.array([[np.inf, -np.inf], [-np.inf, np.nan]])
        large = np.full((2, 2), 1.7e308)
        assert np.isnan(OPS.sum_rows(wild)).all()
        assert np.isnan(OPS.sum_columns(wild)).all()
        assert np.isnan(OPS.sum_all(wild)).all()
        assert np.isinf(OPS.sum_rows(large)).all()
        assert np.isinf(OPS.sum_columns(large)).all()
        assert np.isinf(OPS.sum_all(large)).all()
        assert np.isinf(OPS.matmul(large, large)).all()
        assert np.isnan(OPS.matmul(wild, wild)).any()
        assert np.isinf(OPS.grouped_matmul(large, large[:, :, None])).all()
        assert np.isinf(OPS.scatter_add_rows(large, np.array([0, 0]), 1)).all()
        assert np.isinf(OPS.add(large, large)).all()
        assert np.isnan(OPS.subtract(wild, wild)).all()


# --- adjoint pairs: the gradient of <Y, op(A)> with respect to A is the other operation on Y --------------------------

CODES = np.array([2, 0, 2, 1])
PAIRS = {
    "A B, in A": ((4, 3), lambda A, c: OPS.matmul(A, c(3, 5)), lambda Y, c: OPS.matmul(Y, c(3, 5), transpose_b=True)),
    "A B, in B": ((3, 5), lambda B, c: OPS.matmul(c(4, 3), B), lambda Y, c: OPS.matmul(c(4, 3), Y, transpose_a=True)),
    "A B', in B": (
        (5, 3),
        lambda B, c: OPS.matmul(c(4, 3), B, transpose_b=True),
        lambda Y, c: OPS.matmul(Y, c(4, 3), transpose_a=True),
    ),
    "A' B, in A": (
        (3, 4),
        lambda A, c: OPS.matmul(A, c(3, 5), transpose_a=True),
        lambda Y, c: OPS.matmul(c(3, 5), Y, transpose_b=True),
    ),
    "grouped_matmul": (
        (4, 6),
        lambda A, c: OPS.grouped_matmul(A, c(3, 2, 5)),
        lambda Y, c: OPS.grouped_matmul(Y, c(3, 2, 5), transpose_b=True),
    ),
    "gather and scatter_add": (
        (3, 2),
        lambda A, c: OPS.gather_rows(A, CODES),
        lambda Y, c: OPS.scatter_add_rows(Y, CODES, 3),
    ),
    "scatter_add and gather": (
        (4, 2),
        lambda A, c: OPS.scatter_add_rows(A, CODES, 5),
        lambda Y, c: OPS.gather_rows(Y, CODES),
    ),
    "split and join": ((2, 6), lambda A, c: OPS.split_columns(A, 3), lambda Y, c: OPS.join_columns(Y, 3)),
    "join and split": ((6, 2), lambda A, c: OPS.join_columns(A, 3), lambda Y, c: OPS.split_columns(Y, 3)),
    "concatenate and slice": (
        (4, 2),
        lambda A, c: OPS.concatenate(c(4, 1), A, c(4, 3)),
        lambda Y, c: OPS.slice_columns(Y, 1, 3),
    ),
    "slice and concatenate": (
        (4, 6),
        lambda A, c: OPS.slice_columns(A, 1, 3),
        lambda Y, c: OPS.concatenate(np.zeros((4, 1)), Y, np.zeros((4, 3))),
    ),
    "sum_rows and broadcasting": ((4, 3), lambda A, c: OPS.sum_rows(A), lambda Y, c: OPS.add(np.zeros((4, 3)), Y)),
    "sum_columns and broadcasting": (
        (4, 3),
        lambda A, c: OPS.sum_columns(A),
        lambda Y, c: OPS.add(np.zeros((4, 3)), Y),
    ),
    "sum_all and broadcasting": ((4, 3), lambda A, c: OPS.sum_all(A), lambda Y, c: OPS.add(np.zeros((4, 3)), Y)),
    "broadcasting and sum_rows": ((3,), lambda row, c: OPS.add(c(4, 3), row), lambda Y, c: OPS.sum_rows(Y)),
    "pick and one_hot": ((4, 3), lambda A, c: OPS.pick(A, CODES), lambda Y, c: OPS.multiply(OPS.one_hot(CODES, 3), Y)),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
def test_an_adjoint_pair_against_central_differences(random_matrix, derivative_along, pair):
    shape, operation, adjoint = PAIRS[pair]
    A = random_matrix(*shape, seed=1)
    Y = random_matrix(*operation(A, random_matrix).shape, seed=2)

    def product(A):
        return np.sum(Y * operation(A, random_matrix))

    numeric = np.zeros(shape)
    for index in np.ndindex(*shape):
        direction = np.zeros(shape)
        direction[index] = 1.0
        numeric[index] = derivative_along(product, A, direction)
    result = adjoint(Y, random_matrix)
    assert result.shape == shape
    np.testing.assert_allclose(result, numeric, rtol=1e-8, atol=1e-8)


# --- the vocabulary itself --------------------------------------------------------------------------------------------


def test_every_operation_says_its_shapes():
    for name in Vocabulary.__abstractmethods__:
        assert "->" in inspect.getdoc(getattr(Vocabulary, name)) or name == "write"


def test_the_vocabulary_stays_small():
    """A new operation needs a second user or a measured benefit (DESIGN.md)."""
    assert len(Vocabulary.__abstractmethods__) <= 18


def test_the_vocabulary_cannot_be_used_half_written():
    class Half(Vocabulary):
        def sum_rows(self, A):
            return A

    with pytest.raises(TypeError, match="abstract"):
        Half()
