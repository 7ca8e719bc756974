"""What the tests of several folders share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.errors import LayerwiseError, SpecificationError
from layerwise.network import Network, Parameters

Refuses = Callable[..., AbstractContextManager[None]]
Scattered = Callable[..., Parameters]
Targets = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("LAYERWISE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "SHA256SUMS").is_file():
        pytest.skip(f"no data sets in {folder}")
    return folder


@pytest.fixture(scope="session")
def refuses() -> Refuses:
    """A block that must raise an error of exactly this kind, on one line, with all the given pieces."""

    @contextmanager
    def block(kind: type[LayerwiseError], *pieces: str) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        error = caught.value
        assert type(error) is kind
        assert "\n" not in str(error)
        for piece in (error.expected, error.got, error.remedy, *pieces):
            assert piece
            assert piece in str(error)

    return block


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """(action, words) -> the message of its SpecificationError: one line, with expected, got, remedy and the words."""

    def message(action: Callable[[], Any], *words: str) -> str:
        with pytest.raises(SpecificationError) as caught:
            action()
        text = str(caught.value)
        assert len(text.splitlines()) == 1
        for part in (caught.value.where, caught.value.expected, caught.value.got, caught.value.remedy, *words):
            assert part
            assert part in text
        return text

    return message


@pytest.fixture(scope="session")
def scattered() -> Scattered:
    """Parameters with no special values: biases, scales, shifts and running statistics are drawn too."""

    def parameters(net: Network, seed: int = 0, dtype: str = "float64") -> Parameters:
        generator = np.random.default_rng(seed)
        theta = net.initialize(seed)
        for arrays, low, high in (
            (theta.b, -0.5, 0.5), (theta.gamma, 0.5, 1.5), (theta.beta, -0.5, 0.5),
            (theta.running_mean, -0.5, 0.5), (theta.running_variance, 0.5, 2.0),
        ):  # fmt: skip
            for array in arrays.values():
                array[...] = generator.uniform(low, high, array.shape)
        return theta.astype(dtype)

    return parameters


@pytest.fixture(scope="session")
def same_in_a_fork() -> Callable[[str], None]:
    """A script defines `answer() -> bytes`: a child made by a fork gives what its parent gives.

    It runs in a Python of its own: libraries that other tests have loaded may have threads, and no fork is safe then.
    """
    ending = """
import os, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on it warns of forks beside threads
there, here = os.pipe()
child = os.fork()
if child == 0:
    signal.alarm(60)  # a child that hangs ends without an answer
    try:
        os.write(here, answer())
    finally:
        os._exit(0)
os.close(here)
with os.fdopen(there, "rb") as pipe:
    found = pipe.read()
os.waitpid(child, 0)
assert found and found == answer()
"""

    def run(script: str) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("there are no forks here")
        subprocess.run([sys.executable, "-c", script + ending], check=True, timeout=120)

    return run


@pytest.fixture(scope="session")
def targets() -> Targets:
    """Targets that the network's output can have."""

    def draw(net: Network, n: int, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        if net.output.target == "classes":
            return generator.integers(0, net.outputs, n)
        if net.output.target == "several classes":
            return generator.integers(0, net.output.groups, (n, net.targets))
        if net.output.target == "labels":
            return generator.integers(0, 2, (n, net.targets)).astype(np.float64)
        if net.output.target_range[0] == 0:
            return generator.poisson(1.5, (n, net.targets)).astype(np.float64)
        return generator.normal(size=(n, net.targets))

    return draw
