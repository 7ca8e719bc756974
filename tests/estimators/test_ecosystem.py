"""What scikit-learn's users do with an estimator: search, combine, inspect it, and route what goes with rows."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn import neural_network as scikit
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import DecisionBoundaryDisplay, partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)  # fmt: skip
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

import layerwise as lw

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="session")
def cancer():
    """30 columns as they are, and two classes."""
    return load_breast_cancer(return_X_y=True)


def classifier(made=lw.MLPClassifier, **settings):
    """A classifier that learns iris in a moment."""
    return made(**{"hidden_layer_sizes": 8, "learning_rate_init": 0.05, "max_iter": 15, "random_state": 0} | settings)


def regressor(made=lw.MLPRegressor, **settings):
    return classifier(made, **settings)


def beside_scikit_learn(act):
    """Do it with scikit-learn's estimator and with ours; return both results."""
    return act(classifier(scikit.MLPClassifier)), act(classifier())


# --- pipelines, searches and cross-validation -------------------------------------------------------------------------


def test_pipeline_with_a_scaler(cancer):
    X, y = cancer
    theirs, ours = beside_scikit_learn(lambda made: make_pipeline(StandardScaler(), made).fit(X, y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)
    assert ours.score(X, y) > 0.97


def test_column_transformer_in_front(cancer):
    X, y = cancer
    columns = ColumnTransformer([("scaled", StandardScaler(), [0, 3, 7]), ("as it is", "passthrough", [4])])
    assert make_pipeline(columns, classifier()).fit(X, y).score(X, y) > 0.9


def test_hidden_layer_as_a_step_of_a_pipeline(iris):
    X, y = iris
    steps = make_pipeline(classifier(), LogisticRegression()).fit(X, y)
    assert steps[-1].n_features_in_ == 8
    assert steps.score(X, y) > 0.9


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(iris, n_jobs):
    X, y = iris
    grid = {"hidden_layer_sizes": [(4,), (8, 4)], "alpha": [1e-4, 10]}
    theirs, ours = beside_scikit_learn(lambda made: GridSearchCV(made, grid, cv=2, n_jobs=n_jobs).fit(X, y))
    assert ours.best_params_ == theirs.best_params_
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])


def test_grid_search_over_what_is_ours(iris):
    X, y = iris
    grid = {"dropout": [0.0, [0.1]], "n_ensemble": [1, 2], "activation": [["gelu"], "tanh"], "batch_norm": [True]}
    search = GridSearchCV(classifier(), grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_randomized_search(iris):
    X, y = iris
    space = {"learning_rate_init": [0.01, 0.02, 0.05, 0.1], "activation": ["relu", "tanh", "logistic"]}
    theirs, ours = beside_scikit_learn(
        lambda made: RandomizedSearchCV(made, space, n_iter=4, cv=2, random_state=0).fit(X, y)
    )
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_)


def test_halving_search(iris):
    X, y = iris
    halving = HalvingGridSearchCV(
        classifier(), {"alpha": [1e-4, 1e-2, 1, 100]}, resource="max_iter", min_resources=2, max_resources=6, cv=2,
        random_state=0,
    )  # fmt: skip
    assert halving.fit(X, y).best_estimator_.max_iter == 6


def test_cross_validated_predictions(iris):
    X, y = iris
    theirs, ours = beside_scikit_learn(lambda made: cross_val_predict(made, X, y, cv=3, method="predict_proba"))
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "roc_auc_ovr", "f1_macro", "neg_brier_score"])
def test_scores_by_name(iris, scoring):
    X, y = iris
    theirs, ours = beside_scikit_learn(lambda made: cross_val_score(made, X, y, cv=2, scoring=scoring))
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_learning_curve(iris):
    X, y = iris
    theirs, ours = beside_scikit_learn(lambda made: learning_curve(made, X, y, cv=2, train_sizes=[0.3, 1.0]))
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected)


def test_learning_curve_by_partial_fit(iris):
    X, y = iris
    theirs, ours = beside_scikit_learn(
        lambda made: learning_curve(made, X, y, cv=2, train_sizes=[0.3, 1.0], exploit_incremental_learning=True)
    )
    np.testing.assert_allclose(ours[2], theirs[2])


def test_groups_of_a_search_are_not_taken_for_those_of_fit(iris):
    """`fit` has a parameter of that name, which no one has asked for here."""
    X, y = iris
    groups = np.arange(150) % 5
    for routed in (False, True):
        with sklearn.config_context(enable_metadata_routing=routed):
            theirs, ours = beside_scikit_learn(
                lambda made: GridSearchCV(made, {"alpha": [0.1, 1]}, cv=GroupKFold(2)).fit(X, y, groups=groups)
            )
        np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])


# --- combined with other estimators -----------------------------------------------------------------------------------


def test_calibrated(cancer):
    X, y = StandardScaler().fit_transform(cancer[0]), cancer[1]
    theirs, ours = beside_scikit_learn(lambda made: CalibratedClassifierCV(made, cv=2).fit(X, y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    frozen = CalibratedClassifierCV(FrozenEstimator(classifier().fit(X, y))).fit(X, y)
    assert frozen.score(X, y) > 0.97


@pytest.mark.parametrize("combined", [
    lambda made: StackingClassifier([("a", made), ("b", clone(made).set_params(activation="tanh"))], cv=2),
    lambda made: VotingClassifier([("a", made), ("b", clone(made).set_params(activation="tanh"))], voting="soft"),
    lambda made: VotingClassifier([("a", made), ("b", LogisticRegression())]),
    lambda made: BaggingClassifier(made, n_estimators=3, max_samples=0.5, max_features=0.75, random_state=0),
    lambda made: AdaBoostClassifier(made, n_estimators=3, random_state=0),
    lambda made: OneVsRestClassifier(made),
], ids=["stacking", "soft voting", "voting", "bagging", "boosting", "one against the rest"])  # fmt: skip
def test_combined(iris, combined):
    X, y = iris
    theirs, ours = beside_scikit_learn(lambda made: combined(made).fit(X, y))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) > 0.85


def test_chain_of_classifiers(labels):
    X, Y = labels
    theirs, ours = beside_scikit_learn(lambda made: ClassifierChain(made, random_state=0).fit(X, Y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


def test_regressor_of_several_numbers(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -y, y**2])
    theirs, ours = (MultiOutputRegressor(regressor(made)).fit(X, Y) for made in (scikit.MLPRegressor, lw.MLPRegressor))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-7)


def test_transformed_target(diabetes):
    X, y = diabetes
    theirs, ours = (
        TransformedTargetRegressor(regressor(made), transformer=StandardScaler()).fit(X, 1000 * y + 5000)
        for made in (scikit.MLPRegressor, lw.MLPRegressor)
    )
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)
    assert ours.score(X, 1000 * y + 5000) > 0.4


def test_features_selected_by_the_first_layer(iris):
    X, y = iris
    noise = np.random.default_rng(0).normal(size=(150, 4))
    chosen = SelectFromModel(
        classifier(l1=0.3), importance_getter=lambda made: np.abs(made.coefs_[0]).sum(axis=1), max_features=2,
        threshold=-np.inf,
    ).fit(np.hstack([noise, X]), y)  # fmt: skip
    assert chosen.get_support(indices=True).min() >= 4


# --- inspected --------------------------------------------------------------------------------------------------------


def test_importance_of_features(iris):
    X, y = iris
    fitted = classifier().fit(np.hstack([X, np.zeros((150, 1))]), y)
    importance = permutation_importance(
        fitted, np.hstack([X, np.zeros((150, 1))]), y, n_repeats=2, random_state=0, scoring="neg_log_loss"
    ).importances_mean
    assert importance[4] == 0
    assert importance[:4].max() > 0.1


def test_partial_dependence(iris, diabetes):
    for X, fitted in ((iris[0], classifier().fit(*iris)), (diabetes[0], regressor().fit(*diabetes))):
        found = partial_dependence(fitted, X, [2], grid_resolution=5)
        for value, mean in zip(found["grid_values"][0], found["average"][0], strict=True):
            there = X.copy()
            there[:, 2] = value
            f = fitted.predict_proba(there)[:, 0] if is_classifier(fitted) else fitted.predict(there)
            assert mean == pytest.approx(f.mean())


def test_decision_boundary(iris):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    X, y = iris
    fitted = classifier().fit(X[:, 2:], y)
    for method, values in (("predict", (20, 20)), ("predict_proba", (20, 20, 3))):
        shown = DecisionBoundaryDisplay.from_estimator(fitted, X[:, 2:], grid_resolution=20, response_method=method)
        assert shown.response.shape == values
    pyplot.close("all")


@pytest.mark.parametrize("settings", [{}, {"n_ensemble": 2}, {"solver": "lbfgs"}, {"activation": lambda s, a: a * a}])
def test_html(iris, settings):
    made = classifier(**settings)
    assert "MLPClassifier" in estimator_html_repr(made)
    assert "MLPClassifier" in estimator_html_repr(make_pipeline(StandardScaler(), made.fit(*iris)))


def test_kinds():
    assert is_classifier(lw.MLPClassifier())
    assert not is_classifier(lw.MLPRegressor())
    assert is_regressor(lw.MLPRegressor())
    assert not is_regressor(lw.MLPClassifier())


# --- metadata ---------------------------------------------------------------------------------------------------------


def test_weights_through_a_pipeline_and_a_search(iris):
    X, y = iris
    weights = np.where(y == 0, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        made = classifier(max_iter=40).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler().set_fit_request(sample_weight=False), made),
            {"mlpclassifier__alpha": [1e-4, 1e-3]}, cv=2,
        )  # fmt: skip
        search.fit(X, y, sample_weight=weights)
        scores = cross_validate(made, X, y, cv=2, params={"sample_weight": weights})["test_score"]
    assert not (search.predict(X) == 0).any()  # what has no weight is not learnt
    assert search.best_score_ > 0.8  # nor judged
    assert scores.min() > 0.8
    np.testing.assert_array_equal(
        search.best_estimator_[-1].theta_.vector,
        clone(search.best_estimator_[-1]).fit(StandardScaler().fit_transform(X), y, weights).theta_.vector,
    )


def test_weights_that_no_one_has_asked_for_are_refused(iris):
    X, y = iris
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match=r"\[sample_weight\] are passed but are not explicitly set as requested"),
    ):
        GridSearchCV(classifier(), {"alpha": [0.1]}, cv=2).fit(X, y, sample_weight=np.ones(150))


def test_groups_and_validation_rows_can_be_routed(iris):
    X, y = iris
    groups = np.arange(150) // 10
    with sklearn.config_context(enable_metadata_routing=True):
        made = classifier(early_stopping=True, validation_split="groups").set_fit_request(groups=True)
        made = make_pipeline(StandardScaler(), made)
        np.testing.assert_array_equal(
            made.fit(X, y, groups=groups).predict_proba(X),
            clone(made[-1]).fit(made[:-1].transform(X), y, groups=groups).predict_proba(made[:-1].transform(X)),
        )


def test_weights_by_the_name_of_the_step(iris):
    X, y = iris
    weights = np.linspace(0, 1, 150)
    theirs, ours = beside_scikit_learn(
        lambda made: make_pipeline(StandardScaler(), made).fit(
            X, y, **{f"{type(made).__name__.lower()}__sample_weight": weights}
        )
    )
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_classes_count_what_their_rows_weigh(iris, classes):
    """A weight of 2 is the row twice, as it is in scikit-learn's own estimators; one of 0 is no row."""
    X, y = iris[0], iris[1] % classes
    weights = np.where(y == 0, 3, np.arange(150) % 3)
    times = {"class_weight": "balanced", "batch_size": 1000}
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        weighted = classifier(**times, alpha=0).fit(X, y, weights)
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        repeated = classifier(**times, alpha=0).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-9)
    weights[y == 1] = 0
    without = classifier(class_weight="balanced").fit(X, y, weights)
    assert not (without.predict(X) == 1).any()


# --- outputs with names -----------------------------------------------------------------------------------------------


def test_hidden_layers_of_sparse_rows(digits):
    X, y = digits
    made = classifier(hidden_layer_sizes=(9, 7), max_iter=2).fit(csr_array(X), y)
    for layer in (None, 0, 1, 2):
        np.testing.assert_array_equal(made.transform(csr_array(X), layer), made.transform(X, layer))
    np.testing.assert_array_equal(made.transform(X, 0), X)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_hidden_layers_in_a_frame(iris, library):
    X, y = iris
    made = classifier(hidden_layer_sizes=(5, 3)).fit(X, y).set_output(transform=library)
    names = ["mlpclassifier0", "mlpclassifier1", "mlpclassifier2"]
    assert list(made.transform(X).columns) == made.get_feature_names_out().tolist() == names
    assert list(made.transform(X, layer=1).columns) == [f"mlpclassifier{unit}" for unit in range(5)]
    assert list(made.transform(X, layer=0).columns) == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(np.asarray(made.transform(X)), made.set_output(transform="default").transform(X))


def test_a_pipeline_whose_steps_give_frames(cancer):
    """`set_output` asks every step that has `transform`."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    steps = make_pipeline(StandardScaler(), classifier()).set_output(transform="pandas").fit(X, y)
    assert steps[-1].feature_names_in_.tolist() == X.columns.tolist()
    assert steps.transform(X).index is X.index or steps.transform(X).index.equals(X.index)
    with sklearn.config_context(transform_output="polars"):
        assert make_pipeline(StandardScaler(), classifier()).fit(X, y).score(X, y) > 0.97


def test_hidden_layers_of_an_ensemble_side_by_side(iris):
    X, y = iris
    made = classifier(n_ensemble=2).fit(X, y)
    np.testing.assert_array_equal(made.transform(X), np.hstack([member.transform(X) for member in made.members_]))
    assert len(made.get_feature_names_out()) == 16
