"""scikit-learn's own checks of an estimator: all of them pass, and none is expected to fail."""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks

import layerwise as lw

SMALL = {"hidden_layer_sizes": 20, "learning_rate_init": 0.02, "max_iter": 30}
PLAIN = [lw.MLPClassifier(), lw.MLPRegressor(), lw.Autoencoder()]
OTHERS = [
    lw.MLPClassifier(n_ensemble=2, **SMALL),
    lw.MLPClassifier(activation=["gelu"], l1=1e-6, solver="sgd", **SMALL | {"learning_rate_init": 0.2}),
    lw.MLPRegressor(solver="lbfgs", activation="tanh", hidden_layer_sizes=4, max_iter=8),
    lw.MLPRegressor(loss="huber", clip_norm=10.0, **SMALL),
    lw.Autoencoder((5, 3), tied=True, sparsity=0.01, max_iter=30),
]
NORMALISED = [lw.MLPClassifier(batch_norm=True, **SMALL), lw.MLPRegressor(batch_norm=True, dropout=0.1, **SMALL)]
#: What the mathematics forbids.
NOT_FOR_NORMALISED = {
    "check_fit2d_1sample": "one row has no variance; the message says so in other words",
    "check_sample_weight_equivalence_on_dense_data": "weights do not enter the mean and variance of a batch",
    "check_sample_weight_equivalence_on_sparse_data": "weights do not enter the mean and variance of a batch",
}
#: Checks of scikit-learn that its `check_estimator` leaves out, and its own estimators pass.
MORE = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*not ready for Array API:UserWarning"),
]


@estimator_checks.parametrize_with_checks(PLAIN + OTHERS)
def test_check(estimator, check):
    check(estimator)


@estimator_checks.parametrize_with_checks(NORMALISED, expected_failed_checks=lambda estimator: NOT_FOR_NORMALISED)
def test_check_with_normalisation(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")  # which is what is tested
@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("estimator", PLAIN + OTHERS[:1], ids=str)
def test_further_check(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
