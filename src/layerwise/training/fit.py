"""fit: train a network on arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, final

import numpy as np
import numpy.typing as npt

from ..engines import Source
from ..errors import DivergenceError, SpecificationError, check_number
from ..network import Network, Parameters, Trace
from ..network.inputs import check_inputs, check_targets, check_weights
from ..network.prediction import predict
from ..rules.penalties import Penalty
from ..rules.schedules import Schedule
from ..rules.updates import Update
from .batches import TrainingData, batch_bounds
from .evaluation import Evaluation, evaluate
from .examples import Examples, WeightMean, check_validation
from .history import History
from .interruption import interruptible
from .settings import Order, check_batch_size
from .state import TrainingState, start
from .stopping import Monitor

Array = npt.NDArray[Any]
Callback = Callable[[TrainingState], object]
#: Seconds between two calls of a progress function.
TICK = 0.1


class Keeper(Protocol):
    """Where a state is kept from time to time, to go on from after a crash; ``lw.Checkpoint`` is one."""

    def begin(self, state: TrainingState, data: TrainingData) -> bool:
        """Bring a fresh state to where training was; return False if there is nothing to go on from."""

    def due(self) -> bool:
        """Return whether it is time to write; asked some fifty times a second, so it has to be quick."""

    def write(self, state: TrainingState) -> None:
        """Keep the state, which is between two batches."""


@final
@dataclass(eq=False, repr=False)
class Model:
    """A trained network.

    Attributes
    ----------
    network : Network
    parameters : Parameters
        The best epoch's with early stopping, else the last ones.
    history : History
    state : TrainingState
        Where training ended; it can go on from there.
    """

    network: Network
    parameters: Parameters
    history: History
    state: TrainingState | None = None

    def __repr__(self) -> str:
        return f"Model({self.parameters!r}, {len(self.history)} epochs)"

    def predict(self, X: Any) -> Array:
        """Return f(x) of every row: class probabilities for softmax and sigmoid, values for identity; see `Output`.

        Parameters
        ----------
        X : array (n, inputs)

        Returns
        -------
        array (n, outputs)
        """
        return predict(self.network, self.parameters, X)

    def evaluate(self, X: Any, y: Any, weights: Any = None, weight_mean: WeightMean = None) -> Evaluation:
        """Return the loss and the metric on these rows: accuracy, or R2 (of all outputs together).

        Weights are divided by `weight_mean`: by default their own mean.
        """
        X = check_inputs(X, self.network, sparse=True)
        w, mean = check_weights(weights, len(X), weight_mean)
        source = Source(X, check_targets(y, self.network, len(X)), None if w is None else w / mean)
        return evaluate(self.network, self.parameters, source)

    def trace(self, X: Any, y: Any, **settings: Any) -> Trace:
        """Return every quantity of a forward and backward pass by its name; see `Network.trace`."""
        return self.network.trace(self.parameters, X, y, **settings)


def fit(
    net: Network, X: Any, y: Any, *, update: str | Update | None = None, batch_size: int | Literal["all"] = 32,
    epochs: int = 100, penalty: Penalty | None = None, validation: Any = None, seed: int = 0, weights: Any = None,
    weight_mean: WeightMean = None, schedule: str | Schedule = "constant",
    dtype: npt.DTypeLike = "float32", patience: int | None = None, monitor: Monitor = "loss",
    min_improvement: float = 0.0, restore_best: bool | None = None, callbacks: Callback | Sequence[Callback] = (),
    progress: Callback | None = None, shuffle: bool = True, order: Order | None = None,
    exact_train_loss: bool = False, initial: Parameters | None = None, clip_norm: float | None = None,
    checkpoint: Keeper | None = None,
) -> Model:  # fmt: skip
    """Train a network on arrays.

    Parameters
    ----------
    net : Network
    X : array or sparse matrix (n, inputs)
        Any numeric type; converted batch by batch, never copied whole.
    y : array (n,) of class codes, or (n, outputs)
    update : str or Update
        The update rule with its rate; Adam() by default.
    batch_size : int or "all"
        Rows of an update, from 1 to all; the last batch may be smaller.
    epochs : int
        Times through the data, at most.
    penalty : Penalty, optional
        ``lw.L2(1e-4)``, ``lw.L1(1e-5)``, or their sum.
    validation : (X, y), (X, y, weights), or a fraction; optional
        Rows to validate on after each epoch; a fraction is taken out of X by seed (stratified for classes).
    seed : int
        The same seed gives the same result, bit for bit.
    weights : array (n,), optional
        Weights w_t of the examples.
    weight_mean : float or "as given", optional
        w_mean; by default the mean of the training weights. "as given" is 1 and allows negative weights.
    schedule : str or Schedule
    dtype : "float32" or "float64"
    patience : int, optional
        Stop after this many epochs without improvement on the validation rows.
    monitor : {"loss", "metric"}
        What has to improve.
    min_improvement : float
    restore_best : bool, optional
        Return the parameters of the best epoch; by default if `patience` is given.
    callbacks : callable (state) -> object, or several
        Called after every epoch; ``state.history[-1]`` is its record, ``state.stop()`` ends training.
    progress : callable (state) -> object, optional
        Called now and then within an epoch, at most ten times a second.
    shuffle, order, exact_train_loss, initial, clip_norm
        See `start`. Schedules count epochs of all training rows, also where `order` leaves some out.
    checkpoint : Checkpoint, optional
        ``lw.Checkpoint(path, every=30)`` keeps the state in a file; the same call goes on from it after a crash.

    Returns
    -------
    Model

    Raises
    ------
    InputError, SpecificationError
        If an array or a setting cannot be used.
    DivergenceError
        If the loss becomes NaN or infinite; its ``model`` has the parameters of the last finite epoch.

    Notes
    -----
    Ctrl-C ends training after the current batch and returns the model as it is then (the best epoch's, if it was to be
    restored).

    Examples
    --------
    >>> from layerwise.rules.updates import SGD
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> net = Network(2, [8], 2, hidden="tanh")
    >>> model = fit(net, X, [0, 1, 1, 0], update=SGD(0.1), batch_size=1, epochs=200, seed=0)
    >>> model.predict(X).argmax(axis=1)
    array([0, 1, 1, 0])
    """
    check_number("epochs", epochs, at_least=1, whole=True)
    check_batch_size(batch_size)
    examples = Examples.check(net, X, y, weights, weight_mean)
    data, mean = examples.training_data(check_validation(net, validation, weight_mean), seed)
    state = begin(
        net, data, update=update, batch_size=batch_size, epochs=epochs, penalty=penalty, seed=seed, weight_mean=mean,
        schedule=schedule, dtype=dtype, patience=patience, monitor=monitor, min_improvement=min_improvement,
        restore_best=restore_best, shuffle=shuffle, order=order, exact_train_loss=exact_train_loss, initial=initial,
        clip_norm=clip_norm,
    )  # fmt: skip
    restore = restores_best(patience, restore_best)
    if checkpoint is not None and checkpoint.begin(state, data) and state.stopped not in (None, "interrupted"):
        return _model(state, restore)  # training had ended before all epochs were made
    return train(state, data, epochs, restore, [callbacks] if callable(callbacks) else callbacks, progress, checkpoint)


def restores_best(patience: int | None, restore_best: bool | None) -> bool:
    """Return whether the best epoch's parameters are to be returned: by default if `patience` is given."""
    return patience is not None if restore_best is None else restore_best


def begin(
    net: Network, data: TrainingData, *, batch_size: int | Literal["all"], patience: int | None,
    restore_best: bool | None, **settings: Any,
) -> TrainingState:  # fmt: skip
    """Return the state before the first step on these data; settings are those of `start`."""
    if data.validation is None and (patience is not None or restore_best):
        raise SpecificationError(
            where="patience" if patience is not None else "restore_best", expected="validation data", got="none",
            remedy="give validation=(X, y), or a fraction such as validation=0.1",
        )  # fmt: skip
    steps_per_epoch = len(batch_bounds(len(data.rows), None if batch_size == "all" else batch_size, net))
    return start(net, batch_size=batch_size, steps_per_epoch=steps_per_epoch, patience=patience, **settings)


def train(
    state: TrainingState, data: TrainingData, epochs: int, restore_best: bool, callbacks: Sequence[Callback] = (),
    progress: Callback | None = None, checkpoint: Keeper | None = None,
) -> Model:  # fmt: skip
    """Run epochs until there are `epochs` of them or something ends training; see `fit`."""
    with interruptible() as interruption:
        model, finite = run_epochs(
            state, data, epochs, restore_best, callbacks, progress, lambda: interruption.asked, checkpoint
        )  # fmt: skip
    if not finite:
        at = f"epoch {state.epoch + 1}"
        problem = DivergenceError(
            where=at, expected="a finite loss", got="NaN or infinity", remedy=_likely_causes(state, data)
        )
        problem.model = model
        raise problem
    return model


def run_epochs(
    state: TrainingState, data: TrainingData, epochs: int, restore_best: bool, callbacks: Sequence[Callback],
    progress: Callback | None, interrupted: Callable[[], bool], checkpoint: Keeper | None = None,
) -> tuple[Model, bool]:  # fmt: skip
    """Do what `train` does, in any thread; return False beside the model if the loss became NaN or infinite."""
    state.stopped = "interrupted" if interrupted() else None
    last_finite = state.parameters.copy() if state.last_finite is None else state.last_finite
    state.last_finite = last_finite
    next_tick = 0.0
    kept_at = -1  # a checkpoint for each update at most: validation, which starts again after one, has to end some day

    def to_be_kept() -> bool:
        return checkpoint is not None and state.steps > kept_at and checkpoint.due()

    def after_batch() -> bool:
        nonlocal next_tick
        if progress is not None and time.perf_counter() >= next_tick:
            progress(state)
            next_tick = time.perf_counter() + TICK
        return interrupted() or to_be_kept()

    try:
        while state.epoch < epochs and state.stopped is None:
            if not state.train_epoch(data, after_batch):
                state.stopped = "diverged"
                state.return_to(last_finite)
                return _model(state, restore_best), False
            if state.position == 0:
                last_finite.vector[...] = state.parameters.vector
                last_finite.statistics[...] = state.parameters.statistics
                for callback in callbacks:
                    callback(state)
            finite = state.position == 0 or bool(np.isfinite(state.parameters.vector).all())
            if interrupted():
                state.stopped = "interrupted"
                if not finite:  # the last batch has just spoilt them
                    state.return_to(last_finite)
            if checkpoint is not None and finite and (state.stopped is not None or to_be_kept()):
                checkpoint.write(state)
                kept_at = state.steps
        if checkpoint is not None and kept_at < state.steps and state.stopped is None:
            checkpoint.write(state)
    finally:
        state.last_finite = None
    if state.position == 0 and not callbacks:  # which might have changed the parameters
        return _model(state, restore_best, last_finite), True
    return _model(state, restore_best), True


def _model(state: TrainingState, restore_best: bool, spare: Parameters | None = None) -> Model:
    """Return the model that belongs to the state; `spare` is a copy of the parameters that it may keep."""
    best = state.best if restore_best else None
    parameters = best.copy() if best is not None else state.parameters.copy() if spare is None else spare
    return Model(state.network, parameters, state.history, state)


def _likely_causes(state: TrainingState, data: TrainingData) -> str:
    """Say what usually makes a loss infinite, judged by the data and the settings."""
    rows = data.in_source(data.rows[:1000])
    sample = np.asarray(data.source.X[rows], dtype=np.float64)
    largest = float(np.abs(sample).max())
    causes = [f"lower the rate ({state.settings.update.rate:g})"]
    if largest > 100:
        causes.insert(0, f"standardise the inputs (they reach {largest:.3g})")
    output = state.network.output
    if data.source.y.ndim == 2 and output.target == "numbers" and output.target_range[0] < 0:  # counts stay as they are
        reach = float(np.abs(np.asarray(data.source.y[rows], dtype=np.float64)).max())
        if reach > 100:
            causes.insert(0, f"standardise the targets (they reach {reach:.3g})")
    if getattr(state.settings.update, "momentum", 0.0) > 0.9:
        causes.append(f"lower the momentum ({getattr(state.settings.update, 'momentum', 0.0):g})")
    return " or ".join(causes)
