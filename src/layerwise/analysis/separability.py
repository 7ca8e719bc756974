"""Whether linear functions of features tell classes apart: exactly, by a linear programme (course-map row 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog, nnls

from ..errors import InputError, LayerwiseError
from .checks import centre_and_scale, class_codes, numbers
from .linear import LinearClassifier, softmax_regression

Array = npt.NDArray[Any]
#: How far below 1 a lead may stay, relative to the widest margin.
SLACK: Final = 1e-7
#: The unit in which a move of a bias counts as a weight does: large, since it is to be free.
FREE: Final = 100.0
#: Rounds of the search for the rows that matter, at most.
ROUNDS: Final = 1000
#: Steps of a solver for each row and column, at most.
STEPS: Final = 10
#: The smallest distance to the boundary that is no rounding, in standardised columns.
LEAST: Final = 1e-9


@final
@dataclass(frozen=True, eq=False)
class Separability:
    """What `separability` found.

    Attributes
    ----------
    separable : bool
        Whether there are linear functions that are right on every row.
    margin : float
        In standardised columns, the smallest distance of a row to the boundary between its class and another; 0 where
        the classes are not separable. For two classes no other boundary has a larger one.
    accuracy : float
        The share of rows that w and b get right.
    w : array (d,) for two classes, else (C, d)
        Of two classes, class 1 is where w'phi + b > 0; of more, the class with the largest w_c'phi + b_c. Where the
        classes are separable this is the boundary with the margin, else that of softmax regression.
    b : float for two classes, else array (C,)
    """

    separable: bool
    margin: float
    accuracy: float
    w: Array
    b: Any

    def __repr__(self) -> str:
        words = f"separable, margin {self.margin:.3g}" if self.separable else "not separable"
        return f"Separability({words}, accuracy {self.accuracy:.3g})"

    def view(self, Phi: Any) -> Array:
        """Return the view of the space of features that looks along the boundary of two classes.

        Parameters
        ----------
        Phi : array (n, d)
            The features that were asked about.

        Returns
        -------
        array (n, 2)
            In standardised columns, the distance to the boundary, positive on the side of class 1, and the first
            principal component of what remains when that direction is taken out.

        Raises
        ------
        InputError
            If Phi cannot be used, or there are more than two classes.

        Examples
        --------
        >>> X, y = [[0.0, 5.0], [0.0, 6.0], [2.0, 5.0], [2.0, 6.0]], [0, 0, 1, 1]
        >>> separability(X, y).view(X).round(6)[:, 0].tolist()
        [-1.0, -1.0, 1.0, 1.0]
        """
        Phi = numbers(Phi, "Phi", 2)
        if np.shape(self.w) != (Phi.shape[1],):
            raise InputError(
                where="Phi", expected=f"the features of two classes, as w of shape {np.shape(self.w)} weighs them",
                got=f"{Phi.shape[1]} features", remedy="give the features that separability was given",
            )  # fmt: skip
        mean, scale = centre_and_scale(Phi)
        Z, across = (Phi - mean) / scale, self.w * scale
        length = float(np.linalg.norm(across)) or 1.0
        along = Z - np.outer(Z @ across, across) / length**2
        _, _, axes = np.linalg.svd(along, full_matrices=False)
        return np.column_stack([(Phi @ self.w + self.b) / length, along @ axes[0]])


def separability(Phi: Any, y: Any) -> Separability:
    """Decide whether classes are linearly separable in a space of features.

    Two classes are, if there are w and b with w'phi + b > 0 for the rows of class 1 and < 0 for those of class 0. More
    classes are, if there is a linear function for each such that on every row that of its own class is the largest:
    what softmax without a hidden layer can learn without a mistake. A linear programme decides; its solution is checked
    on every row, and margins of less than about 1e-7 standard deviations count as none.

    Among the functions that are right, those of smallest sum w^2 with a lead of 1 on every row are taken (the hard
    margin of Boser, Guyon and Vapnik 1992), by a quadratic programme over the rows that matter. In the plane that takes
    milliseconds, for ten classes of 1797 digits half a minute.

    Parameters
    ----------
    Phi : array (n, d)
        Features of every row: x itself, or what any transformation makes of it.
    y : array (n,) of int
        Class codes from 0.

    Returns
    -------
    Separability

    Raises
    ------
    InputError
        If Phi or y cannot be used.

    Examples
    --------
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> separability(X, y).separable
    False
    >>> separability([[*x, x[0] * x[1]] for x in X], y)
    Separability(separable, margin 0.447, accuracy 1)
    """
    Phi = numbers(Phi, "Phi", 2)
    codes, C = class_codes(y, len(Phi))
    mean, scale = centre_and_scale(Phi)
    Z = (Phi - mean) / scale
    leads = _leads_of_two(Z, codes) if C == 2 else _leads(Z, codes, C)
    solution = _feasible(leads)
    if solution is None:
        found = softmax_regression(Phi, codes, classes=C)
        if C == 2:
            return _result(Phi, codes, False, 0.0, found.w[1] - found.w[0], found.b[1] - found.b[0])
        return _result(Phi, codes, False, 0.0, found.w, found.b)
    functions = 1 if C == 2 else C
    w, b = _parts(_widest(leads, solution, functions), functions)
    margin = _distance(Z, codes, w, b)
    w = w / scale
    b = b - w @ mean
    return _result(Phi, codes, True, margin, w[0] if C == 2 else w, b[0] if C == 2 else b)


def _result(Phi: Array, codes: Array, separable: bool, margin: float, w: Array, b: Any) -> Separability:
    if w.ndim == 1:
        return Separability(separable, margin, float(((Phi @ w + b > 0) == codes).mean()), w, float(b))
    return Separability(separable, margin, LinearClassifier(w, b).accuracy(Phi, codes), w, b)


def _leads_of_two(Z: Array, codes: Array) -> Any:
    """The matrix G, such that G (w, b) is w'z + b for rows of class 1, and its negative for those of class 0."""
    signs = np.where(codes == 1, 1.0, -1.0)[:, None]
    return sparse.csr_array(signs * np.column_stack([Z, np.ones(len(Z))]))


def _leads(Z: Array, codes: Array, C: int) -> Any:
    """The matrix G, such that G (w_0, b_0, w_1, b_1, ...) is a_y - a_c for every row and every c other than y."""
    n, width = len(Z), Z.shape[1] + 1
    rows = np.column_stack([Z, np.ones(n)])
    others = np.array([[c for c in range(C) if c != own] for own in range(C)])[codes]  # (n, C - 1)
    place = np.arange(n * (C - 1))
    values = np.repeat(rows, C - 1, axis=0)
    across = np.arange(width)
    own = np.repeat(codes, C - 1)[:, None] * width + across
    other = others.ravel()[:, None] * width + across
    down = np.broadcast_to(place[:, None], own.shape)
    entries = np.concatenate([values.ravel(), -values.ravel()])
    at = np.concatenate([down.ravel(), down.ravel()]), np.concatenate([own.ravel(), other.ravel()])
    return sparse.csr_array((entries, at), shape=(len(place), C * width))


def _feasible(leads: Any) -> Array | None:
    """Return u with G u >= 1 on every row, or None if there is none.

    The programme that is solved has a solution in any case: the smallest s >= 0 with G u + s >= 1, which is 0 or 1. Of
    features that are nearly multiples of each other the simplex method at times goes in circles or gives up; then
    non-negative least squares answers, for which that is no matter.
    """
    m, p = leads.shape
    rows = sparse.hstack([leads, np.ones((m, 1))], format="csr")
    cost, bounds = np.append(np.zeros(p), 1.0), [(None, None)] * p + [(0.0, None)]
    limit = {"maxiter": STEPS * (m + p)}
    result = linprog(cost, A_ub=-rows, b_ub=-np.ones(m), bounds=bounds, method="highs", options=limit)
    if result.status == 0:
        u = np.asarray(result.x[:-1])
        return u if (leads @ u > 0).all() else None
    return _shortest(leads)


def _shortest(leads: Any) -> Array | None:
    """Return what `_feasible` returns: the shortest u, which is G' times the least squares solution's multipliers."""
    G = leads.toarray()
    m, p = G.shape
    E = np.vstack([G.T, np.ones(m)])
    try:
        multipliers, _ = nnls(E, np.append(np.zeros(p), 1.0), maxiter=STEPS * (m + p))
    except RuntimeError as problem:
        raise LayerwiseError(
            where="separability", expected="a linear programme with an answer", got=str(problem),
            remedy="give fewer features, or fewer rows",
        ) from problem  # fmt: skip
    u = G.T @ multipliers
    lead = float((G @ u).min())
    return u / lead if lead > LEAST * float(np.linalg.norm(u)) else None


def _widest(leads: Any, start: Array, functions: int) -> Array:
    """Return the u with G u >= 1 whose weights have the smallest sum of squares; biases are free.

    Only few rows decide: those are looked for, a handful more in each round, until no other is violated. Each round is
    a least distance problem, solved by non-negative least squares (Lawson and Hanson 1974, chapter 23). It counts the
    move of a bias a little, and less with every round, as the biases come to rest.
    """
    p = leads.shape[1]
    bias = np.zeros(p, bool)
    bias[p // functions - 1 :: p // functions] = True
    unit = np.where(bias, FREE, 1.0)
    u = right = start / (leads @ start).min()  # a lead of exactly 1 on the row that is nearest
    chosen: Array = np.empty(0, np.int64)
    shortest = np.inf
    for _ in range(ROUNDS):
        lead = leads @ u
        if lead.min() > 0 and np.linalg.norm((u / lead.min())[~bias]) < np.linalg.norm(right[~bias]):
            right = u / lead.min()
        more = np.setdiff1d(np.argsort(lead, kind="stable")[: p + 1], chosen)
        if len(chosen):
            more = more[lead[more] < 1 - SLACK]
            length = float(np.linalg.norm(u[~bias]))
            if len(more) == 0 and abs(length - shortest) <= SLACK * length:
                break
            shortest = length
        chosen = np.concatenate([chosen, more])
        G = leads[chosen].toarray()
        before = np.where(bias, u, 0.0)
        size = float(np.linalg.norm((right - before) / unit))  # the solution is of size 1 at most
        E = np.vstack([G.T * unit[:, None], (1 - G @ before) / size])
        multipliers, _ = nnls(E, np.append(np.zeros(p), 1.0), maxiter=100 * (p + len(chosen)))
        residual = E @ multipliers
        u = before + size * unit * residual[:-1] / (1.0 - residual[-1])
    return np.asarray(right)


def _parts(u: Array, functions: int) -> tuple[Array, Array]:
    table = u.reshape(functions, -1)
    return table[:, :-1], table[:, -1]


def _distance(Z: Array, codes: Array, w: Array, b: Array) -> float:
    """The smallest distance of a row to the boundary between its own class and another."""
    a = Z @ w.T + b
    if len(w) == 1:
        return float(np.abs(a).min() / np.linalg.norm(w))
    lead = np.take_along_axis(a, codes[:, None], 1) - a
    apart = np.linalg.norm(w[codes][:, None] - w[None], axis=2)
    other = np.arange(len(w)) != codes[:, None]
    return float((lead[other] / apart[other]).min())
