"""Output: an output function o and its loss l as one object, so that they cannot be paired wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import SpecificationError
from ...ops import Expression, Operand, Vocabulary

Target = Literal["classes", "several classes", "labels", "numbers"]


@dataclass(frozen=True)
class Output:
    """An output function o with its loss l, and every gradient between them.

    The raw columns of a are those of the last affine layer, and y has T target columns. Where a target needs q raw
    columns, these come in q blocks of T: column k T + t of a and f is parameter k of target t (see `by_target`).

    Parameters
    ----------
    name : str
        Of the output function.
    loss : str
        Of the loss.
    target : {"classes", "several classes", "labels", "numbers"}
        What y holds: class codes (n,), a class code for each of T groups of columns (n, T), zeros and ones (n, T), or
        numbers (n, T).
    forward : rule (ops, a) -> f
        f = o(a).
    backward : rule (ops, f, grad_f) -> grad_a
        Through o alone: the transposed Jacobian of o times any gradient at f.
    losses : rule (ops, a, y) -> (n, 1)
        l(o(a), y) of every row.
    loss_gradient_at_output : rule (ops, f, y) -> (n, C)
        dl/df.
    loss_gradient_at_preactivation : rule (ops, f, y) -> (n, C)
        dl/da, with a the pre-activation a^(L+1).
    scores : rule (ops, a, y) -> (n, 1)
        What the metric averages: 1 for a right answer, or the squared error of the point prediction.
    metric : {"accuracy", "r2"}
    reported : rule (ops, a, y) -> (n, 1), optional
        Another number for every row that a training step averages as it does the losses, and nothing depends on.
    columns_per_target : int
        Raw columns q of each target column.
    groups : tuple of int
        With target "several classes": the number of classes of each group of columns.
    target_range : pair of float
        The least and the largest target that the loss is made for.
    kinks : bool
        Whether the loss may have points without a first or second derivative, which checks by differences keep off.
    maker, settings : str, tuple of (name, value)
        The function that made it and what it was given, for storage; empty for those that need nothing.
    """

    name: str
    loss: str
    target: Target
    forward: Callable[[Vocabulary, Operand], Operand]
    backward: Callable[[Vocabulary, Operand, Operand], Operand]
    losses: Callable[[Vocabulary, Operand, Operand], Operand]
    loss_gradient_at_output: Callable[[Vocabulary, Operand, Operand], Operand]
    loss_gradient_at_preactivation: Callable[[Vocabulary, Operand, Operand], Operand]
    scores: Callable[[Vocabulary, Operand, Operand], Operand]
    metric: Literal["accuracy", "r2"]
    reported: Callable[[Vocabulary, Operand, Operand], Operand] | None = None
    columns_per_target: int = 1
    groups: tuple[int, ...] = ()
    target_range: tuple[float, float] = (-math.inf, math.inf)
    kinks: bool = False
    maker: str = ""
    settings: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        """Name it, its loss and its settings; rules and formulas would fill pages."""
        shown = [repr(self.name), repr(self.loss)]
        shown += [f"{key}={value!r}" for key, value in self.settings if not isinstance(value, Expression)]
        return f"Output({', '.join(shown)})"

    @classmethod
    def own(cls, loss: Expression | Callable[..., Any], link: str = "identity", name: str = "own") -> Output:
        """Make an output of one formula of f and y, elementwise and summed over columns; its gradients follow from it.

        The loss is computed from f = o(a), so it is as exact as f: where f overflows, or runs into 0 or 1, the loss
        does too. The metric is R2 of f.

        Parameters
        ----------
        loss : callable or Expression
            ``lambda s, f, y: ...`` in the primitives of ``s``.
        link : {"identity", "exp", "sigmoid", "softplus", "tanh"}
            o.
        name : str

        Raises
        ------
        SpecificationError
            If the formula is none of two scalars with one result, or the link is unknown.

        Examples
        --------
        >>> Output.own(lambda s, f, y: s.log1p((f - y) ** 2), name="cauchy").name
        'cauchy'
        """
        from .elementwise import own

        return own(loss, link, name)

    def targets_of(self, outputs: int) -> int:
        """Return how many target columns T so many raw columns make; 1 for class codes (n,).

        Raises
        ------
        SpecificationError
            If the raw columns cannot be divided so.

        Examples
        --------
        >>> from layerwise.rules.outputs import output
        >>> output("gaussian").targets_of(6), output("softmax").targets_of(6)
        (3, 1)
        """
        if self.target == "classes":
            if outputs < 2:
                raise SpecificationError(
                    where="outputs", expected="at least 2 outputs for softmax", got=str(outputs),
                    remedy="give one output a class, or take output='sigmoid' for a single yes or no",
                )  # fmt: skip
            return 1
        if self.groups:
            if outputs != sum(self.groups):
                raise SpecificationError(
                    where="outputs", expected=f"{sum(self.groups)} outputs, one a class of each group",
                    got=str(outputs), remedy="give the network that number",
                )  # fmt: skip
            return len(self.groups)
        if outputs % self.columns_per_target:
            raise SpecificationError(
                where="outputs", expected=f"a multiple of {self.columns_per_target} outputs for {self.name}",
                got=str(outputs), remedy=f"give {self.columns_per_target} outputs a target",
            )  # fmt: skip
        return outputs // self.columns_per_target

    def by_target(self, f: Any) -> Any:
        """Return f with a row for each target and a column for each of its parameters.

        Parameters
        ----------
        f : array (n, q T)
            Raw columns: q blocks of T.

        Returns
        -------
        array (n, T, q)
            A view.

        Raises
        ------
        SpecificationError
            If the columns are classes of one answer, and no parameters of targets.

        Examples
        --------
        >>> import numpy as np
        >>> from layerwise.rules.outputs import output
        >>> output("gaussian").by_target(np.array([[1.0, 2.0, -3.0, -4.0]])).tolist()  # means, then log variances
        [[[1.0, -3.0], [2.0, -4.0]]]
        """
        if self.target in ("classes", "several classes"):
            raise SpecificationError(
                where="by_target", expected="an output of numbers or labels", got=self.name,
                remedy="slice the columns of f",
            )  # fmt: skip
        return f.reshape(len(f), self.columns_per_target, self.targets_of(f.shape[1])).swapaxes(1, 2)


@dataclass(frozen=True)
class Given:
    """A rule with its settings: unlike a closure it can be pickled, and equal ones are equal."""

    rule: Callable[..., Operand]
    settings: tuple[Any, ...]

    def __call__(self, ops: Vocabulary, *operands: Operand) -> Operand:
        """Apply the rule to the settings and the operands."""
        return self.rule(ops, *self.settings, *operands)


def elementwise(formula: Expression) -> Given:
    """Return the rule of one formula for every element.  (n, C) each -> (n, C)"""
    return Given(_map, (formula,))


def summed(formula: Expression) -> Given:
    """Return the rule of one formula for every element, summed over columns.  (n, C) each -> (n, 1)"""
    return Given(_map_and_sum, (formula,))


def _map(ops: Vocabulary, formula: Expression, *operands: Operand) -> Operand:
    return ops.map(formula, *operands)


def _map_and_sum(ops: Vocabulary, formula: Expression, *operands: Operand) -> Operand:
    return ops.sum_columns(ops.map(formula, *operands))


def as_list(where: str, values: Any, example: str) -> list[Any]:
    """Return the numbers of a list, tuple or array; raise a SpecificationError if there are none."""
    if hasattr(values, "__iter__") and not isinstance(values, str | bytes | dict) and (listed := list(values)):
        return listed
    raise SpecificationError(
        where=where, expected="a list of numbers", got=repr(values), remedy=f"write {example}, say"
    )
