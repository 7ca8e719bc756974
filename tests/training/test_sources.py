"""Data of any type, order and place give the same bits, and are never changed."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.network import Layer, Network

NET = Network(5, [7], 3, hidden="tanh", dropout=0.2)
PIXELS = np.random.default_rng(0).integers(0, 256, (29, 5)).astype(np.uint8)
CODES = np.random.default_rng(1).integers(0, 3, 29)


def mapped(array, folder, order="C"):
    X = np.memmap(folder / "X", array.dtype, "w+", shape=array.shape, order=order)
    X[...] = array
    X.flush()
    return np.memmap(folder / "X", array.dtype, "r", shape=array.shape, order=order)


def strided(array):
    padded = np.zeros((58, 10), array.dtype)
    padded[::2, ::2] = array
    return padded[::2, ::2]


FORMS = {
    "float32": lambda folder: PIXELS.astype(np.float32),
    "uint8": lambda folder: PIXELS.copy(),
    "int64": lambda folder: PIXELS.astype(np.int64),
    "float16": lambda folder: PIXELS.astype(np.float16),
    "big endian": lambda folder: PIXELS.astype(">f8"),
    "Fortran": lambda folder: np.asfortranarray(PIXELS, np.float64),
    "Fortran bytes": lambda folder: np.asfortranarray(PIXELS),
    "strided": lambda folder: strided(PIXELS.astype(np.float64)),
    "reversed": lambda folder: PIXELS[::-1].copy()[::-1],
    "memory map": lambda folder: mapped(PIXELS.astype(np.float64), folder),
    "memory map of bytes": lambda folder: mapped(PIXELS, folder),
    "Fortran memory map": lambda folder: mapped(PIXELS.astype(np.float32), folder, "F"),
    "lists": lambda folder: PIXELS.tolist(),
}


def trained(X, y, dtype="float64", **settings):
    update = lw.SGD(1e-3, momentum=0.5)
    return lw.fit(NET, X, y, update=update, epochs=3, batch_size=4, dtype=dtype, seed=1, **settings)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits(form, dtype, tmp_path):
    reference = trained(PIXELS.astype(np.float64), CODES, dtype, validation=(PIXELS.astype(np.float64), CODES))
    X = FORMS[form](tmp_path)
    before = np.array(X, copy=True)
    if isinstance(X, np.ndarray):
        X.setflags(write=False)  # whatever writes into X raises
    model = trained(X, CODES, dtype, validation=(X, CODES))
    assert model.parameters.vector.tobytes() == reference.parameters.vector.tobytes()
    assert model.history["validation_loss"].tobytes() == reference.history["validation_loss"].tobytes()
    assert model.predict(X).tobytes() == reference.predict(PIXELS).tobytes()
    assert model.evaluate(X, CODES) == reference.evaluate(PIXELS, CODES)
    assert np.array(X).tobytes() == before.tobytes()


def test_bytes_in_reversed_order_are_other_data():
    one, other = trained(PIXELS, CODES), trained(PIXELS[::-1], CODES)
    assert one.parameters.vector.tobytes() != other.parameters.vector.tobytes()


@pytest.mark.parametrize(
    "y", [CODES.astype(np.uint8), CODES.astype(np.float32), CODES.tolist(), CODES[:, None]],
    ids=["bytes", "floats", "list", "column"],
)  # fmt: skip
def test_codes_of_any_type(y):
    assert trained(PIXELS, y).parameters.vector.tobytes() == trained(PIXELS, CODES).parameters.vector.tobytes()


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_targets_of_any_type(output):
    net = Network(5, [7], 2, hidden="tanh", output=output)
    y = np.random.default_rng(1).integers(0, 2, (29, 2))
    X = PIXELS / 255
    runs = [
        lw.fit(net, X, targets, epochs=2, batch_size=4, dtype="float64").parameters.vector.tobytes()
        for targets in (y, y.astype(np.uint8), y.astype(bool), np.asfortranarray(y, np.float32), y.tolist())
    ]
    assert len(set(runs)) == 1


def test_a_single_column_may_be_flat():
    net = Network(5, [7], 1, output="identity")
    X, y = PIXELS / 255, np.random.default_rng(1).normal(size=29)
    flat, column = (lw.fit(net, X, t, epochs=2, seed=1).parameters.vector.tobytes() for t in (y, y[:, None]))
    assert flat == column


def test_nothing_given_is_changed():
    X, y = PIXELS / 255, CODES.copy()
    w = np.random.default_rng(2).uniform(size=29)
    initial = NET.initialize(seed=9)
    given = [X, y, w, initial.vector]
    before = [array.tobytes() for array in given]
    model = trained(X, y, weights=w, initial=initial, validation=0.2, penalty=lw.L2(0.1))
    model.evaluate(X, y, w)
    model.predict(X)
    assert [array.tobytes() for array in given] == before
    assert not np.shares_memory(model.parameters.vector, initial.vector)
    assert not np.shares_memory(model.parameters.vector, model.state.parameters.vector)


def test_network_and_model_predict_alike(tmp_path):
    model = trained(PIXELS, CODES)
    for form in ("uint8", "Fortran", "memory map"):
        X = FORMS[form](tmp_path)
        np.testing.assert_allclose(NET.predict(model.parameters, X), model.predict(X), rtol=0, atol=1e-14)


def test_prediction_in_pieces(monkeypatch):
    net = Network(5, [Layer(7, "tanh", batch_norm=True)], 3)
    X, y = PIXELS / 255, CODES
    model = lw.fit(net, X, y, epochs=2, dtype="float64")
    whole, result = model.predict(X), model.evaluate(X, y)
    monkeypatch.setattr("layerwise.network.specification.PIECE", 4)  # 29 rows: the last piece has a single one
    np.testing.assert_allclose(model.predict(X), whole, rtol=0, atol=1e-14)
    assert model.evaluate(X, y).loss == pytest.approx(result.loss, rel=1e-13)
    assert model.evaluate(X, y).metric == pytest.approx(result.metric, rel=1e-13)


def test_r2_is_that_of_all_rows_not_of_pieces(monkeypatch):
    net = Network(5, [7], 2, output="identity")
    X, y = PIXELS / 255, np.random.default_rng(1).normal(size=(29, 2))
    model = lw.fit(net, X, y, epochs=5, dtype="float64")
    residual = ((model.predict(X) - y) ** 2).sum()
    expected = 1 - residual / ((y - y.mean(axis=0)) ** 2).sum()
    assert model.evaluate(X, y).metric == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr("layerwise.network.specification.PIECE", 4)
    assert model.evaluate(X, y).metric == pytest.approx(expected, rel=1e-12)
    assert model.evaluate(X, y).loss == pytest.approx(residual / 2 / 29, rel=1e-12)
    assert np.isnan(model.evaluate(X[:1], y[:1]).metric)  # one row has no spread
