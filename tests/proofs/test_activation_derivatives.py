"""The derivatives of the activations: from the library's own formulas, and equal to what it computes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.ops import Expression
from layerwise.ops.numpy_ops import evaluate
from layerwise.ops.symbols import PRIMITIVES
from layerwise.proofs.formulas import primitives, to_sympy
from layerwise.rules.activations import TABLE

DERIVATION = lw.proofs.activation_derivatives


def test_every_activation_has_a_step():
    assert [step.text.split(":")[0] for step in DERIVATION.steps] == list(TABLE)
    assert "each piece by itself" not in [step.reason for step in DERIVATION.steps]


@pytest.mark.parametrize("a", [-3.25, -0.5, 0.75, 2.0])
def test_numbers_are_those_of_the_library(a):
    for line, row in zip(DERIVATION.check(a=a), TABLE.values(), strict=True):
        assert line.agrees
        point = np.array([a])
        slope = evaluate(row.derivative, [point, evaluate(row.g, [point])])
        np.testing.assert_allclose(line.left, np.ravel(slope), rtol=1e-12)


def test_at_zero_nothing_is_checked():
    with pytest.raises(SpecificationError, match="a: expected a number other than 0, got 0; at 0 some"):
        DERIVATION.check(a=0.0)


def test_smooth_ones_are_proved_at_zero_too():
    for step, row in zip(DERIVATION.steps, TABLE.values(), strict=True):
        assert len(step.claims()) == (2 if row.kinks else 4)


def test_no_size_is_taken():
    with pytest.raises(SpecificationError, match="prove: expected no size, got C; leave it out"):
        DERIVATION.prove(C=3)


# --- formulas in SymPy ------------------------------------------------------------------------------------------------


def test_every_primitive_has_a_meaning():
    assert set(primitives()) == set(PRIMITIVES)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_formula_in_sympy_has_the_values_of_the_formula(row):
    a = sympy.Symbol("a", real=True)
    formula = to_sympy(row.g, {"a": a})
    for point in (-2.5, -0.25, 0.0, 1.5):
        assert float(formula.subs(a, sympy.Rational(point)).evalf(25)) == pytest.approx(
            float(evaluate(row.g, [np.array([point])])[0]), rel=1e-14, abs=1e-16
        )


def test_comparisons_are_decided_where_assumptions_do():
    positive, negative = sympy.Symbol("p", positive=True), sympy.Symbol("n", negative=True)
    real = sympy.Symbol("r", real=True)
    less = Expression.trace(lambda s, x, y: s.less(x, y))
    one = sympy.Integer(1)
    for x, y, value in [(negative, positive, 1), (positive, negative, 0), (sympy.exp(negative), one, 1),
                        (one, sympy.exp(negative), 0)]:  # fmt: skip
        assert to_sympy(less, {"x": x, "y": y}) == value
    assert to_sympy(less, {"x": real, "y": one}).has(sympy.Piecewise)
    assert to_sympy(less, {"x": sympy.exp(negative), "y": -negative}).has(sympy.Piecewise)
