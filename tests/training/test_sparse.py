"""Sparse inputs: the same training, prediction and evaluation as on the dense array of the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_matrix, csr_array

import layerwise as lw
from layerwise.errors import InputError

NET = lw.Network(40, [30, 9], 3, hidden="tanh", dropout=0.2)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(203, 40)) * (generator.random((203, 40)) < 0.1)
    X[17] = 0  # a row without entries
    return X, generator.integers(0, 3, 203)


@pytest.mark.parametrize("batch_size", [1, 7, 32, "all"])
@pytest.mark.parametrize("kind", [csr_array, csc_matrix, coo_array])
def test_training_is_the_same(rows, kind, batch_size):
    X, y = rows
    dense, sparse = (
        lw.fit(NET, given, y, batch_size=batch_size, epochs=3, validation=0.2, dtype="float64", seed=1)
        for given in (X, kind(X))
    )
    np.testing.assert_allclose(sparse.parameters.vector, dense.parameters.vector, rtol=0, atol=1e-12)
    assert sparse.history[-1].validation_loss == pytest.approx(dense.history[-1].validation_loss, rel=1e-12)
    np.testing.assert_allclose(sparse.predict(kind(X)), dense.predict(X), rtol=0, atol=1e-12)
    assert sparse.evaluate(kind(X), y).loss == pytest.approx(dense.evaluate(X, y).loss, rel=1e-12)


@pytest.mark.parametrize("units", [70, 200])
def test_wide_rows_one_by_one(units):
    """A gradient of W that is kept block by block has room for the blocks that it is cut into."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(20, 1500)) * (generator.random((20, 1500)) < 0.1)
    y = generator.integers(0, 3, 20)
    net = lw.Network(1500, [units], 3, hidden="tanh")
    dense, sparse = (lw.fit(net, given, y, batch_size=1, epochs=2, dtype="float64") for given in (X, csr_array(X)))
    np.testing.assert_allclose(sparse.parameters.vector, dense.parameters.vector, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_entries_of_other_types(rows, dtype):
    X, y = (rows[0] * 10).astype(dtype), rows[1]
    dense, sparse = (lw.fit(NET, given, y, epochs=2, dtype="float64") for given in (X, csr_array(X)))
    np.testing.assert_allclose(sparse.parameters.vector, dense.parameters.vector, rtol=0, atol=1e-12)


def test_wide_indices_and_entries_twice(rows):
    X, y = rows
    twice = csr_array(X / 2)
    twice = csr_array(
        (np.repeat(twice.data, 2), np.repeat(twice.indices, 2).astype(np.int64), twice.indptr * 2), X.shape
    )
    dense, sparse = (lw.fit(NET, given, y, epochs=2, dtype="float64") for given in (X, twice))
    np.testing.assert_allclose(sparse.parameters.vector, dense.parameters.vector, rtol=0, atol=1e-12)


def test_single_steps(rows):
    X, y = rows
    dense, sparse = (lw.start(NET, dtype="float64", seed=3) for _ in range(2))
    for start in range(0, 200, 20):
        part = slice(start, start + 20)
        losses = dense.step(X[part], y[part]).loss, sparse.step(csr_array(X[part]), y[part]).loss
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_the_place_of_a_nan_is_named(rows, refuses):
    X, y = rows
    wrong = csr_array(X)
    wrong.data[5] = np.nan
    row, column = np.argwhere(np.isnan(wrong.toarray()))[0]
    with refuses(InputError, f"row {row}, column {column}"):
        lw.fit(NET, wrong, y)


def test_every_quantity_needs_dense_rows(rows, refuses):
    X, y = rows
    with refuses(InputError, "toarray"):
        NET.trace(NET.initialize(), csr_array(X), y)
