"""L-BFGS: SciPy's, over the loss and the gradient of all rows at once."""

from __future__ import annotations

import math
import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.utils.optimize import _check_optimize_result

from ..engines import Source, engine
from ..network import Parameters
from ..network.programs import Setting, constant_scalars, record, vectors_of
from ..ops.memory import aligned
from ..rules.penalties import Penalty
from ..rules.updates import OwnUpdate

Array = npt.NDArray[Any]
#: An update that leaves theta as it is and keeps the gradient, in the order of theta.
KEEP_GRADIENT: Final = OwnUpdate.of(lambda s, theta, grad, found, rate: (theta, grad), rate=1.0)


def minimise(
    theta: Parameters, source: Source, penalty: Penalty, *, max_iter: int, max_fun: int, tol: float, verbose: bool
) -> tuple[float, int, bool]:
    """Change theta to a minimum of what the output reports plus the penalty.

    Parameters
    ----------
    theta : Parameters
    source : Source
        All rows; the weights are those in the mean over them.
    penalty : Penalty
        With the strengths for all rows.
    max_iter, max_fun : int
        Iterations, and evaluations of the loss, at most.
    tol : float
        The largest entry of the gradient that counts as none.
    verbose : bool

    Returns
    -------
    loss : float
    n_iter : int
    interrupted : bool
        Whether Ctrl-C ended it; theta is that of the last iteration then.
    """
    net = theta.network
    setting = Setting("train_step", KEEP_GRADIENT, penalty, source.weights is not None)
    # Not kept with the network as other programs are: one batch of all rows takes much memory, which goes with the run.
    run = engine().load(record(net, setting), theta.vector.dtype)
    given = constant_scalars(net, penalty) | {"rate": 1.0}
    table = np.array([[given[name] for name in run.program.scalars]])
    order, bounds = np.arange(len(source)), np.array([[0, len(source)]])
    probe = theta.copy()
    gradient = aligned(0.0, theta.vector.dtype, net.n_parameters)

    def loss_and_gradient(vector: Array) -> tuple[float, Array]:
        probe.vector[...] = vector
        vectors = vectors_of(probe) | {"found": gradient}
        seen = run.run(vectors, source, order, bounds, table, (0, 0), lambda batches: False).means
        loss = seen.get("reported", seen["loss"]) + seen.get("penalty", 0.0)
        if not math.isfinite(loss):  # a NaN has the line search come back, while it takes infinity for an end
            return math.nan, np.full_like(gradient, math.nan)
        return loss, gradient.copy()

    iterations, last_loss = 0, float("nan")

    def iterated(intermediate_result: Any) -> None:
        nonlocal iterations, last_loss
        iterations, last_loss = iterations + 1, float(intermediate_result.fun)
        theta.vector[...] = intermediate_result.x
        if verbose:
            print(f"Iteration {iterations}, loss = {last_loss:.8f}")

    try:
        with np.errstate(over="ignore"):  # trial steps may go far; filters of warnings are one for all threads
            result = minimize(
                loss_and_gradient, theta.vector.copy(), method="L-BFGS-B", jac=True, callback=iterated,
                options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
            )  # fmt: skip
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=3)
        return last_loss, iterations, True
    theta.vector[...] = result.x
    return float(result.fun), int(_check_optimize_result("lbfgs", result, max_iter)), False
