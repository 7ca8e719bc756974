"""The capacity of one neuron: which boolean functions it has, with weights or a proof that there are none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError

analysis = lw.analysis


def is_proof(neuron):
    rows, shares = analysis.boolean_inputs(int(np.log2(len(neuron.table)))), neuron.witness
    one, zero = neuron.table == 1, neuron.table == 0
    return (
        (shares >= 0).all()
        and shares[one].sum() == pytest.approx(1)
        and shares[zero].sum() == pytest.approx(1)
        and np.allclose(shares[one] @ rows[one], shares[zero] @ rows[zero])
    )


@pytest.mark.parametrize(("d", "separable"), [(1, 4), (2, 14), (3, 104)])
def test_all_functions_of_few_inputs(d, separable):
    """The numbers of linearly separable functions are known: 4, 14, 104 (Muroga 1971)."""
    assert analysis.count_neurons(d) == separable
    found = [analysis.find_weights(table) for table in product([0, 1], repeat=2**d)]
    assert sum(neuron.separable for neuron in found) == separable
    for neuron in found:
        if neuron.separable:
            np.testing.assert_array_equal(analysis.truth_table(neuron, inputs=d), neuron.table)
        else:
            assert is_proof(neuron)


@pytest.mark.parametrize(
    ("table", "w", "b"), [([0, 0, 0, 1], [1, 1], -1.5), ([0, 1, 1, 1], [1, 1], -0.5), ([1, 1, 0, 0], [-1, 0], 0.5)]
)
def test_textbook_weights(table, w, b):
    neuron = analysis.find_weights(table)
    np.testing.assert_allclose(neuron.w, w)
    assert neuron.b == pytest.approx(b)


@pytest.mark.parametrize("tolerance", [0.1, 1e-3])
def test_a_sigmoid_is_within_the_tolerance(tolerance):
    for table in ([0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 1]):
        h = analysis.truth_table(analysis.find_weights(table, activation="sigmoid", tolerance=tolerance))
        assert np.abs(h - table).max() <= tolerance * (1 + 1e-6)


def test_majority_yes_parity_no():
    rows = analysis.boolean_inputs(5)
    majority = analysis.find_weights(rows.sum(axis=1) > 2)
    np.testing.assert_allclose(majority.w, 1)
    parity = analysis.find_weights(rows.sum(axis=1) % 2)
    assert not parity.separable
    assert is_proof(parity)


def test_xor_with_a_hidden_layer():
    net, theta = analysis.xor_network()
    assert analysis.truth_table(net, theta).tolist() == [0, 1, 1, 0]
    h = net.trace(theta, analysis.boolean_inputs(2), np.zeros(4)).h[1]
    assert h.T.tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]  # OR, AND
    assert not analysis.find_weights([0, 1, 1, 0]).separable
    assert analysis.separability(h, [0, 1, 1, 0]).separable


def test_the_table_of_a_network_with_several_outputs():
    net = lw.Network(3, [4], 2)
    assert analysis.truth_table(net, net.initialize()).shape == (8, 2)


def test_bad_input(refuses):
    for table in ([0, 1, 1], [0, 2], [[0, 1], [1, 0]], [1], "01"):
        with refuses(InputError, "table"):
            analysis.find_weights(table)
    with refuses(SpecificationError, "activation"):
        analysis.find_weights([0, 1], activation="tanh")
    with refuses(SpecificationError, "tolerance"):
        analysis.find_weights([0, 1], tolerance=0.5)
    with refuses(SpecificationError, "neuron"):
        analysis.find_weights([0, 1, 1, 0])([[0, 1]])
    with refuses(SpecificationError, "theta"):
        analysis.truth_table(lw.Network(2, [], 1, output="sigmoid"))


def test_four_inputs_are_too_many_to_count(refuses):
    with refuses(SpecificationError, "d", "3", "4"):
        analysis.count_neurons(4)
