"""The network: its frozen specification, its parameters, and the only loops over layers."""

from .layers import ByLayer, Layer
from .parameters import Parameters
from .specification import Network
from .trace import Trace

__all__ = ["ByLayer", "Layer", "Network", "Parameters", "Trace"]
