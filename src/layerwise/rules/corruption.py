"""Inputs that are corrupted in training: masking noise and Gaussian noise of denoising autoencoders.

Vincent, Larochelle, Lajoie, Bengio and Manzagol (JMLR 11, 2010), section 3.3.
"""

from __future__ import annotations

import math
from typing import Final

from ..ops import Operand, Purpose, Vocabulary, expression

TWO_PI: Final = 2 * math.pi

_keep: Final = expression(lambda s, u, p: s.where(u < p, 0, 1))
# u lies in [0, 1) and is a multiple of 2^-24: the logarithm is of 2^-24 at least, and no number exceeds 5.8.
_box_muller: Final = expression(lambda s, u, v: s.sqrt(-2 * s.log(1 - u)) * s.cos(TWO_PI * v))
_noisy: Final = expression(lambda s, x, noise, strength: x + strength * noise)


def input_mask(ops: Vocabulary, rows: Operand, d: int, key: Operand, p: Operand) -> Operand:
    """0 with probability p, else 1, for every row and component of x: what stays is not scaled up, as in dropout.

    rows: (n,) positions in the data set, key: (seed, step) -> (n, d)
    """
    return ops.map(_keep, ops.uniform(rows, d, Purpose.DROPOUT, 0, key), p)


def standard_normal(ops: Vocabulary, rows: Operand, d: int, key: Operand) -> Operand:
    """Standard normal numbers for every row and component of x (Box and Muller 1958).

    rows: (n,) positions in the data set, key: (seed, step) -> (n, d)
    """
    radius = ops.uniform(rows, d, Purpose.NOISE_RADIUS, 0, key)
    return ops.map(_box_muller, radius, ops.uniform(rows, d, Purpose.NOISE_ANGLE, 0, key))


def noise_forward(ops: Vocabulary, noise: Operand, x: Operand, strength: Operand) -> Operand:
    """x + strength noise; its gradient with respect to x is 1.  (n, d) -> (n, d)"""
    return ops.map(_noisy, x, noise, strength)
