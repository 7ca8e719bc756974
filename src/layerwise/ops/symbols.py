"""Symbols and the tracer: how a function of scalars turns into a list of steps."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Final

from ..errors import SpecificationError

#: Number of arguments of every primitive.
PRIMITIVES: Final[Mapping[str, int]] = {
    "add": 2, "subtract": 2, "multiply": 2, "divide": 2, "max": 2, "min": 2, "less": 2, "where": 3,
    "abs": 1, "sqrt": 1, "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "tanh": 1, "cos": 1, "erf": 1,
}  # fmt: skip


class Symbol:
    """A scalar that is not known yet: what a traced function computes with.

    Arithmetic on symbols (``+ - * / ** <``) appends steps to the tracer they belong to.
    """

    __slots__ = ("index", "tracer")

    def __init__(self, tracer: Tracer, index: int) -> None:
        self.tracer, self.index = tracer, index

    def __add__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("add", self, other)

    def __radd__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("add", other, self)

    def __sub__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("subtract", self, other)

    def __rsub__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("subtract", other, self)

    def __mul__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("multiply", self, other)

    def __rmul__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("multiply", other, self)

    def __truediv__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("divide", self, other)

    def __rtruediv__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("divide", other, self)

    def __neg__(self) -> Symbol:
        return self.tracer.apply("multiply", -1.0, self)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Symbol:
        return self.tracer.apply("abs", self)

    def __lt__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("less", self, other)

    def __gt__(self, other: Scalar) -> Symbol:
        return self.tracer.apply("less", other, self)

    def __le__(self, other: Scalar) -> Symbol:  # 1 also beside a NaN, where < and > give 0
        return 1 - (self > other)

    def __ge__(self, other: Scalar) -> Symbol:
        return 1 - (self < other)

    def __eq__(self, other: object) -> bool:
        raise SpecificationError(
            where="expression", expected="an inequality", got="a test for equality", remedy="write a < b or a > b"
        )

    __hash__ = None  # type: ignore[assignment]  # equality is not defined

    def __pow__(self, exponent: int) -> Symbol:
        if not isinstance(exponent, int) or isinstance(exponent, bool) or exponent < 1:
            raise SpecificationError(
                where="expression", expected="a whole power of at least 1", got=repr(exponent),
                remedy="write other powers with s.exp and s.log, or s.sqrt",
            )  # fmt: skip
        half = self if exponent == 1 else self ** (exponent // 2)
        squared = half if exponent == 1 else half * half
        return squared * self if exponent > 1 and exponent % 2 else squared

    def __bool__(self) -> bool:
        raise SpecificationError(
            where="expression", expected="a scalar formula without branches", got="a symbol used as a truth value",
            remedy="write s.where(condition, if_true, if_false) instead of if, and, or, max()",
        )  # fmt: skip

    def __float__(self) -> float:
        raise SpecificationError(
            where="expression", expected="the primitives of s", got="a symbol given to another function",
            remedy="write s.exp(a) instead of math.exp(a); s offers " + ", ".join(PRIMITIVES),
        )  # fmt: skip

    __array_ufunc__ = None  # NumPy must not loop over a symbol


Scalar = Symbol | float | int


class Tracer:
    """The first argument ``s`` of a traced function: makes inputs, constants and steps, each of them once."""

    def __init__(self) -> None:
        self.steps: list[tuple[Any, ...]] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def _symbol(self, step: tuple[Any, ...]) -> Symbol:
        key = (*step[:-1], repr(step[-1])) if step[0] == "constant" else step  # 0.0 and -0.0 differ, NaN equals itself
        if key not in self._known:
            self._known[key] = len(self.steps)
            self.steps.append(step)
        return Symbol(self, self._known[key])

    def input(self, name: str) -> Symbol:
        return self._symbol(("input", name))

    def lift(self, value: Any) -> Symbol:
        """Make a symbol of a number; a symbol stays as it is."""
        if isinstance(value, Symbol):
            if value.tracer is not self:
                raise SpecificationError(
                    where="expression", expected="symbols of one function", got="a symbol of another one",
                    remedy="pass it as an argument",
                )  # fmt: skip
            return value
        if not isinstance(value, numbers.Real):
            raise TypeError(f"{value!r}, a {type(value).__name__}")
        return self._symbol(("constant", float(value)))

    def apply(self, primitive: str, *arguments: Scalar) -> Symbol:
        operands = [self.lift(argument) for argument in arguments]
        simpler = self._simplified(primitive, operands)
        return self._symbol((primitive, *(o.index for o in operands))) if simpler is None else simpler

    def _simplified(self, primitive: str, operands: list[Symbol]) -> Symbol | None:
        """Drop what changes no value (but the sign of a zero): x + 0, x - 0, 1 x, x / 1, and where between equals."""
        constants = [self.steps[o.index][1] if self.steps[o.index][0] == "constant" else None for o in operands]
        match primitive, constants:
            case ("add" | "subtract", [_, 0.0]) | ("multiply" | "divide", [_, 1.0]):
                return operands[0]
            case ("add", [0.0, _]) | ("multiply", [1.0, _]):
                return operands[1]
            case "where", _ if operands[1].index == operands[2].index:
                return operands[1]
        return None

    def max(self, x: Scalar, y: Scalar) -> Symbol:
        """Return the larger of two values; NaN if one is NaN."""
        return self.apply("max", x, y)

    def min(self, x: Scalar, y: Scalar) -> Symbol:
        """Return the smaller of two values; NaN if one is NaN."""
        return self.apply("min", x, y)

    def less(self, x: Scalar, y: Scalar) -> Symbol:
        """Return 1 where x < y, else 0."""
        return self.apply("less", x, y)

    def where(self, condition: Scalar, if_true: Scalar, if_false: Scalar) -> Symbol:
        """Return `if_true` where the condition is not 0, else `if_false`."""
        return self.apply("where", condition, if_true, if_false)

    def abs(self, x: Scalar) -> Symbol:
        return self.apply("abs", x)

    def sqrt(self, x: Scalar) -> Symbol:
        return self.apply("sqrt", x)

    def exp(self, x: Scalar) -> Symbol:
        return self.apply("exp", x)

    def expm1(self, x: Scalar) -> Symbol:
        """Return exp(x) - 1, exact near 0."""
        return self.apply("expm1", x)

    def log(self, x: Scalar) -> Symbol:
        return self.apply("log", x)

    def log1p(self, x: Scalar) -> Symbol:
        """Return log(1 + x), exact near 0."""
        return self.apply("log1p", x)

    def tanh(self, x: Scalar) -> Symbol:
        return self.apply("tanh", x)

    def cos(self, x: Scalar) -> Symbol:
        return self.apply("cos", x)

    def erf(self, x: Scalar) -> Symbol:
        return self.apply("erf", x)
