"""The vocabulary in NumPy: each operation in a line or two. This is its definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from .expressions import Expression
from .random import Purpose, philox_uniform
from .vocabulary import Operand, Vocabulary


def _erf(x: Any) -> Any:
    from scipy.special import erf  # SciPy takes long to import and few formulas need it

    return erf(x)


def _less(x: Any, y: Any) -> Any:
    return np.less(x, y).astype(np.result_type(x, y))


#: Infinities and NaN are looked for where they matter, in the loss; until then they pass without a warning.
quietly = np.errstate(all="ignore")

PRIMITIVES_IN_NUMPY: Final[dict[str, Callable[..., Any]]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "max": np.maximum, "min": np.minimum, "less": _less, "where": lambda c, x, y: np.where(c != 0, x, y),
    "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "tanh": np.tanh, "cos": np.cos, "erf": _erf,
}  # fmt: skip


def evaluate(formula: Expression, operands: Sequence[Any], dtype: npt.DTypeLike = np.float64) -> Any:
    """Compute an expression on arrays, step by step.

    Parameters
    ----------
    formula : Expression
    operands : sequence of arrays or numbers
        One for each input; they broadcast.
    dtype : float32 or float64
        The type of constants and of numbers that are not arrays.

    Returns
    -------
    array, or tuple of arrays if the expression has several results

    Examples
    --------
    >>> evaluate(Expression.trace(lambda s, a: s.max(a, 0)), [np.array([-1.0, 2.0])])
    array([0., 2.])
    """
    scalar = np.dtype(dtype).type
    by_name = dict(zip(formula.inputs, operands, strict=True))
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for kind, *rest in formula.steps:
            if kind == "constant":
                values.append(scalar(rest[0]))
            elif kind == "input":
                operand = by_name[rest[0]]
                values.append(operand if isinstance(operand, np.ndarray) else scalar(operand))
            else:
                values.append(PRIMITIVES_IN_NUMPY[kind](*[values[i] for i in rest]))
    results = tuple(values[i] for i in formula.outputs)
    if not formula.results_of_all:
        shape = np.broadcast_shapes(*(np.shape(operand) for operand in operands))
        results = tuple(r if r.shape == shape else np.broadcast_to(r, shape) for r in results)
    return results if len(results) > 1 else results[0]


@final
class NumpyOps(Vocabulary):
    """The reference vocabulary: arrays in, arrays out, computed at once.

    Parameters
    ----------
    dtype : float32 or float64
        The type of everything that is made here: constants, one-hot rows, random numbers.

    Examples
    --------
    >>> NumpyOps().matmul(np.ones((2, 3)), np.ones((4, 3)), transpose_b=True).shape
    (2, 4)
    """

    def __init__(self, dtype: npt.DTypeLike = np.float64) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @quietly
    def matmul(self, A: Operand, B: Operand, transpose_a: bool = False, transpose_b: bool = False) -> Operand:
        return (A.T if transpose_a else A) @ (B.T if transpose_b else B)

    def map(self, formula: Expression, *operands: Operand) -> Any:
        return evaluate(formula, operands, self.dtype)

    @quietly
    def sum_rows(self, A: Operand) -> Operand:
        return A.sum(axis=0)

    @quietly
    def sum_columns(self, A: Operand) -> Operand:
        return A.sum(axis=1, keepdims=True)

    @quietly
    def sum_all(self, A: Operand) -> Operand:
        return A.sum().reshape(1)

    @quietly
    def max_columns(self, A: Operand) -> Operand:
        return A.max(axis=1, keepdims=True)

    def pick(self, A: Operand, codes: Operand) -> Operand:
        return A[np.arange(len(codes)), codes][:, None]

    def one_hot(self, codes: Operand, d: int) -> Operand:
        return (codes[:, None] == np.arange(d)).astype(self.dtype)

    def gather_rows(self, A: Operand, codes: Operand) -> Operand:
        return A[codes]

    @quietly
    def scatter_add_rows(self, A: Operand, codes: Operand, m: int) -> Operand:
        out = np.zeros((m, A.shape[1]), A.dtype)
        np.add.at(out, codes, A)
        return out

    @quietly
    def grouped_matmul(self, A: Operand, B: Operand, transpose_b: bool = False) -> Operand:
        B = B.transpose(0, 2, 1) if transpose_b else B
        return np.einsum("nki,kij->nkj", A.reshape(len(A), len(B), -1), B).reshape(len(A), -1)

    def split_columns(self, A: Operand, k: int) -> Operand:
        return A.reshape(len(A) * k, -1)

    def join_columns(self, A: Operand, k: int) -> Operand:
        return A.reshape(-1, k * A.shape[1])

    def concatenate(self, *matrices: Operand) -> Operand:
        return np.hstack(matrices)

    def slice_columns(self, A: Operand, start: int, stop: int) -> Operand:
        return A[:, start:stop]

    def uniform(self, rows: Operand, d: int, purpose: Purpose, layer: int, key: Operand) -> Operand:
        return philox_uniform(rows, d, purpose, layer, key).astype(self.dtype)

    def write(self, target: Operand, value: Operand) -> None:
        target[...] = value

    def row_count(self, A: Operand) -> Operand:
        return len(A)
