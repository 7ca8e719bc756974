"""Update rules: two steps of each by plain arithmetic, what every row of the table promises, and a user's own."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from layerwise.ops import Expression, NumpyOps
from layerwise.rules.updates import (
    SGD,
    TABLE,
    Adagrad,
    Adam,
    AdamW,
    OwnUpdate,
    RMSProp,
    apply_update,
    as_update,
    update,
)

RULES = [make() for make in TABLE.values()] + [SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9, nesterov=True)]
EVERY = pytest.mark.parametrize("rule", RULES, ids=str)
GRADIENTS = (0.5, -0.25, 1.0)


def run(rule, theta, gradients, rate=None, is_weight=True, dtype=np.float64):
    """Return theta after each update, and the memory at the end."""
    ops, memory = NumpyOps(dtype), tuple(np.full(np.shape(theta), rule.initial_memory, dtype) for _ in rule.memory)
    theta, visited = np.asarray(theta, dtype), []
    for t, grad in enumerate(gradients, 1):
        scalars = rule.scalars(t, rule.rate if rate is None else rate, is_weight)
        theta, memory = apply_update(ops, rule, theta, np.asarray(grad, dtype), memory, scalars)
        visited.append(theta)
    return visited, memory


def close(found, *expected):
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-14)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_sgd():
    visited, memory = run(SGD(0.1), [2.0], [[0.5], [-0.25]])
    close(visited, 2 - 0.1 * 0.5, 2 - 0.1 * 0.5 + 0.1 * 0.25)
    assert memory == ()


def test_momentum():
    visited, (velocity,) = run(SGD(0.1, momentum=0.5), [2.0], [[0.5], [-0.25], [1.0]])
    v1, v2 = 0.5, -0.25 + 0.5 * 0.5
    v3 = 1.0 + 0.5 * v2
    close(visited, 2 - 0.1 * v1, 2 - 0.1 * v1 - 0.1 * v2, 2 - 0.1 * v1 - 0.1 * v2 - 0.1 * v3)
    close(velocity, v3)


def test_nesterov():
    visited, (velocity,) = run(SGD(0.1, momentum=0.5, nesterov=True), [2.0], [[0.5], [-0.25]])
    v1, v2 = 0.5, -0.25 + 0.5 * 0.5
    first = 2 - 0.1 * (0.5 + 0.5 * v1)
    close(visited, first, first - 0.1 * (-0.25 + 0.5 * v2))
    close(velocity, v2)


def test_adagrad():
    visited, (squares,) = run(Adagrad(0.1, epsilon=1e-3, initial_squares=0.2), [2.0], [[0.5], [-0.25]])
    s1, s2 = 0.2 + 0.25, 0.2 + 0.25 + 0.0625
    first = 2 - 0.1 * 0.5 / math.sqrt(s1 + 1e-3)
    close(visited, first, first + 0.1 * 0.25 / math.sqrt(s2 + 1e-3))
    close(squares, s2)


def test_rmsprop():
    visited, (squares,) = run(RMSProp(0.1, decay=0.8, epsilon=1e-3), [2.0], [[0.5], [-0.25]])
    s1 = 0.2 * 0.25
    s2 = 0.8 * s1 + 0.2 * 0.0625
    first = 2 - 0.1 * 0.5 / math.sqrt(s1 + 1e-3)
    close(visited, first, first + 0.1 * 0.25 / math.sqrt(s2 + 1e-3))
    close(squares, s2)


def adam_by_hand(theta, decay=0.0):
    """Two steps with rate 0.1, beta1 0.8, beta2 0.5, epsilon 1e-3 and gradients 0.5 and -0.25."""
    m1, s1 = 0.2 * 0.5, 0.5 * 0.25
    first = theta - 0.1 * ((m1 / (1 - 0.8)) / (math.sqrt(s1 / (1 - 0.5)) + 1e-3) + decay * theta)
    m2, s2 = 0.8 * m1 + 0.2 * -0.25, 0.5 * s1 + 0.5 * 0.0625
    second = first - 0.1 * ((m2 / (1 - 0.64)) / (math.sqrt(s2 / (1 - 0.25)) + 1e-3) + decay * first)
    return (first, second), (m2, s2)


def test_adam():
    visited, memory = run(Adam(0.1, 0.8, 0.5, 1e-3), [2.0], [[0.5], [-0.25]])
    expected, kept = adam_by_hand(2.0)
    close(visited, *expected)
    close(memory, *kept)


def test_adamw_decays_weights_only():
    rule = AdamW(0.1, 0.8, 0.5, 1e-3, decay=0.3)
    close(run(rule, [2.0], [[0.5], [-0.25]])[0], *adam_by_hand(2.0, decay=0.3)[0])
    close(run(rule, [2.0], [[0.5], [-0.25]], is_weight=False)[0], *adam_by_hand(2.0)[0])


def test_the_first_step_of_adam_is_the_rate_in_each_direction():
    visited, _ = run(Adam(0.01, epsilon=1e-12), np.zeros(4), [[1e-3, -5.0, 100.0, 0.0]])
    np.testing.assert_allclose(visited[0], [-0.01, 0.01, -0.01, 0.0], rtol=1e-8)


# --- every row --------------------------------------------------------------------------------------------------------


@EVERY
def test_scalars_are_what_the_formula_asks_for(rule):
    names = rule.formula.inputs[2 + len(rule.memory) :]
    assert rule.formula.inputs[:2] == ("theta", "grad")
    assert len(rule.formula.outputs) == 1 + len(rule.memory)
    for is_weight in (True, False):
        scalars = rule.scalars(3, 0.05, is_weight)
        assert set(names) <= set(scalars)
        assert scalars["rate"] == 0.05
        assert all(isinstance(value, float) and math.isfinite(value) for value in scalars.values())


@EVERY
def test_what_differs_between_weights_and_others_is_said(rule):
    of_weights, of_others = rule.scalars(2, 0.05, True), rule.scalars(2, 0.05, False)
    assert {name for name in of_weights if of_weights[name] != of_others[name]} == set(rule.differ)
    assert as_update(rule) is rule


@EVERY
def test_scalars_of_many_steps_at_once(rule):
    assert rule.takes_arrays
    t, rates = np.arange(1, 50), np.linspace(0.1, 0.2, 49)
    for is_weight in (True, False):
        at_once = rule.scalars(t, rates, is_weight)
        for i in range(49):
            for name, value in rule.scalars(i + 1, rates[i], is_weight).items():
                assert np.broadcast_to(at_once[name], 49)[i] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize(
    ("rule", "name"), [(Adam(), "beta1"), (Adam(), "beta2"), (AdamW(), "beta2"), (RMSProp(decay=0.999), "decay")]
)
def test_the_share_of_the_new_is_computed_in_float64(rule, name):
    scalars = rule.scalars(1, 0.1, True)
    assert scalars[f"one_minus_{name}"] == 1 - scalars[name]
    assert f"one_minus_{name}" in rule.formula.inputs


@EVERY
def test_an_update_goes_against_the_gradient(rule):
    """With no memory of other gradients; theta is 0, so that nothing decays."""
    (theta,), _ = run(rule, np.zeros(3), [[0.3, -0.2, 0.0]])
    np.testing.assert_array_equal(np.sign(theta), [-1, 1, 0])


@EVERY
def test_a_smaller_rate_makes_a_smaller_step(rule):
    (half,), (whole,) = (run(rule, np.zeros(2), [[0.3, -0.2]], rate=rate)[0] for rate in (0.01, 0.02))
    np.testing.assert_allclose(2 * half, whole, rtol=1e-13)


@EVERY
def test_a_bowl_is_descended(rule):
    ops, theta = NumpyOps(), np.array([0.9, 0.2])
    memory = tuple(np.full(2, rule.initial_memory) for _ in rule.memory)
    for t in range(1, 1501):
        grad = np.array([1.0, 4.0]) * (theta - 0.5)
        theta, memory = apply_update(ops, rule, theta, grad, memory, rule.scalars(t, 0.02, False))
    np.testing.assert_allclose(theta, 0.5, atol=0.02)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_shapes_are_kept(rule, dtype):
    visited, memory = run(rule, np.ones((2, 3)), np.ones((4, 2, 3)), dtype=dtype)
    assert {array.dtype for array in (*visited, *memory)} == {np.dtype(dtype)}
    assert {array.shape for array in (*visited, *memory)} == {(2, 3)}
    assert np.isfinite(visited[-1]).all()


@EVERY
def test_entries_do_not_see_each_other(rule):
    gradients = np.array(GRADIENTS)[:, None] * [1.0, 3.0]
    both, _ = run(rule, [2.0, -1.0], gradients)
    alone, _ = run(rule, [-1.0], gradients[:, 1:])
    np.testing.assert_array_equal(both[-1][1:], alone[-1])


@EVERY
def test_a_rule_is_a_value(rule):
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert hash(pickle.loads(pickle.dumps(rule))) == hash(rule)
    assert len(set(rule.memory)) == len(rule.memory)


@pytest.mark.parametrize("make", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("rate", [0, -0.1, math.nan, math.inf, "0.1", None, True])
def test_every_rule_checks_its_rate(refused, make, rate):
    refused(lambda: make(rate=rate), "rate", repr(rate))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(0.1, momentum=-0.1), "momentum"),
        (lambda: SGD(0.1, momentum=1), "momentum"),
        (lambda: SGD(0.1, nesterov=True), "nesterov"),
        (lambda: Adagrad(epsilon=0), "epsilon"),
        (lambda: Adagrad(initial_squares=-1), "initial_squares"),
        (lambda: RMSProp(decay=1), "decay"),
        (lambda: RMSProp(decay=-0.1), "decay"),
        (lambda: RMSProp(epsilon=0), "epsilon"),
        (lambda: Adam(beta1=1), "beta1"),
        (lambda: Adam(beta2=-0.5), "beta2"),
        (lambda: Adam(epsilon=0), "epsilon"),
        (lambda: AdamW(beta1=-1), "beta1"),
        (lambda: AdamW(beta2=1), "beta2"),
        (lambda: AdamW(epsilon=-1), "epsilon"),
        (lambda: AdamW(decay=-1e-9), "decay"),
    ],
)
def test_settings_that_are_refused(refused, make, name):
    refused(make, name)


# --- choosing one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "make"), TABLE.items())
def test_a_name_stands_for_its_rule(name, make):
    assert update(name) == update(name.upper()) == make()
    assert update(name, rate=0.3) == make(rate=0.3)


def test_names_of_momentum():
    assert update("momentum") == SGD(momentum=0.9)
    assert update("nesterov", rate=0.2) == SGD(0.2, momentum=0.9, nesterov=True)
    assert update("sgd", momentum=0.5) == update("momentum", momentum=0.5) == SGD(momentum=0.5)


def test_unknown_names_and_misplaced_momentum(refused):
    refused(lambda: update("bananas"), "'bananas'", *TABLE, "momentum", "nesterov")
    refused(lambda: update("adm"), "did you mean 'adam'")
    refused(lambda: update("adam", momentum=0.9), "momentum", "0.9 with adam")


# --- a user's own -----------------------------------------------------------------------------------------------------


def test_an_own_rule_with_memory_and_settings():
    def heavy_ball(s, theta, grad, velocity, rate, friction):
        velocity = (1 - friction) * velocity - rate * grad
        return theta + velocity, velocity

    rule = OwnUpdate.of(heavy_ball, rate=0.1, friction=0.25)
    visited, (velocity,) = run(rule, [2.0], [[0.5], [-0.25]])
    v1 = -0.05
    v2 = 0.75 * v1 + 0.025
    close(visited, 2 + v1, 2 + v1 + v2)
    close(velocity, v2)
    assert rule.memory == ("velocity",)
    assert rule.scalars(1, 0.05, True) == {"rate": 0.05, "friction": 0.25}


def test_an_own_rule_may_start_its_memory_anywhere():
    rule = OwnUpdate.of(lambda s, theta, grad, m, rate: (theta - rate * grad / m, m + 1), rate=1.0, initial=4.0)
    close(run(rule, [0.0], [[1.0], [1.0]])[0], -1 / 4, -1 / 4 - 1 / 5)


@pytest.mark.parametrize("name", ["statistics", "gradient"])
def test_memory_has_a_name_of_its_own(refused, name):
    formula = Expression.trace(lambda s, theta, grad, m, rate: (theta - rate * m, m + grad))
    renamed = Expression.trace(lambda s, *operands: formula(s, *operands), ["theta", "grad", name, "rate"])
    refused(lambda: as_update(OwnUpdate(renamed, 0.1)), "update", "other names of memory", name)


def test_an_own_rule_is_a_value():
    make = lambda: OwnUpdate.of(lambda s, theta, grad, rate, k: theta - k * rate * grad, rate=0.1, k=2.0)  # noqa: E731
    assert make() == make()
    assert pickle.loads(pickle.dumps(make())) == make()
    assert (
        OwnUpdate(Expression.trace(lambda s, theta, grad, rate: theta - rate * grad), 0.1).formula == SGD(0.1).formula
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: OwnUpdate.of(lambda s, theta, grad, rate: theta - rate * grad, rate=0),
        lambda: OwnUpdate.of(lambda s, grad, theta, rate: theta - rate * grad, rate=0.1),
        lambda: OwnUpdate.of(lambda s, theta, grad, rate, k: theta - k * grad, rate=0.1),
        lambda: OwnUpdate.of(lambda s, theta, grad, rate, k: theta - k * grad, rate=0.1, k="2"),
        lambda: OwnUpdate.of(lambda s, theta, grad, rate, k: theta - k * grad, rate=0.1, k=math.nan),
        lambda: OwnUpdate.of(lambda s, theta, grad, rate: theta - rate * grad, rate=0.1, typo=2.0),
        lambda: OwnUpdate.of(lambda s, theta, grad, m, rate: (theta - rate * m, m), rate=0.1, initial=math.inf),
        # two results, so one entry of memory: but it is the rate that stands in its place
        lambda: OwnUpdate.of(lambda s, theta, grad, rate: (theta - rate * grad, grad), rate=0.1),
        lambda: OwnUpdate.of(lambda s, theta, grad, k, rate: (theta - k * grad, grad), rate=0.1, k=2.0),
        lambda: OwnUpdate.of(lambda s, theta, grad: (theta - grad, grad, grad), rate=0.1),
        lambda: OwnUpdate.of(lambda s, theta, grad, rate: (), rate=0.1),
    ],
)
def test_an_own_rule_that_cannot_be(refused, make):
    refused(make)
