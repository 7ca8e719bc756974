"""What the course says and measures of features, fits and hidden layers: each a short function on arrays.

>>> import layerwise as lw
>>> X, y = lw.analysis.xor(40, noise=0.1)
>>> lw.analysis.separability(X, y).separable
False
>>> lw.analysis.separability([[*x, x[0] * x[1]] for x in X], y).separable
True
"""

from .basis import gaussian_bumps, least_squares, polynomial, sigmoids
from .linear import LinearClassifier, softmax_regression
from .policy import PolicyTraining, reinforce, returns_to_go, standardised
from .probes import LinearProbes, linear_probes, representations
from .separability import Separability, separability
from .toy import circles, moons, spirals, xor

__all__ = [
    "LinearClassifier", "LinearProbes", "PolicyTraining", "Separability", "circles", "gaussian_bumps", "least_squares",
    "linear_probes", "moons", "polynomial", "reinforce", "representations", "returns_to_go", "separability", "sigmoids",
    "softmax_regression", "spirals", "standardised", "xor",
]  # fmt: skip
