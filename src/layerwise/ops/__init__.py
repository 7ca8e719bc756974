"""The closed vocabulary that every rule is written in: operations, scalar expressions, and what they mean in NumPy."""

from .expressions import Expression, expression
from .numpy_ops import NumpyOps
from .random import Purpose, philox_uniform
from .tangent import TangentOps
from .vocabulary import Operand, Vocabulary

__all__ = ["Expression", "NumpyOps", "Operand", "Purpose", "TangentOps", "Vocabulary", "expression", "philox_uniform"]
