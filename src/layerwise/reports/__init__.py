"""Pictures of what happened, in the manner of scikit-learn's displays."""

from .learning_curve import LossCurveDisplay

__all__ = ["LossCurveDisplay"]
