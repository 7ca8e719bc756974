"""What is kept, and what is not, when an estimator trains on, fails, or is given something else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import neural_network as scikit
from sklearn.datasets import load_iris

import layerwise as lw

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"), pytest.mark.filterwarnings("ignore:lbfgs failed"),
]  # fmt: skip
SMALL = {"hidden_layer_sizes": 8, "max_iter": 10, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X, y


# --- targets that look like labels ------------------------------------------------------------------------------------


def test_two_columns_of_other_numbers_than_0_and_1_are_several_answers(iris):
    X, y = iris
    zeros_and_ones = np.column_stack([y == 0, y == 1]).astype(int)
    for low, high in ((-1, 1), (1, 2), (0, 2)):
        y = np.where(zeros_and_ones == 1, high, low)
        made = lw.MLPClassifier(**SMALL).fit(X, y)
        assert [classes.tolist() for classes in made.classes_] == [[low, high]] * 2
        assert set(np.unique(made.predict(X))) <= {low, high}
        assert made.history_[-1].train_loss > 0


def test_labels_are_zeros_and_ones(iris):
    X, y = iris
    y = np.column_stack([y == 0, y == 1]).astype(int)
    made = lw.MLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1])
    for wrong in ([[-1, 1]], [[0, 2]]):
        with pytest.raises(ValueError, match="among labels, which are 0 for no and 1 for yes"):
            made.partial_fit(X[:1], wrong)


def test_classes_say_what_a_first_row_does_not(iris):
    X, _ = iris
    made = lw.MLPClassifier(**SMALL).partial_fit(X[:1], [[0, 0]], classes=[[0, 1, 2], [0, 1]])
    made.partial_fit(X[:1], [[2, 1]])
    assert [part.shape[1] for part in made.predict_proba(X[:1])] == [3, 2]
    with pytest.raises(ValueError, match="y has the shape"):
        made.score(X, np.zeros(150, int))


def test_answers_of_different_types(iris):
    import pandas as pd

    X, y = iris
    frame = pd.DataFrame({"number": y, "word": np.where(y == 1, "one", "other")})
    made = lw.MLPClassifier(**SMALL | {"max_iter": 300}, learning_rate_init=0.01).fit(X, frame)
    assert made.classes_[0].tolist() == [0, 1, 2]
    assert made.classes_[1].tolist() == ["one", "other"]
    guess = made.predict(X)
    assert (guess[:, 0] == y).mean() > 0.9
    assert ((guess[:, 1] == "one") == (y == 1)).mean() > 0.9


@pytest.mark.parametrize("wrong", [[0, 1], [[0, 1]], np.zeros((150, 1), int), np.zeros((150, 3), int)])
def test_scores_of_several_answers_are_of_all_of_them(iris, wrong):
    X, y = iris
    made = lw.MLPClassifier(**SMALL).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="y has the shape"):
        made.score(X, wrong)


def test_class_weights_of_each_answer(iris):
    X, y = iris
    y = np.column_stack([y, y == 1])
    each = [{0: 1.0, 1: 2.0, 2: 1.0}, {0: 1.0, 1: 3.0}]
    made = lw.MLPClassifier(**SMALL, class_weight=each).fit(X, y)
    by_row = lw.MLPClassifier(**SMALL).fit(X, y, np.where(y[:, 1] == 1, 6.0, 1.0))
    np.testing.assert_array_equal(made.theta_.vector, by_row.theta_.vector)


# --- a fit that fails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fail",
    [
        lambda made, X, y: made.fit(X, np.array(list("abc"))[y], np.zeros(150)),
        lambda made, X, y: made.fit(X[:, :2], np.array(list("abc"))[y], validation=(X, y)),
        lambda made, X, y: made.set_params(metric="nonsense").fit(X[:, :3], y),
        lambda made, X, y: made.set_params(callbacks=[3]).fit(X, y[::-1]),
        lambda made, X, y: made.set_params(callbacks=lambda state: 1 / 0).fit(X, y[::-1]),
        lambda made, X, y: made.set_params(callbacks=lambda state: [][0]).fit(X, y[::-1]),
    ],
)
def test_a_fit_that_fails_leaves_what_was_there(iris, fail):
    X, y = iris
    made = lw.MLPClassifier(**SMALL).fit(X, y)
    before = made.predict_proba(X)
    with pytest.raises((ValueError, ZeroDivisionError, IndexError)):
        fail(made, X, y)
    np.testing.assert_array_equal(made.predict_proba(X), before)
    assert made.classes_.tolist() == [0, 1, 2]
    assert made.n_features_in_ == 4
    fresh = lw.MLPClassifier(**SMALL)
    with pytest.raises((ValueError, ZeroDivisionError, IndexError)):
        fail(fresh, X, y)
    assert not [name for name in vars(fresh) if name.endswith("_")]


def test_a_first_batch_that_fails(iris):
    X, y = iris
    made = lw.MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="NaN"):
        made.partial_fit(np.full((1, 4), np.nan), [0], classes=[0, 1])
    assert not hasattr(made, "classes_")
    made.partial_fit(X, y, classes=[0, 1, 2])


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (lw.MLPRegressor(**SMALL), {"loss": "absolute_error"}),
        (lw.MLPRegressor(**SMALL, loss="huber"), {"huber_delta": 0.1}),
        (lw.MLPRegressor(**SMALL, loss="quantile"), {"quantiles": [0.2, 0.5, 0.8]}),
        (lw.MLPClassifier(**SMALL), {"label_smoothing": 0.1}),
        (lw.Autoencoder(**SMALL | {"hidden_layer_sizes": (3,)}), {"masking": 0.5}),
        (lw.Autoencoder(**SMALL | {"hidden_layer_sizes": (3,)}), {"sparsity": 0.5}),
        (lw.MLPClassifier(**SMALL), {"n_ensemble": 2}),
        (lw.MLPClassifier(**SMALL, n_ensemble=2), {"n_ensemble": 3}),
    ],
    ids=str,
)
def test_another_network_or_loss_is_not_gone_on_with(iris, made, change):
    X, y = iris
    made.set_params(warm_start=True).fit(X, y)
    made.fit(X, y)
    with pytest.raises(ValueError, match="warm_start and partial_fit go on with the network"):
        made.set_params(**change).fit(X, y)
    made.set_params(warm_start=False).fit(X, y)


def test_a_temperature_is_of_the_parameters_that_it_was_found_for(iris):
    X, y = iris
    made = lw.MLPClassifier(**SMALL, calibrate=True, warm_start=True).fit(X, y, validation=(X, y))
    first = made.temperature_
    made.fit(X, y, validation=(X, y))
    assert made.temperature_ != first
    made.set_params(calibrate=False).fit(X, y)
    assert not hasattr(made, "temperature_")
    made.set_params(calibrate=True).fit(X, y, validation=(X, y))
    made.set_params(calibrate=False).partial_fit(X, y)
    assert not hasattr(made, "temperature_")


def test_scores_of_another_metric_do_not_compare(iris):
    X, y = iris
    made = lw.MLPClassifier(**SMALL | {"max_iter": 5}, early_stopping=True, warm_start=True).fit(
        X, y, validation=(X, y)
    )
    before = made.theta_.vector.copy()
    made.set_params(metric="loss").fit(X, y, validation=(X, y))
    assert (made.theta_.vector != before).any()
    assert made.best_validation_score_ == max(made.validation_scores_[-made.n_iter_ :])


def test_lbfgs_goes_on_after_an_overflow_in_a_line_search(diabetes):
    X, y = diabetes
    weights = np.random.default_rng(0).uniform(0.5, 2, 442)
    settings = {"loss": "poisson", "hidden_layer_sizes": 5, "solver": "lbfgs", "max_iter": 60, "random_state": 0}
    ours = lw.MLPRegressor(**settings).fit(X, np.exp(y), weights)
    with np.errstate(all="ignore"):
        theirs = scikit.MLPRegressor(**settings).fit(X, np.exp(y), weights)
    assert ours.loss_ < 1.1 * theirs.loss_


# --- judging ----------------------------------------------------------------------------------------------------------


def test_weights_of_classes_count_in_training_alone(iris):
    X, y = iris
    part = np.arange(150) % 2 == 0
    settings = SMALL | {"early_stopping": True, "class_weight": {0: 1.0, 1: 100.0, 2: 1.0}, "max_iter": 3}
    seen = []

    def metric(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    lw.MLPClassifier(**settings, metric=metric).fit(X, y)
    lw.MLPClassifier(**settings, metric=metric).fit(X, y, validation=(X[part], y[part]))
    assert seen == [None] * 6
    lw.MLPClassifier(**settings, metric=metric).fit(X, y, np.linspace(1, 2, 150), validation=(X, y, np.ones(150)))
    np.testing.assert_array_equal(seen[-1], np.ones(150))


def test_held_out_losses_are_weighted_means(iris):
    X, y = iris
    weights = np.linspace(0.1, 5, 150)
    made = lw.MLPClassifier(**SMALL).fit(X, y, validation=(X, y, weights))
    losses = -np.log(made.predict_proba(X)[np.arange(150), y])
    assert made.validation_loss_curve_[-1] == pytest.approx(np.average(losses, weights=weights))


@pytest.mark.parametrize("metric", ["max_error", "r2", lambda estimator, X, y: estimator.score(X, y)])
def test_metrics_that_take_no_weights(diabetes, metric):
    X, y = diabetes
    name = f"neg_{metric}" if metric == "max_error" else metric
    lw.MLPRegressor(**SMALL, early_stopping=True, metric=name).fit(X, y, np.linspace(1, 2, 442))


def test_own_rows_that_lack_a_class(iris):
    X, y = iris
    with pytest.warns(UserWarning, match="None of the rows that are validated on is of class 2"):
        lw.MLPClassifier(**SMALL).fit(X, y, validation=(X[:100], y[:100]))


class Recorder:
    """A callback that keeps what it saw."""

    def __init__(self):
        self.calls = 0

    def __call__(self, state):
        self.calls += 1


def test_callbacks_of_an_ensemble_are_those_that_were_given(iris):
    recorder = Recorder()
    lw.MLPClassifier(**SMALL, n_ensemble=2, callbacks=recorder).fit(*iris)
    assert recorder.calls == 20


@pytest.mark.parametrize(
    ("settings", "given", "words"),
    [
        ({}, {"groups": np.arange(150)}, "groups say which rows early_stopping=True holds out"),
        ({"early_stopping": True, "validation_split": "last"}, {"groups": np.arange(150)}, "place of other ways"),
        ({"solver": "lbfgs", "callbacks": print}, {}, "callbacks need solver='sgd' or 'adam'"),
        ({"metric": "nonsense"}, {}, "nonsense"),
        ({}, {"validation": 0.2}, "got float. For a part of the training rows give early_stopping=True"),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(iris, settings, given, words):
    with pytest.raises(ValueError, match=words):
        lw.MLPClassifier(**SMALL | settings).fit(*iris, **given)


def test_features_that_are_not_finite(iris):
    X, y = iris
    made = lw.MLPClassifier(**SMALL).fit(X.astype(np.float32), y)
    with pytest.raises(ValueError, match="not finite"):
        made.transform(np.full((1, 4), 1e300))
    assert made.__sklearn_tags__().transformer_tags.preserves_dtype == ["float64", "float32"]
    assert made.transform(X).dtype == np.float32


def test_an_autoencoder_is_judged_on_rows_alone(iris):
    X, _ = iris
    made = lw.Autoencoder((2,), max_iter=5, random_state=0)
    with pytest.raises(ValueError, match="validation of an Autoencoder is rows X alone, got a tuple"):
        made.fit(X, validation=(X, X))
    with pytest.raises(ValueError, match="The 'metric' parameter of Autoencoder must be None, a str among"):
        made.set_params(metric="r2").fit(X)
