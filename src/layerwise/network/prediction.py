"""Prediction: f(x) of any number of rows, and of few rows through calls that are prepared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import numpy.typing as npt

from ..engines import engine_settings
from .inputs import check_inputs, check_parameters
from .parameters import Parameters
from .programs import PREDICT, executable, predict_rows, vectors_of

if TYPE_CHECKING:
    from .specification import Network

Array = npt.NDArray[Any]
#: Rows, and entries of them, up to which calls are prepared: the time of larger ones is their computation's.
FEW_ROWS: Final = 256
FEW_ENTRIES: Final = 8192
#: Shapes of X for which calls are kept.
SHAPES: Final = 8


@final
class PreparedPrediction:
    """f(x) of so many rows, for one theta, on the engine that the environment chooses now."""

    __slots__ = ("call", "f", "network", "run_on", "settings")

    def __init__(self, net: Network, theta: Parameters, n: int) -> None:
        self.network, self.settings = net, engine_settings()
        self.call = executable(net, PREDICT, theta.vector.dtype).prepare(vectors_of(theta), n)
        self.f, self.run_on = self.call.outputs["f"], self.call.run_on


def predict(net: Network, theta: Parameters, X: Any) -> Array:
    """Return f(x) of every row; see `Network.predict`.

    Rows of a shape that came before go through a call prepared for it, unless one of them needs a closer look. Calls
    are kept with theta. Whoever uses one takes it out meanwhile, so that no two threads use the same.
    """
    if type(X) is np.ndarray and type(theta) is Parameters and (calls := theta.prepared.get(X.shape)):
        try:
            prepared = calls.pop()
        except IndexError:  # another thread was quicker
            return _predict(net, theta, X)
        if prepared.network is net and prepared.settings == engine_settings():
            if prepared.run_on(X):
                f: Array = prepared.f.copy()
                calls.append(prepared)
                return f
            calls.append(prepared)
    return _predict(net, theta, X)


def _predict(net: Network, theta: Parameters, X: Any) -> Array:
    check_parameters(theta, net)
    checked = check_inputs(X, net, sparse=True)
    f = predict_rows(net, theta, checked)
    if checked is X and len(X) <= FEW_ROWS and X.size <= FEW_ENTRIES:
        _remember(net, theta, X.shape)
    return f


def _remember(net: Network, theta: Parameters, shape: tuple[int, ...]) -> None:
    """Prepare a call when a shape comes for the second time: what is done only once is not worth it."""
    calls = theta.prepared.get(shape)
    if calls is None:
        if len(theta.prepared) >= SHAPES:
            theta.prepared.clear()
        theta.prepared[shape] = []
    elif not calls:  # or threads have taken all of them: then there is one more
        calls.append(PreparedPrediction(net, theta, shape[0]))
