"""The reader's own file: used if it can be, else said why not, and the data from before stay."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.notes import Table, Upload
from layerwise.notes.table import LARGEST_FILE, MOST_ROWS

GOOD = b"height,width,kind\n" + b"\n".join(b"%d,%d,%s" % (i, i * i % 7, b"ab"[i % 2 : i % 2 + 1]) for i in range(30))


@pytest.fixture
def own():
    return Upload(Table.named("iris"), inputs=2, classes=True)


def test_a_good_file_is_used(own):
    table, problem = own.read("mine.csv", GOOD)
    assert problem == ""
    assert (table.name, len(table), table.features, table.classes) == ("mine", 30, ("height", "width"), ("a", "b"))
    assert np.allclose(table.X.mean(axis=0), 0)
    assert own.table is table


@pytest.mark.parametrize(
    ("name", "contents", "piece"),
    [("a.csv", b"", "empty"), ("a.csv", b"\xff\xfe\x00\x01" * 9, "a.csv"), ("a.csv", b"x,y\n1,2,3\n", "a.csv"),
     ("a.csv", b"x,kind\n1,a\n2,b\n3,a\n4,b\n", "2 columns of inputs"),
     ("a.csv", b"x,y,z\n1,2,0.5\n3,4,1.5\n2,1,7.25\n", "of classes"),
     ("a.csv", b"x" * (LARGEST_FILE + 1), "at most 5 MB, got 5.0 MB"), ("../../a.csv", b"x", "a.csv"),
     ("a.png", b"\x89PNG", "a.png"), ("", b"x,y\n1", "file.csv"), ("digits", b"x,y\n1", "digits")],
)  # fmt: skip
def test_a_bad_one_changes_nothing(own, name, contents, piece):
    before = own.read("mine.csv", GOOD)[0]
    table, problem = own.read(name, contents)
    assert table is before
    assert piece in problem
    assert "expected" in problem
    assert "\n" not in problem
    assert "/tmp" not in problem


def test_many_rows_are_cut(own):
    rows = b"\n".join(b"%d,%d,%s" % (i, i % 7, b"ab"[i % 2 : i % 2 + 1]) for i in range(MOST_ROWS + 50))
    table, problem = own.read("long.csv", b"x,y,kind\n" + rows)
    assert not problem
    assert len(table) == MOST_ROWS


def test_the_label_says_what_is_needed(own):
    assert own.needs == "2 columns of inputs, then a column named target, or the last, of classes"
