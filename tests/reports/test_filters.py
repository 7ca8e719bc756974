"""Filters: each image holds the weights of its unit, in one scale."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, LayerIndexError, MissingExtraError, SpecificationError


@pytest.fixture
def W():
    return np.random.default_rng(0).normal(size=(12, 64))


def places(display):
    """Left, right, bottom and top of each image."""
    return np.array([image.get_extent() for image in display.images_])


def numbers(display):
    return [int(text.get_text()) for text in display.ax_.texts]


def test_each_image_holds_the_weights_of_its_unit(W):
    display = lw.FilterDisplay.from_weights(W)
    assert len(display.images_) == 12
    for unit, image in enumerate(display.images_):
        np.testing.assert_array_equal(image.get_array(), W[unit].reshape(8, 8))
        assert image.get_interpolation() == "nearest"
    assert numbers(display) == list(range(12))
    assert display.ax_.get_title() == "$W^{(1)}$, one image for each unit"


def test_images_stand_row_by_row_and_do_not_overlap(W):
    display = lw.FilterDisplay.from_weights(W[:10], n_columns=4)
    extents = places(display)
    assert len(np.unique(extents[:, 0])) == 4
    lefts, tops = extents[:, 0].reshape(-1)[:4], extents[::4, 3]
    assert (np.diff(lefts) > 8).all()
    assert (np.diff(tops) > 8).all()  # the axis points down: the first row is above the second
    assert display.ax_.get_ylim()[0] > display.ax_.get_ylim()[1]
    np.testing.assert_array_equal(extents[4:8, 0], lefts)
    np.testing.assert_array_equal(extents[:, 1] - extents[:, 0], 8)
    np.testing.assert_array_equal(extents[:, 2] - extents[:, 3], 8)
    left, right = display.ax_.get_xlim()
    bottom, top = display.ax_.get_ylim()
    assert left < extents[:, 0].min() < extents[:, 1].max() < right
    assert top < extents[:, 3].min() < extents[:, 2].max() < bottom


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 2), (4, 2), (9, 3), (100, 10)])
def test_the_picture_is_about_square(n, columns):
    display = lw.FilterDisplay.from_weights(np.ones((n, 64)))
    assert len(np.unique(places(display)[:, 0])) == columns


def test_one_scale_that_is_symmetric_around_zero(W):
    W[7, 20] = -9.0
    display = lw.FilterDisplay.from_weights(W)
    assert {image.get_clim() for image in display.images_} == {(-9.0, 9.0)}
    cmap = display.images_[0].get_cmap()
    assert cmap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.02)  # 0 is white
    low, high = cmap(0.0), cmap(1.0)
    assert low[2] > low[0]  # blue below
    assert high[0] > high[2]  # vermilion above
    others = lw.FilterDisplay.from_weights(W, units=[0, 1])
    assert others.images_[0].get_clim()[1] == np.abs(W[:2]).max()
    chosen = lw.FilterDisplay.from_weights(W, limit=0.5, cmap="RdBu")
    assert chosen.images_[3].get_clim() == (-0.5, 0.5)
    assert chosen.images_[3].get_cmap().name == "RdBu"


@pytest.mark.parametrize(("value", "limit"), [(0.25, 0.25), (-2.0, 2.0), (0.0, 1.0)])
def test_constant_weights(value, limit):
    display = lw.FilterDisplay.from_weights(np.full((3, 4), value))
    assert display.images_[0].get_clim() == (-limit, limit)
    display.png()


def test_sorted_by_norm(W):
    display = lw.FilterDisplay.from_weights(W, sort=True)
    norms = np.linalg.norm(W, axis=1)
    assert sorted(display.units) == list(range(12))
    assert (np.diff(norms[display.units]) <= 0).all()
    np.testing.assert_array_equal(display.images_[0].get_array(), W[norms.argmax()].reshape(8, 8))
    assert numbers(display) == display.units.tolist()
    assert "largest norms first" in display.ax_.get_title()
    ties = lw.FilterDisplay.from_weights(np.ones((5, 4)), sort=True)
    assert ties.units.tolist() == [0, 1, 2, 3, 4]


def test_more_units_than_fit(W):
    display = lw.FilterDisplay.from_weights(np.tile(W, (20, 1)), max_units=30)
    assert display.units.tolist() == list(range(30))
    assert display.ax_.get_title().endswith("\n30 of 240 units")
    largest = lw.FilterDisplay.from_weights(np.arange(1.0, 301.0)[:, None], sort=True)
    assert largest.units.tolist() == list(range(299, 199, -1))
    assert largest.ax_.get_title().endswith("\nlargest norms first, 100 of 300 units")
    named = lw.FilterDisplay.from_weights(W, units=range(12), max_units=2)
    assert len(named.images_) == 12  # who names them wants them


def test_units_by_name(W):
    assert lw.FilterDisplay.from_weights(W, units=[3, 1, 3]).units.tolist() == [3, 1, 3]
    assert lw.FilterDisplay.from_weights(W, units=5).units.tolist() == [5]
    assert lw.FilterDisplay.from_weights(W, units=np.array([2, 0])).units.tolist() == [2, 0]


def test_one_unit_one_feature():
    display = lw.FilterDisplay.from_weights([0.5])
    assert display.images_[0].get_array().shape == (1, 1)
    display.png()


def test_shapes():
    W = np.arange(24.0).reshape(2, 12)
    display = lw.FilterDisplay.from_weights(W, (3, 4))
    np.testing.assert_array_equal(display.images_[1].get_array(), W[1].reshape(3, 4))
    rows = lw.FilterDisplay.from_weights(W, (1, 12))
    assert len(np.unique(places(rows)[:, 0])) == 1  # one above the other
    rows.png()


def test_weights_that_are_not_finite(W):
    W[3, 5], W[4, 6] = np.nan, np.inf
    display = lw.FilterDisplay.from_weights(W, sort=True)
    assert display.units[:1].tolist() == [4]
    assert display.units[-1] == 3
    shown = {unit: image.get_array() for unit, image in zip(display.units.tolist(), display.images_, strict=True)}
    assert shown[3].mask.sum() == shown[4].mask.sum() == 1
    assert shown[3].mask[0, 5]
    assert display.images_[0].get_clim()[1] == np.abs(W[np.isfinite(W)]).max()
    assert display.ax_.get_title().endswith("2 weights not finite (grey)")
    display.png()
    nothing = lw.FilterDisplay.from_weights(np.full((2, 4), np.nan))
    assert nothing.images_[0].get_clim() == (-1.0, 1.0)


def test_of_a_network_and_of_an_estimator(scattered):
    net = lw.Network(6, [4], 3)
    theta = scattered(net)
    estimator = SimpleNamespace(coefs_=[theta.W[1].T, theta.W[2].T])
    for layer, shape in ((1, (2, 3)), (2, None)):
        displays = (
            lw.FilterDisplay.from_network(net, theta, layer=layer, shape=shape),
            lw.FilterDisplay.from_estimator(estimator, layer=layer, shape=shape),
        )
        for display in displays:
            assert len(display.images_) == (4, 3)[layer - 1]
            for unit, image in enumerate(display.images_):
                np.testing.assert_array_equal(image.get_array().ravel(), theta.W[layer][unit])
            assert display.ax_.child_axes[0].get_ylabel() == f"$W^{{({layer})}}$"
    column = lw.FilterDisplay.from_estimator(estimator, shape=(2, 3), units=[2, 0, 1], n_columns=1, sort=False)
    assert column.units.tolist() == [2, 0, 1]
    assert (np.diff(places(column)[:, 3]) > 2).all()


def test_what_scikit_learn_keeps():
    from sklearn.neural_network import MLPClassifier

    X = np.random.default_rng(0).normal(size=(30, 9))
    model = MLPClassifier((5,), solver="lbfgs", max_iter=500, random_state=0).fit(X, X[:, 0] > 0)
    display = lw.FilterDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.images_[2].get_array(), model.coefs_[0][:, 2].reshape(3, 3))


def test_given_axes_and_options(W):
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    display = lw.FilterDisplay.from_weights(W, ax=axes[0], colorbar=False, numbers=False, title="mine")
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert not axes[0].child_axes
    assert not axes[0].texts
    assert axes[0].get_title() == "mine"
    assert display.plot(axes[1]).ax_ is axes[1]
    assert len(display.images_) == 12


def test_numbers_where_they_can_be_read(W):
    small = plt.figure(figsize=(1, 1)).add_subplot()
    assert not lw.FilterDisplay.from_weights(W, ax=small).ax_.texts
    small.clear()
    assert len(lw.FilterDisplay.from_weights(W, ax=small, numbers=True).ax_.texts) == 12
    assert not lw.FilterDisplay.from_weights(np.ones((900, 4)), max_units=900).ax_.texts


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (InputError, {"shape": (7, 9)}, ("shape", "64 pixels", "(7, 9)", "square")),
        (InputError, {"shape": 8}, ("shape", "got 8")),
        (InputError, {"shape": (8.0, 8.0)}, ("shape", "(8.0, 8.0)")),
        (InputError, {"shape": (-8, -8)}, ("shape", "(-8, -8)")),
        (SpecificationError, {"units": [12]}, ("units", "from 0 to 11", "12")),
        (SpecificationError, {"units": -1}, ("units", "-1")),
        (SpecificationError, {"units": []}, ("units", "at least one")),
        (SpecificationError, {"max_units": 0}, ("max_units",)),
        (SpecificationError, {"n_columns": 0}, ("n_columns",)),
        (SpecificationError, {"limit": -1.0}, ("limit",)),
    ],
)
def test_what_cannot_be(W, refuses, kind, options, words):
    with refuses(kind, *words):
        lw.FilterDisplay.from_weights(W, **options)


@pytest.mark.parametrize("weights", [np.zeros((2, 2, 2)), np.zeros((0, 4)), [["a"]]])
def test_weights_that_are_no_matrix(weights, refuses):
    with refuses(InputError, "W: ", "one row for each unit"):
        lw.FilterDisplay.from_weights(weights)


def test_no_square_and_no_shape(refuses):
    with refuses(InputError, "shape", "12 weights", "shape=(rows, columns), such as (1, 12)"):
        lw.FilterDisplay.from_weights(np.zeros((2, 12)))


def test_layers_that_there_are_not(refuses, scattered):
    net = lw.Network(4, [3], 2)
    with refuses(LayerIndexError, "layer", "from 1 to 2", "3"):
        lw.FilterDisplay.from_network(net, scattered(net), layer=3)
    with refuses(LayerIndexError, "layer", "the only one", "0"):
        lw.FilterDisplay.from_estimator(SimpleNamespace(coefs_=[np.zeros((4, 3))]), layer=0)


def test_not_fitted(refuses):
    with refuses(InputError, "estimator", "coefs_", "SimpleNamespace, not fitted"):
        lw.FilterDisplay.from_estimator(SimpleNamespace())


def test_without_matplotlib(W, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        lw.FilterDisplay.from_weights(W)
