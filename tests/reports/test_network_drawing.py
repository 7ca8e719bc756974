"""The drawing of a network: its units, and lines that are its weights."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError, SpecificationError
from layerwise.reports.figures import TRAINING, VALIDATION
from layerwise.reports.network_drawing import PLAIN, THICKEST

DRAWING = lw.NetworkDisplay


@pytest.fixture
def net():
    return lw.Network(2, [3, 4], 2, hidden="tanh")


@pytest.fixture
def theta(net, scattered):
    return scattered(net)


def segments(connections):
    return np.array(connections.get_segments())


def colours(connections):
    return [to_hex(colour).upper() for colour in connections.get_edgecolor()]


def test_every_unit_is_connected_to_every_unit_of_the_next_layer(net):
    display = DRAWING.from_network(net)
    assert [len(column) for column in display.places_] == [2, 3, 4, 2]
    for k, lines in enumerate(display.connections_, 1):
        expected = [[start, end] for end in display.places_[k] for start in display.places_[k - 1]]
        np.testing.assert_allclose(segments(lines), expected)
        assert set(lines.get_linewidth()) == {PLAIN}
    assert [len(units.get_paths()) for units in display.units_] == [2, 3, 4, 2]
    for column in display.places_:
        assert (np.diff(column[:, 1]) < 0).all()  # the first unit on top
        assert len(set(column[:, 0])) == 1
        assert column[:, 1].mean() == pytest.approx(0)
    lefts = [column[0, 0] for column in display.places_]
    assert lefts == sorted(lefts)
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["2 inputs\n", "3 units\ntanh", "4 units\ntanh", "2 outputs\nsoftmax"]
    assert {"$x$", "$h^{(1)}$", "$h^{(2)}$", "$f$"} <= {
        str(artist.get_label()) for artist in display.ax_.get_children()
    }


def test_lines_are_the_weights(net, theta):
    display = DRAWING.from_network(net, theta)
    largest = max(np.abs(theta.W[k]).max() for k in (1, 2, 3))
    for k, lines in enumerate(display.connections_, 1):
        flat = theta.W[k].ravel()
        widths = np.array(lines.get_linewidth())
        assert (np.argsort(widths) == np.argsort(np.abs(flat))).all()
        assert colours(lines) == [TRAINING if w > 0 else VALIDATION for w in flat]
        assert widths.max() == pytest.approx(THICKEST) if np.abs(flat).max() == largest else widths.max() < THICKEST
    # The line of W[2][3, 1] goes from unit 1 of layer 1 to unit 3 of layer 2.
    line = segments(display.connections_[1])[3 * 3 + 1]
    np.testing.assert_allclose(line, [display.places_[1][1], display.places_[2][3]])


def test_zeros_are_not_drawn_and_what_is_not_finite_is_dotted(net, theta):
    theta.W[1][0, 0], theta.W[1][2, 1] = 0.0, np.nan
    display = DRAWING.from_network(net, theta)
    (lines, *_) = display.connections_
    assert lines.get_linewidth()[0] == 0.0
    assert colours(lines)[5] == "#000000"
    assert lines.get_linestyle()[5] != lines.get_linestyle()[1]
    display.png()
    theta.vector = 0.0
    nothing = DRAWING.from_network(net, theta)
    assert {width for part in nothing.connections_ for width in part.get_linewidth()} == {0.0}


def test_a_limit_makes_pictures_compare(net, theta):
    half = DRAWING.from_network(net, theta, limit=100.0)
    assert max(width for part in half.connections_ for width in part.get_linewidth()) < 0.3
    full = DRAWING.from_network(net, theta, limit=1e-9)
    assert {width for part in full.connections_ for width in part.get_linewidth()} == {THICKEST}


def test_wide_layers_have_dots(scattered):
    net = lw.Network(50, [13, 12], 3)
    theta = scattered(net)
    display = DRAWING.from_network(net, theta, max_units=5)
    assert [units.tolist() for units in display.shown] == [
        [0, 1, 2, 48, 49], [0, 1, 2, 11, 12], [0, 1, 2, 10, 11], [0, 1, 2],
    ]  # fmt: skip
    assert display.dots_ == [0, 1, 2]
    W = theta.W[1][np.ix_([0, 1, 2, 11, 12], [0, 1, 2, 48, 49])]
    assert colours(display.connections_[0]) == [TRAINING if w > 0 else VALIDATION for w in W.ravel()]
    gaps = -np.diff(display.places_[0][:, 1])
    assert gaps[2] > gaps[0] == pytest.approx(gaps[3])  # room for the dots
    assert "50 inputs\n" in [text.get_text() for text in display.ax_.texts]
    assert DRAWING.from_network(net).dots_ == [0, 1]


def test_tied_weights_are_drawn_in_both_layers(scattered):
    net = lw.Network(3, [2], 3, output="identity", tied=True)
    theta = scattered(net)
    display = DRAWING.from_network(net, theta)
    np.testing.assert_array_equal(display.weights[1], theta.W[1].T)
    assert len(display.connections_) == 2


def test_the_smallest_network():
    display = DRAWING.from_network(lw.Network(1, [], 1, output="identity"))
    assert [text.get_text() for text in display.ax_.texts] == ["1 input\n", "1 output\nidentity"]
    display.png()


def test_given_axes_and_plotting_again(net, theta):
    figure, axes = plt.subplots(1, 2)
    display = DRAWING.from_network(net, theta, ax=axes[0], title="mine", alpha=0.25)
    assert display.figure_ is figure
    assert axes[0].get_title() == "mine"
    assert display.connections_[0].get_alpha() == 0.25
    assert display.plot(axes[1]).ax_ is axes[1]
    assert len(display.connections_) == 3


@pytest.mark.parametrize(
    ("options", "words"), [({"max_units": 1}, ("max_units", "at least 2")), ({"limit": 0.0}, ("limit", "above 0"))]
)
def test_what_cannot_be(net, refuses, options, words):
    with refuses(SpecificationError, *words):
        DRAWING.from_network(net, **options)


def test_parameters_of_another_network(net, refuses):
    with refuses(InputError, "theta", "2-3-4-2"):
        DRAWING.from_network(net, lw.Network(2, [3], 2).initialize())


def test_without_matplotlib(net, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        DRAWING.from_network(net)
