"""What a single step refuses to do quietly: train on NaN, or at a rate that has run out."""

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import DivergenceError, SpecificationError

X = np.random.default_rng(0).normal(size=(8, 3))
NUMBERS = lw.Network(3, [4], 1, output="identity")


def test_a_step_whose_loss_is_not_finite_raises():
    state = lw.start(NUMBERS, update=lw.SGD(1e10))

    def steps():
        for _ in range(8):
            state.step(X, X[:, 0])

    with pytest.raises(DivergenceError, match=r"step \d: expected a finite loss, got (inf|nan); lower the rate"):
        steps()


def test_a_schedule_that_has_ended_is_no_silent_rest():
    net = lw.Network(3, [4], 2)
    model = lw.fit(net, X, [0, 1] * 4, epochs=2, schedule="cosine", batch_size=4)
    with pytest.raises(SpecificationError, match="schedule: expected steps left, got 4 of 4 made, and a rate of 0"):
        model.state.step(X, [0, 1] * 4)


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads():
    from threadpoolctl import threadpool_limits

    wide = np.random.default_rng(1).normal(size=(512, 200))
    net = lw.Network(200, [256, 256], 10)
    y = np.arange(512) % 10
    fitted, stepped = set(), set()
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            fitted.add(lw.fit(net, wide, y, batch_size=256, epochs=1).parameters.vector.tobytes())
            state = lw.start(net, seed=0)
            state.step(wide, y)
            stepped.add(state.parameters.vector.tobytes())
    assert len(fitted) == len(stepped) == 1


def test_validation_with_negative_weights_as_given():
    net = lw.Network(3, [4], 2)
    y = np.array([0, 1] * 4)
    model = lw.fit(net, X, y, weights=np.ones(8), weight_mean="as given", validation=(X, y, -np.ones(8)), epochs=2)
    assert model.history[-1].validation_loss < 0
    negative = model.evaluate(X, y, -np.ones(8), weight_mean="as given").loss
    assert negative == pytest.approx(-model.evaluate(X, y).loss, rel=1e-6)
