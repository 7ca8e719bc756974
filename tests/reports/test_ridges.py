"""Ridges: heights, lines and arrows are those of the mathematics."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, LayerIndexError, MissingExtraError, SpecificationError

G = {
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "linear": lambda a: a,
}


def heights(display):
    """x_1, x_2 and the drawn height, each (r, r)."""
    x_1, x_2 = np.meshgrid(*display.ticks)
    return x_1, x_2, display.response


@pytest.fixture
def net():
    return lw.Network(3, [4, 3], 2, hidden="tanh", output="identity")


@pytest.fixture
def theta(net, scattered):
    return scattered(net)


@pytest.mark.parametrize("activation", G)
@pytest.mark.parametrize(("w", "b"), [([2.0, -1.0], 0.5), ([0.0, 3.0], -2.0), ([-1e-3, 0.0], 0.0), ([0, 0], 1)])
def test_heights_of_a_neuron(activation, w, b):
    display = lw.RidgeDisplay.from_neuron(w, b, activation, resolution=25)
    x_1, x_2, h = heights(display)
    assert h.shape == (25, 25)
    assert (x_1.min(), x_1.max(), x_2.min(), x_2.max()) == (-3.0, 3.0, -3.0, 3.0)
    np.testing.assert_allclose(h, G[activation](w[0] * x_1 + w[1] * x_2 + b), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(display.w, w, atol=1e-14)
    assert display.b == pytest.approx(b, abs=1e-14)


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("sigmoid", 0.0, 1.0), ("tanh", -1.0, 1.0), ("relu", 0.0, None)]
)
def test_the_range_is_determined_by_g(activation, low, high):
    for w, b in (([0.1, 0.0], 0.0), ([5.0, 3.0], 1.0)):
        display = lw.RidgeDisplay.from_neuron(w, b, activation)
        levels = display.surface_.levels
        assert levels[0] == low
        assert levels[-1] == high if high is not None else levels[-1] >= display.response.max()
        assert display.surface_.get_clim() == (levels[0], levels[-1])


def test_bands_of_the_contours_hold_what_they_say():
    display = lw.RidgeDisplay.from_neuron([2.0, 1.0], -1.0, resolution=200)
    levels = display.surface_.levels
    np.testing.assert_allclose(levels, np.linspace(0, 1, 9))
    for low, high, path in zip(levels[:-1], levels[1:], display.surface_.get_paths(), strict=True):
        h = G["sigmoid"](path.vertices @ [2.0, 1.0] - 1.0)
        assert h.min() > low - 0.003
        assert h.max() < high + 0.003


def test_levels_can_be_chosen():
    neuron = ([2.0, 1.0], -1.0)
    assert list(lw.RidgeDisplay.from_neuron(*neuron, levels=[0.0, 0.5, 1.0]).surface_.levels) == [0.0, 0.5, 1.0]
    assert len(lw.RidgeDisplay.from_neuron(*neuron, levels=5).surface_.levels) == 5


@pytest.mark.parametrize(
    ("w", "b", "ends"),
    [
        ([2.0, 1.0], -1.0, {(-1.0, 3.0), (2.0, -3.0)}),
        ([1.0, 0.0], 2.0, {(-2.0, -3.0), (-2.0, 3.0)}),
        ([0.0, -4.0], 2.0, {(-3.0, 0.5), (3.0, 0.5)}),
        ([1.0, 1.0], 0.0, {(-3.0, 3.0), (3.0, -3.0)}),  # from corner to corner
        ([1.0, 1.0], -3.0, {(0.0, 3.0), (3.0, 0.0)}),
        ([1.0, 1.0], -30.0, None),
        ([0.0, 0.0], 0.0, None),
    ],
)
def test_the_line_goes_from_side_to_side(w, b, ends):
    display = lw.RidgeDisplay.from_neuron(w, b)
    if ends is None:
        assert display.line_ is None
        assert display.ax_.get_legend() is None
        return
    assert {tuple(point) for point in display.line_.get_xydata().round(9)} == ends
    assert display.line_ in display.ax_.lines
    assert display.ax_.get_legend().get_texts()[0].get_text() == r"$w^{\top}x + b = 0$"


@pytest.mark.parametrize("w", [[2.0, 1.0], [-1.0, 3.0], [0.0, -1e-3]])
@pytest.mark.parametrize("b", [0.0, 1.0, 1000.0])
def test_the_arrow_points_along_w(w, b):
    display = lw.RidgeDisplay.from_neuron(w, b)
    tip, foot = np.array(display.arrow_.xy), np.array(display.arrow_.xyann)
    np.testing.assert_allclose((tip - foot) / np.linalg.norm(tip - foot), w / np.linalg.norm(w))
    assert (np.abs([tip, foot]) < 3).all()
    if display.line_ is not None:  # it starts on the line, or in the middle where there is no room
        assert abs(foot @ w + b) < 1e-9 or not foot.any()
    assert display.ax_.get_aspect() == 1.0  # else it would not be seen at a right angle


def test_no_arrow_where_w_is_zero():
    display = lw.RidgeDisplay.from_neuron([0.0, 0.0], 0.5)
    assert display.arrow_ is None
    assert (display.response == display.response[0, 0]).all()
    assert lw.RidgeDisplay.from_neuron([0.0, 0.0], 0.5, "linear").surface_.levels[0] < 0.5
    display.png()


def test_the_bias_only_changes_the_position():
    before = lw.RidgeDisplay.from_neuron([3.0, 0.0], 0.0, resolution=61)
    after = lw.RidgeDisplay.from_neuron([3.0, 0.0], 3.0, resolution=61)  # one to the left: ten points
    np.testing.assert_allclose(after.response[:, :-10], before.response[:, 10:])


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_labels(kind):
    display = lw.RidgeDisplay.from_neuron([2.0, 1.0], -1.0, "tanh", kind=kind)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("$x_1$", "$x_2$")
    assert display.ax_.get_title() == "tanh: $w = (2, 1)$, $b = -1$"
    (bar,) = display.ax_.child_axes if kind == "contour" else [display.ax_]
    assert (bar.get_ylabel() if kind == "contour" else bar.get_zlabel()) == "$h(x)$"
    assert display.png()[:4] == b"\x89PNG"


def test_surface():
    display = lw.RidgeDisplay.from_neuron([2.0, 1.0], -1.0, kind="surface")
    ax = display.ax_
    assert ax.name == "3d"
    assert ax.get_zlim() == (0.0, 1.0)
    x_1, x_2, height = display.line_.get_data_3d()
    np.testing.assert_allclose(2 * np.array(x_1) + x_2 - 1, 0, atol=1e-12)
    np.testing.assert_allclose(height, 0.5, atol=1e-3)  # g(0)
    given = plt.figure().add_subplot(projection="3d")
    assert lw.RidgeDisplay.from_neuron([2.0, 1.0], -1.0, kind="surface", ax=given).ax_ is given
    assert lw.RidgeDisplay.from_neuron([0.0, 0.0], kind="surface").line_ is None
    assert lw.RidgeDisplay.from_neuron([0.0, 0.0], 2.0, "linear", kind="surface").png()


def test_one_input_is_a_curve():
    display = lw.RidgeDisplay.from_neuron([2.0], -1.0)
    x, h = display.surface_.get_data()
    np.testing.assert_allclose(h, G["sigmoid"](2 * x - 1))
    np.testing.assert_allclose(display.line_.get_xdata(), 0.5)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("$x$", "$h(x)$")
    assert lw.RidgeDisplay.from_neuron([0.0], -1.0).line_ is None
    second = lw.RidgeDisplay.from_neuron([1.0, 2.0], features=1, fixed=3.0)
    np.testing.assert_allclose(second.response, G["sigmoid"](3.0 + 2.0 * second.ticks[0]))
    assert second.ax_.get_title() == "sigmoid: $w = (1, 2)$, $b = 0$\nthe other input at fixed values"
    assert second.ax_.get_xlabel() == "$x_2$"


@pytest.mark.parametrize(("layer", "unit"), [(1, 0), (1, 3), (2, 2), (3, 1)])
def test_units_of_a_network(net, theta, layer, unit):
    fixed = np.array([0.1, 0.2, 0.3])
    display = lw.RidgeDisplay.from_network(
        net, theta, layer=layer, unit=unit, features=(2, 0), fixed=fixed, limits=((-1, 2), (0, 3)), resolution=17
    )
    x_3, x_1, height = heights(display)
    assert (x_3.min(), x_3.max(), x_1.min(), x_1.max()) == (-1.0, 2.0, 0.0, 3.0)
    X = np.column_stack([x_1.ravel(), np.full(x_1.size, 0.2), x_3.ravel()])
    h = net.trace(theta, X, np.zeros((len(X), 2))).h[layer][:, unit]
    np.testing.assert_allclose(height.ravel(), h, rtol=1e-12, atol=1e-12)
    symbol = "f" if layer == 3 else f"h^{{({layer})}}"
    assert display.label == f"${symbol}(x)$"
    assert display.ax_.get_title() == f"layer {layer}, unit {unit}, the other input at fixed values"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("feature 2", "feature 0")


def test_the_line_of_the_first_layer_counts_the_fixed_inputs(net, theta):
    theta.W[1][0] = [1.0, 2.0, 10.0]
    theta.b[1][0] = 0.5
    display = lw.RidgeDisplay.from_network(net, theta, fixed=[0.0, 0.0, -0.1])
    x_1, x_2 = display.line_.get_data()
    np.testing.assert_allclose(x_1 + 2 * x_2 - 10 * 0.1 + 0.5, 0, atol=1e-12)


def test_the_line_of_a_deeper_layer_is_where_its_preactivation_is_zero(net, theta):
    theta.b[2][1] = -net.trace(theta, np.zeros((1, 3)), [[0, 0]]).a[2][0, 1] + theta.b[2][1]  # so that 0 is on it
    display = lw.RidgeDisplay.from_network(net, theta, layer=2, unit=1, resolution=201)
    points = np.vstack([path.vertices for path in display.line_.get_paths()])
    X = np.column_stack([points, np.zeros(len(points))])
    assert len(points) > 10
    np.testing.assert_allclose(net.trace(theta, X, np.zeros((len(X), 2))).a[2][:, 1], 0, atol=1e-3)
    assert display.arrow_ is None
    assert display.ax_.get_legend().get_texts()[0].get_text() == "$a^{(2)}(x) = 0$"


def test_preactivations(net, theta):
    display = lw.RidgeDisplay.from_network(net, theta, layer=1, unit=2, quantity="a", resolution=9)
    x_1, x_2, a = heights(display)
    W, b = theta.W[1][2], theta.b[1][2]
    np.testing.assert_allclose(a, W[0] * x_1 + W[1] * x_2 + b, atol=1e-12)
    assert display.label == "$a^{(1)}(x)$"


def test_with_batch_normalisation_g_is_given_z(scattered):
    net = lw.Network(2, [3], 1, hidden="sigmoid", output="identity", batch_norm=True)
    theta = scattered(net)
    display = lw.RidgeDisplay.from_network(net, theta, unit=1, quantity="a", resolution=9, limits=(-9, 9))
    X = np.column_stack([v.ravel() for v in heights(display)[:2]])
    np.testing.assert_allclose(display.response.ravel(), net.trace(theta, X, np.zeros((81, 1))).z[1][:, 1], atol=1e-12)
    assert display.label == "$z^{(1)}(x)$"
    assert display.ax_.get_legend().get_texts()[0].get_text() == "$z^{(1)}(x) = 0$"
    ends = display.line_.get_xydata()
    np.testing.assert_allclose(net.trace(theta, ends, np.zeros((2, 1))).z[1][:, 1], 0, atol=1e-9)


def test_softmax_has_no_line(scattered):
    net = lw.Network(2, [], 3)
    display = lw.RidgeDisplay.from_network(net, scattered(net), unit=2, resolution=9)
    assert display.line_ is display.arrow_ is None
    assert display.value_range == (0.0, 1.0)
    X = np.column_stack([v.ravel() for v in heights(display)[:2]])
    np.testing.assert_allclose(display.response.ravel(), net.predict(scattered(net), X)[:, 2], rtol=1e-9)


def test_data_say_where_to_look(net, theta):
    X = np.array([[0.0, 10.0, 5.0], [4.0, 20.0, 7.0]])
    display = lw.RidgeDisplay.from_network(net, theta, X=X)
    np.testing.assert_allclose(display.ax_.get_xlim(), (-0.32, 4.32))
    np.testing.assert_allclose(display.ax_.get_ylim(), (9.2, 20.8))
    assert display.plane.origin[2] == 6.0
    assert display.ax_.get_title().endswith("the other input at its mean")
    constant = lw.RidgeDisplay.from_network(net, theta, X=np.ones((2, 3)))
    assert constant.ax_.get_xlim() == (0.0, 2.0)


def test_more_rows_than_a_piece(net, theta):
    display = lw.RidgeDisplay.from_network(net, theta, layer=3, resolution=70)  # 4900 rows
    x_1, x_2, f = heights(display)
    X = np.column_stack([x_1.ravel(), x_2.ravel(), np.zeros(x_1.size)])
    np.testing.assert_allclose(f.ravel(), net.predict(theta, X)[:, 0], atol=1e-12)


def test_of_an_estimator(net, theta):
    estimator = SimpleNamespace(network_=net, theta_=theta, feature_names_in_=["age", "US$", "height"])
    display = lw.RidgeDisplay.from_estimator(estimator, layer=2, unit=1, features=(0, 1))
    alone = lw.RidgeDisplay.from_network(net, theta, layer=2, unit=1)
    np.testing.assert_array_equal(display.response, alone.response)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("age", r"US\$")


def test_given_axes_and_plotting_again():
    figure, axes = plt.subplots(1, 2)
    display = lw.RidgeDisplay.from_neuron([1.0, 0.0], ax=axes[0], colorbar=False, title="mine", cmap="cividis")
    assert display.figure_ is figure
    assert display.ax_ is axes[0]
    assert not axes[0].child_axes
    assert axes[0].get_title() == "mine"
    assert display.surface_.get_cmap().name == "cividis"
    assert display.plot(axes[1]).ax_ is axes[1]
    assert axes[1].child_axes


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LayerIndexError, {"layer": 0}, ("layer", "from 1 to 3", "0")),
        (LayerIndexError, {"layer": 4}, ("layer", "from 1 to 3", "4")),
        (LayerIndexError, {"layer": 1.5}, ("layer", "1.5")),
        (SpecificationError, {"unit": 4}, ("unit", "from 0 to 3", "4")),
        (SpecificationError, {"unit": -1}, ("unit", "from 0 to 3")),
        (SpecificationError, {"unit": "first"}, ("unit", "'first'")),
        (SpecificationError, {"features": (0, 3)}, ("features", "from 0 to 2", "3")),
        (SpecificationError, {"features": (1, 1)}, ("features", "different")),
        (SpecificationError, {"features": (0, 1, 2)}, ("features", "two")),
        (SpecificationError, {"features": ()}, ("features", "one feature or two")),
        (SpecificationError, {"quantity": "z"}, ("quantity", '"h" or "a"')),
        (SpecificationError, {"kind": "wire"}, ("kind", '"surface"')),
        (SpecificationError, {"kind": "surface", "features": 0}, ("kind", "two features")),
        (SpecificationError, {"limits": (2, 1)}, ("limits", "low < high")),
        (SpecificationError, {"limits": (0, float("nan"))}, ("limits",)),
        (SpecificationError, {"limits": "wide"}, ("limits", "'wide'")),
        (SpecificationError, {"resolution": 1}, ("resolution",)),
        (SpecificationError, {"levels": 1}, ("levels", "at least 2")),
        (InputError, {"fixed": [0, 1]}, ("fixed", "3 of them", "shape (2,)")),
        (InputError, {"fixed": float("nan")}, ("fixed", "nan")),
        (InputError, {"feature_names": ["a"]}, ("feature_names", "3 names", "got 1")),
        (InputError, {"feature_names": "abc"}, ("feature_names", "'abc'")),
        (InputError, {"X": [[1.0, 2.0]]}, ("X", "3 columns")),
        (InputError, {"X": [[1.0, 2.0, float("nan")]]}, ("X", "row 0, column 2")),
    ],
)
def test_what_cannot_be(net, theta, refuses, kind, options, words):
    with refuses(kind, *words):
        lw.RidgeDisplay.from_network(net, theta, **options)


@pytest.mark.parametrize(
    ("w", "b", "name"),
    [([1.0, float("nan")], 0.0, "w"), ([[1.0]], 0.0, "w"), ([], 0.0, "w"), (["a"], 0.0, "w"), ([1.0], [0.0], "b"),
     ([1.0], float("inf"), "b")],
)  # fmt: skip
def test_a_neuron_that_cannot_be(refuses, w, b, name):
    with refuses(InputError, f"{name}: ", "finite"):
        lw.RidgeDisplay.from_neuron(w, b)


def test_axes_of_the_wrong_kind(refuses):
    with refuses(SpecificationError, "ax", "projection='3d'"):
        lw.RidgeDisplay.from_neuron([1.0, 2.0], kind="surface", ax=plt.figure().add_subplot())
    with refuses(SpecificationError, "ax", "two dimensions"):
        lw.RidgeDisplay.from_neuron([1.0, 2.0], ax=plt.figure().add_subplot(projection="3d"))


def test_parameters_that_are_not_finite(net, theta, refuses):
    theta.W[2][0, 0] = np.nan
    with refuses(InputError, "theta", "a^{(2)}(x)", "nan at 100%"):
        lw.RidgeDisplay.from_network(net, theta, layer=2)
    lw.RidgeDisplay.from_network(net, theta, layer=2, unit=1)  # another unit knows nothing of it
    theta.b[2][2] = np.inf
    with refuses(InputError, "theta", "a^{(2)}(x)", "inf at 100%"):  # although h = 1 could be drawn
        lw.RidgeDisplay.from_network(net, theta, layer=2, unit=2)


def test_parameters_of_another_network(net, refuses):
    with refuses(InputError, "theta", "3-4-3-2"):
        lw.RidgeDisplay.from_network(net, lw.Network(2, [3], 2).initialize())


def test_not_fitted(refuses):
    with refuses(InputError, "estimator", "network_ and theta_", "SimpleNamespace, not fitted"):
        lw.RidgeDisplay.from_estimator(SimpleNamespace())


def test_without_matplotlib(monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        lw.RidgeDisplay.from_neuron([1.0, 2.0])
