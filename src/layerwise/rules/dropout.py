"""Dropout (Srivastava et al. 2014; course-map row 24), inverted: what stays is scaled up in training."""

from __future__ import annotations

from typing import Final

from ..ops import Operand, Purpose, Vocabulary, expression

_keep: Final = expression(lambda s, u, p: s.where(u < p, 0, 1 / (1 - p)))


def dropout_mask(ops: Vocabulary, rows: Operand, d: int, layer: int, key: Operand, p: Operand) -> Operand:
    """0 with probability p, else 1 / (1 - p), for every row and unit.

    rows: (n,) positions in the data set, key: (seed, step) -> (n, d)
    """
    return ops.map(_keep, ops.uniform(rows, d, Purpose.DROPOUT, layer, key), p)


def dropout_forward(ops: Vocabulary, mask: Operand, h: Operand) -> Operand:
    """mask * h.  (n, d) -> (n, d)"""
    return ops.multiply(mask, h)


def dropout_backward(ops: Vocabulary, mask: Operand, grad: Operand) -> Operand:
    """grad_h = mask * grad.  (n, d) -> (n, d)"""
    return ops.multiply(mask, grad)
