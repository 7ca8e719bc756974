"""Gradient clipping: the update takes the gradient times clip_norm / norm where the norm is larger."""

import copy

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import DivergenceError, SpecificationError
from layerwise.network.programs import Setting, record

LAYERS = {
    "plain": {},
    "dropout": {"dropout": 0.3},
    "batch norm": {"batch_norm": True},
    "both": {"dropout": 0.3, "batch_norm": True},
}


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_of_momentum_against_numpy(layers, weighted, sample):
    """Each step against the gradient of the trace, shortened by hand; both sides of the limit come up."""
    net = lw.Network(5, [7], 3, hidden="tanh", **LAYERS[layers])
    penalty, limit = lw.L2(0.01), 0.8
    X, y = sample(net, 20)
    weights = np.random.default_rng(0).uniform(0.5, 2, 20) if weighted else None
    state = lw.start(
        net, update=lw.SGD(0.4, momentum=0.5), penalty=penalty, dtype="float64", clip_norm=limit, weight_mean=1.0
    )
    velocity = np.zeros(net.n_parameters)
    shortened = []
    for _ in range(12):
        theta = state.parameters.vector.copy()
        t = net.trace(
            state.parameters, X, y, penalty=penalty, weights=weights, weight_mean=1.0, mode="train", key=state.key
        )
        norm = np.linalg.norm(t.gradient)
        shortened.append(norm > limit)
        velocity = t.gradient * min(1.0, limit / norm) + 0.5 * velocity
        assert state.step(X, y, weights).gradient_norm == pytest.approx(norm, rel=1e-12)  # before it is shortened
        np.testing.assert_allclose(state.parameters.vector, theta - 0.4 * velocity, rtol=0, atol=1e-13)
    assert set(shortened) == {True, False}


@pytest.mark.parametrize("update", [lw.SGD(0.1), lw.Adam(0.01), lw.AdamW(0.01), lw.RMSProp(0.01)])
@pytest.mark.parametrize("batch_size", [1, 7, "all"])
def test_a_limit_that_is_never_reached_changes_no_number(update, batch_size, sample):
    net = lw.Network(4, [6, 5], 3)
    X, y = sample(net)
    settings = {"update": update, "batch_size": batch_size, "epochs": 3, "penalty": lw.L2(1e-3), "dtype": "float64"}
    free, limited = lw.fit(net, X, y, **settings), lw.fit(net, X, y, clip_norm=1e6, **settings)
    np.testing.assert_allclose(limited.parameters.vector, free.parameters.vector, rtol=1e-12, atol=1e-15)
    assert limited.history["gradient_norm"] == pytest.approx(free.history["gradient_norm"], rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 5, "all"])
def test_epochs_are_their_steps(batch_size, sample):
    """Prepared steps too: shapes come again and again."""
    net = lw.Network(4, [6], 3, dropout=0.2)
    X, y = sample(net, 20)
    settings = {"update": lw.Adam(0.01), "penalty": lw.L1(1e-3), "clip_norm": 0.3, "dtype": "float64"}
    model = lw.fit(net, X, y, batch_size=batch_size, epochs=2, shuffle=False, **settings)
    state = lw.start(net, **settings)
    size = 20 if batch_size == "all" else batch_size
    for _ in range(2):
        for first in range(0, 20, size):
            rows = np.arange(first, first + size)
            state.step(X[rows], y[rows], rows=rows)
    np.testing.assert_allclose(state.parameters.vector, model.parameters.vector, rtol=1e-11, atol=1e-14)


def test_prepared_steps_are_the_general_ones(sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net, 3)
    states = [lw.start(net, clip_norm=0.1, update=lw.SGD(1.0), dtype="float64") for _ in range(2)]
    for _ in range(6):
        states[0].step(X, y)
        states[1].step(X, y, rows=np.arange(3))  # never prepared
    assert states[0]._prepared.ready
    assert not states[1]._prepared.ready
    assert states[0].parameters.vector.tobytes() == states[1].parameters.vector.tobytes()


def test_many_networks(sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net)
    settings = {"epochs": 2, "update": lw.SGD(0.5), "clip_norm": 0.2}
    for seed, model in enumerate(lw.fit_many(net, X, y, seeds=3, **settings)):
        alone = lw.fit(net, X, y, seed=seed, **settings)
        assert model.parameters.vector.tobytes() == alone.parameters.vector.tobytes()


def test_training_goes_on_from_a_copy(sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net, 4)
    state = lw.start(net, clip_norm=0.1)
    state.step(X, y)
    other = copy.deepcopy(state)
    for one in (state, other):
        one.step(X, y)
    assert state.parameters.vector.tobytes() == other.parameters.vector.tobytes()


def test_the_limit_is_a_scalar_of_the_program(sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net)
    lw.fit(net, X, y, epochs=1, clip_norm=0.5)
    made = len(net.made)
    lw.fit(net, X, y, epochs=1, clip_norm=0.7)
    assert len(net.made) == made
    assert "clip_norm" in record(net, Setting("train_step", lw.Adam(), clips=True)).scalars


def test_without_a_limit_the_program_is_as_it_was():
    net = lw.Network(4, [6], 3)
    plain, clips = (str(net.program("train_step", clips=clips)) for clips in (False, True))
    assert "clip_norm" not in plain
    assert "W^(1) <- W^(1) - rate * grad_W^(1)" in plain
    assert "(clip_norm / gradient_norm if clip_norm < gradient_norm else 1)" in clips
    fused = str(net.program("train_step").fused)
    assert fused.count("for each block of the 6 units:") == 1
    assert str(net.program("train_step", clips=True).fused).count("for each block of the 6 units:") == 2


def test_an_update_may_have_a_scalar_of_that_name(sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net)
    own = lw.OwnUpdate.of(lambda s, theta, grad, rate, clip_norm: theta - rate * clip_norm * grad, 0.1, clip_norm=2.0)
    ours = lw.fit(net, X, y, update=own, epochs=1, clip_norm=0.3, dtype="float64")
    plain = lw.fit(net, X, y, update=lw.SGD(0.2), epochs=1, clip_norm=0.3, dtype="float64")
    np.testing.assert_allclose(ours.parameters.vector, plain.parameters.vector, rtol=1e-13)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_gradient_that_is_not_finite_ends_training(batch_size):
    """Losses are finite before it: only the update spoils theta."""
    blows_up = lw.Activation.own(lambda s, a: s.sqrt(s.abs(a)), name="root")  # its slope at 0 is not finite
    net = lw.Network(2, [3], 1, hidden=blows_up, output="identity")
    initial = net.initialize(0)
    initial.vector[...] = 0
    initial.W[2][...] = 1
    with pytest.raises(DivergenceError) as caught:
        lw.fit(net, np.ones((8, 2)), np.ones(8), batch_size=batch_size, epochs=2, clip_norm=1.0, initial=initial)
    assert np.isfinite(caught.value.model.parameters.vector).all()
    state = lw.start(net, clip_norm=1.0, initial=initial)
    state.step(np.ones((2, 2)), np.ones(2))
    with pytest.raises(DivergenceError):
        state.step(np.ones((2, 2)), np.ones(2))


def test_a_norm_that_overflows_makes_no_step():
    net = lw.Network(1, [], 1, output="identity")
    state = lw.start(net, update=lw.SGD(1.0), clip_norm=1.0, dtype="float32")
    before = state.parameters.vector.copy()
    result = state.step([[1.0]], [1e19])
    assert np.isfinite(result.loss)
    assert result.gradient_norm > 1e18
    far = lw.Network(4, [], 4, output="identity")
    state = lw.start(far, update=lw.SGD(1.0), clip_norm=1.0, dtype="float32")
    before = state.parameters.vector.copy()
    result = state.step([[1e3] * 4], [[1e18] * 4])
    assert (np.isfinite(result.loss), result.gradient_norm) == (True, np.inf)
    np.testing.assert_array_equal(state.parameters.vector, before)


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), float("inf"), "1", True])
def test_bad_limits(limit, refuses, sample):
    net = lw.Network(4, [6], 3)
    X, y = sample(net)
    for train in (
        lambda: lw.start(net, clip_norm=limit),
        lambda: lw.fit(net, X, y, clip_norm=limit),
        lambda: lw.fit_many(net, X, y, seeds=2, clip_norm=limit),
    ):
        with refuses(SpecificationError, "clip_norm", "above 0"):
            train()
