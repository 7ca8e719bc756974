"""Single steps through prepared calls: the same bits as the general path, the same errors, and they notice changes."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import warnings

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import DivergenceError, InputError, LayerwiseError, SpecificationError
from layerwise.network import Layer, Network
from layerwise.rules.schedules import Schedule
from layerwise.rules.updates import Update

NET = Network(4, [6], 3, hidden="tanh")
NETWORKS = {
    "classes": NET,
    "labels": Network(4, [6], 3, hidden="gelu", output="sigmoid"),
    "one label": Network(4, [6], 1, output="sigmoid"),
    "numbers": Network(4, [6], 2, output="identity"),
    "one number": Network(4, [6], 1, output="identity"),
    "counts": Network(4, [6], 2, output="poisson"),
    "mean and variance": Network(4, [6], 2, output="gaussian"),
    "quantiles": Network(4, [6], 6, output=lw.Quantile([0.1, 0.5, 0.9])),
    "several classes": Network(4, [6], 5, output=lw.SoftmaxGroups([3, 2])),
    "none hidden": Network(4, [], 3),
    "dropout": Network(4, [Layer(6, "relu", 0.5), Layer(5, "mish", 0.25)], 3),
    "all stages": Network(4, [Layer(6, "relu", 0.5, True), Layer(5, "mish", 0.25)], 3),
}
OWN = lw.OwnUpdate.of(
    lambda s, theta, grad, v, rate, keep: (theta - rate * (grad + keep * v), grad + keep * v), rate=0.05, keep=0.5
)
UPDATES = [
    lw.SGD(0.1), lw.SGD(0.1, momentum=0.9), lw.SGD(0.1, momentum=0.9, nesterov=True), lw.Adam(0.01), lw.AdamW(0.01),
    lw.RMSProp(0.01), lw.Adagrad(0.1), OWN,
]  # fmt: skip
SCHEDULES = [lw.Constant(), lw.StepDecay(0.5, 0.5), lw.InverseTime(0.5), lw.Cosine(), lw.CosLog4()]


def generally(state, X, y):
    """One step on the general path: rows that are named are not prepared for."""
    return state.step(X, y, rows=np.arange(len(X)))


def same(state, other):
    """Whether all that training has made is the same to the last bit."""
    assert state.steps == other.steps
    assert state.parameters.vector.tobytes() == other.parameters.vector.tobytes()
    assert state.statistics.tobytes() == other.statistics.tobytes()
    for name, memory in state.update_state.items():
        assert memory.tobytes() == other.update_state[name].tobytes()
    return True


def equal(result, expected):
    """Whether two results are the same numbers, NaN among them."""
    np.testing.assert_array_equal(tuple(result), tuple(expected))
    return type(result) is type(expected)


def go_on(state, other, X, y, n, steps):
    """Make steps on both ways with the same rows; everything has to be the same after each."""
    for i in range(steps):
        rows = np.arange(i * n, i * n + n) % len(X)
        assert equal(state.step(X[rows], y[rows]), generally(other, X[rows], y[rows]))
        assert same(state, other)
    assert (n, 4) in state._prepared.ready


@pytest.fixture
def pair(sample):
    """(network, settings) -> two states of the same kind, and rows for them."""

    def make(net=NET, **settings):
        return lw.start(net, **settings), lw.start(net, **settings), *sample(net)

    return make


@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_network(which, dtype, n, pair):
    net = NETWORKS[which]
    n += net.normalises  # which needs two rows
    state, other, X, y = pair(net, dtype=dtype, seed=2**63 + 1)
    go_on(state, other, X, y, n, 8)


@pytest.mark.parametrize("update", UPDATES, ids=str)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_every_update_and_schedule(update, schedule, pair):
    settings = {"update": update, "schedule": schedule, "epochs": 3, "steps_per_epoch": 10}
    state, other, X, y = pair(NETWORKS["dropout"], penalty=lw.L2(0.01) + lw.L1(0.001), **settings)
    go_on(state, other, X, y, 1, 30)


@pytest.mark.parametrize("which", list(NETWORKS))
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_nothing_else_is_asked(which, kind, monkeypatch, pair):
    state, _, X, y = pair(NETWORKS[which])
    X = np.abs(X).astype(kind)
    for _ in range(2):
        state.step(X[:2], y[:2])
    monkeypatch.setattr(type(state), "_general_update", None)
    for i in range(5):
        state.step(X[i : i + 2], y[i : i + 2])
    assert state.steps == 7


def test_long_after_the_first_steps(pair):
    state, other, X, y = pair(update=lw.Adam(0.001), dtype="float64")
    go_on(state, other, X, y, 1, 700)  # several tables of scalars


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("which", ["classes", "labels", "numbers"])
def test_inputs_and_targets_of_any_type(kind, which, pair):
    state, other, X, y = pair(NETWORKS[which])
    rows = X.astype(kind)
    for targets in (y, y.astype("f4"), np.abs(y).astype("u1"), np.abs(y) > 0.5, y.astype("i4")):
        for shape in (targets[:2], targets[:2].reshape(2, -1)):
            assert equal(state.step(rows[:2], shape), generally(other, rows[:2], shape))
    assert same(state, other)


@pytest.mark.parametrize("which", ["one label", "one number", "mean and variance"])
@pytest.mark.parametrize("n", [1, 3])
def test_a_single_column_of_targets_in_either_shape(which, n, pair):
    state, other, X, y = pair(NETWORKS[which])
    for _ in range(3):
        for targets in (y[:n], y[:n, 0], np.asfortranarray(y[:n])):
            assert equal(state.step(X[:n], targets), generally(other, X[:n], targets))
    assert same(state, other)


def test_many_targets_and_targets_at_their_ends(pair):
    net = Network(4, [], 100, output="sigmoid")
    state, other, X, _ = pair(net)
    for y in (np.zeros((1, 100)), np.ones((1, 100)), np.linspace(0, 1, 100)[None, :]) * 2:
        assert equal(state.step(X[:1], y), generally(other, X[:1], y))
    for worst in (1.0001, -0.0001):
        with pytest.raises(InputError, match="y: expected values from 0 to 1 for sigmoid"):
            state.step(X[:1], np.where(np.arange(100) == 7, worst, 0.5)[None, :])
    assert same(state, other)


def test_targets_that_the_loss_is_not_made_for(pair):
    state, other, X, y = pair(NETWORKS["counts"])
    go_on(state, other, X, y, 1, 4)
    with pytest.raises(InputError, match=r"y: expected values of at least 0 for poisson, got -1.0 in row 0, column 1;"):
        state.step(X[:1], np.array([[0.0, -1.0]]))
    assert same(state, other)


@pytest.mark.parametrize("wrong", [[3, 0], [0, 2], [-1, 0], [0, 0.5]])
def test_codes_that_a_group_does_not_have(wrong, pair):
    state, other, X, y = pair(NETWORKS["several classes"])
    go_on(state, other, X, y, 1, 4)
    with pytest.raises(InputError, match=r"y, column [01]: expected class codes 0 to [12], got .* in row 0;"):
        state.step(X[:1], np.array([wrong]))
    assert equal(state.step(X[:1], y[:1] * 1.0), generally(other, X[:1], y[:1]))  # codes may be whole floats
    assert same(state, other)


def test_different_sizes_in_turn(pair):
    state, other, X, y = pair()
    for i in range(60):
        n = 1 + i % 12
        assert equal(state.step(X[:n], y[:n]), generally(other, X[:n], y[:n]))
    assert same(state, other)
    assert len(state._prepared.ready) <= len(state._prepared.seen) <= 8


def test_weights_and_rows_between(pair):
    state, other, X, y = pair(NETWORKS["dropout"])
    for i in range(9):
        weights, rows = ([0.5, 2.0], None) if i % 3 == 0 else (None, [7, 9]) if i % 3 == 1 else (None, None)
        expected = other.step(X[:2], y[:2], weights, np.arange(2) if rows is None else rows)
        assert equal(state.step(X[:2], y[:2], weights, rows), expected)
        assert same(state, other)


WRONG = {
    "nan": lambda X, y: (np.where(np.arange(4) == 2, np.nan, X), y),
    "nan in float32": lambda X, y: (np.where(np.arange(4) == 2, np.nan, X).astype("f4"), y),
    "infinity": lambda X, y: (np.where(np.arange(4) == 1, np.inf, X), y),
    "too large a code": lambda X, y: (X, y + 3),
    "too small a code": lambda X, y: (X, y - 5),
    "an unsigned code": lambda X, y: (X, y.astype("u8") + np.uint64(2**64 - 3)),
    "half a code": lambda X, y: (X, y + 0.5),
    "a code that is nan": lambda X, y: (X, y * np.nan),
    "too many codes": lambda X, y: (X, np.repeat(y, 2)),
    "words": lambda X, y: (X, y.astype(str)),
    "one dimension": lambda X, y: (X[0], y),
    "too narrow": lambda X, y: (X[:, :3], y),
    "no rows": lambda X, y: (X[:0], y[:0]),
}


@pytest.mark.parametrize("which", list(WRONG))
@pytest.mark.parametrize("n", [1, 2, 70])
def test_errors_are_the_same_and_change_nothing(which, n, sample):
    X, y = sample(NET, n=n)
    used, fresh = lw.start(NET), lw.start(NET)
    for state in (used, fresh):
        for _ in range(4):
            state.step(X, y)
        if state is fresh:
            state._prepared.ready.clear()
    messages = []
    for state in (fresh, used, used):
        before = state.parameters.vector.tobytes(), state.steps
        with pytest.raises(LayerwiseError) as caught:
            state.step(*WRONG[which](X, y))
        messages.append((type(caught.value), str(caught.value)))
        assert (state.parameters.vector.tobytes(), state.steps) == before
    assert messages[0] == messages[1] == messages[2]
    assert equal(used.step(X, y), fresh.step(X, y))
    assert same(used, fresh)


@pytest.mark.parametrize("which", ["numbers", "labels"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_targets_that_are_not_finite(which, value, pair):
    state, _, X, y = pair(NETWORKS[which])
    for _ in range(3):
        state.step(X[:2], y[:2])
    wrong = y[:2].copy()
    wrong[1, 0] = value
    with pytest.raises(InputError, match=f"y: expected finite numbers, got {value} in row 1, column 0"):
        state.step(X[:2], wrong)
    assert state.steps == 3


def test_divergence_is_told_as_before(pair):
    state, other, X, y = pair(NETWORKS["numbers"], update=lw.SGD(1e30))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        messages = []
        for step in (state.step, lambda *rows: generally(other, *rows)):
            with pytest.raises(DivergenceError) as caught:
                all(step(X[:1], y[:1]) for _ in range(20))
            messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert same(state, other)


def test_large_numbers_without_a_warning(pair):
    state, other, X, y = pair(NETWORKS["numbers"], update=lw.SGD(1e-30))
    for _ in range(3):
        assert equal(state.step(X[:1], y[:1]), generally(other, X[:1], y[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(state.step(X[:1] * 1e10, y[:1]), generally(other, X[:1] * 1e10, y[:1]))
        with np.errstate(all="ignore"), pytest.raises(DivergenceError):
            state.step(X[:1] * 1e200, y[:1])


def test_the_end_of_a_schedule(pair, refuses):
    state, _, X, y = pair(schedule="cosine", epochs=1, steps_per_epoch=10)
    for _ in range(10):
        state.step(X[:1], y[:1])
    for _ in range(2):
        with refuses(SpecificationError, "schedule", "steps left", "10 of 10 made, and a rate of 0"):
            state.step(X[:1], y[:1])
    assert state.steps == 10


def test_steps_beyond_what_can_be_counted(pair):
    state, _, X, y = pair(NETWORKS["dropout"])
    for _ in range(3):
        state.step(X[:1], y[:1])
    state.steps = 2**32 - 1
    state.step(X[:1], y[:1])
    with pytest.raises(InputError, match="key"):
        state.step(X[:1], y[:1])


@dataclasses.dataclass(frozen=True)
class Asked(Schedule):
    """A schedule of somebody's own, which remembers what it was asked."""

    steps: list[int] = dataclasses.field(default_factory=list)

    def factor(self, progress):
        self.steps.append(progress.step)
        return 1.0 / (1 + progress.step)


@dataclasses.dataclass(frozen=True)
class Single(Update):
    """An update of somebody's own that knows single steps only."""

    rate: float = 0.1

    @property
    def formula(self):
        return lw.SGD().formula

    def scalars(self, t, rate, is_weight):
        return {"rate": rate if t % 2 else rate / 2}


def test_schedules_of_others_are_not_asked_ahead(pair):
    schedule = Asked()
    state, other, X, y = pair(schedule=schedule)
    for _ in range(20):
        state.step(X[:1], y[:1])
        assert max(schedule.steps) == state.steps - 1
    for _ in range(20):
        generally(other, X[:1], y[:1])
    assert same(state, other)


def test_updates_of_others(pair):
    state, other, X, y = pair(update=Single())
    go_on(state, other, X, y, 1, 10)


CHANGES = {
    "parameters in place": lambda s: s.parameters.vector.__imul__(0.5),
    "parameters assigned": lambda s: setattr(s.parameters, "vector", NET.initialize(9).vector),
    "parameters replaced": lambda s: setattr(s, "parameters", NET.initialize(9, "float32")),
    "settings replaced": lambda s: setattr(s, "settings", dataclasses.replace(s.settings, update=lw.Adam(0.5))),
    "steps back": lambda s: setattr(s, "steps", 1),
    "steps on": lambda s: setattr(s, "steps", 1000),
    "memory in place": lambda s: [memory.fill(0) for memory in s.update_state.values()],
    "memory replaced": lambda s: s.update_state.update(mean=np.full_like(s.update_state["mean"], 0.1)),
    "returned": lambda s: s.return_to(NET.initialize(4, "float32")),
    "network replaced": lambda s: setattr(s, "network", Network(4, [6], 3, hidden="relu")),
}


@pytest.mark.parametrize("which", list(CHANGES))
def test_changes_between_steps_are_noticed(which, pair):
    state, other, X, y = pair(update=lw.Adam(0.01), seed=3)
    go_on(state, other, X, y, 1, 6)
    for either in (state, other):
        CHANGES[which](either)
    go_on(state, other, X, y, 1, 6)


def test_memory_that_is_gone(pair):
    state, _, X, y = pair(update=lw.Adam(0.01))
    for _ in range(3):
        state.step(X[:1], y[:1])
    del state.update_state["squares"]
    with pytest.raises(InputError, match="train_step: squares: expected a contiguous vector of 51 float32, got none"):
        state.step(X[:1], y[:1])


@pytest.mark.parametrize("of", ["theta", "memory"])
def test_what_may_only_be_read_is_not_written(of, pair):
    state, _, X, y = pair(update=lw.Adam(0.01))
    for _ in range(3):
        state.step(X[:1], y[:1])
    vector = state.parameters.vector if of == "theta" else state.update_state["mean"]
    vector.flags.writeable = False
    before = state.parameters.vector.tobytes()
    with pytest.raises(InputError, match="expected a vector that may be written, got a read-only one"):
        state.step(X[:1], y[:1])
    assert (state.parameters.vector.tobytes(), state.steps) == (before, 3)
    vector.flags.writeable = True
    state.step(X[:1], y[:1])
    assert state.steps == 4


def test_training_goes_on_after_steps(pair):
    state, other, X, y = pair(batch_size=5, seed=1, epochs=2, steps_per_epoch=5)
    from layerwise.engines import Source
    from layerwise.training.batches import TrainingData

    data = TrainingData(Source(X, y), np.arange(len(X)), None, None)
    for _ in range(2):
        go_on(state, other, X, y, 1, 4)
        assert state.train_epoch(data)
        assert other.train_epoch(data)
        assert same(state, other)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_copies_go_their_own_way(twin_of, pair):
    state, other, X, y = pair(NETWORKS["dropout"], update=lw.Adam(0.01))
    go_on(state, other, X, y, 1, 5)
    twin = twin_of(state)
    go_on(state, other, X, y, 1, 5)
    assert twin.steps == 5
    for i in range(5):
        twin.step(X[i : i + 1], y[i : i + 1])
    assert same(twin, state)
    memory = copy.deepcopy(state.update_state)
    replaced = dataclasses.replace(state, parameters=state.parameters.copy(), update_state=memory)
    replaced.step(X[:1], y[:1])
    assert same(state, other)


def test_the_environment_is_asked_at_every_step(monkeypatch, pair, refuses):
    state, other, X, y = pair(dtype="float64")
    go_on(state, other, X, y, 1, 4)
    monkeypatch.setenv("LAYERWISE_ENGINE", "other")
    with refuses(SpecificationError, "LAYERWISE_ENGINE", "native or reference", "'other'"):
        state.step(X[:1], y[:1])
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")
    go_on(state, other, X, y, 1, 4)
    monkeypatch.undo()
    go_on(state, other, X, y, 1, 4)


def test_a_fork_steps_too(same_in_a_fork):
    same_in_a_fork("""
import numpy as np
import layerwise as lw
X = np.random.default_rng(0).normal(size=(4, 7))
state = lw.start(lw.Network(7, [5], 3), update=lw.Adam(0.01))
for i in range(4):
    state.step(X[i : i + 1], [i % 3])
def answer():
    for i in range(3):
        state.step(X[i : i + 1], [i])
    return state.parameters.vector.tobytes()
""")


def test_a_result_is_told_apart(pair):
    state, _, X, y = pair(NETWORKS["one number"])
    for _ in range(4):
        result = state.step(X[:1], y[:1])
    assert math.isnan(result.metric)  # one row has no spread
    assert result.penalty == 0
    assert result.objective == result.loss
    assert result.rate == 0.001
    with pytest.raises(AttributeError):
        result.loss = 0.0
