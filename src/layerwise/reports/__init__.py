"""Pictures of what happened, in the manner of scikit-learn's displays."""

from .decision import DecisionBoundary
from .filters import FilterDisplay
from .flow_graph import FlowGraphDisplay
from .hidden_space import HiddenSpaceDisplay
from .learning_curve import LossCurveDisplay
from .loss_surface import LossSurfaceDisplay
from .ridges import RidgeDisplay

__all__ = [
    "DecisionBoundary",
    "FilterDisplay",
    "FlowGraphDisplay",
    "HiddenSpaceDisplay",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "RidgeDisplay",
]
