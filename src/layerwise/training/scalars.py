"""The scalars of training that change from step to step, as an engine takes them: a row a step, a column a scalar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..network import Network
from ..network.programs import constant_scalars, strength_names, update_scalars
from ..rules.penalties import Penalty
from ..rules.schedules import Constant, Progress
from .settings import Settings

Array = npt.NDArray[Any]
#: What depends on an array of steps is an array too.
SOME_STEPS: Final = np.array([1, 2])


def rates(settings: Settings, first_step: int, count: int) -> Array:
    """Return the rates of the updates number first_step, first_step + 1, ...: the update's own times the factor."""
    if isinstance(settings.schedule, Constant):
        return np.full(count, settings.update.rate, np.float64)
    total, per_epoch = settings.epochs, settings.steps_per_epoch
    total_steps = total * per_epoch if total and per_epoch else None
    steps = range(first_step, first_step + count)
    factors = [settings.schedule.factor(Progress(step, per_epoch, total_steps)) for step in steps]
    return settings.update.rate * np.array(factors, np.float64)


def scalar_table(
    net: Network, settings: Settings, names: Sequence[str], first_step: int, count: int, memory_since: int
) -> Array:
    """Return the scalars of `count` steps.

    Parameters
    ----------
    net, settings
    names : sequence of str
        The scalars of the program, in order.
    first_step : int
        Updates made before.
    count : int
    memory_since : int
        Updates made when the update's memory was fresh.

    Returns
    -------
    array (count, len(names)) of float64
        The bits of a row depend on its step only, not on `first_step` and `count`.
    """
    t = np.arange(first_step + 1, first_step + 1 + count) - memory_since
    rate = rates(settings, first_step, count)
    if count == 1:  # NumPy may take another way to a power for one number than for several, which have to agree
        t, rate = t.repeat(2), rate.repeat(2)
    if settings.update.takes_arrays:
        moving = update_scalars(settings.update, t, rate)
    else:
        steps = [update_scalars(settings.update, int(i), float(alpha)) for i, alpha in zip(t, rate, strict=True)]
        moving = {name: [step[name] for step in steps] for name in steps[0]}
    constant = _constant(net, settings)
    table = np.empty((len(t), len(names)))
    for column, name in enumerate(names):
        table[:, column] = moving[name] if name in moving else constant[name]
    return table[:count]


def fewest_scalars(
    net: Network, settings: Settings, names: Sequence[str], first_step: int, count: int, memory_since: int
) -> Array:
    """Return what `scalar_table` does, or a single row where all steps have the same scalars."""
    if isinstance(settings.schedule, Constant) and settings.update.takes_arrays:
        scalars = update_scalars(settings.update, SOME_STEPS, settings.update.rate)
        if not any(isinstance(value, np.ndarray) for value in scalars.values()):
            scalars |= _constant(net, settings)
            return np.array([[scalars[name] for name in names]], np.float64)
    return scalar_table(net, settings, names, first_step, count, memory_since)


def _constant(net: Network, settings: Settings) -> dict[str, float]:
    """Return the scalars that all steps have alike, by name."""
    constant = constant_scalars(net, settings.penalty)
    return constant if settings.clip_norm is None else constant | {"clip_norm": settings.clip_norm}


def with_penalty_factors(table: Array, names: Sequence[str], penalty: Penalty, factors: Array) -> Array:
    """Return scalars with the strengths of the penalty multiplied, step by step.

    Parameters
    ----------
    table : array (steps, scalars) or (1, scalars)
    names : sequence of str
        The scalars in order.
    penalty : Penalty
    factors : array (steps,)

    Returns
    -------
    array (steps, scalars)
    """
    table = np.broadcast_to(table, (len(factors), len(names))).copy()
    for name in strength_names(penalty):
        table[:, names.index(name)] *= factors
    return table
