"""The scikit-learn interface: estimators that take its parameters and keep its promises."""

from .autoencoder import Autoencoder
from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["Autoencoder", "MLPClassifier", "MLPRegressor"]
