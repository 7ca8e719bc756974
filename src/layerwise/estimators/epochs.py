"""Epoch after epoch as scikit-learn counts them: its order of rows, its batches, its rules for when to stop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from ..engines import Source
from ..errors import DivergenceWarning
from ..network import Parameters
from ..rules.schedules import Constant, Progress, Schedule
from ..rules.schedules import schedule as schedule_named
from ..training.batches import TrainingData, batch_bounds
from ..training.interruption import interruptible
from ..training.state import TrainingState
from .scikit import CumulativeShuffle, batch_weights, rescaled, with_rate

if TYPE_CHECKING:
    from .perceptron import Perceptron

Array = npt.NDArray[Any]
#: A rate that "adaptive" lowers no further.
LEAST_RATE = 1e-6
#: The metric of a `Watch` whose estimator was stored without its own: the next one that is given takes its place.
LEFT_OUT = "left out"
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


@dataclass(frozen=True, eq=False)
class Rows:
    """What is trained on, and what is validated on.

    Parameters
    ----------
    X, y : arrays as the network takes them
    weights : array (n,), optional
    chosen : array of int, optional
        The rows that train, in their order; all by default.
    validation : Source, optional
        Rows to validate on after each epoch.
    score : callable () -> float, optional
        How good the estimator is on the validation rows now: more is better.
    """

    X: Any
    y: Array
    weights: Array | None = None
    chosen: Array | None = None
    validation: Source | None = None
    score: Callable[[], float] | None = None

    def __len__(self) -> int:
        return len(self.X) if self.chosen is None else len(self.chosen)

    @property
    def own_weights(self) -> Array | None:
        """The weights of the rows that train."""
        return self.weights if self.weights is None or self.chosen is None else self.weights[self.chosen]

    def data(self, counts: Array | None, factors: Array) -> TrainingData:
        """Return what an epoch goes through; `counts` are what the rows that train count."""
        if counts is not None and self.chosen is not None:
            everywhere = np.zeros(len(self.X))
            everywhere[self.chosen] = counts
            counts = everywhere
        return TrainingData(
            Source(self.X, self.y, counts), np.arange(len(self)), self.validation, chosen=self.chosen,
            penalty_factors=factors,
        )  # fmt: skip


@final
@dataclass
class Watch:
    """Which epoch is the best so far, and for how many epochs none was better by `tol`.

    It stays with an estimator that goes on training (`warm_start`, `partial_fit`).
    """

    best_score: float = -np.inf
    best_loss: float = np.inf
    best: Parameters | None = None
    waited: int = 0
    metric: Any = None

    def see_score(self, score: float, tol: float, theta: Parameters) -> None:
        """Take note of a validation score, which may be NaN."""
        self.waited = self.waited + 1 if not score >= self.best_score + tol else 0
        if score > self.best_score:
            self.best_score, self.best = score, theta.copy()

    def see_loss(self, loss: float, tol: float) -> None:
        """Take note of a training loss."""
        self.waited = self.waited + 1 if loss > self.best_loss - tol else 0
        self.best_loss = min(self.best_loss, loss)


def rows_of_a_batch(batch_size: Any, n: int) -> int:
    """Return the number of rows of a batch: `batch_size`, clipped to n with a warning; "auto" is 200 at most."""
    if batch_size == "auto":
        return min(200, n)
    if batch_size > n:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
        )
    return min(int(batch_size), n)


def train(est: Perceptron, state: TrainingState, rows: Rows, random_state: np.random.RandomState, once: bool) -> None:
    """Train until the estimator's rules end it, or for a single epoch if `once`.

    Raises
    ------
    ValueError
        If not even one epoch in the life of the estimator ended with finite parameters.
    """
    n = len(rows)
    size = rows_of_a_batch(est.batch_size, n)
    bounds = batch_bounds(n, size, state.network)
    state.settings = replace(
        state.settings, batch_size=size, epochs=est.max_iter, steps_per_epoch=len(bounds),
        schedule=from_now_on(est.schedule, state.steps),
    )  # fmt: skip
    shuffle = CumulativeShuffle(n, random_state if est.shuffle else None)
    own_weights = rows.own_weights
    data = rows.data(*batch_weights(None, shuffle.order, bounds))
    last, proven = state.parameters.copy(), state.parameters.copy()
    est.n_iter_, state.stopped, state.position = 0, None, 0
    with interruptible() as interruption:
        asked = est.__dict__.get("_interrupted", lambda: interruption.asked)
        while est.n_iter_ < est.max_iter:
            state.order = shuffle.next()
            if own_weights is not None:
                data = rows.data(*batch_weights(own_weights, state.order, bounds))
            finite = state.train_epoch(data, asked, probe=False)
            interrupted = finite and state.position > 0
            if not finite or (interrupted and not np.isfinite(state.parameters.vector).all()):
                restore(state, last)
                if est.n_iter_ and not math.isfinite(state.loss_of_a_batch(data)):
                    _undo(est, state, n, once)
                    last = proven
                diverged(est, state, last)
                break
            if interrupted:
                _interrupted(state)
                break
            last, proven = proven, last  # what an epoch of finite losses began with is right
            last.vector[...], last.statistics[...] = state.parameters.vector, state.parameters.statistics
            _note(est, state, rows, n)
            if once:
                state.history.pop()
            if _is_over(est, state, once):
                break
            if asked():  # too late for this epoch to hear of it
                _interrupted(state)
                break
            if once:
                break
        if est.n_iter_ and state.stopped != "diverged" and not math.isfinite(state.loss_of_a_batch(data)):
            _undo(est, state, n, once)
            diverged(est, state, proven)
    est.stopped_ = state.stopped
    watch = est._watch
    if est.early_stopping and watch.best is not None and (not once or state.stopped == "patience"):
        restore(state, watch.best)
        watch.waited = 0 if once else watch.waited


def _undo(est: Perceptron, state: TrainingState, n: int, once: bool) -> None:
    """Take the last epoch out of what the estimator shows: its last update has spoilt the parameters."""
    est.loss_curve_.pop()
    est.n_iter_, est.t_ = est.n_iter_ - 1, est.t_ - n
    if not once:
        state.history.pop()


def _interrupted(state: TrainingState) -> None:
    """Leave the epoch where it is, with scikit-learn's warning."""
    warnings.warn("Training interrupted by user.", stacklevel=3)
    state.position, state.order, state.stopped = 0, None, "interrupted"


def restore(state: TrainingState, best: Parameters) -> None:
    """Go back to these parameters; they stay where they are, so that views of them do."""
    state.parameters.vector[...] = best.vector
    state.parameters.statistics[...] = best.statistics


@dataclass(frozen=True)
class FromStep(Schedule):
    """A schedule that begins with a later step than the first: each fit goes through it anew."""

    schedule: Schedule
    first_step: int

    def factor(self, progress: Progress) -> float:
        """Return what the schedule says of the steps since then."""
        return self.schedule.factor(replace(progress, step=progress.step - self.first_step))


def from_now_on(schedule: str | Schedule | None, step: int) -> Schedule:
    """Return the schedule for steps from this one on."""
    chosen = schedule_named("constant" if schedule is None else schedule)
    return chosen if step == 0 or isinstance(chosen, Constant) else FromStep(chosen, step)


def change_rate(state: TrainingState, rate: float) -> None:
    """Go on with another rate; a velocity keeps its effect."""
    old = state.settings.update.rate
    if rate != old:
        if "velocity" in state.update_state:
            rescaled(state.update_state["velocity"], old, rate)
        state.settings = replace(state.settings, update=with_rate(state.settings.update, rate))


def note_step(est: Perceptron, state: TrainingState, loss: float) -> None:
    """Do for a single row, in the fewest steps, what the end of an epoch of one row does."""
    est.n_iter_, est.stopped_ = 1, None
    est.t_ += 1
    est.loss_ = loss
    est.loss_curve_.append(loss)
    est._watch.see_loss(loss, est.tol)
    est.best_loss_ = est._watch.best_loss
    if est._watch.waited > est.n_iter_no_change:
        _is_over(est, state, once=True)


def _note(est: Perceptron, state: TrainingState, rows: Rows, n: int) -> None:
    """Add an epoch to what the estimator shows, and see how good it was."""
    seen = state.seen
    est.n_iter_ += 1
    est.t_ += n
    est.loss_ = seen.get("reported", seen["loss"]) + seen.get("penalty", 0.0)
    est.loss_curve_.append(est.loss_)
    if est.verbose:
        print(f"Iteration {est.n_iter_}, loss = {est.loss_:.8f}")
    if rows.score is not None:
        score = rows.score()
        est._curve("validation_loss_curve_").append(float(state.history[-1].validation_loss or 0.0))
        est._curve("validation_scores_").append(score)
        if est.verbose:
            print(f"Validation score: {score:f}")
    if est.early_stopping:
        est._watch.see_score(est._curve("validation_scores_")[-1], est.tol, state.parameters)
        est.best_validation_score_ = est._watch.best_score
    else:
        est._watch.see_loss(est.loss_, est.tol)
        est.best_loss_ = est._watch.best_loss
    if est.solver == "sgd" and est.learning_rate == "invscaling":
        change_rate(state, est.learning_rate_init / (est.t_ + 1) ** est.power_t)
    for callback in est._callbacks():
        callback(state)


def _is_over(est: Perceptron, state: TrainingState, once: bool) -> bool:
    """Decide whether training ends after this epoch; lower the rate where that comes first."""
    if est._watch.waited > est.n_iter_no_change:
        what = "Validation score" if est.early_stopping else "Training loss"
        message = f"{what} did not improve more than tol={est.tol:f} for {est.n_iter_no_change} consecutive epochs."
        rate = state.settings.update.rate
        adaptive = est.solver == "sgd" and est.learning_rate == "adaptive"
        if not adaptive or rate <= LEAST_RATE:
            state.stopped = "patience" if est.early_stopping or not once else None  # else who trains in parts decides
            if est.verbose:
                print(message + " Learning rate too small." * adaptive + " Stopping.")
            return True
        change_rate(state, rate / 5.0)
        est._watch.waited = 0
        if est.verbose:
            print(f"{message} Setting learning rate to {rate / 5.0:f}")
    if state.stopped is not None:
        return True
    if est.n_iter_ == est.max_iter and not once:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({est.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return False


def diverged(est: Perceptron, state: TrainingState, last_finite: Parameters) -> None:
    """Go back to the last epoch that was finite, with a warning; without one, refuse."""
    state.return_to(last_finite)
    state.stopped = "diverged"
    if not est.loss_curve_:
        raise ValueError(NOT_FINITE)
    warnings.warn(
        f"The loss became NaN or infinite in epoch {est.n_iter_ + 1}; the parameters of the last finite epoch are "
        f"kept. Lower learning_rate_init ({est.learning_rate_init:g}) or scale the inputs.",
        DivergenceWarning,
        stacklevel=2,
    )
