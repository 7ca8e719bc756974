"""Losses of the regressor beyond squares, and what they let it predict."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
#: A linear model: what is best is known.
LINEAR = {"hidden_layer_sizes": (), "alpha": 0, "solver": "lbfgs", "max_iter": 2000, "tol": 1e-9, "random_state": 0}
SMALL = {"hidden_layer_sizes": 10, "learning_rate_init": 0.01, "max_iter": 40, "random_state": 0}


@pytest.fixture(scope="module")
def skewed():
    """y = 1 + x + noise that is never negative, and grows with x."""
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 1, 400)
    return x[:, None], 1 + x + (0.2 + x) * generator.exponential(size=400)


def linear_loss(loss, X, y, **settings):
    """The exact mean loss of the best linear model that a regressor finds, and its predictions."""
    model = lw.MLPRegressor(loss=loss, **LINEAR | settings).fit(X, y)
    return model.loss_, model.predict(X)


def test_absolute_error_finds_the_median(skewed):
    X, y = skewed
    loss, f = linear_loss("absolute_error", np.zeros_like(X), y)
    np.testing.assert_allclose(f, np.median(y), rtol=1e-3)
    assert loss == pytest.approx(np.abs(y - np.median(y)).mean(), rel=1e-6)


def test_huber_is_between_squares_and_distances(skewed):
    X, y = np.zeros((len(skewed[1]), 1)), skewed[1]
    found = [linear_loss("huber", X, y, huber_delta=delta)[1][0] for delta in (1e-3, 0.5, 1e3)]
    assert found[0] == pytest.approx(np.median(y), rel=1e-3)
    assert found[2] == pytest.approx(y.mean(), rel=1e-6)
    assert found[0] < found[1] < found[2]


def test_quantiles_are_those_of_a_linear_programme(skewed):
    X, y = skewed
    levels = [0.1, 0.5, 0.9]
    loss, f = linear_loss("quantile", X, y, quantiles=levels)
    assert f.shape == (400, 3)
    best = [mean_pinball_loss(y, QuantileRegressor(quantile=q, alpha=0).fit(X, y).predict(X), alpha=q) for q in levels]
    assert loss == pytest.approx(sum(best), rel=2e-4)
    np.testing.assert_allclose((y[:, None] <= f).mean(axis=0), levels, atol=0.02)


def test_one_quantile_is_predicted_as_one_number(skewed):
    assert linear_loss("quantile", *skewed, quantiles=[0.5])[1].shape == (400,)


def test_quantiles_of_several_targets(skewed):
    X, y = skewed
    model = lw.MLPRegressor(loss="quantile", quantiles=[0.25, 0.75], **SMALL).fit(X, np.column_stack([y, -y]))
    f = model.predict(X)
    assert f.shape == (400, 2, 2)
    assert model.n_outputs_ == 2
    assert (f[:, :, 0] < f[:, :, 1]).mean() > 0.95
    guess = np.column_stack([f[:, 0, 0], f[:, 1, 0]])  # of two levels equally near to 1/2 the first
    left = ((np.column_stack([y, -y]) - guess) ** 2).sum(axis=0) / (((y - y.mean()) ** 2).sum())
    assert model.score(X, np.column_stack([y, -y])) == pytest.approx(1 - left.mean())


def test_poisson_finds_the_mean(skewed):
    X, y = skewed
    loss, f = linear_loss("poisson", np.zeros_like(X), y)
    np.testing.assert_allclose(f, y.mean(), rtol=1e-6)
    assert loss == pytest.approx((y * np.log(y / y.mean())).mean(), rel=1e-6)


def test_gaussian_nll_knows_where_the_noise_is(skewed):
    X, y = skewed
    model = lw.MLPRegressor(loss="gaussian_nll", **SMALL | {"max_iter": 300, "n_iter_no_change": 300}).fit(X, y)
    mean, deviation = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(X))
    assert mean.shape == deviation.shape == (400,)
    truth = 0.2 + X[:, 0]  # the standard deviation of the noise
    assert np.corrcoef(deviation, truth)[0, 1] > 0.95
    assert np.mean(((y - mean) / deviation) ** 2) == pytest.approx(1, abs=0.15)


def test_a_gaussian_without_inputs_has_the_moments_of_the_targets(skewed):
    X, y = np.zeros((len(skewed[1]), 1)), skewed[1]
    mean, deviation = lw.MLPRegressor(loss="gaussian_nll", **LINEAR).fit(X, y).predict(X, return_std=True)
    np.testing.assert_allclose(mean, y.mean(), rtol=1e-4)
    np.testing.assert_allclose(deviation, y.std(), rtol=1e-4)


def test_an_own_loss_is_a_formula(skewed):
    own = linear_loss(lambda s, f, y: 0.5 * (f - y) ** 2, *skewed)
    usual = linear_loss("squared_error", *skewed)
    assert own[0] == pytest.approx(usual[0], rel=1e-9)
    np.testing.assert_allclose(own[1], usual[1], rtol=1e-5)
    model = lw.MLPRegressor(loss=lw.Output.own(lambda s, f, y: s.abs(f - y), link="exp"), **SMALL).fit(*skewed)
    assert model.predict(skewed[0]).min() > 0
    assert model.out_activation_ == "exp"


def test_an_ensemble_says_where_it_is_unsure(skewed):
    X, y = skewed
    model = lw.MLPRegressor(n_ensemble=4, **SMALL).fit(X, y)
    members = np.array([member.predict(X) for member in model.members_])
    mean, deviation = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, members.mean(axis=0))
    np.testing.assert_allclose(deviation, members.std(axis=0))
    both = lw.MLPRegressor(loss="gaussian_nll", n_ensemble=2, **SMALL).fit(X, y)
    parts = [member.predict(X, return_std=True) for member in both.members_]
    mixed = np.mean([s**2 + m**2 for m, s in parts], axis=0) - np.mean([m for m, _ in parts], axis=0) ** 2
    np.testing.assert_allclose(both.predict(X, return_std=True)[1], np.sqrt(mixed))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "quantile", "quantiles": [0.9, 0.1]}, "expected rising levels"),
        ({"loss": "quantile", "quantiles": [0.0]}, "levels: expected a number above 0"),
        ({"loss": lambda s, f: f}, "loss: expected a formula of two scalars f and y"),
        ({"loss": lw.Softmax()}, "loss has to be one for numbers"),
        ({"loss": "huber", "huber_delta": -1}, "The 'huber_delta' parameter of MLPRegressor must be a float"),
        ({"loss": "squared"}, "The 'loss' parameter of MLPRegressor must be a str among"),
    ],
)
def test_a_loss_that_cannot_be(skewed, settings, words):
    with pytest.raises(ValueError, match=words):
        lw.MLPRegressor(**SMALL | settings).fit(*skewed)


def test_counts_below_zero(skewed):
    X, y = skewed
    y = y.copy()
    y[7] = -2
    with pytest.raises(ValueError, match="loss='poisson' needs targets of at least 0, got y=-2 in row 7"):
        lw.MLPRegressor(loss="poisson", **SMALL).fit(X, y)


def test_a_deviation_that_nothing_says(skewed):
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian_nll', or an ensemble"):
        lw.MLPRegressor(**SMALL).fit(*skewed).predict(skewed[0], return_std=True)
