"""What the tests of gradients share: parameters with no special values, targets, and proof that theta stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest

from layerwise.network import Parameters

Scattered = Callable[..., Parameters]
Targets = Callable[..., np.ndarray]
Unchanged = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session")
def unchanged() -> Unchanged:
    """A block after which theta and its statistics have the bits that they had before."""

    @contextmanager
    def block(theta: Parameters) -> Iterator[None]:
        before = theta.vector.tobytes(), theta.statistics.tobytes()
        yield
        assert (theta.vector.tobytes(), theta.statistics.tobytes()) == before

    return block
