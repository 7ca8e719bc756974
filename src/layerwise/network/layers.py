"""One hidden layer's specification, and arrays indexed by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import LayerIndexError, check_number
from ..rules.activations import Activation, activation
from ..rules.initialisation import Initialisation, initialisation
from ..rules.penalties import Penalty, as_penalty


@dataclass(frozen=True, init=False)
class Layer:
    """A hidden layer k: affine -> batch normalisation (if asked for) -> g -> dropout (if asked for).

    Parameters
    ----------
    units : int
        Number of units, at least 1.
    activation : str, Activation or callable
        g: a name, or ``lambda s, a: ...``.
    dropout : float
        Probability, in [0, 1), that a unit is left out in training.
    batch_norm : bool
        Normalise the pre-activation over the batch.
    initialisation : str, float or Initialisation
        How W is drawn.
    activity : Penalty, optional
        A penalty on h^(k), before its dropout mask: in training each row adds strength * sum over units of omega(h) to
        its loss, counted by its weight like the loss, and reported within the penalty. ``lw.L1(1e-3)`` makes codes
        sparse.

    Examples
    --------
    >>> Layer(100, "tanh", dropout=0.5).activation.name
    'tanh'
    """

    units: int
    activation: Activation
    dropout: float
    batch_norm: bool
    initialisation: Initialisation
    activity: Penalty

    def __init__(
        self, units: int, activation: Any = "relu", dropout: float = 0.0, batch_norm: bool = False,
        initialisation: str | float | Initialisation = "glorot_uniform", activity: Penalty | None = None,
    ) -> None:  # fmt: skip
        check_number("units of a layer", units, at_least=1, whole=True)
        check_number("dropout", dropout, at_least=0, below=1)
        settings = {
            "units": int(units), "activation": _activation(activation), "dropout": float(dropout),
            "batch_norm": bool(batch_norm), "initialisation": _initialisation(initialisation),
            "activity": as_penalty(activity, "activity"),
        }  # fmt: skip
        for name, value in settings.items():
            object.__setattr__(self, name, value)


_activation, _initialisation = activation, initialisation


class ByLayer(dict[int, Any]):
    """Arrays by the number k of their layer, as in the course: ``W[1]`` is the first layer's.

    Assigning to one writes into it.

    >>> ByLayer("W", {1: "first", 2: "second"})[1]
    'first'
    >>> ByLayer("W", {1: "first", 2: "second"})[0]
    Traceback (most recent call last):
    layerwise.errors.LayerIndexError: W: expected a layer k among 1, 2, got 0; layers count from 1, h from 0
    """

    def __init__(self, name: str, arrays: dict[int, Any]) -> None:
        super().__init__(arrays)
        self.name = name

    def __setitem__(self, k: int, value: Any) -> None:
        self[k][...] = value  # into the array, so that views stay views

    def __missing__(self, k: int) -> Any:
        known = ", ".join(str(i) for i in self) or "none (this network has no such stage)"
        raise LayerIndexError(
            where=self.name, expected=f"a layer k among {known}", got=repr(k), remedy="layers count from 1, h from 0"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return ByLayer, (self.name, dict(self))
