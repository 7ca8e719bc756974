"""Several classes at once: groups of columns, a softmax each, with the sum of their negative log-likelihoods.

f^j = softmax(a^j),   l = sum_j -log f^j_(y_j)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from ...errors import check_number
from ...ops import Expression, Operand, Vocabulary, expression
from .classes import (
    exp_below,
    is_largest,
    log_sum_minus,
    minus_inverse_where_one,
    softmax_backward,
    softmax_forward,
)
from .elementwise import minus_difference
from .output import Given, Output, as_list

Sizes = tuple[int, ...]
#: Columns of e(y) that one formula makes: engines limit the number of results.
AT_ONCE: Final = 16

_where_one: Final = expression(lambda s, e, a: s.where(e, a, 0))


@lru_cache(maxsize=256)
def _equals(first: int, stop: int) -> Expression:
    """For a code y: 1 where it is first, ..., stop - 1, and 0 elsewhere; one result each."""
    return expression(lambda s, y: tuple(s.abs(y - c) < 0.5 for c in range(first, stop)))


def parts_of(ops: Vocabulary, sizes: Sizes, A: Operand) -> list[Operand]:
    """The columns of each group.  A: (n, sum_j C_j) -> (n, C_j) each"""
    stops = [sum(sizes[: j + 1]) for j in range(len(sizes))]
    return [ops.slice_columns(A, stop - C, stop) for stop, C in zip(stops, sizes, strict=True)]


def one_hot_of(ops: Vocabulary, sizes: Sizes, y: Operand) -> list[Operand]:
    """e(y_j) of each group; codes come as numbers, since they share a buffer.  y: (n, T) -> (n, C_j) each"""
    made = []
    for j, C in enumerate(sizes):
        y_j = ops.slice_columns(y, j, j + 1)
        columns: list[Operand] = []
        for first in range(0, C, AT_ONCE):
            results = ops.map(_equals(first, min(first + AT_ONCE, C)), y_j)
            columns += results if isinstance(results, tuple) else [results]
        made.append(ops.concatenate(*columns))
    return made


def groups_forward(ops: Vocabulary, sizes: Sizes, a: Operand) -> Operand:
    """f: the softmax of each group.  (n, sum_j C_j) -> (n, sum_j C_j)"""
    return ops.concatenate(*(softmax_forward(ops, part) for part in parts_of(ops, sizes, a)))


def groups_backward(ops: Vocabulary, sizes: Sizes, f: Operand, grad_f: Operand) -> Operand:
    """grad_a of each group.  (n, sum_j C_j) -> (n, sum_j C_j)"""
    pairs = zip(parts_of(ops, sizes, f), parts_of(ops, sizes, grad_f), strict=True)
    return ops.concatenate(*(softmax_backward(ops, *pair) for pair in pairs))


def groups_losses(ops: Vocabulary, sizes: Sizes, a: Operand, y: Operand) -> Operand:
    """sum_j log sum_c e^(a^j_c) - a^j_(y_j).  a: (n, sum_j C_j), y: (n, T) codes -> (n, 1)"""
    losses = []
    for part, hot in zip(parts_of(ops, sizes, a), one_hot_of(ops, sizes, y), strict=True):
        largest = ops.max_columns(part)
        total = ops.sum_columns(ops.map(exp_below, part, largest))
        losses.append(ops.map(log_sum_minus, total, largest, ops.sum_columns(ops.map(_where_one, hot, part))))
    return ops.sum_columns(ops.concatenate(*losses))


def groups_loss_gradient_at_output(ops: Vocabulary, sizes: Sizes, f: Operand, y: Operand) -> Operand:
    """-e(y_j) / f of each group.  f: (n, sum_j C_j), y: (n, T) codes -> (n, sum_j C_j)"""
    return ops.map(minus_inverse_where_one, ops.concatenate(*one_hot_of(ops, sizes, y)), f)


def groups_loss_gradient_at_preactivation(ops: Vocabulary, sizes: Sizes, f: Operand, y: Operand) -> Operand:
    """-(e(y_j) - f) of each group.  f: (n, sum_j C_j), y: (n, T) codes -> (n, sum_j C_j)"""
    return ops.map(minus_difference, ops.concatenate(*one_hot_of(ops, sizes, y)), f)


def groups_scores(ops: Vocabulary, sizes: Sizes, a: Operand, y: Operand) -> Operand:
    """The share of the T answers that are right; equally large ones share the credit.  -> (n, 1)"""
    credits = []
    for part, hot in zip(parts_of(ops, sizes, a), one_hot_of(ops, sizes, y), strict=True):
        winners = ops.map(is_largest, part, ops.max_columns(part))
        right = ops.sum_columns(ops.multiply(hot, winners))
        credits.append(ops.divide(right, ops.sum_columns(winners)))
    return ops.divide(ops.sum_columns(ops.concatenate(*credits)), len(sizes))


def SoftmaxGroups(sizes: Sequence[int]) -> Output:
    """Return softmaxes side by side, for several class targets at once: y (n, T) holds a code for each group.

    The network's raw columns are those of the first group, then those of the second, and so on.

    Parameters
    ----------
    sizes : sequence of int
        The number of classes of each target, 2 or more.

    Examples
    --------
    >>> SoftmaxGroups([3, 2]).targets_of(5)
    2
    """
    for C in (listed := as_list("sizes", sizes, "[3, 4]")):
        check_number("sizes", C, at_least=2, below=2**24, whole=True)  # codes are float32 numbers
    taken = tuple(int(C) for C in listed)

    def given(rule: Callable[..., Operand]) -> Given:
        return Given(rule, (taken,))

    return Output(
        "softmax_groups", "negative log-likelihood", "several classes", given(groups_forward), given(groups_backward),
        given(groups_losses), given(groups_loss_gradient_at_output), given(groups_loss_gradient_at_preactivation),
        given(groups_scores), "accuracy", groups=taken, maker="softmax_groups", settings=(("sizes", taken),),
    )  # fmt: skip
