"""What is timed: networks, batch sizes and updates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

import layerwise as lw

Array = npt.NDArray[Any]


@final
@dataclass(frozen=True)
class Case:
    """A network with a batch size and an update; ReLU, softmax and negative log-likelihood, float32.

    Attributes
    ----------
    sizes : tuple of int
        n_0 ... n_L.
    batch_size : int
        Rows of a step.
    steps : int
        Steps of a timed epoch, at most: enough that the fixed costs of a call of the fastest peer do not show.
        Slower peers take fewer.
    update : {"sgd", "adam"}
    task : {"train", "predict"}
        With "predict" a step is the prediction of one row.
    networks : int
        Independent networks (seeds 0, 1, ...) trained on the same rows; a step is one of each.
    seconds : float
        How long a timed epoch may take a slower peer, roughly.
    """

    sizes: tuple[int, ...]
    batch_size: int
    steps: int
    update: Literal["sgd", "adam"] = "sgd"
    task: Literal["train", "predict"] = "train"
    networks: int = 1
    seconds: float = 0.1

    @property
    def name(self) -> str:
        """What tables call it, and what ``--case`` looks in."""
        shape = "-".join(map(str, self.sizes))
        if self.task == "predict":
            return f"predict one row, {shape}"
        many = f"{self.networks} x " if self.networks > 1 else ""
        return f"{many}{shape}, B={self.batch_size}" + (", Adam" if self.update == "adam" else "")

    @property
    def rate(self) -> float:
        """The update's rate: as large as inputs of mean square 1 allow, so that the loss moves within a few steps."""
        return 0.001 if self.update == "adam" else 0.1 * math.sqrt(self.batch_size) / self.sizes[0]

    @property
    def check_steps(self) -> int:
        """Steps of the epoch on which the losses of all peers are compared; three equal stretches."""
        return 300 if self.batch_size == 1 else 30

    @property
    def n_parameters(self) -> int:
        """P, of one network."""
        return sum((before + 1) * after for before, after in pairwise(self.sizes))

    def network(self) -> lw.Network:
        """Return the network, without parameters."""
        return lw.Network(self.sizes[0], self.sizes[1:-1], self.sizes[-1], hidden="relu", output="softmax")

    def problem(self) -> Problem:
        """Draw rows for one epoch; the class is that of a random linear map, so that there is something to learn."""
        generator = np.random.default_rng(0)
        n = 64 if self.task == "predict" else max(self.steps, self.check_steps) * self.batch_size
        X = generator.standard_normal((n, self.sizes[0]), dtype=np.float32)
        directions = generator.standard_normal((self.sizes[0], self.sizes[-1]), dtype=np.float32)
        y = (X @ directions).argmax(axis=1)
        y[: self.sizes[-1]] = np.arange(self.sizes[-1])  # however few rows are taken, they show every class
        return Problem(self, X, y)


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """A case with its rows, and the seed of the initial parameters.

    Attributes
    ----------
    case : Case
    X : array (n, n_0) of float32
    y : array (n,) of int64
    seed : int
    """

    case: Case
    X: Array
    y: Array
    seed: int = 0

    def of_network(self, k: int) -> Problem:
        """Return the problem of the k-th of several networks (0, 1, ...)."""
        return replace(self, seed=k)

    def initial(self) -> list[tuple[Array, Array]]:
        """Return W (d_out, d_in) and b (d_out,) of every layer as all peers start from; new arrays at each call."""
        theta = self.case.network().initialize(seed=self.seed, dtype="float32")
        return [(theta.W[k].copy(), theta.b[k].copy()) for k in range(1, len(self.case.sizes))]


CASES = (
    Case((32, 64, 64, 10), 1, steps=50_000),
    Case((32, 64, 64, 10), 32, steps=4000),
    Case((32, 64, 64, 10), 256, steps=600),
    Case((784, 100, 10), 1, steps=10_000),
    Case((784, 100, 10), 32, steps=700),
    Case((40, 256, 256, 256, 2), 256, steps=40, update="adam"),
    Case((784, 512, 512, 10), 256, steps=20),
    Case((784, 100, 10), 1, steps=20_000, task="predict"),
    Case((32, 64, 64, 10), 32, steps=1000, networks=64, seconds=0.5),
)
