"""Early stopping: which epoch is the best so far, and when to stop waiting for a better one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

from ..errors import SpecificationError, check_number
from ..network import Parameters

Monitor = Literal["loss", "metric"]


@final
@dataclass
class EarlyStopping:
    """Watches the validation loss or metric; keeps a copy of the best parameters.

    Parameters
    ----------
    monitor : {"loss", "metric"}
        The validation loss (less is better) or metric (more is better).
    patience : int, optional
        Epochs without improvement after which training stops; None never stops.
    min_improvement : float
        What counts as one.

    Attributes
    ----------
    best_epoch : int or None
    best_value : float
    best_parameters : Parameters or None
    waited : int
        Epochs since the best one.
    """

    monitor: Monitor = "loss"
    patience: int | None = None
    min_improvement: float = 0.0
    best_epoch: int | None = None
    best_value: float = math.inf
    best_parameters: Parameters | None = None
    waited: int = 0

    def __post_init__(self) -> None:
        if self.monitor not in ("loss", "metric"):
            raise SpecificationError(
                where="monitor", expected='"loss" or "metric"', got=repr(self.monitor), remedy="choose one of them"
            )
        if self.patience is not None:
            check_number("patience", self.patience, at_least=1, whole=True)
        check_number("min_improvement", self.min_improvement, at_least=0)

    def see(self, epoch: int, loss: float, metric: float, parameters: Parameters) -> bool:
        """Take note of an epoch; return True if training should stop."""
        value = loss if self.monitor == "loss" else -metric
        value = math.inf if math.isnan(value) else value
        if self.best_epoch is None or value < self.best_value - self.min_improvement:
            self.best_epoch, self.best_value, self.waited = epoch, value, 0
            self.best_parameters = parameters.copy()
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience
