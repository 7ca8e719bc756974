"""`load`: which source a name means, which column is the target, and how further files must fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from layerwise.data import load
from layerwise.errors import DataError, SpecificationError

TABLE = "age,job,income\n39,clerk,low\n50,,high\n"


@pytest.mark.parametrize(
    ("name", "shape", "target", "classes"),
    [
        ("iris", (150, 4), "species", ["setosa", "versicolor", "virginica"]),
        ("wine", (178, 13), "cultivar", ["class_0", "class_1", "class_2"]),
        ("breast-cancer", (569, 30), "diagnosis", ["benign", "malignant"]),
        ("diabetes", (442, 10), "progression", None),
    ],
)
def test_bundled_tables(name, shape, target, classes):
    data = load(name)
    assert (data.name, data.kind, data.target_name, list(data.parts)) == (name, "table", target, ["all"])
    assert (data.pixel_max, data.image_shape) == (None, None)
    part = data.parts["all"]
    assert part.features.shape == shape
    assert len(part) == shape[0]
    assert part.target.name == target
    if classes:
        assert part.target.unique().sort().to_list() == classes
    else:
        assert part.target.dtype == pl.Float64
        # In measured units: scikit-learn's scaled ages lie within 0.2 of 0.
        assert part.features["age"].min() >= 18


def test_bundled_labels_belong_to_their_rows():
    part = load("iris").parts["all"]
    petals = part.features["petal length (cm)"]
    assert petals.filter(part.target == "setosa").max() < petals.filter(part.target == "virginica").min()


def test_bundled_digits():
    data = load("digits")
    part = data.parts["all"]
    assert (data.kind, data.target_name, data.pixel_max, data.image_shape) == ("images", "digit", 16.0, (8, 8))
    assert part.features.dtype == np.uint8
    assert part.features.shape == (1797, 64)
    assert part.features.max() == 16
    assert part.target.dtype == np.int64
    assert part.target[:10].tolist() == list(range(10))


def test_another_target_of_a_bundled_table():
    data = load("iris", target="petal width (cm)")
    part = data.parts["all"]
    assert data.target_name == "petal width (cm)"
    assert "species" in part.features.columns
    assert "petal width (cm)" not in part.features.columns
    assert data.notes[-1] == "target: petal width (cm) (as asked, instead of species)"


def test_bundled_names_win_over_files_without_separator(monkeypatch, tmp_path, write):
    write("iris", "x")
    monkeypatch.chdir(tmp_path)
    data = load("iris")
    assert len(data.parts["all"]) == 150
    assert "not ./iris" in data.notes[-1]
    (tmp_path / "iris").unlink()
    assert not any("./iris" in note for note in load("iris").notes)


def test_a_separator_means_a_path(monkeypatch, tmp_path, write, fails):
    monkeypatch.chdir(tmp_path)
    with fails(DataError, "expected an existing file"):
        load("./iris")
    write("t.csv", TABLE)
    for source in ("t.csv", "./t.csv", Path("t.csv")):
        assert load(source).name == "t"


def test_home_folder(monkeypatch, tmp_path, write):
    write("t.csv", TABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load("~/t.csv").parts["all"]) == 2


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("irsi", ["a bundled set or an existing file", "did you mean 'iris'?"]),
        ("Digits", ["did you mean 'digits'"]),
        ("zzz", ["'digits', 'iris', 'wine', 'breast-cancer', 'diabetes'", "or give the path of a file"]),
        ("adlut.csv", ["adlut.csv", "an existing file", "did you mean 'adult.csv'?"]),
        ("zzz.csv", ["zzz.csv", "check the path"]),
        ("no/such/folder.csv", ["no folder 'no/such'", "check the path"]),
        ("adult.csv/x.csv", ["no folder 'adult.csv'"]),
        ("x" * 300, ["File name too long"]),
        ("a\0b", ["null"]),
    ],
)
def test_nothing_there(monkeypatch, tmp_path, write, fails, source, pieces):
    write("adult.csv", TABLE)
    write(".hidden", "")
    monkeypatch.chdir(tmp_path)
    with fails(DataError, *pieces):
        load(source)


def test_no_name_at_all(fails):
    with fails(SpecificationError, "source", "a bundled name or a path", "3"):
        load(3)  # type: ignore[arg-type]


def test_folder_that_may_not_be_read(monkeypatch, tmp_path, fails):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refuse)
    with fails(DataError, str(tmp_path), "no permission"):
        load(tmp_path)


def test_path_that_may_not_be_looked_at(monkeypatch, fails):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.stat", refuse)
    with fails(DataError, "secret/t.csv", "no permission"):
        load("secret/t.csv")


@pytest.mark.parametrize(
    ("header", "asked", "chosen", "why"),
    [
        ("a,b,c", None, "c", "the last column"),
        ("a,Target,c", None, "Target", "the column of that name"),
        ("target,b,c", None, "target", "the column of that name"),
        ("a,b,c", "a", "a", "as asked"),
        ("a,target,c", "c", "c", "as asked"),
    ],
)
def test_target(write, header, asked, chosen, why):
    data = load(write("t.csv", header + "\n1,2,3\n4,5,6\n"), asked)
    place = header.split(",").index(chosen)
    assert data.target_name == chosen
    assert data.parts["all"].target.to_list() == [1 + place, 4 + place]
    assert data.parts["all"].features.columns == [name for name in header.split(",") if name != chosen]
    assert data.notes == (f"target: {chosen} ({why})",)


@pytest.mark.parametrize(
    ("text", "target", "pieces"),
    [
        (TABLE, "incme", ["t.csv", "no column 'incme'", "did you mean 'income'?"]),
        (TABLE, "zzz", ["choose one of 'age', 'job', 'income'"]),
        (TABLE, "job", ["target 'job'", "a missing one in data row 2 (1 in all)"]),
        ("a,b\n1,\n2,3\n4,NaN\n", "b", ["target 'b'", "data row 1 (2 in all)"]),
        ("a,b\n1,x\n2,NA\n", None, ["target 'b'", "data row 2"]),
        ("a,b\n1,2\n2,-inf\n", None, ["column 'b'", "-inf in data row 2"]),
        ("a\n1\n2\n", None, ["at least one feature and the target", "the one column 'a'"]),
    ],
)
def test_bad_targets(write, fails, text, target, pieces):
    path = write("t.csv", text)
    with fails(DataError, "t.csv", *pieces):
        load(path, target)


def test_missing_target_in_a_typed_file(tmp_path, fails):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [1, 2, 3], "y": [0.5, float("nan"), None]}).write_parquet(path)
    with fails(DataError, "t.parquet, target 'y'", "data row 2 (2 in all)"):
        load(path)


@pytest.mark.parametrize(("name", "title"), [("my.set.csv.gz", "my.set"), ("t.parquet", "t")])
def test_names(tmp_path, name, title):
    import gzip

    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(TABLE.encode()))
    else:
        pl.DataFrame({"a": [1], "b": [2]}).write_parquet(tmp_path / name)
    assert load(tmp_path / name).name == title


def test_parts_in_files_of_their_own(write):
    train = write("train.csv", "zip,x,y\n007,1,a\nA1,2,b\n")
    test = write("test.csv", "y,zip,x\na,007,2.5\n")
    held = write("held.csv", "x,y,zip\n,b,008\n")
    data = load(train, test=test, validation=held)
    assert list(data.parts) == ["train", "test", "validation"]
    assert data.parts["train"].features.columns == ["zip", "x"]
    # zip is words in training, so it is words here too: not the number 7.
    assert data.parts["test"].features.to_dict(as_series=False) == {"zip": ["007"], "x": [2.5]}
    assert data.parts["validation"].features.to_dict(as_series=False) == {"zip": ["008"], "x": [None]}
    assert data.parts["validation"].target.to_list() == ["b"]
    assert data.notes == ("target: y (the last column)", "test: 1 rows of test.csv", "validation: 1 rows of held.csv")


def test_test_labels_of_one_kind_stay_words(write):
    data = load(write("train.csv", "x,y\n1,1\n2,b\n"), test=write("test.csv", "x,y\n1,1\n"))
    assert data.parts["test"].target.to_list() == ["1"]


def test_test_file_beside_a_bundled_table(write):
    iris = load("iris").parts["all"]
    path = write("more.csv", iris.features.with_columns(iris.target).head(3).write_csv())
    data = load("iris", test=path)
    assert (len(data.parts["train"]), len(data.parts["test"])) == (150, 3)
    assert data.parts["test"].features.equals(iris.features.head(3))


def test_columns_without_values_have_no_kind(write):
    train = write("train.csv", "x,empty,w,y\n1,,a,1\n2,,b,2\n")
    data = load(train, test=write("test.csv", "x,empty,w,y\n,word,,1\n"))
    assert data.parts["test"].features.to_dict(as_series=False) == {"x": [None], "empty": [None], "w": [None]}
    assert data.parts["test"].features.dtypes == data.parts["train"].features.dtypes


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("age,job\n1,a\n", ["no column 'income'", "make the columns the same"]),
        ("age,jobs,income\n1,a,low\n", ["no column 'job', an unknown column 'jobs'", "did you mean 'jobs'?"]),
        ("age,job,income,x\n1,a,low,1\n", ["an unknown column 'x'"]),
        ("a,b,c,d,e,f,g,h\n1,2,3,4,5,6,7,8\n", ["and 5 more"]),
        (
            "age,job,income\n1,a,low\nold,a,low\n",
            ["column 'age'", "numbers, as in training", "'old'", "row 2"],
        ),
        ("age,job,income\n1,a,low\n1,a,\n", ["target 'income'", "data row 2"]),
        ("age,job,income\n1,a\n", ["2 in data row 1"]),
    ],
)
@pytest.mark.parametrize("part", ["test", "validation"])
def test_further_files_that_do_not_fit(write, fails, part, text, pieces):
    train, other = write("train.csv", TABLE), write("other.csv", text)
    with fails(DataError, "other.csv", *pieces):
        load(train, **{part: other})


def test_typed_files_that_do_not_fit(tmp_path, fails):
    pl.DataFrame({"x": ["a", "b"], "y": [1, 2]}).write_parquet(tmp_path / "train.parquet")
    pl.DataFrame({"x": [None, 7], "y": [1, 2]}).write_parquet(tmp_path / "test.parquet")
    with fails(DataError, "test.parquet, column 'x'", "words, as in training", "7 in data row 2"):
        load(tmp_path / "train.parquet", test=tmp_path / "test.parquet")


def test_the_cell_that_is_no_date_is_named(write, fails):
    train = write("train.csv", "day,y\n2020-01-01,1\n2020-01-02,2\n")
    test = write("test.csv", "day,y\n2020-01-01,1\nsoon,2\n")
    with fails(DataError, "column 'day'", "'soon' in data row 2"):
        load(train, test=test)


def test_further_file_that_is_missing(write, fails):
    train = write("train.csv", TABLE)
    with fails(DataError, "test.csv", "nothing of that name"):
        load(train, test=train.parent / "test.csv")


def test_words_option(write):
    data = load(write("t.csv", "zip,y\n007,1\n008,2\n"), words=["zip", "y"])
    assert data.parts["all"].features["zip"].to_list() == ["007", "008"]
    assert data.parts["all"].target.to_list() == ["1", "2"]
