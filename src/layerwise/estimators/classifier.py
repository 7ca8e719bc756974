"""MLPClassifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels

from ..rules.outputs import Output
from .calibration import fit_temperature, preactivations, probabilities
from .checks import checked, checked_weights
from .class_weights import with_class_weights
from .ensemble import fit_members
from .epochs import Rows
from .labels import Labels, columns_of
from .parameters import CONSTRAINTS
from .perceptron import Perceptron
from .validation import Weights

Array = npt.NDArray[Any]


@final
class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron for classes or several labels at once: scikit-learn's MLPClassifier and more.

    Parameters
    ----------
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
    label_smoothing : float
        e in [0, 1): targets are (1 - e) e(y) + e / C (Szegedy et al. 2016).
    schedule : str or Schedule, optional
        By what the rate of sgd or adam is multiplied in the course of `max_iter` epochs: "cosine", "step",
        "inverse-time", "coslog4", or such as ``lw.StepDecay(0.5, every=10)``.
    class_weight : dict, "balanced", a list of dicts or None
        By what each class multiplies the weights of its rows in training; "balanced" counts all classes alike. Of
        several answers a list, one for each.
    clip_norm : float, optional
        Where the norm of the gradient exceeds it, the gradient is scaled down to it.
    metric : str or callable, optional
        What `early_stopping` watches, more is better: the name of a scikit-learn scorer, a callable (estimator, X, y)
        that may take sample_weight, or "loss" for the negative validation loss; by default accuracy.
    validation_split : {"scikit-learn", "stratified", "last", "groups"}
        How validation rows are held out: as scikit-learn does it (in proportion only for two classes), in
        proportion to all classes; the last ones, for rows in the order of time; or whole groups, with
        ``fit(groups=...)``.
    calibrate : bool
        Divide pre-activations by the temperature that makes the validation rows most likely.
    callbacks : callable (state) or a list of them
        Called after every epoch with the `TrainingState`; ``state.stop()`` ends training.
    n_ensemble : int
        Networks that differ by their random state and predict together, by the mean of their probabilities.

    Attributes
    ----------
    classes_ : array (n_classes,), or a list of arrays
    theta_ : Parameters
    network_ : Network
    coefs_, intercepts_ : list of arrays
        W' (d_in, d_out) and b of each layer; views of `theta_`.
    loss_ : float
        The loss of the last epoch as scikit-learn reports it: penalty included, probabilities clipped.
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
    temperature_ : float
        With `calibrate`.
    members_ : list of MLPClassifier
        With ``n_ensemble > 1``, in place of `theta_` and all that belongs to one network.

    Notes
    -----
    Every parameter of scikit-learn's MLPClassifier has its place, meaning and default here, and the same `random_state`
    gives the same initial parameters, order of rows, updates and results, to rounding. Computation is in the type of X,
    float32 or float64. If the loss becomes NaN or infinite, a `DivergenceWarning` says so and the last finite
    parameters are kept.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = MLPClassifier(64, random_state=0, early_stopping=True)
    >>> classifier.fit(X[:1500] / 16, y[:1500]).score(X[1500:] / 16, y[1500:]) > 0.85
    True
    """

    loss = "log_loss"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CONSTRAINTS,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "calibrate": ["boolean"],
    }

    def __init__(
        self, hidden_layer_sizes: Any = (100,), activation: Any = "relu", *, solver: str = "adam",
        alpha: float = 0.0001, batch_size: Any = "auto", learning_rate: str = "constant",
        learning_rate_init: float = 0.001, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
        random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False,
        momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
        validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
        n_iter_no_change: float = 10, max_fun: int = 15000, dropout: Any = 0.0, batch_norm: bool = False,
        l1: float = 0.0, class_weight: Any = None, label_smoothing: float = 0.0, schedule: Any = None,
        clip_norm: Any = None, metric: Any = None, validation_split: str = "scikit-learn", calibrate: bool = False,
        callbacks: Any = None, n_ensemble: int = 1,
    ) -> None:  # fmt: skip
        self.hidden_layer_sizes, self.activation = hidden_layer_sizes, activation
        self.solver, self.alpha = solver, alpha
        self.batch_size, self.learning_rate, self.learning_rate_init = batch_size, learning_rate, learning_rate_init
        self.power_t, self.max_iter, self.shuffle, self.random_state = power_t, max_iter, shuffle, random_state
        self.tol, self.verbose, self.warm_start, self.momentum = tol, verbose, warm_start, momentum
        self.nesterovs_momentum, self.early_stopping = nesterovs_momentum, early_stopping
        self.validation_fraction, self.beta_1, self.beta_2 = validation_fraction, beta_1, beta_2
        self.epsilon, self.n_iter_no_change, self.max_fun = epsilon, n_iter_no_change, max_fun
        self.dropout, self.batch_norm, self.l1, self.class_weight = dropout, batch_norm, l1, class_weight
        self.label_smoothing, self.schedule, self.clip_norm = label_smoothing, schedule, clip_norm
        self.metric, self.validation_split, self.calibrate = metric, validation_split, calibrate
        self.callbacks, self.n_ensemble = callbacks, n_ensemble

    # --- targets ------------------------------------------------------------------------------------------------------

    @property
    def out_activation_(self) -> str:
        """What scikit-learn calls the output function: softmax, or logistic for two classes and for labels."""
        return "logistic" if self.network_.output.name == "sigmoid" else "softmax"

    @property
    def classes_(self) -> Any:
        """The classes, in the order of `predict_proba`; of several answers a list of arrays."""
        labels: Labels | None = self.__dict__.get("_labels")
        if labels is None:
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return labels.classes

    def _validated(self, X: Any, y: Any, incremental: bool, first: bool) -> tuple[Any, Array]:
        X, y = checked(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32), reset=first
        )
        y = columns_of(y)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = Labels(y)
        elif incremental:
            self._labels.check(y, "`y`")
        elif not self._labels.same_as(y):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {np.unique(y) if self._labels.kind == 'several' else unique_labels(y)}"
            )
        return X, self._labels.encoded(y)

    def _checked(self, X: Any, y: Any) -> tuple[Any, Array]:
        X, y = checked(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32), reset=False
        )
        y = columns_of(y)
        self._labels.check(y, "`y` of the validation rows")
        return X, self._labels.encoded(y)

    def _weights(self, X: Any, y: Array, sample_weight: Any, incremental: bool) -> Weights:
        given = super()._weights(X, y, sample_weight, incremental).given
        if self.class_weight is None:
            return Weights(given, given)
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit, which never sees all rows. Give a dict of "
                "weights, such as compute_class_weight returns."
            )
        product = with_class_weights(self.class_weight, self._decoded(y), y, given, len(self.classes_))
        return Weights(given, product if incremental else checked_weights(product, X))

    def _decoded(self, y: Array) -> Array:
        return self._labels.decoded(y)

    def _output(self, y: Array) -> tuple[Output, int]:
        for name in ("label_smoothing", "calibrate"):
            if self._labels.kind == "several" and getattr(self, name):
                raise ValueError(f"{name} is for a single answer or for labels, not for several class targets.")
        return self._labels.output(self.label_smoothing)

    def _strata(self, y: Array, everywhere: bool) -> Array | None:
        if y.ndim == 2 and y.shape[1] == 1:
            return y[:, 0]
        return y if everywhere else None  # scikit-learn draws three classes or more by chance

    def _check_parts(self, y: Array, held_out: Array) -> None:
        """Warn of classes that one of the parts lacks: they are not learnt, or not judged."""
        if self._labels.kind not in ("two classes", "classes"):
            return
        for what, part in (("train", y), ("are validated on", held_out)):
            missing = np.setdiff1d(np.arange(len(self.classes_)), part)
            if len(missing):
                warnings.warn(
                    f"None of the rows that {what} is of class {', '.join(map(repr, self.classes_[missing].tolist()))}."
                    " validation_split='stratified' gives every part its share, if there are enough rows.",
                    stacklevel=2,
                )

    def _score(self, f: Array, y: Array, weights: Array | None) -> float:
        return float(np.average(self._labels.right(f, y), weights=weights)) if np.isfinite(f).all() else np.nan

    def _one_target(self) -> Callable[[Any], Array | None] | None:
        """Return a function of y with a single label; labels that it has not seen give None."""
        if self._labels.kind not in ("two classes", "classes"):
            return None
        softmax = self.network_.output.target == "classes"
        made = [np.array([code]) if softmax else np.array([[code]], np.uint8) for code in range(len(self.classes_))]
        known = dict(zip(self.classes_.tolist(), made, strict=True))

        def target(y: Any) -> Array | None:
            if type(y) is np.ndarray:
                return known.get(y.item()) if y.shape == (1,) else None
            return known.get(y[0]) if type(y) is list and len(y) == 1 and type(y[0]) in (int, str) else None

        return target

    def _finish(self, rows: Rows) -> None:
        """Find the temperature, if it is asked for."""
        held_out = rows.validation
        if not self.calibrate or held_out is None:
            return
        a = preactivations(self.theta_, held_out.X)
        self.temperature_ = fit_temperature(a, held_out.y, held_out.weights, held_out.y.ndim == 1)

    # --- predict ------------------------------------------------------------------------------------------------------

    def _f(self, X: Any) -> Array:
        temperature = self.__dict__.get("temperature_")
        if temperature is None:
            return super()._f(X)
        return probabilities(preactivations(self.theta_, X), temperature, self.network_.output.name == "softmax")

    def predict(self, X: Any) -> Array:
        """Return the predicted label of each row, or its labels.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)

        Returns
        -------
        array (n,) or (n, n_labels)
        """
        f = self._predicted(X)
        return self._labels.predicted(f)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class for each row, or of each label; of several answers a list of arrays.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)

        Returns
        -------
        array (n, n_classes)
            In the order of `classes_`.
        """
        f = self._predicted(X)
        return self._labels.probabilities(f)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        if isinstance(probabilities, list):
            return [np.log(part, out=part) for part in probabilities]
        return np.log(probabilities, out=probabilities)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose label is right, or all of whose labels are.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        y : array (n,) or (n, n_labels)
        sample_weight : array (n,), optional
        """
        if hasattr(self, "_labels") and self._labels.kind == "several":
            guess, truth = self.predict(X), np.asarray(y)
            if truth.shape != guess.shape:
                raise ValueError(f"y has the shape {truth.shape}; of these rows it has to be {guess.shape}.")
            return float(np.average((guess == truth).all(axis=1), weights=sample_weight))
        return float(super().score(X, y, sample_weight))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, *, validation: Any = None
    ) -> MLPClassifier:
        """Go once through these rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        y : array (n,) or (n, n_labels)
        sample_weight : array (n,), optional
        classes : array (n_classes,), or a list of them, optional
            All classes that will ever come, of several answers a list; the first call needs them.
        validation : (X, y) or (X, y, sample_weight), optional
            Rows to validate on after this epoch. With `early_stopping`, the parameters go back to the best ones when
            `n_iter_no_change` calls were no better; `stopped_` is "patience" then.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If y has a class that `classes` has not, or the rows cannot be used.
        """
        one_row = self.__dict__.get("_one_row")
        plain = sample_weight is None and classes is None and validation is None
        if plain and one_row is not None and one_row.step(self, X, y):
            return self
        self._validate_params()
        if self.n_ensemble > 1:
            fit_members(self, True, lambda member: member.partial_fit(
                X, y, sample_weight, classes, validation=validation
            ))  # fmt: skip
            return self
        begins = not hasattr(self, "classes_")
        if begins:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._labels = Labels.of_classes(classes, y)
        elif classes is not None and not self._labels.same_classes(classes):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        try:
            self._partial_fit(X, y, sample_weight, validation)
        except BaseException:
            if begins:
                del self._labels
            raise
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags
