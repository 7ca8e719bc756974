"""The flow graph: its steps are those of backpropagation, in their order, with the values of a trace."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError, SpecificationError
from layerwise.reports.figures import TRAINING, VALIDATION
from layerwise.reports.flow_graph import LATEST, PENDING
from layerwise.reports.flow_steps import written

GRAPH = lw.FlowGraphDisplay


@pytest.fixture
def net():
    return lw.Network(2, [3, 5], 2, hidden="tanh")


@pytest.fixture
def theta(net, scattered):
    return scattered(net)


def names(steps):
    return [name for step in steps for name in step.trace_names]


def test_steps_are_those_of_the_course_in_their_order(net):
    display = GRAPH.from_network(net)
    forward = [step for step in display.steps if step.phase == "fprop"]
    back = display.steps[len(forward) :]
    assert names(forward) == [("a", 1), ("h", 1), ("a", 2), ("h", 2), ("a", 3), ("f", 0), ("losses", 0)]
    assert names(back) == [
        ("grad_f", 0), ("grad_a", 3), ("grad_W", 3), ("grad_b", 3), ("grad_h", 2), ("grad_a", 2), ("grad_W", 2),
        ("grad_b", 2), ("grad_h", 1), ("grad_a", 1), ("grad_W", 1), ("grad_b", 1),
    ]  # fmt: skip
    formulas = {
        symbol: formula for step in display.steps for symbol, formula in zip(step.symbols, step.formulas, strict=True)
    }
    assert formulas["a^{(2)}"] == "b^{(2)} + W^{(2)} h^{(1)}"
    assert formulas["h^{(1)}"] == r"\mathrm{tanh}(a^{(1)})"
    assert formulas[r"\mathrm{grad}_{a}^{(3)}"] == "f - e(y)"
    assert formulas[r"\mathrm{grad}_{h}^{(1)}"] == r"W^{(2)}{}^{\top} \mathrm{grad}_{a}^{(2)}"
    assert formulas[r"\mathrm{grad}_{W}^{(1)}"] == r"\mathrm{grad}_{a}^{(1)} x{}^{\top}"
    assert not any(step.values for step in display.steps)


@pytest.mark.parametrize(
    ("output", "options"),
    [("softmax", {}), ("identity", {"batch_norm": True}), ("sigmoid", {}), ("absolute", {}), ("poisson", {})],
)
def test_values_are_those_of_a_trace(output, options, scattered, targets):
    net = lw.Network(2, [3, 4], 2, hidden="leaky_relu", output=output, **options)
    theta, X = scattered(net), np.array([[0.5, -1.0]])
    y = targets(net, 1)
    trace = net.trace(theta, X, y)
    display = GRAPH.from_network(net, theta, X, y)
    quantities = trace.quantities()
    told = {}
    for step in display.steps:
        for (name, k), value in zip(step.trace_names, step.values, strict=True):
            told[f"{name}[{k}]" if k else name] = value
    for name, value in told.items():
        expected = np.asarray(quantities[name])
        np.testing.assert_array_equal(value, expected.reshape(value.shape))
    missing = set(quantities) - set(told) - {"h[0]", "loss", "penalty", "grad_h[0]"}
    assert not missing
    display.png()


def test_tied_weights_are_named_by_the_layer_that_has_them():
    net = lw.Network(4, [2], 4, hidden="tanh", output="identity", tied=True)
    display = GRAPH.from_network(net, net.initialize(), np.ones(4), np.ones(4))
    last = next(node for node in display.nodes if node.symbol == "a^{(2)}")
    assert last.parameters == (r"W^{(1)}{}^{\top}", "b^{(2)}")
    grad_h = next(step for step in display.steps if step.trace_names == (("grad_h", 1),))
    assert grad_h.formulas == (r"W^{(1)} \mathrm{grad}_{a}^{(2)}",)


def test_without_a_target_there_is_no_loss_and_no_gradient(net, theta):
    display = GRAPH.from_network(net, theta, [0.5, -1.0])
    assert display.x == "(0.5, −1)"
    known = [step.trace_names[0][0] for step in display.steps if step.values]
    assert known == ["a", "h", "a", "h", "a", "f"]


def test_a_step_shows_how_far_it_has_come(net, theta):
    display = GRAPH.from_network(net, theta, [0.5, -1.0], 1, step=3)
    assert display.step == 3
    assert len(display.arrows_) == len(display.steps) == 16
    colours = [to_hex(arrow.get_edgecolor()).upper() for arrow in display.arrows_]
    pending = to_hex(PENDING).upper()
    assert colours == [TRAINING] * 3 + [pending] * 13
    widths = [arrow.get_linewidth() for arrow in display.arrows_]
    assert int(np.argmax(widths)) == 2
    backgrounds = [to_hex(box.get_facecolor()).upper() for box in display.boxes_]
    assert [i for i, colour in enumerate(backgrounds) if colour == LATEST] == [3]
    assert display.ax_.get_title() == "step 3 of 16, fprop: $a^{(2)}$"
    texts = {text.get_text() for text in display.ax_.texts}
    value = net.trace(theta, [[0.5, -1.0]], [1])
    assert written(value.a[2][0]) in texts
    assert written(value.f[0]) not in texts  # still to come

    display.plot(step=16)
    assert [to_hex(arrow.get_edgecolor()).upper() for arrow in display.arrows_] == [TRAINING] * 7 + [VALIDATION] * 9
    assert written(value.grad_a[1][0]) in {text.get_text() for text in display.ax_.texts}
    start = display.plot(step=0)
    assert start.ax_.get_title() == "step 0 of 16: x is given"
    assert {to_hex(arrow.get_edgecolor()).upper() for arrow in start.arrows_} == {pending}


def test_formulas_can_be_left_out(net):
    def said(display):
        return {str(artist.get_label()) for artist in display.ax_.get_children()}

    assert "$a^{(1)} = b^{(1)} + W^{(1)} x$" in said(GRAPH.from_network(net))
    short = said(GRAPH.from_network(net, formulas=False))
    assert {"$a^{(1)}$", r"$\mathrm{grad}_{a}^{(3)}$"} <= short
    assert not any(" = " in label for label in short)


def test_given_axes(net):
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    display = GRAPH.from_network(net, ax=axes[0], title="mine")
    assert display.figure_ is figure
    assert axes[0].get_title() == "mine"
    assert display.plot(axes[1]).ax_ is axes[1]
    display.png()


def test_numbers_are_written_out_or_as_their_norm():
    assert written(np.array(-0.5)) == "−0.5"
    assert written(np.array([1.0, 2.0, 1 / 3])) == "(1, 2, 0.333)"
    assert written(np.full((2, 2), 3.0)) == "norm 6"
    assert written(np.array([3.0, 4.0]), most=1) == "norm 5"


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (SpecificationError, {"step": 17}, ("step", "at most 16")),
        (SpecificationError, {"step": -1}, ("step",)),
        (SpecificationError, {"step": 1.5}, ("step", "whole")),
        (InputError, {"theta": None}, ("theta and X", "no theta")),
        (InputError, {"X": None}, ("theta and X", "theta alone")),
        (InputError, {"X": np.ones((2, 2))}, ("X", "one row", "2")),
        (InputError, {"X": np.ones(3)}, ("X", "2 columns")),
        (InputError, {"y": 2}, ("y", "class codes 0 to 1")),
        (InputError, {"y": [0, 1]}, ("y", "shape (1,)")),
    ],
)
def test_what_cannot_be(net, theta, refuses, kind, options, words):
    with refuses(kind, *words):
        GRAPH.from_network(net, **{"theta": theta, "X": np.ones(2), "y": 0} | options)


def test_parameters_of_another_network(net, refuses):
    with refuses(InputError, "theta", "2-3-5-2"):
        GRAPH.from_network(net, lw.Network(2, [3], 2).initialize(), np.ones(2))


def test_without_matplotlib(net, monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "pip install 'layerwise[plots]'"):
        GRAPH.from_network(net)
