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
#: f of a, and the losses of a and y; both are given the settings of the output, too.
OUTPUTS: dict[str, Callable[..., Any]] = {
    "softmax": lambda a, **_: jax.nn.softmax(a),
    "softmax_groups": lambda a, sizes: jnp.hstack([jax.nn.softmax(part) for part in in_groups(a, sizes)]),
    "sigmoid": lambda a, **_: jax.nn.sigmoid(a),
    "poisson": jnp.exp,
    "sigmoid error": lambda a, **_: jax.nn.sigmoid(a),
    **dict.fromkeys(("identity", "absolute", "huber", "gaussian", "quantile", "cauchy"), lambda a, **_: a),
}


def in_groups(a: Any, sizes: tuple[int, ...]) -> list[Any]:
    """The columns of each group."""
    return jnp.split(a, np.cumsum(sizes)[:-1], axis=1)


def softmax_losses(a: Any, y: Any, smoothing: float = 0.0) -> Any:
    """Cross-entropy with smoothed labels."""
    labels = (1 - smoothing) * jax.nn.one_hot(y, a.shape[1]) + smoothing / a.shape[1]
    return -jnp.sum(labels * jax.nn.log_softmax(a), axis=1)


def sigmoid_losses(a: Any, y: Any, smoothing: float = 0.0) -> Any:
    """Binary cross-entropy with smoothed labels."""
    y = (1 - smoothing) * y + smoothing / 2
    return -jnp.sum(y * jax.nn.log_sigmoid(a) + (1 - y) * jax.nn.log_sigmoid(-a), axis=1)


def groups_losses(a: Any, y: Any, sizes: tuple[int, ...]) -> Any:
    """The sum of the cross-entropies of the groups."""
    parts = in_groups(jnp.asarray(a), sizes)
    return sum(softmax_losses(part, y[:, j].astype(int)) for j, part in enumerate(parts))


def quantile_losses(a: Any, y: Any, levels: tuple[float, ...]) -> Any:
    """The pinball losses of all levels, added up."""
    f = a.reshape(len(a), len(levels), -1)
    r, tau = y[:, None, :] - f, jnp.array(levels)[:, None]
    return jnp.sum(jnp.where(r > 0, tau, 1 - tau) * jnp.abs(r), axis=(1, 2))


def gaussian_losses(a: Any, y: Any) -> Any:
    """By the density of the normal distribution."""
    m, log_variance = jnp.split(a, 2, axis=1)
    return -jnp.sum(jax.scipy.stats.norm.logpdf(y, m, jnp.exp(log_variance / 2)), axis=1)


def huber_losses(a: Any, y: Any, delta: float = 1.0) -> Any:
    """A square up to delta, then a line."""
    r = jnp.abs(a - y)
    return jnp.sum(jnp.where(r < delta, r**2 / 2, delta * (r - delta / 2)), axis=1)


LOSSES: dict[str, Callable[..., Any]] = {
    "softmax": softmax_losses,
    "softmax_groups": groups_losses,
    "sigmoid": sigmoid_losses,
    "identity": lambda a, y: jnp.sum((a - y) ** 2, axis=1) / 2,
    "absolute": lambda a, y: jnp.sum(jnp.abs(a - y), axis=1),
    "huber": huber_losses,
    "poisson": lambda a, y: jnp.sum(jnp.exp(a) - y * a + jax.scipy.special.xlogy(y, y) - y, axis=1),
    "gaussian": gaussian_losses,
    "quantile": quantile_losses,
    "cauchy": lambda a, y, **_: jnp.sum(jnp.log1p((a - y) ** 2), axis=1),
    "sigmoid error": lambda a, y, **_: jnp.sum(jnp.abs(jax.nn.sigmoid(a) - y) ** 3, axis=1),
}
PENALTIES: dict[str, Callable[[Any], Any]] = {"l1": jnp.abs, "l2": jnp.square, "own": lambda W: jnp.log1p(W**2)}


@dataclass
class Peer:
    """A network in JAX, with everything but theta and X fixed.

    `masks` are the dropout masks by layer; `running` the running mean and variance of each layer, None for those of the
    batch; `counts` is w_t / w_mean of each row; penalties on activations count in `training`.
    """

    net: Any
    y: Any = None
    masks: Any = None
    running: Any = None
    counts: Any = 1.0
    penalty: Any = None
    training: bool = False

    def arrays(self, vector: Any) -> dict[tuple[str, int], Any]:
        """The arrays of theta in their canonical order: W1, b1, gamma1, beta1, W2, ..."""
        shapes = []
        for k, (d_in, d_out) in enumerate(pairwise(self.net.sizes), 1):
            upper = self.net.tied and 2 * k > len(self.net.sizes) - 1
            shapes += [("b", k, (d_out,))] if upper else [("W", k, (d_out, d_in)), ("b", k, (d_out,))]
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
        return self.preactivation_activity(vector, X)[0]

    def preactivation_activity(self, vector: Any, X: Any) -> tuple[Any, Any]:
        """a^(L+1), and the penalties on activations, row by row."""
        activity = jnp.zeros(len(X))
        theta, h, last = self.arrays(vector), X, len(self.net.layers) + 1
        if self.net.tied:
            theta |= {("W", k): theta["W", last + 1 - k].T for k in range(last // 2 + 1, last + 1)}
        for k, layer in enumerate(self.net.layers, 1):
            a = jnp.dot(h, theta["W", k].T) + theta["b", k]
            if layer.batch_norm:
                mean, variance = (jnp.mean(a, 0), jnp.var(a, 0)) if self.running is None else self.running[k]
                a = theta["gamma", k] * (a - mean) / jnp.sqrt(variance + 1e-5) + theta["beta", k]
            name = layer.activation.name
            h = (ACTIVATIONS.get(name) or getattr(jax.nn, name))(a)
            for term in layer.activity.terms:
                activity += term.strength * jnp.sum(PENALTIES[term.name](h), axis=1)
            if self.masks is not None and k in self.masks:
                h = h * self.masks[k]
        return jnp.dot(h, theta["W", last].T) + theta["b", last], activity

    def f(self, vector: Any, X: Any) -> Any:
        """The output of every row."""
        return self.of(OUTPUTS, self.preactivation(vector, X))

    def of(self, table: dict[str, Callable[..., Any]], *arrays: Any) -> Any:
        """Apply the output's row of a table."""
        return table[self.net.output.name](*arrays, **dict(self.net.output.settings))

    def losses(self, vector: Any, X: Any) -> Any:
        """The loss of every row."""
        return self.of(LOSSES, self.preactivation(vector, X), self.y)

    def objective_losses_f(self, vector: Any, X: Any) -> tuple[Any, tuple[Any, Any]]:
        """J = (1/n) sum_t (w_t / w_mean) l_t + lambda Omega(theta); and beside it the l_t and f."""
        a, activity = self.preactivation_activity(vector, X)
        losses = self.of(LOSSES, a, self.y)
        total = jnp.mean(self.counts * (losses + activity if self.training else losses))
        for term in self.penalty.terms if self.penalty else ():
            weights = [array for (name, _), array in self.arrays(vector).items() if name == "W"]
            total += term.strength * sum(jnp.sum(PENALTIES[term.name](W)) for W in weights)
        return total, (losses, self.of(OUTPUTS, a))

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
            "several classes": lambda: generator.integers(0, net.output.groups, (n, net.targets)),
            "labels": lambda: generator.uniform(size=(n, net.targets)),
            "numbers": lambda: generator.normal(size=(n, net.targets)),
        }[net.output.target]()
        if net.output.target_range[0] == 0 and net.output.target == "numbers":
            y = np.floor(np.abs(3 * y))  # counts
        return theta, X, y

    return make


@pytest.fixture(scope="session")
def running() -> Callable[[Any], Any]:
    """The running mean and variance of theta, by layer."""
    return lambda theta: {k: (theta.running_mean[k], theta.running_variance[k]) for k in theta.running_mean}
