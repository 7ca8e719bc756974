"""Programs: rules recorded as flat lists of steps over named buffers, to be printed, checked and run by engines."""

from .program import Buffer, Program, Role, Shape, Step
from .recorder import Recorded, Recorder

__all__ = ["Buffer", "Program", "Recorded", "Recorder", "Role", "Shape", "Step"]
