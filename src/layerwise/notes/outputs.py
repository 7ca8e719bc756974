"""An output function and its loss without a network before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..network import Network, Trace
from ..rules.outputs import Output


def trace_output(a: Any, y: Any, output: str | Output = "softmax", dtype: npt.DTypeLike = np.float64) -> Trace:
    """Return f, the losses and their gradients at given pre-activations a^(L+1).

    It is the trace of a network without hidden layers whose W is the identity and whose b is 0, so a[1] is a.

    Parameters
    ----------
    a : array (n, C), or (C,) for one example
    y : array
        As `Network.trace` takes it; for one example a single target will do.
    output : str or Output
    dtype : float64 or float32

    Returns
    -------
    Trace

    Raises
    ------
    InputError
        If a or y are not what the output needs.

    Examples
    --------
    >>> t = trace_output([0.0, 0.0], 1)
    >>> t.f.tolist(), t.grad_f.tolist(), t.grad_a[1].tolist()
    ([[0.5, 0.5]], [[0.0, -2.0]], [[0.5, -0.5]])
    """
    rows = np.atleast_2d(np.asarray(a, dtype))
    net = Network(rows.shape[1], [], rows.shape[1], output=output, initialisation=0.0)
    theta = net.initialize(dtype=dtype)
    np.fill_diagonal(theta.W[1], 1.0)
    targets = np.asarray(y)
    if np.ndim(a) == 1:
        targets = targets.reshape(1, -1) if net.output.target != "classes" else targets.reshape(1)
    return net.trace(theta, rows, targets)
