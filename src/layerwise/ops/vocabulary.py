"""The vocabulary: the only operations that rules may use.

Shapes: a matrix is (n, d) with n rows, usually one an example; a row vector is (d,) and stands for every row; a column
is (n, 1) and stands for every column; a scalar is a number that may change from step to step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

from .expressions import Expression, expression
from .random import Purpose

#: An array, a recorded buffer, or a pair of value and tangent: whatever the vocabulary at hand computes with.
Operand = Any


class Vocabulary(ABC):
    """What a rule's first argument ``ops`` offers; each operation names its shape rule and its meaning in NumPy."""

    @abstractmethod
    def matmul(self, A: Operand, B: Operand, transpose_a: bool = False, transpose_b: bool = False) -> Operand:
        """(n, k), (k, d) -> (n, d).  ``A @ B``, either one transposed first."""

    @abstractmethod
    def map(self, formula: Expression, *operands: Operand) -> Any:
        """Broadcast shapes -> the same, once for each result.  A scalar formula, applied to every element."""

    @abstractmethod
    def sum_rows(self, A: Operand) -> Operand:
        """(n, d) -> (d,).  ``A.sum(axis=0)``"""

    @abstractmethod
    def sum_columns(self, A: Operand) -> Operand:
        """(n, d) -> (n, 1).  ``A.sum(axis=1, keepdims=True)``"""

    @abstractmethod
    def sum_all(self, A: Operand) -> Operand:
        """(n, d) or (d,) -> (1,).  ``A.sum()``"""

    @abstractmethod
    def max_columns(self, A: Operand) -> Operand:
        """(n, d) -> (n, 1).  ``A.max(axis=1, keepdims=True)``"""

    @abstractmethod
    def pick(self, A: Operand, codes: Operand) -> Operand:
        """(n, d), (n,) -> (n, 1).  ``A[arange(n), codes][:, None]``"""

    @abstractmethod
    def one_hot(self, codes: Operand, d: int) -> Operand:
        """(n,) -> (n, d).  ``eye(d)[codes]``: row t is e(codes_t)"""

    @abstractmethod
    def gather_rows(self, A: Operand, codes: Operand) -> Operand:
        """(m, d), (n,) -> (n, d).  ``A[codes]``"""

    @abstractmethod
    def scatter_add_rows(self, A: Operand, codes: Operand, m: int) -> Operand:
        """(n, d), (n,) -> (m, d).  ``out = zeros((m, d)); add.at(out, codes, A)``: the transpose of gather_rows"""

    @abstractmethod
    def grouped_matmul(self, A: Operand, B: Operand, transpose_b: bool = False) -> Operand:
        """(n, k i), (k, i, j) -> (n, k j).  One small matrix for each of k groups of columns."""

    @abstractmethod
    def split_columns(self, A: Operand, k: int) -> Operand:
        """(n, k d) -> (n k, d).  ``A.reshape(-1, d)``, a view"""

    @abstractmethod
    def join_columns(self, A: Operand, k: int) -> Operand:
        """(n k, d) -> (n, k d).  ``A.reshape(-1, k d)``, a view: undoes split_columns"""

    @abstractmethod
    def concatenate(self, *matrices: Operand) -> Operand:
        """(n, d_1), (n, d_2), ... -> (n, d_1 + d_2 + ...).  ``hstack``"""

    @abstractmethod
    def slice_columns(self, A: Operand, start: int, stop: int) -> Operand:
        """(n, d) -> (n, stop - start).  ``A[:, start:stop]``"""

    @abstractmethod
    def uniform(self, rows: Operand, d: int, purpose: Purpose, layer: int, key: Operand) -> Operand:
        """(n,) -> (n, d).  Numbers in [0, 1) counted by (seed, purpose, layer, step, row of the data set, unit)."""

    @abstractmethod
    def write(self, target: Operand, value: Operand) -> None:
        """Keep a value for the next step.  ``target[...] = value``"""

    @abstractmethod
    def row_count(self, A: Operand) -> Operand:
        """(n, d) -> the scalar n; known only when the step runs.  ``len(A)``"""

    @final
    def add(self, x: Operand, y: Operand) -> Operand:
        """Return x + y, broadcast."""
        return self.map(_add, x, y)

    @final
    def subtract(self, x: Operand, y: Operand) -> Operand:
        """Return x - y, broadcast."""
        return self.map(_subtract, x, y)

    @final
    def multiply(self, x: Operand, y: Operand) -> Operand:
        """Return x * y, broadcast: the elementwise product."""
        return self.map(_multiply, x, y)

    @final
    def divide(self, x: Operand, y: Operand) -> Operand:
        """Return x / y, broadcast."""
        return self.map(_divide, x, y)


_add = expression(lambda s, x, y: x + y)
_subtract = expression(lambda s, x, y: x - y)
_multiply = expression(lambda s, x, y: x * y)
_divide = expression(lambda s, x, y: x / y)

#: A rule: a pure function whose first argument is the vocabulary.
Rule = Callable[..., Any]
