"""What is timed: networks, batch sizes and updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Case:
    """One network trained with one batch size; ReLU, softmax and negative log-likelihood, float32."""

    sizes: tuple[int, ...]
    batch_size: int
    update: str
    steps: int

    @property
    def name(self) -> str:
        return "-".join(map(str, self.sizes)) + f", B={self.batch_size}" + (", Adam" if self.update == "adam" else "")

    @property
    def rate(self) -> float:
        return 0.001 if self.update == "adam" else 0.01

    def data(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return rows enough for one epoch of all steps."""
        generator = np.random.default_rng(0)
        n = self.steps * self.batch_size
        X = generator.normal(size=(n, self.sizes[0])).astype(np.float32)
        return X, generator.integers(0, self.sizes[-1], n)


CASES = (
    Case((32, 64, 64, 10), 1, "sgd", 300),
    Case((32, 64, 64, 10), 32, "sgd", 200),
    Case((32, 64, 64, 10), 256, "sgd", 60),
    Case((784, 100, 10), 1, "sgd", 200),
    Case((784, 100, 10), 32, "sgd", 100),
    Case((40, 256, 256, 256, 2), 256, "adam", 15),
    Case((784, 512, 512, 10), 256, "sgd", 8),
)
