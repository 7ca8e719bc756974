"""`partial_fit` with one row of an ndarray: the same checks and the same result through a call that is ready."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_, itemgetter
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import numpy.typing as npt

from ..errors import DivergenceError
from . import epochs

if TYPE_CHECKING:
    from .perceptron import Perceptron

Array = npt.NDArray[Any]
#: Rules for the rate of sgd that leave it alone while training goes well.
STEADY: Final = ("constant", "adaptive")
#: Rows after which the parameters are copied, to have some to go back to: a copy for each would cost too much.
KEEP_EVERY: Final = 64


@final
class OneRow:
    """One row after the other, for an estimator as it is now.

    Parameters
    ----------
    est : MLPClassifier or MLPRegressor
        Fitted, and not kept; `OneRow.of` says whether it can be.
    target : callable (y) -> array or None
        Turns a label or value into what the network takes, if it is plainly right.
    """

    def __init__(self, est: Perceptron, target: Callable[[Any], Array | None]) -> None:
        self.state, self.theta, self.target = est._state, est.theta_, target
        self.shape = (1, est.n_features_in_)
        self.parameters = itemgetter(*type(est)._get_param_names())
        self.given = self.parameters(est.__dict__)
        self.kept, self.steps = self.theta.copy(), 0

    @classmethod
    def of(cls, est: Perceptron) -> OneRow | None:
        """Return it for an estimator that is trained row by row and has nothing that needs a closer look."""
        plain = not (est.early_stopping or est.verbose or est.callbacks or getattr(est, "class_weight", None))
        steady = est.solver == "adam" or est.learning_rate in STEADY
        named = "feature_names_in_" in est.__dict__
        if not plain or not steady or named or est.network_.normalises or (target := est._one_target()) is None:
            return None
        return cls(est, target)

    def step(self, est: Perceptron, X: Any, y: Any) -> bool:
        """Make the update if the row is plainly right, and everything as it was; else do nothing and return False."""
        state = self.state
        if type(X) is not np.ndarray or X.shape != self.shape or X.dtype.kind not in "fiub" or state is None:
            return False
        if est._state is not state or est.theta_ is not self.theta or state.parameters is not self.theta:
            return False
        if not all(map(is_, self.given, self.parameters(est.__dict__))):
            return False
        target = self.target(y)
        if target is None or (X.dtype.kind == "f" and not np.isfinite(X).all()):
            return False
        try:
            result = state.step(X, target)
        except DivergenceError:
            est.n_iter_ = 0
            epochs.diverged(est, state, self.kept)
            est.stopped_, est._one_row = state.stopped, None  # the next row is looked at closely again
            return True
        self.steps += 1
        if self.steps % KEEP_EVERY == 0 and np.isfinite(self.theta.vector).all():
            self.kept.vector[...] = self.theta.vector
        epochs.note_step(est, state, result.reported + result.penalty)
        return True
