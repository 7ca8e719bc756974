"""What the tests of ops/ share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layerwise.ops import Expression
from layerwise.ops.numpy_ops import evaluate

STEP = 1e-6


@pytest.fixture(scope="session")
def derivative_along() -> Callable[..., Any]:
    """Central differences: (f, x, direction) -> the derivative of f at x along the direction."""

    def differences(f: Callable[[Any], Any], x: Any, direction: Any) -> Any:
        return (f(x + STEP * direction) - f(x - STEP * direction)) / (2 * STEP)

    return differences


@pytest.fixture(scope="session")
def value() -> Callable[..., Any]:
    """(function or expression, numbers or arrays) -> its values in float64."""

    def evaluated(formula: Any, *operands: Any) -> Any:
        return evaluate(formula if isinstance(formula, Expression) else Expression.trace(formula), operands)

    return evaluated


@pytest.fixture(scope="session")
def random_matrix() -> Callable[..., Any]:
    """(shape, seed) -> numbers that are neither near 0 nor near each other, so that no kink is met."""

    def numbers(*shape: int, seed: int = 0) -> Any:
        generator = np.random.default_rng([seed, *shape])
        grid = np.linspace(0.3, 2.5, int(np.prod(shape)))
        return (generator.permutation(grid) * generator.choice([-1.0, 1.0], grid.shape)).reshape(shape)

    return numbers
