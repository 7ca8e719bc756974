"""The affine step of a layer: a^(k) = b^(k) + W^(k) h^(k-1).

A layer may read the W of another one transposed (tied weights): then W' stands where W does, and W keeps its shape.
"""

from __future__ import annotations

from ..ops import Operand, Vocabulary


def affine_forward(ops: Vocabulary, W: Operand, b: Operand, h: Operand, transposed: bool = False) -> Operand:
    """a = b + W h, for every row.  h: (n, d_in), W: (d_out, d_in), b: (d_out,) -> a: (n, d_out)

    With `transposed` a = b + W' h.  W: (d_in, d_out)
    """
    return ops.add(b, ops.matmul(h, W, transpose_b=not transposed))


def affine_backward(ops: Vocabulary, h: Operand, grad_a: Operand, transposed: bool = False) -> tuple[Operand, Operand]:
    """grad_W = grad_a h' and grad_b = grad_a, summed over rows.  h: (n, d_in), grad_a: (n, d_out)

    With `transposed` grad_W = h grad_a', of W's own shape (d_in, d_out).
    """
    left, right = (h, grad_a) if transposed else (grad_a, h)
    return ops.matmul(left, right, transpose_a=True), ops.sum_rows(grad_a)


def affine_input_backward(ops: Vocabulary, W: Operand, grad_a: Operand, transposed: bool = False) -> Operand:
    """grad_h = W' grad_a, for every row.  W: (d_out, d_in), grad_a: (n, d_out) -> (n, d_in)

    With `transposed` grad_h = W grad_a.  W: (d_in, d_out)
    """
    return ops.matmul(grad_a, W, transpose_b=transposed)
