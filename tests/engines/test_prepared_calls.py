"""What interface.py promises of prepared calls, on whatever engine the tests run with."""

from __future__ import annotations

import math

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError
from layerwise.network.programs import Setting, executable, vectors_of

NET = lw.Network(4, [6], 3, hidden="tanh", dropout=0.3)
PLAIN = lw.Network(4, [6], 3, hidden="tanh")
GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(size=(23, 4)), GENERATOR.integers(0, 3, 23)
ORDER = np.arange(23)[::-1].copy()


def training(net=NET, dtype="float64", weighted=False):
    return executable(net, Setting("train_step", update=lw.SGD(0.1), weighted=weighted), dtype)


def scalars(program, rate=0.1):
    return [rate if name == "rate" else math.ceil(0.3 * 2**24) / 2**24 for name in program.scalars]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 5])
def test_a_prepared_call_does_what_a_call_does(dtype, weighted, n):
    loaded, theta, twin = training(NET, dtype, weighted), NET.initialize(1, dtype), NET.initialize(1, dtype)
    prepared = loaded.prepare(vectors_of(twin), n)
    for i in range(4):
        rows = ORDER[i : i + n]
        given = {"h^(0)": X[rows].astype(dtype), "y": Y[rows], "rows": rows, "key": (2**63 + 5, i)}
        given |= {"w": np.linspace(0.5, 1.5, n)[:, None].astype(dtype)} if weighted else {}
        numbers = scalars(loaded.program, 0.1 / (1 + i))
        assert prepared.given.keys() == given.keys()
        for name, value in given.items():
            prepared.given[name][...] = value
        prepared.scalars[...] = numbers
        prepared.run()
        outputs = loaded.call(vectors_of(theta), given | dict(zip(loaded.program.scalars, numbers, strict=True)))
        assert list(prepared.outputs) == list(outputs)
        for name, value in outputs.items():
            assert prepared.outputs[name].tobytes() == value.tobytes(), name
        assert prepared.results.tobytes() == b"".join(value.tobytes() for value in outputs.values())
        assert twin.vector.tobytes() == theta.vector.tobytes()


@pytest.mark.parametrize("name", ["jacobian", "per_example_gradients", "loss_and_gradient", "input_gradient"])
def test_outputs_of_every_shape(name):
    loaded, theta, n = executable(PLAIN, Setting(name), "float64"), PLAIN.initialize(1), 3
    prepared = loaded.prepare(vectors_of(theta), n)
    given = {"h^(0)": X[:n], "y": Y[:n], "grad_f": np.ones((n, 3)), "rows": np.arange(n), "key": (0, 0)}
    given = {key: given[key] for key in prepared.given}
    for key, value in given.items():
        prepared.given[key][...] = value
    prepared.run()
    outputs = loaded.call(vectors_of(theta), given)
    for key, value in outputs.items():
        np.testing.assert_array_equal(prepared.outputs[key], value, strict=True)


def test_vectors_of_prepared_calls_are_checked(refuses):
    loaded, theta = training(), NET.initialize(1)
    with refuses(InputError, "train_step: theta", "a contiguous vector of"):
        loaded.prepare({"theta": theta.vector[::2]}, 1)
    prepared = loaded.prepare(vectors_of(theta), 1)
    theta.vector.flags.writeable = False
    before = theta.vector.tobytes()
    with refuses(InputError, "train_step: theta", "a vector that may be written"):
        prepared.run()
    assert theta.vector.tobytes() == before


def test_codes_of_prepared_calls_are_checked():
    prepared = training().prepare(vectors_of(NET.initialize(1)), 2)
    prepared.given["y"][...] = 0, 3
    prepared.scalars[...] = scalars(prepared.program)
    with pytest.raises((InputError, IndexError)):
        prepared.run()
