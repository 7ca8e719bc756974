"""The affine step and dropout: values by hand, gradients against differences, masks against their probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.ops import NumpyOps, Purpose
from layerwise.rules.affine import affine_backward, affine_forward, affine_input_backward
from layerwise.rules.dropout import dropout_backward, dropout_forward, dropout_mask

OPS = NumpyOps()


# --- a = b + W h ------------------------------------------------------------------------------------------------------


def test_affine_by_hand():
    W, b = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0.5, 0.25, -1.0])
    h = np.array([[1.0, -1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(affine_forward(OPS, W, b, h), [[-0.5, -0.75, -2.0], [4.5, 8.25, 11.0]])


def test_affine_gradients_by_hand():
    W, h = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, -1.0], [0.0, 2.0]])
    grad_a = np.array([[1.0, 0.0], [10.0, 1.0]])
    grad_W, grad_b = affine_backward(OPS, h, grad_a)
    np.testing.assert_array_equal(grad_W, [[1, 19], [0, 2]])
    np.testing.assert_array_equal(grad_b, [11, 1])
    np.testing.assert_array_equal(affine_input_backward(OPS, W, grad_a), [[1, 2], [13, 24]])


@pytest.mark.parametrize(("n", "d_in", "d_out"), [(1, 1, 1), (1, 4, 3), (5, 3, 1), (5, 1, 4), (4, 3, 2)])
def test_affine_gradients_against_differences(rows, gradient, n, d_in, d_out):
    W, b, h, seed = rows(d_out, d_in), rows(d_out), rows(n, d_in), rows(n, d_out, seed=1)

    def objective(W, b, h):
        return np.sum(seed * affine_forward(OPS, W, b, h))

    grad_W, grad_b = affine_backward(OPS, h, seed)
    close = {"rtol": 1e-8, "atol": 1e-8}
    np.testing.assert_allclose(grad_W, gradient(lambda W: objective(W, b, h), W), **close)
    np.testing.assert_allclose(grad_b, gradient(lambda b: objective(W, b, h), b), **close)
    np.testing.assert_allclose(affine_input_backward(OPS, W, seed), gradient(lambda h: objective(W, b, h), h), **close)


def test_a_transposed_w_is_w_transposed(rows):
    W, b, h, grad_a = rows(4, 3), rows(3), rows(5, 4), rows(5, 3, seed=1)
    np.testing.assert_allclose(
        affine_forward(OPS, W, b, h, transposed=True), affine_forward(OPS, W.T, b, h), rtol=1e-13
    )
    grad_W, grad_b = affine_backward(OPS, h, grad_a, transposed=True)
    expected_W, expected_b = affine_backward(OPS, h, grad_a)
    np.testing.assert_allclose(grad_W, expected_W.T, rtol=1e-13)
    np.testing.assert_array_equal(grad_b, expected_b)
    np.testing.assert_allclose(
        affine_input_backward(OPS, W, grad_a, transposed=True), affine_input_backward(OPS, W.T, grad_a), rtol=1e-13
    )


# --- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_a_mask_drops_with_probability_p_and_keeps_the_mean(p, dtype):
    n, d = 2000, 100
    mask = dropout_mask(NumpyOps(dtype), np.arange(n), d, 1, (0, 0), p)
    assert mask.dtype == dtype
    assert mask.shape == (n, d)
    zeros = np.mean(mask == 0)
    deviation = np.sqrt(p * (1 - p) / mask.size)
    assert abs(zeros - p) < 4 * deviation
    np.testing.assert_allclose(mask[mask != 0], 1 / (1 - p), rtol=1e-6)
    assert abs(mask.mean(dtype=np.float64) - 1) < 4 * deviation / (1 - p)


def test_a_mask_is_fair_to_every_unit_and_row():
    dropped = dropout_mask(OPS, np.arange(1000), 1000, 1, (1, 0), 0.3) == 0
    deviation = np.sqrt(0.3 * 0.7 / 1000)
    for shares in (dropped.mean(axis=0), dropped.mean(axis=1)):
        assert np.abs(shares - 0.3).max() < 5 * deviation
        assert shares.std() == pytest.approx(deviation, rel=0.15)


def test_no_dropout_keeps_everything():
    np.testing.assert_array_equal(dropout_mask(OPS, np.arange(20), 30, 1, (0, 0), 0.0), np.ones((20, 30)))


def test_a_mask_compares_the_numbers_of_its_layer_seed_step_and_rows_with_p():
    rows_of_batch = np.array([12, 3, 40])
    u = OPS.uniform(rows_of_batch, 7, Purpose.DROPOUT, 2, (5, 6))
    mask = dropout_mask(OPS, rows_of_batch, 7, 2, (5, 6), 0.4)
    np.testing.assert_array_equal(mask == 0, u < 0.4)


def test_masks_differ_by_layer_seed_and_step_and_follow_their_rows():
    places = np.arange(50)
    masks = [
        dropout_mask(OPS, places, 40, k, key, 0.5) for k, key in [(1, (0, 0)), (2, (0, 0)), (1, (1, 0)), (1, (0, 1))]
    ]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            assert 0.4 < np.mean(one == other) < 0.6
    np.testing.assert_array_equal(dropout_mask(OPS, places[::-1], 40, 1, (0, 0), 0.5), masks[0][::-1])


def test_a_larger_p_drops_more_of_the_same_units():
    few, many = (dropout_mask(OPS, np.arange(100), 50, 1, (0, 0), p) == 0 for p in (0.2, 0.6))
    assert np.all(many[few])
    assert many.sum() > few.sum()


def test_dropout_multiplies_forward_and_backward(rows, gradient):
    h, seed, mask = rows(6, 5), rows(6, 5, seed=1), dropout_mask(OPS, np.arange(6), 5, 1, (0, 0), 0.5)
    assert 0 < np.mean(mask == 0) < 1
    np.testing.assert_array_equal(dropout_forward(OPS, mask, h), mask * h)
    numeric = gradient(lambda h: np.sum(seed * dropout_forward(OPS, mask, h)), h)
    np.testing.assert_allclose(dropout_backward(OPS, mask, seed), numeric, rtol=1e-8, atol=1e-9)
