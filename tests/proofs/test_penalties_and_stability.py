"""Penalties, shifts and log-sum-exp: what the derivations end in is what the library computes."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.ops import NumpyOps
from layerwise.proofs.algebra import vanishes
from layerwise.rules.outputs.classes import softmax_forward, softmax_losses
from layerwise.rules.penalties import penalty_backward

W = np.array([[0.5, -1.25, 2.0], [-0.75, 0.125, -3.0]])
LOGITS = pytest.mark.parametrize("a", [[0.5, -1.0], [2.0, -0.5, 0.25], [1000.0, -1000.0, 0.0, 999.0]], ids=len)


def test_gradients_of_penalties_are_those_of_the_library():
    lines = lw.proofs.penalties.check(W=W, strength=0.25)
    assert all(line.agrees for line in lines)
    for first, penalty in ((0, lw.L2(0.25)), (2, lw.L1(0.25))):
        gradient = penalty_backward(NumpyOps(), penalty, W, np.zeros_like(W), [0.25]).ravel()
        for line in lines[first : first + 2]:
            np.testing.assert_allclose(line.right, gradient, rtol=1e-14)


def test_l1_is_refused_at_zero():
    with pytest.raises(SpecificationError, match="W: expected a number other than 0, got 0; at 0 L1 has no derivative"):
        lw.proofs.penalties.check(W=[[0.0, 1.0]])


@LOGITS
def test_softmax_is_that_of_the_library(a):
    lines = lw.proofs.softmax_is_shift_invariant.check(a=a, s=-2.5)
    assert all(line.agrees for line in lines)
    np.testing.assert_allclose(lines[-1].right, softmax_forward(NumpyOps(), np.array([a]))[0], rtol=1e-13, atol=1e-300)


@LOGITS
def test_the_loss_is_that_of_the_library(a):
    for y in range(len(a)):
        lines = lw.proofs.log_sum_exp.check(a=a, y=y)
        assert all(line.agrees for line in lines)
        loss = softmax_losses(NumpyOps(), np.array([a]), np.array([y]))
        np.testing.assert_allclose(lines[-1].right, loss[0], rtol=1e-13)
        assert all(line.agrees for line in lw.proofs.log_sum_exp.check(a=a, y=y, m=3.5))


def test_pieces_are_taken_side_by_side():
    sympy = pytest.importorskip("sympy")
    w, v = sympy.symbols("w v", real=True)
    assert vanishes(sympy.Abs(w) - w * sympy.sign(w))
    assert vanishes(sympy.Abs(w * v) - sympy.Abs(w) * sympy.Abs(v))
    assert not vanishes(sympy.Abs(w) - w)
    assert not vanishes(sympy.Abs(w) + w)
    assert not vanishes(sympy.sign(w) - sympy.sign(v))
