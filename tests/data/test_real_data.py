"""The real data sets, where they are: what is read agrees with what is known of them."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

from layerwise.data import Preparation, TargetCoding, load, split_rows
from layerwise.errors import DataError

TALENT = {
    # train, validation, test, numbers, words, classes (0: numbers)
    "Abalone_reg": (2672, 669, 836, 7, 1, 0),
    "bank": (28934, 7234, 9043, 7, 9, 2),
    "cmc": (942, 236, 295, 2, 7, 3),
    "cpu_act": (5242, 1311, 1639, 21, 0, 0),
    "credit-g": (640, 160, 200, 7, 13, 2),
    "eye_movements": (6998, 1750, 2188, 24, 3, 3),
    "phoneme": (3458, 865, 1081, 5, 0, 2),
    "splice": (2041, 511, 638, 0, 60, 3),
}


def test_adult(shared_data):
    folder = shared_data / "adult"
    data = load(folder / "adult_train.csv.gz", test=folder / "adult_test.csv.gz")
    train, test = data.parts["train"], data.parts["test"]
    assert (len(train), len(test)) == (32561, 16281)
    assert data.name == "adult_train"
    assert data.notes[0] == "target: income (the last column)"
    missing = ["workclass", "occupation", "native-country"]
    assert [train.features[name].null_count() for name in missing] == [1836, 1843, 583]
    assert [test.features[name].null_count() for name in missing] == [963, 966, 274]
    assert sum(train.features.null_count().row(0)) == 1836 + 1843 + 583

    coding = TargetCoding.fit(train.target, name=data.target_name)
    assert coding.classes == ("<=50K", ">50K")
    assert np.bincount(coding.encode(train.target)).tolist() == [24720, 7841]
    assert np.bincount(coding.encode(test.target)).tolist() == [12435, 3846]

    steps = Preparation.fit(train.features)
    numbers = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    assert list(steps.feature_names[:6]) == numbers
    assert {"workclass=Private", "workclass=missing", "occupation=missing"} <= set(steps.feature_names)
    assert steps.n_inputs == 108
    made = steps.transform(train.features)
    assert made.shape == (32561, 108)
    assert made[:, steps.feature_names.index("workclass=missing")].sum() == 1836
    np.testing.assert_allclose(made[:, :6].mean(axis=0, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(made[:, :6].std(axis=0, dtype=float), 1, atol=1e-6)
    later = steps.transform(test.features)
    assert later[:, steps.feature_names.index("workclass=missing")].sum() == 963
    ages = train.features["age"].to_numpy()
    np.testing.assert_allclose(
        later[:, 0], (test.features["age"].to_numpy() - ages.mean()) / ages.std(), rtol=1e-5, atol=1e-6
    )


def test_adult_split(shared_data):
    target = load(shared_data / "adult" / "adult_train.csv.gz").parts["all"].target
    codes = TargetCoding.fit(target).encode(target)
    split = split_rows(len(target), seed=0, strata=codes)
    assert (len(split.test), len(split.validation)) == (6513, 2605)
    share = codes.mean()
    for side in (split.train, split.validation, split.test):
        assert codes[side].mean() == pytest.approx(share, abs=2e-4)


def test_california(shared_data):
    data = load(shared_data / "california" / "housing.csv.gz", "median_house_value")
    part = data.parts["all"]
    assert len(part) == 20640
    assert part.features["total_bedrooms"].null_count() == 207
    assert (part.target == 500001).sum() == 965
    assert TargetCoding.fit(part.target).kind == "numbers"
    split = split_rows(20640, seed=0)
    train = part.features[split.train]
    steps = Preparation.fit(train)
    known = {column.name: column for column in steps.numbers}
    median = train["total_bedrooms"].median()
    assert known["total_bedrooms"].median == median
    place = steps.feature_names.index("total_bedrooms")
    made = steps.transform(part.features, "float64")[:, place]
    blank = part.features["total_bedrooms"].is_null().to_numpy()
    column = known["total_bedrooms"]
    assert blank.sum() == 207
    assert set(made[blank].tolist()) == {(median - column.mean) / column.scale}
    assert {"ocean_proximity=INLAND", "ocean_proximity=NEAR BAY"} <= set(steps.feature_names)


def test_california_by_default_learns_its_last_column(shared_data):
    data = load(shared_data / "california" / "housing.csv.gz")
    assert data.target_name == "ocean_proximity"
    assert len(TargetCoding.fit(data.parts["all"].target).classes) == 5


def test_california_misspelt(shared_data, fails):
    with fails(DataError, "housing.csv.gz", "did you mean", "'median_house_value'"):
        load(shared_data / "california" / "housing.csv.gz", "median_house_valu")


def test_digits10707(shared_data):
    data = load(shared_data / "digits10707")
    assert {name: len(part) for name, part in data.parts.items()} == {"train": 3000, "validation": 1000, "test": 3000}
    assert (data.pixel_max, data.image_shape) == (1.0, (28, 28))
    for part in data.parts.values():
        assert np.array_equal(part.target, np.sort(part.target))
        assert np.bincount(part.target).tolist() == [len(part) // 10] * 10
        assert (part.features.min(), part.features.max()) == (0, 1)
        # Bytes over 255, written with 4 decimals.
        np.testing.assert_allclose(part.features * 255, np.round(part.features * 255), atol=0.013)
    made = Preparation.for_images(data.image_shape, data.pixel_max).transform(data.parts["train"].features, "float64")
    np.testing.assert_array_equal(made, data.parts["train"].features)


def test_mnist(shared_data):
    data = load(shared_data / "mnist")
    train, test = data.parts["train"], data.parts["test"]
    assert list(data.parts) == ["train", "test"]
    assert train.features.shape == (60000, 784)
    assert test.features.shape == (10000, 784)
    assert train.features.dtype == test.features.dtype == np.uint8
    assert np.bincount(train.target).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (data.pixel_max, data.image_shape) == (255.0, (28, 28))
    assert train.target[:5].tolist() == [5, 0, 4, 1, 9]
    assert TargetCoding.fit(train.target).classes == tuple(range(10))


def test_the_course_digits_are_those_of_mnist(shared_data):
    places = json.loads((shared_data / "digits10707" / "mnist_indices.json").read_text())
    mnist, digits = load(shared_data / "mnist"), load(shared_data / "digits10707")
    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        source = mnist.parts["test" if name == "test" else "train"]
        rows = places[name]["index"]
        np.testing.assert_allclose(digits.parts[part].features, source.features[rows] / 255, atol=5.1e-5)
        np.testing.assert_array_equal(digits.parts[part].target, source.target[rows])


@pytest.mark.parametrize("name", TALENT)
def test_talent(shared_data, name):
    folder = shared_data / "talent" / name
    data = load(folder / "train.parquet", test=folder / "test.parquet", validation=folder / "val.parquet")
    n_train, n_validation, n_test, n_numbers, n_words, n_classes = TALENT[name]
    sizes = {"train": n_train, "test": n_test, "validation": n_validation}
    assert {part: len(rows) for part, rows in data.parts.items()} == sizes
    assert data.target_name == "target"
    train = data.parts["train"]
    assert [column.dtype == pl.String for column in train.features] == [False] * n_numbers + [True] * n_words
    coding = TargetCoding.fit(train.target)
    assert len(coding.classes) == n_classes
    steps = Preparation.fit(train.features)
    assert len(steps.numbers) == n_numbers
    assert len(steps.words) == n_words
    for part in data.parts.values():
        made = steps.transform(part.features)
        assert made.shape == (len(part), steps.n_inputs)
        assert np.isfinite(made).all()
        coding.encode(part.target)


def test_labels_that_are_strings_of_digits_are_words(shared_data):
    train = load(shared_data / "talent" / "phoneme" / "train.parquet").parts["all"]
    assert TargetCoding.fit(train.target).classes == ("1", "2")


@pytest.mark.parametrize(
    ("name", "shape"), [("yacht", (308, 6)), ("naval-propulsion-plant", (11934, 16)), ("wine-quality-red", (1599, 11))]
)
def test_uci(shared_data, name, shape):
    part = load(shared_data / "uci" / name / "data.parquet").parts["all"]
    assert part.features.shape == shape
    assert part.target.dtype == pl.Float64
    # The quality of wine is a whole number from 3 to 8: classes unless numbers are asked for.
    assert TargetCoding.fit(part.target).kind == ("classes" if name == "wine-quality-red" else "numbers")
    coding = TargetCoding.fit(part.target, "numbers")
    assert math.isclose(coding.encode(part.target).std(), 1, rel_tol=1e-9)


def test_folder_of_parquet_files(shared_data, fails):
    with fails(DataError, "name one file, such as", "test.parquet"):
        load(shared_data / "talent" / "splice")
