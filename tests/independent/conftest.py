"""The same networks, written a second time with jax.numpy and jax.nn, for JAX to differentiate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_disable_most_optimizations", True)  # each program runs once: compiling it is what takes time

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

#: Where jax.nn has another name or another default; an own activation of the tests is listed by its name, too.
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda a: a,
    "leaky_relu": lambda a: jax.nn.leaky_relu(a, 0.01),
    "gelu": lambda a: jax.nn.gelu(a, approximate=False),
    "a tanh a": lambda a: a * jnp.tanh(a),
}
OUTPUTS: dict[str, Callable[[Any], Any]] = {
    "softmax": jax.nn.softmax,
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda a: a,
}
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda a, y: -jax.nn.log_softmax(a)[jnp.arange(len(y)), y],
    "sigmoid": lambda a, y: -jnp.sum(y * jax.nn.log_sigmoid(a) + (1 - y) * jax.nn.log_sigmoid(-a), axis=1),
    "identity": lambda a, y: jnp.sum((a - y) ** 2, axis=1) / 2,
}
PENALTIES: dict[str, Callable[[Any], Any]] = {"l1": jnp.abs, "l2": jnp.square, "own": lambda W: jnp.log1p(W**2)}


@dataclass
class Peer:
    """A network in JAX, with everything but theta and X fixed.

    `masks` are the dropout masks by layer; `running` the running mean and variance of each layer, None for those of the
    batch; `counts` is w_t / w_mean of each row.
    """

    net: Any
    y: Any = None
    masks: Any = None
    running: Any = None
    counts: Any = 1.0
    penalty: Any = None

    def arrays(self, vector: Any) -> dict[tuple[str, int], Any]:
        """The arrays of theta in their canonical order: W1, b1, gamma1, beta1, W2, ..."""
        shapes = []
        for k, (d_in, d_out) in enumerate(pairwise(self.net.sizes), 1):
            shapes += [("W", k, (d_out, d_in)), ("b", k, (d_out,))]
            if k <= len(self.net.layers) and self.net.layers[k - 1].batch_norm:
                shapes += [("gamma", k, (d_out,)), ("beta", k, (d_out,))]
        found, place = {}, 0
        for name, k, shape in shapes:
            size = int(np.prod(shape))
            found[name, k] = vector[place : place + size].reshape(shape)
            place += size
        assert place == len(vector)
        return found

    def preactivation(self, vector: Any, X: Any) -> Any:
        """a^(L+1), row by row."""
        theta, h = self.arrays(vector), X
        for k, layer in enumerate(self.net.layers, 1):
            a = jnp.dot(h, theta["W", k].T) + theta["b", k]
            if layer.batch_norm:
                mean, variance = (jnp.mean(a, 0), jnp.var(a, 0)) if self.running is None else self.running[k]
                a = theta["gamma", k] * (a - mean) / jnp.sqrt(variance + 1e-5) + theta["beta", k]
            name = layer.activation.name
            h = (ACTIVATIONS.get(name) or getattr(jax.nn, name))(a)
            if self.masks is not None and k in self.masks:
                h = h * self.masks[k]
        last = len(self.net.layers) + 1
        return jnp.dot(h, theta["W", last].T) + theta["b", last]

    def f(self, vector: Any, X: Any) -> Any:
        """The output of every row."""
        return OUTPUTS[self.net.output.name](self.preactivation(vector, X))

    def losses(self, vector: Any, X: Any) -> Any:
        """The loss of every row."""
        return LOSSES[self.net.output.name](self.preactivation(vector, X), self.y)

    def objective_losses_f(self, vector: Any, X: Any) -> tuple[Any, tuple[Any, Any]]:
        """J = (1/n) sum_t (w_t / w_mean) l_t + lambda Omega(theta); and beside it the l_t and f."""
        a = self.preactivation(vector, X)
        losses = LOSSES[self.net.output.name](a, self.y)
        total = jnp.mean(self.counts * losses)
        for term in self.penalty.terms if self.penalty else ():
            weights = [array for (name, _), array in self.arrays(vector).items() if name == "W"]
            total += term.strength * sum(jnp.sum(PENALTIES[term.name](W)) for W in weights)
        return total, (losses, OUTPUTS[self.net.output.name](a))

    def objective(self, vector: Any, X: Any) -> Any:
        """J alone."""
        return self.objective_losses_f(vector, X)[0]


@pytest.fixture(scope="session")
def make_peer() -> type[Peer]:
    """The class Peer."""
    return Peer


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """(net, ours, theirs, tolerance): each array of theta differs by that share of its largest entry at most.

    An array whose gradient is nothing but rounding, such as a bias before batch normalisation, counts relative to a
    thousandth of the largest entry of all.
    """

    def compare(net: Any, ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape == (net.n_parameters,)
        assert np.isfinite(theirs).all()
        assert np.abs(theirs).max() > 0
        for key, array in Peer(net).arrays(theirs).items():
            largest = max(np.abs(array).max(), 1e-3 * np.abs(theirs).max())
            error = np.abs(Peer(net).arrays(ours)[key] - array).max() / largest
            assert error <= tolerance, f"{key}: {error}"

    return compare


@pytest.fixture(scope="session")
def problem() -> Callable[..., tuple[Any, Any, Any]]:
    """(net, n, seed) -> theta with nothing at its initial value, X and y."""

    def make(net: Any, n: int, seed: int = 0) -> tuple[Any, Any, Any]:
        generator = np.random.default_rng([seed, n, net.n_parameters])
        theta = net.initialize(seed)
        theta.vector += 0.3 * generator.normal(size=theta.vector.shape)
        for k in theta.running_mean:
            theta.running_mean[k][...] = generator.normal(size=theta.running_mean[k].shape)
            theta.running_variance[k][...] = generator.uniform(0.5, 2, theta.running_variance[k].shape)
        X = generator.normal(size=(n, net.inputs))
        y = {
            "classes": lambda: generator.integers(0, net.outputs, n),
            "labels": lambda: generator.uniform(size=(n, net.outputs)),
            "numbers": lambda: generator.normal(size=(n, net.outputs)),
        }[net.output.target]()
        return theta, X, y

    return make


@pytest.fixture(scope="session")
def running() -> Callable[[Any], Any]:
    """The running mean and variance of theta, by layer."""
    return lambda theta: {k: (theta.running_mean[k], theta.running_variance[k]) for k in theta.running_mean}
