"""The table of activation functions: curves are those of the mathematics, formulas are those of the library."""

from __future__ import annotations

import math
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import MissingExtraError, SpecificationError
from layerwise.ops.numpy_ops import evaluate
from layerwise.reports.activation_rows import TEXTBOOK, activation_rows
from layerwise.rules.activations import TABLE

DISPLAY = lw.ActivationDisplay

#: g and g' by hand.
BY_HAND = {
    "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "softplus": (lambda a: np.log(1 + np.exp(a)), lambda a: 1 / (1 + np.exp(-a))),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_curves_of_one(name):
    display = DISPLAY.from_activations(name)
    g, slope = display.lines_[0]
    for line, truth in ((g, BY_HAND[name][0]), (slope, BY_HAND[name][1])):
        x, y = line.get_data()
        seen = np.isfinite(y)
        assert seen.mean() > 0.95
        np.testing.assert_allclose(y[seen], truth(x[seen]), atol=1e-12)
    assert display.ax_.get_xlim() == (-4.0, 4.0)
    assert f"g(a) = {activation_rows(name)[0].mathtext()[0]}" in display.ax_.get_legend().get_texts()[0].get_text()


def test_the_whole_table_in_one_axes():
    display = DISPLAY.from_activations()
    assert [row.name for row in display.rows] == list(TABLE)
    assert len(display.figure_.axes) == 1
    texts = " ".join(text.get_text() for text in display.ax_.texts)
    for name in TABLE:
        assert f"{name}: " in texts
    assert "sigmoid: 0 to 1" in texts
    assert "relu: 0 to ∞ with a kink" in texts
    # Curves of a panel, seen in the scale of the panel: where tanh is 0, and 1/2 above it where g is 1/2.
    (tanh, _), (linear, _) = (display.lines_[list(TABLE).index(name)] for name in ("tanh", "linear"))
    y, h = tanh.get_ydata(), np.tanh(display.a)
    per_unit = np.polyfit(h, y, 1)[0]
    np.testing.assert_allclose(y, y[np.argmin(np.abs(h))] + per_unit * (h - h[np.argmin(np.abs(h))]), atol=1e-9)
    seen = np.isfinite(linear.get_ydata())
    assert (np.abs(display.a[seen]) <= 3.1).all()  # a = -4 is below what is seen
    np.testing.assert_allclose(np.polyfit(display.a[seen][1:-1], linear.get_ydata()[seen][1:-1], 1)[0], per_unit)


def test_the_slope_jumps_at_a_kink_and_the_value_there_is_marked():
    display = DISPLAY.from_activations("leaky_relu")
    (slopes,) = display.slopes
    at = np.flatnonzero(np.isnan(slopes))
    assert display.a[at].tolist() == [0.0]
    assert (slopes[at - 1], slopes[at + 1]) == (0.01, 1.0)
    assert [line.get_xydata().tolist() for line in display.kinks_] == [[[0.0, 0.01]]]
    assert not DISPLAY.from_activations("elu").kinks_
    assert not DISPLAY.from_activations("relu", limits=(1, 2)).kinks_
    assert len(DISPLAY.from_activations(["relu", "selu", "tanh"]).kinks_) == 2


@pytest.mark.parametrize("name", TEXTBOOK)
def test_what_textbooks_write_is_what_the_library_computes(name):
    a = np.linspace(-5, 5, 301)
    row = activation_rows(name)[0]
    h = evaluate(TABLE[name].g, [a])
    np.testing.assert_allclose(evaluate(row.g, [a]), h, atol=1e-4)  # constants are rounded for print
    slope = evaluate(TABLE[name].derivative, [a, h])
    np.testing.assert_allclose(evaluate(row.derivative, [a, h]), slope, atol=1e-4)


def test_the_table_as_data():
    table = DISPLAY.from_activations().table
    assert [row["name"] for row in table] == list(TABLE)
    rows = {row["name"]: row for row in table}
    assert rows["sigmoid"]["g"] == r"\frac{1}{1 + e^{-a}}"
    assert rows["sigmoid"]["g'"] == TABLE["sigmoid"].derivative.latex()
    assert rows["relu"]["kinks"] == "a = 0, where g' = 0"
    assert rows["gelu"]["range"] == "−0.17 to ∞"
    assert rows["tanh"]["kinks"] == "none"
    for row in activation_rows():
        assert row.range == TABLE[row.name].range
        assert row.kinks == TABLE[row.name].kinks


def test_a_formula_of_the_user():
    display = DISPLAY.from_activations(lambda s, a: a * a + 1)
    g, slope = display.lines_[0]
    np.testing.assert_allclose(g.get_ydata(), display.a**2 + 1)
    np.testing.assert_allclose(slope.get_ydata(), 2 * display.a, atol=1e-12)
    assert display.table[0]["g"] == "a^2 + 1"
    assert display.table[0]["range"] == display.table[0]["kinks"] == "not known"
    assert display.rows[0].range is None
    other = lw.Activation.own(lambda s, a: s.cos(a), name="sigmoid")  # a name that is taken
    assert DISPLAY.from_activations(other).table[0]["g"] == r"\cos(a)"
    beside = DISPLAY.from_activations(["tanh", other, lw.expression(lambda s, a: s.min(a, 1))])
    assert [row.name for row in beside.rows] == ["tanh", "sigmoid", "own"]


def test_what_is_not_finite_is_not_drawn():
    display = DISPLAY.from_activations(lambda s, a: s.log(a))
    g = display.lines_[0][0].get_ydata()
    assert np.isnan(g[display.a <= 0]).all()
    assert np.isfinite(g[display.a > 0]).all()
    display.png()
    nothing = DISPLAY.from_activations(lambda s, a: s.log(a), limits=(-4, -1), heights=(0, 1))
    assert np.isnan(nothing.lines_[0][0].get_ydata()).all()
    nothing.png()


def test_constants_and_long_formulas_can_be_drawn():
    flat = DISPLAY.from_activations(lambda s, a: 0 * a)
    assert flat.heights == (-0.5, 0.5)

    def long(s, a):
        for _ in range(8):
            a = s.tanh(a) + 0.125
        return a

    display = DISPLAY.from_activations(long)
    assert display.rows[0].mathtext()[1] == ""
    assert display.ax_.get_legend().get_texts()[1].get_text() == "$g'(a)$"
    display.png()


def test_heights_limits_and_columns():
    display = DISPLAY.from_activations(["tanh", "relu"], limits=(-1, 2), heights=(0, 1), n_columns=1)
    assert (display.a[0], display.a[-1]) == (-1, 2)
    (first, _), (second, _) = display.lines_
    assert np.nanmax(second.get_ydata()) < np.nanmin(first.get_ydata())  # one above the other
    assert display.heights == (0, 1)
    assert "from −1 to 2" in display.ax_.get_title()


def test_given_axes():
    figure, axes = plt.subplots(1, 2)
    display = DISPLAY.from_activations(ax=axes[0], title="mine", linewidth=0.5)
    assert display.figure_ is figure
    assert axes[0].get_title() == "mine"
    assert {line.get_linewidth() for pair in display.lines_ for line in pair} == {0.5}
    alone = DISPLAY.from_activations("tanh", ax=axes[1])
    assert alone.ax_ is axes[1]
    display.png()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activations": "sigmoidal"}, ("activation", "'sigmoidal'")),
        ({"activations": 3}, ("activation", "int")),
        ({"activations": []}, ("activations", "at least one")),
        ({"limits": (1, 1)}, ("limits", "low < high")),
        ({"limits": 4}, ("limits", "got 4")),
        ({"heights": (0, math.inf)}, ("heights",)),
        ({"n_columns": 0}, ("n_columns",)),
    ],
)
def test_what_cannot_be(refuses, options, words):
    with refuses(SpecificationError, *words):
        DISPLAY.from_activations(**options)


def test_without_matplotlib(monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        DISPLAY.from_activations()
