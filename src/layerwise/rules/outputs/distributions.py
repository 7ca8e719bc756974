"""Outputs that say how sure they are: quantiles, and mean with variance. Each target has several raw columns.

Column k T + t is parameter k of target t: all lowest quantiles first, or all means (see `Output.by_target`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from ...errors import SpecificationError, check_number
from ...ops import Expression, Operand, Vocabulary, expression
from .elementwise import identity_backward, identity_forward, squared_scores
from .output import Given, Output, as_list

Levels = tuple[float, ...]


def blocks_of(ops: Vocabulary, A: Operand, q: int) -> list[Operand]:
    """The columns of each parameter, one a target.  A: (n, q T) -> (n, T) each"""
    T = A.shape[1] // q
    return [ops.slice_columns(A, k * T, (k + 1) * T) for k in range(q)]


# --- quantiles and the pinball loss -----------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _pinball(level: float) -> tuple[Expression, Expression]:
    """The loss of a quantile f of this level, and its slope; 0, a subgradient, where f is y."""
    return (
        expression(lambda s, f, y: s.max(level * (y - f), (1 - level) * (f - y))),
        expression(lambda s, f, y: (1 - level) * s.less(y, f) - level * s.less(f, y)),
    )


def pinball_losses(ops: Vocabulary, levels: Levels, a: Operand, y: Operand) -> Operand:
    """The pinball losses of all levels and targets, added up.  a: (n, q T), y: (n, T) -> (n, 1)"""
    pairs = zip(levels, blocks_of(ops, a, len(levels)), strict=True)
    return ops.sum_columns(ops.concatenate(*(ops.map(_pinball(level)[0], block, y) for level, block in pairs)))


def pinball_gradient(ops: Vocabulary, levels: Levels, f: Operand, y: Operand) -> Operand:
    """1 - level where f is above y, -level where it is below.  f: (n, q T), y: (n, T) -> (n, q T)"""
    pairs = zip(levels, blocks_of(ops, f, len(levels)), strict=True)
    return ops.concatenate(*(ops.map(_pinball(level)[1], block, y) for level, block in pairs))


def quantile_scores(ops: Vocabulary, levels: Levels, a: Operand, y: Operand) -> Operand:
    """The squared error of the quantile nearest to the median, summed over targets.  -> (n, 1)"""
    nearest = min(range(len(levels)), key=lambda k: abs(levels[k] - 0.5))
    return squared_scores(ops, blocks_of(ops, a, len(levels))[nearest], y)


def Quantile(levels: Sequence[float]) -> Output:
    """Return quantiles with the pinball loss, summed over levels and targets (Koenker and Bassett 1978).

    A target has one raw column for each of the q levels: f = (quantiles of the first level for all T targets, then
    those of the second, ...). Nothing keeps quantiles of different levels in order. R2 is that of the level nearest
    to 1/2, the first one of two.

    Parameters
    ----------
    levels : sequence of float
        Between 0 and 1, rising.

    Examples
    --------
    >>> Quantile([0.1, 0.5, 0.9]).columns_per_target
    3
    """
    for level in (given := as_list("levels", levels, "[0.1, 0.5, 0.9]")):
        check_number("levels", level, above=0, below=1)
    taken = tuple(float(level) for level in given)
    if any(low >= high for low, high in pairwise(taken)):
        raise SpecificationError(
            where="levels", expected="rising levels", got=repr(given), remedy="sort them and name each once"
        )
    gradient = Given(pinball_gradient, (taken,))
    return Output(
        "quantile", "pinball loss", "numbers", identity_forward, identity_backward, Given(pinball_losses, (taken,)),
        gradient, gradient, Given(quantile_scores, (taken,)), "r2", columns_per_target=len(taken), kinks=True,
        maker="quantile", settings=(("levels", taken),),
    )  # fmt: skip


# --- mean and log variance:  l = 1/2 sum_t log(2 pi) + s_t + (y_t - m_t)^2 e^(-s_t) -----------------------------------

_LOG_TWO_PI: Final = math.log(2 * math.pi)


def _deviations(s: Any, m: Any, log_variance: Any, y: Any) -> Any:
    """(m - y) / standard deviation; e^(-s/2) alone may overflow beside a difference of 0."""
    return s.where(m - y, (m - y) * s.exp(-0.5 * log_variance), 0)


_gaussian_nll: Final = expression(
    lambda s, m, log_variance, y: 0.5 * (_LOG_TWO_PI + log_variance + _deviations(s, m, log_variance, y) ** 2)
)
_gaussian_slopes: Final = expression(
    lambda s, m, log_variance, y: (
        s.where(m - y, _deviations(s, m, log_variance, y) * s.exp(-0.5 * log_variance), 0),
        0.5 * (1 - _deviations(s, m, log_variance, y) ** 2),
    )
)


def gaussian_losses(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """1/2 sum_t (log(2 pi) + s_t + (y_t - m_t)^2 e^(-s_t)).  a: (n, 2 T), y: (n, T) -> (n, 1)"""
    return ops.sum_columns(ops.map(_gaussian_nll, *blocks_of(ops, a, 2), y))


def gaussian_gradient(ops: Vocabulary, f: Operand, y: Operand) -> Operand:
    """(m - y) e^-s, and 1/2 (1 - (y - m)^2 e^-s).  f: (n, 2 T), y: (n, T) -> (n, 2 T)"""
    return ops.concatenate(*ops.map(_gaussian_slopes, *blocks_of(ops, f, 2), y))


def gaussian_scores(ops: Vocabulary, a: Operand, y: Operand) -> Operand:
    """The squared error of the means, summed over targets.  -> (n, 1)"""
    return squared_scores(ops, blocks_of(ops, a, 2)[0], y)


GAUSSIAN: Final = Output(
    "gaussian", "Gaussian negative log-likelihood", "numbers", identity_forward, identity_backward, gaussian_losses,
    gaussian_gradient, gaussian_gradient, gaussian_scores, "r2", columns_per_target=2,
)  # fmt: skip


def GaussianNLL() -> Output:
    """Return the mean and the log variance of each target with their negative log-likelihood (Nix and Weigend 1994).

    A target has two raw columns: f = (means of all T targets, then their log variances). R2 is that of the means.

    >>> GaussianNLL().targets_of(4)
    2
    """
    return GAUSSIAN
