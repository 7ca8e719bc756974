"""Single steps of few rows, through calls that are prepared once: the same bits at less cost."""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import numpy as np
import numpy.typing as npt

from ..engines import Source, copied, engine_settings
from ..network.prediction import FEW_ENTRIES, FEW_ROWS, SHAPES
from ..rules.schedules import TABLE
from .evaluation import metric_of, spread
from .scalars import rates, scalar_table

if TYPE_CHECKING:
    from .state import TrainingState

Array = npt.NDArray[Any]
#: Steps whose scalars are made at once, where the next steps follow.
AHEAD: Final = 256
#: Outputs of the program in the order of `StepResult`.
REPORTED: Final = ("loss", "score", "penalty", "objective", "gradient_norm", "reported")
#: The range of targets that may be any number.
EVERYTHING: Final = (-math.inf, math.inf)
#: Targets that are faster looked at as a list.
SHORT: Final = 64


class StepResult(NamedTuple):
    """What one update saw, before it changed theta; `reported` is the loss where the output reports nothing else."""

    loss: float
    metric: float
    penalty: float
    objective: float
    gradient_norm: float
    rate: float
    reported: float


@final
class PreparedSteps:
    """The calls of one state, by the shape of X; each is taken out while it is used."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, ...]] = set()
        self.ready: dict[tuple[int, ...], PreparedStep] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return PreparedSteps, ()  # calls are never copied or pickled

    def update(self, state: TrainingState, X: Any, y: Any) -> StepResult | None:
        """Make one update if a call is ready for it and the rows are plainly right, else return None."""
        if type(X) is not np.ndarray or (prepared := self.ready.pop(X.shape, None)) is None:
            return None
        if not prepared.fits(state):
            return None
        result = prepared.update(state, X, y)
        self.ready[X.shape] = prepared
        return result

    def remember(self, state: TrainingState, X: Array) -> None:
        """Prepare a call when a shape of few rows comes for the second time: once is not worth it."""
        shape = X.shape
        if len(X) > FEW_ROWS or X.size > FEW_ENTRIES or shape in self.ready:
            return
        if shape in self.seen:
            self.ready[shape] = PreparedStep(state, len(X))
            return
        if len(self.seen) >= SHAPES:
            self.seen.clear()
            self.ready.clear()
        self.seen.add(shape)


@final
class PreparedStep:
    """Updates of one state on so many rows, without weights, on the engine that the environment chooses now.

    Parameters
    ----------
    state : TrainingState
        Not kept.
    n : int
    """

    def __init__(self, state: TrainingState, n: int) -> None:
        self.settings, self.parameters, self.network = state.settings, state.parameters, state.network
        self.environment = engine_settings()
        self.call = state.executable(weighted=False).prepare(state.vectors, n)
        self.memory = [(name, state.update_state[name]) for name in state.settings.update.memory]
        given, net = self.call.given, state.network
        self.n, self.outputs, self.output = n, net.outputs, net.output
        self.y = given["y"]
        self.key = given.get("key")
        if self.key is not None:
            self.key[0] = state.settings.seed
            given["rows"][...] = np.arange(n)
        #: The shapes that targets may have, each with y seen so.
        self.shapes = {self.y.shape: self.y}
        if net.output.target == "classes" or net.targets == 1:
            self.shapes |= {shape: self.y.reshape(shape) for shape in ((n,), (n, 1))}
        names = [name for name, _ in self.call.program.outputs] + ["penalty"]  # the last one where there is none: 0
        places = [names.index(name if name in names else "loss") for name in REPORTED]
        self.reported = itemgetter(*places)
        self.needs_spread = net.output.metric == "r2"
        # Schedules and updates of others may count on being asked step by step.
        known = type(state.settings.schedule) in TABLE.values() and state.settings.update.takes_arrays
        self.ahead = AHEAD if known else 1
        self.first = self.memory_since = self.count = 0
        self.table = np.empty((0, len(self.call.scalars)))
        self.rates: list[float] = []

    def fits(self, state: TrainingState) -> bool:
        """Return whether all that the call was prepared for is as it was."""
        for name, vector in self.memory:
            if state.update_state.get(name) is not vector:
                return False
        return (
            state.settings is self.settings and state.parameters is self.parameters and state.network is self.network
            and engine_settings() == self.environment
        )  # fmt: skip

    def update(self, state: TrainingState, X: Array, y: Any) -> StepResult | None:
        """Make one update if the rows are plainly right, else return None; X has the shape of the call."""
        step = state.steps
        if not self._takes(y) or not 0 <= step < 2**32:
            return None
        place = step - self.first
        if not 0 <= place < self.count or state.memory_since != self.memory_since:
            self._look_ahead(step, state.memory_since)
            place = 0
        rate = self.rates[place]
        if rate == 0:  # perhaps as there are no steps left
            return None
        self.call.scalars[...] = self.table[place]
        if self.key is not None:
            self.key[1] = step
        if not self.call.run_on(X):
            return None
        loss, metric, penalty, objective, norm, reported = self.reported([*self.call.results.tolist(), 0.0])
        if self.needs_spread:
            metric = metric_of(self.network, metric, spread(Source(X, y.reshape(self.y.shape))) if self.n > 1 else 0.0)
        return StepResult(loss, metric, penalty, objective, norm, rate, reported)

    def _look_ahead(self, step: int, memory_since: int) -> None:
        """Make the scalars of the steps from this one on: twice as many as before, if it follows on those."""
        follows = step == self.first + self.count and memory_since == self.memory_since
        count = min(self.ahead, max(2 * self.count, 1) if follows else 1)
        names = self.call.program.scalars
        self.table = scalar_table(self.network, self.settings, names, step, count, memory_since)
        self.rates = rates(self.settings, step, count).tolist()
        self.first, self.count, self.memory_since = step, count, memory_since

    def _takes(self, y: Any) -> bool:
        """Copy targets that are plainly right into the call; say whether they were."""
        if type(y) is not np.ndarray or (place := self.shapes.get(y.shape)) is None:
            return False
        if self.output.target == "classes":
            if y.dtype.kind not in "iu" or not _within(y, (0, self.outputs - 1)):
                return False
            place[...] = y
            return True
        if self.output.groups and (y.dtype.kind not in "iu" or (y < 0).any() or (y >= self.output.groups).any()):
            return False
        return copied(y, place) and (self.output.target_range == EVERYTHING or _within(y, self.output.target_range))


def _within(y: Array, range: tuple[float, float]) -> bool:
    """Return whether all of some finite numbers are in a range, limits included."""
    low, high = range
    if y.size == 1:
        return bool(low <= y.item() <= high)
    if y.size > SHORT:
        return bool(y.min() >= low and y.max() <= high)
    numbers = y.ravel().tolist()
    return bool(min(numbers) >= low and max(numbers) <= high)
