"""Separability: known cases, the widest margin against scikit-learn's, and softmax regression where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures
from sklearn.svm import SVC

import layerwise as lw
from layerwise.errors import InputError

separability = lw.analysis.separability
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def squares(X):
    return np.column_stack([X, (X**2).sum(axis=1)])


def product(X):
    return np.column_stack([X, X[:, 0] * X[:, 1]])


@pytest.mark.parametrize(
    ("draw", "feature", "expected"),
    [
        (lw.analysis.xor, lambda X: X, False), (lw.analysis.xor, product, True), (lw.analysis.xor, squares, False),
        (lw.analysis.circles, lambda X: X, False), (lw.analysis.circles, squares, True),
        (lw.analysis.circles, product, False), (lw.analysis.spirals, lambda X: X, False),
        (lw.analysis.spirals, squares, False), (lw.analysis.moons, lambda X: X, False),
    ],
)  # fmt: skip
def test_what_a_feature_does(draw, feature, expected):
    X, y = draw(200)
    found = separability(feature(X), y)
    assert found.separable is expected
    assert (found.accuracy == 1.0) is expected
    assert (found.margin > 0) is expected


def test_features_of_scikit_learn():
    X, y = lw.analysis.moons(150, seed=2)
    degrees = [separability(PolynomialFeatures(degree).fit_transform(X), y).separable for degree in (1, 2, 3, 5)]
    assert degrees == [False, False, True, True]


def test_a_bump_at_every_point_separates_the_spirals():
    X, y = lw.analysis.spirals(60)
    distance = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    found = separability(np.exp(-distance / 0.02), y)
    assert found.separable
    assert found.accuracy == 1.0


@pytest.mark.parametrize(
    ("y", "expected"), [([0, 0, 0, 1], True), ([0, 1, 1, 1], True), ([0, 1, 1, 0], False), ([1, 0, 0, 1], False)]
)
def test_boolean_functions(y, expected):
    assert separability(CORNERS, y).separable is expected


def test_the_margin_of_two_points_is_half_their_distance():
    found = separability([[0.0], [10.0]], [0, 1])
    assert found.margin == pytest.approx(1.0)  # standardised they are at -1 and 1
    assert found.w * 5 + found.b == pytest.approx(0.0, abs=1e-6)
    assert found.w[0] > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_margin_is_the_widest(seed):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(150, 3)) * [1e-3, 1.0, 1e3]
    a = X @ [1e3, 1.0, 1e-3]
    X, y = X[np.abs(a) > 0.1], (a[np.abs(a) > 0.1] > 0).astype(int)
    found = separability(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    peer = SVC(kernel="linear", C=1e9, tol=1e-9).fit(Z, y)
    assert found.margin == pytest.approx(1 / np.linalg.norm(peer.coef_), rel=1e-4)
    np.testing.assert_array_equal(X @ found.w + found.b > 0, y == 1)


@pytest.mark.parametrize("margin", [1e-2, 1e-4, 1e-6])
def test_narrow_gaps_are_found(margin):
    X = np.linspace(-1, 1, 40)[:, None]
    X[19], X[20] = -margin, margin
    y = (X[:, 0] > 0).astype(int)
    found = separability(X, y)
    assert found.separable
    assert found.margin == pytest.approx(margin / X.std(), rel=1e-3)
    y[[19, 20]] = y[[20, 19]]
    assert not separability(X, y).separable


def test_one_row_in_two_classes():
    assert not separability([[0.0], [1.0], [1.0]], [0, 0, 1]).separable


def test_more_classes():
    wine, cultivar = load_wine(return_X_y=True)
    found = separability(wine, cultivar)
    assert found.separable
    assert found.w.shape == (3, 13)
    np.testing.assert_array_equal((wine @ found.w.T + found.b).argmax(axis=1), cultivar)
    Z, scale = (wine - wine.mean(axis=0)) / wine.std(axis=0), wine.std(axis=0)
    a, w = Z @ (found.w * scale).T + found.b + found.w @ wine.mean(axis=0), found.w * scale
    distances = [
        (a[i, y] - a[i, c]) / np.linalg.norm(w[y] - w[c]) for i, y in enumerate(cultivar) for c in range(3) if c != y
    ]
    assert found.margin == pytest.approx(min(distances))
    iris, species = load_iris(return_X_y=True)
    assert not separability(iris, species).separable
    assert separability(iris, species).accuracy >= 0.97


def test_three_classes_on_a_line_need_no_pairwise_gap():
    found = separability([[0.0], [1.0], [2.0]], [0, 1, 2])
    assert found.separable  # the middle one has the largest function between the two others
    assert separability([[0.0], [1.0], [2.0]], [1, 0, 1]).separable is False


def test_softmax_regression_reaches_the_minimum():
    X, y = lw.analysis.moons(200, seed=1)
    found = lw.analysis.softmax_regression(X, y, penalty=1e-3)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    # One function where softmax has two: the same minimum for w_1 - w_0 with half the penalty on it.
    peer = LogisticRegression(C=1 / (200 * 1e-3), tol=1e-10).fit(Z, y)
    np.testing.assert_allclose((found.w[1] - found.w[0]) * X.std(axis=0), peer.coef_[0], rtol=1e-2)
    assert found.accuracy(X, y) == pytest.approx(peer.score(Z, y), abs=0.011)


def test_a_constant_column_is_no_matter():
    X, y = lw.analysis.xor(40, noise=0.1)
    assert separability(np.column_stack([np.full(40, 7.0), product(X)]), y).separable


@pytest.mark.parametrize(
    ("Phi", "y", "word"),
    [
        ([1.0, 2.0], [0, 1], "Phi"), ([[1.0], [2.0]], [0, 0], "y"), ([[1.0], [2.0]], [0], "y"),
        ([[1.0], [2.0]], [0.5, 1], "y"), ([[1.0], [float("nan")]], [0, 1], "Phi"), ([["a"], ["b"]], [0, 1], "Phi"),
        ([[1.0], [2.0]], [-1, 1], "y"),
    ],
)  # fmt: skip
def test_bad_arrays(Phi, y, word, refuses):
    with refuses(InputError, word):
        separability(Phi, y)


def test_the_view_along_the_boundary(refuses):
    X, y = lw.analysis.moons(100, noise=0.05)
    Phi = np.column_stack([X, X**2, X[:, 0] ** 3, 100 * X[:, 1]])
    found = lw.analysis.separability(Phi, y)
    across, along = found.view(Phi).T
    assert ((across > 0) == y).all()
    assert np.abs(across).min() == pytest.approx(found.margin)
    assert along.std() > 0.1
    with refuses(InputError, "Phi", "2 features"):
        found.view(X)


@pytest.mark.parametrize("order", [8, 10])
def test_features_of_high_order_that_nearly_separate(order):
    X, y = lw.analysis.circles(200, noise=0.3)
    assert not lw.analysis.separability(PolynomialFeatures(order, include_bias=False).fit_transform(X), y).separable


def test_least_squares_answers_where_the_simplex_method_gives_up(monkeypatch):
    X, y = lw.analysis.xor(100, noise=0.1)
    expected = separability(product(X), y)
    gave_up = SimpleNamespace(status=4)
    monkeypatch.setattr(sys.modules["layerwise.analysis.separability"], "linprog", lambda *_, **__: gave_up)
    assert separability(product(X), y).margin == pytest.approx(expected.margin)
    assert not separability(X, y).separable
