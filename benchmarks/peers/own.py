"""Layerwise itself, on the engine that it takes by itself."""

from __future__ import annotations

from typing import Any, final

import numpy as np

import layerwise as lw

from ..cases import Array, Case, Problem
from .interface import STRETCHES, Peer, Rows, Work, rows_of


@final
class Fit(Work):
    """One call of `lw.fit`, or of `lw.fit_many` for several networks.

    All that it does counts, from checks and initial parameters to the history.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.net, self.update = problem, problem.case.network(), _update(problem.case)
        self.networks = problem.case.networks

    def run(self, steps: int) -> None:
        self._models(steps, epochs=1, shuffle=False)

    def results(self, steps: int) -> Array:
        stretches = np.arange(steps * self.problem.case.batch_size).reshape(STRETCHES, -1)
        models = self._models(steps, epochs=STRETCHES, order=stretches)  # each an epoch of its own, for its mean loss
        return np.array([[record.train_loss for record in model.history] for model in models])

    def _models(self, steps: int, **settings: Any) -> list[lw.Model]:
        rows = steps * self.problem.case.batch_size
        X, y = self.problem.X[:rows], self.problem.y[:rows]
        settings |= {"update": self.update, "batch_size": self.problem.case.batch_size, "seed": self.problem.seed}
        if self.networks > 1:
            return lw.fit_many(self.net, X, y, seeds=self.networks, **settings)
        return [lw.fit(self.net, X, y, **settings)]


def _update(case: Case) -> lw.SGD | lw.Adam:
    return lw.Adam(case.rate) if case.update == "adam" else lw.SGD(case.rate)


def _predict(problem: Problem) -> Work:
    net = problem.case.network()
    theta = net.initialize(seed=problem.seed, dtype="float32")
    model = lw.Model(net, theta, lw.History(net.output.metric))
    return Rows(model.predict, rows_of(problem))


PEER = Peer(
    "layerwise", missing=lambda: "", versions=lambda: {"layerwise": lw.__version__}, train=Fit, predict=_predict,
    train_many=Fit,
)  # fmt: skip
