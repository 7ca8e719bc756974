"""scikit-learn's MLPClassifier, started from the same parameters as everybody else."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any, final

import numpy as np

from ..cases import Array, Problem
from .interface import STRETCHES, Peer, Rows, Work, not_installed, rows_of


@final
class OneColumnAClass:
    """Stands in for scikit-learn's LabelBinarizer, which gives two classes one column and so one sigmoid unit."""

    def __init__(self, classes: int) -> None:
        self.codes = np.arange(classes)

    def transform(self, y: Array) -> Array:
        """Return 1 in the column of each row's class.  y: (n,) -> (n, classes)"""
        hot: Array = (y[:, None] == self.codes).astype(np.int64)
        return hot


@final
class Classifier(Work):
    """One call of ``fit`` with ``warm_start``, which is what lets it begin from given parameters."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.initial = problem, problem.initial()
        self.model = self._started(warm_start=True)

    def run(self, steps: int) -> None:
        rows = steps * self.problem.case.batch_size
        self._restart(self.model)
        _quietly(self.model.fit, self.problem.X[:rows], self.problem.y[:rows])

    def results(self, steps: int) -> Array:
        rows = steps * self.problem.case.batch_size // STRETCHES
        model = self._started(warm_start=False)
        del model._optimizer  # it has seen a row already; partial_fit makes a new one, and keeps that
        model.loss_curve_.clear()
        for begin in range(0, STRETCHES * rows, rows):
            model.partial_fit(self.problem.X[begin : begin + rows], self.problem.y[begin : begin + rows])
        return np.array([model.loss_curve_])

    def _started(self, warm_start: bool) -> Any:
        from sklearn.neural_network import MLPClassifier

        case, classes = self.problem.case, self.problem.case.sizes[-1]
        model = MLPClassifier(
            case.sizes[1:-1], solver=case.update, momentum=0.0, nesterovs_momentum=False, alpha=0.0,
            batch_size=min(case.batch_size, classes), learning_rate_init=case.rate, max_iter=1, shuffle=False,
            random_state=0, warm_start=warm_start,
        )  # fmt: skip
        _quietly(
            model.fit, self.problem.X[:classes], self.problem.y[:classes]
        )  # makes its arrays, and knows the classes
        model.set_params(batch_size=case.batch_size)
        if classes == 2:
            model._label_binarizer, model.out_activation_ = OneColumnAClass(classes), "softmax"
        self._restart(model)
        return model

    def _restart(self, model: Any) -> None:
        model.coefs_ = [np.ascontiguousarray(W.T) for W, _ in self.initial]
        model.intercepts_ = [b.copy() for _, b in self.initial]


def _quietly(fit: Any, X: Array, y: Array) -> None:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit(X, y)


def _predict(problem: Problem) -> Work:
    return Rows(Classifier(problem).model.predict_proba, rows_of(problem))


PEER = Peer(
    "scikit-learn", missing=lambda: not_installed("sklearn"),
    versions=lambda: {"scikit-learn": version("scikit-learn")}, train=Classifier, predict=_predict,
)  # fmt: skip
