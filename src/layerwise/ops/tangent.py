"""The vocabulary on pairs (value, tangent): forward differentiation of any rule.

Running a rule with these operations gives its results and their derivative along a direction, exactly. Applied to the
rule that computes the gradient it yields Hessian-vector products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import numpy.typing as npt

from .expressions import Expression
from .numpy_ops import NumpyOps
from .random import Purpose
from .vocabulary import Operand, Vocabulary


@dataclass(frozen=True)
class Dual:
    """An array and its derivative along the direction; both of one shape."""

    value: npt.NDArray[Any]
    tangent: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape


@lru_cache(maxsize=512)
def _derivative(formula: Expression, wrt: str) -> Expression:
    return formula.derivative(wrt)


def _linear(operation: Any, A: Operand) -> Operand:
    return Dual(operation(A.value), operation(A.tangent)) if isinstance(A, Dual) else operation(A)


def _parts(x: Operand) -> tuple[Any, Any]:
    return (x.value, x.tangent) if isinstance(x, Dual) else (x, None)


@final
class TangentOps(Vocabulary):
    """Forward-mode operations in float64; operands that are plain arrays are constants."""

    def __init__(self) -> None:
        self.plain = NumpyOps(np.float64)

    def _bilinear(self, product: Any, A: Operand, B: Operand) -> Operand:
        (a, da), (b, db) = _parts(A), _parts(B)
        value = product(a, b)
        terms = [product(da, b)] if da is not None else []
        terms += [product(a, db)] if db is not None else []
        return Dual(value, sum(terms[1:], terms[0])) if terms else value

    def matmul(self, A: Operand, B: Operand, transpose_a: bool = False, transpose_b: bool = False) -> Operand:
        return self._bilinear(lambda a, b: self.plain.matmul(a, b, transpose_a, transpose_b), A, B)

    def map(self, formula: Expression, *operands: Operand) -> Any:
        values = [_parts(x)[0] for x in operands]
        results = self.plain.map(formula, *values)
        moving = [(name, x.tangent) for name, x in zip(formula.inputs, operands, strict=True) if isinstance(x, Dual)]
        if not moving:
            return results
        many = isinstance(results, tuple)
        outputs = results if many else (results,)
        tangents = [np.zeros_like(output) for output in outputs]
        for name, direction in moving:
            partials = self.plain.map(_derivative(formula, name), *values)
            for tangent, partial in zip(tangents, partials if many else (partials,), strict=True):
                tangent += self.plain.multiply(partial, direction)
        duals = tuple(Dual(output, tangent) for output, tangent in zip(outputs, tangents, strict=True))
        return duals if many else duals[0]

    def sum_rows(self, A: Operand) -> Operand:
        return _linear(self.plain.sum_rows, A)

    def sum_columns(self, A: Operand) -> Operand:
        return _linear(self.plain.sum_columns, A)

    def sum_all(self, A: Operand) -> Operand:
        return _linear(self.plain.sum_all, A)

    def max_columns(self, A: Operand) -> Operand:
        value, tangent = _parts(A)
        if tangent is None:
            return self.plain.max_columns(value)
        first = value.argmax(axis=1)
        return Dual(self.plain.max_columns(value), self.plain.pick(tangent, first))

    def pick(self, A: Operand, codes: Operand) -> Operand:
        return _linear(lambda array: self.plain.pick(array, codes), A)

    def one_hot(self, codes: Operand, d: int) -> Operand:
        return self.plain.one_hot(codes, d)

    def gather_rows(self, A: Operand, codes: Operand) -> Operand:
        return _linear(lambda array: self.plain.gather_rows(array, codes), A)

    def scatter_add_rows(self, A: Operand, codes: Operand, m: int) -> Operand:
        return _linear(lambda array: self.plain.scatter_add_rows(array, codes, m), A)

    def grouped_matmul(self, A: Operand, B: Operand, transpose_b: bool = False) -> Operand:
        return self._bilinear(lambda a, b: self.plain.grouped_matmul(a, b, transpose_b), A, B)

    def split_columns(self, A: Operand, k: int) -> Operand:
        return _linear(lambda array: self.plain.split_columns(array, k), A)

    def join_columns(self, A: Operand, k: int) -> Operand:
        return _linear(lambda array: self.plain.join_columns(array, k), A)

    def concatenate(self, *matrices: Operand) -> Operand:
        pairs = [_parts(A) for A in matrices]
        value = self.plain.concatenate(*(a for a, _ in pairs))
        if all(da is None for _, da in pairs):
            return value
        return Dual(value, self.plain.concatenate(*(np.zeros_like(a) if da is None else da for a, da in pairs)))

    def slice_columns(self, A: Operand, start: int, stop: int) -> Operand:
        return _linear(lambda array: self.plain.slice_columns(array, start, stop), A)

    def uniform(self, rows: Operand, d: int, purpose: Purpose, layer: int, key: Operand) -> Operand:
        return self.plain.uniform(rows, d, purpose, layer, key)

    def write(self, target: Operand, value: Operand) -> None:
        self.plain.write(_parts(target)[0], _parts(value)[0])

    def row_count(self, A: Operand) -> Operand:
        return len(_parts(A)[0])
