"""Linear probes: what each layer makes linearly separable."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import layerwise as lw
from layerwise.errors import InputError, SpecificationError

linear_probes = lw.analysis.linear_probes


@pytest.fixture(scope="module")
def spirals():
    X, y = lw.analysis.spirals(400, turns=1.0)
    net = lw.Network(2, [24, 24], 2, hidden="tanh")
    return lw.fit(net, X, y, update=lw.Adam(0.01), batch_size=64, epochs=400), X, y


def test_training_makes_the_layers_separable(spirals):
    model, X, y = spirals
    probes = linear_probes(model.network, model.parameters, X, y)
    assert probes.accuracy.shape == probes.training_accuracy.shape == (3,)
    assert probes.accuracy[0] < 0.85
    assert probes.accuracy[2] > 0.97
    before = linear_probes(model.network, model.network.initialize(0), X, y)
    assert before.accuracy[0] == probes.accuracy[0]  # x itself is the same
    assert before.accuracy[2] < 0.9


def test_the_classifiers_are_those_that_were_measured(spirals):
    model, X, y = spirals
    others = lw.analysis.spirals(100, seed=5, turns=1.0)
    probes = linear_probes(model.network, model.parameters, X, y, validation=others)
    trace = model.trace(*others)
    for k, classifier in enumerate(probes.classifiers):
        decided = (trace.h[k] @ classifier.w.T + classifier.b).argmax(axis=1)
        assert probes.accuracy[k] == pytest.approx((decided == others[1]).mean())


def test_held_out_rows_are_not_trained_on():
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((60, 40)), np.arange(60) % 2  # nothing to learn, and room to remember it all
    net = lw.Network(40, [], 2)
    probes = linear_probes(net, net.initialize(), X, y, validation=0.5, penalty=0.0)
    assert probes.training_accuracy[0] == 1.0
    assert probes.accuracy[0] < 0.8


def test_a_network_of_another_task(refuses):
    digits, digit = load_digits(return_X_y=True)
    X, y = digits[:600] / 16.0, digit[:600]
    net = lw.Network(64, [32], 64, hidden="tanh", output="identity")  # an autoencoder
    model = lw.fit(net, X, X, epochs=30)
    probes = linear_probes(net, model.parameters, X, y, epochs=150)
    assert (probes.accuracy > 0.8).all()
    assert probes.classifiers[1].w.shape == (10, 32)


def test_representations_are_those_of_the_trace(spirals):
    model, X, y = spirals
    trace = model.trace(X, y)
    for k, h in enumerate(lw.analysis.representations(model.network, model.parameters, X)):
        np.testing.assert_allclose(h, trace.h[k], rtol=1e-6)
    many = np.resize(X, (5000, 2))  # more than are computed in one go
    found = lw.analysis.representations(model.network, model.parameters, many)[1]
    np.testing.assert_allclose(found[4800:], lw.analysis.representations(model.network, model.parameters, X)[1][:200])


def test_bad_input(refuses):
    net = lw.Network(2, [], 2)
    theta = net.initialize()
    X, y = lw.analysis.xor(20)
    with refuses(InputError, "y"):
        linear_probes(net, theta, X, np.zeros(20, int))
    with refuses(InputError, "validation y"):
        linear_probes(net, theta, X, y, validation=(X, y + 1))
    with refuses(SpecificationError, "validation"):
        linear_probes(net, theta, X, y, validation=1.5)
    with refuses(SpecificationError, "validation"):
        linear_probes(net, theta, X, y, validation=(X,))
    with refuses(InputError, "theta"):
        linear_probes(net, lw.Network(3, [], 2).initialize(), X, y)
