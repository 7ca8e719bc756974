"""Schedules: by what the rate is multiplied, as a function of the progress (course-map row 21)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from ..errors import SpecificationError, check_number, closest


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Parameters
    ----------
    step : int
        Updates made so far.
    steps_per_epoch, total_steps : int or None
        None where they are not known (single steps without an end).
    """

    step: int
    steps_per_epoch: int | None = None
    total_steps: int | None = None

    @property
    def epochs(self) -> float:
        """Epochs made so far, with the part of the current one."""
        if self.steps_per_epoch is None:
            raise _unknown("the number of steps in an epoch")
        return self.step / self.steps_per_epoch

    @property
    def fraction(self) -> float:
        """The share of all updates that are made, from 0 to 1."""
        if self.total_steps is None:
            raise _unknown("the total number of steps")
        return min(self.step / max(self.total_steps, 1), 1.0)


def _unknown(what: str) -> SpecificationError:
    return SpecificationError(
        where="schedule",
        expected=f"to know {what}",
        got="single steps",
        remedy="give lw.start epochs and steps_per_epoch",
    )


class Schedule(ABC):
    """A factor of the rate that changes with the progress."""

    @abstractmethod
    def factor(self, progress: Progress) -> float:
        """Return what the rate is multiplied by."""


@dataclass(frozen=True)
class Constant(Schedule):
    """1 throughout."""

    def factor(self, progress: Progress) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay(Schedule):
    """`ratio` to the power of the number of full periods of `every` epochs.

    >>> StepDecay(ratio=0.5, every=2).factor(Progress(50, steps_per_epoch=10))
    0.25
    """

    ratio: float = 0.5
    every: float = 10.0

    def __post_init__(self) -> None:
        check_number("ratio", self.ratio, above=0)
        check_number("every", self.every, above=0)

    def factor(self, progress: Progress) -> float:
        periods = progress.epochs / self.every
        return float(self.ratio ** math.floor(periods * (1 + 1e-9)))  # 3 steps of 0.1 epochs are a period of 0.3


@dataclass(frozen=True)
class InverseTime(Schedule):
    """1 / (1 + decay * epochs)."""

    decay: float = 0.1

    def __post_init__(self) -> None:
        check_number("decay", self.decay, at_least=0)

    def factor(self, progress: Progress) -> float:
        return 1.0 / (1.0 + self.decay * progress.epochs)


@dataclass(frozen=True)
class Cosine(Schedule):
    """(1 + cos(pi t)) / 2, from 1 to 0 (Loshchilov and Hutter 2017), with t the share of all updates made."""

    def factor(self, progress: Progress) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * progress.fraction))


@dataclass(frozen=True)
class CosLog4(Schedule):
    """(1 - cos(2 pi log2(1 + 15 t))) / 2: four waves, each twice as long (Holzmüller et al. 2024)."""

    def factor(self, progress: Progress) -> float:
        return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * progress.fraction)))


TABLE: Final[dict[str, type[Schedule]]] = {
    "constant": Constant, "step": StepDecay, "inverse-time": InverseTime, "cosine": Cosine, "coslog4": CosLog4,
}  # fmt: skip


def schedule(choice: str | Schedule) -> Schedule:
    """Return the schedule of that name with its default settings.

    Raises
    ------
    SpecificationError
        If the name is unknown; the message lists all.
    """
    if isinstance(choice, Schedule):
        return choice
    name = str(choice).lower().replace("_", "-")
    if name in TABLE:
        return TABLE[name]()
    raise SpecificationError(
        where="schedule", expected="one of " + ", ".join(TABLE), got=repr(choice), remedy=closest(name, list(TABLE))
    )
