"""What the course says and measures of features, fits and hidden layers: each a short function on arrays.

>>> import layerwise as lw
>>> X, y = lw.analysis.xor(40, noise=0.1)
>>> lw.analysis.separability(X, y).separable
False
>>> lw.analysis.separability([[*x, x[0] * x[1]] for x in X], y).separable
True
"""

from .approximation import (
    ApproximationError,
    LearnedFit,
    approximation_error,
    bump_network,
    learned_fit,
    tower_network,
)
from .basis import gaussian_bumps, least_squares, polynomial, sigmoids
from .capacity import BooleanNeuron, boolean_inputs, count_neurons, find_weights, truth_table, xor_network
from .linear import LinearClassifier, softmax_regression
from .policy import PolicyTraining, reinforce, returns_to_go, standardised_returns
from .probes import LinearProbes, linear_probes, representations
from .resampling import BiasVariance, bias_variance
from .separability import Separability, separability
from .stable_rate import largest_curvature, largest_stable_rate
from .toy import circles, moons, spirals, xor

__all__ = [
    "ApproximationError", "BiasVariance", "BooleanNeuron", "LearnedFit", "LinearClassifier", "LinearProbes",
    "PolicyTraining", "Separability", "approximation_error", "bias_variance", "boolean_inputs", "bump_network",
    "circles", "count_neurons", "find_weights", "gaussian_bumps", "largest_curvature", "largest_stable_rate",
    "learned_fit", "least_squares", "linear_probes", "moons", "polynomial", "reinforce", "representations",
    "returns_to_go", "separability", "sigmoids", "softmax_regression", "spirals", "standardised_returns",
    "tower_network", "truth_table", "xor", "xor_network",
]  # fmt: skip
