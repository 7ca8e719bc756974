"""What the tests of rules/ share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

STEP = 1e-6


@pytest.fixture(scope="session")
def gradient() -> Callable[..., Any]:
    """Central differences: (f, x) -> the gradient of the number f(x) with respect to every entry of the array x."""

    def differences(f: Callable[[Any], Any], x: Any) -> Any:
        result = np.zeros_like(x)
        for index in np.ndindex(*x.shape):
            above, below = x.copy(), x.copy()
            above[index] += STEP
            below[index] -= STEP
            result[index] = (float(f(above)) - float(f(below))) / (2 * STEP)
        return result

    return differences


@pytest.fixture(scope="session")
def rows() -> Callable[..., Any]:
    """(shape, seed) -> normal random numbers."""

    def numbers(*shape: int, seed: int = 0) -> Any:
        return np.random.default_rng([seed, *shape]).normal(size=shape)

    return numbers
