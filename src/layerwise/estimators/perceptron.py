"""What the multilayer perceptrons share: parameters, checks, and how a fit goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from numbers import Integral
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..engines import Source
from ..network import Layer, Network, Parameters
from ..network.programs import predict_rows
from ..ops.memory import aligned
from ..rules.outputs import Output
from ..rules.penalties import L1, L2, Penalty
from ..rules.updates import Update
from ..training.history import History
from ..training.state import TrainingState, start
from . import epochs, lbfgs
from .arrays import LayerArrays, coefs_of, intercepts_of, replace_all
from .checks import all_finite, checked, checked_weights
from .combinations import check_together
from .ensemble import check_count, fit_members, networks_of
from .epochs import Rows
from .hidden import HiddenLayers
from .online import OneRow
from .parameters import CONSTRAINTS
from .scikit import ScikitAdam, ScikitSGD, draw_parameters, with_rate, with_reported_loss
from .storing import Stored, check_nothing_is_missing
from .validation import Weights, divided, rows_of

Array = npt.NDArray[Any]
STOCHASTIC: Final = ("sgd", "adam")
#: What belongs to this process and this moment, and is made anew where it is missing.
NOT_KEPT: Final = ("_one_row", "_interrupted")
#: What only some fits leave behind.
FITTED: Final = (
    "members_", "loss_curve_", "validation_loss_curve_", "validation_scores_", "best_validation_score_", "best_loss_",
    "history_", "temperature_", "_rate_given", "_one_row",
)  # fmt: skip


class Perceptron(HiddenLayers, Stored, BaseEstimator, ABC):  # type: ignore[misc]
    """The base of `MLPClassifier`, `MLPRegressor` and `Autoencoder`.

    A kind of estimator says what its targets are (`_validated`), which output the network has (`_output`) and how good
    predictions are (`_score`).
    """

    #: Groups that are routed for the folds of a search do not go to `fit` as well, unless it is asked to take them.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": False}
    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    _watch: epochs.Watch

    # --- what is fitted -----------------------------------------------------------------------------------------------

    @property
    def network_(self) -> Network:
        """The network."""
        return self._theta().network

    @property
    def coefs_(self) -> LayerArrays:
        """W' of every layer, (d_in, d_out) each: views of `theta_`, which may be written into."""
        return coefs_of(self._theta())

    @coefs_.setter
    def coefs_(self, values: Sequence[Any]) -> None:
        replace_all(self.coefs_, values)

    @property
    def intercepts_(self) -> LayerArrays:
        """b of every layer: views of `theta_`, which may be written into."""
        return intercepts_of(self._theta())

    @intercepts_.setter
    def intercepts_(self, values: Sequence[Any]) -> None:
        replace_all(self.intercepts_, values)

    def _theta(self) -> Parameters:
        theta: Parameters | None = self.__dict__.get("theta_")
        if theta is None:
            what = "is an ensemble; look at its members_" if self.__dict__.get("members_") else "is not fitted yet"
            raise AttributeError(f"This {type(self).__name__} {what}.")
        return theta

    def __sklearn_is_fitted__(self) -> bool:
        return "theta_" in self.__dict__ or "members_" in self.__dict__

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in NOT_KEPT}

    # --- what a kind of estimator says --------------------------------------------------------------------------------

    @abstractmethod
    def _validated(self, X: Any, y: Any, incremental: bool, first: bool) -> tuple[Any, Array]:
        """Return X and y after all checks, y as the network takes it; set what is known of the targets."""

    @abstractmethod
    def _checked(self, X: Any, y: Any) -> tuple[Any, Array]:
        """Return further rows after all checks, y as the network takes it."""

    @abstractmethod
    def _decoded(self, y: Array) -> Array:
        """Return targets as the user gave them, of those that the network takes."""

    @abstractmethod
    def _output(self, y: Array) -> tuple[Output, int]:
        """Return the network's output and its number of columns."""

    @abstractmethod
    def _strata(self, y: Array, everywhere: bool) -> Array | None:
        """Return what validation rows are drawn in proportion to: as in scikit-learn, or for all targets."""

    @abstractmethod
    def _score(self, f: Array, y: Array, weights: Array | None) -> float:
        """Return how good outputs f are for targets y as the network takes them; more is better."""

    @abstractmethod
    def _one_target(self) -> Callable[[Any], Array | None] | None:
        """Return what turns one plain label or value into what the network takes; None if rows need a closer look."""

    def _check_parts(self, y: Array, held_out: Array) -> None:
        """Say so if a part of the rows cannot stand for all."""

    def _finish(self, rows: Rows) -> None:
        """Do what comes after the last epoch of a fit."""

    def _weights(self, X: Any, y: Array, sample_weight: Any, incremental: bool) -> Weights:
        """Return the weights of the rows, if they have any."""
        given = None if sample_weight is None else checked_weights(sample_weight, X)
        return Weights(given, given)

    # --- fit ----------------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None, groups: Any = None) -> Any:
        """Train on these rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        y : array (n,) or (n, n_outputs)
        sample_weight : array (n,), optional
            Normalised within every batch, as scikit-learn does it.
        validation : (X, y) or (X, y, sample_weight), optional
            Rows of your own to validate on after every epoch. With `early_stopping` they take the place of a fraction
            of the training rows.
        groups : array (n,), optional
            The group of each row: validation rows are then whole groups.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or an array cannot be used, or not even the first epoch stays finite.
        """
        if self.n_ensemble > 1:
            fit_members(self, self.warm_start, lambda member: member.fit(
                X, y, sample_weight, validation=validation, groups=groups
            ))  # fmt: skip
            return self
        return self._fit(X, y, sample_weight, validation, groups, incremental=False)

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, validation: Any) -> Any:
        return self._fit(X, y, sample_weight, validation, None, incremental=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: Any, groups: Any, incremental: bool) -> Any:
        check_nothing_is_missing(self)
        before = dict(self.__dict__)
        first = "theta_" not in before or (not self.warm_start and not incremental)
        trains = False
        try:
            check_together(self, validation, groups, incremental)
            if self.warm_start or incremental:
                check_count(self)
            X, y = self._validated(X, y, incremental, first)
            weights = self._weights(X, y, sample_weight, incremental)
            random_state = check_random_state(self.random_state)
            self._prepare(self._network(X.shape[1], self._hidden_sizes(), y, X.dtype), X.dtype, random_state, first)
            if self.solver == "lbfgs":
                trains = True
                self._fit_lbfgs(X, y, weights.of_training)
                return self
            state = self._ready(incremental, random_state)
            rows = divided(self, X, y, weights, validation, groups, random_state)
            trains = True
            epochs.train(self, state, rows, random_state, incremental)
            self._finish(rows)
        except BaseException:
            if first or not trains:  # what has not been trained is as it was
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        self._one_row = OneRow.of(self) if incremental and X.shape[0] == 1 else None
        return self

    def _prepare(self, net: Network, dtype: Any, random_state: np.random.RandomState, first: bool) -> None:
        """Set everything as it is before the first epoch, or make sure that the network is the one asked for."""
        if self.solver == "lbfgs" and (net.normalises or net.draws):
            raise ValueError("batch_norm, dropout and noise need solver='sgd' or 'adam', not 'lbfgs'.")
        if first:
            self._begin(net, dtype, random_state)
        elif _asked_for(net) != _asked_for(self.network_):
            there = self.network_
            if net.outputs != there.outputs:
                raise ValueError(f"y asks for {net.outputs} columns of outputs; {there.outputs} are trained.")
            raise ValueError(
                f"warm_start and partial_fit go on with the network that is there, {there.sizes}; the parameters given "
                f"now ask for {net.sizes} or other layers, or another loss. Call fit with warm_start=False."
            )
        self.__dict__.pop("temperature_", None)  # found for parameters that are about to change
        if self.solver != "lbfgs" and "history_" not in self.__dict__:
            self._begin_epochs(net)
        if self.solver != "lbfgs" and self._watch.metric == epochs.LEFT_OUT:
            self._watch.metric = self.metric
        if self.solver != "lbfgs" and self._watch.metric is not self.metric:
            self._watch = epochs.Watch(metric=self.metric)  # scores of two metrics do not compare

    def _hidden_sizes(self) -> list[int]:
        given = self.hidden_layer_sizes
        sizes: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
        if not all(isinstance(size, Integral) and not isinstance(size, bool) for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be whole numbers, one a layer, got {sizes}.")
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return sizes

    def _network(self, inputs: int, sizes: list[int], y: Array, dtype: Any) -> Network:
        """Return the network that the parameters ask for."""
        output, columns = self._output(y)
        return network_of(inputs, self._layers(sizes), columns, with_reported_loss(output, dtype, columns))

    def _layers(self, sizes: list[int]) -> tuple[Layer, ...]:
        activations = _one_a_layer("activation", self.activation, len(sizes))
        dropouts = _one_a_layer("dropout", self.dropout, len(sizes))
        each = zip(sizes, activations, dropouts, strict=True)
        return tuple(Layer(units, g, p, self.batch_norm) for units, g, p in each)

    def _begin(self, net: Network, dtype: Any, random_state: np.random.RandomState) -> None:
        """Set everything as it is before the first epoch."""
        for name in FITTED:
            self.__dict__.pop(name, None)
        self.theta_ = draw_parameters(net, dtype, random_state)
        self._state: TrainingState | None = None
        self.n_iter_ = self.t_ = 0
        self.n_outputs_ = net.targets if net.output.target == "numbers" else net.outputs
        self.n_layers_ = net.L + 2
        self.stopped_: str | None = None

    def _begin_epochs(self, net: Network) -> None:
        """Set what only epochs leave behind as it is before the first of them."""
        self._watch = epochs.Watch(metric=self.metric)
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] | None = None
        self.history_ = History(net.output.metric)
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: float | None = -np.inf if self.early_stopping else None
        self.best_loss_: float | None = None if self.early_stopping else np.inf

    def _update(self) -> Update:
        if self.solver == "adam":
            return ScikitAdam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        nesterov = self.nesterovs_momentum and self.momentum > 0
        return ScikitSGD(self.learning_rate_init, self.momentum, nesterov)

    def _penalty(self) -> Penalty:
        """Return the penalty for a batch whose weights sum to 1."""
        return (L2(self.alpha / 2) if self.alpha else Penalty()) + (L1(self.l1) if self.l1 else Penalty())

    def _ready(self, incremental: bool, random_state: np.random.RandomState) -> TrainingState:
        """Return the state of training: a new one, or the last one with the settings of now."""
        update, penalty, theta = self._update(), self._penalty(), self.theta_
        state, given = self._state, self.__dict__.get("_rate_given")
        self._rate_given = update.rate
        if state is None or state.parameters is not theta:
            net, dtype = theta.network, theta.vector.dtype
            seed = int(random_state.randint(np.iinfo(np.int32).max)) if net.draws else 0
            state = start(net, update=update, penalty=penalty, dtype=dtype, seed=seed, clip_norm=self.clip_norm)
            state.parameters, state.history, self._state = theta, self.history_, state
            return state
        kept = state.settings.update
        if incremental and type(kept) is type(update) and given == update.rate:
            update = with_rate(update, kept.rate)  # as far as it has come down
        state.settings = replace(state.settings, update=update, penalty=penalty, clip_norm=self.clip_norm)
        for name in update.memory:
            if name not in state.update_state:
                state.update_state[name] = aligned(0.0, theta.vector.dtype, theta.network.n_parameters)
        if not incremental:
            for memory in state.update_state.values():
                memory[...] = update.initial_memory
            state.memory_since = state.steps
        return state

    def _fit_lbfgs(self, X: Any, y: Array, weights: Array | None) -> None:
        n = X.shape[0]
        total = float(n if weights is None else weights.sum())
        counts = None if weights is None else weights * (n / total)
        theta = self.theta_
        source = Source(rows_of(X), y, counts)
        penalty = Penalty(tuple(replace(term, strength=term.strength / total) for term in self._penalty().terms))
        self.loss_, self.n_iter_, interrupted = lbfgs.minimise(
            theta, source, penalty, max_iter=self.max_iter, max_fun=self.max_fun, tol=self.tol,
            verbose=bool(self.verbose),
        )  # fmt: skip
        self.stopped_ = "interrupted" if interrupted else None
        if not np.isfinite(theta.vector).all():
            raise ValueError(epochs.NOT_FINITE)

    # --- predict ------------------------------------------------------------------------------------------------------

    def _f(self, X: Any) -> Array:
        """Return f(x) of rows that are checked already; of an ensemble the mean."""
        networks = networks_of(self)
        if networks != [self]:
            mean: Array = np.mean([network._f(X) for network in networks], axis=0)
            return mean
        return predict_rows(self.network_, self.theta_, X)

    def _predicted(self, X: Any) -> Array:
        """Return f(x) after all checks, of the rows and of what came out."""
        return all_finite(self._f(self._rows_to_predict(X)))

    def _rows_to_predict(self, X: Any) -> Any:
        """Return X after all checks, as engines take it."""
        check_is_fitted(self)
        return rows_of(checked(self, X, accept_sparse=["csr", "csc"], reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def _curve(self, name: str) -> list[float]:
        """Return a list with an entry an epoch, made when it is first needed."""
        if self.__dict__.get(name) is None:
            self.__dict__[name] = []
        curve: list[float] = self.__dict__[name]
        return curve

    @property
    def _feature_layer(self) -> int:
        """The hidden layer whose units `transform` gives if no other is asked for."""
        return self.network_.L

    def _callbacks(self) -> Sequence[Callable[[TrainingState], object]]:
        given = self.callbacks
        return () if given is None else (given,) if callable(given) else tuple(given)


@lru_cache(maxsize=64)
def network_of(inputs: int, layers: tuple[Layer, ...], outputs: int, output: Output, **settings: Any) -> Network:
    """Return a network; the same one for the same specification, with the programs that were made for it."""
    return Network(inputs, layers, outputs, output=output, **settings)


def _asked_for(net: Network) -> Network:
    """Return the network without what is only reported, which depends on the type of X."""
    return Network(
        net.inputs, net.layers, net.outputs, output=replace(net.output, reported=None), tied=net.tied,
        input_dropout=net.input_dropout, input_noise=net.input_noise,
    )  # fmt: skip


def _one_a_layer(name: str, given: Any, L: int) -> list[Any]:
    """Return one entry a hidden layer, of one for all or a list of them."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        return [given] * L
    entries = list(given)
    if len(entries) != L:
        raise ValueError(f"{name} has {len(entries)} entries for {L} hidden layers; give one each, or one for all.")
    return entries
