"""Hidden layers as features: `transform`, and what its columns are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin
from sklearn.utils._set_output import _get_container_adapter
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ..network.propagation import forward
from ..ops import NumpyOps
from ..training.evaluation import cut
from .checks import all_finite
from .ensemble import networks_of

if TYPE_CHECKING:
    from .perceptron import Perceptron

Array = npt.NDArray[Any]


class HiddenLayers(TransformerMixin, auto_wrap_output_keys=None):  # type: ignore[misc, call-arg]
    """A transformer by its hidden layers.

    ``set_output`` is heeded here and not by scikit-learn, which knows of one number of columns only.
    """

    def transform(self, X: Any, layer: int | None = None) -> Any:
        """Return h^(layer) of every row: what a hidden layer makes of it.

        Parameters
        ----------
        X : array, sparse matrix or data frame (n, n_features)
        layer : int, optional
            Hidden layers count from 1, 0 gives X; the last one by default.

        Returns
        -------
        array (n, units), or the data frame that ``set_output`` asks for
            Of an ensemble the units of all networks side by side.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        est = cast("Perceptron", self)
        rows = est._rows_to_predict(X)
        h = np.concatenate([_of_one(member, rows, layer) for member in networks_of(est)], axis=1)
        adapter = _get_container_adapter("transform", self)
        return h if adapter is None else adapter.create_container(h, X, columns=lambda: self._names(layer, None))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the columns of `transform`: "mlpclassifier0", "mlpclassifier1", ...

        Parameters
        ----------
        input_features : array of str, optional
            Names of the columns of X, as they were in `fit` if that saw any.

        Returns
        -------
        array of str
        """
        check_is_fitted(self)
        return self._names(None, input_features)

    def _names(self, layer: int | None, input_features: Any) -> Array:
        inputs = _check_feature_names_in(self, input_features)
        networks = networks_of(cast("Perceptron", self))
        units = sum(_numbered(member, layer)[1] for member in networks)
        if _numbered(networks[0], layer)[0] == 0 and len(networks) == 1:
            names: Array = inputs
            return names
        return np.array([f"{type(self).__name__.lower()}{unit}" for unit in range(units)], dtype=object)


def _numbered(est: Perceptron, layer: int | None) -> tuple[int, int]:
    """Return k of a layer, and how many units it has."""
    net = est.network_
    k = est._feature_layer if layer is None else layer
    if k not in range(net.L + 1):
        raise ValueError(f"layer has to be one of 0 to {net.L}, got {layer!r}.")
    return int(k), net.sizes[int(k)]


def _of_one(est: Perceptron, rows: Any, layer: int | None) -> Array:
    net, theta, (k, _) = est.network_, est.theta_, _numbered(est, layer)
    ops, pieces = NumpyOps(theta.vector.dtype), []
    for first, end in cut(len(rows), net.piece):
        with np.errstate(all="ignore"):  # what is too large becomes infinite, which is looked at below
            piece = np.asarray(rows[first:end], theta.vector.dtype)
            pieces.append(forward(ops, net, theta, piece).h[k])
    return all_finite(np.concatenate(pieces))
