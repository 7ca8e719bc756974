"""Training within a check: Ctrl-C ends the whole diagnosis, where `fit` alone would go on with what it has."""

from __future__ import annotations

from typing import Any

from ..network import Network
from ..training.fit import Model, fit


def fit_to_the_end(net: Network, X: Any, y: Any, **settings: Any) -> Model:
    """Train as `fit` does; raise KeyboardInterrupt where that was ended by Ctrl-C."""
    model = fit(net, X, y, **settings)
    if model.state is not None and model.state.stopped == "interrupted":
        raise KeyboardInterrupt
    return model
