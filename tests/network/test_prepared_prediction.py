"""Few rows go through prepared calls: the same bits, the same errors, whatever changes between two calls."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import engine
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Layer, Network, prediction
from layerwise.network.inputs import check_inputs
from layerwise.network.programs import predict_rows

NET = Network(6, [5], 3, hidden="tanh")
NETWORKS = {
    "classes": NET,
    "none hidden": Network(6, [], 3),
    "labels": Network(6, [7], 2, hidden="gelu", output="sigmoid"),
    "numbers": Network(6, [7], 1, output="identity"),
    "all stages": Network(6, [Layer(6, "relu", 0.5, True), Layer(5, "mish", 0.25)], 3),
}
X = np.random.default_rng(0).normal(size=(300, 6))


def plainly(net, theta, rows):
    """What the general path returns."""
    return predict_rows(net, theta, check_inputs(rows, net))


def ready(theta, rows, net=NET):
    """Make sure that a call is prepared for such rows; return it."""
    for _ in range(3):
        net.predict(theta, rows)
    (call,) = theta.prepared[rows.shape]
    return call


@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 7, 256])
def test_the_bits_are_those_of_the_general_path(which, dtype, n, scattered):
    net = NETWORKS[which]
    theta = scattered(net, 1, dtype)
    ready(theta, X[:n], net)
    for kind in ("float32", "float64"):
        for first in (0, 3, 20):
            rows = X[first : first + n].astype(kind)
            f = net.predict(theta, rows)
            assert (f.dtype, f.shape) == (np.dtype(dtype), (n, net.outputs))
            assert f.tobytes() == plainly(net, theta, rows).tobytes()


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_nothing_else_is_asked(kind, monkeypatch, sample_model):
    rows = X[:1].astype(kind)
    expected = sample_model.predict(rows)
    sample_model.predict(rows)
    monkeypatch.setattr(prediction, "_predict", None)  # the general path
    assert np.array_equal(sample_model.predict(rows), expected)
    assert np.array_equal(NET.predict(sample_model.parameters, rows), expected)


def test_results_are_arrays_of_their_own():
    theta = NET.initialize(0)
    call = ready(theta, X[:1])
    first = NET.predict(theta, X[:1])
    kept = first.copy()
    second = NET.predict(theta, X[1:2])
    assert theta.prepared[1, 6] == [call]
    assert not np.array_equal(first, second)
    assert np.array_equal(first, kept)
    first[...] = 7
    assert np.array_equal(NET.predict(theta, X[:1]), kept)
    assert first.base is None


@pytest.mark.parametrize("layout", [
    lambda x: np.asfortranarray(x), lambda x: np.repeat(x, 2, axis=1)[:, ::2], lambda x: x[::-1, ::-1],
    lambda x: x.astype(">f8"), lambda x: pickle.loads(pickle.dumps(x)), lambda x: x.astype("f2"),
    lambda x: np.frombuffer(b"1" + x.tobytes(), "u1")[1:].view("f8").reshape(x.shape), lambda x: (9 * x).astype(int),
    lambda x: (9 * x).astype("u1"), lambda x: x > 0, lambda x: x.astype(np.longdouble), lambda x: x.tolist(),
    lambda x: np.ma.MaskedArray(x), lambda x: x.view(type("Own", (np.ndarray,), {})),
], ids=[
    "fortran", "every other", "backwards", "big-endian", "unpickled", "float16", "unaligned", "int", "uint8", "bool",
    "longdouble", "list", "masked", "subclass",
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_layout(layout, dtype):
    theta = NET.initialize(0, dtype)
    ready(theta, X[:4])
    rows = layout(X[4:8])
    assert NET.predict(theta, rows).tobytes() == plainly(NET, theta, rows).tobytes()


WRONG = {
    "nan": lambda x: np.where(np.arange(6) == 4, np.nan, x),
    "nan in float32": lambda x: np.where(np.arange(6) == 4, np.nan, x).astype("f4"),
    "infinity": lambda x: np.where(np.arange(6) == 2, -np.inf, x),
    "one dimension": lambda x: x[0],
    "too narrow": lambda x: x[:, :5],
    "none": lambda x: x[:0],
    "words": lambda x: x.astype(str),
    "objects": lambda x: x.astype(object),
    "complex": lambda x: x + 0j,
    "masked": lambda x: np.ma.masked_greater(x, -9),
}


@pytest.mark.parametrize("which", list(WRONG))
def test_errors_are_the_same(which):
    rows = WRONG[which](X[:1])
    fresh, used = NET.initialize(0), NET.initialize(0)
    ready(used, X[:1])
    messages = []
    for theta in (fresh, used, used):
        with pytest.raises(InputError) as caught:
            NET.predict(theta, rows)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] == messages[2]
    assert np.array_equal(NET.predict(used, X[:1]), plainly(NET, fresh, X[:1]))


def test_the_row_and_the_column_are_named():
    theta = NET.initialize(0)
    ready(theta, X[:5])
    rows = X[:5].copy()
    rows[3, 4] = np.nan
    with pytest.raises(InputError, match="nan in row 3, column 4"):
        NET.predict(theta, rows)


def test_parameters_of_another_network_are_refused():
    theta = NET.initialize(0)
    ready(theta, X[:1])
    with pytest.raises(InputError, match="theta: expected parameters of 6-7-1"):
        NETWORKS["numbers"].predict(theta, X[:1])
    with pytest.raises(InputError, match="theta: expected parameters of 6-5-3, got array"):
        NET.predict(theta.vector, X[:1])


def test_networks_of_one_layout_share_parameters_but_no_calls():
    theta, other = NET.initialize(0), Network(6, [5], 3, hidden="relu")
    twin = pickle.loads(pickle.dumps(NET))
    for _ in range(4):
        for net in (NET, other, twin):
            assert net.predict(theta, X[:1]).tobytes() == plainly(net, theta, X[:1]).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e17, 1e19, 1e30, 1e38, 3.5e38, 1e160, 1.7e308])
def test_numbers_of_any_size_and_no_warning(dtype, size):
    theta = NET.initialize(0, dtype)
    ready(theta, X[:1])
    rows = np.where(np.arange(6) % 2, size, -size)[None, :]
    with warnings.catch_warnings(), np.errstate(over="warn", invalid="warn"):
        warnings.simplefilter("error")
        for given in (rows, rows.astype("f4")) if size < 3.4e38 else (rows,):
            f = NET.predict(theta, given)
    assert f.tobytes() == plainly(NET, theta, given).tobytes()


def test_theta_changed_in_place():
    theta = NET.initialize(0)
    call = ready(theta, X[:1])
    before = NET.predict(theta, X[:1])
    theta.W[1][...] *= 2
    doubled = NET.predict(theta, X[:1])
    theta.vector = NET.initialize(5).vector
    assert NET.predict(theta, X[:1]).tobytes() == plainly(NET, NET.initialize(5), X[:1]).tobytes()
    assert not np.array_equal(before, doubled)
    assert theta.prepared[1, 6] == [call]


def test_statistics_changed_in_place(scattered):
    net = NETWORKS["all stages"]
    theta = scattered(net)
    ready(theta, X[:1], net)
    theta.running_mean[1][...] += 1
    assert net.predict(theta, X[:1]).tobytes() == plainly(net, theta.copy(), X[:1]).tobytes()


def test_the_parameters_of_a_model_replaced(sample_model):
    model = sample_model
    for _ in range(3):
        model.predict(X[:1])
    model.parameters = NET.initialize(8, "float32")
    assert model.predict(X[:1]).tobytes() == plainly(NET, model.parameters, X[:1]).tobytes()


@pytest.fixture
def sample_model():
    return lw.fit(NET, X, np.arange(300) % 3, epochs=1)


def test_a_vector_that_calls_are_prepared_for_cannot_move():
    theta = NET.initialize(0)
    ready(theta, X[:1])
    with pytest.raises(ValueError, match="cannot resize"):
        theta.vector.resize(10**6, refcheck=False)


def test_parameters_that_may_only_be_read():
    theta = NET.initialize(0)
    theta.vector.flags.writeable = False
    ready(theta, X[:1])
    assert NET.predict(theta, X[:1]).tobytes() == plainly(NET, theta, X[:1]).tobytes()


def test_copies_and_pickles_have_calls_of_their_own(sample_model):
    theta = NET.initialize(0)
    ready(theta, X[:1])
    for twin in (theta.copy(), copy.copy(theta), copy.deepcopy(theta), pickle.loads(pickle.dumps(theta))):
        assert twin.prepared == {}
        twin.vector[...] *= 3
        ready(twin, X[:1])
        assert NET.predict(twin, X[:1]).tobytes() == plainly(NET, twin, X[:1]).tobytes()
    for _ in range(3):
        sample_model.predict(X[:1])
    for twin in (copy.copy(sample_model), copy.deepcopy(sample_model), pickle.loads(pickle.dumps(sample_model))):
        assert twin.predict(X[:1]).tobytes() == sample_model.predict(X[:1]).tobytes()
    for twin in (copy.copy(NET), copy.deepcopy(NET), pickle.loads(pickle.dumps(NET))):
        assert twin.predict(theta, X[:1]).tobytes() == NET.predict(theta, X[:1]).tobytes()


def test_the_environment_is_asked_every_time(monkeypatch, refuses):
    theta = NET.initialize(0)
    call = ready(theta, X[:1])
    monkeypatch.setenv("LAYERWISE_ENGINE", "refrence")
    with refuses(SpecificationError, "LAYERWISE_ENGINE", "did you mean 'reference'?"):
        NET.predict(theta, X[:1])
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")
    assert type(ready(theta, X[:1]).call).__name__ == "_ReferenceCall"
    monkeypatch.undo()
    assert type(ready(theta, X[:1]).call) is type(call.call)


def test_a_code_path_that_there_is_not(monkeypatch, refuses):
    theta = NET.initialize(0)
    call = ready(theta, X[:1])
    monkeypatch.setenv("LAYERWISE_CODE_PATH", "portable")
    assert NET.predict(theta, X[:1]).tobytes() == plainly(NET, theta, X[:1]).tobytes()
    assert ready(theta, X[:1]).settings != call.settings
    monkeypatch.setenv("LAYERWISE_CODE_PATH", "portabel")
    if engine().name == "reference":  # which has no code paths
        NET.predict(theta, X[:1])
        return
    with refuses(SpecificationError, "LAYERWISE_CODE_PATH", "'portabel'"):
        NET.predict(theta, X[:1])


def test_many_threads_at_once():
    theta = NET.initialize(0, "float32")
    expected = [plainly(NET, theta, X[i : i + 1]).tobytes() for i in range(16)]
    wrong: list[int] = []

    def ask(i):
        answers = [NET.predict(theta, X[i : i + 1]).tobytes() for _ in range(300)]
        wrong.extend(i for answer in answers if answer != expected[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 1 <= len(theta.prepared[1, 6]) <= 16


def test_a_call_that_another_thread_has_taken():
    theta = NET.initialize(0)
    ready(theta, X[:1])
    taken = theta.prepared[1, 6].pop()
    inputs = taken.call.features.copy()
    assert NET.predict(theta, X[9:10]).tobytes() == plainly(NET, theta, X[9:10]).tobytes()
    assert np.array_equal(taken.call.features, inputs)
    assert theta.prepared[1, 6] != [taken]


def test_few_shapes_are_kept_and_none_of_large_ones():
    theta = NET.initialize(0)
    for n in range(1, 40):
        ready(theta, X[:n])
        assert len(theta.prepared) <= prediction.SHAPES
    for _ in range(3):
        NET.predict(theta, X[:257])
        NET.predict(theta, X[:257].astype(int))
    assert (257, 6) not in theta.prepared
    wide, rows = Network(9000, [], 2), np.ones((1, 9000))
    theta = wide.initialize(0)
    for _ in range(3):
        wide.predict(theta, rows)
    assert theta.prepared == {}


def test_a_fork_predicts_too(same_in_a_fork):
    same_in_a_fork("""
import numpy as np
import layerwise as lw
net = lw.Network(7, [5], 3)
theta, X = net.initialize(0), np.random.default_rng(0).normal(size=(4, 7))
for _ in range(3):
    net.predict(theta, X[:1])
assert len(theta.prepared[(1, 7)]) == 1
def answer():
    return net.predict(theta, X[1:2]).tobytes() + net.predict(theta, X[2:3]).tobytes()
""")
