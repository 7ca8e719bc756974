"""How to train: the settings that a state keeps, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError, check_number
from ..rules.penalties import Penalty
from ..rules.schedules import Schedule
from ..rules.updates import Update

Array = npt.NDArray[Any]
#: The order of the rows: a function of the epoch (0, 1, ...), or one row of positions for each epoch.
Order = Callable[[int], Array] | Sequence[Any] | Array


@dataclass(frozen=True)
class Settings:
    """How to train; see `start`."""

    update: Update
    schedule: Schedule
    penalty: Penalty
    batch_size: int | None
    epochs: int | None
    steps_per_epoch: int | None
    dtype: np.dtype[Any]
    seed: int
    shuffle: bool
    order: Order | None
    weight_mean: float | Literal["as given"] | None
    exact_train_loss: bool
    clip_norm: float | None


def check_batch_size(batch_size: Any) -> None:
    """Raise a SpecificationError unless the batch size is a number of rows or "all"."""
    if not (isinstance(batch_size, str) and batch_size == "all"):
        check_number("batch_size", batch_size, at_least=1, whole=True)


def check_dtype(dtype: Any) -> None:
    """Raise a SpecificationError unless the type is float32 or float64."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise SpecificationError(
            where="dtype", expected="float32 or float64", got=str(dtype), remedy="choose one of them"
        )
