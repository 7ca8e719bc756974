"""What every engine offers: a program is loaded for one dtype, and then run over batches, or once on given arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program

Array = npt.NDArray[Any]
#: Seconds between two questions of a run (`poll`). Engines look it up here at each run; 0 asks after every batch.
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Source:
    """The rows of a data set; they are converted while they are gathered, never as a whole.

    Parameters
    ----------
    X : array (n, inputs)
        Of any numeric type and memory order; a memory map is fine.
    y : array (n,) of int64 codes, or (n, outputs)
    weights : array (n,), optional
        w_t / w_mean.
    places : array (n,) of int, optional
        What each row is called when dropout masks are drawn; its own index by default.
    """

    X: Array
    y: Array
    weights: Array | None = None
    places: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def gather(self, rows: Array | slice, dtype: npt.DTypeLike) -> tuple[Array, Array, Array | None]:
        """Return the rows in C order and of the given type: X, y, and the weights as a column."""
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the loss will show
            X = np.require(self.X[rows], dtype, ("C", "A"))
            y = self.y[rows] if self.y.ndim == 1 else np.require(self.y[rows], dtype, ("C", "A"))
        weights = None if self.weights is None else self.weights[rows].astype(dtype)[:, None]
        return X, y, weights


@dataclass
class EpochTotals:
    """What a run adds up.

    Attributes
    ----------
    batches, rows : int
        Finished in this run.
    means : dict of str to float
        The program's outputs by name, averaged over rows; empty if there was no batch.
    finite : bool
        False if the first output became NaN or infinite; the run ends there.
    stopped : bool
        True if the run was asked to end.
    """

    batches: int = 0
    rows: int = 0
    means: dict[str, float] = field(default_factory=dict)
    finite: bool = True
    stopped: bool = False


class Executable(ABC):
    """A program made ready for one dtype.

    It may be used by several threads at once: what a run needs beside its arguments belongs to that run.

    Attributes
    ----------
    program : Program
    dtype : float32 or float64
        Of all numbers but codes, rows and the key.
    """

    program: Program
    dtype: np.dtype[Any]

    @abstractmethod
    def run(
        self, vectors: Mapping[str, Array], source: Source, order: Array,
        bounds: Sequence[tuple[int, int]] | Array, table: Array, key: tuple[int, int], poll: Callable[[int], bool],
    ) -> EpochTotals:  # fmt: skip
        """Run the program on each batch of rows ``order[start:end]``, one after the other.

        Features, targets, weights and rows come from the source, by the roles of the program's buffers. Each output
        has to be a mean over the batch's rows (or a sum, if ``program.sums``), of shape (1,).

        Parameters
        ----------
        vectors : mapping of str to array
            The flat arrays that buffers are slices of, by name; changed in place.
        source : Source
        order : array of int64
            Rows of the source, in the order of training.
        bounds : sequence of (start, end), or array (batches, 2) of int64
            Of the batches, in `order`; none is empty.
        table : array (batches, scalars) or (1, scalars) of float64
            The program's scalars for each batch, in the order of ``program.scalars``; one row holds for all batches.
        key : (seed, step)
            Of the first batch; batch i has (seed, step + i).
        poll : callable
            Given the number of batches done in this run; True ends the run there. It is called from time to time (see
            `POLL_SECONDS`), and once after the last batch, however the run ends; what it raises goes to the caller.

        Returns
        -------
        EpochTotals

        Raises
        ------
        InputError, SpecificationError
            If an array does not fit the program; nothing was changed then. (A class code that is out of range is found
            when its batch comes.)
        """

    @abstractmethod
    def call(self, vectors: Mapping[str, Array], given: Mapping[str, Any]) -> dict[str, Array]:
        """Run the program once on given arrays.

        Parameters
        ----------
        vectors : mapping of str to array
            As for `run`.
        given : mapping of str to array, number or pair
            Every buffer that is no slice of a vector, by name: arrays in C order of the dtype (int64 for codes and
            rows), scalars as numbers, the key as a pair. Those that the program writes are changed in place.

        Returns
        -------
        dict of str to array
            The outputs by name; arrays of their own.

        Raises
        ------
        InputError
            If a buffer is missing or does not fit; the message names it, and nothing was changed.
        """


class Engine(ABC):
    """Makes programs ready to run.

    Attributes
    ----------
    name : str
    """

    name: str

    @property
    def variant(self) -> str:
        """What else decides which machine code runs; programs are loaded anew when it changes."""
        return ""

    @abstractmethod
    def load(self, program: Program, dtype: npt.DTypeLike) -> Executable:
        """Return the program made ready for float32 or float64."""
