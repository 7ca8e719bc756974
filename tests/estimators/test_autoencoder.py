"""Autoencoder: what goes in comes back, through a code."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

import layerwise as lw

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"), pytest.mark.filterwarnings("ignore:lbfgs failed"),
]  # fmt: skip
SMALL = {"activation": "tanh", "learning_rate_init": 0.01, "max_iter": 30, "random_state": 0}
KINDS = [
    {}, {"tied": True}, {"masking": 0.3}, {"noise": 0.2}, {"sparsity": 0.1}, {"loss": "log_loss"},
    {"hidden_layer_sizes": (20, 6)}, {"batch_norm": True, "dropout": 0.1}, {"solver": "lbfgs"},
    {"tied": True, "masking": 0.1, "noise": 0.1, "sparsity": 0.01, "early_stopping": True},
]  # fmt: skip


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_decoding_a_code_is_reconstructing(digits, settings):
    X = digits[0]
    model = lw.Autoencoder(**SMALL | {"hidden_layer_sizes": (10,)} | settings).fit(X)
    code = model.transform(X)
    assert code.shape == (500, 6 if len(model.hidden_layer_sizes) == 2 else 10)
    assert list(model.get_feature_names_out()) == [f"autoencoder{unit}" for unit in range(code.shape[1])]
    np.testing.assert_allclose(model.inverse_transform(code), model.reconstruct(X), atol=1e-12)
    left = ((X - model.reconstruct(X)) ** 2).sum()
    assert model.score(X) == pytest.approx(1 - left / ((X - X.mean(axis=0)) ** 2).sum())
    assert model.score(X) > 0.1
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), code)


def test_a_linear_code_spans_the_principal_components(digits):
    """The best linear autoencoder explains what PCA does (Bourlard and Kamp 1988)."""
    X = digits[0] - digits[0].mean(axis=0)
    model = lw.Autoencoder((5,), "identity", solver="lbfgs", alpha=0, max_iter=3000, tol=1e-8, random_state=0).fit(X)
    explained = PCA(5).fit(X).explained_variance_ratio_.sum()
    assert model.score(X) == pytest.approx(explained, abs=1e-4)


def test_tied_weights_are_one(digits):
    model = lw.Autoencoder((12,), tied=True, **SMALL).fit(digits[0])
    encoder, decoder = model.coefs_
    np.testing.assert_array_equal(encoder, decoder.T)
    assert model.network_.n_parameters == 64 * 12 + 12 + 64


def test_denoising_takes_noise_away(digits):
    X = digits[0]
    broken = X * np.random.default_rng(1).binomial(1, 0.7, X.shape)
    settings = SMALL | {"max_iter": 150, "n_iter_no_change": 150}
    plain, denoising = (
        lw.Autoencoder((32,), masking=masking, **settings).fit(X[:400]).reconstruct(broken[400:])
        for masking in (0.0, 0.3)
    )
    left = [((f - X[400:]) ** 2).sum() for f in (plain, denoising)]
    assert left[1] < 0.75 * left[0]


def test_sparsity_silences_the_code(digits):
    X = digits[0]
    codes = [
        np.abs(lw.Autoencoder((20,), sparsity=s, **SMALL | {"activation": "relu"}).fit(X).transform(X)).mean()
        for s in (0.0, 1.0)
    ]
    assert codes[1] < 0.5 * codes[0]


def test_it_stands_in_pipelines(digits):
    X, y = digits
    model = make_pipeline(lw.Autoencoder((16,), **SMALL), lw.MLPClassifier(20, max_iter=150, random_state=0))
    assert model.fit(X, y).score(X, y) > 0.8
    frame = model[0].set_output(transform="polars").transform(X)
    assert frame.columns[0] == "autoencoder0"


def test_own_rows_to_validate_on(digits):
    X = digits[0]
    model = lw.Autoencoder((8,), early_stopping=True, **SMALL).fit(X[:400], validation=X[400:])
    assert model.score(X[400:]) == pytest.approx(model.best_validation_score_)


def test_it_learns_in_parts(digits):
    X = digits[0]
    model = lw.Autoencoder((8,), **SMALL)
    for _ in range(5):
        model.partial_fit(X)
    assert len(model.loss_curve_) == 5
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden_layer_sizes": ()}, "needs at least one layer, the code"),
        ({"masking": 1.0}, "The 'masking' parameter of Autoencoder must be"),
        ({"loss": "log_loss"}, "loss='log_loss' needs values from 0 to 1, got 0 to 16"),
        ({"solver": "lbfgs", "noise": 0.1}, "noise need solver='sgd' or 'adam'"),
        ({"activation": ["relu", "relu"], "hidden_layer_sizes": (4,)}, "2 entries for 1 hidden layers"),
    ],
)
def test_what_cannot_be(digits, settings, words):
    with pytest.raises(ValueError, match=words):
        lw.Autoencoder(**SMALL | settings).fit(16 * digits[0])


def test_a_code_of_another_width(digits):
    model = lw.Autoencoder((8,), **SMALL).fit(digits[0])
    with pytest.raises(ValueError, match="X has 7 columns, but a code has 8"):
        model.inverse_transform(np.zeros((2, 7)))
