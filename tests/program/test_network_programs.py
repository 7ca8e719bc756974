"""A network's programs, run step by step in NumPy, give the bits of the rules themselves."""

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.network.programs import PROGRAMS
from layerwise.network.propagation import dropout_probabilities
from layerwise.ops import NumpyOps
from layerwise.rules.penalties import Penalty
from layerwise.rules.updates import TABLE, Update

ROWS = 7
UPDATES = [*(make() for make in TABLE.values()), lw.SGD(0.1, momentum=0.9), lw.SGD(0.1, momentum=0.9, nesterov=True)]
NETWORKS = {
    "plain": lw.Network(5, [4, 3], 3, hidden="tanh"),
    "no hidden layer": lw.Network(5, [], 2, output="identity"),
    "dropout": lw.Network(5, [6], 3, hidden="relu", dropout=0.4),
    "batch norm": lw.Network(5, [6, 4], 2, hidden="mish", output="sigmoid", batch_norm=True),
    "both": lw.Network(5, [6, 4], 2, hidden="gelu", output="identity", batch_norm=True, dropout=0.3),
    "own": lw.Network(5, [6], 3, hidden=lambda s, a: a * s.cos(a)),
}
PENALTIES = {"none": Penalty(), "both": lw.L1(0.01) + lw.L2(0.02)}


def data(net: lw.Network, dtype: str):
    generator = np.random.default_rng(3)
    X = generator.normal(size=(ROWS, net.inputs)).astype(dtype)
    if net.output.target == "classes":
        return X, generator.integers(0, net.outputs, ROWS)
    return X, generator.random((ROWS, net.outputs)).astype(dtype)


def buffers_of(net: lw.Network, theta: lw.Parameters) -> dict:
    """The arrays of theta under the names that programs give them; written in place."""
    given = {f"{s.name}^({s.k})": getattr(theta, s.name)[s.k] for s in (*net.segments, *net.statistic_segments)}
    return given | {f"p^({k})": p for k, p in dropout_probabilities(net).items()}


def scalars_of(update: Update, t: int, penalty: Penalty) -> dict:
    given = {f"lambda_{term.name}": term.strength for term in penalty.terms}
    of_weights, of_others = (update.scalars(t, update.rate, kind) for kind in (True, False))
    for name in of_weights:
        given |= {name: of_weights[name], f"{name}_W": of_weights[name], f"{name}_b": of_others[name]}
    return given


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("update", UPDATES, ids=lambda u: f"{type(u).__name__}{getattr(u, 'momentum', '')}")
def test_train_step_is_what_a_training_state_does(name, penalty, update, dtype):
    net, penalty = NETWORKS[name], PENALTIES[penalty]
    X, y = data(net, dtype)
    weights = np.linspace(0.5, 1.5, ROWS)
    state = lw.start(net, update=update, penalty=penalty, dtype=dtype, seed=5)
    theta = net.initialize(5, dtype)
    program = net.program("train_step", update=update, penalty=penalty, weighted=True)
    memory = {m: lw.Parameters(net, np.full(net.n_parameters, update.initial_memory, dtype)) for m in update.memory}
    kept = {f"{m}_{s.name}^({s.k})": getattr(p, s.name)[s.k] for m, p in memory.items() for s in net.segments}
    for t in range(1, 4):
        given = buffers_of(net, theta) | kept | scalars_of(update, t, penalty)
        given |= {"h^(0)": X, "y": y, "w": weights.astype(dtype)[:, None], "rows": np.arange(ROWS), "key": (5, t - 1)}
        reported = program.run(NumpyOps(dtype), given)
        result = state.step(X, y, weights)
        assert result.loss == float(reported["loss"][0])
        assert result.gradient_norm == float(reported["squared_gradient_norm"][0]) ** 0.5
    assert np.array_equal(theta.vector, state.parameters.vector)
    assert np.array_equal(theta.statistics, state.parameters.statistics)
    for m, array in state.update_state.items():
        assert np.array_equal(memory[m].vector, array)


@pytest.mark.parametrize("name", NETWORKS)
def test_predict_evaluate_and_update(name):
    net = NETWORKS[name]
    X, y = data(net, "float64")
    theta = net.initialize(2)
    given = buffers_of(net, theta) | {"h^(0)": X, "y": y}
    assert np.array_equal(net.program("predict").run(NumpyOps(), given)["f"], net.predict(theta, X))
    trace = net.trace(theta, X, y)
    evaluated = net.program("evaluate").run(NumpyOps(), given)
    assert np.isclose(evaluated["losses"][0] / ROWS, trace.loss, rtol=1e-14)
    before, gradient = theta.copy(), np.arange(net.n_parameters, dtype=float)
    grads = lw.Parameters(net, gradient)
    given |= {f"grad_{s.name}^({s.k})": getattr(grads, s.name)[s.k] for s in net.segments} | {"rate": 0.5}
    net.program("update", update=lw.SGD(0.5)).run(NumpyOps(), given)
    assert np.array_equal(theta.vector, before.vector - 0.5 * gradient)


def test_loss_and_gradient_returns_the_gradient_of_the_trace():
    net = NETWORKS["plain"]
    X, y = data(net, "float64")
    theta = net.initialize(2)
    given = buffers_of(net, theta) | {"h^(0)": X, "y": y, "lambda_l2": 0.3}
    results = net.program("loss_and_gradient", penalty=lw.L2(0.3)).run(NumpyOps(), given)
    trace = net.trace(theta, X, y, penalty=lw.L2(0.3))
    for k in (1, 2, 3):
        assert np.allclose(results[f"grad_W^({k})"], trace.grad_W[k], rtol=1e-12, atol=1e-15)
        assert np.allclose(results[f"grad_b^({k})"], trace.grad_b[k], rtol=1e-12, atol=1e-15)


def test_the_printed_program_reads_like_the_course():
    text = str(lw.Network(784, [100], 10, hidden="sigmoid", output="softmax").program("train_step"))
    lines = [line.strip() for line in text.splitlines()]
    wanted = [
        "a^(1) = b^(1) + W^(1) h^(0)",
        "h^(1) = sigmoid(a^(1))",
        "a^(2) = b^(2) + W^(2) h^(1)",
        "grad_a^(2) = (-(e(y) - f)) / n",
        "grad_W^(2) = sum_t grad_a^(2) h^(1)'",
        "grad_b^(2) = sum_t grad_a^(2)",
        "grad_h^(1) = W^(2)' grad_a^(2)",
        "grad_a^(1) = grad_h^(1) * h^(1) * (1 - h^(1))",
        "grad_W^(1) = sum_t grad_a^(1) h^(0)'",
        "W^(1) <- W^(1) - rate * grad_W^(1)",
        "b^(2) <- b^(2) - rate * grad_b^(2)",
    ]
    places = [lines.index(line) for line in wanted]
    assert places == sorted(places)
    assert "grad_h^(0)" not in text


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_program_prints_every_buffer(program, name):
    recorded = NETWORKS[name].program(program, update=lw.Adam())
    assert all(buffer.name in str(recorded) for buffer in recorded.buffers)


def test_an_unknown_program_lists_all():
    with pytest.raises(SpecificationError, match="expected one of train_step, loss_and_gradient, update"):
        NETWORKS["plain"].program("train")


def test_two_penalties_of_one_name():
    net = NETWORKS["plain"]
    X, y = data(net, "float64")
    theta = net.initialize(2)
    penalty = lw.L2(0.3) + lw.L2(0.2)
    given = buffers_of(net, theta) | {"h^(0)": X, "y": y, "lambda_l2": 0.3, "lambda_l2_2": 0.2}
    results = net.program("loss_and_gradient", penalty=penalty).run(NumpyOps(), given)
    assert np.isclose(results["penalty"][0], net.trace(theta, X, y, penalty=penalty).penalty, rtol=1e-14)
