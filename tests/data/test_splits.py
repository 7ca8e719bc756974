"""Splitting rows: every row once, by seed, in shares, groups and time."""

from __future__ import annotations

import datetime
import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from layerwise.data import Split, split_rows
from layerwise.errors import DataError, SpecificationError


def check_partition(split: Split, n: int) -> None:
    sides = (split.train, split.validation, split.test)
    for side in sides:
        assert side.dtype == np.int64
        assert np.array_equal(side, np.sort(side))
    assert sorted(np.concatenate(sides).tolist()) == list(range(n))


fractions = st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 0.5])


@settings(deadline=None)
@given(st.integers(8, 200), fractions, fractions, st.integers(0, 2**32 - 1))
def test_random_splits_partition_the_rows(n, test, validation, seed):
    split = split_rows(n, seed=seed, test=test, validation=validation)
    check_partition(split, n)
    n_test = math.ceil(n * test)
    assert len(split.test) == n_test
    assert len(split.validation) == math.ceil((n - n_test) * validation)
    assert split.notes == ()


@settings(deadline=None)
@given(st.data())
def test_stratified_splits_partition_the_rows(data):
    strata = np.array(data.draw(st.lists(st.integers(0, 5), min_size=8, max_size=120)))
    split = split_rows(len(strata), seed=1, strata=strata)
    check_partition(split, len(strata))
    assert len(split.test) == math.ceil(len(strata) * 0.2)
    for name in np.unique(strata):
        if (strata == name).sum() == 1 and not any("at random" in note for note in split.notes):
            assert np.flatnonzero(strata == name)[0] in split.train


@settings(deadline=None)
@given(st.data())
def test_group_splits_partition_the_rows(data):
    groups = np.array(data.draw(st.lists(st.integers(0, 12), min_size=30, max_size=90)) + [20, 21, 22, 23])
    split = split_rows(len(groups), seed=2, groups=groups)
    check_partition(split, len(groups))
    sides = [set(groups[side].tolist()) for side in (split.train, split.validation, split.test)]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(sides, 2))
    n_groups = len(np.unique(groups))
    assert len(sides[2]) == math.ceil(n_groups * 0.2)


@settings(deadline=None)
@given(st.data())
def test_time_splits_keep_the_order(data):
    times = np.array([*data.draw(st.lists(st.integers(0, 25), min_size=10, max_size=90)), -3, -2, -1, -1])
    times = np.random.default_rng(len(times)).permutation(times)
    split = split_rows(len(times), seed=0, times=times)
    check_partition(split, len(times))
    assert times[split.train].max() < times[split.validation].min()
    assert times[split.validation].max() < times[split.test].min()


def test_the_rows_are_those_of_scikit_learn():
    strata = np.random.default_rng(0).integers(0, 4, 250)
    for options in ({}, {"strata": strata}):
        split = split_rows(250, seed=7, **options)
        stratify = options.get("strata")
        rest, test = train_test_split(np.arange(250), test_size=0.2, random_state=7, stratify=stratify)
        np.testing.assert_array_equal(split.test, np.sort(test))
        assert len(split.validation) == math.ceil(0.1 * len(rest))


def test_shares_of_classes():
    strata = np.repeat([0, 1, 2], [800, 150, 50])
    split = split_rows(1000, seed=3, strata=strata)
    assert np.bincount(strata[split.test]).tolist() == [160, 30, 10]
    assert np.bincount(strata[split.validation]).tolist() == [64, 12, 4]


def test_the_seed_decides():
    strata = np.arange(100) % 3
    groups = np.arange(100) // 4
    for options in ({}, {"strata": strata}, {"groups": groups}):
        one, two, other = (split_rows(100, seed=seed, **options) for seed in (5, 5, 6))
        for name in ("train", "validation", "test"):
            assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(one.test, other.test)


@pytest.mark.parametrize(("test", "validation"), [(0, 0), (0.5, 0), (0, 0.5)])
@pytest.mark.parametrize(
    "options",
    [{}, {"strata": np.arange(20) % 2}, {"groups": np.arange(20) // 2}, {"times": np.arange(20)}],
    ids=lambda options: "".join(options) or "random",
)
def test_sides_that_are_not_wanted(test, validation, options):
    split = split_rows(20, seed=0, test=test, validation=validation, **options)
    check_partition(split, 20)
    assert len(split.test) == 20 * test
    assert len(split.validation) == 20 * validation


def test_classes_with_one_row_stay_in_training():
    strata = np.array([0] * 30 + [1] * 30 + [2, 3])
    split = split_rows(62, seed=0, strata=strata)
    check_partition(split, 62)
    assert {60, 61} <= set(split.train.tolist())
    assert split.notes == (
        "test: classes with one row stay in training (2 of 4)",
        "validation: classes with one row stay in training (2 of 4)",
    )


def test_more_classes_than_test_rows():
    split = split_rows(20, seed=0, strata=np.arange(20) % 10)
    check_partition(split, 20)
    assert split.notes[0] == "test: at random, as 4 rows cannot hold all 10 classes in their shares"


def test_words_as_groups():
    groups = pl.Series([f"patient {k // 5}" for k in range(50)])
    split = split_rows(50, seed=0, groups=groups)
    assert (len(split.test), len(split.validation), len(split.train)) == (10, 5, 35)
    again = split_rows(50, seed=0, groups=groups.to_numpy())
    assert np.array_equal(split.test, again.test)
    assert split.notes == ("validation: 5 rows, not 4, as groups stay together",)


@pytest.mark.parametrize(
    "groups",
    [pl.Series([True, False] * 10), pl.Series(["a", "b"] * 10, dtype=pl.Categorical), np.array([0.5, 1.5] * 10)],
)
def test_kinds_of_groups(groups):
    split = split_rows(20, seed=0, groups=groups, validation=0)
    assert len(split.test) == len(split.train) == 10
    assert len(set(np.asarray(groups)[split.test].tolist())) == 1
    assert split.notes == ("test: 10 rows, not 4, as groups stay together",)


def test_strata_do_not_count_beside_groups_or_time():
    strata = np.arange(20) % 2
    for options, what in (({"groups": np.arange(20)}, "groups"), ({"times": np.arange(20)}, "time")):
        split = split_rows(20, seed=0, strata=strata, **options)
        assert split.notes == (f"split by {what}: classes are not balanced between sides",)
        assert np.array_equal(split.test, split_rows(20, seed=0, **options).test)


@pytest.mark.parametrize(
    "times",
    [
        np.arange(10)[::-1],
        np.arange(10)[::-1] / 7,
        pl.Series([datetime.date(2020, 1, 20 - k) for k in range(10)]),
        np.array([f"2020-01-{20 - k}T00:00" for k in range(10)], "datetime64[s]"),
        np.array([f"2020-01-{20 - k}" for k in range(10)], "datetime64[D]"),
    ],
)
def test_the_latest_rows_are_the_test(times):
    split = split_rows(10, seed=0, times=times)
    assert split.test.tolist() == [0, 1]
    assert split.validation.tolist() == [2]
    assert split.train.tolist() == list(range(3, 10))
    assert split.notes == ()


@pytest.mark.parametrize(
    ("times", "test", "rows"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 8, 8], 0.2, 3),  # a cut through the ties would be at 2; 3 is nearer than 0
        ([1, 2, 3, 4, 5, 6, 7, 7, 7, 8], 0.2, 1),  # 1 is nearer than 4
        ([1, 2, 3, 4, 5, 6, 7, 8, 8, 9], 0.2, 1),  # 1 and 3 are equally near: more training rows
        ([1] * 9 + [2], 0.5, 1),
    ],
)
def test_rows_of_the_same_time_stay_together(times, test, rows):
    split = split_rows(10, seed=0, test=test, validation=0, times=np.array(times))
    assert split.test.tolist() == list(range(10 - rows, 10))
    assert split.notes == (f"test: {rows} rows, not {math.ceil(10 * test)}, as rows of the same time stay together",)


@pytest.mark.parametrize(
    ("n", "options", "pieces"),
    [
        (3, {}, ["at least 2 rows left for training", "1 of 3 after 1 for test and 1 for validation"]),
        (1, {"test": 0, "validation": 0}, ["at least 2 rows"]),
        (10, {"test": 0.95}, ["at least 2 rows left for training"]),
        (9, {"groups": np.repeat([0, 1], [4, 5])}, ["at least 1 groups left for training", "0 of 2"]),
        (9, {"groups": np.zeros(9)}, ["at least 1 groups left"]),
        (9, {"groups": pl.Series(["a", None] * 4 + ["b"])}, ["groups", "a missing one in data row 2 (4 in all)"]),
        (9, {"times": np.zeros(9)}, ["two different times to part test from training"]),
        (9, {"times": np.repeat([0, 1], [4, 5])}, ["two different times to part validation"]),
        (9, {"times": np.array([1.0, np.nan] * 4 + [2])}, ["times", "data row 2 (4 in all)"]),
        (2, {"times": np.array(["2020-01-01", "NaT"], "datetime64[D]"), "test": 0, "validation": 0}, ["data row 2"]),
        (9, {"times": pl.Series(["January"] * 9)}, ["numbers or dates", "'January'"]),
        (4, {"groups": np.array(["a", 1, 2, 3], object)}, ["a mixture"]),
        (4, {"groups": np.zeros((4, 2))}, ["one value a row"]),
        (10, {"times": np.repeat([1, 2], [1, 9]), "test": 0.1, "validation": 0}, ["at least 2 rows", "got 1 of 10"]),
    ],
)
def test_too_little_to_split(fails, n, options, pieces):
    with fails(DataError, *pieces):
        split_rows(n, **{"seed": 0, **options})


@pytest.mark.parametrize(
    ("options", "pieces"),
    [
        ({"test": 1.0}, ["test", "a fraction from 0 to below 1", "1.0"]),
        ({"test": -0.1}, ["test", "-0.1"]),
        ({"validation": 1}, ["validation"]),
        ({"validation": math.nan}, ["validation", "nan"]),
        ({"test": "0.2"}, ["test", "'0.2'"]),
        ({"test": True}, ["test", "True"]),
        ({"seed": -1}, ["seed", "-1", "4294967295"]),
        ({"seed": 2**32}, ["seed"]),
        ({"seed": 1.5}, ["seed", "1.5"]),
        ({"n": 0}, ["n", "0"]),
        ({"n": 10.0}, ["n", "10.0"]),
        ({"strata": np.zeros(9)}, ["strata", "10 class numbers", "9"]),
        ({"groups": np.zeros(9)}, ["groups", "10 values", "9"]),
        ({"times": np.zeros(9)}, ["times", "10 values", "9"]),
        ({"groups": np.zeros(10), "times": np.zeros(10)}, ["groups or times", "both"]),
    ],
)
def test_options_that_cannot_be(fails, options, pieces):
    with fails(SpecificationError, *pieces):
        split_rows(**{"n": 10, "seed": 0, **options})
