"""The table of activation functions as data: formulas as they are printed, ranges and kinks (course-map row 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError
from ..ops import Expression, expression
from ..ops.numpy_ops import evaluate
from ..ops.printing import LATEX, render
from ..rules.activations import TABLE, Activation, activation

Array = npt.NDArray[Any]
#: Formulas that are longer in LaTeX are not written beside a picture.
LONGEST: Final = 75
#: What matplotlib cannot set as LaTeX does.
MATHTEXT: Final = replace(
    LATEX,
    forms={kind: form for kind, form in LATEX.forms.items() if kind != "divide"}  # small fractions are hard to read
    | {"where": r"{1}\ \mathrm{{if}}\ {0}\ \mathrm{{else}}\ {2}", "expm1": r"(e^{{{}}} - 1)", "abs": "|{}|"},
    brackets="({})",
)
#: g and g' as textbooks write them, where the library computes with a longer formula that cannot overflow.
TEXTBOOK: Final[dict[str, tuple[Expression | None, Expression | None]]] = {
    "sigmoid": (expression(lambda s, a: 1 / (1 + s.exp(-a))), None),
    "leaky_relu": (expression(lambda s, a: s.where(a > 0, a, 0.01 * a)), None),
    "elu": (expression(lambda s, a: s.where(a > 0, a, s.exp(a) - 1)), None),
    "selu": (expression(lambda s, a: s.where(a > 0, 1.0507 * a, 1.7581 * (s.exp(a) - 1))), None),
    "softplus": (expression(lambda s, a: s.log(1 + s.exp(a))), expression(lambda s, a, h: 1 - s.exp(-h))),
    "gelu": (expression(lambda s, a: a * (1 + s.erf(0.7071 * a)) / 2), None),
    "silu": (expression(lambda s, a: a / (1 + s.exp(-a))), expression(lambda s, a, h: h + (1 - h) / (1 + s.exp(-a)))),
    "mish": (expression(lambda s, a: a * s.tanh(s.log(1 + s.exp(a)))), None),
}


@dataclass(frozen=True)
class ActivationRow:
    """One activation function.

    Attributes
    ----------
    activation : Activation
    """

    activation: Activation

    @property
    def name(self) -> str:
        """Its name."""
        return self.activation.name

    @cached_property
    def g(self) -> Expression:
        """The formula of g, as textbooks write it."""
        return TEXTBOOK.get(self._known, (None, None))[0] or self.activation.g

    @cached_property
    def derivative(self) -> Expression:
        """The formula of g', of a and h = g(a)."""
        return TEXTBOOK.get(self._known, (None, None))[1] or self.activation.derivative

    @property
    def range(self) -> tuple[float, float] | None:
        """The values that g can take; None where that is not known."""
        return None if self.kinks is None else self.activation.range

    @property
    def kinks(self) -> tuple[tuple[float, float], ...] | None:
        """Where g has no derivative, and the value taken for it; None where that is not known."""
        return self.activation.kinks

    def range_in_words(self) -> str:
        """Say the range.

        >>> ActivationRow(TABLE["relu"]).range_in_words(), ActivationRow(TABLE["sigmoid"]).range_in_words()
        ('0 to ∞', '0 to 1')
        """
        if self.range is None:
            return "not known"
        low, high = (f"{value:.4g}".replace("inf", "∞").replace("-", "−") for value in self.range)
        return f"{low} to {high}"

    def kinks_in_words(self) -> str:
        """Say where the kinks are, and which value g' takes there.

        >>> ActivationRow(TABLE["relu"]).kinks_in_words()
        "a = 0, where g' = 0"
        """
        if self.kinks is None:
            return "not known"
        return "; ".join(f"a = {a:.4g}, where g' = {slope:.4g}" for a, slope in self.kinks) or "none"

    def values(self, a: Array) -> tuple[Array, Array]:
        """Return g(a) and g'(a) by the formulas that the library computes with.  a: (r,) -> (r,), (r,)"""
        h = np.broadcast_to(evaluate(self.activation.g, [a]), a.shape)
        slope = evaluate(self.activation.derivative, [a, h])
        return h, np.broadcast_to(np.asarray(slope, np.float64), a.shape)

    def mathtext(self) -> tuple[str, str]:
        """Return g and g' as matplotlib can set them; empty where they are too long for a picture."""
        made = []
        for formula in (self.g, self.derivative):
            text = render(formula, MATHTEXT, {})[0][0]
            made.append(text if len(text) <= LONGEST else "")
        return made[0], made[1]

    @property
    def _known(self) -> str:
        """The name, if it is that of the table and nothing else that is called so."""
        return self.name if TABLE.get(self.name) == self.activation else ""


def activation_rows(activations: Any = None) -> list[ActivationRow]:
    """Return the rows of these activations, or of all that have names.

    Parameters
    ----------
    activations : str, Activation or callable, or a sequence of them, optional

    Raises
    ------
    SpecificationError
        If one is unknown, or there are none.

    Examples
    --------
    >>> [row.name for row in activation_rows(["tanh", lambda s, a: a * a])]
    ['tanh', 'own']
    """
    if activations is None:
        return [ActivationRow(row) for row in TABLE.values()]
    several = isinstance(activations, Sequence) and not isinstance(activations, str)
    given = list(activations) if several else [activations]
    if not given:
        raise SpecificationError(
            where="activations", expected="at least one", got="none", remedy="leave them out for the whole table"
        )
    return [ActivationRow(activation(one)) for one in given]


def visible(values: Array, heights: tuple[float, float]) -> Array:
    """Return the values with NaN outside of the heights, but for the first point on the other side of each."""
    low, high = heights
    inside = (values >= low) & (values <= high)
    near = inside.copy()
    near[1:] |= inside[:-1]
    near[:-1] |= inside[1:]
    return np.where(near & np.isfinite(values), np.clip(values, low, high), math.nan)
