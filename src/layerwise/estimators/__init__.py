"""The scikit-learn interface: estimators that take its parameters and keep its promises."""

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
