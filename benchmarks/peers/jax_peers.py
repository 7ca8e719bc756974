"""JAX: one jitted call a step, and one for a whole epoch (lax.scan, under vmap for several networks)."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from ..cases import Array, Case, Problem
from .interface import Peer, Rows, StepByStep, Work, not_installed, rows_of

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _loss(theta: Any, x: Any, codes: Any) -> Any:
    import jax
    import jax.numpy as jnp

    logs = jax.nn.log_softmax(_logits(theta, x))
    return -jnp.take_along_axis(logs, codes[:, None], axis=1).mean()


def _logits(theta: Any, h: Any) -> Any:
    import jax

    for W, b in theta[:-1]:
        h = jax.nn.relu(h @ W.T + b)
    W, b = theta[-1]
    return h @ W.T + b


def _step(case: Case, state: Any, x: Any, codes: Any) -> tuple[Any, Any]:
    """One update.  state: theta, and for Adam the two averages and t."""
    import jax
    import jax.numpy as jnp

    loss, gradient = jax.value_and_grad(_loss)(state[0], x, codes)
    if case.update == "sgd":
        return (jax.tree.map(lambda value, g: value - case.rate * g, state[0], gradient),), loss
    theta, mean, squares, t = state
    t = t + 1
    mean = jax.tree.map(lambda m, g: m + (1 - BETA1) * (g - m), mean, gradient)
    squares = jax.tree.map(lambda s, g: s + (1 - BETA2) * (g * g - s), squares, gradient)
    rate, correction = case.rate / (1 - BETA1**t), 1 / (1 - BETA2**t)
    theta = jax.tree.map(
        lambda value, m, s: value - rate * m / (jnp.sqrt(s * correction) + EPSILON), theta, mean, squares
    )
    return (theta, mean, squares, t), loss


def _start(problem: Problem) -> Any:
    import jax
    import jax.numpy as jnp

    theta = [(jnp.asarray(W), jnp.asarray(b)) for W, b in problem.initial()]
    if problem.case.update == "sgd":
        return (theta,)
    return theta, jax.tree.map(jnp.zeros_like, theta), jax.tree.map(jnp.zeros_like, theta), jnp.zeros((), jnp.float32)


def _train_jit(problem: Problem) -> Work:
    import jax
    import jax.numpy as jnp

    case, B = problem.case, problem.case.batch_size
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y.astype(np.int32))
    start = _start(problem)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, X: Any, y: Any, i: Any) -> tuple[Any, Any]:
        x, codes = (jax.lax.dynamic_slice_in_dim(array, i * B, B) for array in (X, y))
        return _step(case, state, x, codes)

    def losses(steps: int) -> Array:
        state, seen = jax.tree.map(jnp.copy, start), []
        for i in range(steps):
            state, loss = step(state, X, y, i)
            seen.append(loss)
        _wait_for(state)
        return np.array(jax.device_get(seen))

    return StepByStep(losses)


def _scan(problem: Problem, over: Any, start: Any) -> Work:
    import jax
    import jax.numpy as jnp

    case, B = problem.case, problem.case.batch_size
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y.astype(np.int32))

    def epoch(start: Any, X: Any, y: Any) -> Any:
        return jax.lax.scan(lambda state, row: _step(case, state, *row), start, (X, y))

    compiled = jax.jit(over(epoch))

    def losses(steps: int) -> Array:
        state, seen = compiled(
            start, X[: steps * B].reshape(steps, B, -1), y[: steps * B].reshape(steps, B)
        )  # fmt: skip
        _wait_for(state)
        return np.asarray(seen)

    return StepByStep(losses, case.networks)


def _train_scan(problem: Problem) -> Work:
    return _scan(problem, lambda epoch: epoch, _start(problem))


def _train_vmap(problem: Problem) -> Work:
    import jax
    import jax.numpy as jnp

    starts = [_start(problem.of_network(k)) for k in range(problem.case.networks)]
    stacked = jax.tree.map(lambda *values: jnp.stack(values), *starts)
    return _scan(problem, lambda epoch: jax.vmap(epoch, in_axes=(0, None, None)), stacked)


def _predict(problem: Problem) -> Work:
    import jax
    import jax.numpy as jnp

    theta = _start(problem)[0]
    forward = jax.jit(
        lambda x: jax.nn.softmax(_logits(theta, x))
    )  # parameters compiled in: half the time of passing them
    return Rows(lambda x: forward(x).block_until_ready(), [jnp.asarray(row) for row in rows_of(problem)])


def _wait_for(state: Any) -> None:
    import jax

    wait: Any = jax.block_until_ready  # it has no types
    wait(state)


def _versions() -> dict[str, str]:
    return {"jax": version("jax"), "jaxlib": version("jaxlib")}


def _missing() -> str:
    return not_installed("jax", "jaxlib")


STEP = Peer("jax-jit", missing=_missing, versions=_versions, train=_train_jit, predict=_predict)
SCAN = Peer(
    "jax-scan", missing=_missing, versions=_versions, train=_train_scan, train_many=_train_vmap, whole_epochs=True
)
