"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from ..rules.outputs import Output
from .checks import all_finite, checked, checked_numbers
from .ensemble import fit_members, networks_of
from .parameters import CONSTRAINTS
from .perceptron import Perceptron
from .validation import by_size
from .values import LOSSES, check_range, mean_and_deviation, output_of, point, predicted

Array = npt.NDArray[Any]


@final
class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron for one number or several: scikit-learn's MLPRegressor and more.

    Parameters
    ----------
    loss : {"squared_error", "poisson", "absolute_error", "huber", "quantile", "gaussian_nll"}, Output or callable
        Also ``lambda s, f, y: ...``, a formula of the prediction and the target; see `lw.Output.own`.
    hidden_layer_sizes : sequence of int
        Units of the hidden layers; may be empty.
    activation : str, Activation, callable, or a list of them
        g of all hidden layers, or of each: any name that `lw.Activation` knows (relu, tanh, logistic, identity, gelu,
        ...), or ``lambda s, a: ...``.
    solver : {"adam", "sgd", "lbfgs"}
    alpha : float
        Strength of the L2 penalty (alpha / 2) sum W^2, which is divided by the number of rows of the batch.
    batch_size : int or "auto"
        Rows of an update; "auto" is 200, or all if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        For sgd: the rate is kept, divided by t^power_t after every epoch, or divided by 5 when nothing improves.
    learning_rate_init, power_t : float
    max_iter : int
        Epochs, or iterations of lbfgs, at most.
    shuffle : bool
        Whether rows change their order from epoch to epoch.
    random_state : int, RandomState or None
        The same one gives the same result as scikit-learn's estimator, to rounding.
    tol, n_iter_no_change : float, int
        Training ends when the loss (with `early_stopping` the score) was not better by `tol` for more than so many
        epochs in a row.
    verbose, warm_start : bool
    momentum, nesterovs_momentum : float, bool
        For sgd.
    early_stopping : bool
        Watch the score on validation rows, and return the parameters of the best epoch.
    validation_fraction : float
        Of the rows; those are held out.
    beta_1, beta_2, epsilon : float
        For adam.
    max_fun : int
        Evaluations of the loss by lbfgs, at most.
    dropout : float, or a list of them
        Probability that a unit of a hidden layer is left out in training.
    batch_norm : bool
        Normalise pre-activations over the batch.
    l1 : float
        Strength of the L1 penalty l1 sum |W|, divided by the number of rows of the batch as alpha is.
    huber_delta : float
        Where Huber's loss goes from squares to distances.
    quantiles : sequence of float
        The levels for loss="quantile", rising; all of them are predicted at once.
    schedule : str or Schedule, optional
        By what the rate of sgd or adam is multiplied in the course of `max_iter` epochs: "cosine", "step",
        "inverse-time", "coslog4", or such as ``lw.StepDecay(0.5, every=10)``.
    clip_norm : float, optional
        Where the norm of the gradient exceeds it, the gradient is scaled down to it.
    metric : str or callable, optional
        What `early_stopping` watches, more is better: the name of a scikit-learn scorer, a callable (estimator, X, y)
        that may take sample_weight, or "loss" for the negative validation loss; by default R2.
    validation_split : {"scikit-learn", "stratified", "last", "groups"}
        How validation rows are held out: as scikit-learn does it (by chance), in proportion to the sizes of the
        targets; the last ones, for rows in the order of time; or whole groups, with ``fit(groups=...)``.
    callbacks : callable (state) or a list of them
        Called after every epoch with the `TrainingState`; ``state.stop()`` ends training.
    n_ensemble : int
        Networks that differ by their random state and predict together, by the mean of their values.

    Attributes
    ----------
    theta_ : Parameters
    network_ : Network
    coefs_, intercepts_ : list of arrays
        W' (d_in, d_out) and b of each layer; views of `theta_`.
    loss_ : float
        The loss of the last epoch as scikit-learn reports it: penalty included, probabilities clipped, squared
        errors halved and averaged over the columns of y.
    loss_curve_ : list of float
        `loss_` of every epoch; of sgd and adam only, as the next five.
    best_loss_ : float or None
    validation_scores_, validation_loss_curve_ : list of float, or None
        The score and the exact loss on the validation rows after every epoch.
    best_validation_score_ : float or None
    history_ : History
        What happened in every epoch of `fit`: exact losses, penalty and objective apart, the gradient's norm, rates.
    n_iter_, t_ : int
        Epochs of the latest fit, and rows that all training has seen.
    n_layers_, n_outputs_, n_features_in_ : int
    feature_names_in_ : array of str
        Where X has names.
    out_activation_ : str
    stopped_ : str or None
        Why the latest fit ended before `max_iter`: "patience", "callback", "interrupted" or "diverged".
    members_ : list of MLPRegressor
        With ``n_ensemble > 1``, in place of `theta_` and all that belongs to one network.

    Notes
    -----
    Every parameter of scikit-learn's MLPRegressor has its place, meaning and default here, and the same `random_state`
    gives the same initial parameters, order of rows, updates and results, to rounding. Computation is in the type of X,
    float32 or float64. If the loss becomes NaN or infinite, a `DivergenceWarning` says so and the last finite
    parameters are kept.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = MLPRegressor(hidden_layer_sizes=20, learning_rate_init=0.01, max_iter=500, random_state=0)
    >>> regressor.fit(scale(X), scale(y)).score(scale(X), scale(y)) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CONSTRAINTS,
        "loss": [StrOptions(set(LOSSES)), Output, callable],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
        "quantiles": ["array-like"],
    }

    def __init__(
        self, loss: Any = "squared_error", hidden_layer_sizes: Any = (100,), activation: Any = "relu", *,
        solver: str = "adam", alpha: float = 0.0001, batch_size: Any = "auto", learning_rate: str = "constant",
        learning_rate_init: float = 0.001, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
        random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False,
        momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
        validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
        n_iter_no_change: float = 10, max_fun: int = 15000, dropout: Any = 0.0, batch_norm: bool = False,
        l1: float = 0.0, huber_delta: float = 1.0, quantiles: Any = (0.1, 0.5, 0.9), schedule: Any = None,
        clip_norm: Any = None, metric: Any = None, validation_split: str = "scikit-learn", callbacks: Any = None,
        n_ensemble: int = 1,
    ) -> None:  # fmt: skip
        self.loss, self.hidden_layer_sizes, self.activation, self.solver = loss, hidden_layer_sizes, activation, solver
        self.alpha, self.batch_size, self.learning_rate = alpha, batch_size, learning_rate
        self.learning_rate_init, self.power_t, self.max_iter = learning_rate_init, power_t, max_iter
        self.shuffle, self.random_state, self.tol, self.verbose = shuffle, random_state, tol, verbose
        self.warm_start, self.momentum, self.nesterovs_momentum = warm_start, momentum, nesterovs_momentum
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.n_iter_no_change, self.max_fun = n_iter_no_change, max_fun
        self.dropout, self.batch_norm, self.l1, self.metric = dropout, batch_norm, l1, metric
        self.huber_delta, self.quantiles, self.schedule, self.clip_norm = huber_delta, quantiles, schedule, clip_norm
        self.validation_split, self.callbacks, self.n_ensemble = validation_split, callbacks, n_ensemble

    @property
    def out_activation_(self) -> str:
        """What scikit-learn calls the output function: identity, or exp for counts."""
        output = self.network_.output
        link = dict(output.settings).get("link", "identity")
        return "exp" if output.name == "poisson" else str(link)

    def _validated(self, X: Any, y: Any, incremental: bool, first: bool) -> tuple[Any, Array]:
        X, y = checked(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=True,
            dtype=(np.float64, np.float32), reset=first,
        )  # fmt: skip
        y = checked_numbers(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = y[:, None] if y.ndim == 1 else y
        check_range(self._own_output(), y, self.loss)
        return X, y

    def _checked(self, X: Any, y: Any) -> tuple[Any, Array]:
        X, y = self._validated(X, y, True, False)
        if y.shape[1] != self.n_outputs_:
            raise ValueError(f"y of the validation rows has {y.shape[1]} columns; {self.n_outputs_} are trained on.")
        return X, y

    def _decoded(self, y: Array) -> Array:
        return y[:, 0] if y.shape[1] == 1 else y

    def _own_output(self) -> Output:
        return output_of(self.loss, self.huber_delta, self.quantiles)

    def _output(self, y: Array) -> tuple[Output, int]:
        output = self._own_output()
        return output, y.shape[1] * output.columns_per_target

    def _strata(self, y: Array, everywhere: bool) -> Array | None:
        return by_size(y[:, 0]) if everywhere else None

    def _score(self, f: Array, y: Array, weights: Array | None) -> float:
        guess = point(self._fitted_output, f)
        return float(r2_score(y, guess, sample_weight=weights)) if np.isfinite(guess).all() else np.nan

    def _one_target(self) -> Callable[[Any], Array | None]:
        """Return a function of y with a single value, or one row of values."""
        shapes = {(1,), (1, 1)} if self.n_outputs_ == 1 else {(1, self.n_outputs_)}

        def target(y: Any) -> Array | None:
            plain = type(y) is np.ndarray and y.shape in shapes and y.dtype.kind in "fiu" and np.isfinite(y).all()
            return y.reshape(1, -1) if plain else None

        return target

    @property
    def _fitted_output(self) -> Output:
        output: Output = networks_of(self)[0].network_.output
        return output

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted value of each row, or its values.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        return_std : bool
            Also return the standard deviation, of loss="gaussian_nll" or an ensemble.

        Returns
        -------
        array (n,) or (n, n_outputs)
            The mean for gaussian_nll; with several quantiles (n, q), or (n, n_outputs, q).
        deviation : array of the same shape
            If it is asked for.

        Raises
        ------
        ValueError
            If a deviation is asked for that nothing says.
        """
        rows = self._rows_to_predict(X)
        output, networks = self._fitted_output, networks_of(self)
        if return_std and output.name != "gaussian" and len(networks) == 1:
            raise ValueError("return_std=True needs loss='gaussian_nll', or an ensemble: n_ensemble=5, say.")
        fs = [all_finite(network._f(rows)) for network in networks]
        if not return_std:
            return predicted(output, fs[0] if len(fs) == 1 else np.mean(fs, axis=0))
        mean, deviation = mean_and_deviation(output, fs)
        return (mean[:, 0], deviation[:, 0]) if mean.shape[1] == 1 else (mean, deviation)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2 of the predicted values; of several quantiles that of the one nearest to 1/2.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        y : array (n,) or (n, n_outputs)
        sample_weight : array (n,), optional
        """
        guess = point(self._fitted_output, self._predicted(X))
        return float(r2_score(y, guess, sample_weight=sample_weight))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> MLPRegressor:
        """Go once through these rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        y : array (n,) or (n, n_outputs)
        sample_weight : array (n,), optional
        validation : (X, y) or (X, y, sample_weight), optional
            Rows to validate on after this epoch. With `early_stopping`, the parameters go back to the best ones when
            `n_iter_no_change` calls were no better; `stopped_` is "patience" then.

        Returns
        -------
        self
        """
        one_row = self.__dict__.get("_one_row")
        if one_row is not None and sample_weight is None and validation is None and one_row.step(self, X, y):
            return self
        self._validate_params()
        if self.n_ensemble > 1:
            fit_members(self, True, lambda member: member.partial_fit(X, y, sample_weight, validation=validation))
            return self
        self._partial_fit(X, y, sample_weight, validation)
        return self
