"""Penalties on activations: what each row adds to its loss in training, and the gradients with respect to h^(k)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ops import Operand, Vocabulary
from ..rules.penalties import activity_backward, activity_forward
from .specification import Network

if TYPE_CHECKING:
    from .propagation import Training, Values


def activity_strengths(net: Network) -> dict[int, list[float]]:
    """Return the strengths of each layer k that has a penalty on h^(k)."""
    layers = enumerate(net.layers, 1)
    return {k: [term.strength for term in layer.activity.terms] for k, layer in layers if layer.activity.terms}


def activity_of_rows(ops: Vocabulary, net: Network, values: Values, training: Training | None) -> Operand | None:
    """The sum over layers and units of strength omega(h^(k)), for every row; None if there are none, or no training.

    -> (n, 1)
    """
    total = None
    for k, strengths in training.activity.items() if training is not None else ():
        value = activity_forward(ops, net.layers[k - 1].activity, values.h[k], strengths)
        total = value if total is None else ops.add(total, value)
    return total


def activity_gradients(ops: Vocabulary, net: Network, values: Values, training: Training | None) -> dict[int, Operand]:
    """The gradient of each row's `activity_of_rows` with respect to h^(k), by layer.  -> (n, d) each"""
    strengths = training.activity if training is not None else {}
    return {k: activity_backward(ops, net.layers[k - 1].activity, values.h[k], s) for k, s in strengths.items()}
