"""Trace in mode "train": dropout masks by key and row, and batch normalisation, which ties the rows."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, LayerIndexError, SpecificationError
from layerwise.network import Layer, Network

DROPPED = Network(4, [Layer(6, "tanh", 0.5), Layer(5, "sigmoid", 0.25)], 3)
NORMALISED = Network(4, [Layer(5, "tanh", batch_norm=True), Layer(3, "softplus", 0.25, True)], 3)
X = np.random.default_rng(5).normal(size=(7, 4))
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def y(targets):
    return targets(DROPPED, 7)


def test_prediction_has_no_mask_and_is_the_default(scattered, y, refuses):
    theta = scattered(DROPPED)
    trace = DROPPED.trace(theta, X, y)
    assert trace.gradient.tobytes() == DROPPED.trace(theta, X, y, mode="predict", key=9).gradient.tobytes()
    with refuses(LayerIndexError, "mask:", "no such stage"):
        trace.mask[1]


def test_masks(scattered, y):
    trace = DROPPED.trace(scattered(DROPPED), X, y, mode="train", key=3)
    assert set(np.unique(trace.mask[1])) == {0.0, 2.0}
    assert set(np.unique(trace.mask[2])) == {0.0, 1 / 0.75}
    wide = Network(1, [Layer(4000, dropout=0.3)], 2)
    mask = wide.trace(wide.initialize(), X[:, :1], y % 2, mode="train").mask[1]
    assert abs((mask == 0).mean() - 0.3) < 0.01
    assert abs(mask.mean() - 1) < 0.01


def test_h_is_before_the_mask_and_the_next_layer_after_it(scattered, y):
    theta = scattered(DROPPED)
    trace = DROPPED.trace(theta, X, y, mode="train", key=3)
    np.testing.assert_allclose(trace.h[1], np.tanh(trace.a[1]), rtol=1e-13)
    np.testing.assert_allclose(trace.a[2], theta.b[2] + (trace.mask[1] * trace.h[1]) @ theta.W[2].T, rtol=1e-12)
    np.testing.assert_allclose(trace.grad_h[1], trace.mask[1] * (trace.grad_a[2] @ theta.W[2]), atol=1e-15)
    fed = trace.mask[2] * trace.h[2]
    np.testing.assert_allclose(trace.grad_W[3], trace.grad_a[3].T @ fed / 7, atol=1e-15)


def test_masks_follow_key_and_step(scattered, y):
    theta = scattered(DROPPED)
    masks = [
        DROPPED.trace(theta, X, y, mode="train", key=key).mask[1].tobytes()
        for key in (0, (0, 0), 1, (0, 1), (1, 1), np.int64(1))
    ]
    assert masks[0] == masks[1]  # an int is the seed, at step 0
    assert masks[2] == masks[5]
    assert len(set(masks)) == 4


def test_masks_differ_between_layers_and_rows(scattered, y):
    net = Network(4, [Layer(40, dropout=0.5), Layer(40, dropout=0.5)], 3)
    mask = net.trace(net.initialize(), X, y, mode="train").mask
    assert (mask[1] != mask[2]).any()
    assert len({row.tobytes() for row in mask[1]}) == 7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masks_belong_to_the_rows_of_the_data_set(dtype, scattered, y):
    theta = scattered(DROPPED, dtype=dtype)
    whole = DROPPED.trace(theta, X, y, mode="train", key=3)
    rows = np.array([5, 0, 6])
    part = DROPPED.trace(theta, X[rows], y[rows], mode="train", key=3, rows=rows)
    for k in (1, 2):
        assert (part.mask[k] == whole.mask[k][rows]).all()
    np.testing.assert_allclose(part.losses, whole.losses[rows], rtol=1e-5 if dtype == "float32" else 1e-13)
    unplaced = DROPPED.trace(theta, X[rows], y[rows], mode="train", key=3)
    assert (unplaced.mask[1] == whole.mask[1][:3]).all()


def loss_after_normalisation(net, theta, a1, y, w):
    """N times the mean loss as a function of all rows of a^(1), by a plain loop; no dropout."""
    a = a1
    for k in range(1, net.L + 1):
        z = theta.gamma[k] * (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + 1e-5) + theta.beta[k]
        h = np.tanh(z) if k == 1 else np.log1p(np.exp(z))
        a = theta.b[k + 1] + h @ theta.W[k + 1].T
    f = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    return float((w / w.mean() * -np.log(f[np.arange(len(y)), y])).sum())


@pytest.mark.parametrize("w", [np.ones(7), WEIGHTS], ids=["no weights", "weights"])
def test_tied_rows_have_gradients_of_n_times_the_mean_loss(w, scattered, y):
    net = Network(4, [Layer(5, "tanh", batch_norm=True), Layer(3, "softplus", batch_norm=True)], 3)
    theta = scattered(net)
    trace = net.trace(theta, X, y, mode="train", weights=w)
    assert 7 * trace.loss == pytest.approx(loss_after_normalisation(net, theta, trace.a[1], y, w), rel=1e-12)
    for t in range(7):
        for i in range(5):
            moved = [trace.a[1].copy(), trace.a[1].copy()]
            moved[0][t, i] += 1e-5
            moved[1][t, i] -= 1e-5
            above, below = (loss_after_normalisation(net, theta, a, y, w) for a in moved)
            assert trace.grad_a[1][t, i] == pytest.approx((above - below) / 2e-5, abs=1e-8)
    for k in (1, 2):  # the mean over rows of these gradients is the objective's; no weight is multiplied twice
        np.testing.assert_allclose(trace.grad_W[k], trace.grad_a[k].T @ trace.h[k - 1] / 7, atol=1e-14)
        np.testing.assert_allclose(trace.grad_beta[k], trace.grad_z[k].mean(axis=0), atol=1e-14)
        np.testing.assert_allclose(trace.grad_a[k].sum(axis=0), 0, atol=1e-13)
    e = np.eye(3)[y]
    np.testing.assert_allclose(trace.grad_a[3], (w / w.mean())[:, None] * (trace.f - e), atol=1e-15)


@pytest.mark.parametrize("w", [None, WEIGHTS], ids=["no weights", "weights"])
def test_prediction_ties_nothing(w, scattered, y):
    theta = scattered(NORMALISED)
    trace = NORMALISED.trace(theta, X, y, weights=w)
    share = (np.ones(7) / 7 if w is None else w / w.sum())[:, None]
    for t in range(7):
        alone = NORMALISED.trace(theta, X[t : t + 1], y[t : t + 1])
        np.testing.assert_allclose(trace.grad_a[1][t], alone.grad_a[1][0], atol=1e-15)
    slope = theta.gamma[1] / np.sqrt(theta.running_variance[1] + 1e-5)
    np.testing.assert_allclose(trace.grad_a[1], trace.grad_z[1] * slope, atol=1e-15)
    u = (trace.z[1] - theta.beta[1]) / theta.gamma[1]
    np.testing.assert_allclose(trace.grad_gamma[1], (share * trace.grad_z[1] * u).sum(axis=0), atol=1e-14)
    np.testing.assert_allclose(trace.grad_beta[1], (share * trace.grad_z[1]).sum(axis=0), atol=1e-14)


def test_quantities_name_every_stage(scattered, y):
    named = NORMALISED.trace(scattered(NORMALISED), X, y, mode="train").quantities()
    assert list(named) == [
        "h[0]", "a[1]", "z[1]", "h[1]", "a[2]", "z[2]", "h[2]", "mask[2]", "a[3]", "f", "losses", "loss", "penalty",
        "grad_f", "grad_a[3]", "grad_W[3]", "grad_b[3]", "grad_h[2]", "grad_z[2]", "grad_a[2]", "grad_W[2]",
        "grad_b[2]", "grad_gamma[2]", "grad_beta[2]", "grad_h[1]", "grad_z[1]", "grad_a[1]", "grad_W[1]", "grad_b[1]",
        "grad_gamma[1]", "grad_beta[1]", "grad_h[0]",
    ]  # fmt: skip


def test_gradient_includes_scales_and_shifts(scattered, y):
    trace = NORMALISED.trace(scattered(NORMALISED), X, y, lw.L2(0.1), mode="train")
    pieces = lw.Parameters(NORMALISED, trace.gradient)
    for name in ("W", "b", "gamma", "beta"):
        for k, piece in getattr(pieces, name).items():
            assert (piece == getattr(trace, f"grad_{name}")[k]).all()


def test_a_trace_moves_no_statistics(scattered, y):
    theta = scattered(NORMALISED)
    before = theta.vector.tobytes(), theta.statistics.tobytes()
    NORMALISED.trace(theta, X, y, mode="train", weights=WEIGHTS)
    assert (theta.vector.tobytes(), theta.statistics.tobytes()) == before


def test_one_row_has_no_variance(scattered, y, refuses):
    theta = scattered(NORMALISED)
    with refuses(InputError, "batch normalisation:", "two rows or more", "got 1", "larger batch"):
        NORMALISED.trace(theta, X[:1], y[:1], mode="train")
    assert np.isfinite(NORMALISED.trace(theta, X[:1], y[:1]).loss)


@pytest.mark.parametrize("mode", ["tarin", None, True])
def test_unknown_mode(mode, scattered, y, refuses):
    with refuses(SpecificationError, "mode:", '"predict" or "train"', repr(mode)):
        DROPPED.trace(scattered(DROPPED), X, y, mode=mode)


@pytest.mark.parametrize("rows", [[0, 1], np.arange(7.0), np.zeros((7, 1), int), 3])
def test_rows_that_do_not_fit(rows, scattered, y, refuses):
    with refuses(InputError, "rows:", "(7,) whole numbers", "position"):
        DROPPED.trace(scattered(DROPPED), X, y, mode="train", rows=rows)
