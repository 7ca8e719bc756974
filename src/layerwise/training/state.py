"""TrainingState: everything that training is between two steps. `fit`, resuming and single steps all use it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from ..engines import EpochTotals, Executable, Source
from ..errors import DivergenceError, InputError, SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_parameters, check_targets, check_training_inputs, check_weights
from ..network.programs import Setting, executable, layered, vectors_of
from ..network.trace import check_places, check_rows_for_normalisation
from ..ops import Purpose
from ..ops.memory import aligned
from ..rules.penalties import Penalty, as_penalty
from ..rules.schedules import Schedule
from ..rules.schedules import schedule as schedule_named
from ..rules.updates import Adam, Update, as_update
from .batches import TrainingData, batch_bounds
from .evaluation import Evaluation, evaluate, evaluate_until, metric_of, spread
from .history import History, Record
from .scalars import fewest_scalars, rates, scalar_table, with_penalty_factors
from .settings import Order, Settings, check_batch_size, check_dtype
from .single_step import PreparedSteps, StepResult
from .stopping import EarlyStopping, Monitor

Array = npt.NDArray[Any]
#: Steps whose scalars are made in one go: a table takes little memory, however long the epoch.
TABLE_ROWS = 4096


@final
@dataclass(eq=False, repr=False)
class TrainingState:
    """The state of training; made by `start`.

    Attributes
    ----------
    network : Network
    settings : Settings
    parameters : Parameters
        theta, and the statistics of batch normalisation.
    update_state : dict of str to array (P,)
        The update's memory, such as Adam's mean and squares.
    steps : int
        Updates made.
    memory_since : int
        Updates made when the memory was fresh: 0, unless training started over after a divergence.
    epoch : int
        Epochs finished.
    position : int
        Rows of the current epoch that are done.
    order : array or None
        The current epoch's order of rows.
    early_stopping : EarlyStopping
    history : History
    seconds : float
        Time spent training.
    stopped : str or None
        Why training ended: "patience", "callback", "interrupted", "diverged".
    seen : dict of str to float
        The means of what the steps of the latest epoch returned, as far as it has come.
    sums : dict of str to float
        The sums over rows that they are made from.
    last_finite : Parameters or None
        Those of the last epoch's end, or of the start: what a divergence returns to. While training runs.
    """

    network: Network
    settings: Settings
    parameters: Parameters
    update_state: dict[str, Array]
    early_stopping: EarlyStopping
    history: History
    steps: int = 0
    memory_since: int = 0
    epoch: int = 0
    position: int = 0
    order: Array | None = None
    seconds: float = 0.0
    stopped: str | None = None
    seen: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    last_finite: Parameters | None = None
    _prepared: PreparedSteps = field(default_factory=PreparedSteps, init=False)

    def __repr__(self) -> str:
        return f"TrainingState({self.parameters!r}, {self.epoch} epochs, {self.steps} steps)"

    @property
    def key(self) -> tuple[int, int]:
        """(seed, step): what the next step's dropout masks are drawn from."""
        return self.settings.seed, self.steps

    @property
    def statistics(self) -> Array:
        """The running means and variances of batch normalisation, flat."""
        return self.parameters.statistics

    @property
    def best(self) -> Parameters | None:
        """The parameters of the best epoch by the validation set, if there is one."""
        return self.early_stopping.best_parameters

    @property
    def rate(self) -> float:
        """The rate of the next update."""
        return self.rate_at(self.steps)

    def rate_at(self, step: int) -> float:
        """Return the rate of the update that follows `step` others: the update's own times the schedule's factor."""
        return float(rates(self.settings, step, 1)[0])

    def scalar_table(self, first_step: int, count: int) -> Array:
        """Return the scalars of the steps first_step, first_step + 1, ..., in the order of the program's.

        Returns
        -------
        array (count, scalars) of float64
        """
        names = self.executable(weighted=False).program.scalars
        return scalar_table(self.network, self.settings, names, first_step, count, self.memory_since)

    def executable(self, weighted: bool) -> Executable:
        """Return the training step, made ready by the engine of the moment."""
        chosen = self.settings
        setting = Setting("train_step", chosen.update, chosen.penalty, weighted, clips=chosen.clip_norm is not None)
        return executable(self.network, setting, chosen.dtype)

    @property
    def vectors(self) -> dict[str, Array]:
        """theta, the statistics and the update's memory, by the names that programs give them."""
        return vectors_of(self.parameters) | self.update_state

    def stop(self, reason: str = "callback") -> None:
        """Ask training to end after this epoch; for callbacks."""
        self.stopped = reason

    def step(self, X: Any, y: Any, weights: Any = None, rows: Any = None) -> StepResult:
        """Make one update on these rows.

        Parameters
        ----------
        X : array (n, inputs)
        y : array (n,) of class codes, or (n, outputs)
        weights : array (n,), optional
            Divided by the setting ``weight_mean`` (1 if that is not set).
        rows : array (n,) of int, optional
            Positions in the data set, which choose the dropout masks; 0 .. n-1 by default.

        Returns
        -------
        StepResult

        Raises
        ------
        DivergenceError
            If the loss before the update was NaN or infinite; theta is spoilt then.

        Examples
        --------
        >>> from layerwise.network import Network
        >>> from layerwise.rules.updates import SGD
        >>> state = start(Network(2, [3], 2), update=SGD(0.1))
        >>> before = state.step([[0.0, 1.0]], [1]).loss
        >>> state.step([[0.0, 1.0]], [1]).loss < before
        True
        """
        result = self._prepared.update(self, X, y) if weights is None and rows is None else None
        if result is None:
            result = self._general_update(X, y, weights, rows)
        self.steps += 1
        if not math.isfinite(result.objective):
            raise DivergenceError(
                where=f"step {self.steps}", expected="a finite loss", got=str(result.objective),
                remedy=f"lower the rate ({result.rate:g}) and start from parameters of before",
            )  # fmt: skip
        return result

    def _general_update(self, X: Any, y: Any, weights: Any, rows: Any) -> StepResult:
        """Make one update after looking at everything."""
        X, as_given = check_training_inputs(X, self.network), X
        y = check_targets(y, self.network, len(X))
        check_rows_for_normalisation(self.network, len(X))
        given = self.settings.weight_mean
        w, mean = check_weights(weights, len(X), 1.0 if given is None else given)
        places = check_places(rows, len(X))
        rate = self.rate
        total = (self.settings.epochs or 0) * (self.settings.steps_per_epoch or 0)
        if rate == 0 and total and self.steps >= total:
            raise SpecificationError(
                where="schedule", expected="steps left", got=f"{self.steps} of {total} made, and a rate of 0",
                remedy="start a new state with another schedule",
            )  # fmt: skip
        seen = self._update(Source(X, y, None if w is None else w / mean, places))
        if X is as_given and weights is None and rows is None:
            self._prepared.remember(self, X)
        metric = metric_of(self.network, seen["score"], spread(Source(X, y)))
        penalty = seen.get("penalty", 0.0)
        reported = seen.get("reported", seen["loss"])
        return StepResult(seen["loss"], metric, penalty, seen["objective"], seen["gradient_norm"], rate, reported)

    def _update(self, batch: Source) -> dict[str, float]:
        """Make one update on these rows; return what was seen before it."""
        run = self.executable(batch.weights is not None)
        X, y, weights = batch.gather(slice(None), self.settings.dtype)
        table = scalar_table(self.network, self.settings, run.program.scalars, self.steps, 1, self.memory_since)
        given = dict(zip(run.program.scalars, table[0].tolist(), strict=True))
        places = np.asarray(batch.places, np.int64)
        given |= {layered("h", 0): X, "y": y, "w": weights, "rows": places, "key": self.key}
        outputs = run.call(self.vectors, given)
        return {name: float(value[0]) for name, value in outputs.items()}

    def order_of(self, epoch: int, rows: Array) -> Array:
        """Return the order in which an epoch (0, 1, ...) goes through the rows, by the seed and the epoch."""
        given = self.settings.order
        if given is not None:
            order = np.asarray(given(epoch) if callable(given) else given[epoch % len(given)] if len(given) else [])
            if order.ndim != 1 or not len(order) or order.dtype.kind not in "iu" or not np.isin(order, rows).all():
                raise InputError(
                    where="order", expected="positions of training rows", got=f"{order.shape} of {order.dtype}",
                    remedy="give one row of positions an epoch",
                )  # fmt: skip
            return order
        if not self.settings.shuffle:
            return rows
        return np.random.default_rng([self.settings.seed, int(Purpose.SHUFFLE), epoch]).permutation(rows)

    def train_epoch(
        self, data: TrainingData, stop: Callable[[], bool] = lambda: False, probe: bool = True
    ) -> bool:  # fmt: skip
        """Train to the end of the current epoch, evaluate, and add a record.

        Parameters
        ----------
        data : TrainingData
        stop : callable
            Asked between batches, some fifty times a second, and after the last one; True leaves the epoch there, or
            before its validation, to be continued by the next call.
        probe : bool
            Whether to look at the loss of a batch once more after the last update, where nothing is validated: it may
            have spoilt theta although its own loss, taken before it, was finite. Who leaves it to the next epoch to
            notice has to keep the parameters from before this one.

        Returns
        -------
        bool
            False if the loss or a parameter became NaN or infinite.
        """
        started = time.perf_counter()
        spent = self.seconds
        if self.order is None:
            self.order = self.order_of(self.epoch, data.rows)
        if self.position == 0:
            self.seen, self.sums = {}, {}
        bounds = batch_bounds(len(self.order), self.settings.batch_size, self.network)
        order = np.ascontiguousarray(data.in_source(self.order), np.int64)
        run = self.executable(data.source.weights is not None)

        def progress() -> bool:
            self.seconds = spent + time.perf_counter() - started
            return stop()

        finite = True
        while finite and self.position < len(order):
            at = int(np.searchsorted(bounds[:, 0], self.position))
            part = slice(at, at + TABLE_ROWS)
            factors = None if data.penalty_factors is None else data.penalty_factors[part]
            totals = self._run(run, data.source, order, bounds[part], factors, progress)
            finite = totals.finite
            if totals.stopped:
                break
        if not finite:
            return False
        if self.position < len(order):
            return True
        theta = self.parameters
        if not (np.isfinite(theta.vector).all() and np.isfinite(theta.statistics).all()):
            return False
        validation = None
        if data.validation is not None:
            validation = evaluate_until(
                self.network, theta, data.validation, data.validation_rows, data.validation_spread, stop
            )
            if validation is None:
                return True  # the next call begins with it
        if not math.isfinite(validation.loss if validation else self.loss_of_a_batch(data) if probe else 0.0):
            return False
        self._finish_epoch(data, validation, spent, started)
        return True

    def loss_of_a_batch(self, data: TrainingData) -> float:
        """Return the loss of the first rows of the data, as in prediction: NaN or infinite where theta is spoilt."""
        rows = data.in_source(data.rows[: self.settings.batch_size])
        return evaluate(self.network, self.parameters, data.source, rows, 0.0).loss

    def _run(
        self, run: Executable, source: Source, order: Array, bounds: Array, penalty_factors: Array | None,
        progress: Callable[[], bool],
    ) -> EpochTotals:  # fmt: skip
        """Run some batches of the epoch; counters and means move with them."""
        first, begin, done_before = self.steps, int(bounds[0, 0]), self.position
        names = run.program.scalars
        table = fewest_scalars(self.network, self.settings, names, first, len(bounds), self.memory_since)
        if penalty_factors is not None:
            table = with_penalty_factors(table, names, self.settings.penalty, penalty_factors)

        def poll(batches: int) -> bool:
            self.steps, self.position = first + batches, int(bounds[batches - 1, 1])
            return progress()

        rows = order[begin : bounds[-1, 1]]
        totals = run.run(self.vectors, source, rows, bounds - begin, table, self.key, poll, self.sums)
        self.sums = totals.sums
        self.seen = {name: total / (done_before + totals.rows) for name, total in totals.sums.items()}
        return totals

    def _finish_epoch(self, data: TrainingData, validation: Evaluation | None, spent: float, started: float) -> None:
        seen = self.seen
        exact = None
        if self.settings.exact_train_loss:
            exact = evaluate(self.network, self.parameters, data.source, data.in_source(data.rows), data.spread)
        self.epoch, self.position, self.order = self.epoch + 1, 0, None
        if validation is not None and self.early_stopping.see(
            self.epoch, validation.loss, validation.metric, self.parameters
        ):
            self.stopped = "patience"
        self.seconds = spent + time.perf_counter() - started
        self.history.append(Record(
            epoch=self.epoch, steps=self.steps, rate=self.rate_at(self.steps - 1), train_loss=seen["loss"],
            train_metric=metric_of(self.network, seen["score"], data.spread), penalty=seen.get("penalty", 0.0),
            objective=seen["objective"], gradient_norm=seen["gradient_norm"],
            exact_train_loss=exact.loss if exact else None,
            validation_loss=validation.loss if validation else None,
            validation_metric=validation.metric if validation else None, seconds=self.seconds,
        ))  # fmt: skip

    def return_to(self, parameters: Parameters) -> None:
        """Go back to the parameters of the last epoch, after a divergence; the update's memory starts afresh."""
        self.parameters.vector[...] = parameters.vector
        self.parameters.statistics[...] = parameters.statistics
        for memory in self.update_state.values():
            memory[...] = self.settings.update.initial_memory
        self.memory_since, self.position, self.order = self.steps, 0, None


def start(
    net: Network, *, update: str | Update | None = None, schedule: str | Schedule = "constant",
    penalty: Penalty | None = None, batch_size: int | Literal["all"] = 32, epochs: int | None = None,
    steps_per_epoch: int | None = None, dtype: npt.DTypeLike = "float32", seed: int = 0, shuffle: bool = True,
    order: Order | None = None,
    weight_mean: float | Literal["as given"] | None = None, patience: int | None = None, monitor: Monitor = "loss",
    min_improvement: float = 0.0, exact_train_loss: bool = False, initial: Parameters | None = None,
    clip_norm: float | None = None,
) -> TrainingState:  # fmt: skip
    """Return the state before the first step.

    Parameters
    ----------
    net : Network
    update : str or Update
        Adam() by default; a name takes the rule's own settings.
    schedule : str or Schedule
        What the update's rate is multiplied by in the course of training.
    penalty : Penalty, optional
    batch_size : int or "all"
        Rows of an update.
    epochs, steps_per_epoch : int, optional
        For schedules that need to know the end; `fit` fills in the second.
    dtype : "float32" or "float64"
        Of parameters and all computation.
    seed : int
        For initialisation, shuffling and masks. The same seed gives the same bits.
    shuffle : bool
        Take the rows in a new order in every epoch.
    order : callable (epoch) -> positions, or one row of positions an epoch; optional
        In place of shuffling.
    weight_mean : float or "as given", optional
        w_mean, by which weights are divided. "as given" is 1 and allows negative weights.
    patience, monitor, min_improvement
        Early stopping; see `EarlyStopping`.
    exact_train_loss : bool
        Also evaluate the loss of all training rows at the end of each epoch.
    initial : Parameters, optional
        Where to start from, copied; by default ``net.initialize(seed)``.
    clip_norm : float, optional
        Where the norm of the objective's gradient (all of theta) exceeds this, the update takes the gradient times
        clip_norm / norm. The history keeps the norm before.

    Returns
    -------
    TrainingState

    Raises
    ------
    SpecificationError
        If a setting cannot be.
    """
    check_dtype(dtype)
    check_batch_size(batch_size)
    for name, number in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if number is not None:
            check_number(name, number, at_least=1, whole=True)
    check_number("seed", seed, at_least=0, below=2**64, whole=True)
    if weight_mean is not None and not isinstance(weight_mean, str):
        check_number("weight_mean", weight_mean, above=0)
    if clip_norm is not None:
        check_number("clip_norm", clip_norm, above=0)
    if initial is not None:
        check_parameters(initial, net, "initial")
    chosen = Adam() if update is None else as_update(update)
    settings = Settings(
        update=chosen, schedule=schedule_named(schedule), penalty=as_penalty(penalty),
        batch_size=None if isinstance(batch_size, str) else int(batch_size), epochs=epochs,
        steps_per_epoch=steps_per_epoch, dtype=np.dtype(dtype), seed=int(seed), shuffle=shuffle, order=order,
        weight_mean=weight_mean, exact_train_loss=exact_train_loss,
        clip_norm=None if clip_norm is None else float(clip_norm),
    )  # fmt: skip
    parameters = net.initialize(seed, dtype)
    if initial is not None:
        parameters.vector[...], parameters.statistics[...] = initial.vector, initial.statistics
    memory = {name: aligned(chosen.initial_memory, dtype, net.n_parameters) for name in chosen.memory}
    return TrainingState(
        net, settings, parameters, memory, EarlyStopping(monitor, patience, min_improvement), History(net.output.metric)
    )
