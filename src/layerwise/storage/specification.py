"""A network's specification as plain data, and back, checking every value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from ..errors import StorageError, check_number
from ..network import Layer, Network
from ..ops import Expression
from ..rules import activations, initialisation, outputs
from ..rules.activations import Activation
from ..rules.initialisation import Initialisation
from ..rules.outputs import Output
from ..rules.penalties import L1, L2, Penalty, Term
from .reading import refusing

#: What is stored by name.
PENALTIES: Final[dict[str, Callable[[float], Penalty]]] = {"l1": L1, "l2": L2}
#: More than anyone means: what has more would only keep the reader busy.
MOST_LAYERS: Final = 2000
MOST_STEPS: Final = 5000


def network_to_data(net: Network) -> dict[str, Any]:
    """Return the specification as lists, words and numbers.

    >>> network_to_data(Network(4, [3], 2, hidden="tanh"))["layers"][0]["activation"]
    'tanh'

    Raises
    ------
    StorageError
        If the output is neither built in nor of one formula: its rules are Python functions, and those are not stored.
    """
    return {
        "inputs": net.inputs,
        "layers": [
            {
                "units": layer.units,
                "activation": activation_to_data(layer.activation),
                "dropout": layer.dropout,
                "batch_norm": layer.batch_norm,
                "initialisation": _initialisation_to_data(layer.initialisation),
                "activity": [_term_to_data(term) for term in layer.activity.terms],
            }
            for layer in net.layers
        ],
        "outputs": net.outputs,
        "output": output_to_data(net.output),
        "initialisation": _initialisation_to_data(net.output_initialisation),
        "input_dropout": net.input_dropout,
        "input_noise": net.input_noise,
        "tied": net.tied,
    }


def network_from_data(data: Mapping[str, Any]) -> Network:
    """Rebuild a network from `network_to_data`.

    Raises
    ------
    StorageError
        If anything is missing or cannot be.
    """
    with refusing("network", "a specification as Layerwise writes it"):
        if len(data["layers"]) > MOST_LAYERS:
            raise ValueError(f"{len(data['layers'])} layers")
        layers = [
            Layer(
                layer["units"],
                activation_from_data(layer["activation"]),
                layer["dropout"],
                layer["batch_norm"],
                _initialisation_from_data(layer["initialisation"]),
                Penalty(tuple(_term_from_data(term) for term in layer.get("activity", []))),
            )
            for layer in data["layers"]
        ]
        return Network(
            data["inputs"], layers, data["outputs"], output=output_from_data(data["output"]),
            initialisation=_initialisation_from_data(data["initialisation"]),
            input_dropout=data.get("input_dropout", 0.0), input_noise=data.get("input_noise", 0.0),
            tied=data.get("tied", False),  # none of the three is in old files, nor is "activity" above
        )  # fmt: skip


def expression_from_data(data: Any) -> Expression:
    """Rebuild a formula, unless it is absurdly long."""
    if len(data["steps"]) > MOST_STEPS:
        raise ValueError(f"a formula of {len(data['steps'])} steps")
    return Expression.from_data(data)


def activation_to_data(g: Activation) -> Any:
    """Return the name of a built-in activation, or the formulas of another."""
    if activations.TABLE.get(g.name) == g:
        return g.name
    data: dict[str, Any] = {"name": g.name, "g": g.g.to_data(), "derivative": g.derivative.to_data()}
    if g.range != (-math.inf, math.inf):
        data["range"] = [_bound_to_data(bound) for bound in g.range]
    if g.kinks is not None:
        data["kinks"] = [list(kink) for kink in g.kinks]
    return data


def activation_from_data(data: Any) -> Activation | str:
    """Rebuild an activation from `activation_to_data`; its errors are those of wrong data."""
    if isinstance(data, str):
        return data
    g, derivative = expression_from_data(data["g"]), expression_from_data(data["derivative"])
    if len(g.inputs) != 1 or derivative.inputs != ("a", "h") or len(g.outputs) != 1 or len(derivative.outputs) != 1:
        raise ValueError(f"an activation of {g.inputs} with a derivative of {derivative.inputs}")
    low, high = (_bound_from_data(bound) for bound in data.get("range", ["-inf", "inf"]))
    kinks = None
    if "kinks" in data:
        kinks = tuple((_bound_from_data(a), _bound_from_data(slope)) for a, slope in data["kinks"])
    return Activation(str(data["name"]), g, derivative, (low, high), kinks)


def _bound_to_data(value: float) -> Any:
    return float(value) if math.isfinite(value) else repr(float(value))


def _bound_from_data(data: Any) -> float:
    if data in ("inf", "-inf"):
        return float(data)
    check_number("range", data)
    return float(data)


def output_to_data(o: Output) -> Any:
    """Return the name of an output, or what makes it; a StorageError for one of the user's own Python functions."""
    if outputs.TABLE.get(o.name) == o:
        return o.name
    settings = dict(o.settings)
    if o.maker not in outputs.MAKERS or outputs.MAKERS[o.maker](**settings) != o:
        raise StorageError(
            where="output", expected="one of " + ", ".join(outputs.TABLE) + ", or one that Layerwise makes",
            got=f"an own one, {o.name!r}", remedy="write its loss as Output.own, or keep theta.vector by other means",
        )  # fmt: skip
    data = {key: value.to_data() if isinstance(value, Expression) else value for key, value in settings.items()}
    return {"maker": o.maker, **data}


def output_from_data(data: Any) -> Output | str:
    """Rebuild an output from `output_to_data`; its errors are those of wrong data."""
    if isinstance(data, str):
        return data
    settings = dict(data)
    make = outputs.MAKERS[settings.pop("maker")]
    if make is outputs.MAKERS["own"]:
        settings["loss"] = expression_from_data(settings["loss"])
    return make(**settings)


def _term_to_data(term: Term) -> dict[str, Any]:
    data = {"name": term.name, "strength": term.strength}
    if any(term == built_in(term.strength).terms[0] for built_in in PENALTIES.values()):
        return data
    return data | {"omega": term.omega.to_data(), "slope": term.slope.to_data()}


def _term_from_data(data: Any) -> Term:
    check_number("activity", data["strength"], at_least=0)
    if "omega" not in data and "slope" not in data:
        return PENALTIES[data["name"]](data["strength"]).terms[0]
    omega, slope = expression_from_data(data["omega"]), expression_from_data(data["slope"])
    if any((len(formula.inputs), len(formula.outputs)) != (1, 1) for formula in (omega, slope)):
        raise ValueError(f"a penalty of {omega.inputs} with a slope of {slope.inputs}")
    return Term(str(data["name"]), float(data["strength"]), omega, slope)


def _initialisation_to_data(rule: Initialisation) -> Any:
    return rule.name if initialisation.TABLE.get(rule.name) == rule else asdict(rule)


def _initialisation_from_data(data: Any) -> Initialisation | str:
    if isinstance(data, str):
        return data
    match data:
        case {"name": str(name), "distribution": "uniform" | "normal" | "constant", "fan": "in" | "mean"}:
            check_number("gain", data["gain"])
            return Initialisation(name, data["distribution"], float(data["gain"]), data["fan"])
    raise ValueError(f"an initialisation of {data!r}")
