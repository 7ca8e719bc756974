"""Pictures of what happened, in the manner of scikit-learn's displays."""

from .activation import ActivationDisplay
from .decision import DecisionBoundary
from .filters import FilterDisplay
from .flow_graph import FlowGraphDisplay
from .gradient_flow import GradientFlowDisplay
from .hidden_space import HiddenSpaceDisplay
from .learning_curve import LossCurveDisplay
from .loss_surface import LossSurfaceDisplay
from .network_drawing import NetworkDisplay
from .ridges import RidgeDisplay

__all__ = [
    "ActivationDisplay",
    "DecisionBoundary",
    "FilterDisplay",
    "FlowGraphDisplay",
    "GradientFlowDisplay",
    "HiddenSpaceDisplay",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "NetworkDisplay",
    "RidgeDisplay",
]
