"""Initialisation: the scale of every row against its formula, and what Network.initialize draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from layerwise.network import Layer, Network
from layerwise.rules.initialisation import SYNONYMS, TABLE, Initialisation, constant, initialisation

DRAWN = [row for row in TABLE.values() if row.distribution != "constant"]
ROWS = pytest.mark.parametrize("row", DRAWN, ids=lambda row: row.name)
SIZES = pytest.mark.parametrize(("d_in", "d_out"), [(784, 100), (100, 10), (1, 1), (3, 200)])
#: Scales as their papers write them, of H_(k-1) = d_in and H_k = d_out.
FORMULAS = {
    "glorot_uniform": lambda d_in, d_out: math.sqrt(6) / math.sqrt(d_out + d_in),
    "glorot_normal": lambda d_in, d_out: math.sqrt(2 / (d_in + d_out)),
    "he_normal": lambda d_in, d_out: math.sqrt(2 / d_in),
    "he_uniform": lambda d_in, d_out: math.sqrt(6 / d_in),
    "lecun_normal": lambda d_in, d_out: 1 / math.sqrt(d_in),
    "lecun_uniform": lambda d_in, d_out: math.sqrt(3) / math.sqrt(d_in),
    "zeros": lambda d_in, d_out: 0.0,
}


@SIZES
@pytest.mark.parametrize("name", FORMULAS)
def test_scales(name, d_in, d_out):
    assert initialisation(name).scale(d_in, d_out) == pytest.approx(FORMULAS[name](d_in, d_out), rel=1e-15)


@ROWS
def test_drawn_weights_have_the_variance_and_bounds_of_their_row(row):
    W = Network(300, [400], 2, initialisation=row.name).initialize(seed=1).W[1]
    assert W.shape == (400, 300)
    variance = row.gain / (300 if row.fan == "in" else 350)
    assert W.var() == pytest.approx(variance, rel=0.02)
    assert abs(W.mean()) < 4 * math.sqrt(variance / W.size)
    scale = row.scale(300, 400)
    if row.distribution == "uniform":
        assert np.abs(W).max() <= scale
        assert np.abs(W).max() > 0.999 * scale
        assert stats.kstest(W.ravel(), "uniform", args=(-scale, 2 * scale)).pvalue > 1e-3
    else:
        assert stats.kstest(W.ravel(), "norm", args=(0, scale)).pvalue > 1e-3
        assert np.abs(W).max() > 3.5 * scale


@pytest.mark.parametrize("choice", [0.25, 1, -2, "zeros"])
def test_a_number_means_all_weights_equal(choice):
    theta = Network(3, [4], 2, initialisation=choice).initialize(seed=5)
    expected = 0.0 if choice == "zeros" else choice
    for W in theta.W.values():
        np.testing.assert_array_equal(W, np.full(W.shape, expected))


def test_constant_is_the_same_for_all_sizes():
    assert constant(0.5).scale(3, 7) == constant(0.5).scale(100, 1) == 0.5
    assert initialisation(0.5) == constant(0.5)


@ROWS
def test_biases_and_the_rest_of_theta_are_not_drawn(row):
    theta = Network(3, [4, 5], 2, initialisation=row.name, batch_norm=True).initialize(seed=3)
    for k in (1, 2):
        np.testing.assert_array_equal(theta.gamma[k], np.ones(theta.gamma[k].shape))
        np.testing.assert_array_equal(theta.beta[k], np.zeros(theta.beta[k].shape))
        np.testing.assert_array_equal(theta.running_mean[k], np.zeros(theta.running_mean[k].shape))
        np.testing.assert_array_equal(theta.running_variance[k], np.ones(theta.running_variance[k].shape))
    for b in theta.b.values():
        np.testing.assert_array_equal(b, np.zeros(b.shape))
    assert all(np.all(W != 0) for W in theta.W.values())


@ROWS
def test_the_same_seed_gives_the_same_bits(row):
    net = Network(20, [30, 30], 5, initialisation=row.name)
    assert net.initialize(seed=7).vector.tobytes() == net.initialize(seed=7).vector.tobytes()
    assert net.initialize(seed=7).vector.tobytes() != net.initialize(seed=8).vector.tobytes()
    assert net.initialize(seed=0).vector.tobytes() == net.initialize().vector.tobytes()


@ROWS
def test_layers_draw_numbers_of_their_own(row):
    theta = Network(30, [30, 30], 30, initialisation=row.name).initialize(seed=7)
    flat = [W.ravel() for W in theta.W.values()]
    for i, one in enumerate(flat):
        for other in flat[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(one.size)


@ROWS
def test_a_deeper_network_starts_like_a_shallow_one(row):
    """A layer's numbers depend on its own place and size only."""
    shallow = Network(6, [5, 4], 3, initialisation=row.name).initialize(seed=2)
    deep = Network(6, [5, 4, 4], 3, initialisation=row.name).initialize(seed=2)
    np.testing.assert_array_equal(deep.W[1], shallow.W[1])
    np.testing.assert_array_equal(deep.W[2], shallow.W[2])


@ROWS
def test_float32_is_float64_rounded(row):
    net = Network(20, [30], 5, initialisation=row.name)
    narrow, wide = net.initialize(seed=7, dtype=np.float32), net.initialize(seed=7)
    assert narrow.vector.dtype == np.float32
    np.testing.assert_array_equal(narrow.vector, wide.vector.astype(np.float32))


def test_a_layer_may_have_its_own_row():
    net = Network(
        10, [Layer(20, initialisation="he_uniform"), Layer(20, initialisation=0.5)], 2, initialisation="zeros"
    )
    theta = net.initialize(seed=1)
    assert 0.99 * math.sqrt(6 / 10) < np.abs(theta.W[1]).max() <= math.sqrt(6 / 10)
    assert np.all(theta.W[2] == 0.5)
    assert np.all(theta.W[3] == 0)


# --- choosing one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_a_name_stands_for_its_row(name):
    assert initialisation(name) is initialisation(name.upper()) is initialisation(TABLE[name]) is TABLE[name]


@pytest.mark.parametrize(("other", "name"), SYNONYMS.items())
def test_synonyms(other, name):
    assert initialisation(other) is TABLE[name]


@pytest.mark.parametrize("choice", ["xavier_glorot", "", None, True, [1]])
def test_an_unknown_name_lists_all(refused, choice):
    refused(lambda: initialisation(choice), repr(choice), *TABLE)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_constant_must_be_finite(refused, value):
    refused(lambda: initialisation(value), repr(value))


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(2)])
def test_numbers_of_numpy_are_numbers(value):
    assert initialisation(value) == Initialisation("constant", "constant", float(value))
