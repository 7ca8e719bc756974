"""Why softmax and its loss can be computed without large exponentials (course-map row 11)."""

from __future__ import annotations

from typing import Any, Final

from ..errors import check_number
from .derivation import Claim, Derivation, Point, Step
from .loss import preactivations, softmax, total
from .numbers import exact, vector

_S = r"\sum_{c'} e^{a_{c'}}"

# --- softmax of shifted pre-activations -------------------------------------------------------------------------------


def shift(sp: Any) -> Any:
    """The symbol s, any number."""
    return sp.Symbol("s", real=True)


def _taken_out(sp: Any, C: int) -> list[Claim]:
    a, s = preactivations(sp, C), shift(sp)
    shifted = softmax(sp, [a_c + s for a_c in a])
    return [Claim(shifted[c], sp.exp(s) * sp.exp(a[c]) / (sp.exp(s) * total(sp, a)), {"c": c}) for c in range(C)]


def _cancelled(sp: Any, C: int) -> list[Claim]:
    a, s = preactivations(sp, C), shift(sp)
    return [
        Claim(sp.exp(s) * sp.exp(a[c]) / (sp.exp(s) * total(sp, a)), sp.exp(a[c]) / total(sp, a), {"c": c})
        for c in range(C)
    ]


def _invariant(sp: Any, C: int) -> list[Claim]:
    a, s = preactivations(sp, C), shift(sp)
    return [Claim(sp.Matrix(softmax(sp, [a_c + s for a_c in a])), sp.Matrix(softmax(sp, a)))]


def _largest(sp: Any, C: int) -> list[Claim]:
    """The largest may be any a_k."""
    a = preactivations(sp, C)
    return [
        Claim(sp.Matrix(softmax(sp, a)), sp.Matrix(softmax(sp, [a_c - a[k] for a_c in a])), {"k": k}) for k in range(C)
    ]


def _at_shift(sp: Any, a: Any, s: Any) -> Point:
    values = vector(sp, "a", a, at_least=2)
    symbols = {**dict(zip(preactivations(sp, len(values)), values, strict=True)), shift(sp): exact(sp, "s", s)}
    return Point({"C": len(values)}, symbols, case={"k": values.index(max(values))})


softmax_is_shift_invariant: Final = Derivation(
    "softmax_is_shift_invariant",
    "Softmax does not change where all pre-activations change by the same",
    {r"a_c": "pre-activation of class c", r"s": "any number", r"m": "the largest pre-activation"},
    (
        Step(
            "softmax(a + s)_c = e^s e^a_c / (e^s sum_c' e^a_c')",
            r"\frac{e^{a_c + s}}{\sum_{c'} e^{a_{c'} + s}} = \frac{e^s \, e^{a_c}}{e^s \sum_{c'} e^{a_{c'}}}",
            "power law, and e^s is a factor of every term of the sum",
            _taken_out,
        ),
        Step(
            "e^s e^a_c / (e^s sum_c' e^a_c') = e^a_c / sum_c' e^a_c'",
            rf"\frac{{e^s \, e^{{a_c}}}}{{e^s {_S}}} = \frac{{e^{{a_c}}}}{{{_S}}}",
            "e^s is never 0, so it cancels",
            _cancelled,
        ),
        Step(
            "softmax(a + s) = softmax(a)",
            r"\mathrm{softmax}(a + s) = \mathrm{softmax}(a)",
            "all entries c in one vector",
            _invariant,
        ),
        Step(
            "softmax(a) = softmax(a - m)",
            r"\mathrm{softmax}(a) = \mathrm{softmax}(a - m)",
            "s = -m with m the largest a_c, so no exponential exceeds 1",
            _largest,
        ),
    ),
    _at_shift,
)

# --- the loss from pre-activations ------------------------------------------------------------------------------------


def _any_m(sp: Any) -> Any:
    return sp.Symbol("m", real=True)


def _below(sp: Any, a: list[Any]) -> Any:
    """The sum of e^(a_c' - m)."""
    return total(sp, [a_c - _any_m(sp) for a_c in a])


def _log_of_quotient(sp: Any, C: int) -> list[Claim]:
    a = preactivations(sp, C)
    return [Claim(-sp.log(softmax(sp, a)[y]), sp.log(total(sp, a)) - a[y], {"y": y}) for y in range(C)]


def _factor(sp: Any, C: int) -> list[Claim]:
    a = preactivations(sp, C)
    return [Claim(sp.log(total(sp, a)), sp.log(sp.exp(_any_m(sp)) * _below(sp, a)))]


def _log_of_product(sp: Any, C: int) -> list[Claim]:
    a = preactivations(sp, C)
    return [Claim(sp.log(sp.exp(_any_m(sp)) * _below(sp, a)), _any_m(sp) + sp.log(_below(sp, a)))]


def _loss(sp: Any, C: int) -> list[Claim]:
    a = preactivations(sp, C)
    stable = sp.log(_below(sp, a)) + _any_m(sp)
    return [Claim(-sp.log(softmax(sp, a)[y]), stable - a[y], {"y": y}) for y in range(C)]


def _at_m(sp: Any, a: Any, y: int, m: Any = None) -> Point:
    values = vector(sp, "a", a, at_least=2)
    check_number("y", y, at_least=0, below=len(values), whole=True)
    symbols = dict(zip(preactivations(sp, len(values)), values, strict=True))
    symbols[_any_m(sp)] = max(values) if m is None else exact(sp, "m", m)
    return Point({"C": len(values)}, symbols, case={"y": int(y)})


log_sum_exp: Final = Derivation(
    "log_sum_exp",
    "The loss of softmax from pre-activations, without large exponentials",
    {
        r"a_c": "pre-activation of class c",
        r"f_y": "probability of the right class",
        r"m": "any number; the largest a_c",
    },
    (
        Step(
            "-log f_y = log sum_c' e^a_c' - a_y",
            rf"-\log \frac{{e^{{a_y}}}}{{{_S}}} = \log {_S} - a_y",
            "logarithm of a quotient",
            _log_of_quotient,
        ),
        Step(
            "log sum_c' e^a_c' = log(e^m sum_c' e^(a_c' - m))",
            rf"\log {_S} = \log\left(e^m \sum_{{c'}} e^{{a_{{c'}} - m}}\right)",
            "e^m is taken out of every term, for any m",
            _factor,
        ),
        Step(
            "log(e^m sum_c' e^(a_c' - m)) = m + log sum_c' e^(a_c' - m)",
            r"\log\left(e^m \sum_{c'} e^{a_{c'} - m}\right) = m + \log \sum_{c'} e^{a_{c'} - m}",
            "logarithm of a product",
            _log_of_product,
        ),
        Step(
            "-log f_y = log sum_c' e^(a_c' - m) + (m - a_y)",
            r"-\log f_y = \log \sum_{c'} e^{a_{c'} - m} + \left(m - a_y\right)",
            "all together; if m is the largest a_c the sum is from 1 to C",
            _loss,
        ),
    ),
    _at_m,
)
