"""What a model folder holds, as facts: for `layerwise inspect MODEL`."""

from __future__ import annotations

import math
import shlex
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..data.preparation import Preparation
from ..network import Network, Parameters
from .models import UsedModel

#: Columns, categories and classes that are printed; --json has all.
MOST_COLUMNS: Final = 30
MOST_WORDS: Final = 8
MOST_CLASSES: Final = 12
NAMES: Final = {"r2": "R2"}
#: Options that were not given; they are not printed.
UNSET: Final = (None, "", False)


def model_facts(used: UsedModel) -> dict[str, Any]:
    """Return what the model is, as JSON: data, target, columns, network, training, results, versions, command.

    What model.json does not say, because it was written by other means, is empty.
    """
    saved = used.saved
    assert saved.preparation is not None
    assert saved.target is not None
    described = {name: used.described_by(name) for name in ("data", "options", "training", "results")}
    command = saved.description.get("command")
    return {
        "model": str(used.folder),
        "data": described["data"],
        "target": saved.target.to_data(),
        "columns": _column_facts(saved.preparation),
        "network": network_facts(saved.network, saved.parameters),
        "training": {**described["training"], "options": described["options"]},
        "results": described["results"],
        "versions": {
            name: saved.description.get(key)
            for name, key in (("layerwise", "layerwise"), ("python", "python"), ("format", "version"),
                              ("written", "written"))
        },
        "command": shlex.join(map(str, command)) if isinstance(command, list) else None,
    }  # fmt: skip


def network_facts(net: Network, theta: Parameters) -> dict[str, Any]:
    """Return sizes, settings and weights of every affine layer k = 1..L+1, as JSON.

    >>> net = Network(2, [3], 2)
    >>> facts = network_facts(net, net.initialize())
    >>> facts["parameters"], [layer["parameters"] for layer in facts["layers"]]
    (17, [9, 8])
    """
    layers = []
    for k in range(1, net.L + 2):
        hidden = net.layers[k - 1] if k <= net.L else None
        W, b = theta.W[k], theta.b[k]
        layers.append({
            "k": k,
            "units": net.sizes[k],
            "activation": hidden.activation.name if hidden else net.output.name,
            "dropout": hidden.dropout if hidden else 0.0,
            "batch_norm": bool(hidden and hidden.batch_norm),
            "initialisation": (hidden.initialisation if hidden else net.output_initialisation).name,
            "parameters": sum(s.stop - s.start for s in net.segments if s.k == k),
            "norm_W": _norm(W), "smallest_W": float(W.min()), "largest_W": float(W.max()), "norm_b": _norm(b),
        })  # fmt: skip
    return {
        "inputs": net.inputs, "outputs": net.outputs, "output": net.output.name, "loss": net.output.loss,
        "parameters": net.n_parameters, "dtype": theta.vector.dtype.name, "layers": layers,
    }  # fmt: skip


def show_model(console: Console, facts: dict[str, Any]) -> None:
    """Print the facts for a reader."""
    target, data, training = facts["target"], facts["data"], facts["training"]
    if target["kind"] == "classes":
        classes = target["classes"]
        kind = f"{len(classes)} classes: {', '.join(map(str, classes[:MOST_CLASSES]))}"
        kind += ", ..." * (len(classes) > MOST_CLASSES)
    else:
        kind = f"a number, mean {target['mean']:.4g}, standard deviation {target['scale']:.4g} in training"
    _line(console, "model", facts["model"])
    rows = data.get("rows")
    parts = ", ".join(f"{count} {part}" for part, count in rows.items()) if isinstance(rows, dict) else ""
    _line(console, "data", f"{data.get('name', 'not recorded')}" + (f": {parts} rows" if parts else ""))
    _line(console, "target", f"{target['name']} ({kind})")
    net = facts["network"]
    _line(console, "network", f"{net['inputs']} inputs; {net['parameters']:,} parameters of {net['dtype']}; "
          f"loss: {net['loss']}")  # fmt: skip
    console.print(_layer_table(net))
    _show_columns(console, facts["columns"])
    _show_training(console, training)
    if facts["results"]:
        table = _result_table(facts["results"])
        if table is not None:
            _line(console, "results", "the loss as training had it, errors of numbers in the units of the target")
            console.print(table)
    versions = facts["versions"]
    _line(console, "written", f"{versions['written'] or 'not recorded'} by Layerwise {versions['layerwise']}, Python "
          f"{versions['python']}; format {versions['format']}")  # fmt: skip
    _line(console, "command", facts["command"] or "not recorded")


def _column_facts(preparation: Preparation) -> dict[str, Any]:
    if preparation.image_shape:
        rows, columns = preparation.image_shape
        return {"kind": "images", "rows": rows, "columns": columns, "pixel_max": preparation.pixel_max}
    return {
        "kind": "table",
        "numbers": [
            {"name": c.name, "median": c.median, "mean": c.mean, "scale": c.scale} for c in preparation.numbers
        ],
        "words": [{"name": c.name, "categories": list(c.words), "missing": c.missing} for c in preparation.words],
        "left_out": list(preparation.left_out),
        "notes": list(preparation.notes),
    }


def _norm(array: Any) -> float:
    return float(np.linalg.norm(np.asarray(array, np.float64)))


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"{name:9}{text}", markup=False, highlight=False, soft_wrap=True)


def _some(values: list[Any]) -> str:
    shown = ", ".join(map(str, values[:MOST_WORDS]))
    return shown + (f", ... ({len(values)} in all)" if len(values) > MOST_WORDS else "")


def _layer_table(net: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("k", justify="right")
    for name in ("units", "g or o", "dropout", "batch norm", "parameters", "norm of W", "range of W"):
        table.add_column(name, justify="left" if name == "g or o" else "right")
    for layer in net["layers"]:
        table.add_row(
            str(layer["k"]), f"{layer['units']:,}", escape(layer["activation"]),
            f"{layer['dropout']:g}" if layer["dropout"] else "-", "yes" if layer["batch_norm"] else "-",
            f"{layer['parameters']:,}", f"{layer['norm_W']:.4g}",
            f"{layer['smallest_W']:.2g} .. {layer['largest_W']:.2g}",
        )  # fmt: skip
    return table


def _show_columns(console: Console, columns: dict[str, Any]) -> None:
    if columns["kind"] == "images":
        _line(console, "images", f"{columns['rows']} x {columns['columns']} pixels, divided by "
              f"{columns['pixel_max']:g}")  # fmt: skip
        return
    numbers, words = columns["numbers"], columns["words"]
    if numbers:
        table = Table(box=None, header_style="bold", padding=(0, 1))
        _line(console, "numbers", "missing -> median, then (x - mean)/scale")
        for name in ("column", "median", "mean", "scale"):
            table.add_column(name, justify="left" if name == "column" else "right")
        for c in numbers[:MOST_COLUMNS]:
            table.add_row(escape(c["name"]), *(f"{c[key]:.6g}" for key in ("median", "mean", "scale")))
        console.print(table)
    if words:
        table = Table(box=None, header_style="bold", padding=(0, 1))
        _line(console, "words", "an input for each category; unknown ones give zeros")
        for name in ("column", "categories", "missing"):
            table.add_column(name)
        for c in words[:MOST_COLUMNS]:
            table.add_row(escape(c["name"]), escape(_some(c["categories"])), "an own input" if c["missing"] else "-")
        console.print(table)
    more = max(0, len(numbers) - MOST_COLUMNS) + max(0, len(words) - MOST_COLUMNS)
    if more:
        _line(console, "", f"and {more} more columns: see --json")
    if columns["left_out"]:
        _line(console, "left out", ", ".join(columns["left_out"]))


def _show_training(console: Console, training: dict[str, Any]) -> None:
    options = training["options"]
    if options:
        shown = " ".join(
            f"{name}={value}" for name, value in options.items() if not any(value is unset for unset in UNSET)
        )
        _line(console, "options", shown)
    if "epochs" in training:
        best, seconds = training.get("best_epoch"), training.get("seconds")
        text = f"{training['epochs']} epochs" + (f", the best of them {best}, whose parameters it has" if best else "")
        text += f"; {seconds:.1f} s" if isinstance(seconds, int | float) else ""
        _line(console, "training", f"{text}; ended by {training.get('stopped', 'unknown')}")


def _result_table(results: dict[str, Any]) -> Table | None:
    parts = {part: numbers for part, numbers in results.items() if isinstance(numbers, dict)}
    names = list(dict.fromkeys(name for numbers in parts.values() for name in numbers))
    if not names:
        return None
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("")
    for name in names:
        table.add_column(escape(NAMES.get(name, name)), justify="right")
    for part, numbers in parts.items():
        table.add_row(escape(part), *(_number(numbers.get(name)) for name in names))
    return table


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) and math.isfinite(value) else "-"
