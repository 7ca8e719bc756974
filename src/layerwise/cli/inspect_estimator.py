"""What `layerwise inspect` shows of an estimator that was saved."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def estimator_facts(estimator: Any) -> dict[str, Any]:
    """Return what an estimator is: its kind, the parameters that are not the default, features, networks, training.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or Autoencoder
        Fitted.
    """
    usual = type(estimator)().get_params()
    changed = {name: value for name, value in estimator.get_params().items() if repr(value) != repr(usual[name])}
    members = getattr(estimator, "members_", None) or [estimator]
    net = members[0].network_
    classes = getattr(estimator, "classes_", None)
    facts: dict[str, Any] = {
        "estimator": type(estimator).__name__,
        "parameters": {name: str(value) for name, value in changed.items()},
        "features": int(estimator.n_features_in_),
        "feature_names": [str(name) for name in getattr(estimator, "feature_names_in_", ())],
        "network": {
            "sizes": list(net.sizes),
            "activations": [layer.activation.name for layer in net.layers],
            "output": net.output.name,
            "parameters": net.n_parameters,
            "members": len(members),
        },
        "training": {"epochs": int(members[0].n_iter_), "loss": float(members[0].loss_)},
    }
    if classes is not None:
        facts["classes"] = [str(name) for name in classes]
    stopped = getattr(members[0], "stopped_", None)
    return facts if stopped is None else facts | {"training": {**facts["training"], "stopped": str(stopped)}}


def show_estimator(console: Console, facts: dict[str, Any]) -> None:
    """Print the facts as a table."""
    net, training = facts["network"], facts["training"]
    names = ", ".join(facts["feature_names"][:12]) + ", ..." * (len(facts["feature_names"]) > 12)
    members = f", {net['members']} of them" if net["members"] > 1 else ""
    rules = ", ".join(dict.fromkeys([*net["activations"], net["output"]]))
    rows = {
        "estimator": facts["estimator"],
        "parameters": ", ".join(f"{name}={value}" for name, value in facts["parameters"].items()) or "the default ones",
        "features": f"{facts['features']}" + (f": {names}" if names else ", without names"),
        "classes": ", ".join(facts.get("classes", [])[:20]),
        "network": f"{'-'.join(map(str, net['sizes']))} {rules}; {net['parameters']:,} parameters{members}",
        "training": f"{training['epochs']} epochs, loss {training['loss']:.4g}"
        + (f", ended by {training['stopped']}" if "stopped" in training else ""),
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        if value:
            table.add_row(f"[bold]{name}[/]", escape(value))
    console.print(table)
