"""History: what happened in each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, final, overload

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, closest


@dataclass(frozen=True)
class Record:
    """One epoch.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    steps : int
        Updates made since the start.
    rate : float
        The rate of the epoch's last update.
    train_loss, train_metric : float
        Running means over the epoch's batches, each taken before its update; the data loss alone.
    penalty, objective : float
        lambda Omega, and loss + penalty; running means too.
    gradient_norm : float
        The Euclidean norm of the objective's gradient; running mean.
    exact_train_loss : float or None
        The loss over all training rows at the end of the epoch, if asked for.
    validation_loss, validation_metric : float or None
        At the end of the epoch.
    seconds : float
        Since the start of training.
    """

    epoch: int
    steps: int
    rate: float
    train_loss: float
    train_metric: float
    penalty: float
    objective: float
    gradient_norm: float
    exact_train_loss: float | None
    validation_loss: float | None
    validation_metric: float | None
    seconds: float


COLUMNS: Final = tuple(field.name for field in fields(Record))
#: Columns whose cells may be empty.
OPTIONAL: Final = ("exact_train_loss", "validation_loss", "validation_metric")


@final
class History(Sequence[Record]):
    """The records of all epochs; a column by its name.

    Parameters
    ----------
    metric : str
        What the metric columns hold: "accuracy" or "r2".
    records : sequence of Record

    Examples
    --------
    >>> history = History("accuracy", [Record(1, 10, 0.1, 0.7, 0.5, 0.0, 0.7, 1.0, None, 0.6, 0.8, 0.01)])
    >>> history["validation_loss"]
    array([0.6])
    >>> history[-1].train_metric
    0.5
    """

    def __init__(self, metric: str, records: Sequence[Record] = ()) -> None:
        self.metric = metric
        self._records = list(records)

    def append(self, record: Record) -> None:
        """Add an epoch."""
        self._records.append(record)

    def pop(self) -> Record:
        """Take out the last epoch."""
        return self._records.pop()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    @overload
    def __getitem__(self, index: str) -> npt.NDArray[np.float64]: ...
    def __getitem__(self, index: int | slice | str) -> Any:
        if not isinstance(index, str):
            return self._records[index]
        if index not in COLUMNS:
            raise SpecificationError(
                where="history",
                expected="a column of the history",
                got=repr(index),
                remedy=closest(index, list(COLUMNS)),
            )
        values = [getattr(record, index) for record in self._records]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def to_csv(self) -> str:
        """Return the records as CSV text; empty cells where there is no value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name.replace("metric", self.metric) for name in COLUMNS])
        for record in self._records:
            writer.writerow([_cell(getattr(record, name)) for name in COLUMNS])
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> History:
        """Read back what `to_csv` wrote.

        Parameters
        ----------
        text : str

        Returns
        -------
        History

        Raises
        ------
        InputError
            If it is something else.

        Examples
        --------
        >>> history = History("r2", [Record(1, 10, 0.1, 0.7, 0.5, 0.0, 0.7, 1.0, None, 0.6, 0.8, 0.01)])
        >>> History.from_csv(history.to_csv())[0] == history[0]
        True
        """
        try:
            names, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        except (csv.Error, ValueError) as problem:
            raise _no_history(f"text that is no table ({problem})") from problem
        for metric in ("accuracy", "r2"):
            if names == [name.replace("metric", metric) for name in COLUMNS]:
                break
        else:
            raise _no_history(f"the columns {names}")
        records = []
        for number, cells in enumerate(rows, 1):
            try:
                read = [_value(name, cell) for name, cell in zip(COLUMNS, cells, strict=True)]
            except ValueError as problem:
                raise _no_history(f"in epoch {number} {cells}") from problem
            records.append(Record(*read))  # type: ignore[arg-type]  # the required ones are numbers, as is checked
        return cls(metric, records)

    def __repr__(self) -> str:
        return f"History of {len(self)} epochs" + (f", last: {self._records[-1]}" if self._records else "")


def _value(name: str, cell: str) -> float | None:
    if not cell and name in OPTIONAL:
        return None
    if name not in ("epoch", "steps"):
        return float(cell)
    if not cell.isdecimal() or len(cell) > 18:
        raise ValueError(f"{cell[:30]!r} as {name}")
    return int(cell)


def _no_history(got: str) -> InputError:
    return InputError(
        where="history", expected="the columns of a history, with a row for each epoch", got=got[:80],
        remedy="take another file",
    )  # fmt: skip


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else repr(float(value))
