"""The same random state gives what scikit-learn gives: parameters, curves, epochs and predictions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import neural_network as scikit
from sklearn.exceptions import ConvergenceWarning

import layerwise as lw

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:None of the rows:UserWarning"),  # which scikit-learn does not say
]
PAIRS = {"classifier": (scikit.MLPClassifier, lw.MLPClassifier), "regressor": (scikit.MLPRegressor, lw.MLPRegressor)}
CURVES = ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "loss_")
COUNTS = ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_")
#: Every solver and rule for the rate, with what goes beside it.
SOLVERS = {
    "adam": {}, "adam, other averages": {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, "lbfgs": {"solver": "lbfgs"},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "plain momentum": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5},
    "no momentum": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1},
    "momentum that never fades": {"solver": "sgd", "momentum": 1, "learning_rate_init": 1e-4},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.3},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.05, "n_iter_no_change": 2,
        "max_iter": 30,
    },
}  # fmt: skip
OTHERS = {
    "as it is": {}, "two layers of logistic units": {"hidden_layer_sizes": (9, 7), "activation": "logistic"},
    "tanh, strong penalty": {"activation": "tanh", "alpha": 10.0}, "no hidden layer": {"hidden_layer_sizes": ()},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "tol": 0.01, "max_iter": 25},
    "rows in order, last batch small": {"shuffle": False, "batch_size": 37, "activation": "identity"},
}  # fmt: skip


def both(kind, settings, X, y, weights=None):
    """Fit scikit-learn's estimator and ours."""
    common = {"hidden_layer_sizes": 12, "max_iter": 10, "random_state": 3} | settings
    return [made(**common).fit(X, y, weights) for made in PAIRS[kind]]


def assert_same(theirs, ours, X, atol=1e-8):
    for name in COUNTS:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in CURVES:
        assert hasattr(ours, name) == hasattr(theirs, name), name
        expected, found = getattr(theirs, name, None), getattr(ours, name, None)
        assert (expected is None) == (found is None), name
        if expected is not None:
            np.testing.assert_allclose(found, expected, atol=atol, rtol=atol, err_msg=name)
    for expected, found in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=atol, rtol=atol)
    methods = ("predict", "predict_proba", "predict_log_proba") if hasattr(theirs, "classes_") else ("predict",)
    for method in methods:
        expected, found = getattr(theirs, method)(X), getattr(ours, method)(X)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=10 * atol, rtol=10 * atol)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_classes(digits, solver, other):
    X, y = digits
    assert_same(*both("classifier", SOLVERS[solver] | OTHERS[other], X, y), X, 1e-6 if solver == "lbfgs" else 1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("targets", ["two classes", "words", "labels", "one number", "numbers"])
def test_kinds_of_targets(digits, labels, diabetes, targets, solver, weighted):
    X, y = {
        "two classes": lambda: (digits[0], digits[1] % 2), "labels": lambda: labels,
        "words": lambda: (digits[0], np.array(["small", "middle", "large"])[digits[1] // 4]),
        "one number": lambda: diabetes,
        "numbers": lambda: (diabetes[0], np.column_stack([diabetes[1], diabetes[1] ** 2]) / 5),
    }[targets]()  # fmt: skip
    weights = np.random.default_rng(0).uniform(0, 2, len(X)) if weighted else None
    kind = "regressor" if "number" in targets else "classifier"
    settings = dict(SOLVERS[solver])
    if kind == "regressor" and solver == "invscaling":
        settings["learning_rate_init"] = 0.02  # 0.5 is too much for numbers
    if targets == "words":
        theirs, ours = both(kind, settings, X, y, weights)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    else:
        assert_same(*both(kind, settings, X, y, weights), X, 1e-5 if solver == "lbfgs" else 1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", PAIRS)
def test_early_stopping(digits, diabetes, kind, weighted):
    X, y = digits if kind == "classifier" else diabetes
    weights = np.random.default_rng(0).uniform(0, 2, len(X)) if weighted else None
    settings = {"early_stopping": True, "max_iter": 60, "learning_rate_init": 0.02, "n_iter_no_change": 4}
    theirs, ours = both(kind, settings, X, y, weights)
    assert ours.n_iter_ < 60
    assert_same(theirs, ours, X)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_float32(digits, solver):
    X, y = digits[0].astype(np.float32), digits[1]
    theirs, ours = both("classifier", SOLVERS[solver], X, y)
    assert ours.coefs_[0].dtype == ours.predict_proba(X).dtype == np.float32
    for expected, found in zip(theirs.coefs_, ours.coefs_, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-4)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("layout", ["csr_array", "csc_matrix"])
def test_sparse_rows(digits, solver, layout):
    from scipy import sparse

    X, y = getattr(sparse, layout)(np.where(digits[0] > 0.5, digits[0], 0)), digits[1]
    for settings in (SOLVERS[solver], SOLVERS[solver] | OTHERS["early stopping"]):
        assert_same(*both("classifier", settings, X, y), X, 1e-6 if solver == "lbfgs" else 1e-8)


@pytest.mark.parametrize("scale", [1, 100])
def test_sure_predictions(labels, scale):
    """Losses are clipped where a probability is 0 or 1 to the last digit."""
    X, y = labels
    theirs, ours = both("classifier", {}, X * scale, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    X, y = X * scale, y @ [1, 2, 4]
    theirs, ours = both("classifier", {}, X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd", "invscaling", "adaptive", "lbfgs"])
def test_warm_start(digits, solver):
    X, y = digits
    settings = {"hidden_layer_sizes": 12, "random_state": 3, "warm_start": True} | SOLVERS[solver] | {"max_iter": 4}
    theirs, ours = (made(**settings) for made in PAIRS["classifier"])
    for _ in range(3):
        theirs.fit(X, y)
        ours.fit(X, y)
        assert_same(theirs, ours, X, 1e-6 if solver == "lbfgs" else 1e-8)


@pytest.mark.parametrize("solver", ["adam", "sgd", "invscaling", "adaptive"])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_partial_fit(digits, diabetes, solver, rows):
    settings = {"hidden_layer_sizes": 12, "random_state": 3} | SOLVERS[solver]
    if solver != "adam":
        settings["learning_rate_init"] = 0.02
    for kind, (X, y) in {"classifier": digits, "regressor": diabetes}.items():
        theirs, ours = (made(**settings) for made in PAIRS[kind])
        first = {"classes": np.unique(y)} if kind == "classifier" else {}
        for start in range(0, 12 * rows, rows):
            part = np.arange(start, start + rows) % len(X)
            for estimator in (theirs, ours):
                estimator.partial_fit(X[part], y[part], **first)
            first = {}
            np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-8)
        assert_same(theirs, ours, X)


def test_partial_fit_after_fit(digits):
    X, y = digits
    theirs, ours = both("classifier", SOLVERS["invscaling"], X, y)
    for estimator in (theirs, ours):
        estimator.partial_fit(X[:50], y[:50])
    assert_same(theirs, ours, X)


@pytest.mark.parametrize("kind", PAIRS)
def test_a_generator_that_is_shared(digits, diabetes, kind):
    """A RandomState is drawn from as there, so that what follows draws the same."""
    X, y = digits if kind == "classifier" else diabetes
    after = []
    for made in PAIRS[kind]:
        generator = np.random.RandomState(5)
        made(hidden_layer_sizes=8, max_iter=3, random_state=generator, early_stopping=True).fit(X, y)
        after.append(generator.randint(1 << 30))
    assert after[0] == after[1]


@pytest.mark.parametrize("kind", PAIRS)
def test_the_same_signature(kind):
    """Every parameter is there, with the same default, and what is positional stays so."""
    import inspect

    theirs, ours = (inspect.signature(made).parameters for made in PAIRS[kind])
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name
    assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ours.keys() - theirs.keys())
    assert [name for name in ours if name in theirs] == list(theirs)


def test_the_same_words_while_training(digits, capsys):
    X, y = digits
    for settings in (
        {"verbose": True, "early_stopping": True, "n_iter_no_change": 1, "tol": 0.5},
        {"verbose": True, "n_iter_no_change": 1, "tol": 0.5},
        {"verbose": True} | SOLVERS["adaptive"] | {"learning_rate_init": 1e-5, "tol": 0.5},
    ):
        printed = []
        for made in PAIRS["classifier"]:
            made(8, random_state=0, **{"max_iter": 8} | settings).fit(X, y)
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]


def test_the_warning_that_epochs_ran_out(digits):
    for made in PAIRS["classifier"]:
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached and the optimization hasn't"):
            made(8, max_iter=2).fit(*digits)
