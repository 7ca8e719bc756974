"""A formula is used where it has finite values; whatever else is typed leaves the last one in use."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.notes import OwnFunction


def own():
    return OwnFunction(np.sin, ("x",), -2.0, 2.0)


def test_a_formula_becomes_a_function_of_arrays():
    function, problem = own().read("abs(x) - 1/2")
    assert problem == ""
    np.testing.assert_array_equal(function(np.array([[-1.0], [2.0]])), [[0.5], [1.5]])


def test_a_constant_has_a_value_at_every_place():
    function, _ = own().read("3")
    assert function(np.zeros((4, 2))).tolist() == [[3.0, 3.0]] * 4


def test_two_variables_have_their_order():
    function, problem = OwnFunction(np.hypot, ("x_1", "x_2")).read("x_1 - 2*x_2")
    assert problem == ""
    assert float(function(1.0, 3.0)) == -5.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x +", "expected a number or a formula"),
        ("y", "got the name 'y'"),
        ("__import__('os')", "expected a formula of x"),
        ("1/x", "at x = 0"),
        ("log(x)", "at x = -2"),
        ("500*x^2", "got 2e+03 at x = -2"),
        ("x" + "+x" * 200, "at most 200 characters"),
    ],
)
def test_what_cannot_be_used_leaves_the_last_function_and_says_why_in_one_line(text, said):
    place = own()
    kept, _ = place.read("x^3")
    function, problem = place.read(text)
    assert function is kept
    assert said in problem
    assert "\n" not in problem
    assert place.read("2*x")[1] == ""


def test_an_empty_field_brings_the_first_function_back():
    place = own()
    place.read("x^3")
    assert place.read("  ") == (np.sin, "")


def test_the_page_says_which_function_is_in_use():
    pytest.importorskip("marimo")
    place = own()
    field = place.field()
    assert place.take(field)[0] is np.sin
    field._update("x^2")
    assert "x^2" in place.take(field)[1].text
    field._update("1/x")
    function, message = place.take(field)
    assert float(function(3.0)) == 9.0
    assert "Still in use" in message.text
