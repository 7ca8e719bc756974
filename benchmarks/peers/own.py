"""Layerwise itself, on the engine that it takes by itself."""

from __future__ import annotations

from typing import final

import numpy as np

import layerwise as lw

from ..cases import Array, Case, Problem
from .interface import STRETCHES, Peer, Rows, Work, in_turn, rows_of


@final
class Fit(Work):
    """One call of `lw.fit`: all that it does counts, from checks and initial parameters to the history."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.net, self.update = problem, problem.case.network(), _update(problem.case)

    def run(self, steps: int) -> None:
        case, X, y = self.problem.case, self.problem.X, self.problem.y
        rows = steps * case.batch_size
        lw.fit(
            self.net, X[:rows], y[:rows], update=self.update, batch_size=case.batch_size, epochs=1, shuffle=False,
            seed=self.problem.seed,
        )  # fmt: skip

    def results(self, steps: int) -> Array:
        case, X, y = self.problem.case, self.problem.X, self.problem.y
        rows = steps * case.batch_size
        stretches = np.arange(rows).reshape(STRETCHES, -1)  # each one an epoch of its own, for its mean loss
        model = lw.fit(
            self.net, X[:rows], y[:rows], update=self.update, batch_size=case.batch_size, epochs=STRETCHES,
            order=stretches, seed=self.problem.seed,
        )  # fmt: skip
        return np.array([[record.train_loss for record in model.history]])


def _update(case: Case) -> lw.SGD | lw.Adam:
    return lw.Adam(case.rate) if case.update == "adam" else lw.SGD(case.rate)


def _predict(problem: Problem) -> Work:
    net = problem.case.network()
    theta = net.initialize(seed=problem.seed, dtype="float32")
    model = lw.Model(net, theta, lw.History(net.output.metric))
    return Rows(model.predict, rows_of(problem))


PEER = Peer(
    "layerwise", missing=lambda: "", versions=lambda: {"layerwise": lw.__version__}, train=Fit, predict=_predict,
    train_many=in_turn(Fit),  # becomes one call as soon as Layerwise has one for many networks
)  # fmt: skip
