"""Penalties: values by hand, gradients against differences, sums of terms, and a user's own."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.ops import Expression, NumpyOps
from layerwise.rules.penalties import L1, L2, Penalty, penalty_backward, penalty_forward

OPS = NumpyOps()
WEIGHTS = [np.array([[1.0, -2.0], [0.5, 0.25], [-3.0, 1.5]]), np.array([[4.0, -1.0, 0.125]])]
ABSOLUTE = 1 + 2 + 0.5 + 0.25 + 3 + 1.5 + 4 + 1 + 0.125
SQUARES = 1 + 4 + 0.25 + 0.0625 + 9 + 2.25 + 16 + 1 + 0.015625
CHOICES = {
    "l1": L1(0.3),
    "l2": L2(0.7),
    "both": L1(0.3) + L2(0.7),
    "twice the same": L2(0.2) + L2(0.5),
    "own": Penalty.own(0.4, lambda s, w: s.log1p(w * w)),
    "three": L1(0.1) + Penalty.own(2.0, lambda s, w: s.sqrt(1 + w * w)) + L2(1e-3),
}


def strengths(penalty):
    return [term.strength for term in penalty.terms]


def value(penalty, weights=WEIGHTS):
    result = penalty_forward(OPS, penalty, weights, strengths(penalty))
    assert result.shape == (1,)
    return float(result[0])


def test_values_by_hand():
    assert value(L1(0.3)) == pytest.approx(0.3 * ABSOLUTE, rel=1e-15)
    assert value(L2(0.7)) == pytest.approx(0.7 * SQUARES, rel=1e-15)
    assert value(L1(0.3) + L2(0.7)) == pytest.approx(0.3 * ABSOLUTE + 0.7 * SQUARES, rel=1e-15)
    assert value(L2(0.2) + L2(0.5)) == pytest.approx(value(L2(0.7)), rel=1e-14)


def test_gradients_by_hand():
    W, zero = WEIGHTS[0], np.zeros((3, 2))
    np.testing.assert_array_equal(penalty_backward(OPS, L2(0.5), W, zero, [0.5]), W)
    np.testing.assert_array_equal(
        penalty_backward(OPS, L1(0.5), W, zero, [0.5]), [[0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]
    )


@pytest.mark.parametrize("name", CHOICES)
def test_gradients_against_differences(rows, gradient, name):
    penalty = CHOICES[name]
    for W in WEIGHTS:
        before = rows(*W.shape)
        numeric = gradient(lambda W: value(penalty, [W]), W)
        analytic = penalty_backward(OPS, penalty, W, before, strengths(penalty))
        np.testing.assert_allclose(analytic, before + numeric, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CHOICES)
def test_the_hand_written_slope_is_the_differentiated_one(rows, name):
    for term in CHOICES[name].terms:
        W = rows(4, 4)
        np.testing.assert_allclose(
            OPS.map(term.slope, W), OPS.map(term.omega.derivative(term.omega.inputs[0]), W), rtol=1e-14
        )


def test_l1_pulls_nothing_at_zero():
    grad = penalty_backward(OPS, L1(1.0), np.array([[0.0, -0.0, 1e-300]]), np.zeros((1, 3)), [1.0])
    np.testing.assert_array_equal(grad, [[0, 0, 1]])


def test_strengths_may_change_from_step_to_step():
    """The engine passes them; those of the terms are only where they start."""
    assert float(penalty_forward(OPS, L2(1.0), WEIGHTS, [0.25])[0]) == pytest.approx(0.25 * SQUARES, rel=1e-15)
    np.testing.assert_array_equal(penalty_backward(OPS, L2(1.0), WEIGHTS[1], np.zeros((1, 3)), [0.25]), WEIGHTS[1] / 2)
    with pytest.raises(ValueError, match="zip"):
        penalty_forward(OPS, L2(1.0), WEIGHTS, [0.25, 0.25])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_penalties_keep_the_type_of_the_weights(dtype):
    ops, weights = NumpyOps(dtype), [W.astype(dtype) for W in WEIGHTS]
    for penalty in CHOICES.values():
        assert penalty_forward(ops, penalty, weights, strengths(penalty)).dtype == dtype
        assert penalty_backward(ops, penalty, weights[0], weights[0], strengths(penalty)).dtype == dtype


def test_a_sum_keeps_its_terms_in_order():
    penalty = L1(0.1) + L2(0.2) + L1(0.3)
    assert [(term.name, term.strength) for term in penalty.terms] == [("l1", 0.1), ("l2", 0.2), ("l1", 0.3)]
    assert Penalty() + L2(1.0) == L2(1.0)
    assert L1(0.1) + L2(0.2) == L1(0.1) + L2(0.2)
    assert hash(L1(0.1) + L2(0.2)) == hash(L1(0.1) + L2(0.2))


def test_no_terms_change_nothing():
    np.testing.assert_array_equal(penalty_backward(OPS, Penalty(), WEIGHTS[0], WEIGHTS[0], []), WEIGHTS[0])


@pytest.mark.parametrize("strength", [0, 0.0, 1, 1e-9, np.float64(0.5), np.float32(0.5)])
def test_strengths_that_are_fine(strength):
    for made in (L1(strength), L2(strength), Penalty.own(strength, lambda s, w: w * w)):
        assert strengths(made) == [float(strength)]


@pytest.mark.parametrize("strength", [-1e-9, float("nan"), float("inf"), "0.1", None, True])
def test_strengths_that_are_refused(refused, strength):
    for make in (L1, L2, lambda strength: Penalty.own(strength, lambda s, w: w)):
        refused(lambda make=make: make(strength), repr(strength), "at least 0")


def test_an_own_penalty_may_be_an_expression():
    formula = Expression.trace(lambda s, v: s.abs(v) + v * v)
    assert value(Penalty.own(0.5, formula)) == pytest.approx(0.5 * (ABSOLUTE + SQUARES), rel=1e-15)
    assert Penalty.own(0.5, formula, name="elastic").terms[0].name == "elastic"


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda s: 1.0, "0 arguments"),
        (lambda s, w, v: w, "2 arguments"),
        (lambda s, w: (w, w), "1 arguments and 2 results"),
    ],
)
def test_an_own_penalty_has_one_argument_and_one_result(refused, function, got):
    refused(lambda: Penalty.own(1.0, function), got, "write lambda s, w: ...")
