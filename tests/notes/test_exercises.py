"""What a reader types is read without executing it, and judged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from layerwise.errors import InputError
from layerwise.notes import Choice, Exercise, Formula, Number, agree
from layerwise.notes.formula import evaluate, number


@pytest.mark.parametrize(
    ("text", "value"),
    [("1/3", 1 / 3), ("-2^2", -4), ("2**-1", 0.5), ("exp(0) + log(e)", 2), (" sqrt(2)*sqrt(2) ", 2), ("+.5", 0.5),
     ("max(1, min(2, 3))", 2), ("sigmoid(0)", 0.5), ("relu(-1)", 0), ("1e3", 1000), ("abs(-pi)", math.pi)],
)  # fmt: skip
def test_numbers(text, value):
    assert number(text) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    ["", "half", "1,5", "(1", "__import__('os')", "().__class__", "[1]", "True", "1j", "'a'", "exp", "exp()",
     "exp(1, 2)", "max(1)", "lambda: 1", "x", "1 if 1 else 2", "exp(x=1)", "1; 2", "1/0", "9**9**9**9", "log(-1)",
     "1" * 300, "-" * 190 + "1", "(" * 100 + "1", "\x00", "2 < 3", "1" * 150 + "**" + "9" * 40],
)  # fmt: skip
def test_what_is_no_number(text, refuses):
    if text == "-" * 190 + "1":  # long-winded, but a number
        assert number(text) == 1
        return
    with refuses(InputError):
        number(text)


def test_formulas_of_arrays():
    a = np.linspace(-2, 2, 5)
    assert np.array_equal(evaluate("a*sigmoid(a)", a=a), a / (1 + np.exp(-a)))
    assert np.isnan(evaluate("log(a)", a=-1.0))


def test_agree():
    assert agree(lambda a: evaluate("1 - tanh(a)^2", a=a), lambda a: 1 / math.cosh(a) ** 2)
    assert not agree(lambda a: float("nan"), lambda a: a)


@pytest.fixture
def exercise():
    return Exercise(
        "?",
        {"k": Number("k"), "g": Formula("g'", ("g",)), "c": Choice("c", ("yes", "no"))},
        check=lambda k, g, c: (k == 2 and agree(g, lambda v: v * (1 - v)) and c == "yes") or f"{k:g} it is not.",
        answer={"k": "2", "g": "g*(1-g)", "c": "yes"}, wrong=[{"k": "3", "g": "g", "c": "no"}],
        hint="Think.", explanation="So it is.",
    )  # fmt: skip


def test_verdicts(exercise):
    assert exercise.judge(exercise.answer) == exercise.judge({"k": " 4/2", "g": "g - g^2", "c": "yes"})
    assert exercise.judge(exercise.answer).message == "Right. So it is."
    assert exercise.judge(exercise.wrong[0]).message == "Not right. 3 it is not. Think."
    assert exercise.judge({"k": "2", "g": None, "c": "yes"}).right is None
    assert exercise.judge({}).right is None


@pytest.mark.parametrize(("name", "text"), [("k", "two"), ("g", "h*(1-h)"), ("c", "maybe")])
def test_what_cannot_be_read_is_said(exercise, name, text):
    verdict = exercise.judge({**exercise.answer, name: text})
    assert verdict.right is False
    assert verdict.message.startswith("Cannot be read: expected ")
    assert "\n" not in verdict.message
