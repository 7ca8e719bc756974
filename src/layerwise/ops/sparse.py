"""Rows of a sparse matrix, for inputs that are mostly zero."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
import numpy.typing as npt


@final
class SparseRows:
    """The rows of a sparse matrix; a selection of them is a dense array, so they are only ever dense batch by batch.

    Parameters
    ----------
    matrix : sparse matrix or array of SciPy (n, d)
        Kept by compressed rows, not copied if it is so already.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> rows = SparseRows(csr_array([[0.0, 2.0], [3.0, 0.0]]))
    >>> len(rows), rows[np.array([1])]
    (2, array([[3., 0.]]))
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix.tocsr()
        self.shape: tuple[int, int] = self._matrix.shape
        self.dtype: np.dtype[Any] = self._matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        dense: npt.NDArray[Any] = self._matrix[rows].toarray()
        return dense

    def take(self, rows: npt.NDArray[Any]) -> SparseRows:
        """Return a copy of these rows, sparse as they are."""
        return SparseRows(self._matrix[rows])

    @cached_property
    def starts(self) -> npt.NDArray[Any]:
        """Where each row starts among the entries, (n + 1,)."""
        starts: npt.NDArray[Any] = np.require(self._matrix.indptr, requirements=("C", "A"))
        return starts

    @cached_property
    def columns(self) -> npt.NDArray[Any]:
        """The column of each entry."""
        columns: npt.NDArray[Any] = np.require(self._matrix.indices, requirements=("C", "A"))
        return columns

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """The entries, as float32 or float64."""
        data: npt.NDArray[Any] = self._matrix.data
        known = data.dtype in (np.float32, np.float64) and data.dtype.isnative
        return np.require(data, None if known else np.float64, ("C", "A"))

    def place(self, entry: int) -> tuple[int, int]:
        """Return the row and the column of an entry."""
        return int(np.searchsorted(self.starts, entry, side="right")) - 1, int(self.columns[entry])
