"""What the tests of training share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest

from layerwise.network import Network

Refuses = Callable[..., AbstractContextManager[None]]
Sample = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="session")
def sample() -> Sample:
    """Rows, and targets that depend on them in one way for every seed, for any output."""

    def draw(net: Network, n: int = 23, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        X = np.random.default_rng(seed).normal(size=(n, net.inputs))
        f = np.tanh(X @ np.random.default_rng(99).normal(size=(net.inputs, net.outputs)) * 2)
        if net.output.target == "classes":
            return X, f.argmax(axis=1)
        if net.output.target == "several classes":
            parts = np.split(f, np.cumsum(net.output.groups)[:-1], axis=1)
            return X, np.stack([part.argmax(axis=1) for part in parts], axis=1)
        f = f[:, : net.targets]
        if net.output.target == "numbers" and net.output.target_range[0] == 0:
            return X, np.floor(4 * np.abs(f))
        return X, (f > 0).astype(float) if net.output.target == "labels" else f

    return draw


@pytest.fixture
def after_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines ask whether to go on after every batch, however short the time."""
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0)


@pytest.fixture
def usual_handler() -> Iterator[None]:
    """Ctrl-C as Python sets it up, whatever runs the tests; and it must be so again afterwards."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
