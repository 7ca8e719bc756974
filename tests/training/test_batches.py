"""Batches: of one row, odd, all, more than there are; the order of the rows; a last row alone under batch norm."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.training.state import batch_bounds

NET = Network(4, [6], 3, hidden="tanh")
NORMALISED = Network(4, [Layer(6, "tanh", batch_norm=True)], 3)
UPDATE = lw.SGD(0.1, momentum=0.9)


def by_hand(net, X, y, batches_of_epochs, **settings):
    """The same training, one step at a time over given rows."""
    state = lw.start(net, update=UPDATE, dtype="float64", **settings)
    for batches in batches_of_epochs:
        for rows in batches:
            state.step(X[rows], y[rows], rows=rows)
    return state.parameters


def cut(order, size):
    return [order[start : start + size] for start in range(0, len(order), size)]


@pytest.mark.parametrize(("size", "steps"), [(1, 23), (5, 5), (7, 4), (22, 2), (23, 1), (24, 1), (1000, 1), ("all", 1)])
@pytest.mark.parametrize("net", [NET, Network(4, [6], 3, dropout=0.5)], ids=["plain", "dropout"])
def test_sizes(size, steps, net, sample):
    X, y = sample(net)
    model = lw.fit(net, X, y, update=UPDATE, batch_size=size, epochs=2, shuffle=False, dtype="float64")
    assert model.history["steps"].tolist() == [steps, 2 * steps]
    batches = cut(np.arange(23), 23 if size == "all" else size)
    assert model.parameters.vector.tobytes() == by_hand(net, X, y, [batches, batches]).vector.tobytes()


IMPOSSIBLE = [0, -1, 2.5, "some", None, True]


@pytest.mark.parametrize("size", IMPOSSIBLE)
def test_sizes_that_cannot_be(size, refuses):
    with refuses(SpecificationError, "batch_size:", "whole number of at least 1", f"got {size!r}"):
        lw.start(NET, batch_size=size)


@pytest.mark.parametrize("size", IMPOSSIBLE[:4])
def test_sizes_that_fit_cannot_take(size, sample, refuses):
    with refuses(SpecificationError, "batch_size:", "whole number of at least 1", f"got {size!r}"):
        lw.fit(NET, *sample(NET), batch_size=size)


def test_one_row(sample):
    X, y = sample(NET, 1)
    model = lw.fit(NET, X, y, batch_size=32, epochs=3, update=UPDATE)
    assert model.state.steps == 3
    assert model.history["train_loss"][2] < model.history["train_loss"][0]


def test_every_row_once_in_every_epoch_in_a_new_order(sample):
    seen = []
    state = lw.start(NET, batch_size=5, seed=3)
    for epoch in range(4):
        seen.append(state.order_of(epoch, np.arange(23)).tolist())
        assert sorted(seen[-1]) == list(range(23))
    assert len({tuple(order) for order in seen}) == 4
    assert lw.start(NET, seed=4).order_of(0, np.arange(23)).tolist() not in seen
    X, y = sample(NET)
    model = lw.fit(NET, X, y, update=UPDATE, batch_size=5, epochs=4, seed=3, dtype="float64")
    expected = by_hand(NET, X, y, [cut(np.array(order), 5) for order in seen], seed=3)
    assert model.parameters.vector.tobytes() == expected.vector.tobytes()


ORDERS = np.array([np.random.default_rng(seed).permutation(23) for seed in range(3)])


@pytest.mark.parametrize(
    "order",
    [ORDERS, ORDERS.tolist(), list(ORDERS), lambda epoch: ORDERS[epoch % 3], ORDERS.astype(np.uint8)],
    ids=["array", "lists", "list of arrays", "function", "bytes"],
)
def test_an_order_from_outside(order, sample):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, update=UPDATE, batch_size=5, epochs=4, order=order, dtype="float64")
    expected = by_hand(NET, X, y, [cut(ORDERS[epoch % 3], 5) for epoch in range(4)])  # the fourth epoch is as the first
    assert model.parameters.vector.tobytes() == expected.vector.tobytes()


def test_an_order_may_choose_rows(sample):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, update=UPDATE, batch_size=2, epochs=2, order=lambda epoch: [4, 4, 9], dtype="float64")
    expected = by_hand(NET, X, y, 2 * [[np.array([4, 4]), np.array([9])]])
    assert model.parameters.vector.tobytes() == expected.vector.tobytes()


@pytest.mark.parametrize("order", [[[0, 23]], [[-1, 0]], [[0.0, 1.0]], [[[0, 1]]], lambda epoch: [True, False], [3]])
def test_orders_that_cannot_be(order, sample, refuses):
    with refuses(InputError, "order:", "positions of training rows"):
        lw.fit(NET, *sample(NET), order=order, epochs=1)


@pytest.mark.parametrize("order", [[], lambda epoch: np.array([], int)])
def test_an_order_without_rows(order, sample, refuses):
    with refuses(InputError, "order:"):
        lw.fit(NET, *sample(NET), order=order, epochs=1)


def test_an_order_must_keep_to_the_training_rows(sample, refuses):
    X, y = sample(NET)
    with refuses(InputError, "order:", "positions of training rows"):
        lw.fit(NET, X, y, order=[np.arange(23)], epochs=1, validation=0.2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types(dtype, sample):
    X, y = sample(NET)
    model = lw.fit(NET, X, y, batch_size=5, epochs=5, dtype=dtype, update=lw.Adam(0.01))
    arrays = [model.parameters.vector, model.predict(X), *model.state.update_state.values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    wide = lw.fit(NET, X, y, batch_size=5, epochs=5, dtype="float64", update=lw.Adam(0.01))
    np.testing.assert_allclose(model.predict(X), wide.predict(X), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_types_that_cannot_be(dtype, sample, refuses):
    with refuses(SpecificationError, "dtype:", "float32 or float64", dtype):
        lw.fit(NET, *sample(NET), dtype=dtype)


def test_a_type_that_is_none(sample, refuses):
    with refuses(SpecificationError, "dtype:", "float32 or float64", "float31"):
        lw.fit(NET, *sample(NET), dtype="float31")


def test_a_last_row_alone_joins_the_batch_before(sample):
    assert batch_bounds(23, 11, NET).tolist() == [[0, 11], [11, 22], [22, 23]]
    assert batch_bounds(23, 11, NORMALISED).tolist() == [[0, 11], [11, 23]]
    assert batch_bounds(22, 11, NORMALISED).tolist() == [[0, 11], [11, 22]]
    X, y = sample(NORMALISED)
    model = lw.fit(NORMALISED, X, y, update=UPDATE, batch_size=11, epochs=2, shuffle=False, dtype="float64")
    assert model.state.steps == 4
    batches = [np.arange(11), np.arange(11, 23)]
    expected = by_hand(NORMALISED, X, y, [batches, batches])
    assert model.parameters.vector.tobytes() == expected.vector.tobytes()
    assert model.parameters.statistics.tobytes() == expected.statistics.tobytes()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_rows_with_batch_normalisation(n, sample):
    X, y = sample(NORMALISED, n)
    model = lw.fit(NORMALISED, X, y, batch_size=2, epochs=3)
    assert model.state.steps == 3 * (n // 2)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(("n", "size"), [(1, 32), (23, 1), (1, "all")])
def test_batch_normalisation_needs_two_rows(n, size, sample, refuses):
    with refuses(InputError, "batch normalisation:", "two rows or more", "got 1", "larger batch size"):
        lw.fit(NORMALISED, *sample(NORMALISED, n), batch_size=size)
