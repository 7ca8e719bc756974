"""From features to the array a network reads: equal to scikit-learn's, exact through JSON, honest about bad columns."""

from __future__ import annotations

import datetime
import json
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from layerwise.data import Preparation, load
from layerwise.errors import DataError, InputError, SpecificationError


def scikit_learn(train, later):
    """What scikit-learn's own transformers, put together independently, make of a table."""
    words = [column.name for column in train if column.dtype == pl.String]
    numbers = [name for name in train.columns if name not in words]
    steps = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )

    def floats(frame):
        return frame.with_columns(pl.col(numbers).cast(pl.Float64).fill_null(math.nan)) if numbers else frame

    return steps.fit(floats(train)).transform(floats(later))


def ragged(rng, n):
    """A table of every plain kind, with missing cells."""

    def holes(values):
        return [None if hole else value for value, hole in zip(values, rng.random(n) < 0.2, strict=True)]

    return pl.DataFrame(
        {
            "height": holes((rng.normal(size=n) * 13.7 + 170).tolist()),
            "job": holes(rng.choice(["nurse", "clerk", "miner", "Über", "a"], n).tolist()),
            "children": holes(rng.integers(0, 6, n).tolist()),
            "flag": holes(rng.choice([True, False], n).tolist()),
            "tiny": (rng.normal(size=n) * 1e-9).tolist(),
            "town": rng.choice(["x", "y"], n).tolist(),
        }
    ).with_columns(pl.col("children").cast(pl.Int16), small=pl.col("height").cast(pl.Float32))


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    train, later = ragged(rng, 200), ragged(rng, 50)
    later = later.with_columns(pl.when(pl.col("job") == "a").then(pl.lit("unseen")).otherwise("job").alias("job"))
    steps = Preparation.fit(train)
    for frame in (train, later):
        expected = scikit_learn(train, frame)
        made = steps.transform(frame, "float64")
        np.testing.assert_array_equal(made, expected, strict=True)
        np.testing.assert_array_equal(steps.transform(frame), expected.astype(np.float32), strict=True)
    assert made.shape == (50, steps.n_inputs)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-1e100, 1e100),
            st.none() | st.integers(-(2**40), 2**40),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        ),
        min_size=3,
        max_size=20,
    )
)
def test_fitted_steps_survive_json(rows):
    frame = pl.DataFrame([*rows, (1.0, 2, "a")], schema={"x": pl.Float64, "n": pl.Int64, "w": pl.String}, orient="row")
    steps = Preparation.fit(frame)
    again = Preparation.from_data(json.loads(json.dumps(steps.to_data())))
    assert again == steps
    assert again.transform(frame, "float64").tobytes() == steps.transform(frame, "float64").tobytes()
    np.testing.assert_allclose(steps.transform(frame, "float64")[:, :2].mean(axis=0), 0, atol=1e-9)


def test_names_and_meaning():
    frame = pl.DataFrame(
        {"w": ["b", None, "a", "b"], "x": [1.0, None, 5.0, 2.0], "flag": [True, False, None, True], "v": ["q"] * 4}
    )
    steps = Preparation.fit(frame)
    assert steps.kind == "table"
    assert steps.feature_names == ("x", "flag", "w=a", "w=b", "w=missing", "v=q")
    assert steps.n_inputs == 6
    made = steps.transform(frame)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    filled = np.array([1.0, 2.0, 5.0, 2.0])  # the median of 1, 2 and 5 for the missing one
    np.testing.assert_allclose(made[:, 0], (filled - filled.mean()) / filled.std(), rtol=1e-6)
    np.testing.assert_allclose(made[:, 1], (np.array([1, 0, 1, 1]) - 0.75) / np.sqrt(0.1875), rtol=1e-6)
    assert made[:, 2:].tolist() == [[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1]]
    assert steps.notes == steps.left_out == ()


def test_unseen_words_are_all_zeros():
    steps = Preparation.fit(pl.DataFrame({"w": ["a", "b"], "v": ["c", None]}))
    made = steps.transform(pl.DataFrame({"w": ["z", None], "v": ["c", "z"]}))
    assert steps.feature_names == ("w=a", "w=b", "v=c", "v=missing")
    # No word was missing from w in training, so a missing one is as unseen as any other.
    assert made.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_the_word_missing_and_missing_words():
    steps = Preparation.fit(pl.DataFrame({"w": ["missing", None, "z"]}))
    assert steps.feature_names == ("w=missing", "w=z", "w=(missing)")
    assert steps.transform(pl.DataFrame({"w": [None, "missing"]})).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("values", [[5.0, 5.0, 5.0], [0.1] * 10, [None, 3.0, 3.0], [1e9, 1e9 + 1e-7]])
def test_constant_columns_give_zero(values):
    steps = Preparation.fit(pl.DataFrame({"c": values, "x": range(len(values))}))
    assert (steps.transform(pl.DataFrame({"c": [*values, 99.0], "x": [1] * (len(values) + 1)}))[:, 0] == 0).all()


def test_nan_is_missing():
    frame = pl.DataFrame({"x": [1.0, math.nan, 3.0, 8.0]})
    assert Preparation.fit(frame) == Preparation.fit(frame.fill_nan(None))


def test_dates_categories_and_the_like():
    frame = pl.DataFrame(
        {
            "day": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 3)],
            "w": pl.Series(["a", "b"], dtype=pl.Categorical),
        }
    )
    steps = Preparation.fit(frame)
    assert steps.notes == ("day: taken as days since 1970-01-01",)
    assert steps.transform(frame).tolist() == [[-1, 1, 0], [1, 0, 1]]


def test_columns_left_out():
    n = 2500
    frame = pl.DataFrame(
        {
            "name": [f"person {k}" for k in range(n)],
            "city": [f"city {k % 1100}" for k in range(n)],
            "x": range(n),
            "empty": pl.Series([None] * n, dtype=pl.Float64),
            "blank": pl.Series([None] * n, dtype=pl.String),
        }
    )
    steps = Preparation.fit(frame)
    assert steps.left_out == ("name", "empty", "blank")
    assert steps.n_inputs == 1 + 1100
    assert steps.notes == (
        "name: left out, 2500 different words in 2500 rows",
        "empty: left out, no value in any training row",
        "blank: left out, no value in any training row",
        "city: 1100 different words, an input for each",
    )
    later = frame.head(2)
    kept = steps.transform(later)
    assert np.array_equal(kept, steps.transform(later.drop("name", "empty", "blank")))
    assert np.array_equal(kept, steps.transform(later.with_columns(empty=pl.lit("words now"))))


def test_many_words_in_few_rows_stay():
    steps = Preparation.fit(pl.DataFrame({"name": [f"person {k}" for k in range(1000)]}))
    assert (steps.n_inputs, steps.left_out, steps.notes) == (1000, (), ())


def test_columns_may_come_in_any_order():
    frame = pl.DataFrame({"x": [1, 2], "w": ["a", "b"]})
    steps = Preparation.fit(frame)
    assert np.array_equal(steps.transform(frame), steps.transform(frame.select("w", "x")))


def test_no_rows():
    frame = pl.DataFrame({"x": [1, 2], "w": ["a", "b"]})
    assert Preparation.fit(frame).transform(frame.head(0)).shape == (0, 3)
    assert Preparation.for_images((2, 2), 1.0).transform(np.zeros((0, 4))).shape == (0, 4)


def test_a_column_without_values_later():
    frame = pl.DataFrame({"x": [1.0, 2.0, 6.0], "w": ["a", "b", None]})
    empty = pl.DataFrame({"x": [None], "w": [None]})
    expected = np.float32((2.0 - 3.0) / np.std([1.0, 2.0, 6.0]))
    assert Preparation.fit(frame).transform(empty).tolist() == [[expected, 0, 0, 1]]
    swapped = pl.DataFrame({"x": [None], "w": [None]}, schema={"x": pl.String, "w": pl.Float64})
    assert Preparation.fit(frame).transform(swapped).tolist() == [[expected, 0, 0, 1]]


@pytest.mark.parametrize(
    ("frame", "pieces"),
    [
        (pl.DataFrame({"x": []}, schema={"x": pl.Float64}), ["at least one training row"]),
        (pl.DataFrame({"x": [None, None]}), ["at least one usable column", "'x': no value in any training row"]),
        (pl.DataFrame({"i": [f"{k}" for k in range(1001)]}), ["usable column", "1001 different words"]),
        (pl.DataFrame({"x": [1.0, math.inf]}), ["column 'x'", "finite numbers", "inf in data row 2"]),
        (pl.DataFrame({"x": [1e300, -1e300]}), ["column 'x'", "squares can be held", "-1e+300 to 1e+300"]),
        (pl.DataFrame({"x": [1e308, 1.5e308]}), ["column 'x'", "squares can be held"]),
        (pl.DataFrame({"x": [[1], [2]]}), ["column 'x'", "numbers, words, booleans or dates", "List"]),
    ],
)
def test_tables_that_cannot_be_learnt_from(fails, frame, pieces):
    with fails(DataError, *pieces):
        Preparation.fit(frame)


@pytest.mark.parametrize(
    ("change", "pieces"),
    [
        (lambda t: t.drop("age"), ["the columns used in training", "no column 'age'", "add it"]),
        (lambda t: t.rename({"age": "Age"}), ["no column 'age'", "did you mean 'Age'?"]),
        (lambda t: t.with_columns(new=1), ["only columns used in training", "an unknown column 'new'"]),
        (lambda t: t.with_columns(age=pl.lit("old")), ["column 'age'", "the word 'old' in data row 1"]),
        (lambda t: t.with_columns(age=pl.Series(["3", "x"])), ["column 'age'", "the word 'x' in data row 2"]),
        (
            lambda t: t.with_columns(job=pl.Series([None, 7])),
            ["column 'job'", "words, as in training", "7 in data row 2"],
        ),
        (lambda t: t.with_columns(age=pl.Series([1.0, math.inf])), ["column 'age'", "inf in data row 2"]),
        (lambda t: t.with_columns(age=pl.Series([1.0, 1e200])), ["column 'age'", "float32", "1e+200 in data row 2"]),
        (lambda t: t.with_columns(age=pl.Series([[1], [2]])), ["column 'age'", "List"]),
        (lambda t: t.to_numpy(), ["a table, as in training", "(2, 2)"]),
    ],
)
def test_tables_unlike_training(fails, change, pieces):
    frame = pl.DataFrame({"age": [30, 40], "job": ["a", "b"]})
    steps = Preparation.fit(frame)
    with fails(DataError, *pieces):
        steps.transform(change(frame))


def test_large_numbers_fit_into_float64():
    steps = Preparation.fit(pl.DataFrame({"x": [30, 40]}))
    assert steps.transform(pl.DataFrame({"x": [1e200]}), "float64")[0, 0] == (1e200 - 35) / 5
    tiny = Preparation.fit(pl.DataFrame({"x": [0.0, 1e-3]}))
    assert np.isfinite(tiny.transform(pl.DataFrame({"x": [1e300]}), "float64")).all()


def test_other_types(fails):
    steps = Preparation.fit(pl.DataFrame({"x": [30, 40]}))
    with fails(SpecificationError, "dtype", "'float32' or 'float64'", "'float16'"):
        steps.transform(pl.DataFrame({"x": [1]}), "float16")
    for wrong in ([[1.0]], {"x": [1]}, None):
        with fails(InputError, "a polars.DataFrame", type(wrong).__name__):
            steps.transform(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64])
def test_images(dtype, kind):
    steps = Preparation.for_images((2, 3), 255)
    pixels = np.asfortranarray(np.random.default_rng(0).integers(0, 256, (5, 6)).astype(kind))
    made = steps.transform(pixels, dtype)
    assert made.dtype == dtype
    assert made.flags.c_contiguous
    np.testing.assert_array_equal(made, pixels.astype(dtype) / np.dtype(dtype).type(255))
    assert steps.kind == "images"
    assert steps.n_inputs == 6
    assert steps.feature_names == ("pixel 0,0", "pixel 0,1", "pixel 0,2", "pixel 1,0", "pixel 1,1", "pixel 1,2")
    again = Preparation.from_data(json.loads(json.dumps(steps.to_data())))
    assert again == steps
    assert again.transform(pixels, dtype).tobytes() == made.tobytes()


@pytest.mark.parametrize(
    ("pixels", "pieces"),
    [
        (np.zeros((3, 5)), ["6 columns", "(3, 5)"]),
        (np.zeros(6), ["6 columns", "(6,)"]),
        (np.zeros((3, 2, 3)), ["6 columns", "(3, 2, 3)"]),
        (np.zeros((1, 6), bool), ["numbers", "bool"]),
        (np.full((1, 6), "a"), ["numbers", "<U1"]),
        (np.full((1, 6), 2.0), ["pixels from 0 to 1", "2.0"]),
        (np.full((1, 6), -1), ["pixels from 0 to 1", "-1"]),
        (np.full((1, 6), math.nan), ["pixels from 0 to 1", "nan"]),
        (pl.DataFrame({"x": [1]}), ["images of 6 pixels", "a table with 1 columns"]),
    ],
)
def test_pixels_that_do_not_fit(fails, pixels, pieces):
    with fails(DataError, "features", *pieces):
        Preparation.for_images((2, 3), 1.0).transform(pixels)


@pytest.mark.parametrize(("shape", "top"), [((0, 3), 1.0), ((2, -1), 1.0), ((2, 3), 0.0), ((2, 3), math.inf)])
def test_images_that_cannot_be(fails, shape, top):
    with fails(SpecificationError, "images", "at least one pixel"):
        Preparation.for_images(shape, top)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "other"},
        {"kind": "table"},
        {"kind": "table", "numbers": 3, "words": [], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [["x", 1.0, 1.0]], "words": [], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [["x", 1.0, 1.0, "1"]], "words": [], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [["x", 1.0, 1.0, math.nan]], "words": [], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [["x", 1.0, 1.0, -1.0]], "words": [], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [], "words": [["w", "ab", False]], "left_out": [], "notes": []},
        {"kind": "table", "numbers": [], "words": [["w", [1], False]], "left_out": [], "notes": []},
        {"kind": "images", "image_shape": [2], "pixel_max": 1.0},
        {"kind": "images", "image_shape": [2, 2], "pixel_max": -1.0},
    ],
)
def test_damaged_data(fails, data):
    with fails(DataError, "preparation", "a saved model"):
        Preparation.from_data(data)


def test_a_restored_preparation_needs_no_scikit_learn(tmp_path):
    train = ragged(np.random.default_rng(0), 60)
    steps = Preparation.fit(train)
    (tmp_path / "steps.json").write_text(json.dumps(steps.to_data()))
    train.write_parquet(tmp_path / "train.parquet")
    script = f"""
import json, sys
sys.modules["sklearn"] = None
from layerwise.data import Preparation, read_table
steps = Preparation.from_data(json.load(open({str(tmp_path / "steps.json")!r})))
made = steps.transform(read_table({str(tmp_path / "train.parquet")!r})[0])
open({str(tmp_path / "made")!r}, "wb").write(made.tobytes())
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert (tmp_path / "made").read_bytes() == steps.transform(train).tobytes()


def test_importing_loads_neither_polars_nor_scikit_learn():
    script = "import layerwise.data, sys; print([m for m in ('sklearn', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_bundled_sets_are_prepared():
    wine = load("wine").parts["all"]
    made = Preparation.fit(wine.features).transform(wine.features, "float64")
    np.testing.assert_array_equal(made, StandardScaler().fit_transform(wine.features.to_numpy()))
    digits = load("digits")
    pixels = Preparation.for_images(digits.image_shape, digits.pixel_max).transform(digits.parts["all"].features)
    assert (pixels.min(), pixels.max(), pixels.shape) == (0, 1, (1797, 64))
