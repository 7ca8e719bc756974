"""The loss surface: each height is the objective that a trace of the same parameters reports."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError, SpecificationError
from layerwise.reports.directions import filter_normalised

SURFACE = lw.LossSurfaceDisplay


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(30, 2))


@pytest.fixture
def y():
    return np.arange(30) % 3


@pytest.fixture
def net():
    return lw.Network(2, [4], 3, hidden="tanh")


@pytest.fixture
def theta(net, scattered):
    return scattered(net)


def moved(theta, directions, s, t):
    other = theta.copy()
    other.vector += s * directions[0] + t * directions[1]
    return other


@pytest.mark.parametrize("penalty", [None, lw.L2(0.1) + lw.L1(0.03)], ids=["loss", "penalty"])
@pytest.mark.parametrize("output", ["softmax", "identity", "sigmoid"])
def test_heights_are_the_objective(penalty, output, X, scattered, targets):
    net = lw.Network(2, [4, 3], 3, hidden="tanh", output=output, batch_norm=True)
    theta, y = scattered(net), targets(net, 30)
    display = SURFACE.from_network(net, theta, X, y, penalty=penalty, resolution=3, span=(-1, 2), seed=3)
    assert display.objective.shape == (3, 3)
    for i, t in enumerate(display.ticks[1]):
        for j, s in enumerate(display.ticks[0]):
            expected = net.trace(moved(theta, display.directions, s, t), X, y, penalty).objective
            assert display.objective[i, j] == pytest.approx(expected, rel=1e-10)
    assert display.label == ("loss" if penalty is None else "$J$")


def test_tied_weights_and_more_rows_than_a_piece(scattered):
    net = lw.Network(3, [2], 3, hidden="tanh", output="identity", tied=True)
    theta, X = scattered(net), np.random.default_rng(1).normal(size=(2500, 3))
    display = SURFACE.from_network(net, theta, X, X, penalty=lw.L2(0.1), resolution=2)
    expected = net.trace(moved(theta, display.directions, -1, 1), X, X, lw.L2(0.1)).objective
    assert display.objective[1, 0] == pytest.approx(expected, rel=1e-10)
    assert net.trace(theta, X, X).loss == net.trace(scattered(net), X, X).loss  # theta was left alone


def test_two_entries_of_theta(net, theta, X, y):
    display = SURFACE.from_network(net, theta, X, y, directions=(1, 9), span=0.5, resolution=5)
    assert display.names == ("$W^{(1)}_{1,2}$", "$b^{(1)}_{2}$")
    assert display.centre == (theta.W[1][0, 1], theta.b[1][1])
    np.testing.assert_allclose(display.ticks[0], theta.W[1][0, 1] + np.linspace(-0.5, 0.5, 5))
    theta.W[1][0, 1], theta.b[1][1] = display.ticks[0][4], display.ticks[1][0]
    assert display.objective[0, 4] == pytest.approx(net.trace(theta, X, y).loss, rel=1e-10)
    assert display.ax_.get_xlabel() == display.names[0]


def test_two_vectors(net, theta, X, y):
    u, v = np.random.default_rng(5).normal(size=(2, net.n_parameters))
    display = SURFACE.from_network(net, theta, X, y, directions=(u, v), resolution=3)
    np.testing.assert_array_equal(display.directions, [u, v])
    assert display.objective[2, 0] == pytest.approx(net.trace(moved(theta, (u, v), -1, 1), X, y).loss, rel=1e-10)


def test_random_directions_have_the_norms_of_theta(net, theta, X, y):
    display = SURFACE.from_network(net, theta, X, y, seed=2, resolution=2)
    for direction in display.directions:
        as_theta = lw.Parameters(net, direction)
        for k in (1, 2):
            np.testing.assert_allclose(
                np.linalg.norm(as_theta.W[k], axis=1), np.linalg.norm(theta.W[k], axis=1), rtol=1e-12
            )
            assert np.linalg.norm(as_theta.b[k]) == pytest.approx(np.linalg.norm(theta.b[k]))
    again = SURFACE.from_network(net, theta, X, y, seed=2, resolution=2)
    np.testing.assert_array_equal(again.directions, display.directions)
    other = SURFACE.from_network(net, theta, X, y, seed=3, resolution=2)
    assert np.abs(other.directions - display.directions).max() > 0.1
    theta.b[1][...] = 0.0
    assert (lw.Parameters(net, filter_normalised(net, theta, np.ones(net.n_parameters))).b[1] == 0).all()


def test_a_path_is_projected(net, theta, X, y):
    u, v = np.linalg.qr(np.random.default_rng(5).normal(size=(net.n_parameters, 2)))[0].T
    places = np.array([[2.0, 0.5], [1.0, -1.0], [0.5, 0.0], [0.0, 0.0]])
    aside = np.random.default_rng(6).normal(size=net.n_parameters)
    aside -= u * (u @ aside) + v * (v @ aside)
    path = [theta.vector + s * u + t * v + aside for s, t in places]
    display = SURFACE.from_network(net, theta, X, y, directions=(u, v), path=path, resolution=5)
    np.testing.assert_allclose(display.path, places, atol=1e-12)
    np.testing.assert_allclose(display.path_.get_xydata(), places, atol=1e-12)
    left, right = display.ax_.get_xlim()
    assert (left, right) == pytest.approx((-0.3, 2.3))
    of_parameters = SURFACE.from_network(
        net, theta, X, y, directions=(u, v), path=[lw.Parameters(net, vector) for vector in path], resolution=3
    )
    np.testing.assert_array_equal(of_parameters.path, display.path)


def test_directions_of_a_path(net, theta, X, y):
    """A path in a plane through theta lies wholly in the slice."""
    u, v = np.linalg.qr(np.random.default_rng(5).normal(size=(net.n_parameters, 2)))[0].T
    path = np.array([theta.vector + s * u + 0.2 * s * s * v for s in np.linspace(3, 0, 9)])
    display = SURFACE.from_network(net, theta, X, y, directions="path", path=path, resolution=3)
    np.testing.assert_allclose(display.path @ display.directions + theta.vector, path, atol=1e-12)
    np.testing.assert_allclose(display.directions @ display.directions.T, np.eye(2), atol=1e-12)


def test_what_is_not_finite_is_grey(X):
    net = lw.Network(1, [], 1, output="poisson")
    theta = net.initialize()
    rows = 1 + np.abs(X[:, :1])
    display = SURFACE.from_network(net, theta, rows, np.ones(30), directions=(0, 1), span=1500, resolution=9)
    unusable = ~np.isfinite(display.objective)
    assert 0 < unusable.sum() < 81
    assert f"grey: not finite ({unusable.mean():.0%})" in display.ax_.get_title()
    assert display.surface_ is not None
    display.png()
    nothing = SURFACE.from_network(net, theta, rows, np.ones(30), directions=(0, 1), span=(2000, 4000), resolution=3)
    assert nothing.surface_ is None
    assert "100%" in nothing.ax_.get_title()
    nothing.png()


def test_contours_by_factors_where_values_spread(net, theta, X, y):
    linear = SURFACE.from_network(net, theta, X, y, resolution=5, span=0.1)
    steps = np.diff(linear.surface_.levels)
    np.testing.assert_allclose(steps, steps[0])
    by_factors = linear.plot(log=True).surface_.levels
    np.testing.assert_allclose(by_factors[1:] / by_factors[:-1], by_factors[1] / by_factors[0])
    assert by_factors[-1] == linear.objective.max()
    wide = SURFACE.from_network(net, theta, X, y, resolution=9, span=300, directions=(0, 12))
    assert wide.objective.max() > 30 * wide.objective.min()
    assert wide.surface_.levels[2] / wide.surface_.levels[1] == pytest.approx(
        wide.surface_.levels[3] / wide.surface_.levels[2]
    )
    assert list(linear.plot(levels=[0.5, 1.0, 2.0], log=False).surface_.levels) == [0.5, 1.0, 2.0]


def test_a_surface_that_is_flat(X, y):
    net = lw.Network(2, [1], 3, hidden="relu")
    theta = net.initialize()
    theta.vector = 0.0
    theta.b[1][...] = -10.0  # the unit is dead
    display = SURFACE.from_network(net, theta, X, y, directions=(0, 1), resolution=3)
    assert np.ptp(display.objective) == 0
    display.plot(log=True).png()


def test_given_axes_and_plotting_again(net, theta, X, y):
    figure, axes = plt.subplots(1, 2)
    display = SURFACE.from_network(
        net, theta, X, y, ax=axes[0], resolution=3, colorbar=False, title="mine", cmap="magma"
    )
    assert display.figure_ is figure
    assert not axes[0].child_axes
    assert axes[0].get_title() == "mine"
    assert display.surface_.get_cmap().name == "magma"
    assert display.theta_.get_xydata().tolist() == [[0.0, 0.0]]
    assert display.plot(axes[1]).ax_ is axes[1]


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (InputError, {"directions": "up"}, ("directions", '"random", "path"', "'up'")),
        (InputError, {"directions": (0, 1, 2)}, ("directions", "(0, 1, 2)")),
        (InputError, {"directions": [[1.0], [2.0]]}, ("directions", "27 numbers", "(1,)")),
        (InputError, {"directions": np.ones((2, 27))}, ("directions", "neither a multiple")),
        (SpecificationError, {"directions": (0, 27)}, ("directions", "from 0 to 26")),
        (SpecificationError, {"directions": (0, 0)}, ("directions", "different")),
        (SpecificationError, {"directions": "path"}, ("directions", "path=")),
        (InputError, {"path": [np.zeros(3)]}, ("path", "27 numbers", "(3,)")),
        (InputError, {"path": []}, ("path", "none")),
        (InputError, {"path": [np.full(27, np.nan)]}, ("path", "vector 0")),
        (InputError, {"path": [np.zeros(27)], "directions": "path"}, ("path", "straight line")),
        (SpecificationError, {"span": 0}, ("span", "above 0")),
        (SpecificationError, {"span": (1, 0)}, ("span", "low < high")),
        (SpecificationError, {"span": 1e300}, ("span", "1e+300")),
        (SpecificationError, {"span": "wide"}, ("span", "'wide'")),
        (SpecificationError, {"resolution": 1}, ("resolution",)),
        (SpecificationError, {"seed": -1}, ("seed",)),
        (SpecificationError, {"penalty": 0.1}, ("penalty", "0.1")),
        (SpecificationError, {"levels": 1}, ("levels",)),
    ],
)
def test_what_cannot_be(net, theta, X, y, refuses, kind, options, words):
    with refuses(kind, *words):
        SURFACE.from_network(net, theta, X, y, **options)


def test_parameters_that_are_not_finite_or_too_large(net, theta, X, y, refuses):
    theta.vector[3] = 1e200
    with refuses(SpecificationError, "span", "0.05 beside 1e+200"):
        SURFACE.from_network(net, theta, X, y, directions=(3, 4))
    SURFACE.from_network(net, theta, X, y, resolution=3).png()
    theta.vector[3] = np.nan
    with refuses(InputError, "theta.vector", "nan in row 3"):
        SURFACE.from_network(net, theta, X, y)


def test_factors_of_what_is_negative(refuses):
    net = lw.Network(1, [], 2, output="gaussian")
    theta = net.initialize()
    theta.vector = [0.0, 0.0, 0.0, -5.0]
    with refuses(SpecificationError, "log", "above 0"):
        SURFACE.from_network(net, theta, [[1.0]], [0.0], log=True)


def test_without_matplotlib(net, theta, X, y, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        SURFACE.from_network(net, theta, X, y, resolution=3)
