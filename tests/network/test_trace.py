"""Trace: every quantity of rows 10-17 of the course map by its name, and what the gradients are gradients of."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.network import Layer, Network

COURSE = Network(784, [100], 10, hidden="sigmoid", output="softmax")
MIXED = Network(4, [Layer(5, "tanh"), Layer(3, "softplus")], 3)


def close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * scale + 1e-300)


@pytest.fixture(scope="module")
def course(scattered):
    generator = np.random.default_rng(0)
    X, y = generator.uniform(size=(7, 784)), generator.integers(0, 10, 7)
    theta = scattered(COURSE)
    return theta, X, y, COURSE.trace(theta, X, y, lw.L2(1e-3))


def test_every_quantity_of_the_course_by_its_name(course):
    theta, X, y, trace = course
    n, e = 7, np.eye(10)[y]
    a1 = theta.b[1] + X @ theta.W[1].T
    h1 = 1 / (1 + np.exp(-a1))
    a2 = theta.b[2] + h1 @ theta.W[2].T
    f = np.exp(a2) / np.exp(a2).sum(axis=1, keepdims=True)
    f_y = (e * f).sum(axis=1)
    grad_a2 = -(e - f)
    grad_h1 = grad_a2 @ theta.W[2]
    grad_a1 = grad_h1 * h1 * (1 - h1)
    expected = {
        "h[0]": X, "a[1]": a1, "h[1]": h1, "a[2]": a2, "f": f, "losses": -np.log(f_y), "loss": -np.log(f_y).mean(),
        "penalty": 1e-3 * ((theta.W[1] ** 2).sum() + (theta.W[2] ** 2).sum()),
        "grad_f": -e / f_y[:, None], "grad_a[2]": grad_a2,
        "grad_W[2]": grad_a2.T @ h1 / n + 2e-3 * theta.W[2], "grad_b[2]": grad_a2.sum(axis=0) / n,
        "grad_h[1]": grad_h1, "grad_a[1]": grad_a1,
        "grad_W[1]": grad_a1.T @ X / n + 2e-3 * theta.W[1], "grad_b[1]": grad_a1.sum(axis=0) / n,
        "grad_h[0]": grad_a1 @ theta.W[1],
    }  # fmt: skip
    found = trace.quantities()
    assert list(found) == list(expected)  # by name, in the order of computation
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12 * np.abs(value).max(), err_msg=name)


def test_attributes_are_the_named_quantities(course):
    trace = course[-1]
    named = trace.quantities()
    for k in (1, 2):
        for name in ("a", "grad_a", "grad_W", "grad_b"):
            assert getattr(trace, name)[k] is named[f"{name}[{k}]"]
    assert trace.h[1] is named["h[1]"]
    assert trace.h[2] is trace.f is named["f"]
    assert trace.grad_h[2] is trace.grad_f is named["grad_f"]
    assert (trace.loss, trace.penalty) == (named["loss"], named["penalty"])
    assert trace.objective == trace.loss + trace.penalty
    assert not trace.z
    assert not trace.mask
    assert not trace.grad_gamma


def test_gradient_is_in_the_order_of_theta(course):
    theta, _, _, trace = course
    assert trace.gradient.shape == theta.vector.shape
    pieces = lw.Parameters(COURSE, trace.gradient)
    for k in (1, 2):
        assert (pieces.W[k] == trace.grad_W[k]).all()
        assert (pieces.b[k] == trace.grad_b[k]).all()


def test_printed_trace_has_a_line_for_each_quantity(course):
    trace = course[-1]
    lines = str(trace).splitlines()
    assert [line.split()[0] for line in lines] == list(trace.quantities())
    assert "7x784" in lines[0]
    assert f"{trace.loss:.6g}" in lines[6]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_gradient_at_the_output_preactivation_to_the_last_bit(dtype, scale, scattered, targets):
    theta = scattered(MIXED, dtype=dtype)
    theta.W[3][...] *= scale  # some of f become exactly 0 and 1
    X, y = np.random.default_rng(2).normal(size=(50, 4)), targets(MIXED, 50)
    trace = MIXED.trace(theta, X, y)
    e = np.eye(3, dtype=dtype)[y]
    assert trace.grad_a[3].dtype == dtype
    np.testing.assert_array_equal(trace.grad_a[3], trace.f - e)
    assert trace.grad_a[3].tobytes() == (-(e - trace.f)).tobytes()
    assert trace.grad_a[3].tobytes() == lw.loss_gradient_at_preactivation(trace.f, y).tobytes()
    assert trace.grad_f.tobytes() == lw.loss_gradient_at_output(trace.f, y).tobytes()


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand(output, dtype):
    net = Network(1, [], 2, output=output)
    theta = net.initialize(dtype=dtype)
    theta.W[1][...] = [[1.0], [-1.0]]
    X = np.array([[1e4], [-1e4], [1e4], [-1e4]])
    y = np.array([0, 1, 1, 0]) if output == "softmax" else np.array([[1, 0], [0, 1], [0, 1], [1, 0]])
    trace = net.trace(theta, X, y)
    assert np.abs(trace.a[1]).max() == 1e4
    squares = 0.5 * ((trace.a[1].astype(np.float64) - y.reshape(4, -1)) ** 2).sum(axis=1)
    expected = squares if output == "identity" else [0, 0, 2e4, 2e4]
    np.testing.assert_allclose(trace.losses, expected, rtol=1e-6)
    assert np.isfinite(trace.gradient).all()
    assert np.isfinite(trace.f).all()


WEIGHTS = [None, np.array([1.0, 2.0, 0.5, 0.0, 3.0, 1.5])]


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("w", WEIGHTS, ids=["no weights", "weights"])
def test_rows_own_gradients_make_the_objectives(output, w, scattered, targets):
    net = Network(4, [5, 3], 3, hidden="tanh", output=output)
    theta, X, y = scattered(net), np.random.default_rng(3).normal(size=(6, 4)), targets(net, 6)
    trace, bare = net.trace(theta, X, y, weights=w), net.trace(theta, X, y)
    share = np.full((6, 1), 1 / 6) if w is None else (w / (6 * w.mean()))[:, None]
    for k in (1, 2, 3):
        assert trace.grad_a[k].tobytes() == bare.grad_a[k].tobytes()  # a row's own gradient knows no weight
        close(trace.grad_W[k], (share * trace.grad_a[k]).T @ trace.h[k - 1])
        close(trace.grad_b[k], (share * trace.grad_a[k]).sum(axis=0))
        close(trace.grad_h[k - 1], trace.grad_a[k] @ theta.W[k])
    for k in (1, 2):
        close(trace.grad_a[k], trace.grad_h[k] * (1 - trace.h[k] ** 2))
    assert trace.loss == pytest.approx(float(share[:, 0] @ trace.losses), rel=1e-13)
    for t in range(6):  # and each is that of the example alone
        alone = net.trace(theta, X[t : t + 1], y[t : t + 1])
        close(trace.grad_a[1][t], alone.grad_a[1][0])
        assert trace.losses[t] == pytest.approx(alone.loss, rel=1e-13)


def test_weight_mean(scattered, targets):
    theta, X, y = scattered(MIXED), np.random.default_rng(3).normal(size=(6, 4)), targets(MIXED, 6)
    w = WEIGHTS[1]
    own, given, as_given = (MIXED.trace(theta, X, y, weights=w, weight_mean=m) for m in (None, 4.0, "as given"))
    assert own.loss == pytest.approx((w * own.losses).sum() / w.sum(), rel=1e-13)
    assert given.loss == pytest.approx((w * own.losses).mean() / 4, rel=1e-13)
    assert as_given.loss == pytest.approx((w * own.losses).mean(), rel=1e-13)
    close(4 * given.gradient, as_given.gradient)
    close(w.mean() * own.gradient, as_given.gradient)
    reversed_sign = MIXED.trace(theta, X, y, weights=-w, weight_mean="as given")
    assert reversed_sign.gradient.tobytes() == (-as_given.gradient).tobytes()
    assert reversed_sign.loss == -as_given.loss


def test_penalty_is_on_weights_only(scattered, targets):
    theta, X, y = scattered(MIXED), np.random.default_rng(3).normal(size=(6, 4)), targets(MIXED, 6)
    bare, both = MIXED.trace(theta, X, y), MIXED.trace(theta, X, y, lw.L2(0.1) + lw.L1(0.01))
    assert bare.penalty == 0
    assert both.loss == bare.loss
    omega = sum(0.1 * (W**2).sum() + 0.01 * np.abs(W).sum() for W in theta.W.values())
    assert both.penalty == pytest.approx(omega, rel=1e-13)
    for k, W in theta.W.items():
        close(both.grad_W[k], bare.grad_W[k] + 0.2 * W + 0.01 * np.sign(W))
        assert both.grad_b[k].tobytes() == bare.grad_b[k].tobytes()
        assert both.grad_a[k].tobytes() == bare.grad_a[k].tobytes()


def test_nothing_given_is_changed(scattered, targets):
    theta, X, y = scattered(MIXED), np.random.default_rng(3).normal(size=(6, 4)), targets(MIXED, 6)
    w = WEIGHTS[1].copy()
    before = [array.tobytes() for array in (theta.vector, X, y, w)]
    trace = MIXED.trace(theta, X, y, lw.L1(0.1), w)
    assert [array.tobytes() for array in (theta.vector, X, y, w)] == before
    trace.h[0][...] = 0
    assert X.any()
