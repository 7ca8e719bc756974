r"""The loss -log f(x)_y of softmax: its gradients at the output and at the pre-activation (course-map rows 15, 16).

Claims are made for every class y and every entry c, so 1{y=c} is 1 or 0 in them; sums run over all C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..errors import check_number
from .algebra import indicator
from .derivation import Claim, Derivation, Point, Step
from .numbers import vector

# --- at the output ----------------------------------------------------------------------------------------------------


def outputs(sp: Any, C: int) -> list[Any]:
    """The symbols f_0 ... f_(C-1): positive, as softmax makes them, and otherwise free of each other."""
    return [sp.Symbol(f"f_{c}", positive=True) for c in range(C)]


def one_hot(sp: Any, y: int, C: int) -> Any:
    """e(y), as a column."""
    return sp.Matrix([indicator(y == c) for c in range(C)])


def _entries(claim: Callable[..., tuple[Any, Any]]) -> Callable[..., list[Claim]]:
    """Make claims of one equation of the entry c, for every y and c."""

    def claims(sp: Any, C: int) -> list[Claim]:
        pairs = [(y, c) for y in range(C) for c in range(C)]
        return [Claim(*claim(sp, C, y, c), case={"y": y, "c": c}) for y, c in pairs]

    return claims


def _vectors(claim: Callable[..., tuple[Any, Any]]) -> Callable[..., list[Claim]]:
    """Make claims of one equation of vectors, for every y."""

    def claims(sp: Any, C: int) -> list[Claim]:
        return [Claim(*claim(sp, C, y), case={"y": y}) for y in range(C)]

    return claims


def _output_chain(sp: Any, C: int, y: int, c: int) -> tuple[Any, Any]:
    f = outputs(sp, C)
    return sp.Derivative(-sp.log(f[y]), f[c]), -1 / f[y] * sp.Derivative(f[y], f[c])


def _output_entry(sp: Any, C: int, y: int, c: int) -> tuple[Any, Any]:
    f = outputs(sp, C)
    return -1 / f[y] * sp.Derivative(f[y], f[c]), -indicator(y == c) / f[y]


def _output_vector(sp: Any, C: int, y: int) -> tuple[Any, Any]:
    f = outputs(sp, C)
    return sp.Matrix([sp.Derivative(-sp.log(f[y]), f_c) for f_c in f]), -one_hot(sp, y, C) / f[y]


def _at_outputs(sp: Any, f: Any, y: int) -> Point:
    values = vector(sp, "f", f, at_least=2)
    for value in values:
        check_number("f", float(value), above=0)
    check_number("y", y, at_least=0, below=len(values), whole=True)
    return Point({"C": len(values)}, dict(zip(outputs(sp, len(values)), values, strict=True)), case={"y": int(y)})


loss_gradient_at_output: Final = Derivation(
    "loss_gradient_at_output",
    "Loss gradient at the output",
    {
        r"f_c": "probability of class c, f = o(a)",
        r"y": "the right class, from 0 to C - 1",
        r"\mathbf{1}\{y=c\}": "1 if y = c, else 0",
        r"e(y)": r"the one-hot vector of y",
    },
    (
        Step(
            "d/df_c (-log f_y) = -1/f_y df_y/df_c",
            r"\frac{\partial}{\partial f_c} \left(-\log f_y\right)"
            r" = -\frac{1}{f_y} \, \frac{\partial f_y}{\partial f_c}",
            "chain rule",
            _entries(_output_chain),
        ),
        Step(
            "-1/f_y df_y/df_c = -1{y=c}/f_y",
            r"-\frac{1}{f_y} \, \frac{\partial f_y}{\partial f_c} = -\frac{\mathbf{1}\{y=c\}}{f_y}",
            "f_y is f_c itself if y = c, and another variable if y != c",
            _entries(_output_entry),
        ),
        Step(
            "grad_f (-log f_y) = -e(y) / f_y",
            r"\nabla_f \left(-\log f_y\right) = -\frac{1}{f_y} \left(\begin{matrix} \mathbf{1}\{y=0\} \\ \vdots \\"
            r" \mathbf{1}\{y=C-1\} \end{matrix}\right) = -\frac{e(y)}{f_y}",
            "all entries c in one vector",
            _vectors(_output_vector),
        ),
    ),
    _at_outputs,
)

# --- at the pre-activation --------------------------------------------------------------------------------------------


def preactivations(sp: Any, C: int) -> list[Any]:
    """The symbols a_0 ... a_(C-1)."""
    return [sp.Symbol(f"a_{c}", real=True) for c in range(C)]


def total(sp: Any, a: list[Any]) -> Any:
    """The sum over c' of e^(a_c')."""
    return sp.Add(*(sp.exp(a_c) for a_c in a))


def softmax(sp: Any, a: list[Any]) -> list[Any]:
    """The probabilities f_c = e^(a_c) / sum_c' e^(a_c')."""
    return [sp.exp(a_c) / total(sp, a) for a_c in a]


def _quotient_rule(sp: Any, C: int) -> list[Claim]:
    x = sp.Symbol("x", real=True)
    g, h = sp.Function("g")(x), sp.Function("h")(x)
    return [Claim(sp.Derivative(g / h, x), sp.Derivative(g, x) / h - g * sp.Derivative(h, x) / h**2)]


def chain(sp: Any, C: int, y: int, c: int) -> list[Any]:
    """The entry c of the gradient in the course's writings, each made from the one before."""
    a = preactivations(sp, C)
    S, f = total(sp, a), softmax(sp, a)
    numerator = sp.exp(a[y])
    return [
        sp.Derivative(-sp.log(f[y]), a[c]),
        -1 / f[y] * sp.Derivative(f[y], a[c]),
        -1 / f[y] * (sp.Derivative(numerator, a[c]) / S - numerator * sp.Derivative(S, a[c]) / S**2),
        -1 / f[y] * (indicator(y == c) * numerator / S - numerator * sp.exp(a[c]) / S**2),
        -1 / f[y] * (indicator(y == c) * f[y] - f[y] * f[c]),
        -(indicator(y == c) - f[c]),
    ]


def _link(i: int) -> Callable[..., list[Claim]]:
    """Claims that writing i of `chain` equals the next one."""

    def claims(sp: Any, C: int) -> list[Claim]:
        writings = [(chain(sp, C, y, c), {"y": y, "c": c}) for y in range(C) for c in range(C)]
        return [Claim(writing[i], writing[i + 1], case) for writing, case in writings]

    return claims


def _case_equal(sp: Any, C: int, y: int, c: int) -> tuple[Any, Any]:
    f = softmax(sp, preactivations(sp, C))
    return chain(sp, C, y, c)[4], -(1 - f[c])


def _case_different(sp: Any, C: int, y: int, c: int) -> tuple[Any, Any]:
    f = softmax(sp, preactivations(sp, C))
    return chain(sp, C, y, c)[4], -(0 - f[c])


def _one_case(claim: Callable[..., tuple[Any, Any]], equal: bool) -> Callable[..., list[Claim]]:
    def claims(sp: Any, C: int) -> list[Claim]:
        return [made for made in _entries(claim)(sp, C) if (made.case["y"] == made.case["c"]) == equal]

    return claims


def _preactivation_vector(sp: Any, C: int, y: int) -> tuple[Any, Any]:
    a = preactivations(sp, C)
    f = softmax(sp, a)
    gradient = sp.Matrix([sp.Derivative(-sp.log(f[y]), a_c) for a_c in a])
    return gradient, -(one_hot(sp, y, C) - sp.Matrix(f))


def at_preactivations(sp: Any, a: Any, y: int) -> Point:
    """Numbers for a_0 ... a_(C-1), and the class y."""
    values = vector(sp, "a", a, at_least=2)
    check_number("y", y, at_least=0, below=len(values), whole=True)
    # The quotient rule is of any g and h: here of the numerator and the denominator as they depend on one a_c.
    x, rest = sp.Symbol("x", real=True), total(sp, values[1:])
    symbols = {**dict(zip(preactivations(sp, len(values)), values, strict=True)), x: values[0]}
    functions = {sp.Function("g"): sp.exp, sp.Function("h"): lambda argument: sp.exp(argument) + rest}
    return Point({"C": len(values)}, symbols, functions, {"y": int(y)})


_D = r"\frac{\partial}{\partial a_c}"
_S = r"\sum_{c'} e^{a_{c'}}"

loss_gradient_at_preactivation: Final = Derivation(
    "loss_gradient_at_preactivation",
    "Loss gradient at the output pre-activation",
    {
        r"a_c": "pre-activation of class c",
        r"f_c = \mathrm{softmax}(a)_c = e^{a_c} / S": "probability of class c",
        r"S = \sum_{c'} e^{a_{c'}}": "the sum over all classes",
        r"y": "the right class, from 0 to C - 1",
        r"\mathbf{1}\{y=c\}": "1 if y = c, else 0",
        r"e(y)": r"the one-hot vector of y",
    },
    (
        Step(
            "d/da_c (-log f_y) = -1/f_y df_y/da_c",
            rf"{_D} \left(-\log f_y\right) = -\frac{{1}}{{f_y}} \, \frac{{\partial f_y}}{{\partial a_c}}",
            "chain rule",
            _link(0),
        ),
        Step(
            "d/dx (g/h) = g'/h - g h'/h^2",
            r"\frac{\partial}{\partial x} \frac{g(x)}{h(x)} = \frac{\partial g(x)}{\partial x} \, \frac{1}{h(x)}"
            r" - \frac{g(x)}{h(x)^2} \, \frac{\partial h(x)}{\partial x}",
            "quotient rule, for any g and h",
            _quotient_rule,
        ),
        Step(
            "-1/f_y d/da_c (e^a_y / S) = -1/f_y (de^a_y/da_c / S - e^a_y dS/da_c / S^2)",
            rf"-\frac{{1}}{{f_y}} \, {_D} \frac{{e^{{a_y}}}}{{{_S}}} = -\frac{{1}}{{f_y}} \left("
            rf"\frac{{{_D} e^{{a_y}}}}{{{_S}}} - \frac{{e^{{a_y}} \, {_D} {_S}}}{{\left({_S}\right)^2}}\right)",
            "quotient rule on f_y = e^a_y / S, with S = sum_c' e^a_c'",
            _link(1),
        ),
        Step(
            "... = -1/f_y (1{y=c} e^a_y / S - e^a_y e^a_c / S^2)",
            rf"\cdots = -\frac{{1}}{{f_y}} \left(\frac{{\mathbf{{1}}\{{y=c\}} \, e^{{a_y}}}}{{{_S}}}"
            rf" - \frac{{e^{{a_y}} \, e^{{a_c}}}}{{\left({_S}\right)^2}}\right)",
            "of the sum only the term c' = c depends on a_c",
            _link(2),
        ),
        Step(
            "... = -1/f_y (1{y=c} f_y - f_y f_c)",
            r"\cdots = -\frac{1}{f_y} \left(\mathbf{1}\{y=c\} \, f_y - f_y \, f_c\right)",
            "both quotients are values of softmax",
            _link(3),
        ),
        Step(
            "if y = c:  -1/f_y (f_y - f_y f_c) = -(1 - f_c)",
            r"y = c: \quad -\frac{1}{f_y} \left(f_y - f_y \, f_c\right) = -\left(1 - f_c\right)",
            "the case y = c",
            _one_case(_case_equal, True),
        ),
        Step(
            "if y != c:  -1/f_y (0 - f_y f_c) = -(0 - f_c)",
            r"y \neq c: \quad -\frac{1}{f_y} \left(0 - f_y \, f_c\right) = -\left(0 - f_c\right)",
            "the case y != c",
            _one_case(_case_different, False),
        ),
        Step(
            "-1/f_y (1{y=c} f_y - f_y f_c) = -(1{y=c} - f_c)",
            r"-\frac{1}{f_y} \left(\mathbf{1}\{y=c\} \, f_y - f_y \, f_c\right)"
            r" = -\left(\mathbf{1}\{y=c\} - f_c\right)",
            "both cases in one",
            _link(4),
        ),
        Step(
            "grad_a (-log f_y) = -(e(y) - f)",
            r"\nabla_a \left(-\log f_y\right) = -\left(e(y) - f\right)",
            "all entries c in one vector",
            _vectors(_preactivation_vector),
        ),
    ),
    at_preactivations,
)
