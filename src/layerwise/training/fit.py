"""fit: train a network on arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from ..engines import Source
from ..errors import DivergenceError, InputError, SpecificationError, check_number
from ..network import Network, Parameters, Trace
from ..network.inputs import check_inputs, check_targets, check_weights
from ..network.prediction import predict
from ..rules.penalties import Penalty
from ..rules.schedules import Schedule
from ..rules.updates import Update
from .batches import TrainingData, batch_bounds
from .evaluation import Evaluation, evaluate
from .history import History
from .interruption import interruptible
from .settings import Order, check_batch_size
from .state import TrainingState, start
from .stopping import Monitor

Array = npt.NDArray[Any]
Callback = Callable[[TrainingState], object]
#: Seconds between two calls of a progress function.
TICK = 0.1


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
        """Return f(x) of every row: class probabilities for softmax and sigmoid, values for identity.

        Parameters
        ----------
        X : array (n, inputs)

        Returns
        -------
        array (n, outputs)
        """
        return predict(self.network, self.parameters, X)

    def evaluate(
        self, X: Any, y: Any, weights: Any = None, weight_mean: float | Literal["as given"] | None = None
    ) -> Evaluation:
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
    weight_mean: float | Literal["as given"] | None = None, schedule: str | Schedule = "constant",
    dtype: npt.DTypeLike = "float32", patience: int | None = None, monitor: Monitor = "loss",
    min_improvement: float = 0.0, restore_best: bool | None = None, callbacks: Callback | Sequence[Callback] = (),
    progress: Callback | None = None, shuffle: bool = True, order: Order | None = None,
    exact_train_loss: bool = False, initial: Parameters | None = None,
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
    shuffle, order, exact_train_loss, initial
        See `start`. Schedules count epochs of all training rows, also where `order` leaves some out.

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
    X = check_inputs(X, net, sparse=True)
    y = check_targets(y, net, len(X))
    w, _ = check_weights(weights, len(X), weight_mean)
    rows, validation_rows = _split(net, y, validation, seed)
    w_train, mean = check_weights(None if w is None else w[rows], len(rows), weight_mean)
    source = Source(X, y, None if w is None else w / mean)
    held_out: Source | None = None
    if validation_rows is not None:
        held_out = Source(X, y, None if w is None else w / _mean_weight(w[validation_rows], weight_mean))
    elif validation is not None:
        held_out = _validation_source(net, validation, weight_mean)
    data = TrainingData(source, rows, held_out, validation_rows)
    if data.validation is None and (patience is not None or restore_best):
        raise SpecificationError(
            where="patience" if patience is not None else "restore_best", expected="validation data", got="none",
            remedy="give validation=(X, y), or a fraction such as validation=0.1",
        )  # fmt: skip
    steps_per_epoch = len(batch_bounds(len(rows), None if batch_size == "all" else batch_size, net))
    fixed_mean = weight_mean if w_train is None or weight_mean == "as given" else mean
    restore = patience is not None if restore_best is None else restore_best
    state = start(
        net, update=update, schedule=schedule, penalty=penalty, batch_size=batch_size, epochs=epochs,
        steps_per_epoch=steps_per_epoch, dtype=dtype, seed=seed, shuffle=shuffle, order=order, weight_mean=fixed_mean,
        patience=patience, monitor=monitor, min_improvement=min_improvement, exact_train_loss=exact_train_loss,
        initial=initial,
    )  # fmt: skip
    return train(state, data, epochs, restore, [callbacks] if callable(callbacks) else callbacks, progress)


def train(
    state: TrainingState, data: TrainingData, epochs: int, restore_best: bool, callbacks: Sequence[Callback] = (),
    progress: Callback | None = None,
) -> Model:  # fmt: skip
    """Run epochs until there are `epochs` of them or something ends training; see `fit`."""
    state.stopped = None
    last_finite = state.parameters.copy()
    next_tick = 0.0

    with interruptible() as interruption:

        def after_batch() -> bool:
            nonlocal next_tick
            if progress is not None and time.perf_counter() >= next_tick:
                progress(state)
                next_tick = time.perf_counter() + TICK
            return interruption.asked

        while state.epoch < epochs and state.stopped is None:
            finite = state.train_epoch(data, after_batch)
            if not finite:
                state.stopped = "diverged"
                at = f"epoch {state.epoch + 1}"
                problem = DivergenceError(
                    where=at, expected="a finite loss", got="NaN or infinity", remedy=_likely_causes(state, data)
                )
                state.return_to(last_finite)
                problem.model = _model(state, restore_best)
                raise problem
            if state.position == 0:
                last_finite.vector[...] = state.parameters.vector
                last_finite.statistics[...] = state.parameters.statistics
                for callback in callbacks:
                    callback(state)
            if interruption.asked:
                state.stopped = "interrupted"
                if not np.isfinite(state.parameters.vector).all():  # the last batch has just spoilt them
                    state.return_to(last_finite)
    if state.position == 0 and not callbacks:  # which might have changed the parameters
        return _model(state, restore_best, last_finite)
    return _model(state, restore_best)


def _model(state: TrainingState, restore_best: bool, spare: Parameters | None = None) -> Model:
    """Return the model that belongs to the state; `spare` is a copy of the parameters that it may keep."""
    best = state.best if restore_best else None
    parameters = best.copy() if best is not None else state.parameters.copy() if spare is None else spare
    return Model(state.network, parameters, state.history, state)


def _likely_causes(state: TrainingState, data: TrainingData) -> str:
    """Say what usually makes a loss infinite, judged by the data and the settings."""
    sample = np.asarray(data.source.X[data.rows[:1000]], dtype=np.float64)
    largest = float(np.abs(sample).max())
    causes = [f"lower the rate ({state.settings.update.rate:g})"]
    if largest > 100:
        causes.insert(0, f"standardise the inputs (they reach {largest:.3g})")
    if data.source.y.ndim == 2 and state.network.output.target == "numbers":
        reach = float(np.abs(np.asarray(data.source.y[data.rows[:1000]], dtype=np.float64)).max())
        if reach > 100:
            causes.insert(0, f"standardise the targets (they reach {reach:.3g})")
    if getattr(state.settings.update, "momentum", 0.0) > 0.9:
        causes.append(f"lower the momentum ({getattr(state.settings.update, 'momentum', 0.0):g})")
    return " or ".join(causes)


def _split(net: Network, y: Array, validation: Any, seed: int) -> tuple[Array, Array | None]:
    """Return the training rows and, if validation is a fraction, the validation rows."""
    n = len(y)
    if validation is None or isinstance(validation, tuple | list):
        return np.arange(n), None
    if isinstance(validation, bool) or not isinstance(validation, float | int | np.floating) or not 0 < validation < 1:
        raise SpecificationError(
            where="validation", expected="(X, y), (X, y, weights) or a fraction between 0 and 1", got=repr(validation),
            remedy="give one of them",
        )  # fmt: skip
    from ..data.splits import split_rows

    parts = split_rows(
        n, seed=seed, test=0, validation=float(validation), strata=y if net.output.target == "classes" else None
    )
    if len(parts.train) == 0 or len(parts.validation) == 0:
        raise InputError(
            where="validation", expected="at least one row on each side", got=f"{validation} of {n} rows",
            remedy="give more rows or another fraction",
        )  # fmt: skip
    return parts.train, parts.validation


def _mean_weight(w: Array, weight_mean: float | Literal["as given"] | None) -> float:
    """Return what the weights of held-out rows are divided by: their own mean, so that their loss is a mean too."""
    return check_weights(w, len(w), _own_mean(weight_mean), "weights of validation rows")[1]


def _own_mean(weight_mean: float | Literal["as given"] | None) -> Literal["as given"] | None:
    return "as given" if weight_mean == "as given" else None


def _validation_source(net: Network, validation: Any, weight_mean: float | Literal["as given"] | None) -> Source:
    if len(validation) not in (2, 3):
        raise SpecificationError(
            where="validation", expected="(X, y) or (X, y, weights)", got=f"{len(validation)} arrays",
            remedy="give two or three",
        )  # fmt: skip
    X = check_inputs(validation[0], net, "validation X", sparse=True)
    y = check_targets(validation[1], net, len(X), "validation y")
    w, mean = check_weights(
        validation[2] if len(validation) == 3 else None, len(X), _own_mean(weight_mean), "validation weights"
    )
    return Source(X, y, None if w is None else w / mean)
