"""Gradient flow: each point is the root mean square of a trace's quantity; zeros and infinities are marked."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError
from layerwise.reports.figures import SCORES, TRAINING, VALIDATION

FLOW = lw.GradientFlowDisplay
NAMES = ("h", "grad_a", "grad_W")


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(20, 2))


@pytest.fixture
def y():
    return np.arange(20) % 2


def rms(values):
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


def by_colour(marks):
    """Which layers each mark stands at, by its colour."""
    return {mark.get_color(): np.round(mark.get_xdata()).astype(int).tolist() for mark in marks}


@pytest.mark.parametrize("options", [{}, {"penalty": lw.L2(0.5)}, {"mode": "train", "key": 3}], ids=str)
def test_points_are_root_mean_squares_of_a_trace(options, X, y, scattered):
    net = lw.Network(2, [4, lw.Layer(5, "relu", dropout=0.5)], 2, hidden="tanh", batch_norm=True)
    theta = scattered(net)
    display = FLOW.from_network(net, theta, X, y, **options)
    trace = net.trace(theta, X, y, **options)
    for name in NAMES:
        expected = [rms(getattr(trace, name)[k]) for k in (1, 2, 3)]
        np.testing.assert_allclose(getattr(display, name), expected, rtol=1e-12)
        np.testing.assert_allclose(display.lines_[name].get_xydata(), np.column_stack([[1, 2, 3], expected]))
    assert display.table[1] == {"k": 2} | {name: getattr(display, name)[1] for name in NAMES}
    assert display.ax_.get_yscale() == "log"
    assert display.zeros_ == []


def test_all_points_are_in_the_picture_and_ticks_are_powers_of_ten(X, y):
    net = lw.Network(2, [10] * 12, 2, hidden="sigmoid")
    display = FLOW.from_network(net, net.initialize(), X, y)
    low, high = display.ax_.get_ylim()
    for name in NAMES:
        assert low < getattr(display, name).min() <= getattr(display, name).max() < high
    assert display.grad_a[0] < 1e-5 * display.grad_a[-1]  # vanishing
    ticks = display.ax_.get_yticks()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(ticks) <= 8
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    np.testing.assert_allclose([10.0 ** int(label[2:].translate(digits)) for label in labels], ticks)


def test_layers_where_nothing_comes_back_are_marked(X, y):
    net = lw.Network(2, [4, 4, 4], 2, hidden="tanh")
    theta = net.initialize()
    theta.W[3][...] = theta.b[3][...] = 0.0
    display = FLOW.from_network(net, theta, X, y)
    assert by_colour(display.zeros_) == {SCORES: [3], VALIDATION: [1, 2], TRAINING: [1, 2, 4]}
    assert all(set(mark.get_ydata()) == {0.0} for mark in display.zeros_)  # at the lower end
    assert display.lines_["h"].get_ydata()[1] > 0
    assert np.isnan(display.lines_["h"].get_ydata()[2])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()][-1] == "0"
    display.png()


def test_what_is_not_finite_is_marked(X, y):
    net = lw.Network(2, [4, 4], 2, hidden="relu")
    theta = net.initialize()
    theta.vector *= 1e160
    display = FLOW.from_network(net, theta, X, y)
    not_finite = {name: [k for k, value in enumerate(getattr(display, name), 1) if not np.isfinite(value)]
                  for name in NAMES}  # fmt: skip
    assert not_finite["h"]
    colours = dict(zip(NAMES, (SCORES, VALIDATION, TRAINING), strict=True))
    at_top = [mark for mark in display.zeros_ if set(mark.get_ydata()) == {1.0}]
    assert by_colour(at_top) == {colours[name]: layers for name, layers in not_finite.items() if layers}
    assert "not finite" in [text.get_text() for text in display.ax_.get_legend().get_texts()]
    display.png()


def test_numbers_whose_squares_are_too_small(X, y):
    net = lw.Network(2, [3], 2, hidden="linear")
    theta = net.initialize()
    theta.vector *= 1e-200
    display = FLOW.from_network(net, theta, X, y)
    assert 1e-202 < display.h[0] < 1e-198


def test_a_single_layer_and_all_zeros(X):
    net = lw.Network(2, [], 1, output="identity")
    theta = net.initialize()
    theta.vector = 0.0
    display = FLOW.from_network(net, theta, X, np.zeros(20))
    assert display.table == [{"k": 1, "h": 0.0, "grad_a": 0.0, "grad_W": 0.0}]
    assert len(display.zeros_) == 3
    assert display.ax_.get_xticks().tolist() == [1]
    display.png()


def test_given_axes_and_plotting_again(X, y):
    net = lw.Network(2, [3], 2)
    figure, axes = plt.subplots(1, 2)
    display = FLOW.from_network(net, net.initialize(), X, y, ax=axes[0], title="mine", linewidth=5)
    assert display.figure_ is figure
    assert axes[0].get_title() == "mine"
    assert display.lines_["h"].get_linewidth() == 5
    assert display.plot(axes[1]).ax_ is axes[1]


def test_what_cannot_be(X, y, refuses):
    net = lw.Network(2, [3], 2)
    theta = net.initialize()
    with refuses(InputError, "X", "2 columns"):
        FLOW.from_network(net, theta, [[1.0]], [0])
    with refuses(InputError, "theta", "2-3-2"):
        FLOW.from_network(net, lw.Network(2, [4], 2).initialize(), X, y)
    with refuses(InputError, "h", "at least one layer"):
        FLOW(np.array([]), np.array([]), np.array([])).plot()


def test_without_matplotlib(X, y, monkeypatch, refuses):
    net = lw.Network(2, [3], 2)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        FLOW.from_network(net, net.initialize(), X, y)
