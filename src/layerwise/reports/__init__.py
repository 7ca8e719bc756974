"""Pictures of what happened, in the manner of scikit-learn's displays."""

from .filters import FilterDisplay
from .learning_curve import LossCurveDisplay
from .ridges import RidgeDisplay

__all__ = ["FilterDisplay", "LossCurveDisplay", "RidgeDisplay"]
