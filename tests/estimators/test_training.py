"""How estimators train beyond scikit-learn: own validation rows, metrics, splits, schedules, callbacks, ensembles."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, make_scorer

import layerwise as lw

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.filterwarnings("ignore:None of the rows:UserWarning"),
]
SMALL = {"hidden_layer_sizes": 20, "learning_rate_init": 0.02, "max_iter": 30, "random_state": 0}


@pytest.fixture
def parts(digits):
    X, y = digits
    return (X[:350], y[:350]), (X[350:], y[350:])


def test_own_rows_to_validate_on(parts):
    train, held_out = parts
    plain = lw.MLPClassifier(**SMALL).fit(*train)
    watched = lw.MLPClassifier(**SMALL).fit(*train, validation=held_out)
    np.testing.assert_array_equal(plain.theta_.vector, watched.theta_.vector)  # to watch changes nothing
    assert watched.validation_scores_[-1] == watched.score(*held_out)
    f = watched.predict_proba(held_out[0])
    loss = -np.log(f[np.arange(150), held_out[1]]).mean()
    assert watched.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-9)
    np.testing.assert_array_equal(watched.history_["validation_loss"], watched.validation_loss_curve_)
    assert len(watched.validation_loss_curve_) == len(watched.loss_curve_) == 30


def test_early_stopping_by_own_rows_keeps_the_best_epoch(parts):
    train, held_out = parts
    model = lw.MLPClassifier(**SMALL | {"max_iter": 200}, early_stopping=True, n_iter_no_change=5)
    model.fit(*train, validation=held_out)
    assert model.stopped_ == "patience"
    assert model.n_iter_ < 200
    assert model.score(*held_out) == max(model.validation_scores_) == model.best_validation_score_
    weights = np.linspace(0, 1, 150)
    model.fit(*train, validation=(*held_out, weights))
    assert model.score(*held_out, weights) == pytest.approx(model.best_validation_score_)


@pytest.mark.parametrize("metric", ["balanced_accuracy", make_scorer(balanced_accuracy_score), "roc_auc_ovr", "loss"])
def test_the_metric_that_is_watched(parts, metric):
    train, held_out = parts
    model = lw.MLPClassifier(**SMALL, early_stopping=True, metric=metric).fit(*train, validation=held_out)
    best = int(np.argmax(model.validation_scores_))
    if metric == "loss":
        np.testing.assert_array_equal(model.validation_scores_, -np.array(model.validation_loss_curve_))
    elif metric != "roc_auc_ovr":
        truth = balanced_accuracy_score(held_out[1], model.predict(held_out[0]))
        assert model.validation_scores_[best] == pytest.approx(truth)
    assert model.best_validation_score_ == model.validation_scores_[best]


def test_a_metric_sees_a_fitted_estimator_and_the_users_labels(parts):
    (X, y), held_out = parts
    words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    seen = []

    def metric(estimator, X, y):
        seen.append((estimator.predict(X).dtype.kind, set(y) <= set(words), X.shape))
        return 0.5

    model = lw.MLPClassifier(**SMALL | {"max_iter": 2}, early_stopping=True, metric=metric)
    model.fit(X, words[y], validation=(held_out[0], words[held_out[1]]))
    assert seen == [("U", True, (150, 64))] * 2


@pytest.mark.parametrize("how", ["scikit-learn", "stratified", "last"])
def test_how_rows_are_held_out(digits, how):
    X, y = digits
    kept = []

    def metric(estimator, X, y):
        kept.append((X.copy(), y.copy()))
        return 0.0

    settings = {"early_stopping": True, "validation_fraction": 0.2, "validation_split": how, "metric": metric}
    lw.MLPClassifier(**SMALL | {"max_iter": 1}, **settings).fit(X, y)
    (Xv, yv), *_ = kept
    assert len(yv) == 100
    if how == "last":
        np.testing.assert_array_equal(Xv, X[400:])
    if how == "stratified":
        np.testing.assert_allclose(np.bincount(yv), np.bincount(y) / 5, atol=1)


def test_groups_stay_together(digits):
    X, y = digits
    group = np.arange(500) // 7
    marked = np.column_stack([X, group])
    seen = []
    settings = {"early_stopping": True, "metric": lambda estimator, X, y: seen.append(set(X[:, -1])) or 0.0}
    lw.MLPClassifier(**SMALL | {"max_iter": 1}, **settings).fit(marked, y, groups=group)
    assert sum((group == g).sum() for g in seen[0]) == pytest.approx(50, abs=8)  # whole groups, a tenth of the rows
    with pytest.raises(ValueError, match="needs the group of each row"):
        lw.MLPClassifier(early_stopping=True, validation_split="groups").fit(X, y)


def test_stratified_numbers_have_the_same_spread(diabetes):
    X, y = diabetes
    seen = []
    settings = {"early_stopping": True, "metric": lambda estimator, X, y: seen.append(y) or 0.0, "max_iter": 1}
    for seed in range(8):
        lw.MLPRegressor(hidden_layer_sizes=2, random_state=seed, validation_split="stratified", **settings).fit(X, y)
    assert np.std([part.mean() for part in seen]) < 0.06  # of 45 rows by chance 0.15


def test_partial_fit_with_early_stopping_goes_back_to_the_best(parts):
    train, held_out = parts
    model = lw.MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=3)
    stops = 0
    for _ in range(60):
        model.partial_fit(*train, classes=range(10), validation=held_out)
        if model.stopped_ == "patience":
            stops += 1
            assert model.score(*held_out) == model.best_validation_score_
    assert stops > 1
    assert len(model.validation_scores_) == 60
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        model.partial_fit(*train)


def test_warm_start_with_early_stopping_forgets_no_best(parts):
    train, held_out = parts
    model = lw.MLPClassifier(**SMALL | {"max_iter": 5}, early_stopping=True, warm_start=True)
    scores = []
    for _ in range(6):
        model.fit(*train, validation=held_out)
        scores.append(model.score(*held_out))
        assert scores[-1] == model.best_validation_score_
    assert scores == sorted(scores)


def test_schedules_change_the_rate(digits):
    model = lw.MLPClassifier(**SMALL | {"max_iter": 4}, schedule=lw.StepDecay(0.5, every=1)).fit(*digits)
    np.testing.assert_allclose(model.history_["rate"], 0.02 * 0.5 ** np.arange(4))
    again = lw.MLPClassifier(**SMALL | {"max_iter": 4}, schedule="cosine", warm_start=True).fit(*digits).fit(*digits)
    np.testing.assert_allclose(again.history_["rate"][:4], again.history_["rate"][4:])
    for other in ({"solver": "sgd", "learning_rate": "adaptive"}, {"solver": "lbfgs"}):
        with pytest.raises(ValueError, match="schedule takes the place of learning_rate"):
            lw.MLPClassifier(schedule="cosine", **other).fit(*digits)


def test_the_gradient_is_clipped(digits):
    X, y = digits
    settings = {"hidden_layer_sizes": 10, "solver": "sgd", "momentum": 0, "batch_size": 500, "max_iter": 1, "alpha": 0}
    free = lw.MLPClassifier(**settings, random_state=0).fit(X, y)
    norm = free.history_[0].gradient_norm
    start = lw.MLPClassifier(**settings | {"learning_rate_init": 1e-12}, random_state=0).fit(X, y).theta_.vector
    clipped = lw.MLPClassifier(**settings, random_state=0, clip_norm=norm / 4).fit(X, y)
    np.testing.assert_allclose(clipped.theta_.vector - start, (free.theta_.vector - start) / 4, atol=1e-10)
    assert clipped.history_[0].gradient_norm == pytest.approx(norm)


def test_callbacks_see_every_epoch_and_may_stop(digits):
    epochs = []

    def callback(state):
        epochs.append((state.epoch, state.history[-1].objective))
        if state.epoch == 3:
            state.stop()

    model = lw.MLPClassifier(**SMALL, callbacks=[callback]).fit(*digits)
    assert [epoch for epoch, _ in epochs] == [1, 2, 3]
    assert (model.n_iter_, model.stopped_) == (3, "callback")
    np.testing.assert_allclose([objective for _, objective in epochs], model.loss_curve_, rtol=1e-9)


def test_the_history_is_exact_where_the_loss_curve_is_as_scikit_learn_reports_it(digits):
    X, y = digits
    Y = np.column_stack([y, y**2]) / 10
    model = lw.MLPRegressor(hidden_layer_sizes=5, alpha=2.0, max_iter=3, batch_size=500, random_state=0).fit(X, Y)
    losses, penalties = model.history_["train_loss"], model.history_["penalty"]
    np.testing.assert_allclose(model.loss_curve_, losses / 2 + penalties, rtol=1e-12)
    np.testing.assert_allclose(model.history_["objective"], losses + penalties, rtol=1e-12)
    sure = lw.MLPClassifier(hidden_layer_sizes=(), max_iter=1, batch_size=500, random_state=0).fit(1e4 * X, y)
    assert sure.history_[0].train_loss > 100 > sure.loss_ - sure.history_[0].penalty  # clipped at 36


def test_activations_and_dropouts_of_each_layer(digits):
    own = lambda s, a: s.max(a, 0) + 0.1 * s.tanh(a)  # noqa: E731
    model = lw.MLPClassifier((12, 8), ["gelu", own], dropout=[0.1, 0.0], batch_norm=True, max_iter=5).fit(*digits)
    first, second = model.network_.layers
    assert (first.activation.name, first.dropout, second.dropout) == ("gelu", 0.1, 0.0)
    assert model.transform(digits[0], layer=1).shape == (500, 12)
    for wrong in ({"activation": ["relu"]}, {"dropout": [0.1, 0.2, 0.3]}):
        with pytest.raises(ValueError, match="entries for 2 hidden layers; give one each, or one for all"):
            lw.MLPClassifier((12, 8), **wrong).fit(*digits)


def test_l1_makes_weights_zero(digits):
    X, y = digits
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05, "max_iter": 60, "alpha": 0}
    small = [
        (np.abs(lw.MLPClassifier(12, **settings, l1=l1, random_state=0).fit(X, y).coefs_[0]) < 2e-3).mean()
        for l1 in (0.0, 1.0)
    ]
    assert small[1] > 0.1 > 5 * small[0]


def test_members_are_what_they_would_be_alone(digits):
    X, y = digits
    model = lw.MLPClassifier(**SMALL, n_ensemble=3).fit(X, y)
    assert len({member.random_state for member in model.members_}) == 3
    for member in model.members_:
        alone = lw.MLPClassifier(**SMALL | {"random_state": member.random_state}).fit(X, y)
        np.testing.assert_array_equal(alone.theta_.vector, member.theta_.vector)
    mean = np.mean([member.predict_proba(X) for member in model.members_], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean)
    assert not hasattr(model, "coefs_")
    again = lw.MLPClassifier(**SMALL, n_ensemble=3).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_an_ensemble_goes_on(digits):
    X, y = digits
    model = lw.MLPClassifier(**SMALL | {"max_iter": 2}, n_ensemble=2, warm_start=True).fit(X, y)
    first = [member.theta_.vector.copy() for member in model.members_]
    model.fit(X, y).partial_fit(X[:50], y[:50])
    for before, member in zip(first, model.members_, strict=True):
        assert member.t_ == 2 * 2 * 500 + 50
        assert (before != member.theta_.vector).any()


def test_parameters_are_views(digits):
    X, y = digits
    model = lw.MLPClassifier(**SMALL).fit(X, y)
    model.coefs_[0][...] = 0
    assert (model.theta_.W[1] == 0).all()
    model.intercepts_ = [np.ones(20), np.arange(10)]
    a = np.ones(20) @ model.coefs_[1] + np.arange(10)  # every hidden unit is 1 now
    np.testing.assert_array_equal(model.predict(X), np.full(500, a.argmax()))
    np.testing.assert_array_equal(model.theta_.b[2], np.arange(10))
    t = model.network_.trace(model.theta_, X[:1], y[:1])
    np.testing.assert_array_equal(t.a[1], np.ones((1, 20)))
    for wrong in ([np.ones(20)], [np.ones(20), np.ones(9)]):
        before = model.theta_.vector.copy()
        with pytest.raises(ValueError, match="Expected"):
            model.intercepts_ = wrong
        np.testing.assert_array_equal(model.theta_.vector, before)
