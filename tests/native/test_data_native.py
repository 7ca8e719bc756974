"""Data of every type and layout give the bits that their values give as a plain array, and are never changed."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.network import Network
from layerwise.training.evaluation import evaluate

CLASSES = Network(6, [8], 3, hidden="tanh")
NUMBERS = Network(6, [8], 2, hidden="tanh", output="identity")
SETTINGS = {"batch_size": 9, "epochs": 3, "seed": 2}
BOUNDS = {"float32": 1e-4, "float64": 1e-11}


def values(n, columns, seed=0):
    """Numbers that each type below holds exactly."""
    return np.random.default_rng(seed).integers(0, 2, (n, columns))


def between(array, offset=1):
    """The same array at an address that is no multiple of anything."""
    memory = np.empty(array.nbytes + offset, np.uint8)
    view = memory[offset:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def as_field(array):
    """The same array as one field of records whose length is odd."""
    records = np.zeros(len(array), np.dtype([("before", "u1"), ("it", array.dtype, array.shape[1:]), ("after", "u2")]))
    records["it"] = array
    return records["it"]


def scattered(array):
    """The same array as every third row and every second column of a larger one that is NaN elsewhere."""
    shape = (3 * len(array), *(2 * size for size in array.shape[1:]))
    larger = np.full(shape, np.nan if array.dtype.kind == "f" else 99, array.dtype)
    view = larger[1::3, 1::2] if array.ndim == 2 else larger[1::3]
    view[...] = array
    return view


def backwards(array):
    """The same array, laid out from its end to its beginning."""
    everything = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[everything])[everything]


def mapped(array, folder):
    file = folder / "array.npy"
    np.save(file, array)
    return np.load(file, mmap_mode="r")


TYPES = ("float64", "float32", "float16", "longdouble", "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32",
         "int64", "uint64", ">f8", ">f4", ">i2", ">i4", ">u8")  # fmt: skip
LAYOUTS = {
    "Fortran": lambda array, folder: np.asfortranarray(array),
    "backwards": lambda array, folder: backwards(array),
    "scattered": lambda array, folder: scattered(array),
    "transposed twice": lambda array, folder: np.ascontiguousarray(array.T).T,
    "mapped": mapped,
    "mapped, Fortran": lambda array, folder: mapped(np.asfortranarray(array), folder),
    "read-only": lambda array, folder: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "between": lambda array, folder: between(array),
    "field": lambda array, folder: as_field(array),
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Of training."""
    return request.param


@pytest.fixture
def the_same(fit_on, arrays_of, difference, same_bits):
    """Data train as their values in a plain array do: to the bit on the engine, to rounding on the other one."""

    def check(net, data, plain, dtype, **settings):
        settings = SETTINGS | {"dtype": dtype} | settings
        before = [np.array(array) for array in data]
        found = fit_on("native", net, *data, **settings)
        assert same_bits(found, fit_on("native", net, *plain, **settings))
        for array, copy in zip(data, before, strict=True):
            assert array.dtype == copy.dtype
            assert np.array_equal(array, copy)
        reference = arrays_of(fit_on("reference", net, *data, **settings).state)
        ours = arrays_of(found.state)
        apart = {name: difference(ours[name], reference[name]) for name in reference}
        assert {name: by for name, by in apart.items() if not by <= BOUNDS[dtype]} == {}
        ones, others = found.evaluate(*data), found.evaluate(*plain)
        assert np.array_equal([ones.loss, ones.metric], [others.loss, others.metric], equal_nan=True)
        assert found.predict(data[0]).tobytes() == found.predict(plain[0]).tobytes()

    return check


@pytest.mark.parametrize("kind", TYPES)
def test_types(kind, dtype, the_same):
    X, y = values(50, 6), values(50, 2, seed=1)
    the_same(NUMBERS, (X.astype(kind), y.astype(kind)), (X.astype(dtype), y.astype(dtype)), dtype)


@pytest.mark.parametrize("kind", TYPES)
def test_types_of_codes(kind, the_same):
    X, y = values(50, 6).astype("float32"), values(50, 3, seed=1).argmax(axis=1) % 2
    the_same(CLASSES, (X, y.astype(kind)), (X, y.astype(np.int64)), "float32")


@pytest.mark.parametrize("kind", ["float64", "float32", "uint8", "bool", "int16", "float16", ">f8"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, kind, dtype, the_same, tmp_path):
    if kind in ("uint8", "bool") and layout == "between":
        pytest.skip("a byte may lie anywhere")
    X, y = values(50, 6).astype(kind), values(50, 2, seed=1).astype(kind)
    (tmp_path / "y").mkdir()
    data = LAYOUTS[layout](X, tmp_path), LAYOUTS[layout](y, tmp_path / "y")
    the_same(NUMBERS, data, (X.astype(dtype), y.astype(dtype)), dtype)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "Fortran" not in name])
def test_layouts_of_codes_and_weights(layout, the_same, fit_on, same_bits, tmp_path):
    X, y = values(50, 6).astype("float32"), values(50, 3, seed=1).argmax(axis=1)
    the_same(CLASSES, (X, LAYOUTS[layout](y, tmp_path)), (X, y), "float32")
    w = np.random.default_rng(2).uniform(0.5, 2, 50).round(2)
    weighted, plain = (
        fit_on("native", CLASSES, X, y, weights=v, **SETTINGS) for v in (LAYOUTS[layout](w, tmp_path), w)
    )
    assert same_bits(weighted, plain)


def test_numbers_that_have_to_be_rounded(the_same, fit_on):
    X, y = np.random.default_rng(0).normal(size=(50, 6)), values(50, 2, seed=1)
    the_same(NUMBERS, (X, y), (X.astype("float32"), y), "float32")
    X, y = y @ np.ones((2, 6), int), X[:, :2]
    found, plain = (fit_on("native", NUMBERS, X, targets, **SETTINGS) for targets in (y, y.astype("float32")))
    assert found.parameters.vector.tobytes() == plain.parameters.vector.tobytes()


HALF_WAY = 2**60 + 2**36  # between two float32; a step beyond it is lost in float64
HARD = {
    "float64": [1 + 2**-24, 1 + 3 * 2**-24, 1 + 2**-24 + 2**-50, 1e-45, 7e-46, 1.1e-38, -3.4028235677973366e38 * 0.99],
    "longdouble": [1 + 2**-24, 0.1, -1e-40, 1e30],
    "int32": [2**24 + 1, 2**24 + 3, -(2**31), 2**31 - 1],
    "uint32": [2**24 + 1, 2**32 - 1, 2**31 + 2**7, 2**31 + 2**7 + 1],
    "int64": [HALF_WAY, HALF_WAY + 1, -HALF_WAY - 1, -(2**63), 2**63 - 1],
    "uint64": [HALF_WAY, HALF_WAY + 1, HALF_WAY + 2**37, 2**64 - 1, 2**63 + 2**39 + 1],
    ">i8": [HALF_WAY, HALF_WAY + 1],
    "float16": [65504, 6e-8, -0.1],
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("kind", HARD)
def test_hard_numbers_are_rounded_once(kind, engine, built, monkeypatch):
    """To the nearest float32, as NumPy does: a network that passes its input on sees no error at all."""
    monkeypatch.setenv("LAYERWISE_ENGINE", engine)
    net = Network(1, [], 1, output="identity")
    theta = net.initialize(dtype="float32")
    for x in np.array(HARD[kind], kind)[:, None, None]:  # one by one: what is large would hide what is small
        scale = theta.W[1][...] = np.float32(
            2.0**100 if abs(float(x[0, 0])) < 1e-3 else 1.0
        )  # an error's square must not vanish
        rounded = x.astype("float32")
        assert evaluate(net, theta, Source(x, scale * rounded)).loss == 0
        if scale == 1:
            assert evaluate(net, theta, Source(rounded, x)).loss == 0


def test_one_row_repeated_without_memory(dtype, the_same):
    X, y = (np.broadcast_to(row, (50, len(row))) for row in (values(1, 6)[0] + 0.5, values(1, 2)[0] - 0.25))
    the_same(NUMBERS, (X, y), (X.astype(dtype), y.astype(dtype)), dtype)
    column = np.broadcast_to(np.linspace(0, 1, 50)[:, None], (50, 6))
    the_same(NUMBERS, (column, y), (column.astype(dtype), y.astype(dtype)), dtype)


@pytest.mark.parametrize(("rows", "size"), [(1, 32), (1, "all"), (10, 3), (10, 9), (10, 10), (10, 11), (2049, 2048)])
def test_numbers_of_rows(rows, size, dtype, the_same):
    """One row in all, a last batch of one row, and no row left."""
    X, y = values(rows, 6) + 0.25, values(rows, 2, seed=1)
    for kind in ("float64", "int16"):
        data = np.ceil(X).astype(kind), y.astype(kind)
        the_same(NUMBERS, data, (data[0].astype(dtype), data[1].astype(dtype)), dtype, batch_size=size)


@pytest.mark.parametrize("kind", ["uint8", "int16"])
def test_very_many_rows(kind, dtype, the_same):
    """100,001 rows, the last of which is a batch of its own."""
    X, y = values(100_001, 6).astype(kind), values(100_001, 3, seed=1).argmax(axis=1)
    the_same(CLASSES, (X, y), (X.astype(dtype), y), dtype, batch_size=1000, epochs=1, update=lw.SGD(0.05))


def test_rows_in_any_order(dtype, the_same):
    """Some of them twice, some of them never."""
    X, y = values(50, 6), values(50, 2, seed=1)
    order = np.random.default_rng(3).integers(0, 40, (3, 70))
    for kind in ("uint8", "float16"):
        data = (X.astype(kind), y.astype(kind)), (X.astype(dtype), y.astype(dtype))
        the_same(NUMBERS, *data, dtype, order=order)
        the_same(NUMBERS, *data, dtype, order=order.astype(np.uint16)[:, ::-1])


def test_validation_data(dtype, fit_on, same_bits):
    X, y = values(50, 6), values(50, 3, seed=1).argmax(axis=1)
    found = fit_on(
        "native", CLASSES, X, y, validation=(as_field(X.astype(">i2")), y.astype("u1")), dtype=dtype, **SETTINGS
    )
    plain = fit_on("native", CLASSES, X, y, validation=(X.astype(dtype), y), dtype=dtype, **SETTINGS)
    assert same_bits(found, plain)
