"""The derivations: every line is proved, a wrong one is not, and what they end in is what the library computes."""

from __future__ import annotations

import dataclasses
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import MissingExtraError, SpecificationError
from layerwise.proofs import TABLE, Claim, Derivation, Step

STEPS = [
    pytest.param(derivation, step, id=f"{name}-{i}")
    for name, derivation in TABLE.items()
    for i, step in enumerate(derivation.steps, 1)
]
DERIVATIONS = pytest.mark.parametrize("derivation", TABLE.values(), ids=TABLE)
RNG = np.random.default_rng(7)


def changed(step, change):
    """The step with other right sides, of its smallest size: `change` takes and returns a list of claims."""
    return dataclasses.replace(
        step, claims_for=lambda sp, **size: change(list(step.claims_for(sp, **size))), sizes=step.sizes[:1]
    )


def sign_flipped(claims):
    return [Claim(claim.left, -claim.right, claim.case) for claim in claims]


def one_sign_flipped(claims):
    """Only the last one that is not 0 = 0 is wrong."""
    last = max(i for i, claim in enumerate(claims) if not Claim(claim.right, -claim.right).holds)
    return claims[:last] + sign_flipped(claims[last : last + 1]) + claims[last + 1 :]


def index_swapped(claims):
    """Each equation has the right side of the next choice of the indices, each entry of a matrix that of the next."""
    rights = [claim.right for claim in claims]
    if getattr(rights[0], "is_Matrix", False):
        rights = [type(right)(*right.shape, [*list(right)[1:], right[0]]) for right in rights]
    else:
        rights = rights[1:] + rights[:1]
    return [Claim(claim.left, right, claim.case) for claim, right in zip(claims, rights, strict=True)]


#: Reasons of lines whose right sides are all the same: such as a rule of calculus, or the slope of a line.
ONE_EQUATION = {
    "quotient rule, for any g and h", "the slope of a line", "e^m is taken out of every term, for any m",
    "logarithm of a product", "quotient rule; the slope of the sigmoid", "the loss of a yes or no, at the output",
    "chain rule; the denominators cancel", "identity with the squared error: f = a",
    "a sigmoid with the squared error: its slope does not cancel",
}  # fmt: skip


# --- proofs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("derivation", "step"), STEPS)
def test_every_step_holds_for_all_its_sizes(derivation, step):
    assert step.holds
    if "C" in step.sizes[0]:
        assert [size["C"] for size in step.sizes] == [2, 3, 4, 5]


@pytest.mark.parametrize(("derivation", "step"), STEPS)
@pytest.mark.parametrize("change", [sign_flipped, one_sign_flipped])
def test_a_flipped_sign_is_found(derivation, step, change):
    assert not changed(step, change).holds


@pytest.mark.parametrize(("derivation", "step"), STEPS)
def test_a_swapped_index_is_found(derivation, step):
    claims = step.claims(**step.sizes[0])
    if any(claim.right != claims[0].right for claim in claims) or getattr(claims[0].right, "is_Matrix", False):
        assert not changed(step, index_swapped).holds
    else:  # a rule of calculus has no indices, and a line has one slope
        assert step.reason in ONE_EQUATION


@DERIVATIONS
def test_a_wrong_step_makes_the_derivation_fail_at_its_place(derivation):
    steps = (*derivation.steps[:-1], changed(derivation.steps[-1], sign_flipped))
    wrong = dataclasses.replace(derivation, steps=steps)
    assert wrong.prove(**steps[-1].sizes[0]) == (True,) * (len(steps) - 1) + (False,)


def test_verdicts_are_computed_and_not_kept():
    asked = []

    def claims(sp, C):
        asked.append(C)
        x = sp.Symbol("x")
        return [Claim(x, x + int(C == 4))]

    step = Step("x = x", "x = x", "it is", claims)
    assert not step.holds
    assert asked == [2, 3, 4]
    derivation = Derivation("d", "D", {}, (step,), lambda sp: None)
    assert [derivation.prove(C=C) for C in (3, 4, 5)] == [(True,), (False,), (True,)]
    assert asked[3:] == [3, 4, 5]


def test_more_classes_than_the_usual():
    assert all(lw.proofs.loss_gradient_at_preactivation.prove(C=6))


def test_each_writing_of_the_long_derivation_starts_where_the_last_one_ended():
    first, _, *others = lw.proofs.loss_gradient_at_preactivation.steps
    links = [first, *others[:3], others[5]]
    for before, after in pairwise(links):
        for claim, following in zip(before.claims(C=3), after.claims(C=3), strict=True):
            assert claim.right == following.left
    last = {(claim.case["y"], claim.case["c"]): claim.right for claim in links[-1].claims(C=3)}
    for claim in others[6].claims(C=3):
        assert list(claim.right) == [last[claim.case["y"], c] for c in range(3)]


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [2, 3, 10])
def test_the_gradient_at_the_output_is_that_of_the_library(C):
    f, y = RNG.dirichlet(np.ones(C)), int(RNG.integers(C))
    lines = lw.proofs.loss_gradient_at_output.check(f=f, y=y)
    assert all(line.agrees for line in lines)
    np.testing.assert_allclose(lines[-1].right, lw.loss_gradient_at_output(f, y), rtol=1e-14)


@pytest.mark.parametrize("C", [2, 3, 10])
def test_the_gradient_at_the_preactivation_is_that_of_the_library(C):
    a, y = RNG.normal(size=C), int(RNG.integers(C))
    lines = lw.proofs.loss_gradient_at_preactivation.check(a=a, y=y)
    assert all(line.agrees for line in lines)
    f = np.exp(a) / np.exp(a).sum()
    np.testing.assert_allclose(lines[-1].right, lw.loss_gradient_at_preactivation(f, y), rtol=1e-13)


def test_large_numbers_do_no_harm():
    lines = lw.proofs.loss_gradient_at_preactivation.check(a=[1000.0, -1000.0, 0.0], y=0)
    assert all(line.agrees for line in lines)


def test_a_wrong_line_disagrees_on_numbers():
    derivation = lw.proofs.loss_gradient_at_preactivation
    wrong = dataclasses.replace(derivation, steps=(changed(derivation.steps[-1], sign_flipped),))
    (line,) = wrong.check(a=[0.5, -1.0], y=1)
    assert not line.agrees
    assert " != " in str(line)
    assert line.difference > 0.5


# --- reading ----------------------------------------------------------------------------------------------------------

#: What the formulas may use; KaTeX knows all of it.
COMMANDS = {
    "frac", "partial", "nabla", "sum", "log", "exp", "tanh", "max", "min", "sqrt", "cdot", "odot", "cdots", "vdots",
    "neq", "ell", "lambda", "Omega", "theta", "sigma", "infty", "mathbf", "mathrm", "operatorname", "text", "left",
    "right", "begin", "end", "quad", "textasciicircum", "_", ",", "{", "}", "\\",
}  # fmt: skip
ENVIRONMENTS = {"matrix", "cases", "aligned"}


def assert_katex(latex):
    """Only known commands; braces, left and right, begin and end in pairs; nothing that needs a package."""
    assert set(re.findall(r"\\([A-Za-z]+|.)", latex)) <= COMMANDS
    depth = 0
    for brace in re.findall(r"[{}]", re.sub(r"\\[{}]", "", latex)):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left(?![A-Za-z])", latex)) == len(re.findall(r"\\right(?![A-Za-z])", latex))
    opened = []
    for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", latex):
        assert name in ENVIRONMENTS
        if word == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    for words in re.findall(r"\\text\{([^{}]*)\}", latex):
        assert not re.search(r"(?<!\\)[_^&]", words)
    assert not re.search(r"\^(\{[^{}]*\}|[^{\\])\^|'\^|[$%#~]", latex)


@pytest.mark.parametrize(("derivation", "step"), STEPS)
def test_each_line_is_latex_that_katex_reads(derivation, step):
    assert_katex(step.latex)
    assert "=" in step.latex
    assert "=" in step.text
    assert step._repr_latex_() == f"$\\displaystyle {step.latex}$"


@DERIVATIONS
def test_a_derivation_reads_as_text_latex_and_markdown(derivation):
    text = str(derivation).splitlines()
    assert text[0] == derivation.title
    rest = str(derivation)
    for i, step in enumerate(derivation.steps, 1):  # in this order
        _, found, rest = rest.partition(f"{i:>3}. {step.text}")
        assert found
        assert step.reason in rest
    assert_katex(derivation.latex().replace("&", ""))
    assert derivation._repr_latex_().startswith("$$\n")
    markdown = derivation._repr_markdown_()
    assert derivation.title in markdown
    assert all(step.latex in markdown for step in derivation.steps)
    assert all(step.reason in markdown.replace(r"\_", "_") for step in derivation.steps)
    for symbol in derivation.symbols:
        assert_katex(symbol)
    assert all(len(step.reason) <= 80 and not step.reason.endswith(".") for step in derivation.steps)


def test_the_check_of_latex_finds_what_is_wrong():
    for wrong in (r"\frac{1}{2", r"\left( x", r"\unknown", r"}{", r"\begin{cases} x", r"a^{1}^2", r"\text{a_c}"):
        with pytest.raises(AssertionError):
            assert_katex(wrong)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_reading_needs_no_sympy_and_proving_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    derivation = lw.proofs.loss_gradient_at_output
    assert derivation.latex()
    assert str(derivation)
    for ask in (derivation.prove, lambda: derivation.check(f=[0.5, 0.5], y=0), lambda: derivation.steps[0].holds):
        with pytest.raises(MissingExtraError) as caught:
            ask()
        assert str(caught.value) == (
            "proofs: expected SymPy, got no such package; pip install 'layerwise[notes]'"
        )  # one line


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda d: d.prove(C=1), "of at least 2"),
        (lambda d: d.prove(C=2.5), "a whole number"),
        (lambda d: d.prove(K=3), "a size named C, got K"),
        (lambda d: d.check(), "numbers named a, y, got none; write check(a=..., y=...)"),
        (lambda d: d.check(a=[1.0, 2.0]), "numbers named a, y, got a"),
        (lambda d: d.check(a=[1.0, 2.0], y=0, z=1), "numbers named a, y, got a, y, z"),
        (lambda d: d.check(a=[1.0], y=0), "a list of 2 numbers or more, got [1.0]"),
        (lambda d: d.check(a="12", y=0), "a list of 2 numbers or more, got '12'"),
        (lambda d: d.check(a=[1.0, float("nan")], y=0), "a: expected a number, got nan"),
        (lambda d: d.check(a=[1.0, 2.0], y=2), "y: expected a whole number of at least 0 and below 2, got 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(ask, words):
    with pytest.raises(SpecificationError) as caught:
        ask(lw.proofs.loss_gradient_at_preactivation)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_probabilities_must_be_positive():
    with pytest.raises(SpecificationError, match="f: expected a number above 0"):
        lw.proofs.loss_gradient_at_output.check(f=[0.0, 1.0], y=0)
