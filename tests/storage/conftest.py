"""What the tests of storage/ share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from layerwise.errors import StorageError
from layerwise.network import Network
from layerwise.training.fit import Model
from layerwise.training.history import History, Record

MakeModel = Callable[..., Model]
Refuses = Callable[..., AbstractContextManager[None]]
Tree = Callable[[Path], dict[str, bytes | None]]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A model whose parameters and statistics have no special values."""

    def make(net: Network, dtype: str = "float32", seed: int = 0) -> Model:
        generator = np.random.default_rng(seed)
        theta = net.initialize(seed)
        theta.vector += generator.normal(0.0, 0.3, theta.vector.shape)
        theta.statistics += generator.uniform(0.1, 0.9, theta.statistics.shape)
        record = Record(1, 7, 0.1, 0.7, 0.5, 0.01, 0.71, 1.5, None, 0.6, 0.8, 0.01)
        return Model(net, theta.astype(dtype), History(net.output.metric, [record]))

    return make


@pytest.fixture(scope="session")
def refuses() -> Refuses:
    """A block that must raise a StorageError on one line with all the given pieces."""

    @contextmanager
    def block(*pieces: str) -> Iterator[None]:
        with pytest.raises(StorageError) as caught:
            yield
        error = caught.value
        assert "\n" not in str(error)
        for piece in (error.expected, error.got, error.remedy, *pieces):
            assert piece
            assert piece in str(error)

    return block


@pytest.fixture(scope="session")
def tree() -> Tree:
    """Everything in a folder, hidden names included: path to content, None for folders."""

    def everything(folder: Path) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return everything
