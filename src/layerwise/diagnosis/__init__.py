"""What can be wrong with a network, its training or its data: each check a short function that returns a Finding.

>>> import numpy as np
>>> from layerwise.network import Network
>>> net = Network(2, [4], 2)
>>> theta = net.initialize(seed=0)
>>> theta.b[1][...] = -100.0  # then no unit is ever active
>>> found = dead_units(net, theta, np.eye(2))
>>> found.verdict, found.figures["dead"]
('problem', [4])
"""

from .data import label_suspects, number_column, pixels, word_column
from .finding import Finding, worst
from .flow import gradient_flow
from .learning import end_of_training, generalisation, learnt_something, step_size
from .predictions import calibration, class_balance, held_out_predictions
from .references import constant_loss, uninformed_loss
from .start import few_rows, initial_loss
from .units import constant_units, dead_units, saturated_units
from .weights import dominant_input, weight_growth

__all__ = [
    "Finding", "calibration", "class_balance", "constant_loss", "constant_units", "dead_units", "dominant_input",
    "end_of_training", "few_rows", "generalisation", "gradient_flow", "held_out_predictions", "initial_loss",
    "label_suspects", "learnt_something", "number_column", "pixels", "saturated_units", "step_size", "uninformed_loss",
    "weight_growth", "word_column", "worst",
]  # fmt: skip
