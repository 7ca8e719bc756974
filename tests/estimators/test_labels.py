"""What classifiers learn beside plain classes: several answers at once, smoothed labels, weights of classes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.utils.class_weight import compute_class_weight

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
SMALL = {"hidden_layer_sizes": 20, "learning_rate_init": 0.01, "max_iter": 40, "random_state": 0}


@pytest.fixture(scope="module")
def answers(digits):
    """The digit, its size in words, and whether it is even: three answers a row."""
    X, y = digits
    return X, np.column_stack(
        [y.astype(str), np.array(["small", "large"])[(y > 4) * 1], np.where(y % 2, "odd", "even")]
    )


def test_several_answers_at_once(answers):
    X, y = answers
    model = lw.MLPClassifier(**SMALL).fit(X, y)
    assert [len(classes) for classes in model.classes_] == [10, 2, 2]
    parts = model.predict_proba(X)
    assert [part.shape for part in parts] == [(500, 10), (500, 2), (500, 2)]
    for part, classes, column in zip(parts, model.classes_, model.predict(X).T, strict=True):
        np.testing.assert_allclose(part.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_array_equal(classes[part.argmax(axis=1)], column)
    np.testing.assert_allclose(model.predict_log_proba(X)[2], np.log(parts[2]))
    right = (model.predict(X) == y).all(axis=1)
    assert model.score(X, y) == right.mean() > 0.9
    assert model.score(X, y, np.arange(500)) == pytest.approx(np.average(right, weights=np.arange(500)))


def test_several_answers_are_learnt_as_each_alone(digits):
    """Without hidden layers and penalty the answers share nothing, so that their losses add up."""
    X, y = digits
    y = np.column_stack([y % 3, y // 4])
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0.1, "max_iter": 3000, "tol": 1e-8}
    together = lw.MLPClassifier(**settings, random_state=0).fit(X, y)
    alone = [lw.MLPClassifier(**settings, random_state=0).fit(X, column) for column in y.T]
    assert together.loss_ == pytest.approx(sum(model.loss_ for model in alone), rel=1e-6)
    for part, model in zip(together.predict_proba(X), alone, strict=True):
        np.testing.assert_allclose(part, model.predict_proba(X), atol=1e-3)


def test_several_answers_row_by_row(answers):
    X, y = answers
    model = lw.MLPClassifier(**SMALL)
    classes = [np.unique(column) for column in y.T]
    for start in range(0, 500, 100):
        model.partial_fit(X[start : start + 100], y[start : start + 100], classes=classes)
    assert model.predict(X).shape == y.shape
    with pytest.raises(ValueError, match=r"has classes not in `self\.classes_`"):
        model.partial_fit(X[:1], [["10", "small", "even"]])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X[:1], y[:1], classes=classes[:2])


def test_an_answer_that_is_always_the_same(answers):
    X, y = answers
    with pytest.raises(ValueError, match=r"Column 1 of y has the class \['small'\] alone"):
        lw.MLPClassifier(**SMALL).fit(X, np.column_stack([y[:, 0], np.full(500, "small")]))


@pytest.mark.parametrize("settings", [{"label_smoothing": 0.1}, {"calibrate": True, "early_stopping": True}])
def test_what_several_answers_do_not_have(answers, settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}.* is for a single answer or for labels"):
        lw.MLPClassifier(**SMALL | settings).fit(*answers)


def test_smoothed_labels_stop_short_of_certainty(digits):
    """Without inputs and penalty a class can be no likelier than its share, smoothed."""
    X, y = np.zeros((500, 1)), digits[1]
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0, "max_iter": 1000, "tol": 1e-9}
    share = np.bincount(y) / 500
    for smoothing in (0.0, 0.2):
        model = lw.MLPClassifier(**settings, label_smoothing=smoothing, random_state=0).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X[:1])[0], (1 - smoothing) * share + smoothing / 10, rtol=1e-4)
    model = lw.MLPClassifier(**settings, label_smoothing=0.2, random_state=0).fit(X, y == 0)
    assert model.predict_proba(X[:1])[0, 1] == pytest.approx(0.8 * share[0] + 0.1, rel=1e-4)


def test_class_weights_are_weights_of_rows(digits):
    X, y = digits
    y = np.where(y == 3, "three", "other")
    weights = {"three": 5.0, "other": 0.5}
    by_class = lw.MLPClassifier(**SMALL, class_weight=weights).fit(X, y)
    by_row = lw.MLPClassifier(**SMALL).fit(X, y, [weights[label] for label in y])
    np.testing.assert_array_equal(by_class.theta_.vector, by_row.theta_.vector)
    balanced = lw.MLPClassifier(**SMALL, class_weight="balanced").fit(X, y)
    found = dict(zip(np.unique(y), compute_class_weight("balanced", classes=np.unique(y), y=y), strict=True))
    by_row = lw.MLPClassifier(**SMALL).fit(X, y, [found[label] for label in y])
    np.testing.assert_array_equal(balanced.theta_.vector, by_row.theta_.vector)
    rows = np.random.default_rng(0).uniform(size=500)
    both = lw.MLPClassifier(**SMALL, class_weight=weights).fit(X, y, rows)
    product = lw.MLPClassifier(**SMALL).fit(X, y, rows * [weights[label] for label in y])
    np.testing.assert_array_equal(both.theta_.vector, product.theta_.vector)


def test_balanced_weights_need_all_rows(digits):
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        lw.MLPClassifier(class_weight="balanced").partial_fit(*digits, classes=range(10))


@pytest.mark.parametrize("kind", ["classes", "two classes", "labels"])
def test_a_temperature_keeps_decisions_and_mends_probabilities(digits, labels, kind):
    X, y = {"classes": digits, "two classes": (digits[0], digits[1] % 2), "labels": labels}[kind]
    settings = {"hidden_layer_sizes": 40, "alpha": 0, "learning_rate_init": 0.02, "max_iter": 150, "random_state": 0}
    held_out = {"validation": (X[300:400], y[300:400])}
    plain = lw.MLPClassifier(**settings).fit(X[:300], y[:300], **held_out)
    mended = lw.MLPClassifier(**settings, calibrate=True).fit(X[:300], y[:300], **held_out)
    np.testing.assert_array_equal(plain.predict(X), mended.predict(X))
    assert mended.temperature_ > 1  # trained until it is too sure of itself

    def loss(model):
        f = np.clip(model.predict_proba(X[400:]), 1e-15, 1 - 1e-15)
        if kind == "labels":
            return -np.where(y[400:] == 1, np.log(f), np.log(1 - f)).mean()
        return -np.log(f[np.arange(100), y[400:]]).mean()

    assert loss(mended) < loss(plain)
    if kind == "classes":
        a = np.log(plain.predict_proba(X))
        np.testing.assert_allclose(
            mended.predict_proba(X), softmax(a / mended.temperature_, axis=1), rtol=1e-6, atol=1e-9
        )


def test_a_temperature_needs_rows(digits):
    with pytest.raises(ValueError, match="calibrate=True needs rows to validate on"):
        lw.MLPClassifier(**SMALL, calibrate=True).fit(*digits)
