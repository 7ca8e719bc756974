"""Network and Layer: sizes, the order of theta, equality, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.network import Layer, Network

COURSE = Network(784, [100], 10, hidden="sigmoid", output="softmax")


def names(net):
    return [f"{segment.name}{segment.k}" for segment in net.segments]


def test_sizes_of_the_course_network():
    assert COURSE.sizes == (784, 100, 10)
    assert (COURSE.inputs, COURSE.outputs, COURSE.L) == (784, 10, 1)
    assert COURSE.n_parameters == 100 * 784 + 100 + 10 * 100 + 10
    assert COURSE.layers[0].activation.name == "sigmoid"
    assert COURSE.output.name == "softmax"
    assert not COURSE.normalises
    assert COURSE.n_statistics == 0


def test_no_hidden_layer():
    net = Network(3, [], 2)
    assert (net.L, net.sizes, net.n_parameters) == (0, (3, 2), 8)
    assert names(net) == ["W1", "b1"]
    assert Network(3, layers=(), outputs=2) == net


@pytest.mark.parametrize(
    ("output", "outputs", "targets"),
    [("softmax", 3, 1), ("sigmoid", 3, 3), ("identity", 3, 3), ("gaussian", 6, 3), (lw.Quantile([0.1, 0.5, 0.9]), 6, 2),
     (lw.SoftmaxGroups([3, 2]), 5, 2)],
)  # fmt: skip
def test_raw_columns_and_target_columns(output, outputs, targets):
    net = Network(3, [4], outputs, output=output)
    assert (net.outputs, net.targets) == (outputs, targets)
    theta = net.initialize(0)
    assert theta.W[2].shape == (outputs, 4)
    assert net.predict(theta, np.zeros((2, 3))).shape == (2, outputs)


@pytest.mark.parametrize(
    ("output", "outputs", "words"),
    [("gaussian", 3, "a multiple of 2 outputs for gaussian"), (lw.Quantile([0.1, 0.5, 0.9]), 4, "a multiple of 3"),
     (lw.SoftmaxGroups([3, 2]), 4, "5 outputs")],
)  # fmt: skip
def test_raw_columns_that_make_no_targets(output, outputs, words, refused):
    refused(lambda: Network(3, [4], outputs, output=output), "outputs", words, str(outputs))


def test_canonical_order():
    net = Network(4, [Layer(3), Layer(2, batch_norm=True)], 5)
    assert names(net) == ["W1", "b1", "W2", "b2", "gamma2", "beta2", "W3", "b3"]
    assert [segment.shape for segment in net.segments] == [(3, 4), (3,), (2, 3), (2,), (2,), (2,), (5, 2), (5,)]
    statistics = [(f"{segment.name}{segment.k}", segment.shape) for segment in net.statistic_segments]
    assert statistics == [("running_mean2", (2,)), ("running_variance2", (2,))]
    assert net.normalises


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    normalised=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_segments_fill_theta_without_gaps(sizes, normalised):
    inputs, *hidden, outputs = sizes
    layers = [Layer(units, batch_norm=flag) for units, flag in zip(hidden, normalised, strict=False)]
    net = Network(inputs, layers, outputs, output="identity")
    assert [segment.start for segment in net.segments] == [0, *(segment.stop for segment in net.segments[:-1])]
    scales = sum(2 * layer.units for layer in layers if layer.batch_norm)
    affine = sum(d_out * d_in + d_out for d_in, d_out in itertools.pairwise(sizes))
    assert net.n_parameters == affine + scales == len(net.initialize().vector)
    assert net.n_statistics == scales == len(net.initialize().statistics)


def test_W_lies_in_C_order():
    net = Network(4, [3], 2)
    theta = net.initialize()
    theta.vector[...] = np.arange(net.n_parameters)
    for i in range(3):
        for j in range(4):
            assert theta.W[1][i, j] == 4 * i + j
    assert theta.b[1].tolist() == [12, 13, 14]
    assert theta.W[2].tolist() == [[15, 16, 17], [18, 19, 20]]
    assert theta.b[2].tolist() == [21, 22]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Network)])
def test_network_is_frozen(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(COURSE, name, None)


def test_layer_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Layer(3).units = 4


@pytest.mark.parametrize(
    "same",
    [
        Network(784, (100,), 10, hidden="logistic"),
        Network(784, [Layer(100, "sigmoid")], 10),
        Network(np.int64(784), np.array([100]), np.int32(10), hidden="Sigmoid", output="Softmax"),
        Network(784, [100], 10, hidden=COURSE.layers[0].activation, output=COURSE.output, dropout=0),
    ],
    ids=["synonym", "layer", "numpy numbers", "objects"],
)
def test_equal_specifications(same):
    assert same == COURSE
    assert hash(same) == hash(COURSE)
    assert {COURSE: "found"}[same] == "found"


@pytest.mark.parametrize(
    "other",
    [
        Network(783, [100], 10, hidden="sigmoid"), Network(784, [99], 10, hidden="sigmoid"),
        Network(784, [100], 9, hidden="sigmoid"), Network(784, [100], 10, hidden="tanh"),
        Network(784, [100], 10, hidden="sigmoid", output="identity"),
        Network(784, [100], 10, hidden="sigmoid", dropout=0.5),
        Network(784, [100], 10, hidden="sigmoid", batch_norm=True),
        Network(784, [100], 10, hidden="sigmoid", initialisation="he"),
        Network(784, [100, 100], 10, hidden="sigmoid"),
    ],
)  # fmt: skip
def test_different_specifications(other):
    assert other != COURSE


@pytest.mark.parametrize(
    "net",
    [
        COURSE,
        Network(3, [Layer(4, lambda s, a: a * s.tanh(a), 0.25, True, 0.5), 2], 1, hidden="mish", output="sigmoid"),
        Network(3, [], 2, output="identity"),
    ],
)
def test_pickle(net):
    net.segments  # noqa: B018  # a cached property must not get in the way
    copy = pickle.loads(pickle.dumps(net))
    assert copy == net
    assert hash(copy) == hash(net)
    assert copy.initialize(seed=3).vector.tobytes() == net.initialize(seed=3).vector.tobytes()


def test_list_of_layers():
    layers = [Layer(4, "tanh", dropout=0.5), 3, Layer(2, "elu", batch_norm=True, initialisation="he")]
    net = Network(5, layers, 2, hidden="gelu", dropout=0.1, initialisation="lecun")
    assert [layer.units for layer in net.layers] == [4, 3, 2]
    assert [layer.activation.name for layer in net.layers] == ["tanh", "gelu", "elu"]
    assert [layer.dropout for layer in net.layers] == [0.5, 0.1, 0.0]
    assert [layer.batch_norm for layer in net.layers] == [False, False, True]
    drawn = [layer.initialisation.name for layer in net.layers]
    assert drawn == ["glorot_uniform", "lecun_normal", "he_normal"]
    assert net.output_initialisation.name == "lecun_normal"


def test_defaults_of_a_layer():
    assert Layer(7) == Layer(7, "relu", 0.0, False, "glorot_uniform")


@pytest.mark.parametrize(
    ("make", "pieces"),
    [
        (lambda: Network(0, [3], 2), ("inputs:", "at least 1", "got 0")),
        (lambda: Network(2.5, [3], 2), ("inputs:", "whole number", "2.5")),
        (lambda: Network(True, [3], 2), ("inputs:", "True")),
        (lambda: Network("2", [3], 2), ("inputs:", "'2'")),
        (lambda: Network(2, [3], 0), ("outputs:", "got 0")),
        (lambda: Network(2, [3], 1), ("outputs:", "at least 2", "softmax", "sigmoid")),
        (lambda: Network(2, 3, 2), ("layers:", "list", "[100]")),
        (lambda: Network(2, "3", 2), ("layers:", "list")),
        (lambda: Network(2, Layer(3), 2), ("layers:", "list")),
        (lambda: Network(2, [0], 2), ("units of a layer:", "got 0")),
        (lambda: Network(2, [3.5], 2), ("units of a layer:", "3.5")),
        (lambda: Network(2, ["3"], 2), ("units of a layer:", "'3'")),
        (lambda: Network(2, [None], 2), ("units of a layer:", "None")),
        (lambda: Network(2, [3], 2, hidden="rellu"), ("activation:", "'rellu'", "did you mean", "'relu'")),
        (lambda: Network(2, [3], 2, hidden="xyz"), ("activation:", "mish", "lambda s, a")),
        (lambda: Network(2, [3], 2, hidden=3), ("activation:", "got int")),
        (lambda: Network(2, [3], 2, hidden=lambda s, a: max(a, 0)), ("expression:", "s.where")),
        (lambda: Network(2, [3], 2, hidden=lambda s, a: math.exp(a)), ("expression:", "s.exp")),
        (lambda: Network(2, [3], 2, hidden=lambda s, a, h: a + h), ("activation:", "2 arguments")),
        (lambda: Network(2, [3], 2, output="sofmax"), ("output:", "'sofmax'", "did you mean 'softmax'")),
        (lambda: Network(2, [3], 2, output=None), ("output:", "None")),
        (lambda: Network(2, [3], 2, dropout=1.0), ("dropout:", "below 1", "1.0")),
        (lambda: Network(2, [3], 2, dropout=-0.1), ("dropout:", "at least 0")),
        (lambda: Network(2, [3], 2, dropout=math.nan), ("dropout:", "nan")),
        (lambda: Network(2, [3], 2, initialisation="glorott"), ("initialisation:", "did you mean")),
        (lambda: Network(2, [3], 2, initialisation=math.inf), ("initialisation:", "inf")),
        (lambda: COURSE.initialize(seed=-1), ("seed:", "at least 0", "-1")),
        (lambda: COURSE.initialize(seed=0.5), ("seed:", "whole", "0.5")),
        (lambda: COURSE.initialize(seed=2**64), ("seed:", str(2**64))),
    ],
)
def test_what_cannot_be(make, pieces, refuses):
    with refuses(SpecificationError, *pieces):
        make()


def test_initialisation():
    net = Network(40, [Layer(50), Layer(30, batch_norm=True)], 20)
    theta = net.initialize(seed=1)
    assert all((b == 0).all() for b in theta.b.values())
    assert (theta.gamma[2] == 1).all()
    assert (theta.beta[2] == 0).all()
    assert (theta.running_mean[2] == 0).all()
    assert (theta.running_variance[2] == 1).all()
    for k, (d_in, d_out) in {1: (40, 50), 2: (50, 30), 3: (30, 20)}.items():
        s = math.sqrt(6) / math.sqrt(d_in + d_out)
        assert 0.95 * s < np.abs(theta.W[k]).max() <= s
        assert abs(theta.W[k].mean()) < 0.1 * s


def test_each_layer_is_drawn_by_its_own_rule():
    net = Network(400, [Layer(300, initialisation="he"), Layer(200, initialisation=0.25)], 100, initialisation="zeros")
    theta = net.initialize()
    assert theta.W[1].std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert (theta.W[2] == 0.25).all()
    assert (theta.W[3] == 0).all()


def test_layers_of_one_shape_are_drawn_apart():
    theta = Network(6, [6, 6], 6, output="identity").initialize(seed=0)
    assert (theta.W[1] != theta.W[2]).all()
    assert (theta.W[2] != theta.W[3]).all()


def test_seeds():
    first, again, other = (COURSE.initialize(seed=seed).vector for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert len(np.unique(COURSE.initialize(seed=5).W[1])) > 78_000  # no row of W repeats another
    rounded = COURSE.initialize(seed=5, dtype="float32").vector
    assert rounded.dtype == np.float32
    assert rounded.tobytes() == first.astype(np.float32).tobytes()
    assert COURSE.initialize(seed=2**64 - 1).vector.tobytes() != first.tobytes()
