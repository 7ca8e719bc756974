"""What a peer is: a name, and functions that make it ready for a case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, final

import numpy as np

from ..cases import Array, Problem

#: Stretches of an epoch whose mean losses are compared.
STRETCHES = 3


class Work(ABC):
    """A case made ready for one peer: arrays in its own form, the initial parameters at hand.

    Attributes
    ----------
    networks : int
        How many of the case's networks it trains; times are scaled to all of them.
    """

    networks: int = 1

    @abstractmethod
    def run(self, steps: int) -> None:
        """Train one epoch of this many steps from the initial parameters, or predict this many rows; this is timed."""

    @abstractmethod
    def results(self, steps: int) -> Array:
        """Return what must agree with other peers.

        Returns
        -------
        array (networks, 3) or (rows, outputs)
            The mean loss of each third of an epoch of `steps` steps; or predicted rows.
        """


@final
class StepByStep(Work):
    """A peer that can tell the loss of every step of an epoch.

    Parameters
    ----------
    losses : callable (steps) -> array (..., steps)
        Trains an epoch from the initial parameters.
    networks : int
    """

    def __init__(self, losses: Callable[[int], Array], networks: int = 1) -> None:
        self.losses, self.networks = losses, networks

    def run(self, steps: int) -> None:
        self.losses(steps)

    def results(self, steps: int) -> Array:
        losses = np.asarray(self.losses(steps), np.float64)
        means: Array = losses.reshape(-1, STRETCHES, steps // STRETCHES).mean(axis=2)
        return means


@final
class InTurn(Work):
    """Networks one after the other."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.works, self.networks = works, len(works)

    def run(self, steps: int) -> None:
        for work in self.works:
            work.run(steps)

    def results(self, steps: int) -> Array:
        return np.concatenate([work.results(steps) for work in self.works])


@final
class Rows(Work):
    """Predictions of one row after the other.

    Parameters
    ----------
    predict : callable (row (1, n_0)) -> row (1, n_L)
        Returns when the result is there.
    rows : sequence of rows, in the peer's own form
    """

    def __init__(self, predict: Callable[[Any], Any], rows: Sequence[Any]) -> None:
        self.predict, self.rows = predict, rows

    def run(self, steps: int) -> None:
        predict = self.predict
        for row in islice(cycle(self.rows), steps):
            predict(row)

    def results(self, steps: int) -> Array:
        return np.concatenate([np.asarray(self.predict(row), np.float64) for row in self.rows])


Ready = Callable[[Problem], Work]


def in_turn(train: Ready, networks: int | None = None) -> Ready:
    """Return how a peer trains the first so many of a case's networks (all by default), one after the other."""

    def ready(problem: Problem) -> Work:
        count = min(networks or problem.case.networks, problem.case.networks)
        return InTurn([train(problem.of_network(k)) for k in range(count)])

    return ready


def rows_of(problem: Problem) -> list[Array]:
    """Return the rows to predict, (1, n_0) each."""
    return [np.ascontiguousarray(problem.X[i : i + 1]) for i in range(len(problem.X))]


@final
@dataclass(frozen=True)
class Peer:
    """One way to train and to predict.

    Attributes
    ----------
    name : str
        What tables and ``--peers`` call it.
    missing : callable () -> str
        Why it cannot run here, in a few words; "" if it can.
    versions : callable () -> dict of str to str
        Its libraries' versions.
    train, predict, train_many : callable (Problem) -> Work, or None
        How it is made ready for a case of that kind; None if it leaves that kind out.
    whole_epochs : bool
        It compiles an epoch of one length, so it is given the case's own number of steps.
    """

    name: str
    missing: Callable[[], str]
    versions: Callable[[], dict[str, str]]
    train: Ready
    predict: Ready | None = None
    train_many: Ready | None = None
    whole_epochs: bool = False

    def work(self, problem: Problem) -> Work | None:
        """Return the case made ready, or None if this peer leaves such cases out."""
        if problem.case.task == "predict":
            ready = self.predict
        else:
            ready = self.train_many if problem.case.networks > 1 else self.train
        return None if ready is None else ready(problem)


def not_installed(*modules: str) -> str:
    """Return which of these modules is not installed, in words; "" if all are."""
    from importlib.util import find_spec

    absent = [module for module in modules if find_spec(module) is None]
    return f"{', '.join(absent)} not installed" if absent else ""
