"""Gradients through a layer: what the derivation ends in is what a trace of a network holds."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError

DERIVATION = lw.proofs.hidden_layers
LAYER = {"W": [[0.5, -1.0], [2.0, 0.25]], "b": [0.1, -0.2], "a": [0.3, -0.7], "grad_a": [1.0, -0.5]}


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "gelu"])
def test_numbers_are_those_of_a_trace(hidden):
    net = lw.Network(2, [2, 3], 2, hidden=hidden, output="softmax")
    theta = net.initialize(seed=3)
    t = net.trace(theta, np.array([[0.75, -1.25]]), np.array([1]))
    for k in (2, 3):
        lines = DERIVATION.check(W=theta.W[k], b=theta.b[k], a=t.a[k - 1][0], grad_a=t.grad_a[k][0], g=hidden)
        assert all(line.agrees for line in lines)
        named = {line.step.text.split("^")[0]: line.right for line in lines if line.step.text.startswith("grad_")}
        computed = {
            "grad_h": t.grad_h[k - 1][0], "grad_a": t.grad_a[k - 1][0], "grad_W": t.grad_W[k], "grad_b": t.grad_b[k],
        }  # fmt: skip
        assert set(named) == set(computed)
        for name, values in computed.items():
            np.testing.assert_allclose(named[name], np.ravel(values), rtol=1e-12, atol=1e-15)


def test_an_activation_of_ones_own():
    lines = DERIVATION.check(**LAYER, g=lambda s, a: a * s.tanh(a))
    assert all(line.agrees for line in lines)


def test_layers_of_other_sizes_are_proved_when_asked():
    assert all(DERIVATION.prove(d_out=2, d_in=4))
    assert all(DERIVATION.prove(d_out=1, d_in=1))
    assert all(line.agrees for line in DERIVATION.check(W=[[0.5, 2.0]], b=[1.0], a=[-0.25, 0.5], grad_a=[3.0]))
    assert [dict(size) for size in DERIVATION.steps[0].sizes] == [
        {"d_out": 2, "d_in": 2}, {"d_out": 2, "d_in": 3}, {"d_out": 3, "d_in": 2}, {"d_out": 3, "d_in": 3},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"W": [[1.0, 2.0], [3.0]]}, "W: expected rows of numbers, all of one length"),
        ({"W": 1.0}, "W: expected rows of numbers"),
        ({"b": [1.0]}, "b: expected 2 numbers, got 1"),
        ({"a": [1.0, 2.0, 3.0]}, "a: expected 2 numbers, got 3"),
        ({"a": [1.0, 0.0]}, "a: expected a number other than 0"),
        ({"g": "tahn"}, "did you mean 'tanh'?"),
    ],
)
def test_what_does_not_fit_is_refused(numbers, words):
    with pytest.raises(SpecificationError) as caught:
        DERIVATION.check(**{**LAYER, **numbers})
    assert words in str(caught.value)
