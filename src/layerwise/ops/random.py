"""Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011).

A number is a pure function of (seed, purpose, layer, step, row of the data set, unit). So every engine, any number of
threads and any order of the rows give the same mask, and nothing has to be stored to resume.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_INCREMENTS: Final = (0x9E3779B9, 0xBB67AE85)
ROUNDS: Final = 10
LOW: Final = np.uint64(0xFFFFFFFF)
HALF: Final = np.uint64(32)


class Purpose(IntEnum):
    """What random numbers are for; different purposes never share a number."""

    DROPOUT = 1
    SHUFFLE = 2
    INITIALISATION = 3
    SPLIT = 4
    NOISE_RADIUS = 5
    NOISE_ANGLE = 6


def philox4x32(counter: npt.NDArray[np.uint64], key: tuple[int, int]) -> npt.NDArray[np.uint64]:
    """Return four 32-bit words for every counter.

    Parameters
    ----------
    counter : array (4, ...) of uint64
        Four 32-bit words each.
    key : pair of int
        Two 32-bit words.

    Returns
    -------
    array (4, ...) of uint64
        Values below 2^32.

    Examples
    --------
    >>> [hex(word) for word in philox4x32(np.zeros(4, np.uint64), (0, 0)).tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> HALF) ^ c1 ^ np.uint64(k0),
            product1 & LOW,
            (product0 >> HALF) ^ c3 ^ np.uint64(k1),
            product0 & LOW,
        )
        k0, k1 = (k0 + KEY_INCREMENTS[0]) & 0xFFFFFFFF, (k1 + KEY_INCREMENTS[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3])


def philox_uniform(
    rows: npt.NDArray[np.integer], d: int, purpose: Purpose, layer: int, key: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Return uniform numbers in [0, 1), one for each row and unit.

    Parameters
    ----------
    rows : array (n,) of int
        Positions in the data set (not in the batch), below 2^32.
    d : int
        Number of units.
    purpose, layer : Purpose, int
        What the numbers are for, and the layer k they belong to.
    key : (seed, step)
        The seed (below 2^64) and the number of updates made so far (below 2^32).

    Returns
    -------
    array (n, d) of float32
        Multiples of 2^-24, so exact in float32 and float64 alike.

    Notes
    -----
    Counter words: unit // 4, row, step, purpose * 2^24 + layer; key words: the seed's low and high half. Unit u takes
    word u mod 4.
    """
    seed, step = key
    blocks = -(-d // 4)
    counter = np.empty((4, len(rows), blocks), np.uint64)
    counter[0] = np.arange(blocks, dtype=np.uint64)
    counter[1] = np.asarray(rows, np.uint64)[:, None]
    counter[2] = step
    counter[3] = int(purpose) << 24 | layer
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32))
    units = np.moveaxis(words, 0, -1).reshape(len(rows), 4 * blocks)[:, :d]
    return (units >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
