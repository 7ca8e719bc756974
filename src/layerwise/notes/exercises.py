"""Exercises that tell right from wrong: a question, fields to fill in, and a check that computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import InputError, LayerwiseError
from .formula import evaluate, number

if TYPE_CHECKING:
    import marimo as mo

#: Where a formula is compared with the right one; no value at which both are 0 or 1 by chance.
PLACES: Final = (-2.3, -1.1, -0.4, 0.3, 0.7, 1.9)
NOT_YET: Final = "Not yet answered."
_KINDS: Final[dict[bool, Literal["success", "danger"]]] = {True: "success", False: "danger"}


@dataclass(frozen=True)
class Number:
    """A field for a number, written as 0.25, 1/4 or exp(-1)."""

    label: str


@dataclass(frozen=True)
class Formula:
    """A field for a formula of some variables; the check gets a function of them.

    Parameters
    ----------
    label : str
    variables : tuple of str
        Their names, in the function's order.
    """

    label: str
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """A field for one of several answers."""

    label: str
    options: tuple[str, ...]


Field = Number | Formula | Choice


@dataclass(frozen=True)
class Verdict:
    """What a check says: None where nothing can be said yet.

    Parameters
    ----------
    right : bool or None
    message : str
    """

    right: bool | None
    message: str


@dataclass(frozen=True)
class Exercise:
    """A question with fields and a check.

    Parameters
    ----------
    question : str
        Markdown; formulas between dollars.
    fields : dict of str to Number, Formula or Choice
        By the check's argument names.
    check : callable
        Gets the answers by name and returns True, or what is wrong with them: False or a sentence.
    answer : dict of str to str
        A right one, as typed. It is tested, and shown to readers who ask for it.
    wrong : sequence of dict of str to str
        Wrong ones, such as readers give. They are tested.
    hint : str
        Said after a wrong answer.
    explanation : str
        Said after a right one.

    Examples
    --------
    >>> half = Exercise(
    ...     "What is $g(0)$ of the sigmoid?", {"g": Number("g(0)")}, check=lambda g: abs(g - 0.5) < 1e-9,
    ...     answer={"g": "1/2"}, wrong=[{"g": "0"}], hint="$e^0 = 1$.",
    ... )
    >>> half.judge({"g": "0.5"}).right, half.judge({"g": "0"}).message
    (True, 'Not right. $e^0 = 1$.')
    >>> half.judge({"g": ""}).right is None
    True
    >>> half.judge({"g": "a half"}).message
    "Cannot be read: expected a number or a formula, such as 1/3 or exp(-a), got 'a half'; check brackets and signs"
    """

    question: str
    fields: Mapping[str, Field]
    check: Callable[..., bool | str]
    answer: Mapping[str, str]
    wrong: Sequence[Mapping[str, str]]
    hint: str = ""
    explanation: str = ""

    def judge(self, given: Mapping[str, str | None]) -> Verdict:
        """Judge answers as typed.

        Parameters
        ----------
        given : dict of str to str
            By field; empty or None where nothing was given.

        Returns
        -------
        Verdict
        """
        if any(not (given.get(name) or "").strip() for name in self.fields):
            return Verdict(None, NOT_YET)
        try:
            read = {name: _read(one, str(given[name])) for name, one in self.fields.items()}
            outcome = self.check(**read)
        except LayerwiseError as problem:
            return Verdict(False, f"Cannot be read: expected {problem.expected}, got {problem.got}; {problem.remedy}")
        said = outcome if isinstance(outcome, str) else ""
        if not said and outcome:  # NumPy's True too
            return Verdict(True, f"Right. {self.explanation}".strip())
        return Verdict(False, " ".join(part for part in ("Not right.", said, self.hint) if part))


def _read(one: Field, text: str) -> Any:
    if isinstance(one, Number):
        return number(text)
    if isinstance(one, Formula):
        evaluate(text, **dict.fromkeys(one.variables, 0.5))  # says at once what cannot be read
        return lambda *values: evaluate(text, **dict(zip(one.variables, values, strict=True)))
    if text not in one.options:
        raise InputError(where="answer", expected=f"one of {one.options}", got=repr(text), remedy="choose one")
    return text


def agree(given: Callable[..., Any], right: Callable[..., Any], places: Sequence[float] = PLACES) -> bool:
    """Say whether two functions of one variable have the same values at several places.

    Examples
    --------
    >>> agree(lambda a: a * a, lambda a: a**2), agree(lambda a: 2 * a, lambda a: a**2)
    (True, False)
    """
    pairs = [(float(given(a)), float(right(a))) for a in places]
    return all(abs(mine - theirs) <= 1e-9 * max(1.0, abs(theirs)) for mine, theirs in pairs)


@dataclass(frozen=True)
class Exercises:
    """The exercises of a chapter, as a form for a notebook.

    Parameters
    ----------
    exercises : tuple of Exercise

    Examples
    --------
    In a notebook, each line in a cell of its own::

        exercises = notes.Exercises(...)
        answers = exercises.form()
        exercises.show(answers)
    """

    exercises: tuple[Exercise, ...] = field(default=())

    def __init__(self, *exercises: Exercise) -> None:
        object.__setattr__(self, "exercises", exercises)

    def form(self) -> mo.ui.dictionary:
        """Return marimo's elements for all fields, by number and name: "1.w"."""
        import marimo as mo

        return mo.ui.dictionary(
            {
                f"{i}.{name}": _element(one)
                for i, exercise in enumerate(self.exercises, start=1)
                for name, one in exercise.fields.items()
            }
        )

    def show(self, answers: mo.ui.dictionary) -> mo.Html:
        """Return the questions with their fields and verdicts."""
        import marimo as mo

        parts: list[Any] = [mo.md("## Exercises")]
        for i, exercise in enumerate(self.exercises, start=1):
            keys = {name: f"{i}.{name}" for name in exercise.fields}
            given: dict[str, Any] = dict(answers.value)
            verdict = exercise.judge({name: given[key] for name, key in keys.items()})
            solution = ", ".join(f"{one.label} = `{exercise.answer[name]}`" for name, one in exercise.fields.items())
            parts += [
                mo.md(f"**{i}.** {exercise.question}"),
                mo.hstack([answers[key] for key in keys.values()], justify="start", gap=1.5, wrap=True),
                *([] if verdict.right is None else [mo.md(verdict.message).callout(_KINDS[verdict.right])]),
                mo.accordion({"Answer": mo.md(f"{solution}\n\n{exercise.explanation}")}),
            ]
        return mo.vstack(parts, gap=0.75)


def _element(one: Field) -> Any:
    import marimo as mo

    if isinstance(one, Choice):
        return mo.ui.dropdown(list(one.options), label=one.label)
    hint = "a number" if isinstance(one, Number) else f"a formula of {', '.join(one.variables)}"
    return mo.ui.text(placeholder=hint, label=one.label)
