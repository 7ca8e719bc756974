"""What the hidden layers learn: the accuracy of a linear classifier on each h^(k) (course-map row 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..data.splits import split_rows
from ..errors import InputError, SpecificationError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_parameters
from ..network.propagation import forward
from ..ops import NumpyOps
from ..training.evaluation import cut
from .checks import class_codes
from .linear import LinearClassifier, softmax_regression

Array = npt.NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class LinearProbes:
    """What `linear_probes` found, from the input (k = 0) to the last hidden layer (k = L).

    Attributes
    ----------
    accuracy : array (L + 1,)
        The share of held-out rows that each layer's classifier gets right.
    training_accuracy : array (L + 1,)
        The same of the rows that it was trained on.
    classifiers : tuple of LinearClassifier
    """

    accuracy: Array
    training_accuracy: Array
    classifiers: tuple[LinearClassifier, ...]

    def __repr__(self) -> str:
        return "LinearProbes(" + ", ".join(f"h{k}: {value:.3f}" for k, value in enumerate(self.accuracy)) + ")"


def representations(net: Network, theta: Parameters, X: Any) -> list[Array]:
    """Return h^(0), ..., h^(L) of every row, as in prediction.

    Parameters
    ----------
    net : Network
    theta : Parameters
    X : array (n, inputs)

    Returns
    -------
    list of L + 1 arrays (n, units)

    Raises
    ------
    InputError
        If theta or X cannot be used.

    Examples
    --------
    >>> net = Network(2, [3, 4], 2)
    >>> [h.shape for h in representations(net, net.initialize(), [[0.0, 1.0]])]
    [(1, 2), (1, 3), (1, 4)]
    """
    check_parameters(theta, net)
    X = check_inputs(X, net)
    dtype = theta.vector.dtype
    ops = NumpyOps(dtype)
    pieces = []
    for first, end in cut(len(X), net.piece):
        values = forward(ops, net, theta, np.asarray(X[first:end], dtype))
        pieces.append([values.h[k] for k in range(net.L + 1)])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def linear_probes(
    net: Network, theta: Parameters, X: Any, y: Any, *, validation: Any = 0.25, penalty: float = 1e-4,
    epochs: int = 300, seed: int = 0,
) -> LinearProbes:  # fmt: skip
    """Train a linear classifier on each h^(k), k = 0..L, and measure it on held-out rows (Alain and Bengio 2016).

    Each is softmax regression on h^(k), theta unchanged; see `softmax_regression`. Rows that theta was trained on are
    not new to it, so give others as `validation` where that matters.

    Parameters
    ----------
    net : Network
        Of any output: only its hidden layers are looked at.
    theta : Parameters
    X : array (n, inputs)
    y : array (n,) of int
        Class codes from 0.
    validation : (X, y) or float
        Rows to measure on, or the fraction of rows to hold out by `seed`, the same of every class.
    penalty : float
        Strength of the L2 penalty on the weights of standardised units.
    epochs : int
        Updates of each classifier.
    seed : int

    Returns
    -------
    LinearProbes

    Raises
    ------
    InputError, SpecificationError
        If an array or a setting cannot be used.

    Examples
    --------
    >>> from layerwise.analysis import circles
    >>> from layerwise.training.fit import fit
    >>> X, y = circles(200)
    >>> model = fit(Network(2, [16], 2, hidden="tanh"), X, y, epochs=300)
    >>> probes = linear_probes(model.network, model.parameters, X, y)
    >>> bool(probes.accuracy[0] < 0.7 and probes.accuracy[1] > 0.9)
    True
    """
    X = check_inputs(X, net)
    codes, C = class_codes(y, len(X))
    if isinstance(validation, tuple | list):
        if len(validation) != 2:
            raise SpecificationError(
                where="validation", expected="(X, y) or a fraction", got=f"{len(validation)} arrays", remedy="give two"
            )
        others = check_inputs(validation[0], net, "validation X")
        other_codes = _known_codes(validation[1], len(others), C)
    else:
        check_number("validation", validation, above=0, below=1)
        parts = split_rows(len(X), seed=seed, test=0.0, validation=float(validation), strata=codes)
        others, other_codes = X[parts.validation], codes[parts.validation]
        X, codes = X[parts.train], codes[parts.train]
    classifiers, accuracy, training_accuracy = [], [], []
    pairs = zip(representations(net, theta, X), representations(net, theta, others), strict=True)
    for h, held_out in pairs:
        found = softmax_regression(h, codes, classes=C, penalty=penalty, epochs=epochs)
        classifiers.append(found)
        accuracy.append(found.accuracy(held_out, other_codes))
        training_accuracy.append(found.accuracy(h, codes))
    return LinearProbes(np.array(accuracy), np.array(training_accuracy), tuple(classifiers))


def _known_codes(y: Any, n: int, C: int) -> Array:
    codes = np.asarray(y)
    if codes.shape != (n,) or codes.dtype.kind not in "iub" or codes.min() < 0 or codes.max() >= C:
        raise InputError(
            where="validation y", expected=f"{n} class codes 0 to {C - 1}", got=repr(y),
            remedy="give one code a row, of the classes in y",
        )  # fmt: skip
    return codes
