"""REINFORCE: returns, the gradient it follows, and that it learns."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError

analysis = lw.analysis


class Walk:
    """Observations and rewards that a seed decides, episodes of `length` steps; it keeps what was done."""

    def __init__(self, length=7):
        self.length, self.seeds, self.episodes = length, [], []

    def reset(self, *, seed=None):
        self.seeds.append(seed)
        self.generator = np.random.default_rng(seed) if seed is not None else self.generator
        self.episodes.append([])
        self.x = self.generator.standard_normal((3, 1))
        return self.x, {}

    def step(self, action):
        reward = float(self.x[0, 0] * action + self.generator.standard_normal())
        self.episodes[-1].append((self.x.ravel(), action, reward))
        self.x = self.generator.standard_normal((3, 1))
        return self.x, reward, len(self.episodes[-1]) == self.length, False, {}


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
def test_returns_are_discounted_sums(discount):
    rewards = np.random.default_rng(0).standard_normal(6)
    expected = [sum(discount ** (k - t) * rewards[k] for k in range(t, 6)) for t in range(6)]
    np.testing.assert_allclose(analysis.returns_to_go(rewards, discount), expected)


def test_standardised_returns():
    weights = analysis.standardised_returns([1.0, 2.0, 6.0])
    assert weights.mean() == pytest.approx(0)
    assert weights.std() == pytest.approx(1)
    assert analysis.standardised_returns([0.1, 0.1, 0.1]).tolist() == [0, 0, 0]


@pytest.mark.parametrize("episodes", [1, 3])
def test_the_step_is_the_weighted_nll_gradient(episodes):
    net, walk = lw.Network(3, [5], 2, hidden="tanh"), Walk()
    theta = net.initialize(seed=1)
    found = analysis.reinforce(
        walk, net, episodes=episodes, episodes_per_update=episodes, discount=0.8, update=lw.SGD(0.25), initial=theta
    )
    X, actions, _ = (np.array(part) for part in zip(*chain(*walk.episodes), strict=True))
    returns = [analysis.returns_to_go([reward for *_, reward in episode], 0.8) for episode in walk.episodes]
    weights = analysis.standardised_returns(np.concatenate(returns))
    assert (weights < 0).any()
    assert len(set(actions)) == 2
    gradients = lw.per_example_gradients(net, theta, X, actions)
    expected = theta.vector - 0.25 * (weights[:, None] * gradients).mean(axis=0)
    np.testing.assert_allclose(found.parameters.vector, expected, atol=1e-6)
    f = net.predict(theta, X)[np.arange(len(X)), actions]
    trace = net.trace(theta, X, actions, weights=weights, weight_mean="as given")
    assert trace.loss == pytest.approx(-(weights * np.log(f)).mean())  # what the gradient is that of


def test_the_same_seed_plays_the_same():
    net = lw.Network(3, [4], 2)
    first, second, other = (analysis.reinforce(Walk(), net, episodes=5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.returns, second.returns)
    np.testing.assert_array_equal(first.parameters.vector, second.parameters.vector)
    assert not np.array_equal(first.returns, other.returns)


def test_the_environment_is_seeded_once_and_actions_follow_f():
    net, walk = lw.Network(3, [], 2), Walk(length=2000)
    theta = net.initialize()
    theta.vector[...] = 0
    theta.b[1][...] = np.log([0.2, 0.8])
    analysis.reinforce(walk, net, episodes=2, episodes_per_update=2, seed=9, initial=theta)
    assert walk.seeds == [9, None]
    actions = np.array([action for episode in walk.episodes for _, action, _ in episode])
    assert actions.mean() == pytest.approx(0.8, abs=0.03)


def test_callbacks_see_every_episode_and_can_stop():
    seen = []

    def watch(state, returns):
        seen.append((state.steps, len(returns)))
        if len(returns) == 3:
            state.stop()

    found = analysis.reinforce(Walk(), lw.Network(3, [], 2), episodes=9, episodes_per_update=2, on_episode=watch)
    assert seen == [(0, 1), (1, 2), (1, 3)]
    assert len(found.returns) == 3
    assert found.lengths.tolist() == [7, 7, 7]


def test_cart_pole_is_learned():
    gymnasium = pytest.importorskip("gymnasium")
    found = analysis.reinforce(
        gymnasium.make("CartPole-v1"), lw.Network(4, [32], 2, hidden="tanh"), episodes=250, episodes_per_update=2,
        update=lw.Adam(0.01), seed=0,
    )  # fmt: skip
    # Over 16 seeds the ratio was 6.3 at least, and 10.5 in the middle.
    assert found.returns[-50:].mean() > 4 * found.returns[:20].mean()


def test_bad_input(refuses):
    net = lw.Network(3, [], 2)
    with refuses(SpecificationError, "environment"):
        analysis.reinforce(object(), net, episodes=1)
    with refuses(SpecificationError, "net"):
        analysis.reinforce(Walk(), lw.Network(3, [], 2, output="identity"), episodes=1)
    with refuses(SpecificationError, "episodes"):
        analysis.reinforce(Walk(), net, episodes=0)
    with refuses(SpecificationError, "discount"):
        analysis.reinforce(Walk(), net, episodes=1, discount=1.5)
    walk = Walk()
    walk.action_space = type("Discrete", (), {"n": 3})()
    with refuses(SpecificationError, "net"):
        analysis.reinforce(walk, net, episodes=1)
    walk.action_space = object()  # not countable
    with refuses(SpecificationError, "countable"):
        analysis.reinforce(walk, net, episodes=1)
