"""What every engine offers: a program is loaded for one dtype, and then run over batches, or once on given arrays."""

from __future__ import annotations

import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..program import Program, Shape

Array = npt.NDArray[Any]
#: Roles whose arrays hold whole numbers.
WHOLE: Final = ("codes", "rows")
#: Seconds between two questions of a run (`poll`). Engines look it up here at each run; 0 asks after every batch.
POLL_SECONDS = 0.02


@dataclass(frozen=True, eq=False)
class Source:
    """The rows of a data set; they are converted while they are gathered, never as a whole.

    Engines may remember what they have made of a source: its arrays are replaced by making another one.

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
    sums : dict of str to float
        The program's outputs by name, each batch's times its number of rows, added in the order of the batches to what
        the run was given as `before`; empty if there was no batch.
    finite : bool
        False if the first output became NaN or infinite; the run ends there.
    stopped : bool
        True if the run was asked to end.
    """

    batches: int = 0
    rows: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    finite: bool = True
    stopped: bool = False

    @property
    def means(self) -> dict[str, float]:
        """The outputs averaged over rows, of a run that had nothing before it; empty if there was no batch."""
        return {name: total / self.rows for name, total in self.sums.items()}


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
        before: Mapping[str, float] | None = None,
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
        before : mapping of str to float, optional
            Sums to add to, of an earlier run: in parts, a run has the sums that it has in one go, bit for bit.

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

    @abstractmethod
    def prepare(self, vectors: Mapping[str, Array], n: int) -> Prepared:
        """Return a call of the program on n rows, made ready to be repeated.

        Parameters
        ----------
        vectors : mapping of str to array
            As for `run`; the call keeps these very arrays.
        n : int

        Raises
        ------
        InputError
            If a vector does not fit.
        """


class Prepared(ABC):
    """A call that can be repeated at little cost: fill `given` and `scalars`, run, and read the outputs.

    Everything that takes time to check or to find is done once; what is filled in has to fit, as for `Executable.call`.
    It is for one thread at a time. Where a vector may no longer be written, a run raises an InputError.

    Attributes
    ----------
    program : Program
    dtype : float32 or float64
    vectors : dict of str to array
    given : dict of str to array
        Every buffer that is no slice of a vector and no scalar, by name; codes and rows are int64, the key is an array
        (seed, step) of uint64.
    features : array
        The one among `given` that has this role.
    scalars : array (scalars,) of float64
        In the order of ``program.scalars``.
    outputs : dict of str to array
        The results of the latest run; the next one overwrites them.
    results : array
        All outputs in a row, flat; `outputs` are views of it.
    """

    def __init__(self, program: Program, dtype: np.dtype[Any], vectors: Mapping[str, Array], n: int) -> None:
        self.program, self.dtype = program, dtype
        self.vectors = {name: vectors[name] for name in program.vectors}
        # NumPy resizes no array that has a weak reference: each stays where it is.
        self._unmoved = [weakref.ref(vector) for vector in self.vectors.values()]
        self.given = {
            buffer.name: np.zeros(
                sizes(buffer.shape, n),
                np.uint64 if buffer.role == "key" else np.int64 if buffer.role in WHOLE else dtype,
            )
            for buffer in program.buffers
            if not buffer.vector and buffer.role != "scalar"
        }
        self.features = next((self.given[b.name] for b in program.buffers if b.role == "features"), np.zeros(0, dtype))
        self.scalars = np.zeros(len(program.scalars))
        shapes = {name: sizes(program.shapes[value], n) for name, value in program.outputs}
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()], dtype=np.int64)
        self.results = np.zeros(ends[-1] if len(ends) else 0, dtype)
        parts = np.split(self.results, ends[:-1])
        self.outputs = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=False)}

    @abstractmethod
    def run(self) -> None:
        """Run the program once on the vectors and what `given` and `scalars` hold now."""

    @abstractmethod
    def run_on(self, X: Array) -> bool:
        """Copy X into `features` and run, if all of its numbers are plainly finite there.

        Parameters
        ----------
        X : array
            Of the shape of `features`.

        Returns
        -------
        bool
            False if they are not, or of another type than float32, float64, whole or bool: nothing was run then.
        """


def sizes(shape: Shape, n: int) -> tuple[int, ...]:
    """Return a shape for n rows.

    >>> sizes(("2n", 3), 5)
    (10, 3)
    """
    return tuple(n * int(size[:-1] or 1) if isinstance(size, str) else size for size in shape)


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

    @property
    def threads(self) -> int:
        """How many threads run programs at once, whether one run has them all or each run one."""
        return 1

    @abstractmethod
    def load(self, program: Program, dtype: npt.DTypeLike) -> Executable:
        """Return the program made ready for float32 or float64."""
