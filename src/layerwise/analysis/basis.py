"""Linear regression on basis functions: the design matrix Phi, and least squares in closed form (course-map row 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..errors import InputError, check_number
from .checks import numbers

Array = npt.NDArray[Any]


def polynomial(x: Any, order: int) -> Array:
    """Return the design matrix of powers: phi_j(x) = x^j, j = 0..order.

    Parameters
    ----------
    x : array (n,)
    order : int
        0 for a constant alone.

    Returns
    -------
    array (n, order + 1)

    Examples
    --------
    >>> polynomial([2.0, 3.0], 2)
    array([[1., 2., 4.],
           [1., 3., 9.]])
    """
    check_number("order", order, at_least=0, whole=True)
    return np.vander(numbers(x, "x", 1), int(order) + 1, increasing=True)


def gaussian_bumps(x: Any, centres: Any, width: float) -> Array:
    """Return the design matrix of bumps: phi_0 = 1 and phi_j(x) = exp(-(x - c_j)^2 / (2 width^2)).

    Parameters
    ----------
    x : array (n,)
    centres : array (M,)
        c_1 .. c_M.
    width : float
        Their standard deviation.

    Returns
    -------
    array (n, M + 1)

    Examples
    --------
    >>> gaussian_bumps([0.0, 1.0], [0.0], width=1.0).round(3)
    array([[1.   , 1.   ],
           [1.   , 0.607]])
    """
    check_number("width", width, above=0)
    away = numbers(x, "x", 1)[:, None] - numbers(centres, "centres", 1)
    return _with_constant(np.exp(-0.5 * (away / width) ** 2))


def sigmoids(x: Any, centres: Any, slope: float) -> Array:
    """Return the design matrix of sigmoids: phi_0 = 1 and phi_j(x) = 1 / (1 + exp(-slope (x - c_j))).

    Parameters
    ----------
    x : array (n,)
    centres : array (M,)
        c_1 .. c_M, where the sigmoids are 1/2.
    slope : float
        Of the pre-activation; negative ones fall.

    Returns
    -------
    array (n, M + 1)

    Examples
    --------
    >>> sigmoids([0.0, 100.0], [0.0], slope=1.0)
    array([[1. , 0.5],
           [1. , 1. ]])
    """
    check_number("slope", slope)
    return _with_constant(expit(slope * (numbers(x, "x", 1)[:, None] - numbers(centres, "centres", 1))))


def least_squares(Phi: Any, t: Any, penalty: float = 0.0, *, free_constant: bool = False) -> Array:
    """Return w = (lambda I + Phi'Phi)^-1 Phi't, the minimum of |Phi w - t|^2 + lambda |w|^2.

    The normal equations would square the condition of Phi, which powers of x make large. Instead w is the least-squares
    solution of Phi with sqrt(lambda) I below it, by singular values; where many w are best, the shortest one.

    A network with no hidden layer, identity output and ``lw.L2(s)`` minimises (1/T) sum 1/2 (f - t)^2 + s sum W^2,
    which is this objective divided by 2T if s = lambda / (2T). Its bias is the weight of phi_0 = 1 and has no penalty:
    that is `free_constant`.

    Parameters
    ----------
    Phi : array (n, M)
        Design matrix: one column a basis function.
    t : array (n,) or (n, K)
        Targets.
    penalty : float
        lambda.
    free_constant : bool
        Whether the weight of the first column stays out of the penalty.

    Returns
    -------
    array (M,) or (M, K)

    Raises
    ------
    InputError, SpecificationError
        If an array or the penalty cannot be used.

    Examples
    --------
    >>> Phi = polynomial([0.0, 1.0, 2.0], 1)
    >>> least_squares(Phi, [1.0, 3.0, 5.0]).round(12)
    array([1., 2.])
    >>> least_squares(Phi, [1.0, 3.0, 5.0], penalty=1.0).round(3)
    array([1.   , 1.667])
    """
    Phi = numbers(Phi, "Phi", 2)
    targets = numbers(t, "t", 2 if np.ndim(t) == 2 else 1)
    check_number("penalty", penalty, at_least=0)
    if len(targets) != len(Phi):
        raise InputError(
            where="t", expected=f"{len(Phi)} rows as in Phi", got=str(len(targets)), remedy="give one target a row"
        )
    if penalty > 0:
        below = np.sqrt(penalty) * np.eye(Phi.shape[1])[int(free_constant) :]
        Phi = np.vstack([Phi, below])
        targets = np.concatenate([targets, np.zeros((len(below), *targets.shape[1:]))])
    return np.asarray(np.linalg.lstsq(Phi, targets, rcond=None)[0])


def _with_constant(columns: Array) -> Array:
    return np.column_stack([np.ones(len(columns)), columns])
