"""Formulas as ONNX nodes, and the graph that they are added to.

onnxruntime has no float64 kernels of Elu, Selu, Softplus and Erf (nor of Cos until lately), and ONNX has no expm1 and
log1p at all: these are taken apart into what there is, without loss of digits near 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ops import Expression
from ..rules.activations import ELU_ALPHA, LEAK, SELU_ALPHA, SELU_LAMBDA, TABLE

Array = npt.NDArray[Any]
#: Nodes that compute the same as formulas: the operator, its attributes, and whether it has a float64 kernel.
NATIVE: Final[dict[Expression, tuple[str, dict[str, Any], bool]]] = {
    TABLE["relu"].g: ("Relu", {}, True),
    TABLE["sigmoid"].g: ("Sigmoid", {}, True),
    TABLE["tanh"].g: ("Tanh", {}, True),
    TABLE["leaky_relu"].g: ("LeakyRelu", {"alpha": LEAK}, False),
    TABLE["elu"].g: ("Elu", {"alpha": ELU_ALPHA}, False),
    TABLE["selu"].g: ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_LAMBDA}, False),
    TABLE["softplus"].g: ("Softplus", {}, False),
}  # fmt: skip
PLAIN: Final = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "max": "Max", "min": "Min", "abs": "Abs",
    "sqrt": "Sqrt", "exp": "Exp", "log": "Log", "tanh": "Tanh",
}  # fmt: skip
#: Degrees of the polynomials for erf, near 0 and elsewhere, which leave errors of about 1e-16 and 1e-15.
NEAR_DEGREE, DEGREE = 9, 24


class Graph:
    """Nodes and constants under names that each occur once.

    Parameters
    ----------
    dtype : float32 or float64
        Of numbers in formulas.
    taken : sequence of str
        Names of inputs and results, which nothing else may have.
    """

    def __init__(self, dtype: npt.DTypeLike, taken: Sequence[str] = ()) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._names: set[str] = set(taken)
        self._numbers: dict[tuple[str, bytes], str] = {}

    def fresh(self, hint: str) -> str:
        """Return a name that nothing has yet."""
        name, count = hint, 1
        while name in self._names:
            count += 1
            name = f"{hint}_{count}"
        self._names.add(name)
        return name

    def node(self, operator: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its result, `out` if that is given."""
        from onnx import helper

        result = out or self.fresh(f"/{operator.lower()}")
        self.nodes.append(helper.make_node(operator, list(inputs), [result], name=result, domain=domain, **attributes))
        return result

    def constant(self, values: Any, name: str = "", dtype: npt.DTypeLike | None = None) -> str:
        """Add a constant; one number occurs once, whoever asks for it.

        Parameters
        ----------
        values : array or number
        name : str
            What to call it.
        dtype : optional
            That of the graph by default; object for words.
        """
        from onnx import numpy_helper

        array = np.asarray(values, self.dtype if dtype is None else dtype)
        key = (array.dtype.str, array.tobytes()) if array.ndim == 0 and array.dtype != object else None
        if key is not None and key in self._numbers:
            return self._numbers[key]
        made = self.fresh(name or "/constant")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), made))
        if key is not None:
            self._numbers[key] = made
        return made

    def cast(self, value: str, dtype: npt.DTypeLike, out: str = "") -> str:
        """Add a conversion."""
        from onnx import helper

        return self.node("Cast", value, out=out, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def formula_nodes(graph: Graph, formula: Expression, operands: Sequence[str]) -> tuple[str, ...]:
    """Add the nodes of a formula.

    Parameters
    ----------
    graph : Graph
    formula : Expression
    operands : sequence of str
        Values that broadcast, one for each input.

    Returns
    -------
    tuple of str
        A value for each result.
    """
    if formula in NATIVE:
        operator, attributes, in_double = NATIVE[formula]
        if in_double or graph.dtype == np.float32:
            return (graph.node(operator, *operands, **attributes),)
    by_name = dict(zip(formula.inputs, operands, strict=True))
    values: list[str] = []
    conditions: dict[int, str] = {}
    for i, (kind, *rest) in enumerate(formula.steps):
        if kind == "input":
            values.append(by_name[rest[0]])
        elif kind == "constant":
            values.append(graph.constant(rest[0]))
        elif kind == "where":
            condition = conditions.get(rest[0]) or _is_not_zero(graph, values[rest[0]])
            values.append(graph.node("Where", condition, values[rest[1]], values[rest[2]]))
        elif kind == "less":
            conditions[i] = graph.node("Less", *(values[k] for k in rest))
            values.append(graph.cast(conditions[i], graph.dtype))
        elif kind in PLAIN:
            values.append(graph.node(PLAIN[kind], *(values[k] for k in rest)))
        else:
            values.append(TAKEN_APART[kind](graph, values[rest[0]]))
    results = [values[i] for i in formula.outputs]
    if not formula.results_of_all:  # a constant has the shape of what it was computed for
        for operand in operands:
            shape = graph.node("Shape", operand)
            results = [graph.node("Expand", result, shape) for result in results]
    return tuple(results)


def _is_not_zero(graph: Graph, value: str) -> str:
    return graph.node("Not", graph.node("Equal", value, graph.constant(0.0)))


def _expm1(graph: Graph, x: str) -> str:
    """e^x - 1 = tanh(x/2) (e^x + 1)"""
    half = graph.node("Tanh", graph.node("Mul", x, graph.constant(0.5)))
    return graph.node("Mul", half, graph.node("Add", graph.node("Exp", x), graph.constant(1.0)))


def _log1p(graph: Graph, x: str) -> str:
    """log(u) x / (u - 1) with u = 1 + x, rounded as it is; x where u is 1, and log(u) where x is large."""
    one = graph.constant(1.0)
    u = graph.node("Add", x, one)
    log = graph.node("Log", u)
    near = graph.node("Div", graph.node("Mul", log, x), graph.node("Sub", u, one))
    near = graph.node("Where", graph.node("Equal", u, one), x, near)
    return graph.node("Where", graph.node("Less", x, one), near, log)


def _cos(graph: Graph, x: str) -> str:
    """The operator, in float32; else 1 - 2 sin(x/2)^2, since older versions of onnxruntime have the sine alone."""
    if graph.dtype == np.float32:
        return graph.node("Cos", x)
    half = graph.node("Sin", graph.node("Mul", x, graph.constant(0.5)))
    twice = graph.node("Mul", graph.constant(2.0), graph.node("Mul", half, half))
    return graph.node("Sub", graph.constant(1.0), twice)


def _erf(graph: Graph, x: str) -> str:
    """The operator, in float32; else x p(x^2) where |x| is below 1/2, and sign(x) (1 - q(t) e^(-x^2)) beyond.

    t = 2 / (2 + |x|); p and q are polynomials.
    """
    if graph.dtype == np.float32:
        return graph.node("Erf", x)
    size, square, one = graph.node("Abs", x), graph.node("Mul", x, x), graph.constant(1.0)
    near = graph.node("Sub", graph.node("Mul", graph.constant(8.0), square), one)
    near = graph.node("Mul", x, _polynomial(graph, _erf_coefficients()[0], near))
    two, four = graph.constant(2.0), graph.constant(4.0)
    far = graph.node("Sub", graph.node("Div", four, graph.node("Add", two, size)), one)
    far = graph.node(
        "Mul", _polynomial(graph, _erf_coefficients()[1], far), graph.node("Exp", graph.node("Neg", square))
    )
    far = graph.node("Mul", graph.node("Sign", x), graph.node("Sub", one, far))
    return graph.node("Where", graph.node("Less", size, graph.constant(0.5)), near, far)


def _polynomial(graph: Graph, coefficients: Sequence[float], s: str) -> str:
    """Horner's scheme; the constant comes first."""
    highest, *lower = (graph.constant(coefficient) for coefficient in reversed(coefficients))
    for coefficient in lower:
        highest = graph.node("Add", graph.node("Mul", highest, s), coefficient)
    return highest


@cache
def _erf_coefficients() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The polynomials that interpolate erf(x) / x in s = 8 x^2 - 1, and erfc(x) e^(x^2) in s = 4 / (2 + x) - 1.

    For s from -1 to 1: x from 0 to 1/2, and from 0 on.
    """
    from scipy.special import erf, erfcx

    def near(s: Any) -> Any:
        x = np.sqrt((s + 1) / 8)
        return erf(x) / x

    def far(s: Any) -> Any:
        return erfcx(4 / (s + 1) - 2)

    chebyshev = np.polynomial.chebyshev
    first, second = (
        tuple(chebyshev.cheb2poly(chebyshev.chebinterpolate(function, degree)).tolist())
        for function, degree in ((near, NEAR_DEGREE), (far, DEGREE))
    )
    return first, second


TAKEN_APART: Final[dict[str, Callable[[Graph, str], str]]] = {
    "expm1": _expm1, "log1p": _log1p, "cos": _cos, "erf": _erf,
}  # fmt: skip
