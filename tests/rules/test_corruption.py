"""Masking noise and Gaussian noise on x: their distributions, and that they belong to rows of the data set."""

import numpy as np
import pytest
from scipy.stats import kstest

from layerwise.ops import NumpyOps
from layerwise.rules.corruption import input_mask, noise_forward, standard_normal

ROWS = np.arange(2000)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_mask_is_0_or_1(p, dtype):
    mask = input_mask(NumpyOps(dtype), ROWS, 50, (0, 0), p)
    assert mask.dtype == dtype
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert abs(np.mean(mask == 0) - p) < 4 * np.sqrt(p * (1 - p) / mask.size)


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_is_standard_normal(seed):
    noise = standard_normal(NumpyOps(), ROWS, 50, (seed, 3))
    assert kstest(noise.ravel(), "norm").pvalue > 0.01
    assert np.abs(noise).max() < 5.8
    neighbours = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(noise.size)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 4 / np.sqrt(noise.size)


def test_noise_follows_rows_seed_and_step():
    all_rows = standard_normal(NumpyOps(), ROWS, 7, (1, 2))
    some = np.array([4, 1999, 4])
    np.testing.assert_array_equal(standard_normal(NumpyOps(), some, 7, (1, 2)), all_rows[some])
    for other in ((2, 2), (1, 3)):
        assert (standard_normal(NumpyOps(), ROWS, 7, other) != all_rows).mean() > 0.99


def test_float32_is_near():
    wide, narrow = (standard_normal(NumpyOps(dtype), ROWS, 7, (1, 2)) for dtype in (np.float64, np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, atol=1e-5)


def test_strength():
    noise, x = np.array([[1.0, -2.0]]), np.array([[10.0, 10.0]])
    np.testing.assert_array_equal(noise_forward(NumpyOps(), noise, x, 0.5), [[10.5, 9.0]])
