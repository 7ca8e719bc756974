"""A network's programs, run step by step in NumPy, give the bits of the rules themselves."""

import copy
import pickle

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError
from layerwise.network.programs import PROGRAMS
from layerwise.network.propagation import dropout_probabilities
from layerwise.ops import NumpyOps
from layerwise.rules.penalties import Penalty
from layerwise.rules.updates import TABLE

ROWS = 7
UPDATES = [*(make() for make in TABLE.values()), lw.SGD(0.1, momentum=0.9), lw.SGD(0.1, momentum=0.9, nesterov=True)]
NETWORKS = {
    "plain": lw.Network(5, [4, 3], 3, hidden="tanh"),
    "no hidden layer": lw.Network(5, [], 2, output="identity"),
    "dropout": lw.Network(5, [6], 3, hidden="relu", dropout=0.4),
    "batch norm": lw.Network(5, [6, 4], 2, hidden="mish", output="sigmoid", batch_norm=True),
    "both": lw.Network(5, [6, 4], 2, hidden="gelu", output="identity", batch_norm=True, dropout=0.3),
    "corrupted": lw.Network(5, [6], 3, hidden="tanh", dropout=0.2, input_dropout=0.3, input_noise=0.5),
    "tied": lw.Network(5, [4, 3, 4], 5, hidden="tanh", output="identity", tied=True, batch_norm=True),
    "activity": lw.Network(5, [lw.Layer(6, "tanh", dropout=0.2, activity=lw.L1(0.1) + lw.L2(0.3)), 4], 3),
    "own": lw.Network(5, [6], 3, hidden=lambda s, a: a * s.cos(a)),
}
PENALTIES = {"none": Penalty(), "both": lw.L1(0.01) + lw.L2(0.02)}


def data(net: lw.Network, dtype: str):
    generator = np.random.default_rng(3)
    X = generator.normal(size=(ROWS, net.inputs)).astype(dtype)
    if net.output.target == "classes":
        return X, generator.integers(0, net.outputs, ROWS)
    return X, generator.random((ROWS, net.outputs)).astype(dtype)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits are compared, so the other side has to be NumPy too."""
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")


def buffers_of(net: lw.Network, theta: lw.Parameters) -> dict:
    """The arrays of theta under the names that programs give them; written in place."""
    given = {f"{s.name}^({s.k})": getattr(theta, s.name)[s.k] for s in (*net.segments, *net.statistic_segments)}
    return given | {f"p^({k})": p for k, p in dropout_probabilities(net).items()} | {"s^(0)": net.input_noise}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("update", UPDATES, ids=lambda u: f"{type(u).__name__}{getattr(u, 'momentum', '')}")
def test_train_step_is_what_a_training_state_does(name, penalty, update, dtype, reference):
    net, penalty = NETWORKS[name], PENALTIES[penalty]
    X, y = data(net, dtype)
    weights = np.linspace(0.5, 1.5, ROWS)
    state = lw.start(net, update=update, penalty=penalty, dtype=dtype, seed=5)
    theta = net.initialize(5, dtype)
    program = net.program("train_step", update=update, penalty=penalty, weighted=True)
    memory = {m: lw.Parameters(net, np.full(net.n_parameters, update.initial_memory, dtype)) for m in update.memory}
    kept = {f"{m}_{s.name}^({s.k})": getattr(p, s.name)[s.k] for m, p in memory.items() for s in net.segments}
    for t in range(1, 4):
        given = buffers_of(net, theta) | kept | dict(zip(program.scalars, state.scalar_table(t - 1, 1)[0], strict=True))
        given |= {"h^(0)": X, "y": y, "w": weights.astype(dtype)[:, None], "rows": np.arange(ROWS), "key": (5, t - 1)}
        reported = program.run(NumpyOps(dtype), given)
        result = state.step(X, y, weights)
        assert result.loss == float(reported["loss"][0])
        assert result.gradient_norm == float(reported["gradient_norm"][0])
        assert result.objective == float(reported["objective"][0])
        assert result.penalty == float(reported.get("penalty", [0.0])[0])
    assert np.array_equal(theta.vector, state.parameters.vector)
    assert np.array_equal(theta.statistics, state.parameters.statistics)
    for m, array in state.update_state.items():
        assert np.array_equal(memory[m].vector, array)


@pytest.mark.parametrize("name", NETWORKS)
def test_predict_evaluate_and_update(name, reference):
    net = NETWORKS[name]
    X, y = data(net, "float64")
    theta = net.initialize(2)
    given = buffers_of(net, theta) | {"h^(0)": X, "y": y}
    assert np.array_equal(net.program("predict").run(NumpyOps(), given)["f"], net.predict(theta, X))
    trace = net.trace(theta, X, y)
    evaluated = net.program("evaluate").run(NumpyOps(), given)
    assert np.isclose(evaluated["loss_sum"][0] / len(trace.losses), trace.loss, rtol=1e-14)
    assert list(evaluated) == ["loss_sum", "score_sum"]
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


NORMALISED = NETWORKS["both"]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_outputs_in_order(penalty):
    added = ["penalty"] if PENALTIES[penalty].terms else []
    outputs = [name for name, _ in NORMALISED.program("train_step", penalty=PENALTIES[penalty]).outputs]
    assert outputs == ["objective", "loss", "score", *added, "gradient_norm"]
    outputs = [name for name, _ in NORMALISED.program("loss_and_gradient", penalty=PENALTIES[penalty]).outputs]
    assert outputs[: 3 + len(added)] == ["objective", "loss", "score", *added]
    assert outputs[3 + len(added) :] == [f"grad_{s.name}^({s.k})" for s in NORMALISED.segments]


def test_the_objective_is_the_loss_where_there_is_no_penalty():
    text = str(NETWORKS["plain"].program("train_step"))
    assert "  loss = (sum_t" in text
    assert text.endswith("  return objective = loss, loss, score, gradient_norm")
    with_penalty = str(NETWORKS["plain"].program("train_step", penalty=lw.L2(0.1)))
    assert "  objective = loss + penalty\n" in with_penalty
    assert "return" not in with_penalty


@pytest.mark.parametrize("update", UPDATES, ids=lambda u: f"{type(u).__name__}{getattr(u, 'momentum', '')}")
def test_buffers_say_which_slice_they_are(update):
    program = NORMALISED.program("train_step", update=update, penalty=lw.L2(0.1), weighted=True)
    sizes = {"theta": NORMALISED.n_parameters, "statistics": NORMALISED.n_statistics}
    assert program.vectors == sizes | dict.fromkeys(update.memory, NORMALISED.n_parameters)
    theta = NORMALISED.initialize(3)
    segments = {f"{s.name}^({s.k})": s for s in (*NORMALISED.segments, *NORMALISED.statistic_segments)}
    for buffer in program.buffers:
        if buffer.vector in sizes:
            vector = theta.vector if buffer.vector == "theta" else theta.statistics
            segment = segments[buffer.name]
            assert np.shares_memory(buffer.view(vector), getattr(theta, segment.name)[segment.k])
            assert np.array_equal(buffer.view(vector), getattr(theta, segment.name)[segment.k])
            assert buffer.role == ("parameter" if buffer.vector == "theta" else "statistic")
        elif buffer.vector:
            assert buffer.role == "memory"
            segment = segments[buffer.name.removeprefix(f"{buffer.vector}_")]
            assert (buffer.start, buffer.shape) == (segment.start, segment.shape)
    own = {buffer.name: buffer.role for buffer in program.buffers if not buffer.vector and buffer.role != "scalar"}
    assert own == {"h^(0)": "features", "y": "targets", "w": "weights", "rows": "rows", "key": "key"}
    assert NETWORKS["plain"].program("evaluate").buffers[-1].role == "codes"


def test_gradients_are_slices_of_one_vector():
    program = NORMALISED.program("update", update=lw.Adam())
    assert program.vectors == dict.fromkeys(("theta", "gradient", "mean", "squares"), NORMALISED.n_parameters)
    assert {b.name for b in program.buffers if b.role == "gradient"} == {
        f"grad_{s.name}^({s.k})" for s in NORMALISED.segments
    }


def test_scalars_in_the_order_of_the_buffers():
    program = NORMALISED.program("train_step", update=lw.AdamW(), penalty=lw.L2(0.1) + lw.L1(0.1))
    assert program.scalars == (
        "p^(1)", "p^(2)", "lambda_l2", "lambda_l1", "rate", "beta1", "one_minus_beta1", "beta2", "one_minus_beta2",
        "epsilon", "mean_correction", "squares_correction", "decay_W", "decay_b",
    )  # fmt: skip
    assert NETWORKS["plain"].program("train_step").scalars == ("rate",)
    assert NETWORKS["plain"].program("predict").scalars == ()


def test_what_differs_has_to_be_said():
    net = NETWORKS["plain"]

    class Half(lw.SGD):
        def scalars(self, t, rate, is_weight):
            return {"rate": rate if is_weight else rate / 2}

    class Said(Half):
        differ = ("rate",)

    for wrong in (lambda: net.program("update", update=Half()), lambda: lw.start(net, update=Half())):
        with pytest.raises(SpecificationError, match=r"expected differ to name all that differs, got \(\) without"):
            wrong()
    assert NETWORKS["plain"].program("train_step", update=Said()).scalars == ("rate_W", "rate_b")
    state = lw.start(NETWORKS["plain"], update=Said(0.5))
    assert state.scalar_table(0, 1).tolist() == [[0.5, 0.25]]


def test_a_setting_may_be_called_as_a_buffer():
    own = lw.OwnUpdate.of(lambda s, theta, grad, rate, w, lambda_l2: theta - rate * w * grad, 0.1, w=2.0, lambda_l2=1.0)
    net = NETWORKS["plain"]
    X, y = data(net, "float64")
    state = lw.start(net, update=own, penalty=lw.L2(0.3), dtype="float64")
    assert state.executable(True).program.scalars == ("lambda_l2", "rate", "update_w", "update_lambda_l2")
    twin = lw.start(net, update=lw.SGD(0.2), penalty=lw.L2(0.3), dtype="float64")
    for one in (state, twin):
        one.step(X, y, np.ones(ROWS))
    assert np.allclose(state.parameters.vector, twin.parameters.vector, rtol=1e-14, atol=0)


def test_programs_are_recorded_once():
    net = lw.Network(5, [4], 3, dropout=0.1)
    assert net.program("train_step", update=lw.SGD(0.1)) is net.program("train_step", update=lw.SGD(0.2))
    assert net.program("train_step", update=lw.SGD(0.1)) is not net.program("train_step", update=lw.Adam())
    assert net.program("train_step", penalty=lw.L2(0.1)) is net.program("train_step", penalty=lw.L2(0.2))
    assert net.program("train_step", penalty=lw.L2(0.1)) is not net.program("train_step", penalty=lw.L1(0.1))
    assert net.program("evaluate") is not net.program("evaluate", weighted=True)
    assert net.program("predict") is net.program("predict", update=lw.Adam(), penalty=lw.L2(0.1), weighted=True)
    assert lw.Network(5, [4], 3, dropout=0.1).program("predict") is not net.program("predict")


def test_a_network_stays_what_it_is_when_programs_are_made():
    fresh, used = lw.Network(5, [4], 3), lw.Network(5, [4], 3)
    X, y = data(used, "float64")
    lw.fit(used, X, y, epochs=1)
    used.predict(used.initialize(), X)
    assert used.made
    assert (used, hash(used), repr(used)) == (fresh, hash(fresh), repr(fresh))
    for twin in (pickle.loads(pickle.dumps(used)), copy.deepcopy(used)):
        assert twin == used
        assert twin.made == {}
        assert twin.segments == used.segments


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
