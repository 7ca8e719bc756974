"""Output functions and their losses, one object each: they cannot be paired wrongly (course-map rows 11, 15, 16)."""

from .classes import (
    Sigmoid,
    Softmax,
    softmax_loss_gradient_at_output,
    softmax_loss_gradient_at_preactivation,
    softmax_losses,
)
from .distributions import GaussianNLL, Quantile
from .elementwise import Huber, squared_losses
from .groups import SoftmaxGroups
from .output import Output
from .table import MAKERS, TABLE, output

__all__ = [
    "MAKERS", "TABLE", "GaussianNLL", "Huber", "Output", "Quantile", "Sigmoid", "Softmax", "SoftmaxGroups", "output",
    "softmax_loss_gradient_at_output", "softmax_loss_gradient_at_preactivation", "softmax_losses", "squared_losses",
]  # fmt: skip
