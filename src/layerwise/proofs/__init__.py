"""The derivations of the course as data: every line with its reason, proved by SymPy and checked on numbers.

Reading a derivation needs no SymPy; proving and checking it does (``pip install 'layerwise[notes]'``).

>>> import layerwise as lw
>>> print(lw.proofs.loss_gradient_at_output)
Loss gradient at the output
  1. d/df_c (-log f_y) = -1/f_y df_y/df_c   chain rule
  2. -1/f_y df_y/df_c = -1{y=c}/f_y         f_y is f_c itself if y = c, and another variable if y != c
  3. grad_f (-log f_y) = -e(y) / f_y        all entries c in one vector
>>> all(lw.proofs.loss_gradient_at_preactivation.prove(C=3))
True
"""

from typing import Final

from .activations import activation_derivatives
from .derivation import Claim, Derivation, Line, Step
from .hidden import hidden_layers
from .loss import loss_gradient_at_output, loss_gradient_at_preactivation
from .other_outputs import other_outputs
from .penalties import penalties
from .stability import log_sum_exp, softmax_is_shift_invariant

#: Every derivation, by its name, in the course's order.
TABLE: Final[dict[str, Derivation]] = {
    derivation.name: derivation
    for derivation in (
        loss_gradient_at_output, loss_gradient_at_preactivation, other_outputs, activation_derivatives, hidden_layers,
        penalties, softmax_is_shift_invariant, log_sum_exp,
    )
}  # fmt: skip

__all__ = ["TABLE", "Claim", "Derivation", "Line", "Step", *TABLE]
