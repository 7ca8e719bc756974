"""Parameters: one flat vector, with views that write into it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from layerwise.errors import InputError, LayerIndexError
from layerwise.network import Layer, Network, Parameters

NET = Network(4, [Layer(3, batch_norm=True), 2], 5)
NAMES = ("W", "b", "gamma", "beta")


def same_bits(one, other):
    return (
        one.vector.tobytes() == other.vector.tobytes()
        and one.statistics.tobytes() == other.statistics.tobytes()
        and one.vector.dtype == other.vector.dtype
        and one.network == other.network
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_views_write_into_the_vector(dtype):
    theta = NET.initialize(dtype=dtype)
    for number, segment in enumerate(NET.segments, 1):
        view = getattr(theta, segment.name)[segment.k]
        assert view.shape == segment.shape
        assert view.dtype == dtype
        view[...] = number
        assert (theta.vector[segment.start : segment.stop] == number).all()
    assert sorted(set(theta.vector)) == list(range(1, len(NET.segments) + 1))
    theta.vector[...] = 0
    assert all((getattr(theta, s.name)[s.k] == 0).all() for s in NET.segments)


def test_views_write_into_the_statistics():
    theta = NET.initialize()
    theta.running_mean[1][...] = [1, 2, 3]
    theta.running_variance[1][...] = [4, 5, 6]
    assert theta.statistics.tolist() == [1, 2, 3, 4, 5, 6]


def test_the_vector_is_kept_not_copied():
    vector, statistics = np.zeros(NET.n_parameters), np.ones(NET.n_statistics)
    theta = Parameters(NET, vector, statistics)
    assert theta.vector is vector
    assert theta.statistics is statistics
    strided = np.zeros((NET.n_parameters, 2))
    Parameters(NET, strided[:, 0]).W[1][...] = 1
    assert strided.sum() == 12


def test_fresh_statistics():
    theta = Parameters(NET, np.zeros(NET.n_parameters, np.float32))
    assert theta.statistics.dtype == np.float32
    assert theta.statistics.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("k", [0, 4, -1, "1", None])
def test_layers_count_from_one(k, refuses):
    theta = NET.initialize()
    with refuses(LayerIndexError, "W:", "1, 2, 3", f"got {k!r}", "layers count from 1"):
        theta.W[k]


def test_a_stage_that_is_not_there(refuses):
    theta = NET.initialize()
    assert list(theta.W) == list(theta.b) == [1, 2, 3]
    assert list(theta.gamma) == list(theta.running_variance) == [1]
    with refuses(LayerIndexError, "gamma:", "among 1, got 2"):
        theta.gamma[2]
    with refuses(LayerIndexError, "beta:", "this network has no such stage"):
        Network(2, [3], 2).initialize().beta[1]
    assert issubclass(LayerIndexError, IndexError)


@pytest.mark.parametrize(
    "duplicate",
    [
        Parameters.copy,
        lambda theta: theta.astype(theta.vector.dtype),
        lambda theta: pickle.loads(pickle.dumps(theta)),
        copy.deepcopy,
    ],
    ids=["copy", "astype", "pickle", "deepcopy"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_duplicates_share_nothing(duplicate, dtype, scattered):
    theta = scattered(NET, dtype=dtype)
    twin = duplicate(theta)
    assert same_bits(twin, theta)
    before = theta.vector.tobytes(), theta.statistics.tobytes()
    for name in NAMES:
        getattr(twin, name)[1][...] = 9
    twin.running_mean[1][...] = 9
    assert (theta.vector.tobytes(), theta.statistics.tobytes()) == before
    assert (twin.vector == 9).sum() == 12 + 3 + 3 + 3  # the twin's views write into the twin's vector
    assert (twin.statistics == 9).sum() == 3


def test_astype_rounds(scattered):
    theta = scattered(NET)
    rounded = theta.astype("float32")
    assert rounded.vector.dtype == rounded.statistics.dtype == rounded.W[1].dtype == np.float32
    assert rounded.vector.tobytes() == theta.vector.astype(np.float32).tobytes()
    assert rounded.astype(np.float64).vector.tobytes() == rounded.vector.astype(np.float64).tobytes()


@pytest.mark.parametrize(
    ("vector", "statistics", "pieces"),
    [
        (np.zeros(NET.n_parameters - 1), None, ("theta.vector:", f"({NET.n_parameters},)", "take the vector")),
        (np.zeros((1, NET.n_parameters)), None, ("theta.vector:", f"(1, {NET.n_parameters})")),
        (np.zeros(NET.n_parameters, int), None, ("theta.vector:", "float32 or float64", "int64")),
        (np.zeros(NET.n_parameters, np.float16), None, ("theta.vector:", "float16")),
        (np.zeros(NET.n_parameters), np.zeros(5), ("theta.statistics:", "(6,)", "(5,)")),
    ],
)
def test_wrong_vectors(vector, statistics, pieces, refuses):
    with refuses(InputError, *pieces):
        Parameters(NET, vector, statistics)


def test_astype_refuses_other_types(refuses):
    with refuses(InputError, "float32 or float64", "float16"):
        NET.initialize().astype("float16")


def test_printed():
    assert repr(NET.initialize(dtype="float32")) == f"Parameters of 4-3-2-5: {NET.n_parameters} of float32"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_begin_on_a_cache_line(dtype):
    net = Network(5, [7], 3)
    for seed in range(5):
        theta = net.initialize(seed, dtype)
        for made in (theta, theta.copy(), theta.astype("float32")):
            assert made.vector.ctypes.data % 64 == 0
        np.testing.assert_array_equal(theta.copy().vector, theta.vector)
