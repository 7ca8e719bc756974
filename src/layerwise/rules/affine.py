"""The affine step of a layer: a^(k) = b^(k) + W^(k) h^(k-1)."""

from __future__ import annotations

from ..ops import Operand, Vocabulary


def affine_forward(ops: Vocabulary, W: Operand, b: Operand, h: Operand) -> Operand:
    """a = b + W h, for every row.  h: (n, d_in), W: (d_out, d_in), b: (d_out,) -> a: (n, d_out)"""
    return ops.add(b, ops.matmul(h, W, transpose_b=True))


def affine_backward(ops: Vocabulary, h: Operand, grad_a: Operand) -> tuple[Operand, Operand]:
    """grad_W = grad_a h' and grad_b = grad_a, summed over rows.  h: (n, d_in), grad_a: (n, d_out)"""
    return ops.matmul(grad_a, h, transpose_a=True), ops.sum_rows(grad_a)


def affine_input_backward(ops: Vocabulary, W: Operand, grad_a: Operand) -> Operand:
    """grad_h = W' grad_a, for every row.  W: (d_out, d_in), grad_a: (n, d_out) -> (n, d_in)"""
    return ops.matmul(grad_a, W)
