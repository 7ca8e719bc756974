"""Decision boundaries: regions, contours and points are those that the network and the data say."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError, SpecificationError
from layerwise.reports.decision import FAINT, STRONG
from layerwise.reports.points import COLOURS


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(40, 2))


@pytest.fixture
def three(scattered):
    """Three classes: f is largest for class 0 at the left, 1 at the right, 2 high up."""
    net = lw.Network(2, [], 3)
    theta = scattered(net)
    theta.W[1], theta.b[1] = [[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]], [0.0, 0.0, -1.0]
    return net, theta


def vertices(contours):
    return np.vstack([path.vertices for path in contours.get_paths()])


def labels(display):
    legend = display.ax_.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def rows_of(display):
    return np.column_stack([values.ravel() for values in np.meshgrid(*display.ticks)])


def test_regions_show_the_most_likely_class(three, X):
    net, theta = three
    display = lw.DecisionBoundary.from_network(net, theta, X, X[:, 0] > 0, resolution=50)
    f = net.predict(theta, rows_of(display))
    np.testing.assert_allclose(display.response, f.reshape(50, 50, 3))
    picture = np.asarray(display.surface_.get_array())
    assert picture.shape == (50, 50, 3)
    weight = FAINT + (STRONG - FAINT) * (f.max(axis=1) - 1 / 3) / (1 - 1 / 3)
    colours = np.array([to_rgb(colour) for colour in COLOURS[:3]])[f.argmax(axis=1)]
    np.testing.assert_allclose(picture.reshape(-1, 3), 1 + weight[:, None] * (colours - 1))
    left, right, bottom, top = display.surface_.get_extent()  # each pixel has its point in the middle
    half = (display.ticks[0][1] - display.ticks[0][0]) / 2
    assert (left + half, right - half) == pytest.approx((display.ticks[0][0], display.ticks[0][-1]))
    assert display.ax_.get_xlim() == pytest.approx((display.ticks[0][0], display.ticks[0][-1]))
    assert bottom < top
    assert display.surface_.origin == "lower"


def test_boundaries_are_where_two_classes_are_equally_likely(three, X):
    net, theta = three
    display = lw.DecisionBoundary.from_network(net, theta, X, limits=(-3, 3))
    assert len(display.boundaries_) == 3
    for contours in display.boundaries_:
        first, second, _ = np.sort(net.predict(theta, vertices(contours)), axis=1).T[::-1]
        np.testing.assert_allclose(first, second, atol=0.02)
    assert labels(display) == ["class 0", "class 1", "class 2", "boundary"]


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_two_classes(output, X, scattered):
    net = lw.Network(2, [5], 1 if output == "sigmoid" else 2, hidden="tanh", output=output)
    theta = scattered(net, seed=3)
    theta.b[2][...] = 0.0
    y = X[:, 0] > 0
    display = lw.DecisionBoundary.from_network(net, theta, X, y, limits=(-4, 4))
    drawn = display.output
    assert drawn == net.outputs - 1
    np.testing.assert_allclose(display.surface_.levels, np.linspace(0, 1, 11))
    np.testing.assert_allclose(net.predict(theta, vertices(display.boundaries_[0]))[:, drawn], 0.5, atol=2e-3)
    for level, path in zip(display.surface_.levels, display.surface_.get_paths(), strict=False):
        if len(path.vertices):
            f = net.predict(theta, path.vertices)[:, drawn]
            assert f.min() > level - 0.01
            assert f.max() < level + 0.1 + 0.01
    assert labels(display) == [*(["no", "yes"] if output == "sigmoid" else ["class 0", "class 1"]), "boundary"]
    bar = display.ax_.child_axes[0].get_ylabel()
    assert bar == ("$f(x)$" if output == "sigmoid" else "$f(x)_{1}$, probability of class 1")
    cmap = display.surface_.get_cmap()
    assert cmap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.02)
    assert cmap(0.0)[2] > cmap(0.0)[0]  # the blue of class 0
    assert cmap(1.0)[0] > cmap(1.0)[2]  # the vermilion of class 1


def test_the_data_lie_on_top(three, X):
    net, theta = three
    y = np.arange(40) % 3
    display = lw.DecisionBoundary.from_network(net, theta, X, y, class_names=["a", "b", "c"])
    assert len(display.points_) == 3
    for c, points in enumerate(display.points_):
        np.testing.assert_array_equal(points.get_offsets(), X[y == c])
        assert tuple(points.get_facecolor()[0][:3]) == to_rgb(COLOURS[c])
        assert points.get_zorder() > display.surface_.get_zorder()
    assert len({points.get_paths()[0].vertices.tobytes() for points in display.points_}) == 3  # three markers
    assert labels(display) == ["a", "b", "c", "boundary"]


def test_without_y(three, X):
    net, theta = three
    display = lw.DecisionBoundary.from_network(net, theta, X)
    (points,) = display.points_
    np.testing.assert_array_equal(points.get_offsets(), X)
    assert labels(display) == ["class 0", "class 1", "class 2", "boundary"]
    display.png()


def test_the_probability_of_one_class(three, X):
    net, theta = three
    display = lw.DecisionBoundary.from_network(net, theta, X, np.zeros(40, int), output=2, resolution=60)
    f = net.predict(theta, rows_of(display))
    np.testing.assert_allclose(display.response[..., 2].ravel(), f[:, 2])
    np.testing.assert_allclose(display.margin(2).ravel(), f[:, 2] - f[:, :2].max(axis=1))
    assert display.ax_.child_axes[0].get_ylabel() == "$f(x)_{2}$, probability of class 2"
    assert len(display.boundaries_) == 1


def test_numbers(X, scattered):
    net = lw.Network(2, [4], 2, hidden="tanh", output="identity")
    theta = scattered(net)
    y = np.column_stack([X[:, 0], 10 * X[:, 1]])
    display = lw.DecisionBoundary.from_network(net, theta, X, y, output=1, resolution=40)
    np.testing.assert_allclose(display.response[..., 1].ravel(), net.predict(theta, rows_of(display))[:, 1])
    levels = display.surface_.levels
    assert levels[0] <= min(display.response[..., 1].min(), y[:, 1].min())
    assert levels[-1] >= max(display.response[..., 1].max(), y[:, 1].max())
    (points,) = display.points_
    np.testing.assert_array_equal(points.get_array(), y[:, 1])
    assert points.norm is display.surface_.norm  # a point that fits has the colour around it
    assert points.get_cmap() == display.surface_.get_cmap()
    assert display.boundaries_ == labels(display) == []
    assert display.ax_.child_axes[0].get_ylabel() == "$f(x)_{1}$"
    assert len(lw.DecisionBoundary.from_network(net, theta, X).points_) == 1


def test_one_of_several_labels(X, scattered):
    net = lw.Network(2, [], 3, output="sigmoid")
    theta = scattered(net)
    theta.W[1][2], theta.b[1][2] = [1.0, 1.0], 0.0
    y = np.column_stack([X[:, 0] > 0, X[:, 0] > 0, X[:, 1] > 0]).astype(float)
    display = lw.DecisionBoundary.from_network(net, theta, X, y, output=2)
    np.testing.assert_allclose(vertices(display.boundaries_[0]).sum(axis=1), 0, atol=1e-3)
    np.testing.assert_array_equal(display.points_[1].get_offsets(), X[X[:, 1] > 0])


def test_other_inputs_stay_at_their_means(scattered):
    net = lw.Network(4, [3], 2)
    theta = scattered(net)
    X = np.random.default_rng(1).normal(size=(30, 4)) + [0, 1, 2, 3]
    names = ["a", "b", "c", "d"]
    display = lw.DecisionBoundary.from_network(
        net, theta, X, features=(3, 1), feature_names=names, resolution=20, limits=((0, 1), (2, 4))
    )
    grid = rows_of(display)
    rows = np.tile(X.mean(axis=0), (400, 1))
    rows[:, 3], rows[:, 1] = grid.T
    np.testing.assert_allclose(display.response.reshape(-1, 2), net.predict(theta, rows))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("d", "b")
    assert display.ax_.get_title() == "the other 2 inputs at their means"
    np.testing.assert_array_equal(display.points_[0].get_offsets(), X[:, [3, 1]])


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("with_y", [True, False])
def test_one_input(output, with_y, scattered):
    net = lw.Network(1, [4], 3 if output == "softmax" else 1, hidden="tanh", output=output)
    theta = scattered(net)
    X = np.linspace(-2, 2, 12)[:, None]
    y = {"softmax": np.arange(12) % 3, "sigmoid": X > 0, "identity": X}[output] if with_y else None
    display = lw.DecisionBoundary.from_network(net, theta, X, y)
    assert len(display.surface_) == net.outputs
    for c, line in enumerate(display.surface_):
        x, f = line.get_data()
        np.testing.assert_allclose(f, net.predict(theta, x[:, None])[:, c])
    assert display.ax_.get_ylabel() == ("$f(x)_{c}$" if output == "softmax" else "$f(x)$")
    assert sum(len(points.get_offsets()) for points in display.points_) == 12
    if output == "identity" and with_y:
        np.testing.assert_array_equal(display.points_[0].get_offsets(), np.hstack([X, y]))
    display.png()


def test_the_boundary_over_one_input(scattered):
    net = lw.Network(1, [], 2)
    theta = scattered(net)
    theta.W[1], theta.b[1] = [[0.0], [4.0]], [1.0, 0.0]  # equal where 4 x = 1
    display = lw.DecisionBoundary.from_network(net, theta, [[-1.0], [2.0]], [0, 1], resolution=401)
    (crossing,) = [line for line in display.ax_.lines if line not in display.surface_]
    np.testing.assert_allclose(crossing.get_xdata(), 0.25, atol=1e-4)


def test_a_network_that_always_says_the_same(X, scattered):
    net = lw.Network(2, [3], 2)
    theta = scattered(net)
    theta.W[1][...] = 0.0
    display = lw.DecisionBoundary.from_network(net, theta, X)
    assert display.boundaries_ == []
    display.png()
    numbers = lw.Network(2, [3], 1, output="identity")
    theta = scattered(numbers)
    theta.W[2][...] = 0.0
    flat = lw.DecisionBoundary.from_network(numbers, theta, X)
    assert flat.surface_.levels[0] < theta.b[2][0] < flat.surface_.levels[-1]


def test_many_classes(X, scattered):
    net = lw.Network(2, [], 26)
    display = lw.DecisionBoundary.from_network(net, scattered(net), X, np.arange(40) % 26, resolution=30)
    assert "and 11 more" in labels(display)
    colours = {tuple(points.get_facecolor()[0]) for points in display.points_[:14]}
    assert len(colours) == 14
    looks = {(tuple(p.get_facecolor()[0]), p.get_paths()[0].vertices.tobytes()) for p in display.points_}
    assert len(looks) == 26
    display.png()


def test_points_get_smaller_the_more_there_are(three):
    sizes = [
        lw.DecisionBoundary.from_network(*three, np.random.default_rng(0).normal(size=(n, 2)), resolution=9)
        .points_[0].get_sizes()[0]
        for n in (1, 400, 5000)
    ]  # fmt: skip
    assert sizes[0] > sizes[1] > sizes[2]
    chosen = lw.DecisionBoundary.from_network(*three, [[0.0, 1.0]], resolution=9, point_size=50, marker="*", color="k")
    assert chosen.points_[0].get_sizes() == [50]


def test_given_axes_and_options(three, X):
    figure, axes = plt.subplots(1, 2)
    display = lw.DecisionBoundary.from_network(*three, X, ax=axes[0], colorbar=False, legend=False, title="mine")
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert not axes[0].child_axes
    assert labels(display) == []
    assert axes[0].get_title() == "mine"
    assert display.plot(axes[1]).ax_ is axes[1]
    assert len(display.points_) == 1


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (SpecificationError, {"output": 3}, ("output", "from 0 to 2", "3")),
        (SpecificationError, {"features": (0, 2)}, ("features", "from 0 to 1", "2")),
        (SpecificationError, {"resolution": 0}, ("resolution",)),
        (InputError, {"y": [0, 1]}, ("y", "shape (40,)")),
        (InputError, {"y": np.full(40, 3)}, ("y", "class codes 0 to 2")),
        (InputError, {"y": np.full(40, np.nan)}, ("y", "finite")),
        (InputError, {"class_names": ["a"]}, ("class_names", "3 names", "1")),
        (InputError, {"class_names": "abc"}, ("class_names", "'abc'")),
    ],
)
def test_what_cannot_be(three, X, refuses, kind, options, words):
    with refuses(kind, *words):
        lw.DecisionBoundary.from_network(*three, X, **options)


def test_data_and_parameters_that_do_not_fit(three, X, refuses, scattered):
    net, theta = three
    with refuses(InputError, "X", "2 columns"):
        lw.DecisionBoundary.from_network(net, theta, X[:, :1])
    with refuses(InputError, "X", "nan in row 3, column 1"):
        lw.DecisionBoundary.from_network(net, theta, np.where(np.arange(80).reshape(40, 2) == 7, np.nan, X))
    with refuses(InputError, "theta", "2-3"):
        lw.DecisionBoundary.from_network(net, scattered(lw.Network(2, [4], 3)), X)
    theta.W[1][0, 0] = np.nan
    with refuses(InputError, "theta", "f(x)", "nan"):
        lw.DecisionBoundary.from_network(net, theta, X)
    numbers = lw.Network(2, [], 1, output="identity")
    with refuses(InputError, "class_names", "0 names", "leave them out"):
        lw.DecisionBoundary.from_network(numbers, scattered(numbers), X, class_names=["a"])


def test_a_function_is_drawn_as_the_network_that_computes_it(three, X):
    net, theta = three
    y = np.arange(40) % 3
    drawn = lw.DecisionBoundary.from_function(lambda rows: net.predict(theta, rows), X, y, resolution=30)
    same = lw.DecisionBoundary.from_network(net, theta, X, y, resolution=30)
    assert np.array_equal(drawn.response, same.response)
    assert drawn.plane.limits == same.plane.limits
    assert labels(drawn) == labels(same)


def test_functions_that_cannot_be_drawn(X, refuses):
    y = np.arange(40) % 2
    for decide, rows, words in [
        (lambda rows: rows[:3, 0], X, ("decide", "40000 rows", "(3, 2)")),
        (lambda rows: rows[:, 0] * np.nan, X, ("f(x)", "nan")),
        (lambda rows: rows[:, 0], np.zeros((40, 3)), ("X", "one or two columns", "(40, 3)")),
    ]:
        with refuses(InputError, *words):
            lw.DecisionBoundary.from_function(decide, rows, y, resolution=200)
    with refuses(InputError, "y", "class codes 0 to 1"):
        lw.DecisionBoundary.from_function(lambda rows: rows[:, 0], X, y + 1)


def test_without_matplotlib(three, X, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        lw.DecisionBoundary.from_network(*three, X)
