"""Reinforcement learning by policy gradient: the NLL gradient, weighted by the return (course-map row 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError, check_number
from ..network import Network, Parameters
from ..rules.updates import Update
from ..training.state import TrainingState, start
from .checks import numbers

Array = npt.NDArray[Any]
#: A standard deviation of returns below it counts as none: then there is nothing to prefer.
LEAST_SPREAD = 1e-8


class Environment(Protocol):
    """What is asked of an environment: two methods of Gymnasium's."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; return the first observation."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take an action; return the observation, the reward, and whether the episode is over or was cut off."""


@final
@dataclass(frozen=True, eq=False)
class PolicyTraining:
    """What `reinforce` did.

    Attributes
    ----------
    returns : array (episodes,)
        The sum of the rewards of every episode, not discounted.
    lengths : array (episodes,) of int
        Actions taken in it.
    parameters : Parameters
    state : TrainingState
        Training can go on from there.
    """

    returns: Array
    lengths: Array
    parameters: Parameters
    state: TrainingState

    def __repr__(self) -> str:
        late = self.returns[-10:].mean() if len(self.returns) else float("nan")
        return f"PolicyTraining({len(self.returns)} episodes, mean return of the last ten {late:.4g})"


def returns_to_go(rewards: Any, discount: float = 1.0) -> Array:
    """Return G_t = r_t + discount r_(t+1) + discount^2 r_(t+2) + ... for every step of an episode.

    Parameters
    ----------
    rewards : array (n,)
    discount : float
        From 0 to 1.

    Returns
    -------
    array (n,)

    Examples
    --------
    >>> returns_to_go([1.0, 0.0, 2.0], discount=0.5)
    array([1.5, 1. , 2. ])
    """
    check_number("discount", discount, at_least=0, at_most=1)
    returns = numbers(rewards, "rewards", 1).copy()
    for t in range(len(returns) - 2, -1, -1):
        returns[t] += discount * returns[t + 1]
    return returns


def standardised_returns(returns: Any) -> Array:
    """Return the returns less their mean, over their standard deviation; zeros where all are equal.

    The mean is the baseline that Williams (1992) subtracts: it changes no expected gradient, and makes actions that
    turned out worse than usual less likely instead of all of them more.

    Parameters
    ----------
    returns : array (n,)

    Returns
    -------
    array (n,)

    Examples
    --------
    >>> standardised_returns([1.0, 3.0])
    array([-1.,  1.])
    """
    G = numbers(returns, "returns", 1)
    spread = G.std()
    return np.asarray((G - G.mean()) / spread) if spread > LEAST_SPREAD * np.abs(G).max() else np.zeros(len(G))


def reinforce(
    environment: Environment, net: Network, *, episodes: int, discount: float = 0.99,
    update: str | Update | None = None, episodes_per_update: int = 1, seed: int = 0, initial: Parameters | None = None,
    on_episode: Callable[[TrainingState, Sequence[float]], object] | None = None,
) -> PolicyTraining:  # fmt: skip
    """Train a policy f(x) = P(action | observation x) by REINFORCE (Williams 1992).

    Episodes are played with actions drawn from f(x). Then one update is made as in classification, with the
    observations as X, the actions taken as y, and as the weight of a row its discounted return, standardised over the
    episodes of the update: the gradient is the mean of weight * grad(-log f(x)_action). Good actions become labels,
    bad ones labels with negative weight.

    Parameters
    ----------
    environment : object
        With ``reset(seed=...)`` and ``step(action)`` as in Gymnasium, and actions 0, 1, ...; observations of any shape
        are taken as rows.
    net : Network
        One input for each number of an observation, one softmax output for each action.
    episodes : int
    discount : float
        From 0 to 1.
    update : str or Update
        Adam() by default.
    episodes_per_update : int
        More make the gradient less noisy; those left over at the end make an update too.
    seed : int
        For the parameters, the actions and the environment (given to its first reset).
    initial : Parameters, optional
        Where to start from.
    on_episode : callable (state, returns) -> object, optional
        Called after every episode with the returns so far; ``state.stop()`` ends training.

    Returns
    -------
    PolicyTraining

    Raises
    ------
    SpecificationError
        If the environment or the network cannot be used, or a setting cannot be.
    DivergenceError
        If the loss becomes NaN or infinite.

    Examples
    --------
    >>> class Coin:
    ...     def reset(self, *, seed=None):
    ...         self.left = 8
    ...         return [1.0], {}
    ...
    ...     def step(self, action):
    ...         self.left -= 1
    ...         return [1.0], float(action == 1), self.left == 0, False, {}
    >>> net = Network(1, [], 2)
    >>> training = reinforce(Coin(), net, episodes=100, discount=0.0, update="sgd")
    >>> bool(net.predict(training.parameters, [[1.0]])[0, 1] > 0.9)
    True
    """
    _check(environment, net)
    check_number("episodes", episodes, at_least=1, whole=True)
    check_number("episodes_per_update", episodes_per_update, at_least=1, whole=True)
    check_number("discount", discount, at_least=0, at_most=1)
    state = start(net, update=update, seed=seed, weight_mean="as given", initial=initial)
    generator = np.random.default_rng(seed)
    totals: list[float] = []
    lengths: list[int] = []
    played: list[tuple[Array, Array, Array]] = []
    for episode in range(episodes):
        X, actions, rewards = _play(environment, state, generator, seed if episode == 0 else None)
        played.append((X, actions, returns_to_go(rewards, discount)))
        totals.append(float(rewards.sum()))
        lengths.append(len(rewards))
        if len(played) == episodes_per_update or episode == episodes - 1:
            rows, chosen, returns = (np.concatenate(parts) for parts in zip(*played, strict=True))
            state.step(rows, chosen, standardised_returns(returns))
            played.clear()
        if on_episode is not None:
            on_episode(state, totals)
        if state.stopped:
            break
    return PolicyTraining(np.array(totals), np.array(lengths), state.parameters, state)


def _play(
    environment: Environment, state: TrainingState, generator: np.random.Generator, seed: int | None
) -> tuple[Array, Array, Array]:
    """Play one episode; return observations (n, inputs), actions (n,) and rewards (n,)."""
    net, theta = state.network, state.parameters
    observations, actions, rewards = [], [], []
    observation, _ = environment.reset(seed=seed)
    over = False
    while not over:
        x = np.asarray(observation, dtype=theta.vector.dtype).reshape(1, -1)
        f = net.predict(theta, x)[0]
        action = min(int(np.searchsorted(np.cumsum(f), generator.random(), side="right")), net.outputs - 1)
        observation, reward, terminated, truncated, _ = environment.step(action)
        observations.append(x)
        actions.append(action)
        rewards.append(float(reward))
        over = bool(terminated or truncated)
    return np.concatenate(observations), np.array(actions), np.array(rewards)


def _check(environment: Environment, net: Network) -> None:
    if not (callable(getattr(environment, "reset", None)) and callable(getattr(environment, "step", None))):
        raise SpecificationError(
            where="environment", expected="an object with reset(seed=...) and step(action)", got=repr(environment),
            remedy='give gymnasium.make("CartPole-v1"), say',
        )  # fmt: skip
    if net.output.target != "classes":
        raise SpecificationError(
            where="net", expected="softmax outputs, one for each action", got=net.output.name,
            remedy='make it with output="softmax"',
        )  # fmt: skip
    space = getattr(environment, "action_space", None)
    count = getattr(space, "n", net.outputs if space is None else None)
    if count is None or int(count) != net.outputs:
        raise SpecificationError(
            where="net", expected=f"an output for each action of {space}", got=f"{net.outputs} outputs",
            remedy="take as many outputs as there are actions; they have to be countable",
        )  # fmt: skip
