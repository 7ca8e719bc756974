"""Autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..network import Layer, Network, Parameters
from ..network.programs import predict_rows
from ..rules.outputs import Output
from ..rules.outputs import output as output_named
from ..rules.penalties import L1
from .checks import all_finite
from .parameters import CONSTRAINTS
from .perceptron import Perceptron, network_of

Array = npt.NDArray[Any]
#: What each loss of a reconstruction is called as an output.
OUTPUTS = {"squared_error": "identity", "log_loss": "sigmoid"}


@final
class Autoencoder(Perceptron):
    """A network that learns to give back its input through a narrow layer, the code.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int
        Units of the encoder's layers; the last one is the code. The decoder mirrors them: (64, 16) is n-64-16-64-n.
    activation : str, Activation, callable, or a list of them
        g of all hidden layers, or of each, decoder included.
    loss : {"squared_error", "log_loss"}
        log_loss is for values from 0 to 1, such as pixels.
    tied : bool
        Have the decoder read the encoder's weights, transposed.
    masking : float
        Probability that a component of x is set to 0 in training, while x itself is to be given back (Vincent et al.
        2010).
    noise : float
        In training, this times standard normal numbers is added to x.
    sparsity : float
        Strength of the mean over rows of sum |h| of the code: the larger, the fewer units answer to a row.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose
        See `MLPRegressor`.
    warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon
        See `MLPRegressor`; early stopping watches `score`.
    n_iter_no_change, max_fun, dropout, batch_norm, l1, schedule, clip_norm, validation_split, callbacks
        See `MLPRegressor`.
    metric : "loss" or callable (estimator, X, X), optional
        What `early_stopping` watches, more is better; by default `score`.

    Attributes
    ----------
    loss_, loss_curve_, best_loss_ : float, list of float, float or None
        Of the latest epoch, of every epoch, and the lowest; summed over the columns of X, penalty included.
    theta_, network_, coefs_, intercepts_, validation_scores_, validation_loss_curve_
        See `MLPRegressor`.
    best_validation_score_, history_, n_iter_, t_, n_layers_, n_outputs_, n_features_in_, feature_names_in_, stopped_
        See `MLPRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> autoencoder = Autoencoder((16,), activation="tanh", learning_rate_init=0.01, tol=1e-3, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape, autoencoder.score(X) > 0.7
    ((1797, 16), True)
    """

    n_ensemble = 1
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{name: rule for name, rule in CONSTRAINTS.items() if name != "n_ensemble"},
        "loss": [StrOptions(set(OUTPUTS))],
        "metric": [None, StrOptions({"loss"}), callable],
        "tied": ["boolean"],
        "masking": [Interval(Real, 0, 1, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "sparsity": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, hidden_layer_sizes: Any = (32,), activation: Any = "relu", *, loss: str = "squared_error",
        tied: bool = False, masking: float = 0.0, noise: float = 0.0, sparsity: float = 0.0, solver: str = "adam",
        alpha: float = 0.0001, batch_size: Any = "auto", learning_rate: str = "constant",
        learning_rate_init: float = 0.001, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
        random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False,
        momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
        validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
        n_iter_no_change: float = 10, max_fun: int = 15000, dropout: Any = 0.0, batch_norm: bool = False,
        l1: float = 0.0, schedule: Any = None, clip_norm: Any = None, metric: Any = None,
        validation_split: str = "scikit-learn", callbacks: Any = None,
    ) -> None:  # fmt: skip
        self.hidden_layer_sizes, self.activation, self.loss, self.tied = hidden_layer_sizes, activation, loss, tied
        self.masking, self.noise, self.sparsity, self.solver, self.alpha = masking, noise, sparsity, solver, alpha
        self.batch_size, self.learning_rate, self.learning_rate_init = batch_size, learning_rate, learning_rate_init
        self.power_t, self.max_iter, self.shuffle, self.random_state = power_t, max_iter, shuffle, random_state
        self.tol, self.verbose, self.warm_start, self.momentum = tol, verbose, warm_start, momentum
        self.nesterovs_momentum, self.early_stopping = nesterovs_momentum, early_stopping
        self.validation_fraction, self.beta_1, self.beta_2 = validation_fraction, beta_1, beta_2
        self.epsilon, self.n_iter_no_change, self.max_fun = epsilon, n_iter_no_change, max_fun
        self.dropout, self.batch_norm, self.l1, self.schedule = dropout, batch_norm, l1, schedule
        self.clip_norm, self.metric, self.validation_split = clip_norm, metric, validation_split
        self.callbacks = callbacks

    # --- what is learnt -----------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation: Any = None, groups: Any = None
    ) -> Autoencoder:
        """Learn to give back these rows.

        Parameters
        ----------
        X : array or data frame (n, n_features)
        y : ignored
        sample_weight : array (n,), optional
        validation : array or data frame (m, n_features), optional
            Rows of your own to validate on after every epoch.
        groups : array (n,), optional
            The group of each row: validation rows are then whole groups.

        Returns
        -------
        self
        """
        super().fit(X, X, sample_weight, validation=_doubled(validation), groups=groups)
        return self

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, validation: Any = None) -> Autoencoder:
        """Go once through these rows; parameters as for `fit`."""
        self._partial_fit(X, X, sample_weight, _doubled(validation))
        return self

    def _validated(self, X: Any, y: Any, incremental: bool, first: bool) -> tuple[Any, Array]:
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=first)
        if self.loss == "log_loss" and (X.min() < 0 or X.max() > 1):
            raise ValueError(f"loss='log_loss' needs values from 0 to 1, got {X.min():g} to {X.max():g}; rescale X.")
        return X, X

    def _checked(self, X: Any, y: Any) -> tuple[Any, Array]:
        return self._validated(X, y, True, False)

    def _decoded(self, y: Array) -> Array:
        return y

    def _output(self, y: Array) -> tuple[Output, int]:
        return output_named(OUTPUTS[self.loss]), y.shape[1]

    def _network(self, inputs: int, sizes: list[int], y: Array, dtype: Any) -> Network:
        output, columns = self._output(y)
        layers = list(self._layers([*sizes, *sizes[-2::-1]]))
        if self.sparsity:
            code = layers[len(sizes) - 1]
            layers[len(sizes) - 1] = Layer(
                code.units, code.activation, code.dropout, code.batch_norm, activity=L1(self.sparsity)
            )
        return network_of(
            inputs, tuple(layers), columns, output, tied=self.tied,
            input_dropout=float(self.masking), input_noise=float(self.noise),
        )  # fmt: skip

    def _hidden_sizes(self) -> list[int]:
        sizes = super()._hidden_sizes()
        if not sizes:
            raise ValueError("hidden_layer_sizes needs at least one layer, the code.")
        return sizes

    def _strata(self, y: Array, everywhere: bool) -> Array | None:
        return None

    def _score(self, f: Array, y: Array, weights: Array | None) -> float:
        if not np.isfinite(f).all():
            return np.nan
        mean = np.average(y, axis=0, weights=weights)
        left = np.average(((f - y) ** 2).sum(axis=1), weights=weights)
        spread = np.average(((y - mean) ** 2).sum(axis=1), weights=weights)
        return float(1 - left / spread) if spread > 0 else float(left == 0)

    def _one_target(self) -> Callable[[Any], Array | None] | None:
        return None

    # --- what it is for -----------------------------------------------------------------------------------------------

    @property
    def _feature_layer(self) -> int:
        """The code."""
        return (self.network_.L + 1) // 2

    def inverse_transform(self, X: Any) -> Array:
        """Return what the decoder makes of codes.

        Parameters
        ----------
        X : array (n, units of the code)

        Returns
        -------
        array (n, n_features)
        """
        check_is_fitted(self)
        decoder = self._decoder()
        codes = check_array(X, dtype=(np.float64, np.float32))
        if codes.shape[1] != decoder.network.inputs:
            raise ValueError(f"X has {codes.shape[1]} columns, but a code has {decoder.network.inputs}.")
        return all_finite(predict_rows(decoder.network, decoder, codes))

    def reconstruct(self, X: Any) -> Array:
        """Return what comes back for each row: the decoder's answer to its code.  (n, n_features)"""
        return self._predicted(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of the variance of X that comes back: 1 - squared errors / squared distances from the mean.

        Parameters
        ----------
        X : array or data frame (n, n_features)
        y : ignored
        sample_weight : array (n,), optional
        """
        rows = self._rows_to_predict(X)
        return self._score(self._f(rows), np.asarray(rows), sample_weight)

    def _decoder(self) -> Parameters:
        """Return the parameters of the layers above the code, as a network of their own."""
        net, theta, m = self.network_, self.theta_, self._feature_layer
        above = network_of(net.sizes[m], net.layers[m:], net.outputs, net.output)
        decoder = Parameters(above, np.zeros(above.n_parameters, theta.vector.dtype))
        for name in ("W", "b", "gamma", "beta", "running_mean", "running_variance"):
            arrays = getattr(theta, name)
            for k in [k for k in arrays if k > m]:
                getattr(decoder, name)[k - m] = arrays[k]
        return decoder

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def _doubled(validation: Any) -> Any:
    """Return rows to validate on with themselves as targets."""
    if isinstance(validation, tuple):
        raise ValueError("validation of an Autoencoder is rows X alone, got a tuple.")
    return None if validation is None else (validation, validation)
