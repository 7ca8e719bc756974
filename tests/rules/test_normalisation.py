"""Batch normalisation: moments, running statistics, and gradients through the batch's own moments."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.ops import NumpyOps
from layerwise.rules.normalisation import (
    EPSILON,
    STATISTICS_RATE,
    batch_moments,
    batch_normalisation_backward,
    fixed_normalisation_backward,
    normalisation_forward,
    normalisation_parameters_backward,
    running_statistics,
)

OPS = NumpyOps()


def test_moments_by_hand():
    mean, variance = batch_moments(OPS, np.array([[1.0, -2.0], [3.0, 0.0], [8.0, 2.0], [0.0, 4.0]]))
    np.testing.assert_array_equal(mean, [3.0, 1.0])
    np.testing.assert_array_equal(variance, [(4 + 0 + 25 + 9) / 4, (9 + 1 + 1 + 9) / 4])


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_moments_of_columns_far_from_zero(rows, shift):
    a = rows(50, 3) + shift
    mean, variance = batch_moments(OPS, a)
    np.testing.assert_allclose(mean, a.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(variance, a.var(axis=0), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_normalised_batch_has_mean_0_and_variance_1(rows, dtype):
    a = (5 + 3 * rows(200, 4)).astype(dtype)
    ops = NumpyOps(dtype)
    ones, zeros = np.ones(4, dtype), np.zeros(4, dtype)
    z, u, inverse_deviation = normalisation_forward(ops, a, *batch_moments(ops, a), ones, zeros)
    assert {z.dtype, u.dtype, inverse_deviation.dtype} == {np.dtype(dtype)}
    np.testing.assert_array_equal(z, u)
    np.testing.assert_allclose(z.mean(axis=0, dtype=np.float64), 0, atol=16 * np.finfo(dtype).eps)
    variance = a.var(axis=0, dtype=np.float64)
    np.testing.assert_allclose(z.var(axis=0, dtype=np.float64), variance / (variance + EPSILON), rtol=1e-5)


def test_normalisation_by_hand():
    a, mean, variance = np.array([[4.0], [0.0]]), np.array([1.0]), np.array([9.0 - EPSILON])
    z, u, inverse_deviation = normalisation_forward(OPS, a, mean, variance, np.array([2.0]), np.array([0.5]))
    np.testing.assert_allclose(inverse_deviation, [1 / 3], rtol=1e-15)
    np.testing.assert_allclose(u, [[1], [-1 / 3]], rtol=1e-15)
    np.testing.assert_allclose(z, [[2.5], [0.5 - 2 / 3]], rtol=1e-15)


def test_a_constant_column_does_no_harm():
    a = np.full((5, 2), 7.0)
    z, u, inverse_deviation = normalisation_forward(OPS, a, *batch_moments(OPS, a), np.ones(2), np.array([0.0, 3.0]))
    np.testing.assert_array_equal(z, np.broadcast_to([0.0, 3.0], (5, 2)))
    grad_a = batch_normalisation_backward(OPS, u, np.ones(2), inverse_deviation, np.arange(10.0).reshape(5, 2))
    assert np.isfinite(grad_a).all()


def test_gradients_through_the_moments_of_the_batch_against_differences(rows, gradient):
    a, gamma, beta, seed = 2 * rows(5, 3) + 1, rows(3), rows(3, seed=1), rows(5, 3, seed=2)

    def objective(a, gamma, beta):
        return np.sum(seed * normalisation_forward(OPS, a, *batch_moments(OPS, a), gamma, beta)[0])

    _, u, inverse_deviation = normalisation_forward(OPS, a, *batch_moments(OPS, a), gamma, beta)
    grad_gamma, grad_beta = normalisation_parameters_backward(OPS, u, seed)
    grad_a = batch_normalisation_backward(OPS, u, gamma, inverse_deviation, seed)
    close = {"rtol": 1e-7, "atol": 1e-8}
    np.testing.assert_allclose(grad_gamma, gradient(lambda gamma: objective(a, gamma, beta), gamma), **close)
    np.testing.assert_allclose(grad_beta, gradient(lambda beta: objective(a, gamma, beta), beta), **close)
    np.testing.assert_allclose(grad_a, gradient(lambda a: objective(a, gamma, beta), a), **close)


def test_gradients_with_fixed_moments_against_differences(rows, gradient):
    a, gamma, beta, seed = rows(4, 3), rows(3), rows(3, seed=1), rows(4, 3, seed=2)
    mean, variance = rows(3, seed=3), rows(3, seed=4) ** 2
    inverse_deviation = normalisation_forward(OPS, a, mean, variance, gamma, beta)[2]
    numeric = gradient(lambda a: np.sum(seed * normalisation_forward(OPS, a, mean, variance, gamma, beta)[0]), a)
    grad_a = fixed_normalisation_backward(OPS, gamma, inverse_deviation, seed)
    np.testing.assert_allclose(grad_a, numeric, rtol=1e-7, atol=1e-8)


def test_a_shift_or_scale_of_the_batch_has_no_gradient(rows):
    """Neither changes z, apart from epsilon, so grad_a is at right angles to 1 and to u."""
    a, gamma, seed = 100 * rows(8, 3), rows(3), rows(8, 3, seed=2)
    _, u, inverse_deviation = normalisation_forward(OPS, a, *batch_moments(OPS, a), gamma, np.zeros(3))
    grad_a = batch_normalisation_backward(OPS, u, gamma, inverse_deviation, seed)
    size = np.abs(grad_a).max()
    np.testing.assert_allclose(grad_a.sum(axis=0), 0, atol=1e-13 * size)
    np.testing.assert_allclose((grad_a * u).sum(axis=0), 0, atol=1e-7 * size)


def test_running_statistics_take_a_share_of_each_batch():
    mean, variance = running_statistics(
        OPS, np.array([1.0, 0.0]), np.array([1.0, 2.0]), np.array([3.0, -1.0]), np.array([4.0, 0.5]), 5
    )
    np.testing.assert_allclose(mean, [0.9 * 1 + 0.1 * 3, 0.1 * -1], rtol=1e-15)
    np.testing.assert_allclose(variance, [0.9 * 1 + 0.1 * 4 * 5 / 4, 0.9 * 2 + 0.1 * 0.5 * 5 / 4], rtol=1e-15)
    assert STATISTICS_RATE == 0.1


def test_running_statistics_reach_the_moments_of_the_data(rows):
    data = 2 + 3 * rows(20000, 2)
    mean, variance = np.zeros(2), np.ones(2)
    for batch in data.reshape(1000, 20, 2):
        mean, variance = running_statistics(OPS, mean, variance, *batch_moments(OPS, batch), 20)
    np.testing.assert_allclose(mean, 2, atol=0.6)
    np.testing.assert_allclose(variance, 9, rtol=0.3)
