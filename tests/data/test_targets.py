"""Coding targets: classes or numbers, there and back."""

from __future__ import annotations

import datetime
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from layerwise.data import TargetCoding
from layerwise.errors import DataError, InputError, SpecificationError


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (pl.Series(["b", "a", "b", "a"]), ("a", "b")),
        (pl.Series(["1", "2", "1", "10"] * 2), ("1", "10", "2")),
        (pl.Series(["b", "a", "b", "a"], dtype=pl.Categorical), ("a", "b")),
        (pl.Series(["b", "a", "b", "a"], dtype=pl.Enum(["b", "a"])), ("a", "b")),
        (pl.Series([True, False, True]), (False, True)),
        (pl.Series([3, -1, 3]), (-1, 3)),
        (pl.Series([10.0, 9.0, 10.0]), (9, 10)),
        (pl.Series(range(20)), tuple(range(20))),
        (np.array(["b", "a", "b", "a"]), ("a", "b")),
        (np.array(["b", "a", "b", "a"], object), ("a", "b")),
        (np.array([True, False]), (False, True)),
        (np.array([3, 1], np.uint8), (1, 3)),
        (np.array([3.0, 1.0], np.float32), (1, 3)),
    ],
)
def test_classes(target, classes):
    coding = TargetCoding.fit(target)
    assert coding.kind == "classes"
    assert coding.classes == classes
    assert {type(label) for label in coding.classes} == {type(classes[0])}
    codes = coding.encode(target)
    assert codes.dtype == np.int64
    values = list(target.to_list() if isinstance(target, pl.Series) else target)
    assert codes.tolist() == [classes.index(value) for value in values]
    assert coding.decode(codes).tolist() == values


@pytest.mark.parametrize(
    "target",
    [
        pl.Series([0.5, 1.0, 2.0]),
        pl.Series(range(21)),
        pl.Series([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)] * 3 + [datetime.date(2022, 7, 1)]).cast(
            pl.Datetime("us")
        )
        + datetime.timedelta(hours=5),
        np.arange(30, dtype=np.int16),
        np.array([0.25, 3e150]),
        pl.Series([2**63, 2**63 + 4096], dtype=pl.UInt64),
    ],
)
def test_numbers(target):
    # Whatever cannot be classes, or has too many different values.
    coding = TargetCoding.fit(target, "numbers" if getattr(target, "max", None) and len(target) == 2 else None)
    assert coding.kind == "numbers"
    assert coding.classes == ()
    codes = coding.encode(target)
    assert codes.dtype == np.float64
    assert abs(codes.mean()) < 1e-9
    assert codes.std() == pytest.approx(1)


def test_standardisation_is_that_of_the_training_rows():
    coding = TargetCoding.fit(np.array([1.0, 2.0, 3.5]))
    values = np.array([1.0, 2.0, 3.5])
    assert coding.mean == values.mean()
    assert coding.scale == values.std()
    later = np.array([7.25, -1.0])
    np.testing.assert_array_equal(coding.encode(later), (later - values.mean()) / values.std())
    np.testing.assert_allclose(coding.decode(coding.encode(later)), later, rtol=1e-15)
    assert coding.decode(np.zeros((2, 1))).shape == (2, 1)


def test_wanted():
    whole = pl.Series([1, 2, 2, 3])
    assert TargetCoding.fit(whole).kind == "classes"
    assert TargetCoding.fit(whole, "numbers").kind == "numbers"
    assert TargetCoding.fit(pl.Series(range(50)), "classes").classes == tuple(range(50))
    flags = TargetCoding.fit(pl.Series([True, False, False, False]), "numbers")
    assert (flags.mean, flags.scale) == (0.25, math.sqrt(0.1875))


@pytest.mark.parametrize(
    ("target", "wanted", "pieces"),
    [
        (pl.Series(["a"] * 9), None, ["at least two classes", "a target with one class, 'a'"]),
        (pl.Series([4, 4, 4]), None, ["a target with one class, 4"]),
        (pl.Series([True, True]), None, ["a target with one class, True"]),
        (pl.Series([1.5, 1.5]), None, ["a target that varies", "1.5 in all 2 rows"]),
        (pl.Series([3, 3]), "numbers", ["a target that varies"]),
        (pl.Series([1.5]), None, ["a target that varies"]),
        (pl.Series([0.0, 5e-324]), None, ["a target that varies"]),
        (np.array([1e308, -1e308]), "numbers", ["squares can be held", "-1e+308 to 1e+308"]),
        (pl.Series(["a", "b", "c", "a", "b"]), None, ["3 different words in 5 rows", "identifier"]),
        (pl.Series(["a", "b", "c"]), "classes", ["identifier"]),
        (pl.Series(["1.5", "2", "old", "2"]), "numbers", ["numbers (regression)", "the word 'old' in data row 3"]),
        (pl.Series(["1", "2", "1", "2"]), "numbers", ["the word '1' in data row 1"]),
        (pl.Series([1.0, 2.5, 2.0]), "classes", ["words or whole numbers", "2.5 in data row 2"]),
        (pl.Series(["a", None, "b"]), None, ["a value in every row", "data row 2"]),
        (np.array([1.0, 2.0, np.nan]), None, ["a value in every row", "data row 3"]),
        (np.array(["a", None], object), None, ["a value in every row", "data row 2"]),
        (np.array([1.0, np.inf]), None, ["finite numbers", "inf in data row 2"]),
        (np.array(["a", 1], object), None, ["a mixture"]),
        (np.array([1j, 2j]), None, ["numbers, words, booleans or dates"]),
        (np.zeros((2, 2)), None, ["one value a row", "(2, 2)"]),
        (pl.Series([[1], [2]]), None, ["numbers, words, booleans or dates"]),
        (pl.Series([], dtype=pl.Int64), None, ["at least one row"]),
    ],
)
def test_bad_targets(fails, target, wanted, pieces):
    with fails(DataError, "'price'", *pieces):
        TargetCoding.fit(target, wanted, "price")


def test_unknown_wish(fails):
    with fails(SpecificationError, "'classes' or 'numbers'", "'regression'"):
        TargetCoding.fit(pl.Series([1, 2]), "regression")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("train", "later", "pieces"),
    [
        (["a", "b", "a", "b"], ["a", "c", "d"], ["'a', 'b'", "'c' in data row 2"]),
        ([1, 2], [2, 2, 3], ["1, 2", "3 in data row 3"]),
        ([1, 2], [1.0, 2.0, 1e300], ["1e+300 in data row 3"]),
        ([1, 2], [1.0, 1.5], ["1.5 in data row 2"]),
        ([1, 2], ["1", "2"], ["'1' in data row 1"]),
        (["1", "2", "1", "2"], [1, 2], ["1 in data row 1"]),
        ([0, 1], [True, False], ["True in data row 1"]),
        ([True, False], [1, 0], ["1 in data row 1"]),
        (["a", "b", "a", "b"], ["a", None], ["a missing one in data row 2"]),
        ([1.5, 2.5], ["1.5"], ["numbers (regression)", "the word '1.5'"]),
        ([1.5, 2.5], [1.5, None], ["a missing one in data row 2"]),
    ],
)
def test_values_unlike_training(fails, train, later, pieces):
    coding = TargetCoding.fit(pl.Series(train), name="kind")
    with fails(DataError, "'kind'", *pieces):
        coding.encode(pl.Series(later))


def test_many_classes_are_not_all_named(fails):
    coding = TargetCoding.fit(pl.Series(range(15)))
    with fails(DataError, "8, 9, ...)"):
        coding.encode(pl.Series([99]))


def test_the_same_class_in_another_type():
    coding = TargetCoding.fit(pl.Series([1, 2]))
    assert coding.encode(pl.Series([2.0, 1.0])).tolist() == [1, 0]
    assert coding.encode(np.array([2], np.uint8)).tolist() == [1]


@pytest.mark.parametrize("train", [["a", "b", "a", "b"], [1, 2], [True, False], [0.5, 1.0]])
def test_no_rows(train):
    coding = TargetCoding.fit(pl.Series(train))
    empty = pl.Series(train).head(0)
    assert coding.encode(empty).shape == (0,)
    assert coding.decode(coding.encode(empty)).shape == (0,)
    assert coding.encode(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("codes", [[0, 2], [-1], [0.0], [True]])
def test_class_numbers_that_are_none(fails, codes):
    coding = TargetCoding.fit(pl.Series(["a", "b", "a", "b"]))
    with fails(InputError, "whole numbers from 0 to 1"):
        coding.decode(np.array(codes))


def through_json(coding):
    return TargetCoding.from_data(json.loads(json.dumps(coding.to_data())))


@settings(deadline=None)
@given(st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=9), st.text(max_size=5))
def test_numbers_survive_json(values, name):
    values = np.array(values)
    assume(values.std() > 0 and values.min() < values.max())
    coding = TargetCoding.fit(values, "numbers", name)
    again = through_json(coding)
    assert again == coding
    assert (again.mean.hex(), again.scale.hex()) == (coding.mean.hex(), coding.scale.hex())
    np.testing.assert_array_equal(again.encode(values), coding.encode(values))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(deadline=None)
@given(st.sets(words, min_size=2, max_size=9) | st.sets(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=9))
def test_classes_survive_json(labels):
    values = pl.Series(list(labels) * 2)
    coding = TargetCoding.fit(values, "classes")
    again = through_json(coding)
    assert again == coding
    assert again.encode(values).tolist() == [sorted(labels).index(value) for value in values]


def test_booleans_survive_json():
    again = through_json(TargetCoding.fit(pl.Series([True, False])))
    assert [label is expected for label, expected in zip(again.classes, (False, True), strict=True)] == [True, True]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "classes", "name": "y"},
        {"kind": "classes", "name": "y", "classes": ["a"]},
        {"kind": "classes", "name": "y", "classes": ["a", 1]},
        {"kind": "classes", "name": "y", "classes": [1.5, 2.5]},
        {"kind": "classes", "name": "y", "classes": "ab"},
        {"kind": "classes", "name": 3, "classes": ["a", "b"]},
        {"kind": "numbers", "name": "y", "mean": 1.0},
        {"kind": "numbers", "name": "y", "mean": "1", "scale": 1.0},
        {"kind": "numbers", "name": "y", "mean": 1.0, "scale": 0.0},
        {"kind": "numbers", "name": "y", "mean": math.nan, "scale": 1.0},
        {"kind": "other", "name": "y", "mean": 1.0, "scale": 1.0},
    ],
)
def test_damaged_data(fails, data):
    with fails(DataError, "target coding"):
        TargetCoding.from_data(data)
