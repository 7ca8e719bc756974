"""Softmax regression: the network without a hidden layer, as the measure of what a linear classifier can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..errors import check_number
from ..network import Network
from ..rules.penalties import L2
from ..rules.updates import Adam
from ..training.fit import fit
from .checks import centre_and_scale, class_codes, numbers

Array = npt.NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """One linear function a_c(x) = b_c + w_c'x a class; the largest one decides.

    Attributes
    ----------
    w : array (C, d)
    b : array (C,)
    """

    w: Array
    b: Array

    def __repr__(self) -> str:
        return f"LinearClassifier of {self.w.shape[1]} features and {len(self.w)} classes"

    def decide(self, Phi: Any) -> Array:
        """Return the class of every row; of equal values the first one counts.

        Parameters
        ----------
        Phi : array (n, d)

        Returns
        -------
        array (n,) of int
        """
        return np.asarray((numbers(Phi, "Phi", 2) @ self.w.T + self.b).argmax(axis=1))

    def accuracy(self, Phi: Any, y: Any) -> float:
        """Return the share of rows whose class is right."""
        return float((self.decide(Phi) == np.asarray(y)).mean())


def softmax_regression(
    Phi: Any, y: Any, *, classes: int | None = None, penalty: float = 0.0, epochs: int = 300
) -> LinearClassifier:
    """Train a network without hidden layers on features.

    The columns are standardised for training, with all rows in each of the updates (Adam at rate 0.1, which falls to 0
    by the cosine schedule); w and b come back in the units of Phi. The start is 0, so that nothing is random.

    Parameters
    ----------
    Phi : array (n, d)
    y : array (n,) of int
    classes : int, optional
        C; by default the largest code and one.
    penalty : float
        Strength of the L2 penalty on the weights of standardised columns.
    epochs : int
        Updates.

    Returns
    -------
    LinearClassifier

    Raises
    ------
    InputError, SpecificationError
        If an array or a setting cannot be used.

    Examples
    --------
    >>> found = softmax_regression([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> found.accuracy([[-5.0], [1.4], [1.6]], [0, 0, 1])
    1.0
    """
    Phi = numbers(Phi, "Phi", 2)
    codes, found = class_codes(y, len(Phi))
    if classes is not None:
        check_number("classes", classes, at_least=found, whole=True)
    check_number("penalty", penalty, at_least=0)
    mean, scale = centre_and_scale(Phi)
    net = Network(Phi.shape[1], [], classes or found, output="softmax", initialisation="zeros")
    model = fit(
        net, (Phi - mean) / scale, codes, update=Adam(0.1), batch_size="all", epochs=epochs, schedule="cosine",
        penalty=L2(penalty) if penalty else None, dtype="float64", shuffle=False,
    )  # fmt: skip
    theta = model.parameters
    w = theta.W[1] / scale
    return LinearClassifier(w, theta.b[1] - w @ mean)
