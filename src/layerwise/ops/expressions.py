"""Scalar expressions: elementwise mathematics as data.

A function of scalars such as ``lambda s, a: s.max(a, 0)`` is called once, with symbols, and becomes an `Expression`: a
short list of steps over about fifteen primitives. An expression is evaluated by NumPy, differentiated, printed as
LaTeX, pickled, and stored as plain data; loading one runs no code. Equal steps are shared, so an expression written as
a tree is kept as a graph.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from ..errors import LayerwiseError, SpecificationError, closest
from .symbols import PRIMITIVES, Scalar, Symbol, Tracer

#: How constants that JSON has no number for are stored.
NOT_FINITE: Final = ("inf", "-inf", "nan")


@dataclass(frozen=True)
class Expression:
    r"""A formula of named scalars, as a list of steps.

    Parameters
    ----------
    inputs : tuple of str
        Names of the arguments, in order.
    steps : tuple of tuple
        ``("input", name)``, ``("constant", value)`` or ``(primitive, index, ...)``; an index points to an earlier step.
    outputs : tuple of int
        The steps whose values are the results.
    name : str
        What to call it in print, if it has a name; it makes no difference otherwise.

    Examples
    --------
    >>> relu = Expression.trace(lambda s, a: s.max(a, 0))
    >>> relu.steps
    (('input', 'a'), ('constant', 0.0), ('max', 0, 1))
    >>> relu.latex()
    '\\max(a, 0)'
    """

    inputs: tuple[str, ...]
    steps: tuple[tuple[Any, ...], ...]
    outputs: tuple[int, ...]
    name: str = field(default="", compare=False)

    @classmethod
    def trace(cls, function: Callable[..., Any], inputs: Sequence[str] | None = None) -> Expression:
        """Call a function of scalars once and keep what it computes.

        Parameters
        ----------
        function : callable
            Called as ``function(s, *symbols)``; returns one scalar or a tuple of them.
        inputs : sequence of str, optional
            Names of its arguments after ``s``; by default those of its signature.

        Raises
        ------
        SpecificationError
            If it branches on a symbol, uses other functions than those of ``s``, or returns no scalar.
        """
        tracer = Tracer()
        try:
            names = tuple(inputs) if inputs is not None else tuple(inspect.signature(function).parameters)[1:]
            result = function(tracer, *(tracer.input(name) for name in names))
            results = result if isinstance(result, tuple) else (result,)
            outputs = tuple(tracer.lift(r).index for r in results)
            if not outputs:
                raise ValueError("no result")
        except LayerwiseError:  # said on purpose
            raise
        except (AttributeError, TypeError, ValueError) as problem:
            raise SpecificationError(
                where="expression", expected="a formula of scalars in the primitives of s", got=f"{problem}",
                remedy="use + - * / ** < and s." + ", s.".join(list(PRIMITIVES)[4:]),
            ) from problem  # fmt: skip
        return cls(names, tuple(tracer.steps), outputs)._without_dead_steps()

    def __call__(self, s: Tracer, *arguments: Scalar) -> Any:
        """Write this expression into another one, in place of a call."""
        by_name = dict(zip(self.inputs, arguments, strict=True))
        values: list[Symbol] = []
        for kind, *rest in self.steps:
            if kind == "input":
                values.append(s.lift(by_name[rest[0]]))
            elif kind == "constant":
                values.append(s.lift(rest[0]))
            else:
                values.append(s.apply(kind, *(values[i] for i in rest)))
        results = tuple(values[i] for i in self.outputs)
        return results if len(results) > 1 else results[0]

    @cached_property
    def needs(self) -> frozenset[str]:
        """The inputs that the results depend on."""
        return frozenset(step[1] for step in self._without_dead_steps().steps if step[0] == "input")

    def derivative(self, wrt: str) -> Expression:
        """Differentiate the result with respect to one input, forward along the steps.

        At a kink, ``max`` and ``min`` of equal values follow their first argument and ``abs`` at 0 gives 0; built-in
        activations state their own value there.
        """
        from .differentiation import differentiate

        return differentiate(self, wrt)

    @cached_property
    def results_of_all(self) -> bool:
        """Whether each result depends on every input, and so has the shape that all of them broadcast to."""
        reached: list[frozenset[str]] = []
        for kind, *rest in self.steps:
            if kind == "input":
                reached.append(frozenset(rest))
            else:
                reached.append(frozenset().union(*(reached[i] for i in rest if kind in PRIMITIVES)))
        return all(reached[i] == set(self.inputs) for i in self.outputs)

    def branches(self) -> Expression | None:
        """Return the comparisons that decide between the smooth pieces of the formula; None if it has a single piece.

        Two points lie on the same piece if all comparisons agree at them.
        """
        return self._branches

    @cached_property
    def _branches(self) -> Expression | None:

        def comparisons(s: Tracer, *symbols: Symbol) -> tuple[Symbol, ...]:
            by_name = dict(zip(self.inputs, symbols, strict=True))
            values: list[Symbol] = []
            found: list[Symbol] = []
            for kind, *rest in self.steps:
                arguments = [values[i] for i in rest] if kind in PRIMITIVES else []
                if kind in ("max", "min", "less"):
                    found.append(s.less(*arguments))
                elif kind == "abs":
                    found.append(s.less(arguments[0], 0))
                elif kind == "where":
                    found.append(s.where(arguments[0], 1, 0))
                lifted = by_name[rest[0]] if kind == "input" else s.lift(rest[0]) if kind == "constant" else None
                values.append(s.apply(kind, *arguments) if lifted is None else lifted)
            return tuple(found) or (s.lift(0.0),)

        found = Expression.trace(comparisons, inputs=self.inputs)
        return found if any(step[0] != "constant" for step in found.steps) else None

    def latex(self) -> str:
        """Print the formula as LaTeX; several results are separated by commas."""
        from .printing import latex

        return latex(self)

    def to_data(self) -> dict[str, Any]:
        """Return plain lists and numbers, fit for JSON; infinite constants become strings."""
        steps = [
            [kind, repr(rest[0])] if kind == "constant" and not math.isfinite(rest[0]) else [kind, *rest]
            for kind, *rest in self.steps
        ]
        return {"inputs": list(self.inputs), "steps": steps, "outputs": list(self.outputs)}

    @classmethod
    def from_data(cls, data: Any) -> Expression:
        """Rebuild an expression from `to_data`, checking every step: nothing in it is run.

        Raises
        ------
        SpecificationError
            If a step is unknown, has the wrong number of arguments, or points to a later one.
        """
        try:
            inputs, outputs = data["inputs"], data["outputs"]
            if not isinstance(inputs, list) or not all(isinstance(i, str) and i.isidentifier() for i in inputs):
                raise ValueError(f"inputs {inputs!r}")
            if len(set(inputs)) < len(inputs):
                raise ValueError(f"one input twice in {inputs!r}")
            steps = tuple(_checked_step(i, step, inputs) for i, step in enumerate(data["steps"]))
            if not isinstance(outputs, list) or not outputs or not all(_points_below(len(steps), i) for i in outputs):
                raise ValueError(f"outputs {outputs!r}")
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise SpecificationError(
                where="expression", expected="inputs, steps and outputs as written by to_data", got=str(problem),
                remedy="write the expression anew",
            ) from problem  # fmt: skip
        return cls(tuple(inputs), steps, tuple(outputs))

    def _without_dead_steps(self) -> Expression:
        live = set(self.outputs)
        for index in range(len(self.steps) - 1, -1, -1):
            if index in live and self.steps[index][0] in PRIMITIVES:
                live.update(self.steps[index][1:])
        if len(live) == len(self.steps):
            return self
        place = {old: new for new, old in enumerate(sorted(live))}
        steps = tuple(
            (kind, *(place[i] for i in rest)) if kind in PRIMITIVES else (kind, *rest)
            for kind, *rest in (self.steps[old] for old in place)
        )
        return Expression(self.inputs, steps, tuple(place[i] for i in self.outputs))


def expression(function: Callable[..., Any]) -> Expression:
    """Turn a function of scalars into an `Expression`; meant as a decorator.

    >>> @expression
    ... def softplus(s, a):
    ...     return s.max(a, 0) + s.log1p(s.exp(-s.abs(a)))
    >>> sorted(softplus.needs)
    ['a']
    """
    return Expression.trace(function)


def _checked_step(index: int, step: Any, inputs: list[str]) -> tuple[Any, ...]:
    if not isinstance(step, list) or not step or not isinstance(step[0], str):
        raise ValueError(f"step {index} {step!r}")
    kind, *rest = step
    if kind == "input" and len(rest) == 1 and rest[0] in inputs:
        return "input", rest[0]
    if kind == "constant" and len(rest) == 1 and (type(rest[0]) in (int, float) or rest[0] in NOT_FINITE):
        return "constant", float(rest[0])
    if kind not in PRIMITIVES and kind not in ("input", "constant"):
        raise ValueError(f"step {kind!r}: {closest(kind, list(PRIMITIVES))}")
    if len(rest) != PRIMITIVES.get(kind) or not all(_points_below(index, i) for i in rest):
        raise ValueError(f"step {index} {step!r}")
    return kind, *rest


def _points_below(index: int, pointer: Any) -> bool:
    return type(pointer) is int and 0 <= pointer < index
