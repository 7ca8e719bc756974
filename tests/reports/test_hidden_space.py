"""The space of a hidden layer: points and lines lie where h^(k) takes them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import layerwise as lw
from layerwise.errors import InputError, LayerIndexError, MissingExtraError, SpecificationError
from layerwise.reports.hidden_space import principal_components
from layerwise.reports.points import COLOURS


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(40, 2))


@pytest.fixture
def net():
    return lw.Network(2, [5, 2], 3, hidden="tanh")


@pytest.fixture
def theta(net, scattered):
    return scattered(net)


def h_of(net, theta, X, k):
    """h^(k), written out."""
    h = np.asarray(X, dtype=np.float64)
    for j in range(1, k + 1):
        h = np.tanh(h @ theta.W[j].T + theta.b[j])
    return h


def test_points_lie_where_the_layer_takes_them(net, theta, X):
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X, np.arange(40) % 3)
    assert display.layer == 2
    np.testing.assert_allclose(display.places, h_of(net, theta, X, 2), atol=1e-12)
    for c, points in enumerate(display.points_):
        np.testing.assert_allclose(points.get_offsets(), display.places[c::3])
        assert tuple(points.get_facecolor()[0][:3]) == to_rgb(COLOURS[c])
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[:3] == ["class 0", "class 1", "class 2"]
    assert display.ax_.get_xlabel() == "$h^{(2)}_{1}$"


def test_lines_are_the_grid_where_the_layer_takes_it(net, theta, X):
    flat = lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=0, lines=5, limits=[(-2, 2), (-1, 3)])
    assert len(flat.lines) == 10
    for line, value in zip(flat.lines, np.linspace(-2, 2, 5), strict=False):
        np.testing.assert_allclose(line[:, 0], value)
        assert (line[0, 1], line[-1, 1]) == (-1, 3)
    for line, value in zip(flat.lines[5:], np.linspace(-1, 3, 5), strict=True):
        np.testing.assert_allclose(line[:, 1], value)
    warped = lw.HiddenSpaceDisplay.from_network(net, theta, X, lines=5, limits=[(-2, 2), (-1, 3)])
    for straight, bent in zip(flat.lines, warped.lines, strict=True):
        np.testing.assert_allclose(bent, h_of(net, theta, straight, 2), atol=1e-12)
    drawn = [path.vertices for part in warped.grid_ for path in part.get_paths()]
    np.testing.assert_allclose(drawn, warped.lines)
    assert flat.ax_.get_title() == "the inputs $x$"
    np.testing.assert_array_equal(flat.places, X)


def test_a_wide_layer_is_projected_to_principal_components(net, theta, X):
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=1)
    h = h_of(net, theta, X, 1)
    centred = h - h.mean(axis=0)
    _, s, vt = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ vt[:2].T
    signs = np.sign((expected * display.places).sum(axis=0))
    np.testing.assert_allclose(display.places, expected * signs, atol=1e-10)
    np.testing.assert_allclose(display.shares, (s**2 / (s**2).sum())[:2])
    assert f"{100 * display.shares[0]:.0f} % + " in display.ax_.get_title()
    assert display.decision is None
    straight = lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=0).lines[3]
    bent = (h_of(net, theta, straight, 1) - h.mean(axis=0)) @ vt[:2].T * signs
    np.testing.assert_allclose(display.lines[3], bent, atol=1e-10)


def test_principal_components_of_what_does_not_vary():
    _, axes, shares = principal_components(np.ones((4, 3)))
    assert shares == (0.0, 0.0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)


def test_values_whose_squares_are_too_large():
    _, axes, shares = principal_components(1e200 * np.array([[0.0, 0.0, 5.0], [3.0, 4.0, 5.0]]))
    np.testing.assert_allclose(axes[:, 0], [0.6, 0.8, 0.0], atol=1e-12)
    assert shares[0] == pytest.approx(1.0)


def test_two_units_instead(net, theta, X):
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=1, units=(3, 0))
    np.testing.assert_allclose(display.places, h_of(net, theta, X, 1)[:, [3, 0]], atol=1e-12)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("$h^{(1)}_{4}$", "$h^{(1)}_{1}$")
    assert display.shares is None


@pytest.mark.parametrize(
    ("outputs", "output"), [(2, "softmax"), (3, "softmax"), (1, "sigmoid")], ids=["two", "three", "label"]
)
def test_the_decision_is_straight_and_right(outputs, output, X, scattered):
    net = lw.Network(2, [2], outputs, hidden="tanh", output=output)
    theta = scattered(net)
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X)
    W, b = theta.W[2], theta.b[2]
    assert display.boundaries_
    for contours in display.boundaries_:
        points = contours.get_paths()[0].vertices
        a = points @ W.T + b
        top = np.sort(a, axis=1)[:, ::-1]
        difference = a[:, 0] if output == "sigmoid" else top[:, 0] - top[:, 1]
        assert np.abs(difference).max() < 0.02 * (np.abs(W).max() + 1)
    assert not lw.HiddenSpaceDisplay.from_network(net, theta, X, boundary=False).boundaries_


def test_only_the_last_layer_has_a_decision(X, scattered):
    net = lw.Network(2, [2, 2], 2, hidden="tanh")
    assert lw.HiddenSpaceDisplay.from_network(net, scattered(net), X, layer=1).decision is None
    numbers = lw.Network(2, [2], 2, output="identity")
    assert lw.HiddenSpaceDisplay.from_network(numbers, scattered(numbers), X).decision is None


def test_more_inputs_show_points_only(scattered):
    net = lw.Network(4, [2], 2, hidden="tanh")
    theta = scattered(net)
    X = np.random.default_rng(1).normal(size=(10, 4))
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X)
    assert display.lines == display.grid_ == []
    np.testing.assert_allclose(display.places, h_of(net, theta, X, 1), atol=1e-12)
    assert lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=0).shares is not None


def test_one_unit_gets_a_strip_for_each_class(X, scattered):
    net = lw.Network(2, [1], 2, hidden="tanh")
    display = lw.HiddenSpaceDisplay.from_network(net, scattered(net), X, np.arange(40) % 2)
    assert display.places.shape == (40, 1)
    for c, points in enumerate(display.points_):
        offsets = points.get_offsets()
        np.testing.assert_allclose(offsets[:, 0], display.places[c::2, 0])
        assert (offsets[:, 1] == c).all()
    assert display.grid_ == []
    display.png()


def test_what_y_can_be(net, theta, X):
    words = np.where(X[:, 0] > 0, "yes", "no $")
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X, words)
    assert display.points.names == [r"no \$", "yes"]
    assert len(display.points_) == 2
    named = lw.HiddenSpaceDisplay.from_network(net, theta, X, X[:, 0] > 0, class_names=["left", "right"])
    assert named.points.names == ["left", "right"]
    many = lw.HiddenSpaceDisplay.from_network(net, theta, X, np.arange(40))
    assert many.points.codes is None  # numbers on a scale
    assert many.ax_.child_axes
    np.testing.assert_array_equal(many.points_[0].get_array(), np.arange(40))
    assert len(lw.HiddenSpaceDisplay.from_network(net, theta, X).points_) == 1
    numbers = lw.Network(2, [2], 1, output="identity")
    few = lw.HiddenSpaceDisplay.from_network(numbers, numbers.initialize(), X, np.full((40, 1), 0.5))
    assert few.points.numbers.tolist() == [0.5] * 40


def test_of_an_estimator(net, theta, X):
    estimator = SimpleNamespace(network_=net, theta_=theta)
    display = lw.HiddenSpaceDisplay.from_estimator(estimator, X, ["a", "b"] * 20, layer=2)
    np.testing.assert_allclose(display.places, h_of(net, theta, X, 2), atol=1e-12)
    assert display.points.names == ["a", "b"]


def test_of_a_fitted_estimator_it_is_what_transform_gives(X):
    words = np.where(X[:, 0] > X[:, 1], "above", "below")
    model = lw.MLPClassifier((6, 2), activation="tanh", solver="lbfgs", max_iter=20, random_state=0).fit(X, words)
    display = lw.HiddenSpaceDisplay.from_estimator(model, X, words)
    np.testing.assert_allclose(display.places, model.transform(X), atol=1e-5)
    assert display.points.names == ["above", "below"]


def test_given_axes_and_plotting_again(net, theta, X):
    figure, axes = plt.subplots(1, 2)
    display = lw.HiddenSpaceDisplay.from_network(
        net, theta, X, [0, 1] * 20, ax=axes[0], legend=False, title="mine", s=3
    )
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert axes[0].get_title() == "mine"
    assert axes[0].get_legend() is None
    assert display.points_[0].get_sizes().tolist() == [3]
    assert display.plot(axes[1]).ax_ is axes[1]
    assert len(display.grid_) == 2


def test_constant_units_can_be_drawn(X):
    net = lw.Network(2, [2], 2, hidden="relu")
    theta = net.initialize()
    theta.vector = 0.0
    display = lw.HiddenSpaceDisplay.from_network(net, theta, X)
    assert display.boundaries_ == []
    low, high = display.ax_.get_xlim()
    assert low < 0 < high
    display.png()


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LayerIndexError, {"layer": 3}, ("layer", "from 0 to 2", "3")),
        (LayerIndexError, {"layer": -1}, ("layer", "-1")),
        (LayerIndexError, {"layer": 1.0}, ("layer", "1.0")),
        (SpecificationError, {"units": (0, 2)}, ("units", "from 0 to 1")),
        (SpecificationError, {"units": (0, 0)}, ("units", "two different units")),
        (SpecificationError, {"units": 1}, ("units", "two different units")),
        (SpecificationError, {"lines": -1}, ("lines",)),
        (SpecificationError, {"limits": (1, 0)}, ("limits", "low < high")),
        (InputError, {"y": [0, 1]}, ("y", "shape (40,)", "(2,)")),
        (InputError, {"y": [np.nan] * 40}, ("y", "nan in row 0")),
        (InputError, {"y": np.array([None, "a"] * 20, dtype=object)}, ("y", "several kinds")),
        (InputError, {"y": [0, 1] * 20, "class_names": ["a"]}, ("class_names", "2 names", "got 1")),
        (InputError, {"y": [0, 1] * 20, "class_names": "ab"}, ("class_names", "'ab'")),
        (InputError, {"X": [[1.0]]}, ("X", "2 columns")),
    ],
)
def test_what_cannot_be(net, theta, X, refuses, kind, options, words):
    with refuses(kind, *words):
        lw.HiddenSpaceDisplay.from_network(net, theta, **{"X": X} | options)


def test_parameters_that_are_not_finite(net, theta, X, refuses):
    theta.W[1][0, 0] = np.nan
    with refuses(InputError, "theta", "h^{(1)}(x)", "nan"):
        lw.HiddenSpaceDisplay.from_network(net, theta, X, layer=1)


def test_not_fitted(X, refuses):
    with refuses(InputError, "estimator", "network_ and theta_"):
        lw.HiddenSpaceDisplay.from_estimator(SimpleNamespace(), X)


def test_without_matplotlib(net, theta, X, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        lw.HiddenSpaceDisplay.from_network(net, theta, X)
