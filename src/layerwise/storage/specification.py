"""A network's specification as plain data, and back, checking every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import StorageError
from ..network import Layer, Network
from ..ops import Expression
from ..rules import activations, initialisation
from ..rules.activations import Activation
from ..rules.initialisation import Initialisation


def network_to_data(net: Network) -> dict[str, Any]:
    """Return the specification as lists, words and numbers.

    >>> network_to_data(Network(4, [3], 2, hidden="tanh"))["layers"][0]["activation"]
    'tanh'
    """
    return {
        "inputs": net.inputs,
        "layers": [
            {
                "units": layer.units,
                "activation": _activation_to_data(layer.activation),
                "dropout": layer.dropout,
                "batch_norm": layer.batch_norm,
                "initialisation": _initialisation_to_data(layer.initialisation),
            }
            for layer in net.layers
        ],
        "outputs": net.outputs,
        "output": net.output.name,
        "initialisation": _initialisation_to_data(net.output_initialisation),
    }


def network_from_data(data: Mapping[str, Any]) -> Network:
    """Rebuild a network from `network_to_data`.

    Raises
    ------
    StorageError
        If anything is missing or cannot be.
    """
    try:
        layers = [
            Layer(
                layer["units"],
                _activation_from_data(layer["activation"]),
                layer["dropout"],
                layer["batch_norm"],
                layer["initialisation"],
            )
            for layer in data["layers"]
        ]
        return Network(
            data["inputs"], layers, data["outputs"], output=data["output"], initialisation=data["initialisation"]
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise StorageError(
            where="network", expected="a specification as Layerwise writes it", got=str(problem),
            remedy="train the model anew or restore the file",
        ) from problem  # fmt: skip


def _activation_to_data(g: Activation) -> Any:
    if activations.TABLE.get(g.name) == g:
        return g.name
    return {"name": g.name, "g": g.g.to_data(), "derivative": g.derivative.to_data()}


def _activation_from_data(data: Any) -> Activation | str:
    if isinstance(data, str):
        return data
    g, derivative = Expression.from_data(data["g"]), Expression.from_data(data["derivative"])
    if len(g.inputs) != 1 or derivative.inputs != ("a", "h") or len(g.outputs) != 1 or len(derivative.outputs) != 1:
        raise ValueError(f"an activation of {g.inputs} with a derivative of {derivative.inputs}")
    return Activation(str(data["name"]), g, derivative)


def _initialisation_to_data(rule: Initialisation) -> str | float:
    return rule.name if rule.name in initialisation.TABLE else rule.gain
