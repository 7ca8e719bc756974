"""Data that cannot be used: one line that says what was expected, what came and what to do; nothing written."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

HEADER = "a,b,y"
GOOD = [f"{k},{k % 3},{'yes' if k % 2 else 'no'}" for k in range(20)]


def changed(row: int, line: str) -> list[str]:
    return [*GOOD[:row], line, *GOOD[row + 1 :]]


TABLES = {
    "one class": (["1,2,yes", "2,3,yes", "3,4,yes"], [], ["target 'y'", "at least two classes", "one class, 'yes'"]),
    "text as numbers": (GOOD, ["--output", "identity"], ["target 'y'", "numbers (regression)", "the word 'no'"]),
    "infinity": (changed(4, "inf,1,no"), [], ["column 'a'", "finite numbers", "inf in data row 5"]),
    "minus infinity in the target": (
        ["1,2,0.5", "2,2,-inf", "3,2,1.5"], [], ["column 'y'", "finite numbers", "-inf in data row 2"],
    ),
    "NaN in the target": (["1,2,0.5", "2,2,nan", "3,2,"], [], ["target 'y'", "a missing one in data row 2 (2 in all)"]),
    "missing class": (changed(6, "1,1,"), [], ["target 'y'", "a value in every row", "data row 7"]),
    "unknown column": (GOOD, ["--target", "c"], ["no column 'c'", "choose one of 'a', 'b', 'y'"]),
    "ragged": (changed(2, "1,2"), [], ["3 cells in every row", "2 in data row 3"]),
    "too few rows": (GOOD[:3], [], ["expected"]),
    "two rows of numbers": (["1,2,0.5", "2,3,1.5"], [], ["at least 2 rows left for training", "add rows"]),
    "an identifier": ([f"{k},1,w{k}" for k in range(9)], [], ["classes that repeat", "9 different words"]),
    "constant target": ([f"{k},1,0.5" for k in range(9)], [], ["a target that varies", "0.5 in all"]),
    "nothing but missing cells": ([f",,{k % 2}" for k in range(9)], [], ["at least one usable column", "'a'"]),
    "huge numbers": ([f"{k}e300,1,{k}.5" for k in range(9)], [], ["column 'a'", "squares", "larger unit"]),
    "decimal commas": (['"1,5",1,no', '"2,5",2,yes'] * 9, [], ["a decimal point", "'1,5'"]),
    "group column of the target": (GOOD, ["--group", "y"], ["--group", "'y'", "choose one of 'a', 'b'"]),
    "too few groups": (GOOD, ["--group", "b", "--validation", "0.9"], ["groups left for training"]),
    "words as times": ([f"{k},mon,{k}.5" for k in range(9)], ["--time", "b"], ["numbers or dates", "'mon'"]),
    "one time": ([f"{k},1,{k}.5" for k in range(9)], ["--time", "b"], ["at least two different times"]),
    "a class that training has not": (
        [f"{k},1,{'late' if k > 36 else 'early' if k % 2 else 'usual'}" for k in range(1, 41)],
        ["--time", "a"], ["target 'y'", "the 2 classes seen in training ('early', 'usual')", "'late' in data row 37"],
    ),
    "a number too large, among the test rows": (
        [f"{k},{'1e300' if k == 38 else k},{k}.5" for k in range(1, 41)],
        ["--time", "a"], ["column 'b'", "numbers that float32 holds", "1e+300 in data row 38"],
    ),
    "fractions as classes": ([f"{k},1,{k}.5" for k in range(9)], ["--output", "softmax"], ["words or whole numbers"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables(refused, table, name):
    lines, arguments, pieces = TABLES[name]
    refused(["train", table("t.csv", lines, HEADER), "--quiet", *arguments], *pieces)


def test_closest_column(refused, table):
    path = table("people.csv", ["1,2,no", "2,3,yes"], "age,Income,sex")
    refused(["train", path, "--target", "incme"], "people.csv", "no column 'incme'", "did you mean 'Income'?")


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        (b"", ["an empty file"]),
        (b"a,b,y\n", ["a header line and data rows", "one line only"]),
        (b"\n\n", ["blank lines only"]),
        (b"a\n1\n2\n", ["at least one feature and the target", "the one column 'a'"]),
        (b"a,a\n1,2\n", ["different column names", "'a'"]),
        (b"1.5,2.5\n3.5,4.5\n", ["a header line with column names"]),
        (b"a,b\n\xff,1\n", ["UTF-8"]),
        (b"\0\0\x01", ["UTF-8 text", "binary"]),
    ],
)
def test_files_of_text(refused, workplace, content, pieces):
    (workplace / "t.csv").write_bytes(content)
    refused(["train", "t.csv"], "t.csv", *pieces)


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("people.csv", ["people.csv", "an existing file", "nothing of that name", "check the path"]),
        ("tt.csv", ["did you mean 't.csv'?"]),
        ("no/folder.csv", ["no folder 'no'"]),
        ("irsi", ["a bundled set or an existing file", "did you mean 'iris'?"]),
        ("zzz", ["'digits', 'iris', 'wine', 'breast-cancer', 'diabetes'", "the path of a file"]),
        (".", ["a folder without such files", "name one file, such as 't.csv'"]),
        ("t.xlsx", ["a file ending in .csv", "'.xlsx'"]),
        ("x" * 300, ["File name too long"]),
    ],
)
def test_sources(refused, table, workplace, source, pieces):
    table()
    (workplace / "t.xlsx").write_bytes(b"PK")
    refused(["train", source], *pieces)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv.gz"])
def test_truncated_files(refused, workplace, name, share):
    frame = pl.DataFrame({"a": np.arange(500) * 1.5, "y": np.arange(500) % 2})
    if name == "t.parquet":
        frame.write_parquet(name)
    elif name == "t.arrow":
        frame.write_ipc(name)
    else:
        Path(name).write_bytes(gzip.compress(frame.write_csv().encode()))
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: int(len(content) * share)])
    refused(["train", name], name, "again")


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def images(workplace) -> Path:
    """A folder of 60 images of 4 x 4 pixels, brighter ones in class 1."""
    folder = workplace / "images"
    folder.mkdir()
    labels = (np.arange(60) % 2).astype(np.uint8)
    pixels = np.random.default_rng(0).integers(0, 100, (60, 4, 4)).astype(np.uint8) + 120 * labels[:, None, None]
    (folder / "train-images-idx3-ubyte").write_bytes(idx(pixels.astype(np.uint8)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def test_images_train(run, images, without_pictures):
    answer = run("train", "images", "--epochs", 3, "--quiet", "--out", "m")
    assert answer.code == 0
    assert "accuracy" in answer.out


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("gz", [False, True])
def test_truncated_images(refused, images, name, gz):
    content = (images / name).read_bytes()
    if gz:
        (images / name).unlink()
        (images / f"{name}.gz").write_bytes(gzip.compress(content)[:-9])
        refused(["train", "images"], f"{name}.gz", "a complete gzip file", "copy or download the file again")
    else:
        (images / name).write_bytes(content[:-5])
        refused(["train", "images"], name, f"expected {len(content)} bytes", f"got {len(content) - 5} bytes")


def test_images_without_labels(refused, images):
    (images / "train-labels-idx1-ubyte").unlink()
    refused(["train", "images"], "train-labels", "no such file")


@pytest.mark.parametrize(
    ("header", "lines", "pieces"),
    [
        ("a,b", GOOD, ["3 in data row 1"]),
        ("a,c,y", GOOD, ["other.csv", "no column 'b', an unknown column 'c'"]),
        ("a,b,y", changed(1, "x,1,no"), ["other.csv, column 'a'", "numbers, as in training", "'x' in data row 2"]),
        ("a,b,y", changed(1, "1,1,maybe"), ["target 'y'", "classes seen in training ('no', 'yes')", "'maybe'"]),
        ("a,b,y", changed(1, "inf,1,no"), ["other.csv, column 'a'", "inf in data row 2"]),
        ("a,b,y", changed(1, "1,1,"), ["other.csv, target 'y'", "data row 2"]),
        ("a,b,y", [], ["other.csv", "one line only"]),
    ],
)
@pytest.mark.parametrize("option", ["--test", "--validation"])
def test_further_files(refused, table, option, header, lines, pieces):
    table("t.csv", GOOD, HEADER)
    table("other.csv", lines, header)
    refused(["train", "t.csv", option, "other.csv"], *pieces)
