"""Numbers that are too large, data of every kind, hardly any data, Ctrl-C: a usable model, or a clear error."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network as scikit
from sklearn.exceptions import ConvergenceWarning

import layerwise as lw
from layerwise.engines import Executable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
#: scikit-learn's own sum over X warns where the numbers of X are that large.
LARGE = pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered in reduce:RuntimeWarning")
BOTH = (scikit.MLPClassifier, lw.MLPClassifier)


def classifier(made=lw.MLPClassifier, **settings):
    return made(**{"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0} | settings)


def regressor(made=lw.MLPRegressor, **settings):
    return classifier(made, **settings)


# --- numbers that are too large ---------------------------------------------------------------------------------------


def test_large_numbers_train(iris):
    X, y = iris
    theirs, ours = (classifier(made).fit(X * 1e30, y) for made in BOTH)
    np.testing.assert_array_equal(ours.predict(X * 1e30), theirs.predict(X * 1e30))


@LARGE
@pytest.mark.parametrize("settings", [{}, {"solver": "sgd"}, {"n_ensemble": 2}, {"early_stopping": True}])
def test_numbers_too_large_to_train(iris, settings):
    """Not even the first epoch is finite: scikit-learn's error, and nothing that would predict."""
    X, y = np.sign(iris[0]) * 1e308, iris[1]
    made = classifier(**settings)
    for act in (made.fit, lambda X, y: made.partial_fit(X, y, classes=[0, 1, 2])):
        if settings.get("early_stopping") and act != made.fit:
            continue
        with pytest.raises(ValueError, match=r"^Solver produced non-finite parameter weights"):
            act(X, y)
        with pytest.raises(ValueError, match="not fitted yet"):
            made.predict(X)


@LARGE
def test_targets_too_large_to_train(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        regressor().fit(X, np.sign(y) * 1e308)


def test_rows_too_large_for_the_parameters_type(iris):
    """A network of float32 sees infinity where a float64 is larger; scikit-learn would compute in float64 there."""
    X, y = iris
    X = X.astype(np.float32)
    large = X.astype(np.float64)
    large[4] = 1e300
    for act in (
        lambda: classifier().fit(X, y).predict(large),
        lambda: classifier().fit(X, y).predict_proba(large),
        lambda: classifier(n_ensemble=2).fit(X, y).predict_log_proba(large),
        lambda: regressor().fit(X, y).predict(large),
    ):
        with pytest.raises(ValueError, match="The outputs for row 4 are not finite, counted from 0"):
            act()


def test_parameters_that_are_not_finite_predict_nothing(iris):
    X, y = iris
    made = classifier().fit(X, y)
    made.coefs_[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="or the parameters are not finite"):
        made.predict(X)


DIVERGING = {"solver": "sgd", "learning_rate_init": 0.5, "batch_size": 442, "max_iter": 50}


@pytest.mark.parametrize("settings", [{}, {"validation_split": "last"}, {"learning_rate": "adaptive"}])
def test_divergence_after_the_first_epoch(diabetes, settings):
    """scikit-learn raises an error and leaves NaN; here the last finite epoch is kept, and the curve ends with it."""
    X, y = diabetes[0], diabetes[1] * 10
    made = regressor(**DIVERGING | settings)
    with pytest.warns(lw.DivergenceWarning, match=r"The loss became NaN or infinite in epoch \d+; the parameters of"):
        made.fit(X, y)
    assert made.stopped_ == "diverged"
    assert 0 < made.n_iter_ == len(made.loss_curve_) < 50
    assert np.isfinite(made.theta_.vector).all()
    assert np.isfinite(made.predict(X)).all()


def test_divergence_with_early_stopping_returns_to_the_best_epoch(diabetes):
    X, y = diabetes[0], diabetes[1] * 10
    made = regressor(**DIVERGING | {"batch_size": 397}, early_stopping=True)
    with pytest.warns(lw.DivergenceWarning, match="The loss became NaN or infinite"):
        made.fit(X, y)
    assert made.score(X, y) == pytest.approx(max(made.validation_scores_), abs=abs(max(made.validation_scores_)))
    assert np.isfinite(made.predict(X)).all()


@pytest.mark.parametrize("rows", [1, 2])
def test_divergence_row_by_row(diabetes, rows):
    X, y = diabetes[0] * 5, diabetes[1]
    made = regressor(solver="sgd", learning_rate_init=0.3)

    def until_it_diverges():
        for t in range(0, 400, rows):
            made.partial_fit(X[t : t + rows], y[t : t + rows])
            assert np.isfinite(made.theta_.vector).all()
            if made.stopped_ == "diverged":
                return

    with pytest.warns(lw.DivergenceWarning, match="The loss became NaN or infinite"):
        until_it_diverges()
    assert made.stopped_ == "diverged"
    assert np.isfinite(made.predict(X)).all()
    made.set_params(learning_rate_init=1e-200).partial_fit(X[:1], y[:1]).partial_fit(X[1:2], y[1:2])
    assert made.stopped_ is None


# --- data of every kind -----------------------------------------------------------------------------------------------

BYTES = {
    "read-only": lambda X, folder: read_only(X), "Fortran order": lambda X, folder: np.asfortranarray(X),
    "every second row": lambda X, folder: np.repeat(X, 2, axis=0)[::2], "backwards": lambda X, folder: X[::-1][::-1],
    "every second column": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "memory map": lambda X, folder: memory_map(X, folder), "other byte order": lambda X, folder: X.astype(">f8"),
    "objects": lambda X, folder: X.astype(object), "a list": lambda X, folder: X.tolist(),
    "long double": lambda X, folder: X.astype(np.longdouble),
}  # fmt: skip


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("kind", BYTES)
def test_the_same_numbers_laid_out_otherwise(iris, kind, tmp_path):
    X, y = iris
    given = BYTES[kind](X, tmp_path)
    ours, expected = classifier().fit(given, y), classifier().fit(X, y)
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    for method in ("predict", "predict_proba", "transform"):
        np.testing.assert_array_equal(getattr(ours, method)(given), getattr(expected, method)(X))
    ours.partial_fit(given[:1], y[:1]).partial_fit(given[1:2], y[1:2]).partial_fit(given[2:3], y[2:3])
    expected.partial_fit(X[:1], y[:1]).partial_fit(X[1:2], y[1:2]).partial_fit(X[2:3], y[2:3])
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "bool", "int64", "uint64", ">i4", ">f4"])
def test_other_types_of_numbers(digits, dtype):
    """Counts of ink from 0 to 16, as scikit-learn has them."""
    X, y = (digits[0] * 16).astype(dtype), digits[1]
    plain = X.astype(np.float64)
    ours, expected = classifier().fit(X, y), classifier().fit(plain, y)
    assert ours.theta_.vector.dtype == np.float64
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)
    np.testing.assert_array_equal(ours.predict_proba(X), expected.predict_proba(plain))
    for made, rows in ((ours, X), (expected, plain)):
        for t in range(3):
            made.partial_fit(rows[t : t + 1], y[t : t + 1])
    np.testing.assert_array_equal(ours.theta_.vector, expected.theta_.vector)


@pytest.mark.parametrize("made", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_targets(labels, made):
    X, Y = labels
    np.testing.assert_array_equal(
        classifier().fit(X, made(Y)).predict_proba(X), classifier().fit(X, Y).predict_proba(X)
    )
    np.testing.assert_array_equal(regressor().fit(X, made(Y * 1.0)).predict(X), regressor().fit(X, Y).predict(X))


@pytest.mark.parametrize("y", [bool, np.uint8, float, str, "float32"])
def test_labels_of_many_kinds(iris, y):
    X, labels = iris[0], iris[1].astype(y)
    for settings in ({}, {"early_stopping": True, "validation_split": "stratified"}):
        theirs, ours = (
            classifier(made, **{} if made is scikit.MLPClassifier else settings).fit(X, labels) for made in BOTH
        )
        assert ours.classes_.dtype == theirs.classes_.dtype
        assert ours.predict(X).dtype == theirs.predict(X).dtype
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_very_wide_rows():
    X = np.random.default_rng(0).uniform(size=(10, 20_000))
    y = np.arange(10) % 2
    theirs, ours = (classifier(made).fit(X, y) for made in BOTH)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("case", ["one row", "two rows alike", "constant columns", "one feature"])
def test_hardly_any_data(iris, case):
    X, y = {
        "one row": (iris[0][:1], iris[1][:1]), "two rows alike": (iris[0][[0, 0]], np.array([0, 1])),
        "constant columns": (np.full((150, 4), 3.0), iris[1]), "one feature": (iris[0][:, :1], iris[1]),
    }[case]  # fmt: skip
    theirs, ours = (classifier(made).fit(X, y) for made in BOTH)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    theirs, ours = (
        regressor(made).fit(X, y.astype(float)).predict(X) for made in (scikit.MLPRegressor, lw.MLPRegressor)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"n_ensemble": 2}, {"solver": "lbfgs"}])
def test_one_class(iris, settings):
    """There is one column of probabilities, for the one class; scikit-learn has two there."""
    X = iris[0]
    made = classifier(**settings).fit(X, ["only"] * 150)
    assert made.predict(X).tolist() == ["only"] * 150
    np.testing.assert_array_equal(made.predict_proba(X), np.ones((150, 1)))


# --- parameters of one's own ------------------------------------------------------------------------------------------


def test_parameters_put_in_place_count_at_once(iris):
    X, y = iris
    theirs, ours = (classifier(made).fit(X, y) for made in BOTH)
    for made in (theirs, ours):
        made.coefs_ = [W * 2 for W in made.coefs_]
        made.intercepts_ = [b + 1 for b in made.intercepts_]
        made.coefs_[1][:, 0] = 0.5
        made.intercepts_[0] = np.linspace(-1, 1, 8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    ours.partial_fit(X, y)  # training goes on from there
    assert np.isfinite(ours.loss_)


# --- interruptions and metrics ----------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c():
    """A callback that presses Ctrl-C at the end of the second epoch, heard even where a shell ignores it for tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda state: signal.raise_signal(signal.SIGINT) if state.epoch == 2 else None
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"n_ensemble": 2}])
def test_ctrl_c_while_training(iris, ctrl_c, settings, monkeypatch):
    monkeypatch.setenv("LAYERWISE_THREADS", "1")  # the members of an ensemble one after the other, in this thread
    X, y = iris
    made = classifier(max_iter=1000, callbacks=ctrl_c, **settings)
    with pytest.warns(UserWarning, match=r"^Training interrupted by user\.$"):
        made.fit(X, y)
    first = made.members_[0] if "n_ensemble" in settings else made
    assert first.stopped_ == "interrupted"
    assert first.n_iter_ == len(first.loss_curve_) == 2
    assert made.predict(X).shape == (150,)


@pytest.mark.parametrize("n_iter_no_change", [2, 4])
def test_a_metric_that_is_nan(iris, n_iter_no_change):
    """No epoch counts as better, so training ends; the last parameters stay."""
    X, y = iris
    made = classifier(
        early_stopping=True, metric=lambda estimator, X, y: np.nan, n_iter_no_change=n_iter_no_change, max_iter=20
    ).fit(X, y)
    assert made.stopped_ == "patience"
    assert made.n_iter_ == len(made.validation_scores_) == n_iter_no_change + 1
    assert np.isnan(made.validation_scores_).all()
    assert np.isfinite(made.predict_proba(X)).all()


@pytest.mark.parametrize("result", [None, [1, 2], "good"])
def test_a_metric_that_is_no_number(iris, result):
    with pytest.raises((TypeError, ValueError)):
        classifier(early_stopping=True, metric=lambda estimator, X, y: result).fit(*iris)


def test_a_last_update_that_spoils_the_parameters(diabetes):
    """The loss before it was finite, and the parameters still are; only what they predict is not."""
    X, y = diabetes
    states = []

    class Late(lw.StepDecay):
        def factor(self, progress):
            return 1.0 if progress.step < 2 else 1e163

    made = lw.MLPRegressor(
        hidden_layer_sizes=4, solver="sgd", momentum=0, max_iter=3, batch_size=442, random_state=0, schedule=Late(),
        callbacks=lambda state: states.append(state.parameters.vector.copy()),
    )  # fmt: skip
    with pytest.warns(lw.DivergenceWarning, match="in epoch 3"):
        made.fit(X, y)
    assert made.n_iter_ == len(made.loss_curve_) == len(made.history_) == 2
    assert made.t_ == 2 * len(X)
    np.testing.assert_array_equal(made.theta_.vector, states[1])
    assert np.isfinite(made.predict(X)).all()


def test_ctrl_c_during_lbfgs_keeps_the_last_iteration(diabetes, monkeypatch):
    def pressed(line):
        if line.startswith("Iteration 3"):
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", pressed)
    settings = {"hidden_layer_sizes": 4, "solver": "lbfgs", "random_state": 0}
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        made = lw.MLPRegressor(**settings, verbose=True).fit(*diabetes)
    assert (made.n_iter_, made.stopped_) == (3, "interrupted")
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        expected = lw.MLPRegressor(**settings, max_iter=3).fit(*diabetes)
    np.testing.assert_array_equal(made.theta_.vector, expected.theta_.vector)
    assert made.loss_ == expected.loss_


def test_lbfgs_leaves_no_buffers_of_all_rows_behind(diabetes):
    X, y = diabetes
    made = lw.MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", max_iter=500, tol=1e-2, random_state=0).fit(X, y)
    runs = [run for run in made.network_.made.values() if isinstance(run, Executable)]
    assert not [run for run in runs if "found" in run.program.vectors]  # the gradient, where lbfgs keeps it
