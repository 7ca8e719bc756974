"""Gradient clipping by the norm of the whole gradient (Pascanu, Mikolov and Bengio 2013)."""

from __future__ import annotations

from typing import Final

from ..ops import Operand, Vocabulary, expression

# Where the norm is NaN the comparison is false and the gradient stays what it is: NaN, which the next loss shows.
_factor: Final = expression(lambda s, norm, limit: s.where(s.less(limit, norm), limit / norm, 1))


def clip_factor(ops: Vocabulary, norm: Operand, limit: Operand) -> Operand:
    """limit / norm where the norm exceeds the limit, else 1; 0 where the norm overflows.  norm: (1,) -> (1,)"""
    return ops.map(_factor, norm, limit)


def clipped(ops: Vocabulary, factor: Operand, grad: Operand) -> Operand:
    """What the update takes for the gradient: factor grad.  factor: (1,), grad: any shape -> that shape"""
    return ops.multiply(grad, factor)
