"""Counter-based random numbers: known answers, a second implementation, and their statistics with fixed seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from layerwise.ops import NumpyOps, Purpose, philox_uniform
from layerwise.ops.random import philox4x32

MASK = 0xFFFFFFFF
#: Known answers published with Random123: counter, key, words.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


def one_by_one(counter, key):
    """Philox4x32-10 on Python's own integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        low0, high0 = 0xD2511F53 * c0 & MASK, 0xD2511F53 * c0 >> 32
        low1, high1 = 0xCD9E8D57 * c2 & MASK, 0xCD9E8D57 * c2 >> 32
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + 0x9E3779B9 & MASK, k1 + 0xBB67AE85 & MASK
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    result = philox4x32(np.array(words(counter), np.uint64), tuple(words(key)))
    assert result.tolist() == words(expected) == one_by_one(words(counter), words(key))


def test_many_counters_at_once():
    counters = np.random.default_rng(1).integers(0, 2**32, (4, 5, 3), dtype=np.uint64)
    result = philox4x32(counters, (0x12345678, 0x9ABCDEF0))
    assert result.shape == (4, 5, 3)
    assert result.max() < 2**32
    for place in np.ndindex(5, 3):
        expected = one_by_one([int(c) for c in counters[:, *place]], (0x12345678, 0x9ABCDEF0))
        assert result[:, *place].tolist() == expected


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 - 1])
def test_the_counter_of_every_number_is_as_documented(seed):
    rows, step, layer, purpose = np.array([0, 7, 2**32 - 1]), 2**32 - 1, 3, Purpose.DROPOUT
    numbers = philox_uniform(rows, 6, purpose, layer, (seed, step))
    for (i, row), unit in itertools.product(enumerate(rows.tolist()), range(6)):
        counter = (unit // 4, row, step, purpose * 2**24 + layer)
        word = one_by_one(counter, (seed & MASK, seed >> 32))[unit % 4]
        assert float(numbers[i, unit]) == (word >> 8) / 2**24


def test_numbers_are_exact_in_float32():
    numbers = philox_uniform(np.arange(1000), 100, Purpose.DROPOUT, 1, (5, 6))
    assert numbers.dtype == np.float32
    assert numbers.min() >= 0
    assert numbers.max() < 1
    scaled = numbers.astype(np.float64) * 2**24
    np.testing.assert_array_equal(scaled, np.round(scaled))
    wide = NumpyOps(np.float64).uniform(np.arange(1000), 100, Purpose.DROPOUT, 1, (5, 6))
    narrow = NumpyOps(np.float32).uniform(np.arange(1000), 100, Purpose.DROPOUT, 1, (5, 6))
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize("seed", [0, 1, 123456789])
def test_numbers_are_uniform(seed):
    numbers = philox_uniform(np.arange(2000), 128, Purpose.DROPOUT, 1, (seed, 0)).ravel()
    counts = np.bincount((numbers * 256).astype(int), minlength=256)
    assert 1e-3 < stats.chisquare(counts).pvalue < 1 - 1e-3
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (1, 1), (0, 4)])
def test_neighbouring_numbers_are_independent(shift):
    numbers = philox_uniform(np.arange(1001), 132, Purpose.DROPOUT, 1, (2, 0))
    near = numbers[: 1001 - shift[0], : 132 - shift[1]].ravel()
    far = numbers[shift[0] :, shift[1] :].ravel()
    table = np.histogram2d(near, far, bins=16)[0]
    assert 1e-3 < stats.chisquare(table.ravel()).pvalue < 1 - 1e-3


def test_a_row_has_its_numbers_in_any_batch_and_order():
    all_rows = philox_uniform(np.arange(50), 9, Purpose.DROPOUT, 2, (3, 4))
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(philox_uniform(order, 9, Purpose.DROPOUT, 2, (3, 4)), all_rows[order])
    np.testing.assert_array_equal(philox_uniform(np.array([17]), 9, Purpose.DROPOUT, 2, (3, 4)), all_rows[17:18])
    np.testing.assert_array_equal(philox_uniform(np.array([5, 5]), 9, Purpose.DROPOUT, 2, (3, 4)), all_rows[[5, 5]])


def test_a_unit_has_its_numbers_in_any_width():
    wide = philox_uniform(np.arange(8), 13, Purpose.DROPOUT, 1, (0, 0))
    for d in range(1, 13):
        np.testing.assert_array_equal(philox_uniform(np.arange(8), d, Purpose.DROPOUT, 1, (0, 0)), wide[:, :d])


def test_the_type_of_the_rows_does_not_matter():
    expected = philox_uniform(np.arange(5), 4, Purpose.DROPOUT, 1, (0, 0))
    for dtype in (np.int32, np.uint8, np.uint64):
        np.testing.assert_array_equal(
            philox_uniform(np.arange(5, dtype=dtype), 4, Purpose.DROPOUT, 1, (0, 0)), expected
        )


def test_no_rows_and_no_units():
    assert philox_uniform(np.arange(0), 4, Purpose.DROPOUT, 1, (0, 0)).shape == (0, 4)
    assert philox_uniform(np.arange(4), 0, Purpose.DROPOUT, 1, (0, 0)).shape == (4, 0)


def test_purposes_layers_seeds_and_steps_share_no_number():
    """4 purposes, 3 layers, 4 seeds, 3 steps: any two of these 144 streams look unrelated."""
    seeds = (0, 1, 2**32, 2**63)
    streams = np.array([
        philox_uniform(np.arange(40), 8, purpose, layer, (seed, step)).ravel()
        for purpose, layer, seed, step in itertools.product(Purpose, (1, 2, 255), seeds, (0, 1, 2**31))
    ])  # fmt: skip
    centred = streams - streams.mean(axis=1, keepdims=True)
    correlations = np.corrcoef(centred) - np.eye(len(streams))
    assert np.abs(correlations).max() < 5 / np.sqrt(streams.shape[1])
    for one, other in itertools.combinations(streams, 2):
        assert np.mean(one == other) < 0.01
