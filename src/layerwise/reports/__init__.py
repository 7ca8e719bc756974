"""Pictures of what happened, in the manner of scikit-learn's displays."""

from .learning_curve import LossCurveDisplay
from .ridges import RidgeDisplay

__all__ = ["LossCurveDisplay", "RidgeDisplay"]
