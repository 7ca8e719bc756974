"""Assigning to parameters writes into theta: views stay views."""

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import LayerIndexError

NET = lw.Network(3, [4], 2, batch_norm=True)


def test_assigning_the_vector_writes_into_it():
    theta = NET.initialize(seed=0)
    vector, W = theta.vector, theta.W[1]
    theta.vector = np.arange(NET.n_parameters)
    assert theta.vector is vector
    assert (np.arange(12).reshape(4, 3) == W).all()
    theta.vector -= 1.0
    assert W[0, 0] == -1.0
    theta.statistics = 5.0
    assert (theta.running_mean[1] == 5.0).all()


def test_assigning_a_layer_writes_into_the_vector():
    theta = NET.initialize(seed=0)
    theta.W[1] = np.zeros((4, 3))
    theta.b[2] += 7.0
    assert (theta.vector[:12] == 0).all()
    assert (theta.vector[-2:] == 7.0).all()


def test_a_wrong_shape_or_layer_is_refused():
    theta = NET.initialize(seed=0)
    with pytest.raises(ValueError, match="broadcast"):
        theta.vector = np.zeros(3)
    with pytest.raises(ValueError, match="broadcast"):
        theta.W[1] = np.zeros((3, 4))
    with pytest.raises(LayerIndexError, match="W: expected a layer k among 1, 2, got 3"):
        theta.W[3] = 0.0


def test_a_step_of_gradient_descent_by_hand():
    theta = NET.initialize(seed=0)
    X, y = np.eye(3), [0, 1, 0]
    before = NET.trace(theta, X, y, mode="train")
    theta.vector = theta.vector - 0.1 * before.gradient
    assert NET.trace(theta, X, y, mode="train").loss < before.loss
