"""Derivations as data: steps that state an equation, say why it holds, and have it proved by SymPy when asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Final

from ..errors import SpecificationError, check_number, closest
from .algebra import load_sympy, number, vanishes

Size = Mapping[str, int]
#: The numbers of classes that a derivation is proved for unless others are asked for.
CLASSES: Final[tuple[Size, ...]] = tuple({"C": C} for C in (2, 3, 4, 5))
#: Sides of a line agree if they differ by no more than this, relative to the larger one (or to 1).
TOLERANCE: Final = 1e-12
#: Lines that print with their reason beside them are no longer than this.
WIDEST: Final = 60


@dataclass(frozen=True)
class Claim:
    """One equation for SymPy: of one size and one choice of indices.

    Parameters
    ----------
    left, right : SymPy expression or matrix
    case : mapping of str to int
        The indices, such as y and c; those that a claim makes no use of are missing.
    """

    left: Any
    right: Any
    case: Size = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether SymPy simplifies left - right to 0."""
        return vanishes(self.left - self.right)


@dataclass(frozen=True)
class Step:
    r"""One line of a derivation.

    Parameters
    ----------
    text, latex : str
        The equation, as plain text and as LaTeX that KaTeX reads.
    reason : str
        Why it holds, in one short sentence.
    claims_for : callable (sympy, **size) -> sequence of Claim
        The equation as SymPy has it, for every choice of the indices.
    sizes : tuple of mappings
        The sizes, such as numbers of classes, that `holds` looks at.

    Examples
    --------
    >>> from layerwise.proofs import loss_gradient_at_output
    >>> step = loss_gradient_at_output.steps[0]
    >>> step.reason, step.holds
    ('chain rule', True)
    >>> step.claims(C=2)[0]
    Claim(left=Derivative(-log(f_0), f_0), right=-Derivative(f_0, f_0)/f_0, case={'y': 0, 'c': 0})
    """

    text: str
    latex: str
    reason: str
    claims_for: Callable[..., Sequence[Claim]] = field(repr=False)
    sizes: tuple[Size, ...] = CLASSES

    def claims(self, **size: int) -> tuple[Claim, ...]:
        """Return the equations that SymPy is asked about, of one size.

        Raises
        ------
        MissingExtraError
            If SymPy is not installed.
        SpecificationError
            If the size has another name, or is too small.
        """
        return tuple(self.claims_for(load_sympy(), **checked_size(size, self.sizes)))

    @property
    def holds(self) -> bool:
        """Whether SymPy proves the line, for all its `sizes`; computed anew each time."""
        return all(claim.holds for size in self.sizes for claim in self.claims(**size))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


@dataclass(frozen=True)
class Line:
    """A step with numbers put in: both sides, one number for every choice of the indices left open."""

    step: Step
    left: tuple[float, ...]
    right: tuple[float, ...]

    @property
    def difference(self) -> float:
        """The largest difference between the sides, relative to the larger one (or to 1)."""
        pairs = zip(self.left, self.right, strict=True)
        return max((abs(x - y) / max(1.0, abs(x), abs(y)) for x, y in pairs), default=math.nan)

    @property
    def agrees(self) -> bool:
        """Whether the sides are the same number, to rounding."""
        return self.difference <= TOLERANCE

    def __str__(self) -> str:
        """Both sides and whether they agree, after the line itself."""
        sign = "=" if self.agrees else "!="
        return f"{self.step.text}:  {_shown(self.left)} {sign} {_shown(self.right)}"


@dataclass(frozen=True)
class Point:
    """What a reader's numbers mean for SymPy: a size, values of symbols and functions, and indices that are chosen."""

    size: Size
    symbols: Mapping[Any, Any]
    functions: Mapping[Any, Callable[..., Any]] = field(default_factory=dict)
    case: Size = field(default_factory=dict)

    def line(self, step: Step) -> Line:
        """Put the numbers into a step."""
        sides: tuple[list[float], list[float]] = ([], [])
        for claim in step.claims(**self.size):
            if all(claim.case.get(name, index) == index for name, index in self.case.items()):
                for numbers, side in zip(sides, (claim.left, claim.right), strict=True):
                    numbers += number(side, self.symbols, self.functions)
        return Line(step, tuple(sides[0]), tuple(sides[1]))


@dataclass(frozen=True)
class Derivation:
    """A derivation of the course, line by line; print it to read it.

    Parameters
    ----------
    name, title : str
    symbols : mapping of str to str
        What each letter means, by its LaTeX.
    steps : tuple of Step
    point : callable (sympy, **numbers) -> Point
        What the numbers given to `check` mean.

    Examples
    --------
    >>> from layerwise.proofs import loss_gradient_at_output
    >>> loss_gradient_at_output.prove(C=3)
    (True, True, True)
    >>> print(loss_gradient_at_output.check(f=[0.25, 0.75], y=0)[-1])
    grad_f (-log f_y) = -e(y) / f_y:  (-4, 0) = (-4, 0)
    """

    name: str
    title: str
    symbols: Mapping[str, str] = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    point: Callable[..., Point] = field(repr=False)

    @property
    def holds(self) -> bool:
        """Whether SymPy proves every line, for all sizes of the steps; computed anew each time."""
        return all(self.prove())

    def prove(self, **size: int) -> tuple[bool, ...]:
        """Return SymPy's verdict on each line.

        Parameters
        ----------
        **size : int
            One size, such as ``C=3``; by default all `sizes` of each step.

        Raises
        ------
        MissingExtraError
            If SymPy is not installed.
        SpecificationError
            If the size has another name, or is too small.
        """
        if not size:
            return tuple(step.holds for step in self.steps)
        return tuple(all(claim.holds for claim in step.claims(**size)) for step in self.steps)

    def check(self, **numbers: Any) -> tuple[Line, ...]:
        """Return each line with numbers put in, computed with 30 digits.

        Parameters
        ----------
        **numbers
            What `point` takes: for softmax ``a=[1.0, -2.0, 0.5], y=1``, say.

        Raises
        ------
        MissingExtraError
            If SymPy is not installed.
        SpecificationError
            If a number is missing, is none, or has no place here.
        """
        sp = load_sympy()
        try:
            signature(self.point).bind(sp, **numbers)
        except TypeError as problem:
            raise SpecificationError(
                where=self.name, expected=f"numbers named {self.needs}", got=", ".join(numbers) or "none",
                remedy=f"write check({', '.join(f'{name}=...' for name in self.needs.split(', '))})",
            ) from problem  # fmt: skip
        point = self.point(sp, **numbers)
        return tuple(point.line(step) for step in self.steps)

    @property
    def needs(self) -> str:
        """The names of the numbers that `check` takes."""
        return ", ".join(list(signature(self.point).parameters)[1:])

    def __str__(self) -> str:
        """The title and every line with its reason."""
        width = max(len(step.text) for step in self.steps)
        gap = "   " if width <= WIDEST else "\n       "  # reasons stand below lines that are long
        padding = width if width <= WIDEST else 0
        lines = [f"{i:>3}. {step.text:<{padding}}{gap}{step.reason}" for i, step in enumerate(self.steps, 1)]
        return "\n".join([self.title, *lines])

    def latex(self) -> str:
        """Return all lines as one aligned block of LaTeX."""
        lines = [rf"& {step.latex} && \text{{{_in_text_mode(step.reason)}}}" for step in self.steps]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _repr_markdown_(self) -> str:
        where = "; ".join(f"${symbol}$: {meaning}" for symbol, meaning in self.symbols.items())
        reasons = [step.reason.replace("_", r"\_") for step in self.steps]
        pairs = zip(self.steps, reasons, strict=True)
        lines = [f"{i}. $\\displaystyle {step.latex}$ ({reason})" for i, (step, reason) in enumerate(pairs, 1)]
        return "\n".join([f"**{self.title}**", "", where, "", *lines])


def checked_size(size: Mapping[str, int], sizes: tuple[Size, ...]) -> dict[str, int]:
    """Return a size with the names that a step knows; what is not given is as in the first of `sizes`."""
    known = sizes[0]
    for name, value in size.items():
        if name not in known:
            raise SpecificationError(
                where="prove", expected=f"a size named {' or '.join(known)}" if known else "no size", got=name,
                remedy=closest(name, list(known)) if known else "leave it out",
            )  # fmt: skip
        check_number(name, value, at_least=2 if name == "C" else 1, whole=True)
    return {**known, **size}


def _in_text_mode(reason: str) -> str:
    """Write subscripts and powers as they are typed: in text mode they are no mathematics, and errors if bare."""
    return reason.replace("_", r"\_").replace("^", r"\textasciicircum ")


def _shown(numbers: tuple[float, ...]) -> str:
    text = ", ".join(f"{x + 0.0:.6g}" for x in numbers)  # -0.0 + 0.0 is 0.0
    return text if len(numbers) == 1 else f"({text})"
