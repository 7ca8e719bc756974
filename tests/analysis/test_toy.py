"""The small data sets: where their points lie, and that a seed decides them."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError

SETS = [lw.analysis.xor, lw.analysis.circles, lw.analysis.moons, lw.analysis.spirals]


@pytest.mark.parametrize("draw", SETS)
def test_shapes_classes_and_seeds(draw):
    X, y = draw(101, seed=3)
    assert X.shape == (101, 2)
    assert y.dtype == np.int64
    assert 49 <= y.sum() <= 52
    np.testing.assert_array_equal(X, draw(101, seed=3)[0])
    assert not np.array_equal(X, draw(101, noise=0.5, seed=4)[0])


@pytest.mark.parametrize("draw", SETS)
@pytest.mark.parametrize("setting", [{"n": 1}, {"noise": -0.1}, {"seed": -1}])
def test_wrong_settings(draw, setting):
    with pytest.raises(SpecificationError, match=next(iter(setting))):
        draw(**setting)


def test_xor_is_the_sign_of_the_product():
    X, y = lw.analysis.xor(400, noise=0.1)
    np.testing.assert_array_equal(y, X[:, 0] * X[:, 1] < 0)


def test_circles_and_spirals_without_noise():
    X, y = lw.analysis.circles(50, noise=0, inner=0.25)
    np.testing.assert_allclose(np.hypot(*X.T), np.where(y == 1, 0.25, 1.0))
    X, y = lw.analysis.spirals(200, turns=2)
    radius = np.hypot(*X.T)
    angle = 2 * np.pi * 2 * (radius - 0.1) / 0.9 + np.pi * y
    np.testing.assert_allclose(X, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), atol=1e-12)
