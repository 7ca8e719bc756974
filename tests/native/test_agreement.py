"""A hundred steps of training on the native engine are those of the reference, up to rounding, whatever is trained.

The bounds hold per array. Four things carry rounding beyond them on any engine, also from the reference to itself with
the last bits of its first weights changed, and the settings below stay clear of them: rates so high that training
hardly converges (SGD(0.1, momentum=0.9, nesterov=True) on "wide" takes 1e-16 to 6e-11 in a hundred steps); signs of
numbers that are zero but for rounding (L1 where a weight rests at zero, relu at its kink); rules that divide by the
size of such a number (Adam); and parameters whose gradient is zero in mathematics, so that rounding is all they see.
"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

import layerwise as lw
from layerwise.network import Layer, Network
from layerwise.rules import activations

BOUNDS = {"float32": 1e-4, "float64": 1e-11}
STEPS = 100


def smoothed_signs(s, theta, grad, mean, rate, keep):
    """An update of the user: the mean gradient, but no entry beyond 1."""
    mean = keep * mean + (1 - keep) * grad
    return theta - rate * s.tanh(mean), mean


#: What training can consist of. Every two values of different rows meet in one of the cases at least.
CHOICES = {
    "hidden": {**{name: name for name in activations.TABLE}, "own": lambda s, a: s.tanh(a) + 0.1 * s.log1p(a * a)},
    "update": {
        "sgd": lw.SGD(0.02), "momentum": lw.SGD(0.005, momentum=0.9),
        "nesterov": lw.SGD(0.005, momentum=0.9, nesterov=True), "adagrad": lw.Adagrad(0.03),
        "rmsprop": lw.RMSProp(0.003), "adam": lw.Adam(0.005), "adamw": lw.AdamW(0.005, decay=0.1),
        "own": lw.OwnUpdate.of(smoothed_signs, rate=0.05, keep=0.8),
    },
    "batch": {"1": 1, "7": 7, "32": 32, "all": "all"},
    "output": {name: name for name in ("softmax", "sigmoid", "identity")},
    "penalty": {
        "none": None, "l2": lw.L2(1e-3), "l1": lw.L1(1e-4), "l1+l2": lw.L1(1e-4) + lw.L2(1e-3),
        "own": lw.Penalty.own(1e-3, lambda s, w: s.log1p(w * w)),
    },
    "schedule": {
        "constant": "constant", "step": lw.StepDecay(0.7, every=0.5), "inverse": "inverse-time", "cosine": "cosine",
        "coslog4": "coslog4",
    },
    "dropout": {"keeps": 0.0, "drops": 0.3},
    "clipped": {"free": None, "clipped": 0.3},
    "normalised": {"plain": False, "normalised": True},
    "weights": {"alike": None, "weighted": "some"},
    "dtype": {name: name for name in BOUNDS},
}  # fmt: skip


def possible(case):
    """Batch normalisation needs two rows; and what shifts all rows alike on the way to it has a gradient of zero."""
    shifts = case.get("hidden") == "linear" and case.get("dropout") == "keeps"
    return case.get("normalised") != "normalised" or not (shifts or case.get("batch") == "1")


def covering_cases():
    """Choose cases one by one, each with as many pairs that no other has as can be had by going through the rows.

    Among equals, what was chosen least is chosen next.
    """
    pairs = {
        frozenset([(one, a), (other, b)])
        for one, other in itertools.combinations(CHOICES, 2)
        for a, b in itertools.product(CHOICES[one], CHOICES[other])
        if possible({one: a, other: b})
    }
    order = sorted(pairs, key=sorted)
    cases, times = [], Counter()
    while pairs:
        case = dict(next(pair for pair in order if pair in pairs))
        for row in CHOICES:
            if row not in case:
                fitting = [name for name in CHOICES[row] if possible(case | {row: name})]
                gains = [sum(frozenset([(row, name), other]) in pairs for other in case.items()) for name in fitting]
                times_left_out = [-times[row, name] for name in fitting]
                *_, case[row] = max(zip(gains, times_left_out, fitting, strict=True))
        pairs -= {frozenset(pair) for pair in itertools.combinations(case.items(), 2)}
        times.update(case.items())
        cases.append({row: case[row] for row in CHOICES})
    return cases


CASES = covering_cases()


def data(net, n):
    X = np.random.default_rng(n).normal(size=(n, net.inputs))
    f = np.tanh(X @ np.random.default_rng(9).normal(size=(net.inputs, net.outputs)))
    if net.output.target == "classes":
        return X, f.argmax(axis=1)
    return X, (f > 0).astype(float) if net.output.target == "labels" else f


@pytest.fixture
def agree(fit_on, arrays_of, difference):
    """Both engines make the same of this training, within the bound of its type."""

    def check(net, X, y, *, dtype, **settings):
        expected = arrays_of(fit_on("reference", net, X, y, dtype=dtype, **settings).state)
        found = arrays_of(fit_on("native", net, X, y, dtype=dtype, **settings).state)
        assert found.keys() == expected.keys()
        assert all(np.isfinite(expected[name]).all() for name in expected if name != "validation_loss")
        apart = {name: difference(found[name], expected[name]) for name in expected}
        assert {name: by for name, by in apart.items() if not by <= BOUNDS[dtype]} == {}

    return check


OUTPUTS = {
    "softmax": ("softmax", 5), "sigmoid": ("sigmoid", 3), "identity": ("identity", 3), "absolute": ("absolute", 3),
    "huber": (lw.Huber(0.3), 3), "poisson": ("poisson", 3), "one count": ("poisson", 1), "gaussian": ("gaussian", 6),
    "one gaussian": ("gaussian", 2), "quantiles": (lw.Quantile([0.05, 0.5, 0.6, 0.95]), 12),
    "one quantile": (lw.Quantile([0.3]), 1), "99 quantiles": (lw.Quantile(np.arange(1, 100) / 100), 99),
    "smoothed softmax": (lw.Softmax(0.1), 40), "smoothed sigmoid": (lw.Sigmoid(0.1), 3),
    "groups": (lw.SoftmaxGroups([3, 2, 40]), 45), "one group": (lw.SoftmaxGroups([2]), 2),
    "own": (lw.Output.own(lambda s, f, y: s.log1p((f - y) ** 2)), 3),
    "own of exp": (lw.Output.own(lambda s, f, y: (f - y) ** 2 / (1 + f), "exp"), 3),
    "own of tanh": (lw.Output.own(lambda s, f, y: s.abs(f - y), "tanh"), 3),
    "a line": (lw.Output.own(lambda s, f, y: 2 * f, "softplus"), 3),
}  # fmt: skip


@pytest.mark.parametrize("n", [1, 3, 40])
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output(name, n, engines, scattered, targets):
    output, raw = OUTPUTS[name]
    net = Network(6, [9], raw, hidden="tanh", output=output)
    theta, y = scattered(net), targets(net, n)
    given = {f"{s.name}^({s.k})": getattr(theta, s.name)[s.k] for s in net.segments}
    given |= {
        "h^(0)": np.random.default_rng(n).normal(size=(n, 6)),
        "rate": 0.1,
        "w": np.linspace(0.5, 1.5, n)[:, None],
    }
    given["y"] = y if net.output.target == "classes" else y.astype(float)
    tolerance = {"float32": 2e-5, "float64": 1e-13}[engines.dtype.name]
    for program in ("train_step", "loss_and_gradient", "evaluate", "predict"):
        for weighted in (False, True):
            engines.agree(net.program(program, weighted=weighted), given, tolerance)


def test_every_two_choices_meet():
    assert 96 <= len(CASES) <= 130
    met = {frozenset(pair) for case in CASES for pair in itertools.combinations(case.items(), 2)}
    rows = itertools.combinations(CHOICES, 2)
    every = {frozenset([(i, a), (j, b)]) for i, j in rows for a, b in itertools.product(CHOICES[i], CHOICES[j])}
    assert every - met == {frozenset([("batch", "1"), ("normalised", "normalised")])}


@pytest.mark.parametrize("case", CASES, ids=["-".join(case.values()) for case in CASES])
def test_training(case, agree):
    chosen = {row: CHOICES[row][name] for row, name in case.items()}
    net = Network(
        6, [9, 7], 3, hidden=chosen["hidden"], output=chosen["output"], dropout=chosen["dropout"],
        batch_norm=chosen["normalised"],
    )  # fmt: skip
    n, epochs = {1: (50, 2), 7: (103, 7), 32: (300, 10), "all": (50, STEPS)}[chosen["batch"]]
    weights = np.random.default_rng(1).uniform(0.5, 2, n) if chosen["weights"] else None
    agree(
        net, *data(net, n), update=chosen["update"], batch_size=chosen["batch"], epochs=epochs, seed=3,
        penalty=chosen["penalty"], schedule=chosen["schedule"], weights=weights, dtype=chosen["dtype"],
        clip_norm=chosen["clipped"],
    )  # fmt: skip


NETWORKS = {
    "no hidden layer": Network(5, [], 4),
    "one unit": Network(1, [1], 1, hidden="tanh", output="identity"),
    "one after the other": Network(3, [1, 17, 1, 5], 2, hidden="elu"),
    "wide": Network(70, [130, 65], 33, hidden="gelu", output="sigmoid", dropout=0.5),
    "corrupted": Network(8, [9], 8, hidden="tanh", output="identity", input_dropout=0.3, input_noise=0.5, dropout=0.1),
    "tied": Network(33, [17, 4, 17], 33, hidden="tanh", output="identity", tied=True, dropout=0.1),
    "tied and normalised": Network(6, [9], 6, hidden="silu", output="sigmoid", tied=True, batch_norm=True),
    "activity": Network(
        6, [Layer(9, "tanh", dropout=0.1, activity=lw.L1(0.1)), Layer(33, "silu", activity=lw.L2(0.1))], 3
    ),
    "layers of all kinds": Network(
        20, [Layer(31, "tanh", dropout=0.1), Layer(17, "silu", batch_norm=True), Layer(64, "relu")], 6
    ),
}


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_shapes(name, dtype, agree):
    net = NETWORKS[name]
    validation = data(net, 40)
    agree(
        net,
        *data(net, 97),
        update=CHOICES["update"]["nesterov"],
        batch_size=24,
        epochs=20,
        validation=validation,
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("size", [1, 20, "all"])
def test_code_paths(path, size, dtype, agree, monkeypatch):
    """On every instruction set that this processor has; a network keeps the one that it was first run on."""
    monkeypatch.setenv("LAYERWISE_CODE_PATH", path)
    layers = [Layer(37, "gelu", dropout=0.2), Layer(18, "softplus", batch_norm=size != 1), Layer(9, "mish")]
    for output in ("softmax", "sigmoid", "identity"):
        net = Network(23, layers, 5, output=output)
        X, y = data(net, 50)
        epochs = {1: 2, 20: 33, "all": STEPS}[size]
        agree(net, X, y, update=lw.AdamW(0.003), batch_size=size, epochs=epochs, penalty=lw.L2(1e-3), dtype=dtype)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_weights_of_zero_and_below(dtype, agree):
    net = Network(6, [9], 3, hidden="tanh")
    X, y = data(net, 100)
    weights = np.random.default_rng(2).normal(0.5, 0.5, 100).round(1)
    assert (weights == 0).any()
    assert (weights < 0).any()
    agree(net, X, y, weights=weights, weight_mean="as given", batch_size=10, epochs=10, dtype=dtype)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_single_steps(dtype, built, monkeypatch, arrays_of, difference):
    net = Network(6, [9, 7], 3, hidden="mish", dropout=0.2, batch_norm=True)
    X, y = data(net, 320)
    states, seen = {}, {}
    for engine in ("reference", "native"):
        monkeypatch.setenv("LAYERWISE_ENGINE", engine)
        state = states[engine] = lw.start(net, update="adamw", penalty=lw.L2(1e-4), dtype=dtype, seed=3)
        rows = [np.arange(start % 300, start % 300 + 12) for start in range(0, 12 * STEPS, 12)]
        results = [state.step(X[some], y[some], rows=some) for some in rows]
        seen[engine] = np.array([[r.loss, r.penalty, r.objective, r.gradient_norm] for r in results])
    expected, found = (arrays_of(states[engine]) | {"steps": seen[engine]} for engine in ("reference", "native"))
    apart = {name: difference(found[name], expected[name]) for name in expected}
    assert {name: by for name, by in apart.items() if not by <= BOUNDS[dtype]} == {}


def test_the_engines_are_two(fit_on, same_bits):
    """The comparisons compare something: in float32, rounding differs somewhere."""
    net = Network(6, [9, 7], 3, hidden="tanh")
    one, other = (fit_on(engine, net, *data(net, 300), epochs=10) for engine in ("reference", "native"))
    assert not same_bits(one, other)
