"""Batch normalisation (Ioffe and Szegedy 2015; course-map row 24): z = gamma * u + beta, u = (a - mean) / deviation."""

from __future__ import annotations

from typing import Final

from ..ops import Operand, Vocabulary, expression

EPSILON: Final = 1e-5
#: The share of the running mean and variance that each batch replaces.
STATISTICS_RATE: Final = 0.1

_square: Final = expression(lambda s, x: x * x)
_inverse_deviation: Final = expression(lambda s, variance: 1 / s.sqrt(variance + EPSILON))
_scale_and_shift: Final = expression(lambda s, gamma, u, beta: gamma * u + beta)
_tied_backward: Final = expression(
    lambda s, grad_z, u, gamma, inverse_deviation, sum_grad, sum_grad_u, n: (
        gamma * inverse_deviation * (grad_z - (sum_grad + u * sum_grad_u) / n)
    )
)
_free_backward: Final = expression(lambda s, grad_z, gamma, inverse_deviation: grad_z * (gamma * inverse_deviation))
_towards: Final = expression(lambda s, old, new: old + STATISTICS_RATE * (new - old))
_nothing: Final = expression(lambda s, b: 0.0)
_unbiased: Final = expression(lambda s, variance, n: variance * (n / (n - 1)))


def batch_moments(ops: Vocabulary, a: Operand) -> tuple[Operand, Operand]:
    """The mean and the variance (division by n) of every column.  a: (n, d) -> (d,), (d,)"""
    n = ops.row_count(a)
    mean = ops.divide(ops.sum_rows(a), n)
    return mean, ops.divide(ops.sum_rows(ops.map(_square, ops.subtract(a, mean))), n)


def normalisation_forward(
    ops: Vocabulary, a: Operand, mean: Operand, variance: Operand, gamma: Operand, beta: Operand
) -> tuple[Operand, Operand, Operand]:
    """z = gamma * u + beta with u = (a - mean) / sqrt(variance + eps).

    a: (n, d), the others: (d,) -> z: (n, d), u: (n, d), 1 / sqrt(variance + eps): (d,)
    """
    inverse_deviation = ops.map(_inverse_deviation, variance)
    u = ops.multiply(ops.subtract(a, mean), inverse_deviation)
    return ops.map(_scale_and_shift, gamma, u, beta), u, inverse_deviation


def normalisation_parameters_backward(ops: Vocabulary, u: Operand, grad_z: Operand) -> tuple[Operand, Operand]:
    """grad_gamma = grad_z * u and grad_beta = grad_z, summed over rows.  (n, d) -> (d,), (d,)"""
    return ops.sum_rows(ops.multiply(grad_z, u)), ops.sum_rows(grad_z)


def batch_normalisation_backward(
    ops: Vocabulary, u: Operand, gamma: Operand, inverse_deviation: Operand, grad_z: Operand
) -> Operand:
    """grad_a with the mean and variance of this very batch: every row moves them, so the rows are tied.

    grad_a = gamma / deviation * (grad_z - mean(grad_z) - u mean(grad_z u)).  (n, d) -> (n, d)
    """
    sum_grad_u, sum_grad = normalisation_parameters_backward(ops, u, grad_z)
    return ops.map(_tied_backward, grad_z, u, gamma, inverse_deviation, sum_grad, sum_grad_u, ops.row_count(grad_z))


def bias_before_normalisation_backward(ops: Vocabulary, b: Operand) -> Operand:
    """grad_b of the affine step before it, with the batch's own mean, which takes b out again: exactly 0.  (d,) -> (d,)

    Summed up, it would be rounding, which Adam's division would make as large as any other gradient.
    """
    return ops.map(_nothing, b)


def fixed_normalisation_backward(
    ops: Vocabulary, gamma: Operand, inverse_deviation: Operand, grad_z: Operand
) -> Operand:
    """grad_a with fixed mean and variance (prediction): grad_z gamma / deviation.  (n, d) -> (n, d)"""
    return ops.map(_free_backward, grad_z, gamma, inverse_deviation)


def running_statistics(
    ops: Vocabulary, running_mean: Operand, running_variance: Operand, mean: Operand, variance: Operand, n: Operand
) -> tuple[Operand, Operand]:
    """The running mean and the running unbiased variance after a batch of n rows.  (d,) each"""
    return ops.map(_towards, running_mean, mean), ops.map(_towards, running_variance, ops.map(_unbiased, variance, n))
