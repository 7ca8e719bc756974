"""Universal approximation: by hand, learned, and that the errors fall with the number of units."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, SpecificationError

analysis = lw.analysis


def wave(x):
    return np.sin(3 * x) + 0.3 * x**2


def hills(x1, x2):
    return np.sin(2 * x1) * np.cos(x2) + 0.5


def test_bumps_are_pairs_of_sigmoids():
    net, theta = analysis.bump_network(lambda x: 0 * x + 2.0, 3, 0.0, 3.0, slope=200.0)
    trace = net.trace(theta, [[0.0], [0.5], [1.5], [2.5], [3.0]], np.zeros(5))
    bumps = trace.h[1][:, ::2] - trace.h[1][:, 1::2]
    np.testing.assert_allclose(bumps, np.eye(3)[[0, 0, 1, 2, 2]], atol=1e-9)
    np.testing.assert_allclose(trace.f[:, 0], 2.0, atol=1e-8)  # the limits of the interval too


def test_steep_bumps_are_steps_of_the_middle_values():
    net, theta = analysis.bump_network(wave, 6, -1.0, 2.0, slope=1e4)
    x = np.linspace(-1, 2, 600, endpoint=False) + 0.0025
    middles = -1 + 0.5 * (np.floor((x + 1) / 0.5) + 0.5)
    np.testing.assert_allclose(net.predict(theta, x[:, None])[:, 0], wave(middles), atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (100.0, 103.0)])
def test_more_bumps_are_nearer(low, high):
    def moved(x):
        return wave(x - low - 1)

    errors = [
        analysis.approximation_error(*analysis.bump_network(moved, pieces, low, high), moved, low, high)
        for pieces in (5, 10, 20, 40, 80)
    ]
    largest, rms = [error.largest for error in errors], [error.rms for error in errors]
    assert (np.diff(largest) < 0).all()
    assert (np.diff(rms) < 0).all()
    assert largest[-1] < 0.08
    assert rms[-1] < rms[0] / 30  # faster than one over the width


def test_towers():
    errors = [
        analysis.approximation_error(*analysis.tower_network(hills, pieces, -1.0, 2.0, slope=300.0), hills, -1.0, 2.0)
        for pieces in (4, 8, 16)
    ]
    assert errors[0].rms > 1.5 * errors[1].rms > 1.5 * errors[2].rms
    net, theta = analysis.tower_network(hills, 3, 0.0, 3.0)
    middles = np.array([[0.5, 2.5], [1.5, 1.5], [2.5, 0.5], [0.0, 0.5], [3.0, 2.5]])
    cells = np.array([[0.5, 2.5], [1.5, 1.5], [2.5, 0.5], [0.5, 0.5], [2.5, 2.5]])
    np.testing.assert_allclose(net.predict(theta, middles)[:, 0], hills(*cells.T), atol=1e-6)


def test_learned_fits_get_better_with_more_units():
    errors = [analysis.learned_fit(wave, units, -1.0, 2.0, epochs=400).error for units in (1, 2, 8, 32)]
    rms = [error.rms for error in errors]
    assert (np.diff(rms) < 0).all()
    assert rms[-1] < 0.01
    assert errors[-1].largest < 0.03


def test_a_learned_fit_takes_the_functions_own_inputs():
    found = analysis.learned_fit(hills, 12, 3.0, 5.0, inputs=2, epochs=100, hidden="sigmoid")
    x = np.random.default_rng(0).uniform(3, 5, (20, 2))
    f = found.network.predict(found.parameters, x)
    np.testing.assert_allclose(f, found.model.predict(x - 4.0), rtol=1e-9)
    assert np.abs(f[:, 0] - hills(*x.T)).max() < 0.1
    assert found.error == analysis.approximation_error(found.network, found.parameters, hills, 3.0, 5.0)


def test_the_error_is_that_of_the_grid():
    net, theta = analysis.bump_network(wave, 7, -1.0, 2.0)
    x = np.linspace(-1, 2, 31)
    away = np.abs(net.predict(theta, x[:, None])[:, 0] - wave(x))
    error = analysis.approximation_error(net, theta, wave, -1.0, 2.0, points=31)
    assert error.largest == pytest.approx(away.max())
    assert error.rms == pytest.approx(np.sqrt((away**2).mean()))


def test_bad_input(refuses):
    with refuses(InputError, "function"):
        analysis.bump_network(lambda x: np.where(x > 0.5, np.nan, x), 4, 0.0, 1.0)
    with refuses(InputError, "function"):
        analysis.bump_network(lambda x: x[:2], 4, 0.0, 1.0)
    with refuses(SpecificationError, "high"):
        analysis.bump_network(np.sin, 4, 1.0, 1.0)
    with refuses(SpecificationError, "pieces"):
        analysis.tower_network(hills, 0, 0.0, 1.0)
    with refuses(SpecificationError, "slope"):
        analysis.bump_network(np.sin, 4, 0.0, 1.0, slope=-1.0)
    with refuses(SpecificationError, "inputs"):
        analysis.learned_fit(np.sin, 4, 0.0, 1.0, inputs=3)
    three = lw.Network(3, [], 1, output="identity")
    with refuses(SpecificationError, "net"):
        analysis.approximation_error(three, three.initialize(), wave, 0.0, 1.0)
