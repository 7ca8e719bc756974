"""Gradients through one layer, entry by entry and then as matrices (course-map row 17).

The loss is any function l of the pre-activations a^(k) = b^(k) + W^(k) h^(k-1), and h^(k-1) = g(a^(k-1)) with any g.
All that SymPy knows of l and g are the names of their derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from ..rules.activations import activation
from .activations import formulas
from .algebra import load_sympy
from .derivation import Claim, Derivation, Point, Size, Step
from .numbers import matrix, nonzero, same_length, vector

SIZES: Final[tuple[Size, ...]] = tuple({"d_out": d_out, "d_in": d_in} for d_out in (2, 3) for d_in in (2, 3))


@lru_cache(maxsize=32)
def function_of(name: str, arguments: int) -> tuple[Any, tuple[Any, ...]]:
    """Return a SymPy function of so many arguments, and its derivative in each of them, as functions of all.

    A function that SymPy makes itself would write its derivative at b + W h as a substitution, which hides that two of
    them are the same.
    """
    sp = load_sympy()
    slopes = tuple(sp.Function(f"{name}_{i}") for i in range(arguments))
    members = {"nargs": arguments, "fdiff": lambda self, argindex=1: slopes[argindex - 1](*self.args)}
    return type(name, (sp.Function,), members), slopes


class Layer:
    """The symbols of one layer, d_in units below and d_out in it."""

    def __init__(self, sp: Any, d_out: int, d_in: int, applied: bool = False) -> None:
        self.sp, self.units, self.inputs = sp, range(d_out), range(d_in)
        self.W = sp.Matrix(d_out, d_in, lambda i, j: sp.Symbol(f"W_{i}{j}", real=True))
        self.b = sp.Matrix([sp.Symbol(f"b_{i}", real=True) for i in self.units])
        self.below = sp.Matrix([sp.Symbol(f"a_{j}", real=True) for j in self.inputs])
        self.g, (self.slope,) = function_of("g", 1)
        # h is free of everything else, unless it is what g makes of a^(k-1).
        self.h = sp.Matrix([self.g(a) if applied else sp.Symbol(f"h_{j}", real=True) for j, a in enumerate(self.below)])
        self.a = self.b + self.W * self.h
        loss, slopes = function_of("l", d_out)
        self.loss = loss(*self.a)
        self.grad_a = sp.Matrix([slope(*self.a) for slope in slopes])
        self.grad_h = self.W.T * self.grad_a

    def through_a(self, variable: Any) -> Any:
        """The sum over units of dl/da_i da_i/dvariable."""
        return self.sp.Add(*(self.grad_a[i] * self.sp.Derivative(self.a[i], variable) for i in self.units))

    def gradient(self, variables: Any) -> Any:
        """The derivatives of the loss, arranged as the variables are."""
        return variables.applyfunc(lambda variable: self.sp.Derivative(self.loss, variable))


def _inputs(claim: Callable[[Layer, int], tuple[Any, Any]], applied: bool = False) -> Callable[..., list[Claim]]:
    """Make claims of one equation for every unit j below."""

    def claims(sp: Any, d_out: int, d_in: int) -> list[Claim]:
        layer = Layer(sp, d_out, d_in, applied)
        return [Claim(*claim(layer, j), case={"j": j}) for j in layer.inputs]

    return claims


def _weights(claim: Callable[[Layer, int, int], tuple[Any, Any]]) -> Callable[..., list[Claim]]:
    """Make claims of one equation for every weight W_ij."""

    def claims(sp: Any, d_out: int, d_in: int) -> list[Claim]:
        layer = Layer(sp, d_out, d_in)
        return [Claim(*claim(layer, i, j), case={"i": i, "j": j}) for i in layer.units for j in layer.inputs]

    return claims


def _units(claim: Callable[[Layer, int], tuple[Any, Any]]) -> Callable[..., list[Claim]]:
    """Make claims of one equation for every unit i."""

    def claims(sp: Any, d_out: int, d_in: int) -> list[Claim]:
        layer = Layer(sp, d_out, d_in)
        return [Claim(*claim(layer, i), case={"i": i}) for i in layer.units]

    return claims


def _whole(claim: Callable[[Layer], tuple[Any, Any]], applied: bool = False) -> Callable[..., list[Claim]]:
    """Make the claim of one equation of vectors or matrices."""

    def claims(sp: Any, d_out: int, d_in: int) -> list[Claim]:
        return [Claim(*claim(Layer(sp, d_out, d_in, applied)))]

    return claims


def _at_layer(sp: Any, W: Any, b: Any, a: Any, grad_a: Any, g: Any = "tanh") -> Point:
    rows = matrix(sp, "W", W)
    biases, below, gradient = vector(sp, "b", b), vector(sp, "a", a), vector(sp, "grad_a", grad_a)
    for name, given, length in (("b", biases, len(rows)), ("a", below, len(rows[0])), ("grad_a", gradient, len(rows))):
        same_length(name, given, length)
    for value in below:
        nonzero("a", value)
    row = activation(g)
    layer = Layer(sp, len(rows), len(rows[0]))
    loss, slopes = function_of("l", len(rows))
    values = [*(weight for weights in rows for weight in weights), *biases, *below]
    symbols = dict(zip([*layer.W, *layer.b, *layer.below], values, strict=True))
    symbols |= {h: formulas(sp, row, value)[0] for h, value in zip(layer.h, below, strict=True)}
    functions: dict[Any, Callable[..., Any]] = {
        # A loss whose gradient is what the reader gave: nothing else of it matters here.
        loss: lambda *a: sp.Add(*(slope * a_i for slope, a_i in zip(gradient, a, strict=True))),
        layer.g: lambda argument: formulas(sp, row, argument)[0],
        layer.slope: lambda argument: formulas(sp, row, argument)[1],
    }
    functions |= {slope: _constant(value) for slope, value in zip(slopes, gradient, strict=True)}
    return Point({"d_out": len(rows), "d_in": len(rows[0])}, symbols, functions)


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *arguments: value


def _d(of: str, by: str) -> str:
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


_H, _BELOW, _A, _W, _B = "h^{(k-1)}", "a^{(k-1)}", "a^{(k)}", "W^{(k)}", "b^{(k)}"

hidden_layers: Final = Derivation(
    "hidden_layers",
    "Gradients through a hidden layer",
    {
        rf"{_A} = {_B} + {_W} {_H}": "pre-activations of layer k, with any loss l of them",
        rf"{_H} = g({_BELOW})": "activations of the layer below, with any g",
        r"\odot": "product of entries",
    },
    (
        Step(
            "dl/dh_j = sum_i dl/da_i da_i/dh_j",
            rf"{_d('l', _H + '_j')} = \sum_i {_d('l', _A + '_i')} \, {_d(_A + '_i', _H + '_j')}",
            "chain rule",
            _inputs(lambda layer, j: (layer.sp.Derivative(layer.loss, layer.h[j]), layer.through_a(layer.h[j]))),
            SIZES,
        ),
        Step(
            "sum_i dl/da_i da_i/dh_j = sum_i W_ij dl/da_i",
            rf"\sum_i {_d('l', _A + '_i')} \, {_d(_A + '_i', _H + '_j')} = \sum_i {_W}_{{ij}} \, {_d('l', _A + '_i')}",
            "a_i is linear in h_j, with slope W_ij",
            _inputs(
                lambda layer, j: (
                    layer.through_a(layer.h[j]),
                    layer.sp.Add(*(layer.W[i, j] * layer.grad_a[i] for i in layer.units)),
                )
            ),
            SIZES,
        ),
        Step(
            "grad_h^(k-1) = W^(k)' grad_a^(k)",
            rf"\nabla_{{{_H}}} \, l = {{{_W}}}' \, \nabla_{{{_A}}} \, l",
            "all entries j in one vector",
            _whole(lambda layer: (layer.gradient(layer.h), layer.W.T * layer.grad_a)),
            SIZES,
        ),
        Step(
            "dl/da_j = dl/dh_j g'(a_j), a_j of layer k-1",
            rf"{_d('l', _BELOW + '_j')} = {_d('l', _H + '_j')} \, g'({_BELOW}_j)",
            "chain rule; only h_j = g(a_j) depends on a_j",
            _inputs(
                lambda layer, j: (
                    layer.sp.Derivative(layer.loss, layer.below[j]),
                    layer.grad_h[j] * layer.slope(layer.below[j]),
                ),
                applied=True,
            ),
            SIZES,
        ),
        Step(
            "grad_a^(k-1) = grad_h^(k-1) * g'(a^(k-1))",
            rf"\nabla_{{{_BELOW}}} \, l = \nabla_{{{_H}}} \, l \odot g'({_BELOW})",
            "all entries j in one vector",
            _whole(
                lambda layer: (
                    layer.gradient(layer.below),
                    layer.grad_h.multiply_elementwise(layer.below.applyfunc(layer.slope)),
                ),
                applied=True,
            ),
            SIZES,
        ),
        Step(
            "dl/dW_ij = sum_m dl/da_m da_m/dW_ij",
            rf"{_d('l', _W + '_{ij}')} = \sum_m {_d('l', _A + '_m')} \, {_d(_A + '_m', _W + '_{ij}')}",
            "chain rule",
            _weights(
                lambda layer, i, j: (layer.sp.Derivative(layer.loss, layer.W[i, j]), layer.through_a(layer.W[i, j]))
            ),
            SIZES,
        ),
        Step(
            "sum_m dl/da_m da_m/dW_ij = dl/da_i h_j",
            rf"\sum_m {_d('l', _A + '_m')} \, {_d(_A + '_m', _W + '_{ij}')} = {_d('l', _A + '_i')} \, {_H}_j",
            "W_ij occurs in a_i alone, times h_j",
            _weights(lambda layer, i, j: (layer.through_a(layer.W[i, j]), layer.grad_a[i] * layer.h[j])),
            SIZES,
        ),
        Step(
            "grad_W^(k) = grad_a^(k) h^(k-1)'",
            rf"\nabla_{{{_W}}} \, l = \nabla_{{{_A}}} \, l \, {{{_H}}}'",
            "all entries i, j in one matrix",
            _whole(lambda layer: (layer.gradient(layer.W), layer.grad_a * layer.h.T)),
            SIZES,
        ),
        Step(
            "dl/db_i = dl/da_i",
            rf"{_d('l', _B + '_i')} = {_d('l', _A + '_i')}",
            "chain rule; b_i occurs in a_i alone, with slope 1",
            _units(lambda layer, i: (layer.sp.Derivative(layer.loss, layer.b[i]), layer.grad_a[i])),
            SIZES,
        ),
        Step(
            "grad_b^(k) = grad_a^(k)",
            rf"\nabla_{{{_B}}} \, l = \nabla_{{{_A}}} \, l",
            "all entries i in one vector",
            _whole(lambda layer: (layer.gradient(layer.b), layer.grad_a)),
            SIZES,
        ),
    ),
    _at_layer,
)
