"""Parameters: theta as one flat vector, with named views of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..ops.memory import aligned
from .layers import ByLayer
from .specification import Network, Segment

if TYPE_CHECKING:
    from .prediction import PreparedPrediction


@final
class Parameters:
    """theta = (W^(1), b^(1), ..., W^(L+1), b^(L+1)) and the statistics of batch normalisation.

    Parameters
    ----------
    network : Network
    vector : array (P,)
        Kept, not copied; the views write into it.
    statistics : array (S,), optional
        Running means and variances; 0 and 1 if not given.

    Attributes
    ----------
    W, b, gamma, beta, running_mean, running_variance : ByLayer
        Views by layer, counted from 1; W[k] is (d_out, d_in). Where weights are tied, W[L+2-k] is W[k]'.

    Examples
    --------
    >>> theta = Network(2, [3], 2).initialize(seed=0)
    >>> theta.b[1][...] = 7.0
    >>> theta.vector[6:9]
    array([7., 7., 7.])
    """

    def __init__(self, network: Network, vector: npt.NDArray[Any], statistics: npt.NDArray[Any] | None = None) -> None:
        if vector.shape != (network.n_parameters,) or vector.dtype not in (np.float32, np.float64):
            raise InputError(
                where="theta.vector", expected=f"({network.n_parameters},) of float32 or float64",
                got=f"{vector.shape} of {vector.dtype}", remedy="take the vector of a network like this one",
            )  # fmt: skip
        self.network = network
        self._vector = vector
        #: Calls that are ready to predict with these parameters, by the shape of X; never copied or pickled.
        self.prepared: dict[tuple[int, ...], list[PreparedPrediction]] = {}
        self._statistics = _fresh_statistics(network, vector.dtype) if statistics is None else statistics
        if self.statistics.shape != (network.n_statistics,) or self.statistics.dtype != vector.dtype:
            raise InputError(
                where="theta.statistics", expected=f"({network.n_statistics},) of {vector.dtype}",
                got=f"{self.statistics.shape} of {self.statistics.dtype}",
                remedy="take the statistics of a network like this one",
            )  # fmt: skip
        self.W, self.b, self.gamma, self.beta = views(network.segments, self.vector, ("W", "b", "gamma", "beta"))
        if network.tied:
            shared = {k: network.weight_of(k) for k in range(1, network.L + 2)}
            self.W = ByLayer("W", {k: self.W[k] if k == j else self.W[j].T for k, j in shared.items()})
        self.running_mean, self.running_variance = views(
            network.statistic_segments, self.statistics, ("running_mean", "running_variance")
        )

    @property
    def vector(self) -> npt.NDArray[Any]:
        """theta as one vector; assigning to it writes into it."""
        return self._vector

    @vector.setter
    def vector(self, values: Any) -> None:
        self._vector[...] = values

    @property
    def statistics(self) -> npt.NDArray[Any]:
        """The running means and variances as one vector; assigning to it writes into it."""
        return self._statistics

    @statistics.setter
    def statistics(self, values: Any) -> None:
        self._statistics[...] = values

    def copy(self) -> Parameters:
        """Return parameters that share no memory with these."""
        return self.astype(self.vector.dtype)

    def astype(self, dtype: npt.DTypeLike) -> Parameters:
        """Return a copy rounded to float32 or widened to float64."""
        return Parameters(self.network, aligned(self.vector, dtype), self.statistics.astype(dtype))

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameters, (self.network, self.vector, self.statistics)

    def __repr__(self) -> str:
        sizes = "-".join(str(size) for size in self.network.sizes)
        return f"Parameters of {sizes}: {len(self.vector)} of {self.vector.dtype}"


def views(segments: Sequence[Segment], vector: npt.NDArray[Any], names: Sequence[str]) -> list[ByLayer]:
    """Return for each name the views of a flat vector by layer."""
    return [ByLayer(name, {s.k: s.view(vector) for s in segments if s.name == name}) for name in names]


def _fresh_statistics(network: Network, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    statistics = np.zeros(network.n_statistics, dtype)
    for segment in network.statistic_segments:
        segment.view(statistics)[...] = segment.name == "running_variance"
    return statistics
