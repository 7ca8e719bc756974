"""Derivations and outputs as pages show them."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise import proofs
from layerwise.errors import SpecificationError
from layerwise.notes import proof, trace_output
from layerwise.proofs import Claim, Derivation, Step
from layerwise.proofs.derivation import Point

pytest.importorskip("marimo")


def test_a_page_says_what_does_not_hold(monkeypatch):
    def claims(sp):
        x = sp.Symbol("x", real=True)
        return [Claim(x**2, abs(x))]

    def at(sp, x):
        return Point({}, {sp.Symbol("x", real=True): x})

    wrong = Derivation("wrong", "Wrong", {}, (Step("x^2 = |x|", "x^2 = |x|", "wishes", claims, ({},)),), at)
    monkeypatch.setitem(proofs.TABLE, "wrong", wrong)
    text = proof("wrong", numbers={"x": 3}).text
    assert "<strong>not proved</strong>" in text
    assert "<strong>9 is not 3</strong>" in text
    assert text.count("<td") == 4, "a bar in a formula ends no cell"


def test_an_unknown_derivation(refuses):
    with refuses(SpecificationError):
        proof("log_sum")


@pytest.mark.parametrize(("output", "y"), [("softmax", 1), ("sigmoid", [1.0, 0.0]), ("identity", [0.3, -2.0])])
def test_one_example_is_a_row(output, y):
    a = [0.5, -1.5]
    one, row = trace_output(a, y, output), trace_output([a], [y], output)
    assert np.array_equal(one.a[1], [a])
    assert np.array_equal(one.grad_a[1], row.grad_a[1])
    target = np.eye(2)[y] if output == "softmax" else y
    assert np.allclose(one.grad_a[1], one.f - target, atol=1e-15)


def test_numbers_of_float32():
    assert trace_output([0.1, 0.2], 0, dtype=np.float32).f.dtype == np.float32
