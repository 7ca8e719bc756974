"""Numbers at the edge: NaN, infinity, denormals, logits of +-1e4, huge rates, codes of classes that do not exist."""

from __future__ import annotations

import math

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source, engine
from layerwise.errors import DivergenceError, InputError, SpecificationError
from layerwise.network import Network
from layerwise.network.programs import Setting, executable, vectors_of
from layerwise.training.evaluation import evaluate

ENGINES = pytest.mark.parametrize("name", ["native", "reference"])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
BOUNDS = {"float32": 1e-4, "float64": 1e-11}


def data(net, n=60):
    X = np.random.default_rng(0).normal(size=(n, net.inputs))
    f = np.tanh(X @ np.random.default_rng(9).normal(size=(net.inputs, net.outputs)))
    if net.output.target == "classes":
        return X, f.argmax(axis=1)
    return X, (f > 0).astype(float) if net.output.target == "labels" else f


@pytest.fixture
def diverges(fit_on, same_bits, arrays_of, difference):
    """Both engines stop in the same epoch, with the parameters of the last one that was finite."""

    def check(net, X, y, *, dtype, **settings):
        settings = {"epochs": 300, "dtype": dtype} | settings
        models = {}
        for name in ("native", "reference"):
            with pytest.raises(DivergenceError) as caught:
                fit_on(name, net, X, y, **settings)
            model = models[name] = caught.value.model
            assert np.isfinite(model.parameters.vector).all()
            assert np.isfinite(model.parameters.statistics).all()
            assert np.isfinite(model.predict(X[:3])).all()
            last = len(model.history)
            assert str(caught.value).startswith(f"epoch {last + 1}: ")
            if last:
                before = fit_on(name, net, X, y, **settings | {"epochs": last})
                assert model.parameters.vector.tobytes() == before.parameters.vector.tobytes()
                assert model.parameters.statistics.tobytes() == before.parameters.statistics.tobytes()
            else:
                assert model.parameters.vector.tobytes() == net.initialize(0, dtype).vector.tobytes()
        assert len(models["native"].history) == len(models["reference"].history)
        return last

    return check


PLAIN = {"hidden": "relu", "output": "identity"}


@DTYPES
@pytest.mark.parametrize(
    ("settings", "fit"),
    [
        (PLAIN, {"update": lw.SGD(3.0)}),
        (PLAIN, {"update": lw.SGD(1e30)}),
        (PLAIN, {"update": lw.SGD(1e300), "batch_size": "all"}),
        ({"hidden": "linear", "output": "identity"}, {"update": lw.SGD(0.6, momentum=0.9), "batch_size": 7}),
        ({"hidden": "gelu"}, {"update": lw.SGD(1e30, momentum=0.5), "penalty": lw.L2(0.1)}),
        ({"hidden": "tanh"}, {"update": lw.SGD(30.0), "penalty": lw.L2(0.1), "batch_size": "all"}),
        ({"hidden": "softplus", "output": "identity", "batch_norm": True}, {"update": lw.SGD(1e20)}),
        (PLAIN, {"update": lw.Adam(1e160)}),
        (PLAIN, {"update": lw.RMSProp(1e200), "batch_size": 1}),
        ({"hidden": "linear", "output": "identity"}, {"update": lw.SGD(3.0), "batch_size": 47, "validation": 0.2}),
    ],
)
def test_huge_rates(settings, fit, dtype, diverges):
    net = Network(5, [7, 6], 3, **settings)
    diverges(net, *data(net), dtype=dtype, **fit)


@pytest.mark.parametrize("value", [1e30, 3e38, -3e38])
def test_data_that_overflow_float32(value, diverges):
    net = Network(5, [7], 2, **PLAIN)
    X, y = data(net)
    X[40, 2] = value
    orders = [np.arange(30), np.arange(30), *[np.arange(60)] * 300]
    assert diverges(net, X, y, dtype="float32", update=lw.SGD(0.01), order=orders, epochs=5) == 2
    X, y = data(net)
    y[40, 1] = value
    assert diverges(net, X, y, dtype="float32", update=lw.SGD(0.01), order=orders, epochs=5) == 2


@DTYPES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["X", "y", "W", "weights"])
def test_not_finite_given_past_the_checks(place, value, dtype, built, monkeypatch):
    """The run ends with the first batch that sees it, on both engines, and says so."""
    net = Network(5, [7], 2, hidden="tanh", output="identity")
    X, y = (array.copy() for array in data(net))
    w = np.ones(60)
    theta = net.initialize(0, dtype)
    if place == "W":
        theta.W[2][1, 3] = value
    else:
        {"X": X, "y": y, "weights": w}[place][33] = value
    totals = []
    for name in ("native", "reference"):
        monkeypatch.setenv("LAYERWISE_ENGINE", name)
        run = executable(net, Setting("train_step", weighted=True), dtype)
        table = np.full((1, len(run.program.scalars)), 0.01)
        bounds = [(start, start + 10) for start in range(0, 60, 10)]
        with np.errstate(all="ignore"):
            done = run.run(
                vectors_of(theta.copy()), Source(X, y, w), np.arange(60), bounds, table, (0, 0), lambda batches: False
            )
        totals.append(done)
        assert not done.finite
        assert not done.stopped
    (first,) = {(done.batches, done.rows) for done in totals}
    if place != "X" or math.isnan(value):  # tanh(inf) = 1: the loss does not see it, but the gradient of W^(1) does
        assert first == ((1, 10) if place == "W" else (4, 40))


@DTYPES
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_evaluation_of_what_is_not_finite(output, dtype, built, monkeypatch):
    net = Network(5, [7], 2, output=output)
    X, y = data(net)
    X[13, 2] = np.nan
    for name in ("native", "reference"):
        monkeypatch.setenv("LAYERWISE_ENGINE", name)
        assert math.isnan(evaluate(net, net.initialize(0, dtype), Source(X, y)).loss)


@DTYPES
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("hidden", ["relu", "tanh", "gelu", "softplus", "mish", "elu", "sigmoid"])
def test_predictions_from_all_kinds_of_numbers(hidden, output, dtype, built, monkeypatch):
    """NaN where the reference has NaN, zeros of the same row by row, no exception and no trap."""
    net = Network(3, [4], 2, hidden=hidden, output=output)
    theta = net.initialize(0, dtype)
    largest, tiny = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    kinds = [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, largest, -largest, tiny, -tiny, 1e4, -1e4, 700.0, -90.0]
    X = np.array([[one, other, 0.5] for one in kinds for other in kinds], dtype)
    run = {}
    for name in ("native", "reference"):
        monkeypatch.setenv("LAYERWISE_ENGINE", name)
        with np.errstate(all="ignore"):
            run[name] = executable(net, Setting("predict"), dtype).call(vectors_of(theta), {"h^(0)": X})["f"]
    np.testing.assert_allclose(run["native"], run["reference"], rtol=BOUNDS[dtype] / 10, atol=BOUNDS[dtype] / 10)


@DTYPES
def test_denormals(dtype, fit_on, arrays_of, difference, built, monkeypatch):
    """Tiny numbers count as they are: they are neither taken for zero nor written as zero."""
    tiny = float(np.finfo(dtype).tiny)
    net = Network(4, [], 3, output="identity")
    theta = net.initialize(0, dtype)
    theta.W[1][...] = np.random.default_rng(1).normal(size=(3, 4)) / tiny / 1024
    X = (np.random.default_rng(0).normal(size=(50, 4)) * tiny / 64).astype(dtype)
    assert (np.abs(X) < tiny).all()
    found = {}
    for name in ("native", "reference"):
        monkeypatch.setenv("LAYERWISE_ENGINE", name)
        found[name] = net.predict(theta, X)
    assert np.abs(found["reference"]).max() > 1e-6
    assert difference(found["native"], found["reference"]) < 10 * np.finfo(dtype).eps
    y = np.random.default_rng(2).normal(size=(50, 3))
    settings = {"update": lw.SGD(1.0), "batch_size": 10, "epochs": 5, "dtype": dtype}
    zero = net.initialize(0, dtype)
    zero.vector[...] = 0
    ours, expected = (arrays_of(fit_on(name, net, X, y, initial=zero, **settings).state) for name in found)
    W = expected["W^(1)"]
    assert 0 < np.abs(W).max() < tiny
    assert np.abs(ours["W^(1)"] - W).max() <= 40 * np.finfo(dtype).smallest_subnormal


@ENGINES
@DTYPES
@pytest.mark.parametrize("size", [1e4, 3e4])
def test_losses_of_large_logits_are_exact(size, dtype, name, built, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", name)
    for output, y, losses in (
        ("softmax", np.array([0, 1, 2]), [0.0, 2 * size, size]),
        ("sigmoid", np.array([[1.0, 0, 1]] * 3), None),
    ):
        net = Network(3, [], 3, output=output)
        theta = net.initialize(0, dtype)
        theta.W[1][...] = [[size, size, size], [-size, -size, -size], [0, 0, 0]]
        X = np.eye(3)
        if losses is None:
            y = np.array([[1, 0, 0.5], [0, 1, 0.5], [1, 1, 0.5]], float)
            half = float(np.log(np.array(2, dtype)))
            losses = [half, 2 * size + half, size + half]
        for row, loss in enumerate(losses):
            found = evaluate(net, theta, Source(X[row : row + 1], y[row : row + 1])).loss
            assert found == np.array(loss, dtype) if output == "softmax" else found == pytest.approx(loss, rel=1e-7)
        state = lw.start(net, initial=theta, update=lw.SGD(0.5), dtype=dtype)
        result = state.step(X, y)
        assert result.loss == pytest.approx(np.mean(losses), rel=1e-6)
        assert math.isfinite(result.gradient_norm)
        assert np.isfinite(state.parameters.vector).all()


@DTYPES
@pytest.mark.parametrize("code", [3, 99, -1, 2**31, 2**40, -(2**62), 2**63 - 1])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_codes_of_classes_that_there_are_not(threads, code, dtype, built, monkeypatch):
    """Past the checks of training they are an error, not a place somewhere in memory."""
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    monkeypatch.setenv("LAYERWISE_THREADS", threads)
    assert engine().name == "native"
    net = Network(5, [40], 3)
    X, y = (np.repeat(array, 5, axis=0) for array in data(net))
    y = y.astype(np.int64)
    wrong = y.copy()
    wrong[277] = code
    theta = net.initialize(0, dtype)
    vectors = vectors_of(theta)
    bounds = [(start, start + 100) for start in range(0, 300, 100)]
    for program, done in (("train_step", 2), ("evaluate", 0)):
        run = executable(net, Setting(program), dtype)
        table = np.full((1, len(run.program.scalars)), 0.01)
        before = theta.copy()
        with pytest.raises((SpecificationError, InputError), match="class code"):
            run.run(vectors, Source(X, wrong), np.arange(300), bounds, table, (0, 0), lambda batches: False)
        if done:  # the batches before the wrong one are done, and it has changed nothing
            right = Source(X, y)
            run.run(vectors_of(before), right, np.arange(300), bounds[:done], table, (0, 0), lambda batches: False)
        assert theta.vector.tobytes() == before.vector.tobytes()
    given = {"h^(0)": X.astype(dtype), "y": wrong, "rows": np.arange(300), "key": (0, 0)}
    run = executable(net, Setting("loss_and_gradient"), dtype)
    with pytest.raises((SpecificationError, InputError), match="class code"):
        run.call(vectors, given)
    assert math.isfinite(run.call(vectors, given | {"y": y})["loss"][0])


@DTYPES
@pytest.mark.parametrize("row", [60, -1, 2**40, -(2**63)])
def test_rows_that_there_are_not(row, dtype, built, monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "native")
    net = Network(5, [7], 3)
    X, y = data(net)
    run = executable(net, Setting("train_step"), dtype)
    table = np.full((1, len(run.program.scalars)), 0.01)
    theta = net.initialize(0, dtype)
    order = np.arange(60)
    order[33] = row
    with pytest.raises(InputError, match="order"):
        run.run(vectors_of(theta), Source(X, y), order, [(0, 30), (30, 60)], table, (0, 0), lambda batches: False)
    assert theta.vector.tobytes() == net.initialize(0, dtype).vector.tobytes()
