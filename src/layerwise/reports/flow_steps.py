"""The steps of backpropagation, forward and back, as nodes of a flow graph (course-map rows 17 and 18)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..network import Network, Trace

Array = npt.NDArray[Any]
#: Vectors of so many numbers are written out; of longer ones the norm is.
WRITTEN: Final = 3
#: f and l of the outputs of the course, in LaTeX; others have no short formula.
OUTPUTS: Final = {
    "softmax": (r"\mathrm{{softmax}}({})", r"-\log f_y"),
    "sigmoid": (r"\mathrm{{sigmoid}}({})", r"-y \log f - (1 - y) \log(1 - f)"),
    "identity": ("{}", r"\frac{1}{2} \|f - y\|^2"),
}


@dataclass(frozen=True)
class Node:
    """A quantity of the forward pass, with the parameters that enter it.

    Attributes
    ----------
    symbol : str
        In LaTeX, such as ``a^{(1)}``.
    formula : str
        What it is computed as, in LaTeX; empty for x.
    size : int
        Numbers in it, for one row.
    parameters : tuple of str
        In LaTeX.
    trace_name : tuple of (str, int) or None
        Where `Trace` has it, such as ("a", 1); k is 0 for what counts no layers.
    """

    symbol: str
    formula: str
    size: int
    parameters: tuple[str, ...] = ()
    trace_name: tuple[str, int] = ("", 0)


@dataclass(frozen=True)
class FlowStep:
    """One step of fprop or bprop.

    Attributes
    ----------
    phase : "fprop" or "bprop"
    node : int
        The node, counted from x, that is computed, or whose gradient is.
    of_parameters : bool
        Whether the gradients are those of the parameters that enter the node.
    symbols, formulas : tuple of str
        What is computed, and as what, in LaTeX.
    trace_names : tuple of (str, int)
        Where `Trace` has it.
    values : tuple of array
        Of the one row, if there is one; else empty.
    """

    phase: str
    node: int
    of_parameters: bool
    symbols: tuple[str, ...]
    formulas: tuple[str, ...]
    trace_names: tuple[tuple[str, int], ...]
    values: tuple[Array, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.phase}: " + ", ".join(f"${symbol}$" for symbol in self.symbols)


def nodes_of(net: Network) -> list[Node]:
    """Return x, a^(1), (z^(1),) h^(1), ..., f and l."""
    nodes = [Node("x", "", net.inputs, trace_name=("h", 0))]
    for k in range(1, net.L + 2):
        j = net.weight_of(k)
        W, b = _by_layer("W", j) + (r"{}^{\top}" if j != k else ""), _by_layer("b", k)
        formula = f"{b} + {W} {_fed(k)}"
        nodes.append(Node(_by_layer("a", k), formula, net.sizes[k], (W, b), ("a", k)))
        if k > net.L:
            break
        layer, given = net.layers[k - 1], "a"
        if layer.batch_norm:
            gamma, beta, given = _by_layer(r"\gamma", k), _by_layer(r"\beta", k), "z"
            formula = rf"{gamma} \, ({_by_layer('a', k)} - \mu) \, / \, \sigma + {beta}"
            nodes.append(Node(_by_layer("z", k), formula, layer.units, (gamma, beta), ("z", k)))
        formula = f"{_named(layer.activation.name, 'g')}({_by_layer(given, k)})"
        nodes.append(Node(_by_layer("h", k), formula, layer.units, (), ("h", k)))
    last = _by_layer("a", net.L + 1)
    f, loss = OUTPUTS.get(net.output.name, (r"o({})", ""))
    nodes.append(Node("f", f.format(last), net.outputs, (), ("f", 0)))
    nodes.append(Node("l", loss, 1, (), ("losses", 0)))
    return nodes


def steps_of(net: Network, nodes: list[Node]) -> list[FlowStep]:
    """Return the steps forward, from a^(1) to l, and those back, from grad_f to grad_b^(1)."""
    steps = [
        FlowStep("fprop", i, False, (node.symbol,), (node.formula,), (node.trace_name,))
        for i, node in enumerate(nodes)
        if i
    ]
    for i in range(len(nodes) - 2, 0, -1):
        name, k = nodes[i].trace_name
        grad = (_gradient(name, k),)
        steps.append(FlowStep("bprop", i, False, grad, (_backward(net, name, k),), ((f"grad_{name}", k),)))
        if not nodes[i].parameters:
            continue
        names = ("W", "b") if name == "a" else ("gamma", "beta")
        formulas = (rf"{grad[0]} {_fed(k)}{{}}^{{\top}}", grad[0]) if name == "a" else ("", "")
        symbols = tuple(_gradient(one, k) for one in names)
        steps.append(FlowStep("bprop", i, True, symbols, formulas, tuple((f"grad_{one}", k) for one in names)))
    return steps


def with_values(steps: list[FlowStep], trace: Trace, forward_only: bool) -> list[FlowStep]:
    """Return the steps with the values of a trace of one row; the loss and gradients only where they mean something."""
    filled = []
    for step in steps:
        known = not forward_only or (step.phase == "fprop" and step.trace_names[0][0] != "losses")
        values = tuple(value_of(trace, name, k) for name, k in step.trace_names) if known else ()
        filled.append(FlowStep(step.phase, step.node, step.of_parameters, step.symbols, step.formulas,
                               step.trace_names, values))  # fmt: skip
    return filled


def value_of(trace: Trace, name: str, k: int) -> Array:
    """Return a quantity of a trace of one row, as a vector or a matrix."""
    quantity = getattr(trace, name)
    array = np.asarray(quantity[k] if k or name == "h" else quantity)
    row = name not in ("grad_W", "grad_b", "grad_gamma", "grad_beta")
    return array[0] if row else array


def written(value: Array, most: int = WRITTEN) -> str:
    """Write few numbers out, and of many the Euclidean norm.

    >>> written(np.array([0.25, -1.0])), written(np.ones((2, 8)))
    ('(0.25, −1)', 'norm 4')
    """
    numbers = np.ravel(value)
    if numbers.size > most:
        return f"norm {np.linalg.norm(numbers):.3g}".replace("-", "−")
    said = ", ".join(f"{number:.3g}" for number in numbers).replace("-", "−")
    return said if numbers.size == 1 else f"({said})"


def _backward(net: Network, name: str, k: int) -> str:
    """Return the formula of the gradient with respect to a node, in LaTeX; empty where there is no short one."""
    if name == "f":
        return {"softmax": r"-e(y) \, / \, f_y", "identity": "f - y"}.get(net.output.name, "")
    if name == "a" and k == net.L + 1:
        return {"softmax": "f - e(y)", "sigmoid": "f - y", "identity": "f - y"}.get(net.output.name, "")
    if name == "h":
        j = net.weight_of(k + 1)
        W = _by_layer("W", j) + ("" if j != k + 1 else r"{}^{\top}")
        return f"{W} {_gradient('a', k + 1)}"
    normalised = net.layers[k - 1].batch_norm
    if name == "z" or not normalised:
        return rf"{_gradient('h', k)} \odot g'({_by_layer(name, k)})"
    gamma = _by_layer(r"\gamma", k)
    return rf"{_gradient('z', k)} \odot {gamma} \, / \, \sigma"


def _by_layer(symbol: str, k: int) -> str:
    return f"{symbol}^{{({k})}}"


def _fed(k: int) -> str:
    return "x" if k == 1 else _by_layer("h", k - 1)


def _gradient(name: str, k: int) -> str:
    """Return grad_a^(k) as LaTeX sets it."""
    symbol = f"\\{name}" if name in ("gamma", "beta") else name
    return rf"\mathrm{{grad}}_{{{symbol}}}" + (f"^{{({k})}}" if k else "")


def _named(name: str, otherwise: str) -> str:
    plain = name.replace("_", r"\ ")
    return otherwise if name == "own" or "$" in name else rf"\mathrm{{{plain}}}"
