"""Outputs that are made with settings, and those of numbers: what each is for, and what is refused."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from layerwise.ops import NumpyOps
from layerwise.rules.outputs import GaussianNLL, Huber, Output, Quantile, Sigmoid, Softmax, SoftmaxGroups, output

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
OPS = NumpyOps()


def exactly(loss, *arrays):
    """A formula of numbers with fifty digits, for every element."""
    with mpmath.workdps(50):
        return np.vectorize(lambda *numbers: float(loss(*(mpmath.mpf(float(x)) for x in numbers))))(*arrays)


@DTYPES
def test_the_deviance_keeps_its_digits_near_to_its_least(dtype):
    """The sum e^a - y a + (y log y - y) is left with none there."""
    y = np.array([[1.0], [1e3], [1e6], [3.0], [1e-3]], dtype)
    a = (np.log(y) + np.array([[1e-2], [-1e-3], [1e-2], [0.5], [-2.0]])).astype(dtype)
    losses = output("poisson").losses(NumpyOps(dtype), a, y)
    # log y is rounded where a - log y is small: the loss is that of a y that differs in its last digits
    bound = 40 * np.finfo(dtype).eps * np.abs(np.log(y)).clip(1) * y * np.abs(a - np.log(y)).clip(1e-3)
    exact = exactly(lambda a, y: mpmath.exp(a) - y * a + y * mpmath.log(y) - y, a, y)
    assert np.all(np.abs(losses - exact) <= bound)


def test_poisson_of_no_events_is_the_rate():
    a = np.array([[-1e4], [-1.0], [0.0], [3.0]])
    np.testing.assert_array_equal(output("poisson").losses(OPS, a, np.zeros((4, 1))), np.exp(a))
    np.testing.assert_array_equal(
        output("poisson").loss_gradient_at_output(OPS, np.exp(a), np.zeros((4, 1))), np.ones((4, 1))
    )


@DTYPES
def test_log_variances_of_80(dtype):
    o, ops = output("gaussian"), NumpyOps(dtype)
    a = np.array([[3.0, 80.0], [3.0, -80.0], [2.0, -80.0], [2.0, -500.0], [2.0, 500.0]], dtype)
    y = np.full((5, 1), 2.0, dtype)
    losses, gradient = o.losses(ops, a, y), o.loss_gradient_at_preactivation(ops, a, y)
    assert np.isfinite(losses).all()
    assert np.isfinite(gradient).all()
    exact = exactly(lambda m, s, y: (mpmath.log(2 * mpmath.pi) + s + (y - m) ** 2 / mpmath.exp(s)) / 2, *a.T, y[:, 0])
    np.testing.assert_allclose(losses[:, 0], exact, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_quantiles_are_what_the_pinball_loss_is_least_at(rows):
    y, levels = rows(1001, 1), [0.1, 0.5, 0.9]
    o, at = Quantile(levels), np.quantile(rows(1001, 1), [0.1, 0.5, 0.9])

    def total(f):
        return o.losses(OPS, np.broadcast_to(f, (1001, 3)), y).sum()

    for k in range(3):
        for step in (-0.05, 0.05):
            assert total(at + step * np.eye(3)[k]) > total(at)


@pytest.mark.parametrize("o", [output("absolute"), Quantile([0.25])], ids=["absolute", "quantile"])
def test_at_a_kink_the_slope_is_zero(o):
    f = np.array([[1.0, -2.0, 0.0]])
    np.testing.assert_array_equal(o.loss_gradient_at_preactivation(OPS, f, f), np.zeros((1, 3)))


def test_huber_joins_a_square_and_a_line():
    o, f = Huber(0.5), np.array([[0.25], [0.5], [2.0], [-2.0]])
    np.testing.assert_array_equal(o.losses(OPS, f, 0 * f), [[1 / 32], [1 / 8], [7 / 8], [7 / 8]])
    np.testing.assert_array_equal(o.loss_gradient_at_output(OPS, f, 0 * f), [[0.25], [0.5], [0.5], [-0.5]])


def test_a_single_group_is_a_softmax(rows):
    a, y = 3 * rows(20, 40), np.random.default_rng(0).integers(0, 40, 20)
    one, softmax = SoftmaxGroups([40]), output("softmax")
    f = softmax.forward(OPS, a)
    np.testing.assert_array_equal(one.forward(OPS, a), f)
    for rule, given in (("losses", a), ("scores", a), ("loss_gradient_at_output", f)):
        expected = getattr(softmax, rule)(OPS, given, y)
        np.testing.assert_allclose(getattr(one, rule)(OPS, given, y[:, None] * 1.0), expected, rtol=1e-14)


def test_an_own_loss_is_what_the_built_in_one_is(rows):
    a, y = rows(6, 3), np.random.default_rng(1).uniform(size=(6, 3))
    for own, o in (
        (Output.own(lambda s, f, y: 0.5 * (f - y) ** 2), output("identity")),
        (Output.own(lambda s, f, y: y * s.log(y / f) - y + f, "exp"), output("poisson")),
        (Output.own(lambda s, f, y: -(y * s.log(f) + (1 - y) * s.log(1 - f)), "sigmoid"), output("sigmoid")),
    ):
        f = own.forward(OPS, a)
        np.testing.assert_allclose(f, o.forward(OPS, a), rtol=1e-14)
        np.testing.assert_allclose(own.losses(OPS, a, y), o.losses(OPS, a, y), rtol=1e-12)
        for rule in ("loss_gradient_at_output", "loss_gradient_at_preactivation"):
            np.testing.assert_allclose(getattr(own, rule)(OPS, f, y), getattr(o, rule)(OPS, f, y), rtol=1e-12)


@pytest.mark.parametrize("link", ["identity", "exp", "sigmoid", "softplus", "tanh"])
def test_every_link(rows, gradient, link):
    o = Output.own(lambda s, f, y: f * f * f - y * f, link)
    a, y = rows(4, 3), rows(4, 3, seed=1)
    f = o.forward(OPS, a)
    analytic = o.loss_gradient_at_preactivation(OPS, f, y)
    np.testing.assert_allclose(analytic, gradient(lambda a: o.losses(OPS, a, y).sum(), a), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(analytic, o.backward(OPS, f, o.loss_gradient_at_output(OPS, f, y)), rtol=1e-14)


def test_settings_make_a_difference():
    assert Huber(1.0) == output("huber")
    assert GaussianNLL() == output("gaussian")
    assert Softmax() == output("softmax")
    assert Sigmoid() == output("sigmoid")
    assert Quantile((0.1, 0.9)) == Quantile(np.array([0.1, 0.9]))
    assert Huber(1.0) != Huber(2.0)
    assert Quantile([0.5]) != Quantile([0.6])
    assert Softmax(0.1) != Softmax(0.2)
    assert SoftmaxGroups([2, 3]) != SoftmaxGroups([3, 2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Huber(0), ("delta", "above 0", "got 0")),
        (lambda: Huber(np.inf), ("delta", "inf")),
        (lambda: Huber("1"), ("delta", "'1'")),
        (lambda: Quantile([]), ("levels", "a list of numbers", "[]")),
        (lambda: Quantile(0.5), ("levels", "0.5")),
        (lambda: Quantile("0.5"), ("levels", "'0.5'")),
        (lambda: Quantile([0.0, 0.5]), ("levels", "above 0", "got 0.0")),
        (lambda: Quantile([0.5, 1.0]), ("levels", "below 1", "got 1.0")),
        (lambda: Quantile([0.5, 0.1]), ("rising levels", "[0.5, 0.1]")),
        (lambda: Quantile([0.5, 0.5]), ("rising levels", "[0.5, 0.5]")),
        (lambda: Softmax(1), ("smoothing", "below 1")),
        (lambda: Sigmoid(-0.1), ("smoothing", "at least 0")),
        (lambda: SoftmaxGroups([]), ("sizes", "[]")),
        (lambda: SoftmaxGroups([3, 1]), ("sizes", "at least 2", "got 1")),
        (lambda: SoftmaxGroups([2.5]), ("sizes", "whole", "2.5")),
        (lambda: Output.own(lambda s, f: f), ("loss", "two scalars", "1 arguments", "lambda s, f, y")),
        (lambda: Output.own(lambda s, f, y: (f, y)), ("loss", "2 results")),
        (lambda: Output.own(lambda s, f, y: np.exp(f)), ("expression",)),
        (lambda: Output.own(lambda s, f, y: f - y, "expp"), ("link", "'expp'", "did you mean 'exp'?")),
        (lambda: Output.own(lambda s, f, y: f - y, None), ("link", "None", "softplus")),
        (lambda: Output.own(lambda s, f, y: f - y, name=""), ("name", "''")),
    ],
)
def test_wrong_settings(refused, make, words):
    refused(make, *words)
